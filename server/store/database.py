"""One door to SQLite or PostgreSQL: short reads, whole-transaction writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from sqlalchemy import Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from server.crypto.masters import Masters, ReadMasters, no_masters
from server.store.sql_terms import hash_of_row
from shared.errors import ConfigError

BUSY_TIMEOUT_MS = 10_000
_MASTERS = "muster_masters"
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_NO_JIT = {"server_settings": {"jit": "off"}}
"""To compile what a statement of forty indicators has takes PostgreSQL three times as long as to run it."""


class Database:
    """Connections to one database; ``url`` is ``sqlite:///file`` or ``postgresql://...``.

    ``masters`` are the keys that open what is encrypted in it; without them that part stays closed.
    """

    def __init__(self, url: str, masters: ReadMasters = no_masters) -> None:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
        if kind not in _DRIVERS:
            raise ConfigError(f"database {kind!r}: expected sqlite:///FILE or postgresql://USER@HOST/NAME")
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if kind == "sqlite" else "postgresql"
        self.url = parsed
        self._engine: AsyncEngine = create_async_engine(
            parsed.set(drivername=_DRIVERS[kind]),
            connect_args=_NO_JIT if kind == "postgresql" else {},
            hide_parameters=True,  # an error goes to the log, and values of rows do not
            execution_options={_MASTERS: masters},
        )
        if self.dialect == "sqlite":
            event.listen(self._engine.sync_engine, "connect", _tune_sqlite)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the database for as long as it is held."""
        async with self._engine.connect() as connection:
            if self.dialect == "sqlite":
                await connection.exec_driver_sql("BEGIN")
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends, undone when it raises. BEGIN IMMEDIATE on SQLite."""
        async with self._engine.connect() as connection:
            if self.dialect == "sqlite":
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            await connection.commit()

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def masters_of(connection: AsyncConnection) -> Masters:
    """Keys that open what is encrypted in this database, as they are now.

    They go with the connection, so that nothing between a route and a row has to hand them on.
    """
    assert connection.sync_connection is not None  # noqa: S101  (whoever has a connection has begun with it)
    return masters_with(connection.sync_connection)


def masters_with(connection: Connection) -> Masters:
    """The same of a connection as a migration has it."""
    read: ReadMasters = connection.get_execution_options()[_MASTERS]
    return read()


_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-16384",  # KiB of a connection: the indexes of a million facts do not fit in the usual 2 MiB
    "wal_autocheckpoint=8000",  # pages: a thousand facts touch more than the usual 1,000, each commit would move them
)


def _tune_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's own comes too late for IMMEDIATE
    connection.create_function("row_hash", -1, hash_of_row, deterministic=True)
    cursor = connection.cursor()
    for pragma in (*_PRAGMAS, f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
