"""The writes of an ingest transaction that every event pays for: one interface, a way for each database."""

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.change_queries import FEED_LOCK
from server.store.database import Database
from server.store.ingest_queries import StreamKey, StreamRow, advance_streams, as_stream, lock_streams
from server.store.partitions import (
    DEFAULT_PARTITION,
    existing_partitions,
    make_partitions,
    month_of,
    own_months,
    partition_name,
)
from server.store.tables import events, feed
from shared.clock import WallMs

EventRow: TypeAlias = tuple[int, int, WallMs, WallMs, bytes, bytes]
"""A row of ``events`` in the order of its columns: stream_id, seq, at_ms, received_ms, digest, body."""

_COLUMNS = [column.name for column in events.c]


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A run of consecutive seqs stored by one transaction."""

    stream_id: int
    first: int
    last: int
    at_min_ms: WallMs
    at_max_ms: WallMs
    received_ms: WallMs


class IngestStore(ABC):
    """Writes rows whose streams the caller has locked and whose seqs their watermarks do not cover."""

    @abstractmethod
    async def prepare(self, spans: Iterable[tuple[WallMs, WallMs]], now_ms: WallMs) -> None:
        """Make room for events between these times, outside of the caller's transaction."""

    async def lock(self, connection: AsyncConnection, keys: Collection[StreamKey]) -> dict[StreamKey, StreamRow]:
        """The rows of those streams that exist, locked in key order; the first statement of a transaction."""
        return await lock_streams(connection, keys)

    @abstractmethod
    async def insert(self, connection: AsyncConnection, rows: Sequence[EventRow]) -> None:
        """Add events; an error for which ``is_duplicate`` holds when one is there already."""

    @abstractmethod
    async def advance(self, connection: AsyncConnection, streams: Sequence[StreamRow], fed: Sequence[FeedRow]) -> None:
        """Move the watermarks and tell followers, as the last writes of a transaction: this takes the feed lock."""


def ingest_store(db: Database) -> IngestStore:
    """The way that fits the database."""
    return SqliteStore() if db.dialect == "sqlite" else PostgresStore(db)


class SqliteStore(IngestStore):
    """Prepared statements in the connection's own thread, which holds the only write lock (BEGIN IMMEDIATE)."""

    async def prepare(self, spans: Iterable[tuple[WallMs, WallMs]], now_ms: WallMs) -> None:
        """Nothing to do: one table."""

    async def insert(self, connection: AsyncConnection, rows: Sequence[EventRow]) -> None:
        """Add events."""
        driver = await _driver(connection)
        marks = ", ".join("?" * len(_COLUMNS))
        await driver.executemany(f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({marks})", rows)  # noqa: S608

    async def advance(self, connection: AsyncConnection, streams: Sequence[StreamRow], fed: Sequence[FeedRow]) -> None:
        """Move the watermarks and tell followers."""
        await advance_streams(connection, streams)
        if fed:
            await connection.execute(feed.insert(), [_feed_values(row) for row in fed])


_ADVANCE = """
WITH moved AS (
    UPDATE streams SET upto = s.upto, also = s.also, lost = s.lost
    FROM unnest($1::bigint[], $2::bigint[], $3::json[], $4::json[]) AS s (id, upto, also, lost)
    WHERE streams.id = s.id
), locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock($11)
)
INSERT INTO feed (stream_id, first, last, at_min_ms, at_max_ms, received_ms)
SELECT f.* FROM locked,
    unnest($5::integer[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[]) AS f
"""
"""One round trip. A feed row gets its id when it leaves the join, so after the lock was taken."""


_LOCK = """
SELECT s.id, s.gateway, s.stream, g.status, s.upto, s.also, s.lost, s.closed, s.anchor_mono_ms, s.anchor_wall_ms
FROM unnest($1::text[], $2::bytea[]) AS k (gateway, stream)
JOIN streams s USING (gateway, stream) JOIN gateways g ON g.id = s.gateway
ORDER BY s.gateway, s.stream FOR UPDATE OF s
"""


class PostgresStore(IngestStore):
    """Binary COPY straight into the partition of the month: the server need not look for it row by row."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._partitions: frozenset[str] = frozenset()

    async def prepare(self, spans: Iterable[tuple[WallMs, WallMs]], now_ms: WallMs) -> None:
        """Make the partitions of months that are missing."""
        months = own_months(spans, now_ms)
        if {partition_name(month) for month in months} <= self._partitions:
            return
        await make_partitions(self._db, months)
        async with self._db.reading() as connection:
            self._partitions = await existing_partitions(connection)

    async def lock(self, connection: AsyncConnection, keys: Collection[StreamKey]) -> dict[StreamKey, StreamRow]:
        """The same without SQLAlchemy's share of the time; the statement begins its transaction."""
        wanted = sorted(keys)
        arrays = ([gateway for gateway, _ in wanted], [stream for _, stream in wanted])
        found = [as_stream(row) for row in await connection.exec_driver_sql(_LOCK, arrays)]
        return {(row.gateway, row.stream): row for row in found}

    async def insert(self, connection: AsyncConnection, rows: Sequence[EventRow]) -> None:
        """COPY each month into its own table, the rest into DEFAULT."""
        driver = await _driver(connection)
        for name, part in sorted(self._by_table(rows).items()):
            await driver.copy_records_to_table(name, records=part, columns=_COLUMNS)

    async def advance(self, connection: AsyncConnection, streams: Sequence[StreamRow], fed: Sequence[FeedRow]) -> None:
        """Move the watermarks and tell followers."""
        if not fed:
            await advance_streams(connection, streams)
            return
        driver = await _driver(connection)
        moved = [(row.id, row.upto, json.dumps(row.also), json.dumps(row.lost)) for row in streams]
        runs = [(r.stream_id, r.first, r.last, r.at_min_ms, r.at_max_ms, r.received_ms) for r in fed]
        columns = [list(column) for column in (*zip(*moved, strict=True), *zip(*runs, strict=True))]
        await driver.execute(_ADVANCE, *columns, FEED_LOCK)

    def _by_table(self, rows: Sequence[EventRow]) -> dict[str, Sequence[EventRow]]:
        times = [row[2] for row in rows]
        low, high = self._table(min(times)), self._table(max(times))
        if low == high != DEFAULT_PARTITION:
            return {low: rows}
        tables: dict[str, list[EventRow]] = defaultdict(list)
        names: dict[int, str] = {}
        for row in rows:
            day = row[2] // 86_400_000
            name = names.get(day) or names.setdefault(day, self._table(row[2]))
            tables[name].append(row)
        return dict(tables)

    def _table(self, at_ms: WallMs) -> str:
        name = partition_name(month_of(at_ms))
        return name if name in self._partitions else DEFAULT_PARTITION


def _feed_values(row: FeedRow) -> dict[str, int]:
    return {
        "stream_id": row.stream_id,
        "first": row.first,
        "last": row.last,
        "at_min_ms": row.at_min_ms,
        "at_max_ms": row.at_max_ms,
        "received_ms": row.received_ms,
    }


async def _driver(connection: AsyncConnection) -> Any:
    """The driver's own connection, inside the transaction that SQLAlchemy began."""
    return (await connection.get_raw_connection()).driver_connection
