"""Scoring a year of facts: all at once on the lake beside SQL by hand and pandas, and one person after one event.

40 indicators of the library, of 1,000 people, by month. 1 million facts, or as many as MUSTER_BENCH_FACTS says. The
lake counts in a process of its own, whose memory is told; peers do five of the counts, on the same files, and what
comes out is compared.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path

from sqlalchemy import func, select, update

from benchmarks.bench_attendance import postgres_url
from benchmarks.figure import Figure, figure
from benchmarks.scoring_on_lake import alone
from benchmarks.scoring_world import DEPARTMENTS, HOT, MONTHS, NOW_MS, indicators, people_of, prepare
from server.scoring.family import parts_of
from server.scoring.part import read_part
from server.scoring.plain import When
from server.services.scoring import score_touched
from server.store import counting, fact_marks, migrate, score_queries
from server.store.counted_facts import shapes
from server.store.counting_executor import OnDatabase
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.lake_writing import write_lake
from shared.errors import MusterError

NAME = "scoring"
FACTS = int(os.environ.get("MUSTER_BENCH_FACTS", "1000000"))
PERIOD = "2026-12"
EVENTS = {
    "sales_order": ("paid_at_ms",),
    "shipment": ("delivered_at_ms", "refused_at_ms"),
    "ticket": ("created_at_ms",),
}
"""What happens to people: rows of these facts, dated by the first of these fields that is set."""
REFRESHES = 60
WARM = 10
DIRTY = 1_000


def run() -> list[Figure]:
    """Figures on PostgreSQL and its lake; none without PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="muster-lake-") as folder, postgres_url() as url:
        return [] if url is None else asyncio.run(_measure(url, Path(folder)))


async def _measure(url: str, folder: Path) -> list[Figure]:
    await asyncio.to_thread(migrate.upgrade, url)
    db = Database(url)
    facts = await prepare(db, FACTS)
    start = time.perf_counter()
    written = await write_lake(db, folder)
    lake_s = time.perf_counter() - start
    start = time.perf_counter()
    await write_lake(db, folder)
    again_s = time.perf_counter() - start
    ways = ["all", "bare", "month", "some", "duckdb", "pandas", *(["spark"] if find_spec("pyspark") else [])]
    on_lake = {way: await asyncio.to_thread(alone, way, folder) for way in ways}
    halves = await asyncio.gather(*(asyncio.to_thread(alone, way, folder) for way in ("half-0", "half-1")))
    if not on_lake["some"]["digest"] == on_lake["duckdb"]["digest"] == on_lake["pandas"]["digest"]:
        raise MusterError(f"ours and the peers came to different counts: {on_lake}")
    month_s, year_s = await _on_postgres(db, MONTHS[5:6]), await _on_postgres(db, MONTHS)
    await _touch(db, people_of(DIRTY))
    await _settle(db)
    took_ms = {fact: await _refreshes(db, fact) for fact in EVENTS}
    all_ms = sorted(chain.from_iterable(took_ms.values()))
    every_s = await _for_all(db, "ticket")
    await _touch(db, people_of(DIRTY))
    start = time.perf_counter()
    await _settle(db)
    dirty_s = time.perf_counter() - start
    await db.close()
    seconds = {way: found["seconds"] for way, found in on_lake.items()}
    label, year, some = f"{facts / 1e6:.3g} M facts", seconds["all"], seconds["some"]
    lower = partial(figure, unit="s", better="lower")
    return [
        lower(
            f"{label} x {len(indicators())} x 12 months, lake", year, limit_name="bare counts", limit=seconds["bare"]
        ),
        figure("  peak RSS of that process", on_lake["all"]["peak_mb"], "MB", better="lower", target=300),
        lower("  the same, PostgreSQL", year_s, limit_name="lake", limit=year),
        *([lower("  the same, Spark", seconds["spark"], limit_name="lake", limit=year)] if "spark" in seconds else []),
        lower("  two processes", max(half["seconds"] for half in halves), limit_name="one of two threads", limit=year),
        lower("  one month", seconds["month"], limit_name="PostgreSQL", limit=month_s),
        lower("  five counts x 12, lake", some, limit_name="SQL by hand", limit=seconds["duckdb"], ratio_target=1.5),
        lower("  the same beside pandas", some, limit_name="pandas, in memory", limit=seconds["pandas"]),
        figure("lake", written.size / facts, "B/fact", better="lower"),
        figure("lake written from PostgreSQL", facts / lake_s, "facts/s", better="higher"),
        figure("lake compared, nothing new", again_s, "s", better="lower"),
        figure("refresh after one event, p50", statistics.median(all_ms), "ms", better="lower"),
        figure("refresh after one event, p95", _p95(all_ms), "ms", better="lower", target=10),
        *(figure(f"  of a {fact}, p95", _p95(ms), "ms", better="lower", target=10) for fact, ms in took_ms.items()),
        figure("  all who read a ticket's fact", every_s, "s", better="lower"),
        figure(f"{DIRTY:,} dirty people", dirty_s, "s", better="lower"),
    ]


async def _on_postgres(db: Database, months: Sequence[When]) -> float:
    """Seconds for all indicators of these months in the database."""
    parts = dict.fromkeys(part for one in indicators() for part in parts_of(one))
    read = [read_part(part, shapes()) for part in parts]
    start = time.perf_counter()
    async with db.reading() as connection:
        await counting.count_each(OnDatabase(connection), read, "person", None, months)
    return time.perf_counter() - start


async def _refreshes(db: Database, fact: str) -> list[float]:
    """Milliseconds from a changed row to the stored scorecard of whose it is, in order of size."""
    department = HOT[fact][1]
    people = list(islice((one for one in people_of(DIRTY) if int(one[1:]) % len(DEPARTMENTS) == department), REFRESHES))
    took = [await _refresh(db, fact, person) for person in people]
    return sorted(took[WARM:])


async def _refresh(db: Database, fact: str, person: str) -> float:
    table, (happened, *otherwise) = FACT_TABLES[fact], EVENTS[fact]
    date = func.coalesce(*(table.c[name] for name in EVENTS[fact])) if otherwise else table.c[happened]
    own = select(table.c.source_key).where(table.c.employee == person, table.c[happened].is_not(None))
    newest = own.where(date.is_not(None)).order_by(date.desc()).limit(1).scalar_subquery()
    mine = (table.c.source == "bench", table.c.source_key == newest)
    async with db.writing() as connection:
        await connection.execute(update(table).where(*mine).values({happened: table.c[happened] - 60_000}))
        await score_queries.touch_scores(connection, [(person, PERIOD)], [fact], own=True)
    start = time.perf_counter()
    await score_touched(db, NOW_MS, everybody=False)
    return 1000 * (time.perf_counter() - start)


async def _for_all(db: Database, fact: str) -> float:
    """Seconds for everybody who is scored by a fact of which a row came."""
    async with db.writing() as connection:
        await fact_marks.move(connection, [fact])
    start = time.perf_counter()
    await _settle(db)
    return time.perf_counter() - start


def _p95(took_ms: Sequence[float]) -> float:
    return took_ms[int(0.95 * len(took_ms))]


async def _touch(db: Database, people: Iterable[str]) -> None:
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [(person, PERIOD) for person in people])


async def _settle(db: Database) -> None:
    while await score_touched(db, NOW_MS):
        pass
