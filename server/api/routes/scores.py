"""Scorecards, and the rows behind each number."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from server.api.answers import ranking, score_history, scores
from server.api.context import ContextDep
from server.api.guards import OwnReader, ScoresReader, whom
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.scores import ScorecardView, ScoreHistoryView, ScoreRankingView, SourceRowsView

router = APIRouter(prefix="/api/scores", tags=["scores"])

MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2]|Q[1-4])$"
"""Months, and quarters of departments that go by them."""


@router.get("")
async def score_ranking(
    *,
    viewer: ScoresReader,
    context: ContextDep,
    period: Annotated[str | None, Query(pattern=MONTH)] = None,
    department: Id | None = None,
    page: PageDep,
) -> ScoreRankingView:
    """Everybody's score of a month in scope, best first, with how many have each grade."""
    return await ranking.ranking(context, viewer, period, department, page=page)


@router.get("/{employee}")
async def scorecard(
    *,
    viewer: OwnReader,
    context: ContextDep,
    employee: Id,
    period: Annotated[str | None, Query(pattern=MONTH)] = None,
) -> ScorecardView:
    """One person's score in a month, the newest without ``period``; ``employee`` may be ``me``."""
    return await scores.scorecard(context, viewer.scope, whom(viewer, employee, others="scores.read"), period)


@router.get("/{employee}/history")
async def score_history_of(*, viewer: OwnReader, context: ContextDep, employee: Id) -> ScoreHistoryView:
    """How one person's total and indicators went over the last two years; ``employee`` may be ``me``."""
    return await score_history.history(context, viewer.scope, whom(viewer, employee, others="scores.read"))


@router.get("/{employee}/{period}/{indicator}/sources")
async def source_rows(
    *,
    viewer: OwnReader,
    context: ContextDep,
    employee: Id,
    period: Annotated[str, Path(pattern=MONTH)],
    indicator: Id,
    segment: Annotated[int | None, Query(ge=0, le=40)] = None,
    page: PageDep,
) -> SourceRowsView:
    """The day records or parcels that one indicator score was made of; ``segment`` is one of several posts, from 0."""
    about = whom(viewer, employee, others="scores.read")
    return await scores.source_rows(context, viewer.scope, about, period, indicator, page=page, segment=segment)
