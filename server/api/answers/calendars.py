"""Calendars as pages show them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.api.context import Context
from server.api.views.calendars import (
    CalendarChangeView,
    CalendarDayView,
    CalendarEditionBody,
    CalendarEditionView,
    CalendarEffectView,
    CalendarFileProblemView,
    CalendarFileView,
    CalendarProblemView,
    CalendarProposalView,
    CalendarsView,
    CalendarView,
    CalendarYearView,
    MissingYearView,
    SiteCalendarView,
    YearCountsView,
)
from server.calendars.check import Problem
from server.calendars.difference import counts, differences
from server.calendars.edition import Day, Edition
from server.calendars.legal import COUNTRY, legal_number
from server.calendars.proposals import countries, proposed
from server.services import calendars
from server.store import calendar_queries, change_queries, people_queries
from server.store.calendar_queries import CalendarRow, EditionRow
from shared.clock import WallMs


async def overview(context: Context, now_ms: WallMs) -> CalendarsView:
    """All calendars, the sites, and the years that are missing."""
    async with context.db.reading() as connection:
        named = await calendar_queries.calendars_by_site(connection)
        sites = await people_queries.site_names(connection, Scope.system())
        return CalendarsView(
            calendars=[
                await _calendar(connection, row, named) for row in await calendar_queries.calendar_rows(connection)
            ],
            sites=[
                SiteCalendarView(id=site.id, name_zh=site.name_zh, name_en=site.name_en, calendar=named.get(site.id))
                for site in sites
            ],
            missing=[MissingYearView.model_validate(row) for row in await calendars.missing_years(connection, now_ms)],
            countries=list(countries()),
            version=await change_queries.newest_change(connection, calendars.TOPIC),
        )


async def year(context: Context, calendar: str, number: int) -> CalendarYearView:
    """A year of a calendar; NotFoundError when there is no such calendar."""
    async with context.db.reading() as connection:
        row = await calendars.find_calendar(connection, calendar)
        named = await calendar_queries.calendars_by_site(connection)
        editions = await calendar_queries.edition_rows(connection, calendar, number)
        proposal = proposed(calendar, row.country, number)
        return CalendarYearView(
            calendar=await _calendar(connection, row, named),
            year=number,
            editions=_editions(editions),
            proposal=CalendarProposalView(
                days=days(proposal.edition.days), source=proposal.edition.source, complete=proposal.complete
            )
            if proposal is not None
            else None,
            legal_days=legal_number(number) if row.country == COUNTRY else None,
            version=await change_queries.newest_change(connection, calendars.TOPIC),
        )


async def effect(context: Context, edition: Edition, now_ms: WallMs) -> CalendarEffectView:
    """What publishing it would do."""
    async with context.db.reading() as connection:
        found = await calendars.effect_of(connection, edition, now_ms)
    return CalendarEffectView(
        problems=_problems(found.checked.problems),
        warnings=_problems(found.checked.warnings),
        replaces=found.replaces,
        counts=YearCountsView.model_validate(counts(edition)),
        changes=[CalendarChangeView.model_validate(change) for change in found.changes],
        people=found.people,
        days=found.days,
        closed=list(found.closed),
    )


def edition_of(calendar: str, number: int, body: CalendarEditionBody) -> Edition:
    """The body as an edition."""
    listed = tuple(Day(day.date, day.type, day.name_zh.strip(), day.name_en.strip()) for day in body.days)
    return Edition(calendar, number, listed, body.source.strip(), (body.local_rule or "").strip() or None)


def days(listed: Sequence[Day]) -> list[CalendarDayView]:
    """Days in order of date."""
    return [CalendarDayView.model_validate(day) for day in sorted(listed, key=lambda day: day.date)]


async def file_days(context: Context, calendar: str, data: bytes) -> CalendarFileView:
    """What a file says of a calendar's days."""
    async with context.db.reading() as connection:
        row = await calendars.find_calendar(connection, calendar)
    read = calendars.read_file(data, row.country)
    return CalendarFileView(
        days=days(read.days),
        problems=[
            CalendarFileProblemView(
                row=bad.row, field=bad.field, code=bad.problem.code, parameters=dict(bad.problem.parameters)
            )
            for bad in read.problems
        ],
    )


async def _calendar(connection: AsyncConnection, row: CalendarRow, named: dict[str, str | None]) -> CalendarView:
    years = (await calendar_queries.years_published(connection)).get(row.id, frozenset())
    used = [site for site, name in named.items() if name == row.id or (name is None and row.company)]
    names = {"id": row.id, "country": row.country, "name_zh": row.name_zh, "name_en": row.name_en}
    return CalendarView(**names, company=row.company, years=sorted(years), sites=len(used))


def _editions(rows: Sequence[EditionRow]) -> list[CalendarEditionView]:
    """Newest first, each with what it changed against the one before."""
    older: list[Edition | None] = [calendars.as_edition(row) for row in rows[1:]]
    return [
        CalendarEditionView(
            edition=row.edition,
            source=row.source,
            local_rule=row.local_rule,
            actor=row.actor,
            published_ms=row.published_ms,
            days=days(row.days),
            counts=YearCountsView.model_validate(counts(calendars.as_edition(row))),
            changes=[
                CalendarChangeView.model_validate(change) for change in differences(before, calendars.as_edition(row))
            ],
        )
        for row, before in zip(rows, [*older, None], strict=False)
    ]


def _problems(found: Sequence[Problem]) -> list[CalendarProblemView]:
    return [CalendarProblemView(code=bad.code, date=bad.date, parameters=dict(bad.parameters)) for bad in found]
