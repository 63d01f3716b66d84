"""The rules that scores go by now, as they are stored."""

from weakref import WeakKeyDictionary

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.catalogue import Catalogue
from server.scoring.rules import Rules, rules_of
from server.store import scheme_queries

_KNOWN: WeakKeyDictionary[Engine, tuple[object, Rules]] = WeakKeyDictionary()
"""Of each database the rules of the version that was asked for last: no version is ever overwritten."""


async def rules_in_force(connection: AsyncConnection) -> Rules:
    """What ships, overlaid with everything that was published."""
    newest = await scheme_queries.newest_publication(connection)
    known = _KNOWN.get(connection.sync_engine)
    if known is None or known[0] != newest:
        known = newest, rules_of(await scheme_queries.book_at(connection))
        _KNOWN[connection.sync_engine] = known
    return known[1]


async def catalogue_in_force(connection: AsyncConnection) -> Catalogue:
    """All versions of all indicators and weight sets, those that were published too."""
    return (await rules_in_force(connection)).catalogue
