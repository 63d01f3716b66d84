"""Databases that can keep pay: a master key of the tests, and data keys under it."""

from collections.abc import Mapping

from server.services import keys
from server.store.database import Database
from server.store.log_queries import Entry

MASTERS: Mapping[str, bytes] = {"k1": bytes(range(32))}


def masters() -> Mapping[str, bytes]:
    """As the settings of a server give them."""
    return MASTERS


async def make_keys(db: Database) -> None:
    """The first data keys."""
    await keys.ensure_keys(db, "intl", Entry(0, "cli", "keys.init", ""))
