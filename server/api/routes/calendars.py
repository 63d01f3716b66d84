"""Calendars and their editions."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from server.api.answers import calendars
from server.api.context import CallerDep, ContextDep
from server.api.guards import CalendarWriter
from server.api.views.calendars import (
    CalendarEditionBody,
    CalendarEffectView,
    CalendarFileView,
    CalendarPublishedView,
    CalendarsView,
    CalendarTouchedView,
    CalendarYearView,
    CompanyCalendarBody,
    NewCalendarBody,
    SiteCalendarBody,
    Year,
)
from server.services import calendars as service
from server.store.calendar_queries import CalendarRow

router = APIRouter(prefix="/api", tags=["calendars"])

YearPath = Annotated[Year, Path()]


@router.get("/calendars")
async def all_calendars(_viewer: CalendarWriter, context: ContextDep, caller: CallerDep) -> CalendarsView:
    """All calendars, the sites that go by them, and years that are missing."""
    return await calendars.overview(context, caller.at_ms)


@router.post("/calendars")
async def add_calendar(
    body: NewCalendarBody, viewer: CalendarWriter, context: ContextDep, caller: CallerDep
) -> CalendarsView:
    """Add a calendar for a country, or a region such as ``DE-BW``."""
    row = CalendarRow(body.id, body.id[:2], body.name_zh.strip(), body.name_en.strip(), company=False)
    await service.add_calendar(context.db, viewer.login, row, caller=caller)
    return await calendars.overview(context, caller.at_ms)


@router.post("/calendars/company")
async def company_calendar(
    body: CompanyCalendarBody, viewer: CalendarWriter, context: ContextDep, caller: CallerDep
) -> CalendarTouchedView:
    """Let every site that names no calendar go by this one."""
    return CalendarTouchedView(days=await service.make_company(context.db, viewer.login, body.calendar, caller=caller))


@router.post("/calendars/site")
async def site_calendar(
    body: SiteCalendarBody, viewer: CalendarWriter, context: ContextDep, caller: CallerDep
) -> CalendarTouchedView:
    """Let a site go by a calendar, or by the company's."""
    days = await service.assign_site(context.db, viewer.login, body.site, body.calendar, caller=caller)
    return CalendarTouchedView(days=days)


@router.get("/calendars/{calendar}/{year}")
async def calendar_year(
    calendar: str, year: YearPath, _viewer: CalendarWriter, context: ContextDep
) -> CalendarYearView:
    """A year: its editions, the one in force first, and what is built in."""
    return await calendars.year(context, calendar, year)


@router.post("/calendars/{calendar}/{year}/check")
async def check_edition(
    calendar: str,
    year: YearPath,
    body: CalendarEditionBody,
    *,
    _viewer: CalendarWriter,
    context: ContextDep,
    caller: CallerDep,
) -> CalendarEffectView:
    """What is wrong with an edition, what it changes and whom it touches; nothing is saved."""
    return await calendars.effect(context, calendars.edition_of(calendar, year, body), caller.at_ms)


@router.post("/calendars/{calendar}/{year}/publish")
async def publish_edition(
    calendar: str,
    year: YearPath,
    body: CalendarEditionBody,
    *,
    viewer: CalendarWriter,
    context: ContextDep,
    caller: CallerDep,
) -> CalendarPublishedView:
    """Put an edition in force; open days that it touches are computed again."""
    edition = calendars.edition_of(calendar, year, body)
    done = await service.publish(context.db, viewer.login, edition, based_on=body.based_on, caller=caller)
    return CalendarPublishedView.model_validate(done)


@router.post("/calendars/{calendar}/file")
async def calendar_file(
    calendar: str, request: Request, _viewer: CalendarWriter, context: ContextDep
) -> CalendarFileView:
    """The days of a CSV, XLSX or JSON file as a draft; nothing is saved."""
    return await calendars.file_days(context, calendar, await request.body())
