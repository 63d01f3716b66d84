"""Results computed again for a range of dates, in the background."""

from fastapi import APIRouter

from server.api.context import CallerDep, ContextDep
from server.api.guards import MonthCloser
from server.api.views.recompute import RecomputeAskedView, RecomputeBody, RecomputeView
from server.services import recompute
from server.services.act import Act
from server.services.recompute import Range
from server.store import attendance_queries

router = APIRouter(prefix="/api", tags=["attendance"])


@router.post("/attendance/recompute", status_code=202)
async def recompute_range(
    viewer: MonthCloser, context: ContextDep, caller: CallerDep, body: RecomputeBody
) -> RecomputeAskedView:
    """Ask for a range to be computed again; results of closed months stay and get adjustments."""
    wanted = Range(body.first, body.last, body.department, body.employees)
    act = Act(viewer, caller)
    entry = act.entry(
        "attendance.recompute", f"{body.first}..{body.last}", department=body.department, employees=body.employees
    )
    asked = await recompute.ask_again(context.db, viewer.scope, wanted, entry)
    return RecomputeAskedView(people=asked.people, days=asked.days)


@router.get("/attendance/recompute")
async def recompute_progress(_viewer: MonthCloser, context: ContextDep) -> RecomputeView:
    """How many employee-days still wait."""
    async with context.db.reading() as connection:
        return RecomputeView(waiting=await attendance_queries.waiting_days(connection))
