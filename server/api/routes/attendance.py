"""A day of everybody in scope, and a day of one person with its explanation."""

import datetime as dt
from typing import Literal

from fastapi import APIRouter

from server.api.answers import attendance
from server.api.answers.attendance import TodayQuestion
from server.api.context import ContextDep
from server.api.guards import OwnReader, TodayReader, whom
from server.api.views.attendance import MyDayView, TodayView
from server.api.views.base import Id

router = APIRouter(prefix="/api", tags=["attendance"])


@router.get("/today")
async def today(
    *,
    viewer: TodayReader,
    context: ContextDep,
    date: dt.date | None = None,
    department: Id | None = None,
    site: Id | None = None,
) -> TodayView:
    """A day at a glance, within the viewer's scope; without ``date`` the newest day with results."""
    return await attendance.today(context, viewer, TodayQuestion(date, department, site))


@router.get("/days/{employee}/{date}")
async def day(viewer: OwnReader, context: ContextDep, employee: Id, date: dt.date | Literal["newest"]) -> MyDayView:
    """One person's day with its explanation; ``employee`` may be ``me``, ``date`` may be ``newest``."""
    about = whom(viewer, employee, others="today.read")
    return await attendance.day_of(context, viewer.scope, about, None if date == "newest" else date)
