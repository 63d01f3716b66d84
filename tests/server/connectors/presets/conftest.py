"""A SQLite database of a test's own; what both databases store is tested with the services."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.crypto.masters import new_line, read_masters
from server.services import keys
from server.store.database import Database
from server.store.log_queries import Entry


@pytest.fixture
async def db(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without rows, with keys for pay."""
    path = shutil.copy(migrated_file, tmp_path / "muster.db")
    masters = read_masters(new_line({}))
    database = Database(f"sqlite:///{path}", lambda: masters)
    await keys.ensure_keys(database, "intl", Entry(1_780_000_000_000, "cli", "keys.init", ""))
    yield database
    await database.close()
