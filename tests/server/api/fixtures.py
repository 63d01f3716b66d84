"""The seeded company, on SQLite or on both databases."""

from collections.abc import AsyncIterator

import pytest

from server.store.database import Database
from tests.server.api.company import World, make_world
from tests.support.with_keys import masters


@pytest.fixture
async def world(migrated_sqlite: Database) -> World:
    """The company on SQLite."""
    return await make_world(migrated_sqlite)


@pytest.fixture
async def any_world(migrated_url: str) -> AsyncIterator[World]:
    """The company once on SQLite and once on PostgreSQL."""
    db = Database(migrated_url, masters)
    yield await make_world(db)
    await db.close()
