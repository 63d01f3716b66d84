"""A small world on either database."""

from collections.abc import AsyncIterator

import pytest

from server.store.database import Database
from tests.server.ingest.world import make_world


@pytest.fixture
async def db(migrated_url: str) -> AsyncIterator[Database]:
    """A migrated database with two gateways and their terminals."""
    database = await make_world(migrated_url)
    yield database
    await database.close()
