"""Brings a database to the schema of this version; forward only."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from server.store.database import Database
from shared.errors import ConfigError

MIGRATION_LOCK = 7_001
"""Advisory lock on PostgreSQL: two processes that start together migrate one after the other."""

_T = TypeVar("_T")


def upgrade(url: str) -> None:
    """Create or update the schema in one transaction; ConfigError when a newer Muster has written this database."""
    _apart(lambda: _with_connection(url, _upgrade))


def is_current(url: str) -> bool:
    """Whether the schema is that of this version."""
    return _apart(lambda: _with_connection(url, _is_current))


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    config = _config()
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    present = MigrationContext.configure(connection).get_current_revision()
    if present is not None and present not in known:
        raise ConfigError(
            f"the database has schema {present}, this Muster knows up to {max(known)}; "
            "run the newer version again, or restore a backup from before the update"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_current(connection: Connection) -> bool:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head


async def _with_connection(url: str, work: Callable[[Connection], _T]) -> _T:
    database = Database(url)
    try:
        async with database.writing() as connection:
            return await connection.run_sync(work)
    finally:
        await database.close()


def _apart(work: Callable[[], Coroutine[None, None, _T]]) -> _T:
    """Run a coroutine in a thread with a loop of its own, so that a caller inside a running loop may wait for it."""
    with ThreadPoolExecutor(1, thread_name_prefix="migrate") as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
