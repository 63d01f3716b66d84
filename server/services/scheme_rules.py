"""The rules that scores go by now, as they are stored."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.catalogue import Catalogue
from server.scoring.rules import Rules, rules_of
from server.store import scheme_queries


async def rules_in_force(connection: AsyncConnection) -> Rules:
    """What ships, overlaid with everything that was published."""
    return rules_of(await scheme_queries.book_at(connection))


async def catalogue_in_force(connection: AsyncConnection) -> Catalogue:
    """All versions of all indicators and weight sets, those that were published too."""
    return (await rules_in_force(connection)).catalogue
