"""The idempotent store: 1,000 rows a transaction, against the fastest bare insert into the same keyed table.

Ours locks the stream, compares with the watermark, inserts, moves the watermark and writes the feed. Messages are
decoded before. As in a server on PostgreSQL two transactions are under way at once, of two streams, and so are two
COPYs; SQLite has one writer. Each side runs in turn, medians count.
"""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg

from benchmarks.figure import Figure, figure
from benchmarks.installation import SERIAL, postgres, punch
from server.fleet.gateways import add_gateway
from server.fleet.terminals import TerminalFacts, assign_terminal
from server.ingest.consumer import WORKERS
from server.ingest.session import Batch, read_batch
from server.ingest.transaction import Ingest
from server.store.database import Database
from server.store.ingest_store import EventRow, ingest_store
from server.store.migrate import upgrade
from shared.clock import system_clocks
from shared.wire import encode_ev, encode_event

NAME = "store"
TRANSACTIONS = 40
ROUNDS = 5
COLUMNS = ["stream_id", "seq", "at_ms", "received_ms", "digest", "body"]
PEER_STREAM = 1_000_000


def run() -> list[Figure]:
    """PostgreSQL beside COPY, SQLite beside executemany."""
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with postgres(folder / "postgres") as url:
            ours, copy = asyncio.run(_measure(url, _copy(url)))
        path = folder / "muster.db"
        sqlite, bare = asyncio.run(_measure(f"sqlite:///{path}", _executemany(path)))
    return [
        figure("PostgreSQL store", ours, "rows/s", better="higher", limit_name="COPY", limit=copy, ratio_target=0.9),
        figure("SQLite store", sqlite, "rows/s", better="higher", limit_name="executemany", limit=bare),
    ]


Insert = Callable[[Sequence[Sequence[EventRow]]], Awaitable[None]]


async def _measure(url: str, bare: Insert) -> tuple[float, float]:
    """Rows per second, ours and the bare insert's."""
    await asyncio.to_thread(upgrade, url)
    db = Database(url)
    gateway = (await add_gateway(db, "bench", "bench", None, 1)).gateway
    await assign_terminal(db, "bench", TerminalFacts(SERIAL), gateway, 1)
    ingest = Ingest(db, ingest_store(db))
    now_ms = system_clocks().wall_ms()
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(ROUNDS + 1):
        writers = [_pairs(number * 10 + writer) for writer in range(WORKERS[db.dialect])]
        rows = [[[row for batch in pair for row in _rows(batch, now_ms)] for pair in pairs] for pairs in writers]

        async def store(pairs: Sequence[tuple[Batch, Batch]]) -> None:
            for pair in pairs:
                await ingest.store([(gateway, batch) for batch in pair], now_ms)

        begin = time.perf_counter()
        await asyncio.gather(*map(store, writers))
        ours.append((time.perf_counter() - begin) / len(writers))
        begin = time.perf_counter()
        await asyncio.gather(*map(bare, rows))
        theirs.append((time.perf_counter() - begin) / len(writers))
    await db.close()
    rows_a_round = TRANSACTIONS * 1000
    return rows_a_round / statistics.median(ours[1:]), rows_a_round / statistics.median(theirs[1:])


def _pairs(number: int) -> list[tuple[Batch, Batch]]:
    """The messages of a round: two of 500 events a transaction, a stream of its own."""
    stream = number.to_bytes(16, "big")

    def message(first: int) -> Batch:
        bodies = [encode_event(punch(number * 7 + seq)) for seq in range(first, first + 500)]
        return read_batch(encode_ev(stream, first, bodies))

    return [(message(first), message(first + 500)) for first in range(1, TRANSACTIONS * 1000, 1000)]


def _rows(batch: Batch, now_ms: int) -> list[EventRow]:
    stream = PEER_STREAM + int.from_bytes(batch.head.stream, "big")
    return [
        (stream, seq, item.at_ms, now_ms, item.digest, item.body)
        for seq, item in enumerate(batch.items, batch.head.first)
    ]


def _copy(url: str) -> Insert:
    async def insert(batches: Sequence[Sequence[EventRow]]) -> None:
        connection = await asyncpg.connect(url)
        for rows in batches:
            await connection.copy_records_to_table("events", records=rows, columns=COLUMNS)
        await connection.close()

    return insert


def _executemany(path: Path) -> Insert:
    statement = f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own names

    async def insert(batches: Sequence[Sequence[EventRow]]) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")
        for rows in batches:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(statement, rows)
            connection.execute("COMMIT")
        connection.close()

    return insert
