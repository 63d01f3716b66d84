"""How a person's scores went, ready to be drawn."""

from fractions import Fraction

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.api.context import Context
from server.api.views.scores import IndicatorHistoryView, PastScoreView, PastTotalView, ScoreHistoryView
from server.scoring.numbers import CENTI, MICRO, decimal_text
from server.scoring.scorecard import grade
from server.services.scheme_rules import catalogue_in_force
from server.store import page_queries, score_history

MOST = 24
"""Periods: two years of months."""


async def history(context: Context, scope: Scope, employee: str) -> ScoreHistoryView:
    """Totals and indicators of the last periods, oldest first; NotFoundError outside the scope."""
    async with context.db.reading() as connection:
        if await page_queries.person(connection, scope, employee) is None:
            raise NotFoundError(f"employee {employee!r} is not in scope")
        totals = await score_history.totals(connection, scope, employee, MOST)
        past = await score_history.indicators(connection, scope, employee, [one.period for one in totals])
        catalogue = await catalogue_in_force(connection)
    found: dict[str, IndicatorHistoryView] = {}
    for row in past:
        definition = catalogue.version(row.indicator, row.rule_version)
        if definition is None:
            continue
        view = found.setdefault(
            row.indicator,
            IndicatorHistoryView(
                id=row.indicator,
                name_zh=definition.name_zh,
                name_en=definition.name_en,
                unit=definition.unit,
                better=definition.better,
                periods=[],
            ),
        )
        value = None if row.value is None else decimal_text(Fraction(row.value), definition.places)
        points = None if row.points is None else decimal_text(Fraction(row.points, MICRO))
        view.periods.append(PastScoreView(period=row.period, value=value, points=points))
    return ScoreHistoryView(
        periods=[
            PastTotalView(
                period=one.period,
                total=None if one.total is None else decimal_text(Fraction(one.total, CENTI)),
                grade=None if one.total is None else grade(one.total),
                closed=one.closed,
            )
            for one in totals
        ],
        indicators=list(found.values()),
    )
