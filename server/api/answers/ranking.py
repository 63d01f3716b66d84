"""The scores of a month side by side."""

from collections import Counter
from fractions import Fraction

from server.access.departments import with_those_below
from server.access.viewer import Viewer
from server.api.answers.names import PositionNames, names, position_names
from server.api.context import Context
from server.api.paging import Page
from server.api.views.scores import RankedView, ScoreRankingView
from server.scoring.numbers import CENTI, decimal_text
from server.scoring.scorecard import GRADES, Grade, grade
from server.store import people_queries, score_queries, user_queries
from server.store.scope_filter import ALL, Narrow
from server.store.score_queries import Ranked
from shared.clock import from_ms

NONE = "none"


async def ranking(
    context: Context, viewer: Viewer, period: str | None, department: str | None, *, page: Page
) -> ScoreRankingView:
    """A page of the ranking of a month, the newest with scores without ``period``."""
    async with context.db.reading() as connection:
        months = await score_queries.months_with_scores(connection, viewer.scope)
        this_month = from_ms(context.clocks.wall_ms()).astimezone(context.config.zone).strftime("%Y-%m")
        wanted = period or next((one for one in months if "Q" not in one), this_month)
        parents = await user_queries.department_parents(connection)
        narrow = ALL if department is None else Narrow(with_those_below({department}, parents))
        rows = await score_queries.ranking(connection, viewer.scope, wanted, narrow)
        departments = await people_queries.department_names(connection, viewer.scope)
        position = await position_names(connection)
    counted = Counter(_grade(row) or NONE for row in rows)
    return ScoreRankingView(
        period=wanted,
        periods=months,
        total=len(rows),
        grades={letter: counted[letter] for letter in (*(letter for letter, _ in GRADES), NONE)},
        rows=[_row(row, position) for row in rows[page.offset : page.offset + page.limit]],
        departments=names(departments),
    )


def _grade(row: Ranked) -> Grade | None:
    """That of the final score once the period is closed."""
    if row.closed:
        return None if row.final is None else grade(row.final)
    return None if row.total is None else grade(row.total)


def _points(centi: int | None) -> str | None:
    return None if centi is None else decimal_text(Fraction(centi, CENTI))


def _row(row: Ranked, position: PositionNames) -> RankedView:
    part, whole = row.coverage
    return RankedView(
        rank=row.rank,
        employee=row.employee,
        name=row.name,
        department=row.department,
        position=row.position,
        position_name=position(row.position),
        total=_points(row.total),
        adjustment=decimal_text(Fraction(row.adjustment, CENTI)),
        veto_cap=_points(row.veto_cap),
        final=_points(row.final),
        closed=row.closed,
        grade=_grade(row),
        coverage_pct=decimal_text(Fraction(100 * part, whole) if whole else Fraction(0)),
    )
