"""From a score to the rows that made it."""

from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.scoring.family import listed_parts
from server.scoring.lineage import Lineage, SourceQuery
from server.scoring.part import read_part
from server.scoring.plain import When
from server.scoring.small_groups import is_of_people
from server.scoring.window import Days
from server.services.scheme_rules import catalogue_in_force
from server.store import behind_queries, score_queries, segment_queries
from server.store.behind_queries import RowBehind
from server.store.company_zone import company_zone
from server.store.counted_facts import DERIVED, shapes


async def rows_behind(
    connection: AsyncConnection,
    scope: Scope,
    employee: str,
    period: str,
    indicator: str,
    *,
    limit: int,
    offset: int = 0,
    segment: int | None = None,
) -> tuple[int, list[RowBehind]] | None:
    """How many rows a score was counted from, and a page of them; None without such a score in scope.

    Rows of other people, where the value is a unit's, are listed only for those who may see that unit. Rows with pay
    are never listed, and answers about a unit for those alone who may see everyone. ``segment`` is one of several posts
    of the period, from 0.
    """
    lineage = await _lineage(connection, scope, employee, period, indicator, segment)
    if lineage is None:
        return None
    definition = (await catalogue_in_force(connection)).version(indicator, lineage.rule_version)
    if definition is None:
        return None
    query = lineage.query
    if not sees_rows(scope, query, employee) or (is_of_people(definition) and not scope.everyone):
        return 0, []
    parts = [read_part(part, shapes()) for part in listed_parts(definition) if part.fact not in DERIVED]
    when = when_of(query, await company_zone(connection))
    return await behind_queries.rows_behind(
        connection, parts, query.level, query.unit, when, limit=limit, offset=offset
    )


async def _lineage(  # noqa: PLR0917 - which score of whom
    connection: AsyncConnection, scope: Scope, employee: str, period: str, indicator: str, segment: int | None
) -> Lineage | None:
    if segment is None:
        return await score_queries.lineage_of(connection, scope, employee, period, indicator)
    found = (await segment_queries.segments_of(connection, scope, period, {employee})).get(employee, ())
    rows = found[segment].scores if segment < len(found) else ()
    return next((row.lineage for row in rows if row.indicator == indicator), None)


def when_of(query: SourceQuery, zone: ZoneInfo) -> When:
    """The period of a score as it was counted."""
    return When(Days(query.first, query.last), zone, query.cut_ms)


def sees_rows(scope: Scope, query: SourceQuery, employee: str) -> bool:
    """Whether the viewer may see the rows of whoever the value belongs to."""
    if scope.everyone:
        return True
    if query.level == "person":
        return query.unit == employee
    return query.level == "department" and query.unit in scope.departments
