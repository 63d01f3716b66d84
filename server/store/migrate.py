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

from server.crypto.masters import ReadMasters, no_masters
from server.store.database import Database
from shared.errors import ConfigError

MIGRATION_LOCK = 7_001
"""Advisory lock on PostgreSQL: two processes that start together migrate one after the other."""

_T = TypeVar("_T")


def upgrade(url: str, masters: ReadMasters = no_masters) -> None:
    """Create or update the schema in one transaction; ConfigError when a newer Muster has written this database.

    ``masters`` open the data keys, where the update encrypts what was not: ConfigError when there are none for it.
    """
    _apart(lambda: _with_connection(url, _upgrade, masters))


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


async def _with_connection(url: str, work: Callable[[Connection], _T], masters: ReadMasters = no_masters) -> _T:
    database = Database(url, masters)
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
