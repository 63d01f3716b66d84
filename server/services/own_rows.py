"""Whose rows changed is asked for at once; everybody else whom a changed fact concerns follows within seconds."""

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from server.services.score_settings import with_quarters
from server.store import fact_marks, owner_queries, score_queries
from server.store.company_zone import company_zone
from shared.clock import WallMs, from_ms

MOST = 200
"""Rows of one call; more are a table that is being read, and nobody waits for one of them."""


async def touch_owners(
    connection: AsyncConnection, changed: Mapping[str, Collection[tuple[str, str]]], now_ms: WallMs
) -> None:
    """Ask for this month's scores of the people whose rows these are, by fact, source and key.

    Scores of the quarter too where departments go by quarters. Comes after the marks of the facts, which say that
    everybody else has to follow too.
    """
    if not 0 < sum(map(len, changed.values())) <= MOST:
        return
    people = set()
    for fact, keys in changed.items():
        people |= await owner_queries.owners(connection, fact, keys)
    if people:
        month = f"{from_ms(now_ms).astimezone(await company_zone(connection)):%Y-%m}"
        posts, _ = await score_queries.posts(connection, people, await score_queries.departments_above(connection))
        cards = await with_quarters(connection, {(one, month) for one in people}, posts)
        await score_queries.touch_scores(connection, cards, fact_marks.following(set(changed)), own=True)
