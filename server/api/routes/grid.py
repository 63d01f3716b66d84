"""Attendance of many people over many days; the rule sandbox."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from server.api.answers import grid as answers
from server.api.answers.grid import GridAsked
from server.api.context import ContextDep
from server.api.guards import TodayReader
from server.api.paging import PageDep
from server.api.views.attendance import Status
from server.api.views.base import Id
from server.api.views.grid import GridView
from server.store.grid_queries import SortKey

router = APIRouter(prefix="/api", tags=["grid"])

MonthText = Annotated[str, Query(pattern=r"^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$")]


@router.get("/grid", response_model=GridView)
async def grid(
    *,
    viewer: TodayReader,
    context: ContextDep,
    month: MonthText | None = None,
    department: Id | None = None,
    site: Id | None = None,
    status: Annotated[list[Status], Query(max_length=20)] = [],  # noqa: B006  (the framework copies it)
    q: Annotated[str, Query(max_length=100)] = "",
    sort: SortKey = "department",
    order: Literal["up", "down"] = "up",
    page: PageDep,
) -> Response:
    """People in scope by days of a month, the newest with results by default; ``status``: with such a day."""
    asked = GridAsked(month, department, site, frozenset(status), q.strip(), sort, order == "down")
    return await answers.grid(context, viewer, asked, page=page)
