"""Whose rows changed is asked for at once; everybody else whom a changed fact concerns follows within seconds."""

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from server.store import fact_marks, owner_queries, score_queries
from server.store.company_zone import company_zone
from shared.clock import WallMs, from_ms

MOST = 200
"""Rows of one call; more are a table that is being read, and nobody waits for one of them."""


async def touch_owners(
    connection: AsyncConnection, changed: Mapping[str, Collection[tuple[str, str]]], now_ms: WallMs
) -> None:
    """Ask for this month's scores of the people whose rows these are, by fact, source and key.

    Comes after the marks of the facts, which say that everybody else has to follow too.
    """
    if not 0 < sum(map(len, changed.values())) <= MOST:
        return
    people = set()
    for fact, keys in changed.items():
        people |= await owner_queries.owners(connection, fact, keys)
    if people:
        month = f"{from_ms(now_ms).astimezone(await company_zone(connection)):%Y-%m}"
        facts = fact_marks.following(set(changed))
        await score_queries.touch_scores(connection, {(one, month) for one in people}, facts, own=True)
