"""A million rows of a database become facts: asked by key, mapped, checked, stored, with the cursor of each page.

Beside it what any way has to pay: the same rows copied from one SQLite file to another, a commit for each page.
"""

import asyncio
import multiprocessing
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench_attendance import postgres_url
from benchmarks.figure import Figure, figure
from server.connectors.fetch.secrets import Secrets
from server.services import sources
from server.services.sync import Order, run_source
from server.store import migrate
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import system_clocks

NAME = "connectors"
ROWS = 1_000_000
PAGE = 1_000
MOST_S, MOST_MIB = 60.0, 200.0
COLUMNS = "id integer primary key, total numeric, tax numeric, changed, day, seller, customer, state, channel"
FILE = """
source: erp
kind: sql
base_url: sqlite:///{path}
timezone: Asia/Shanghai
streams:
  - fact: sales_order
    call: {{sql: "select * from orders where id > :after order by id limit :size"}}
    page: {{type: keyset, field: id, size: {page}}}
    key: id
    map:
      order_no: id
      status: {{path: state, values: {{open: open, done: fulfilled}}}}
      currency: {{const: CNY}}
      amount_gross_minor: {{path: total, as: money_minor}}
      tax_minor: {{path: tax, as: money_minor}}
      order_date: {{path: day, as: date}}
      customer_key: customer
      employee_key: seller
      channel: channel
      source_updated_at: {{path: changed, as: datetime}}
"""


def run() -> list[Figure]:
    """Seconds and memory of a process of its own, for each database there is."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        path = Path(folder) / "erp.db"
        _fill(path)
        copied_s = _copied_s(path, Path(folder) / "copy.db")
        found += _figures("SQLite", path, f"sqlite:///{folder}/muster.db", copied_s)
        with postgres_url() as url:
            found += _figures("PostgreSQL", path, url, copied_s) if url else []
    return found


def _figures(label: str, path: Path, url: str, copied_s: float) -> list[Figure]:
    migrate.upgrade(url)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, mib = pool.apply(_pull, (str(path), url))
    name = f"{ROWS:,} rows SQL to facts, {label}"
    return [
        figure(name, seconds, "s", better="lower", target=MOST_S, limit_name="rows copied as they are", limit=copied_s),
        figure(f"{name}: most memory", mib, "MiB", better="lower", target=MOST_MIB),
    ]


def _pull(path: str, url: str) -> tuple[float, float]:
    start = time.perf_counter()
    asyncio.run(_run(path, url))
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _run(path: str, url: str) -> None:
    db = Database(url)
    entry = Entry(1, "bench", "source.put", "erp")
    await sources.put_source(db, FILE.format(path=path, page=PAGE), "erp.yaml", entry)
    order = Order(clocks=system_clocks(), holder="bench")
    [(_, done)] = await run_source(db, "erp", lambda source: source.streams, Secrets(), order)
    await db.close()
    if (done.state, done.counts.added) != ("ok", ROWS):
        raise RuntimeError(f"{done.state}: {done.counts} {done.message}")


def _fill(path: Path) -> None:
    with sqlite3.connect(path) as erp:
        erp.execute(f"create table orders ({COLUMNS})")
        erp.executemany("insert into orders values (?, ?, ?, ?, ?, ?, ?, ?, ?)", _orders())


def _orders() -> Iterator[tuple[object, ...]]:
    for number in range(1, ROWS + 1):
        day = f"2026-05-{1 + number % 28:02}"
        at = f"{day} {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
        people = (f"u{number % 200}", f"c{number % 5_000}")
        yield (number, number % 1_000 + 0.5, 1.25, at, day, *people, ("open", "done")[number % 2], "web")


def _copied_s(path: Path, copy: Path) -> float:
    start = time.perf_counter()
    source, target = sqlite3.connect(path), sqlite3.connect(copy)
    target.execute("pragma journal_mode=wal")
    target.execute("pragma synchronous=full")
    target.execute(f"create table orders ({COLUMNS})")
    after = 0
    while rows := source.execute("select * from orders where id > ? order by id limit ?", (after, PAGE)).fetchall():
        target.executemany("insert into orders values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        target.commit()
        after = rows[-1][0]
    source.close()
    target.close()
    return time.perf_counter() - start
