"""Trends, forecasts and correlations of indicators: figures to look at."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from server.analytics.grain import MOST, Grain
from server.api.answers import trends
from server.api.context import ContextDep
from server.api.guards import ScoresReader
from server.api.views.base import Id
from server.api.views.trends import CorrelationsView, TrendsView
from server.services.trend_basis import MOST_CHOSEN, Wanted
from server.store.counted_pass import COMPANY

router = APIRouter(prefix="/api/trends", tags=["trends"])

USUAL: dict[Grain, int] = {"day": 91, "week": 26, "month": 12}


def _wanted(  # noqa: PLR0917 - the framework calls it by name
    level: Literal["person", "department", "site", "company"] = "department",
    unit: Id | None = None,
    indicator: Annotated[list[Id] | None, Query(max_length=MOST_CHOSEN)] = None,
    grain: Grain = "week",
    steps: Annotated[int | None, Query(ge=1, le=max(MOST.values()))] = None,
    last: date | None = None,
) -> Wanted:
    whose = COMPANY if level == "company" else unit or ""
    return Wanted(level, whose, grain, min(steps or USUAL[grain], MOST[grain]), last, tuple(indicator or ()))


WantedDep = Annotated[Wanted, Depends(_wanted)]


@router.get("")
async def indicator_trends(*, viewer: ScoresReader, context: ContextDep, wanted: WantedDep) -> TrendsView:
    """Indicators of a person, department, site or the company step by step, each with a forecast and its interval.

    Steps are whole and over; without ``indicator`` the unit's heaviest, without ``unit`` the first department in scope.
    """
    return await trends.series(context, viewer, wanted)


@router.get("/correlations")
async def indicator_correlations(
    *, viewer: ScoresReader, context: ContextDep, wanted: WantedDep, plain: bool = False
) -> CorrelationsView:
    """Which of these indicators move together, with delays of 0 to 7 steps, and what moves with the heaviest.

    Changes are compared, with ``plain`` the values as they are. 501 ``analytics_missing`` without the libraries.
    """
    return await trends.correlations(context, viewer, wanted, plain=plain)
