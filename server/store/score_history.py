"""How a person's scores went from period to period."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.scoring.lineage import Lineage
from server.scoring.numbers import CentiPoints, MicroPoints
from server.scoring.window import days_of
from server.store.period_tables import closed_cards
from server.store.scope_filter import visible
from server.store.tables import employees, scorecards, scores


@dataclass(frozen=True, slots=True)
class PastTotal:
    """A period's total; what was published where it is closed."""

    period: str
    total: CentiPoints | None
    closed: bool


@dataclass(frozen=True, slots=True)
class PastScore:
    """What one indicator came to in a period."""

    period: str
    indicator: str
    rule_version: str
    value: str | None
    """Exact, as ``numerator/denominator``."""
    points: MicroPoints | None


async def totals(connection: AsyncConnection, scope: Scope, employee: str, most: int) -> list[PastTotal]:
    """The last ``most`` periods with a scorecard, oldest first; none outside the scope."""
    published = and_(
        closed_cards.c.employee == scorecards.c.employee,
        closed_cards.c.period == scorecards.c.period,
        closed_cards.c.newest,
    )
    joined = scorecards.join(employees, employees.c.id == scorecards.c.employee).outerjoin(closed_cards, published)
    columns = (scorecards.c.period, scorecards.c.total_centi, closed_cards.c.final_centi, closed_cards.c.version)
    wanted = select(*columns).select_from(joined).where(scorecards.c.employee == employee, visible(scope))
    found = [
        PastTotal(row.period, row.total_centi if row.version is None else row.final_centi, row.version is not None)
        for row in await connection.execute(wanted)
    ]
    return sorted(found, key=lambda one: days_of(one.period).last)[-most:]


async def indicators(
    connection: AsyncConnection, scope: Scope, employee: str, periods: Sequence[str]
) -> list[PastScore]:
    """Scores of these periods, in their order; none outside the scope."""
    joined = scores.join(employees, employees.c.id == scores.c.employee)
    columns = (scores.c.period, scores.c.indicator, scores.c.score_micro, scores.c.lineage)
    mine = (scores.c.employee == employee, scores.c.period.in_(periods), visible(scope))
    found = []
    for row in await connection.execute(select(*columns).select_from(joined).where(*mine)):
        lineage = msgspec.convert(row.lineage, Lineage)
        found.append(PastScore(row.period, row.indicator, lineage.rule_version, lineage.value, row.score_micro))
    places = {period: place for place, period in enumerate(periods)}
    return sorted(found, key=lambda one: (places[one.period], one.indicator))
