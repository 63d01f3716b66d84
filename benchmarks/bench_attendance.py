"""Punches into stored results, beside the bare engine, on both databases: as they come, a month at once, one at a time.

The whole way takes messages of a gateway: stored, identified, matched to people and computed, as server and worker do
it, commits included. The month of 500 people is touched first and then computed. A correction is a request that was
approved just now; its days are computed again.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from benchmarks.figure import Figure, figure
from server.attendance.engine import compute
from server.attendance.facts import Facts, Punch, Shift, ShiftPlan
from server.attendance.policy import DEFAULT
from server.attendance.touch import dates_near_span, touched_dates
from server.fleet.gateways import add_gateway
from server.fleet.terminals import TerminalFacts, assign_terminal
from server.ingest.identity import identify
from server.ingest.session import read_batch
from server.ingest.transaction import Ingest
from server.people.company_file import TerminalUser
from server.services.attendance import compute_touched
from server.services.company import Company, Department, Employee, PlannedShift, RosterDay, Site, load_company
from server.store import attendance_queries, migrate, policy_queries
from server.store.database import Database
from server.store.ingest_store import ingest_store
from server.store.request_tables import requests
from server.store.tables import attendance_days, punches
from shared.clock import to_ms
from shared.errors import MusterError
from shared.punch import Punch as WirePunch
from shared.wire import encode_ev, encode_event
from tests.support.postgres import Postgres, find_programs

NAME = "attendance"
PEOPLE = 500
ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 3, 2)
WORKDAYS = [FIRST + timedelta(days=n) for n in range(30) if (FIRST + timedelta(days=n)).weekday() < 5]
DAYS = WORKDAYS[:20]
NOW = to_ms(datetime(2026, 4, 15, tzinfo=ZONE))
CORRECTIONS = 30
COMERS = 250
"""People whose punches take the whole way, 40 each."""
A_MESSAGE = 500
"""Punches of one message."""
SERIAL = "T1"
SIDES = ((8, 50), (18, 5))


def run() -> list[Figure]:
    """Rate and time of the month, and the median of single corrections, for each database there is."""
    engine_s = _engine_s()
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        found += _figures("SQLite", f"sqlite:///{folder}/muster.db", engine_s)
    with postgres_url() as url:
        found += _figures("PostgreSQL", url, engine_s) if url else []
    return found


def _figures(label: str, url: str, engine_s: float) -> list[Figure]:
    way_s, month_s, correction_ms = asyncio.run(_measure(url))
    number = PEOPLE * len(WORKDAYS) * len(SIDES)
    rate, bare = number / month_s, number / engine_s
    beside = {"limit_name": "engine without storage", "limit": bare}
    name = f"attendance results, {label}"
    way = COMERS * len(DAYS) * len(SIDES)
    return [
        figure(f"{way:,} punches stored to computed, {label}", way / way_s, "punches/s", better="higher", target=1000),
        figure(name, rate, "punches/s", better="higher", target=1000, **beside),  # type: ignore[arg-type]
        figure(f"month of {PEOPLE} people, {label}", month_s, "s", better="lower", target=5),
        figure(f"one correction, {label}", correction_ms, "ms", better="lower", target=100),
    ]


async def _measure(url: str) -> tuple[float, float, float]:
    """Seconds for the whole way and for the month, and median milliseconds from an approval to its stored result."""
    await asyncio.to_thread(migrate.upgrade, url)
    db = Database(url)
    await load_company(db, "bench", _company(), NOW)
    await compute_touched(db, NOW)
    while await compute_touched(db, NOW):
        pass
    way_s = await _whole_way(db)
    for day in WORKDAYS:
        await _punch(db, [(f"e{n}", _at(day, *side)) for n in range(PEOPLE) for side in SIDES])
    start = time.perf_counter()
    while await compute_touched(db, NOW):
        pass
    month_s = time.perf_counter() - start
    times = []
    for number in range(CORRECTIONS):
        start = time.perf_counter()
        await _correct(db, f"e{number}", _at(WORKDAYS[number % len(WORKDAYS)], 12, 30 + number % 20))
        await compute_touched(db, NOW)
        times.append(1000 * (time.perf_counter() - start))
    await db.close()
    return way_s, month_s, statistics.median(times)


async def _whole_way(db: Database) -> float:
    """Seconds from the first message of a gateway to the last result."""
    gateway = (await add_gateway(db, "bench", "bench", "d1", 1)).gateway
    await assign_terminal(db, "bench", TerminalFacts(SERIAL, site="d1", user_group="d1"), gateway, 1)
    moments = [(f"{n}", _at(day, *side)) for day in DAYS for side in SIDES for n in range(COMERS)]
    bodies = [encode_event(_wire_punch(code, at_ms)) for code, at_ms in moments]
    firsts = range(0, len(bodies), A_MESSAGE)
    messages = [encode_ev(b"s" * 16, first + 1, bodies[first : first + A_MESSAGE]) for first in firsts]
    ingest = Ingest(db, ingest_store(db))
    start = time.perf_counter()
    for message in messages:
        await ingest.store([(gateway, read_batch(message))], NOW)
        await identify(db, NOW, ZONE)
    while await compute_touched(db, NOW):
        pass
    taken_s = time.perf_counter() - start
    async with db.reading() as connection:
        came = await connection.scalar(select(func.count()).where(attendance_days.c.status == "normal"))
    if came != COMERS * len(DAYS):
        raise MusterError(f"{came} results of {COMERS * len(DAYS)}")
    return taken_s


def _wire_punch(code: str, at_ms: int) -> WirePunch:
    """As a terminal in Shanghai reports it."""
    offset_s = 8 * 3_600
    return WirePunch(SERIAL, code, at_ms // 1000 + offset_s, offset_s, at_ms)


async def _correct(db: Database, employee: str, at_ms: int) -> None:
    """A correction as it is left when somebody approves it: stored, its days touched."""
    row = {"kind": "correction", "employee": employee, "from_ms": at_ms, "to_ms": at_ms, "minutes": 0, "to_comp": False}
    row |= {"detail": {}, "reason": "", "state": "approved", "chain": [], "step": 0, "created_by": "bench"}
    async with db.writing() as connection:
        await connection.execute(requests.insert().values(**row, created_ms=at_ms, decided_ms=NOW))
        widest = (await policy_queries.window_sizes(connection)).widest
        days = ((employee, day) for day in dates_near_span(at_ms, at_ms, ZONE, widest))
        await attendance_queries.touch_days(connection, days)


def _company() -> Company:
    """People with a day shift on every workday."""
    hired = date(2025, 1, 1)
    plan = PlannedShift(id="d", name_zh="d", name_en="d", start="09:00", end="18:00", breaks=(("12:00", "13:00"),))
    return Company(
        departments=(Department(id="ops", name_zh="ops", name_en="ops"),),
        sites=(Site(id="d1", name_zh="d1", name_en="d1", zone="Asia/Shanghai"),),
        shifts=(plan,),
        employees=tuple(
            Employee(id=f"e{n}", name=f"e{n}", department="ops", site="d1", position="clerk", joined_on=hired)
            for n in range(PEOPLE)
        ),
        terminal_users=tuple(TerminalUser(user_group="d1", user_code=f"{n}", employee=f"e{n}") for n in range(COMERS)),
        roster=tuple(RosterDay(employee=f"e{n}", date=day, shift="d") for n in range(PEOPLE) for day in WORKDAYS),
    )


async def _punch(db: Database, told: list[tuple[str, int]]) -> None:
    """Punches as the identity step leaves them: stored, their days touched."""
    same = {"terminal": "T1", "key_seq": -1, "direction": 0, "method": 1, "raw_codes": [], "flags": 0, "gateway": "g"}
    rows = [
        {**same, "user_code": employee, "at_device": at_ms // 1000, "at_ms": at_ms, "true_ms": at_ms}
        | {"received_ms": at_ms, "employee": employee}
        for employee, at_ms in told
    ]
    async with db.writing() as connection:
        await connection.execute(punches.insert(), rows)
        days = ((employee, day) for employee, at_ms in told for day in touched_dates(at_ms, ZONE, DEFAULT))
        await attendance_queries.touch_days(connection, days)


def _engine_s() -> float:
    """CPU seconds of the pure engine for the same month, a person at a time."""
    plan = ShiftPlan("d", "09:00", "18:00", (("12:00", "13:00"),))
    shifts = tuple(Shift(day, plan) for day in WORKDAYS)
    moments = [_at(day, *side) for day in WORKDAYS for side in SIDES]
    facts = Facts(shifts, tuple(Punch(number, at_ms, at_ms) for number, at_ms in enumerate(moments)))
    start = time.process_time()
    for _ in range(PEOPLE):
        compute(facts, ZONE, now_ms=NOW)
    return time.process_time() - start


def _at(day: date, hour: int, minute: int) -> int:
    return to_ms(datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE))


@contextmanager
def postgres_url() -> Iterator[str | None]:
    """Address of an empty database in a cluster of our own; None without PostgreSQL."""
    programs = find_programs()
    if programs is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="muster-postgres-") as folder:
        Path(folder).chmod(0o755)
        cluster = Postgres(programs, Path(folder, "cluster"))
        cluster.create()
        cluster.start()
        try:
            cluster.execute("create database bench")
            yield cluster.url("bench")
        finally:
            cluster.crash()
