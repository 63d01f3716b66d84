"""Boards and change sets of the roster."""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers.attendance import zone_of
from server.api.answers.names import names
from server.api.answers.shifts import shift_view
from server.api.context import Context
from server.api.paging import Page
from server.api.views.base import Id, NameView
from server.api.views.rosters import (
    BoardDayView,
    BoardPersonView,
    BoardView,
    CellView,
    CopyBody,
    DifferenceView,
    EditBody,
    FillBody,
    FindingView,
    RosterCheckView,
    SetBody,
    SwapShiftsBody,
    WhoBody,
)
from server.attendance.calendar import PLAIN, Calendar
from server.attendance.months import month_of, month_span
from server.rosters.book import Language, Line, roster_book
from server.rosters.change import NOTHING, Plan
from server.rosters.check import worst
from server.rosters.edit import LONGEST_SPAN, CopyDays, Edit, FillPattern, SetShifts, Swap
from server.rosters.pattern import dates
from server.services.rosters import TOPIC, Checked
from server.store import (
    calendar_queries,
    change_queries,
    closing_queries,
    group_queries,
    people_queries,
    roster_queries,
    shift_queries,
    user_queries,
)
from server.store.roster_queries import PlannedPerson
from server.store.scope_filter import Narrow
from shared.clock import from_ms
from shared.errors import DataError

MOST_ROWS = 300
"""Differences and findings of one answer."""


class BoardQuestion(BaseModel):
    """Which part of the roster; without dates the present week."""

    model_config = ConfigDict(frozen=True)

    first: dt.date | None = None
    last: dt.date | None = None
    department: Id | None = None
    site: Id | None = None
    group: Id | None = None
    q: str = ""
    """A part of name or id."""


async def board(context: Context, viewer: Viewer, question: BoardQuestion, page: Page) -> BoardView:
    """A page of people with what is planned for them."""
    scope = viewer.scope
    async with context.db.reading() as connection:
        zone = await zone_of(connection, viewer, context.config.zone)
        today = from_ms(context.clocks.wall_ms()).astimezone(zone).date()
        first, last = span(question, today)
        narrow = await _narrow(connection, question.department, question.site)
        group = question.group
        people = await roster_queries.people(connection, scope, narrow, first, last, group=group)
        people = [one for one in people if question.q.strip().casefold() in f"{one.name} {one.id}".casefold()]
        shown = people[page.offset : page.offset + page.limit]
        plan = await roster_queries.plan_of(connection, [one.id for one in shown], first, last)
        covered = await roster_queries.coverage(connection, scope, narrow, first, last, group=group)
        calendars = await calendar_queries.calendars_of_sites(connection)
        closed = await closing_queries.closed_months(connection)
        library = await shift_queries.library(connection)
        groups = await group_queries.group_rows(connection)
        sites = names(await people_queries.site_names(connection, scope))
        return BoardView(
            first=first,
            last=last,
            today=today,
            total=len(people),
            days=[
                BoardDayView(
                    date=day,
                    types=_types(calendars, [site.id for site in sites], day),
                    closed=month_of(day) in closed,
                    coverage=covered.get(day, {}),
                )
                for day in dates(first, last)
            ],
            people=[_person(one, plan, dates(first, last)) for one in shown],
            shifts=[shift_view(shift, place) for place, shift in enumerate(library.values())],
            departments=names(await people_queries.department_names(connection, scope)),
            sites=sites,
            groups=[NameView(id=one.id, name_zh=one.name_zh, name_en=one.name_en) for one in groups],
            version=await change_queries.newest_change(connection, TOPIC),
        )


class FileQuestion(BaseModel):
    """Which month of whom as a workbook."""

    model_config = ConfigDict(frozen=True)

    month: Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
    department: Id | None = None
    site: Id | None = None
    group: Id | None = None
    language: Language = "zh-CN"


async def book(context: Context, viewer: Viewer, question: FileQuestion) -> bytes:
    """A month of everybody in scope as XLSX, in the form that is read back."""
    scope = viewer.scope
    first, last = month_span(question.month)
    async with context.db.reading() as connection:
        narrow = await _narrow(connection, question.department, question.site)
        people = await roster_queries.people(connection, scope, narrow, first, last, group=question.group)
        plan = await roster_queries.plan_of(connection, [one.id for one in people], first, last)
        library = await shift_queries.library(connection)
        calendars = await calendar_queries.calendars_of_sites(connection)
        departments = {one.id: one for one in await people_queries.department_names(connection, Scope.system())}
    calendar = calendars.get(people[0].site, PLAIN) if people else PLAIN
    chinese = question.language == "zh-CN"
    names_ = {key: one.name_zh if chinese else one.name_en for key, one in departments.items()}
    lines = [Line(one.id, one.name, names_[one.department], one.joined_on, one.left_on) for one in people]
    return await asyncio.to_thread(
        roster_book, first, last, lines, plan, library, calendar=calendar, language=question.language
    )


def span(question: BoardQuestion, today: dt.date) -> tuple[dt.date, dt.date]:
    """The dates asked for; DataError ``span_length`` when they are no span or too long a one."""
    first = question.first or today - dt.timedelta(days=today.weekday())
    last = question.last or first + dt.timedelta(days=6)
    if not dt.timedelta() <= last - first < dt.timedelta(days=62):
        raise DataError(f"{first} to {last}: expected at most 62 days, in order", "span_length")
    return first, last


async def edits_of(context: Context, scope: Scope, bodies: Iterable[EditBody]) -> list[Edit]:
    """The edits, with the people they are about."""
    async with context.db.reading() as connection:
        return [await _edit(connection, scope, body) for body in bodies]


def check_view(found: Checked) -> RosterCheckView:
    """What a change set does, and what speaks against it."""
    return RosterCheckView(
        days=len(found.differences),
        people=len({one.employee for one in found.differences}),
        level=worst(found.findings),
        counts=Counter(one.code for one in found.findings),
        differences=[
            DifferenceView(
                employee=one.employee,
                name=found.names.get(one.employee, one.employee),
                date=one.date,
                before=list(one.before),
                after=list(one.after),
            )
            for one in found.differences[:MOST_ROWS]
        ],
        findings=[
            FindingView(
                employee=one.employee,
                name=found.names.get(one.employee, one.employee),
                date=one.date,
                code=one.code,
                level=one.level,
                params=one.params,
            )
            for one in sorted(found.findings, key=lambda one: (_RANK[one.level], one))[:MOST_ROWS]
        ],
    )


_RANK = {"conflict": 0, "warning": 1, "advice": 2}


async def people_in(
    connection: AsyncConnection, scope: Scope, who: WhoBody, first: dt.date, last: dt.date
) -> tuple[str, ...]:
    """Ids of the people that are meant; named ones are looked up later, so that one out of scope is refused."""
    if who.people is not None:
        return tuple(dict.fromkeys(who.people))
    narrow = await _narrow(connection, who.department, who.site)
    found = await roster_queries.people(connection, scope, narrow, first, last, group=who.group)
    return tuple(one.id for one in found)


async def _edit(connection: AsyncConnection, scope: Scope, body: EditBody) -> Edit:
    match body:
        case SetBody():
            return SetShifts(tuple(body.people), tuple(body.dates), tuple(body.shifts))
        case SwapShiftsBody():
            return Swap(body.a, body.b, body.a_on, body.b_on)
        case CopyBody() | FillBody():
            if not dt.timedelta() <= body.last - body.first <= LONGEST_SPAN:
                raise DataError(f"{body.first} to {body.last}: expected a span of dates in order", "span_length")
            people = await people_in(connection, scope, body.who, body.first, body.last)
            if isinstance(body, CopyBody):
                return CopyDays(people, body.first, body.last, body.weeks, body.over)
            return FillPattern(
                people, body.first, body.last, body.over, await _whole_groups(connection, scope, body.who)
            )


async def _whole_groups(connection: AsyncConnection, scope: Scope, who: WhoBody) -> tuple[str, ...]:
    """Groups of which everybody is meant."""
    if not scope.everyone or who != WhoBody(group=who.group):
        return ()
    if who.group is not None:
        return (who.group,)
    return tuple(row.id for row in await group_queries.group_rows(connection) if row.pattern is not None)


async def _narrow(connection: AsyncConnection, department: str | None, site: str | None) -> Narrow:
    if department is None:
        return Narrow(site=site)
    return Narrow(with_those_below({department}, await user_queries.department_parents(connection)), site)


def _types(calendars: Mapping[str, Calendar], sites: Iterable[str], day: dt.date) -> dict[str, str]:
    return {site: calendars.get(site, PLAIN).type_of(day) for site in sites}


def _person(person: PlannedPerson, plan: Plan, days: Iterable[dt.date]) -> BoardPersonView:
    cells = [plan.get((person.id, day), NOTHING) for day in days]
    return BoardPersonView(
        id=person.id,
        name=person.name,
        department=person.department,
        site=person.site,
        joined_on=person.joined_on,
        left_on=person.left_on,
        cells=[CellView(shifts=list(cell.shifts), origin=cell.origin) for cell in cells],
    )
