"""Attendance of many people over many days, the workbench, the rule sandbox."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from server.access.scope import Scope
from server.api.answers import grid as answers
from server.api.answers import sandbox as of_sandbox
from server.api.answers import workbench as of_workbench
from server.api.answers.grid import GridAsked
from server.api.context import ContextDep
from server.api.guards import OwnReader, ShiftWriter, TodayReader, whom
from server.api.paging import Page, PageDep
from server.api.views.attendance import Status
from server.api.views.base import Id
from server.api.views.grid import GridView
from server.api.views.sandbox import SandboxBody, SandboxView
from server.api.views.workbench import WorkbenchView
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
    return await answers.grid(context, viewer.scope, asked, page=page)


@router.get("/my/month", response_model=GridView)
async def my_month(*, viewer: OwnReader, context: ContextDep, month: MonthText) -> Response:
    """The viewer's own row of a month, with the shifts of days to come."""
    own = Scope(employee=whom(viewer, "me", others="today.read"))
    return await answers.grid(context, own, GridAsked(month), page=Page(limit=1, offset=0))


@router.get("/workbench")
async def workbench(viewer: TodayReader, context: ContextDep) -> WorkbenchView:
    """Today, what the viewer has to see to, and how fresh it is."""
    return await of_workbench.workbench(context, viewer)


@router.post("/sandbox")
async def sandbox(body: SandboxBody, _viewer: ShiftWriter) -> SandboxView:
    """Compute worked cases as ``muster attendance compute`` does; nothing is stored."""
    return await of_sandbox.compute(body)
