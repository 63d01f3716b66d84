"""People by days of a month.

A page of 300 people has some 9,000 cells, so the answer is made of the structs below and encoded once; they have the
fields of ``server/api/views/grid.py``, which a test holds them to.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.scope import Scope
from server.api.context import Context
from server.api.paging import Page
from server.attendance.calendar import PLAIN, Calendar
from server.attendance.closing import Decision, decided, stands
from server.attendance.months import month_span
from server.attendance.record import DayRecord, Minutes
from server.store import calendar_queries, change_queries, closing_queries, grid_queries, people_queries, user_queries
from server.store.grid_queries import DayKey, GridQuestion, GridRecord, RecordKey, ShiftCode, SortKey
from server.store.page_queries import BY_URGENCY, PersonRow
from server.store.people_queries import NameRow
from server.store.scope_filter import Narrow
from shared.clock import from_ms

_URGENCY = {status: rank for rank, status in enumerate(BY_URGENCY)}
_MISSING = ("missing_in", "missing_out")


@dataclass(frozen=True, slots=True)
class GridAsked:
    """What the viewer asked for; None for the newest month, all departments, all sites."""

    month: str | None = None
    department: str | None = None
    site: str | None = None
    statuses: frozenset[str] = frozenset()
    part: str = ""
    sort: SortKey = "department"
    descending: bool = False


class Cell(msgspec.Struct, omit_defaults=True):
    """As ``GridCellView``."""

    d: int
    s: str
    n: int = 1
    w: int = 0
    l: int = 0  # noqa: E741
    e: int = 0
    a: int = 0
    p: int = 0
    v: int = 0
    o: int = 0
    f: tuple[str, ...] = ()
    t: str | None = None
    k: str = ""
    i: int | None = None
    u: int | None = None
    q: bool = False
    j: bool = False


class Sums(msgspec.Struct):
    """As ``GridSumsView``."""

    scheduled: int = 0
    required: int = 0
    worked: int = 0
    late_times: int = 0
    late: int = 0
    early_times: int = 0
    early: int = 0
    missing: int = 0
    absent: int = 0
    leave: int = 0
    pending: int = 0
    ot_15: int = 0
    ot_20: int = 0
    ot_30: int = 0
    comp: int = 0


class Person(msgspec.Struct):
    """As ``GridPersonView``."""

    id: str
    name: str
    department: str
    site: str
    zone: str
    cells: list[Cell]
    sums: Sums


class Column(msgspec.Struct):
    """As ``GridDateView``."""

    date: dt.date
    day_type: str


class Grid(msgspec.Struct):
    """As ``GridView``."""

    month: str
    closed_ms: int | None
    dates: list[Column]
    total: int
    rows: list[Person]
    departments: list[NameRow]
    sites: list[NameRow]
    shifts: list[ShiftCode]
    version: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the people of a page besides their records."""

    waiting: Mapping[DayKey, str]
    decisions: Mapping[RecordKey, Decision]
    adjusted: set[DayKey]
    calendars: Mapping[str, Calendar]


async def grid(context: Context, scope: Scope, asked: GridAsked, *, page: Page) -> Response:
    """The page as JSON."""
    async with context.db.reading() as connection:
        month = asked.month or await grid_queries.newest_month(connection, scope)
        month = month or f"{from_ms(context.clocks.wall_ms()).astimezone(context.config.zone):%Y-%m}"
        first, last = month_span(month)
        narrow = await _narrow(connection, asked)
        question = GridQuestion(first, last, narrow, asked.statuses, asked.part, asked.sort, asked.descending)
        total, people = await grid_queries.grid_people(
            connection, scope, question, limit=page.limit, offset=page.offset
        )
        about = (scope, [person.id for person in people], first, last)
        records = await grid_queries.grid_records(connection, *about)
        known = _Known(
            await grid_queries.days_without_record(connection, *about),
            await grid_queries.grid_decisions(connection, *about),
            await grid_queries.adjusted_days(connection, *about),
            await calendar_queries.calendars_of_sites(connection),
        )
        rows = _rows(people, records, known)
        answer = Grid(
            month=month,
            closed_ms=(await closing_queries.closed_months(connection)).get(month),
            dates=_columns(first, last, _usual(people, known.calendars)),
            total=total,
            rows=rows,
            departments=await people_queries.department_names(connection, scope),
            sites=await people_queries.site_names(connection, scope),
            shifts=await grid_queries.shifts_named(connection, {cell.k for row in rows for cell in row.cells}),
            version=await change_queries.newest_change(connection, f"month:{month}"),
        )
    return Response(msgspec.json.encode(answer), media_type="application/json")


async def _narrow(connection: AsyncConnection, asked: GridAsked) -> Narrow:
    if asked.department is None:
        return Narrow(site=asked.site)
    parents = await user_queries.department_parents(connection)
    return Narrow(with_those_below({asked.department}, parents), asked.site)


def _usual(people: Iterable[PersonRow], calendars: Mapping[str, Calendar]) -> Calendar:
    """The calendar that most of these people go by."""
    sites = Counter(person.site for person in people)
    return calendars.get(max(sites, key=sites.__getitem__), PLAIN) if sites else PLAIN


def _columns(first: dt.date, last: dt.date, calendar: Calendar) -> list[Column]:
    dates = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    return [Column(date, calendar.type_of(date)) for date in dates]


def _rows(people: Sequence[PersonRow], records: Iterable[GridRecord], known: _Known) -> list[Person]:
    of_person = {employee: list(own) for employee, own in groupby(records, key=lambda record: record.employee)}
    waiting: dict[str, list[tuple[dt.date, str]]] = {}
    for (employee, date), shift in known.waiting.items():
        waiting.setdefault(employee, []).append((date, shift))
    return [_person(person, of_person.get(person.id, []), waiting.get(person.id, []), known) for person in people]


def _person(
    person: PersonRow, records: Sequence[GridRecord], waiting: Iterable[tuple[dt.date, str]], known: _Known
) -> Person:
    calendar = known.calendars.get(person.site, PLAIN)
    sums = Sums()
    cells = [Cell(date.day, "not_yet", k=shift, t=_unusual(calendar.type_of(date))) for date, shift in waiting]
    for date, group in groupby(records, key=lambda record: record.date):
        parts = list(group)
        cell = _cell(parts)
        for record in parts:
            cell.q |= _count(sums, record, known.decisions.get((person.id, date, record.part)))
        cell.j = (person.id, date) in known.adjusted
        sums.scheduled += any(record.shift is not None for record in parts)
        cells.append(cell)
    cells.sort(key=lambda cell: cell.d)
    return Person(person.id, person.name, person.department, person.site, person.zone, cells, sums)


def _cell(parts: Sequence[GridRecord]) -> Cell:
    """One day of one person, its records in order."""
    record = parts[0]
    cell = Cell(
        record.date.day,
        record.status,
        f=record.flags,
        t=_unusual(record.day_type),
        k=record.shift or "",
        u=record.last_ms,
    )
    cell.i = record.first_ms
    _add(cell, record.minutes)
    for further in parts[1:]:
        _add(cell, further.minutes)
        cell.n += 1
        cell.s = max(cell.s, further.status, key=_URGENCY.__getitem__)
        cell.f += tuple(flag for flag in further.flags if flag not in cell.f)
        cell.i = further.first_ms if cell.i is None else cell.i
        cell.u = cell.u if further.last_ms is None else further.last_ms
    return cell


def _unusual(day_type: str) -> str | None:
    return None if day_type == "workday" else day_type


def _add(cell: Cell, minutes: Minutes) -> None:
    cell.w += minutes.worked + minutes.holiday_work
    cell.l += minutes.late
    cell.e += minutes.early
    cell.a += minutes.absent
    cell.p += minutes.pending
    cell.v += minutes.leave
    cell.o += minutes.ot_15 + minutes.ot_20 + minutes.ot_30 + minutes.comp


def _count(sums: Sums, record: GridRecord, decision: Decision | None) -> bool:
    """Add a record to its person's month; whether a decision about it stands."""
    minutes, settled = record.minutes, False
    if decision is not None:
        computed = DayRecord(record.date, record.part, record.shift, record.status, minutes)  # type: ignore[arg-type]
        settled = stands(decision, computed)
        minutes = decided(computed, decision)
    sums.required += minutes.required
    sums.worked += minutes.worked + minutes.holiday_work
    sums.late_times += minutes.late > 0
    sums.late += minutes.late
    sums.early_times += minutes.early > 0
    sums.early += minutes.early
    sums.missing += record.status in _MISSING
    sums.absent += minutes.absent
    sums.leave += minutes.leave
    sums.pending += minutes.pending
    sums.ot_15 += minutes.ot_15
    sums.ot_20 += minutes.ot_20
    sums.ot_30 += minutes.ot_30
    sums.comp += minutes.comp
    return settled
