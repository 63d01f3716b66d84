"""Where rows of ``events`` go: one door, a way for each database."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import Database
from server.store.partitions import (
    DEFAULT_PARTITION,
    existing_partitions,
    make_partitions,
    month_of,
    own_months,
    partition_name,
)
from server.store.tables import events
from shared.clock import WallMs

_COLUMNS = [column.name for column in events.c]


class EventRow(NamedTuple):
    """A row of ``events``, its fields in the order of the columns."""

    stream_id: int
    seq: int
    at_ms: WallMs
    received_ms: WallMs
    digest: bytes
    body: bytes


class EventStore(ABC):
    """Inserts rows whose stream the caller has locked and whose seqs its watermark does not cover."""

    @abstractmethod
    async def prepare(self, at_ms: Iterable[WallMs], now_ms: WallMs) -> None:
        """Make room for events of these times, outside of the caller's transaction."""

    @abstractmethod
    async def insert(self, connection: AsyncConnection, rows: Sequence[EventRow]) -> None:
        """Add the rows; IntegrityError or asyncpg's UniqueViolationError when one is there already."""


def event_store(db: Database) -> EventStore:
    """The way that fits the database."""
    return SqliteEvents() if db.dialect == "sqlite" else PostgresEvents(db)


class SqliteEvents(EventStore):
    """One prepared statement in the connection's own thread, which holds the only write lock (BEGIN IMMEDIATE)."""

    async def prepare(self, at_ms: Iterable[WallMs], now_ms: WallMs) -> None:
        """Nothing to do: one table."""

    async def insert(self, connection: AsyncConnection, rows: Sequence[EventRow]) -> None:
        """Add the rows."""
        driver = await _driver(connection)
        marks = ", ".join("?" * len(_COLUMNS))
        await driver.executemany(f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({marks})", rows)  # noqa: S608


class PostgresEvents(EventStore):
    """Binary COPY straight into the partition of the month: the server need not look for it row by row."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._partitions: frozenset[str] = frozenset()

    async def prepare(self, at_ms: Iterable[WallMs], now_ms: WallMs) -> None:
        """Make the partitions of months that are missing."""
        months = own_months(at_ms, now_ms)
        if {partition_name(month) for month in months} <= self._partitions:
            return
        await make_partitions(self._db, months)
        async with self._db.reading() as connection:
            self._partitions = await existing_partitions(connection)

    async def insert(self, connection: AsyncConnection, rows: Sequence[EventRow]) -> None:
        """COPY each month into its own table, the rest into DEFAULT."""
        driver = await _driver(connection)
        tables: dict[str, list[EventRow]] = defaultdict(list)
        names: dict[int, str] = {}
        for row in rows:
            day = row.at_ms // 86_400_000
            name = names.get(day)
            if name is None:
                own = partition_name(month_of(row.at_ms))
                name = names[day] = own if own in self._partitions else DEFAULT_PARTITION
            tables[name].append(row)
        for name, part in sorted(tables.items()):
            await driver.copy_records_to_table(name, records=part, columns=_COLUMNS)


async def _driver(connection: AsyncConnection) -> Any:
    """The driver's own connection, inside the transaction that SQLAlchemy began."""
    return (await connection.get_raw_connection()).driver_connection
