"""A SQLite database of a test's own; what both databases store is tested with the services."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.crypto.masters import new_line, read_masters
from server.services import keys
from server.store import migrate
from server.store.database import Database
from server.store.log_queries import Entry


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("presets") / "muster.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
async def db(empty: bytes, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without rows, with keys for pay."""
    path = tmp_path / "muster.db"
    path.write_bytes(empty)
    masters = read_masters(new_line({}))
    database = Database(f"sqlite:///{path}", lambda: masters)
    await keys.ensure_keys(database, "intl", Entry(1_780_000_000_000, "cli", "keys.init", ""))
    yield database
    await database.close()
