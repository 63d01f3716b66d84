"""Who is told of an appeal at once: those who may decide about it when it is filed, who filed it when it is decided."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.services.accounts import holders
from server.store import people_queries, period_queries
from shared.clock import WallMs

FILED, DECIDED = "appeal_filed", "appeal_decided"
HAPPENINGS = (FILED, DECIDED)

SETTLED_MS = 2_000
"""Who files or decides in the same millisecond has committed by then: the notice of an instant is about all of it."""


async def instants(connection: AsyncConnection, what: str, since_ms: WallMs, before_ms: WallMs) -> list[WallMs]:
    """When it happened, ``since_ms <= at < before_ms``, each instant once and in order."""
    everybody = Scope.system()
    if what == FILED:
        filed = await period_queries.appeals_filed(connection, everybody, since_ms, before_ms)
        return sorted({one.filed_ms for one in filed})
    decided = await period_queries.appeals_decided(connection, everybody, since_ms, before_ms)
    return sorted({one.decided_ms for one in decided if one.decided_ms is not None})


async def concerned(connection: AsyncConnection, what: str, at_ms: WallMs) -> list[str]:
    """E-mail addresses of those whom an instant is about; who has none is left out.

    A filed appeal is about whoever could decide it: open accounts with ``scores.judge`` and the person in their scope,
    never the person's own. A decided one is about who filed it.
    """
    if what == FILED:
        people = await _deciders(connection, at_ms)
    else:
        decided = await period_queries.appeals_decided(connection, Scope.system(), at_ms, at_ms + 1)
        people = {one.employee for one in decided}
    return await people_queries.mail_addresses(connection, Scope.system(), people)


async def _deciders(connection: AsyncConnection, at_ms: WallMs) -> set[str]:
    found = set[str]()
    for viewer in await holders(connection, "scores.judge"):
        if viewer.employee is None:
            continue
        seen = await period_queries.appeals_filed(connection, viewer.scope, at_ms, at_ms + 1)
        if any(one.employee != viewer.employee for one in seen):
            found.add(viewer.employee)
    return found
