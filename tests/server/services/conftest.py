"""An installed database, once on SQLite and once on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from server.store.database import Database


@pytest.fixture
async def db(migrated_url: str) -> AsyncIterator[Database]:
    """A migrated database without rows, connected."""
    database = Database(migrated_url)
    yield database
    await database.close()
