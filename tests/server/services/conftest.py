"""An installed database, once on SQLite and once on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from server.store.database import Database
from tests.support.with_keys import masters


@pytest.fixture
async def db(migrated_url: str) -> AsyncIterator[Database]:
    """A migrated database without rows, connected; its master key is there, data keys come with ``make_keys``."""
    database = Database(migrated_url, masters)
    yield database
    await database.close()
