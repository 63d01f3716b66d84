"""An installed database, once on SQLite and once on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from server.store.database import Database
from server.store.tables import metadata


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """An empty database."""
    database = Database(database_url)
    async with database.writing() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()
