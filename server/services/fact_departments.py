"""Whose department rows that wait are about, so that those who look after it see them."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.connectors.mapping import Rejected
from server.store import fact_queries, review_queries
from server.store.fact_queries import link_on
from shared.clock import WallMs, from_ms


async def departments(
    connection: AsyncConnection, source: str, zone: ZoneInfo, rows: Sequence[Rejected], at_ms: WallMs
) -> list[str | None]:
    """That of the person whose id it was on the row's day, else the row's own where it is a department's id; in order.

    None: nobody's that can be told, which is for those who see everybody.
    """
    links = await fact_queries.links_of(connection, source, {row.employee_key for row in rows if row.employee_key})
    people: list[str | None] = []
    for row in rows:
        day = (row.at or from_ms(at_ms)).astimezone(zone).date()
        people.append(link_on(links.get(row.employee_key or "", ()), day))
    of_people = await review_queries.departments_of(connection, {one for one in people if one is not None})
    own = await review_queries.known_departments(connection, {row.org_key for row in rows if row.org_key})
    return [
        of_people.get(person) if person in of_people else row.org_key if row.org_key in own else None
        for person, row in zip(people, rows, strict=True)
    ]
