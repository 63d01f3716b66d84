"""Rows of a database and of a file become facts: asked for, mapped, checked, stored, with the cursor of each page.

Beside them what any way has to pay: the same rows copied from one SQLite file to another with a commit for each page,
the same file read by ``csv``; and dlt on the same rows, which neither checks them nor keeps a cursor for each page.
"""

import multiprocessing
import sqlite3
import tempfile
import time
from pathlib import Path

from benchmarks import cleaned_file, dlt_peer, pages_beside_pull
from benchmarks.bench_attendance import postgres_url
from benchmarks.figure import Figure, figure
from benchmarks.orders_source import COLUMNS, PAGE, ROWS, fill, measured
from server.store import migrate

NAME = "connectors"
MOST_S, MOST_MIB = 60.0, 200.0
BESIDE_DLT = 100_000
"""Rows: dlt takes its time."""


def run() -> list[Figure]:
    """Seconds and memory of a process of its own, for each database there is."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        path = Path(folder) / "erp.db"
        fill(path)
        copied_s = _copied_s(path, Path(folder) / "copy.db")
        found += _figures("SQLite", path, f"sqlite:///{folder}/muster.db", copied_s)
        found.append(pages_beside_pull.p95("SQLite", path, f"sqlite:///{folder}/pages.db"))
        with postgres_url() as url:
            found += _figures("PostgreSQL", path, url, copied_s) if url else []
        with postgres_url() as url:
            found += [pages_beside_pull.p95("PostgreSQL", path, url)] if url else []
        found += _beside_dlt(Path(folder))
        found.append(cleaned_file.seconds(Path(folder)))
    return found


def _figures(label: str, path: Path, url: str, copied_s: float) -> list[Figure]:
    migrate.upgrade(url)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, mib = pool.apply(measured, (path, url))
    name = f"{ROWS:,} rows SQL to facts, {label}"
    return [
        figure(name, seconds, "s", better="lower", target=MOST_S, limit_name="rows copied as they are", limit=copied_s),
        figure(f"{name}: most memory", mib, "MiB", better="lower", target=MOST_MIB),
    ]


def _beside_dlt(folder: Path) -> list[Figure]:
    """Nothing where dlt can not be installed; the reason is printed."""
    python = dlt_peer.environment()
    if python is None:
        return []
    path, url = folder / "few.db", f"sqlite:///{folder}/beside.db"
    fill(path, BESIDE_DLT)
    migrate.upgrade(url)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, _ = pool.apply(measured, (path, url, BESIDE_DLT))
    dlt_s = dlt_peer.seconds(python, path, folder / "dlt", BESIDE_DLT)
    name = f"{BESIDE_DLT:,} rows SQL to facts, SQLite"
    return [figure(name, seconds, "s", better="lower", limit_name="dlt", limit=dlt_s)]


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
