"""People by days: a page of people and what each of their days came to. Each question takes the viewer's scope."""

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, Text, and_, case, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.closing import Decision
from server.attendance.months import month_of
from server.attendance.record import DayRecord, Minutes
from server.store.closing_tables import adjustments, decisions
from server.store.page_queries import PersonRow
from server.store.scope_filter import ALL, Narrow, narrowed, visible
from server.store.tables import attendance_days, employees, roster, shifts, sites
from shared.clock import WallMs

SortKey: TypeAlias = Literal[
    "department", "name", "id", "worked", "late", "early", "missing", "absent", "leave", "overtime", "pending"
]
DayKey: TypeAlias = tuple[str, dt.date]
RecordKey: TypeAlias = tuple[str, dt.date, int]


@dataclass(frozen=True, slots=True)
class GridQuestion:
    """Which people: employed between two dates, with one of these statuses on a day of them, in that order."""

    first: dt.date
    last: dt.date
    narrow: Narrow = ALL
    statuses: frozenset[str] = frozenset()
    """Empty: whatever their days came to."""
    part: str = ""
    """Of name or id."""
    sort: SortKey = "department"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class GridRecord:
    """What a grid needs of one record."""

    employee: str
    date: dt.date
    part: int
    shift: str | None
    status: str
    minutes: Minutes
    trip: int
    first_ms: WallMs | None
    last_ms: WallMs | None
    flags: tuple[str, ...]
    day_type: str


@dataclass(frozen=True, slots=True)
class AdjustmentOn:
    """How a record of a closed month would differ, posted to an open month."""

    part: int
    posted_to: str
    status_from: str | None
    status_to: str | None
    delta: Mapping[str, int]
    computed_ms: WallMs


@dataclass(frozen=True, slots=True)
class ShiftCode:
    """A shift as narrow boards write it; hours local ``HH:MM``."""

    id: str
    name_zh: str
    name_en: str
    code: str
    start: str
    end: str


async def newest_month(connection: AsyncConnection, scope: Scope) -> str | None:
    """The month of the newest result of somebody in scope, such as ``2026-03``; None before the first."""
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee)
    came_to = attendance_days.c.status.not_in(("off", "not_yet"))
    newest = select(attendance_days.c.date).select_from(joined).where(came_to, visible(scope))
    date = await connection.scalar(newest.order_by(attendance_days.c.date.desc()).limit(1))
    return None if date is None else month_of(date)


async def grid_people(
    connection: AsyncConnection, scope: Scope, question: GridQuestion, *, limit: int, offset: int
) -> tuple[int, list[PersonRow]]:
    """How many people there are, and a page of them."""
    conditions = [*narrowed(scope, question.narrow), *_employed(question)]
    if question.part:
        columns = (employees.c.name, employees.c.id)
        conditions.append(or_(*(column.icontains(question.part, autoescape=True) for column in columns)))
    if question.statuses:
        in_month = attendance_days.c.date.between(question.first, question.last)
        like = attendance_days.c.status.in_(sorted(question.statuses))
        conditions.append(exists().where(attendance_days.c.employee == employees.c.id, in_month, like))
    total = await connection.scalar(select(func.count()).select_from(employees).where(*conditions))
    rows = await connection.execute(_ordered(question).where(*conditions).limit(limit).offset(offset))
    return total or 0, [PersonRow(row.id, row.name, row.department, row.site, row.zone) for row in rows]


async def grid_records(
    connection: AsyncConnection, scope: Scope, people: Collection[str], first: dt.date, last: dt.date
) -> list[GridRecord]:
    """Records of these people with ``first <= date <= last``, by person, date and shift."""
    which = select(*_COLUMNS).where(
        attendance_days.c.employee.in_(_in_scope(scope, people)), attendance_days.c.date.between(first, last)
    )
    day = attendance_days.c
    rows = (await connection.execute(which.order_by(day.employee, day.date, day.part))).all()
    known: dict[str, tuple[str, ...]] = {"[]": ()}
    return [_record(row, known) for row in rows]


async def days_without_record(
    connection: AsyncConnection, scope: Scope, people: Collection[str], first: dt.date, last: dt.date
) -> dict[DayKey, str]:
    """Planned days that have come to nothing yet, each with a shift of it."""
    same = and_(attendance_days.c.employee == roster.c.employee, attendance_days.c.date == roster.c.date)
    which = select(roster.c.employee, roster.c.date, roster.c.shift).where(
        roster.c.employee.in_(_in_scope(scope, people)),
        roster.c.date.between(first, last),
        ~exists().where(same),
    )
    rows = await connection.execute(which.order_by(roster.c.employee, roster.c.date, roster.c.shift.desc()))
    return {(row.employee, row.date): row.shift for row in rows}


async def grid_decisions(
    connection: AsyncConnection, scope: Scope, people: Collection[str], first: dt.date, last: dt.date
) -> dict[RecordKey, Decision]:
    """What was decided about records of these people, whether or not it still stands."""
    which = select(decisions).where(
        decisions.c.employee.in_(_in_scope(scope, people)), decisions.c.date.between(first, last)
    )
    return {(row.employee, row.date, row.part): decision_of(row) for row in await connection.execute(which)}


async def adjusted_days(
    connection: AsyncConnection, scope: Scope, people: Collection[str], first: dt.date, last: dt.date
) -> set[DayKey]:
    """Days of closed months that would be others by now (AR-34)."""
    which = select(adjustments.c.employee, adjustments.c.date).where(
        adjustments.c.employee.in_(_in_scope(scope, people)), adjustments.c.date.between(first, last)
    )
    return {(row.employee, row.date) for row in await connection.execute(which.distinct())}


async def adjustments_on(connection: AsyncConnection, scope: Scope, employee: str, day: dt.date) -> list[AdjustmentOn]:
    """What the records of somebody's day would say now that its month is closed."""
    row = adjustments.c
    columns = (row.part, row.posted_to, row.status_from, row.status_to, row.delta, row.computed_ms)
    which = select(*columns).where(row.employee.in_(_in_scope(scope, [employee])), row.date == day)
    return [AdjustmentOn(*found) for found in await connection.execute(which.order_by(row.part, row.posted_to))]


async def shifts_named(connection: AsyncConnection, ids: Collection[str]) -> list[ShiftCode]:
    """These shifts by id; no row is about a person."""
    names = ("id", "name_zh", "name_en", "code", "start", "end")
    which = select(*(shifts.c[name] for name in names)).where(shifts.c.id.in_(sorted(ids))).order_by(shifts.c.id)
    rows = await connection.execute(which)
    return [ShiftCode(r.id, r.name_zh, r.name_en, r.code or r.id, r.start, r.end) for r in rows]


# --- parts of statements --------------------------------------------------------------------------------------------


def decision_of(row: Row[Any]) -> Decision:
    """The decision in a row of ``decisions``."""
    minutes = Minutes(**{name: value for name, value in row.minutes.items() if name in _MINUTES})
    return Decision(DayRecord(row.date, row.part, None, row.status, minutes), row.absent_min, row.worked_min)


def _in_scope(scope: Scope, people: Collection[str]) -> Select[str]:
    return select(employees.c.id).where(employees.c.id.in_(sorted(people)), visible(scope))


def _employed(question: GridQuestion) -> list[ColumnElement[bool]]:
    left = or_(employees.c.left_on.is_(None), employees.c.left_on >= question.first)
    return [employees.c.joined_on <= question.last, left]


def _ordered(question: GridQuestion) -> Select[Any]:
    columns = (employees.c.id, employees.c.name, employees.c.department, employees.c.site, sites.c.zone)
    joined = employees.join(sites, sites.c.id == employees.c.site)
    by: Sequence[ColumnElement[Any]]
    if question.sort in _SUMS:
        of_month = attendance_days.c.date.between(question.first, question.last)
        total = func.sum(_SUMS[question.sort]).label("total")
        sums = select(attendance_days.c.employee, total).where(of_month).group_by(attendance_days.c.employee).subquery()
        joined = joined.outerjoin(sums, sums.c.employee == employees.c.id)
        by = (func.coalesce(sums.c.total, 0),)
    else:
        by = {"department": (employees.c.department, employees.c.name), "id": ()}.get(
            question.sort, (employees.c.name,)
        )
    turned = [column.desc() for column in by] if question.descending else list(by)
    last = employees.c.id.desc() if question.descending and question.sort == "id" else employees.c.id
    return select(*columns).select_from(joined).order_by(*turned, last)


_day = attendance_days.c
_SUMS: Mapping[str, ColumnElement[int]] = {
    "worked": _day.worked_min + _day.holiday_work_min,
    "late": _day.late_min,
    "early": _day.early_min,
    "missing": case((_day.status.in_(("missing_in", "missing_out")), 1), else_=0),
    "absent": _day.absent_min,
    "leave": _day.leave_min,
    "overtime": _day.ot_15_min + _day.ot_20_min + _day.ot_30_min + _day.comp_min,
    "pending": _day.pending_min,
}
_MINUTES = tuple(field.name for field in fields(Minutes))
_COLUMNS: tuple[ColumnElement[Any], ...] = (
    *(_day[name] for name in ("employee", "date", "part", "shift", "status")),
    *(_day[f"{name}_min"] for name in _MINUTES),
    *(_day[name] for name in ("trip_min", "first_ms", "last_ms")),
    cast(_day.flags, Text).label("flags"),  # a few different lists, thousands of times
    _day.day_type,
)


def _record(row: Row[Any], known: dict[str, tuple[str, ...]]) -> GridRecord:
    """``known`` keeps lists of flags that were read before."""
    employee, date, part, shift, status, *numbers = tuple(row)
    minutes = Minutes(*numbers[: len(_MINUTES)])
    trip, first_ms, last_ms, told, day_type = numbers[len(_MINUTES) :]
    flags = known.get(told)
    if flags is None:
        flags = known[told] = tuple(json.loads(told))
    return GridRecord(employee, date, part, shift, status, minutes, trip, first_ms, last_ms, flags, day_type)
