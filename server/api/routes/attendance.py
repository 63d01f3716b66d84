"""A day of everybody in scope, and a day of one person with its explanation."""

import datetime as dt
from typing import Literal

from fastapi import APIRouter

from server.api.context import ContextDep
from server.api.guards import OwnReader, TodayReader
from server.api.views import Id, MyDayView, TodayView

router = APIRouter(prefix="/api", tags=["attendance"])


@router.get("/today")
async def today(
    viewer: TodayReader,
    context: ContextDep,
    date: dt.date | None = None,
    department: Id | None = None,
    site: Id | None = None,
) -> TodayView:
    """A day at a glance, within the viewer's scope; without ``date`` the newest day with results."""
    raise NotImplementedError


@router.get("/days/{employee}/{date}")
async def day(viewer: OwnReader, context: ContextDep, employee: Id, date: dt.date | Literal["newest"]) -> MyDayView:
    """One person's day with its explanation; ``employee`` may be ``me``, ``date`` may be ``newest``."""
    raise NotImplementedError
