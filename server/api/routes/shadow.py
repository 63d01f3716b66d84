"""Comparison with another system."""

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from server.api.answers import shadow
from server.api.answers.shadow import Asked
from server.api.context import CallerDep, ContextDep
from server.api.guards import ShadowReader
from server.api.paging import Page
from server.api.views.base import Id
from server.api.views.shadow import ShadowDayView, ShadowMonthsView, ShadowView
from server.reports.columns import Language
from server.reports.shadow import Reason
from server.store import log_queries
from server.store.log_queries import Entry

router = APIRouter(prefix="/api", tags=["shadow"])

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class About(BaseModel):
    """Which days of which month."""

    model_config = ConfigDict(frozen=True)

    month: Annotated[str, Query(pattern=r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])$")]
    department: Id | None = None
    """With those below it."""
    reason: Reason | None = None
    rule: Id | None = None
    q: Annotated[str, Query(max_length=100)] = ""

    def asked(self) -> Asked:
        """For the answers."""
        return Asked(self.month, self.department, self.reason, self.rule, self.q)


class AskedDays(About, Page):
    """A page of them."""


class AskedFile(About):
    """All of them in a file."""

    format: Literal["csv", "xlsx"] = "xlsx"
    language: Language = "zh-CN"


@router.get("/shadow/months")
async def shadow_months(viewer: ShadowReader, context: ContextDep) -> ShadowMonthsView:
    """Months that the other system has days of."""
    return await shadow.months(context, viewer)


@router.get("/shadow")
async def shadow_month(viewer: ShadowReader, context: ContextDep, asked: Annotated[AskedDays, Query()]) -> ShadowView:
    """A month compared: agreement, reasons, and a page of differing days."""
    return await shadow.month(context, viewer, asked.asked(), Page(limit=asked.limit, offset=asked.offset))


@router.get("/shadow/days/{employee}/{date}")
async def shadow_day(viewer: ShadowReader, context: ContextDep, employee: str, date: dt.date) -> ShadowDayView:
    """Both sides of one day, with our punches and rules."""
    return await shadow.day(context, viewer, employee, date)


@router.get("/shadow/file", response_class=Response)
async def shadow_file(
    viewer: ShadowReader, context: ContextDep, caller: CallerDep, asked: Annotated[AskedFile, Query()]
) -> Response:
    """All differing days as CSV or XLSX; the operation log keeps who took it."""
    data = await shadow.file(context, viewer, asked.asked(), asked.format, asked.language)
    async with context.db.writing() as connection:
        detail = {"format": asked.format, "department": asked.department, "reason": asked.reason}
        entry = Entry(
            caller.at_ms, viewer.login, "shadow.export", asked.month, "done", caller.ip, caller.request_id, detail
        )
        await log_queries.append(connection, entry)
    media = XLSX if asked.format == "xlsx" else "text/csv; charset=utf-8"
    name = f"parallel-run-{asked.month}.{asked.format}"
    return Response(data, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})
