"""Files as an old system exports them: Chinese headings, GB18030, amounts and dates in many forms, some rows bad."""

import asyncio
import csv
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure, figure
from server.connectors.fetch.secrets import Secrets
from server.services import sources
from server.services.sync import Order, run_source
from server.store import migrate
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import system_clocks

FILES, ROWS = 4, 50_000
"""Rows of each file."""
BAD_EACH = 100
"""One row in so many has a day that does not exist."""
FILE = """
source: ledger
kind: file
timezone: Asia/Shanghai
streams:
  - fact: ledger_entry
    call: {files: "*.csv"}
    key: 凭证号
    map:
      posted_on: {path: 日期, as: date}
      account: 科目
      debit_minor: {path: 借方, as: money_minor}
      org_key: 部门
"""
_DATES = ("2026-03-{:02}", "2026/3/{}", "202603{:02}", "2026年3月{}日")
_AMOUNTS = ("{}.50", "¥{}.5", "{}元", "1,{:03}.00")


def seconds(folder: Path) -> Figure:
    """Seconds from the files to facts and the list of rows that wait; RuntimeError where one is missing."""
    files = folder / "files"
    files.mkdir()
    for number in range(FILES):
        with (files / f"{number}.csv").open("w", newline="", encoding="gb18030") as file:
            csv.writer(file).writerows([("凭证号", "日期", "科目", "借方", "部门"), *_rows(number)])
    start = time.perf_counter()
    read = sum(_read(path) for path in files.iterdir())
    read_s = time.perf_counter() - start
    url = f"sqlite:///{folder}/ledger.db"
    migrate.upgrade(url)
    start = time.perf_counter()
    asyncio.run(_import(url, files))
    name = f"{read:,} rows of files cleaned and stored, SQLite"
    return figure(name, time.perf_counter() - start, "s", better="lower", limit_name="read by csv", limit=read_s)


def _read(path: Path) -> int:
    with path.open(newline="", encoding="gb18030") as file:
        return sum(1 for _ in csv.DictReader(file))


def _rows(file: int) -> Iterator[tuple[str, ...]]:
    for number in range(ROWS):
        day = 32 if number % BAD_EACH == 0 else 1 + number % 28
        amount = _AMOUNTS[number % 4].format(number % 1_000)
        yield f"J{file}-{number}", _DATES[number // 4 % 4].format(day), "6601", amount, "配送一部"


async def _import(url: str, files: Path) -> None:
    db = Database(url)
    await sources.put_source(db, FILE, "ledger.yaml", Entry(1, "bench", "source.put", "ledger"))
    order = Order(clocks=system_clocks(), holder="bench", files=files)
    [(_, done)] = await run_source(db, "ledger", lambda source: source.streams, Secrets(), order)
    await db.close()
    rows, bad = FILES * ROWS, FILES * ROWS // BAD_EACH
    if (done.state, done.counts.added, done.counts.waiting) != ("ok", rows - bad, bad):
        raise RuntimeError(f"{done.state}: {done.counts} {done.message}")
