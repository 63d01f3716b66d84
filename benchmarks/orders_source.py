"""A database with a million orders, and the source file by which they become facts."""

import asyncio
import gc
import resource
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from server.app import tune
from server.connectors.fetch.secrets import Secrets
from server.services import sources
from server.services.sync import Order, run_source
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import system_clocks

ROWS = 1_000_000
PAGE = 4_000
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


async def pull(db: Database, path: Path, rows: int = ROWS) -> None:
    """Read all of it; RuntimeError where not every row became a fact."""
    entry = Entry(1, "bench", "source.put", "erp")
    await sources.put_source(db, FILE.format(path=path, page=PAGE), "erp.yaml", entry)
    order = Order(clocks=system_clocks(), holder="bench")
    [(_, done)] = await run_source(db, "erp", lambda source: source.streams, Secrets(), order)
    if (done.state, done.counts.added) != ("ok", rows):
        raise RuntimeError(f"{done.state}: {done.counts} {done.message}")


def measured(path: Path, url: str, rows: int = ROWS) -> tuple[float, float]:
    """Seconds of a pull, and the most MiB that this process had: it is here so that a new one loads nothing else."""
    tune()  # as the server does
    gc.collect()
    gc.freeze()
    start = time.perf_counter()
    asyncio.run(_pull_and_close(path, url, rows))
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _pull_and_close(path: Path, url: str, rows: int) -> None:
    db = Database(url)
    await pull(db, path, rows)
    await db.close()


def fill(path: Path, rows: int = ROWS) -> None:
    """Make the database."""
    with sqlite3.connect(path) as erp:
        erp.execute(f"create table orders ({COLUMNS})")
        erp.executemany("insert into orders values (?, ?, ?, ?, ?, ?, ?, ?, ?)", _orders(rows))


def _orders(rows: int) -> Iterator[tuple[object, ...]]:
    for number in range(1, rows + 1):
        day = f"2026-05-{1 + number % 28:02}"
        at = f"{day} {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
        people = (f"u{number % 200}", f"c{number % 5_000}")
        yield (number, number % 1_000 + 0.5, 1.25, at, day, *people, ("open", "done")[number % 2], "web")
