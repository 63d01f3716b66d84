"""What reports count: people of a month, their records, leave, overtime and the bank of compensatory leave.

Each question takes the viewer's scope and asks about all its people at once.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, Text, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.months import Month
from server.attendance.record import DayRecord, Minutes
from server.reports.month import MonthDay
from server.store.closing_tables import adjustments
from server.store.people_tables import contracts
from server.store.request_tables import leave_grants, leave_types, requests
from server.store.scope_filter import Narrow, narrowed
from server.store.tables import attendance_days, departments, employees, shifts, sites
from shared.clock import WallMs

People: TypeAlias = Collection[str] | None
"""Some of the people in scope; None for all of them. At most a few thousand."""

BANK = "comp"
"""``leave_types.balance`` of what is taken from banked overtime."""


@dataclass(frozen=True, slots=True)
class ReportPerson:
    """An employee as a report heads a row; names of departments and sites in both languages."""

    id: str
    name: str
    department: str
    department_zh: str
    department_en: str
    site: str
    site_zh: str
    site_en: str
    zone: str
    position: str
    joined_on: dt.date
    left_on: dt.date | None


@dataclass(frozen=True, slots=True)
class ContractTerm:
    """Comprehensive hours of a person between two dates; no last one: open-ended."""

    first: dt.date
    last: dt.date | None
    period: str
    """month | quarter | year"""


@dataclass(frozen=True, slots=True)
class LeaveType:
    """A kind of leave, for headings."""

    id: str
    name_zh: str
    name_en: str
    balance: str


Which: TypeAlias = Literal["daily", "exceptions", "overtime", "leave"]


@dataclass(frozen=True, slots=True)
class DaysAsked:
    """Which records between two dates, both inclusive: all, those to be looked at, with overtime, with leave."""

    which: Which
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True)
class ReportDay:
    """A record as a line of a report."""

    employee: str
    record: DayRecord
    trip: int
    leaves: Mapping[str, int]
    day_type: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave that was given or lost, in minutes."""

    employee: str
    date: dt.date
    leave_type: str
    kind: str
    minutes: int
    note: str


# --- a month --------------------------------------------------------------------------------------------------------


async def people_of_month(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, first: dt.date, last: dt.date, *, people: People = None
) -> list[ReportPerson]:
    """Who was employed between two dates, or has a record there, by department, name and id."""
    day = attendance_days.c
    has_record = exists().where(day.employee == employees.c.id, day.date.between(first, last))
    employed = (employees.c.joined_on <= last) & or_(employees.c.left_on.is_(None), employees.c.left_on >= first)
    joined = employees.join(departments, departments.c.id == employees.c.department).join(sites)
    wanted = select(*_PERSON).select_from(joined).where(*_who(scope, narrow, people), employed | has_record)
    rows = await connection.execute(wanted.order_by(employees.c.department, employees.c.name, employees.c.id))
    return [ReportPerson(*row) for row in rows]


async def people_ever(connection: AsyncConnection, scope: Scope, narrow: Narrow) -> list[ReportPerson]:
    """Everybody in scope, those who left included, by department, name and id."""
    joined = employees.join(departments, departments.c.id == employees.c.department).join(sites)
    wanted = select(*_PERSON).select_from(joined).where(*narrowed(scope, narrow))
    rows = await connection.execute(wanted.order_by(employees.c.department, employees.c.name, employees.c.id))
    return [ReportPerson(*row) for row in rows]


async def month_days(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, first: dt.date, last: dt.date, *, people: People = None
) -> dict[str, list[MonthDay]]:
    """Records with ``first <= date <= last`` by employee, without decisions and explanations."""
    wanted = _of_people(select(*_DAY), scope, narrow, people).where(attendance_days.c.date.between(first, last))
    found: dict[str, list[MonthDay]] = {}
    for employee, date, part, shift, status, flags, trip, leaves, *minutes in await connection.execute(wanted):
        record = DayRecord(date, part, shift, status, Minutes(*minutes), flags=tuple(flags))
        found.setdefault(employee, []).append(MonthDay(record, trip, leaves))
    return found


async def banked_before(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, first: dt.date, types: Collection[str]
) -> dict[str, int]:
    """Minutes that records before a date banked, less leave of these types then."""
    day = attendance_days.c
    taken = sum((func.coalesce(day.leaves[kind].as_integer(), 0) for kind in sorted(types)), start=0)
    wanted: Select[Any] = select(day.employee, func.sum(day.comp_min - taken))
    wanted = _of_people(wanted, scope, narrow, None).where(day.date < first, or_(day.comp_min > 0, day.leave_min > 0))
    rows = await connection.execute(wanted.group_by(day.employee))
    return {row[0]: int(row[1]) for row in rows}


async def bank_grants(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, last: dt.date, types: Collection[str]
) -> dict[str, list[tuple[dt.date, int]]]:
    """Dates and minutes of what was given or lapsed of these leave types up to a date, by employee."""
    grant = leave_grants.c
    joined = leave_grants.join(employees, employees.c.id == grant.employee)
    wanted = select(grant.employee, grant.from_on, grant.minutes).select_from(joined)
    wanted = wanted.where(*narrowed(scope, narrow), grant.leave_type.in_(sorted(types)), grant.from_on <= last)
    found: dict[str, list[tuple[dt.date, int]]] = {}
    for employee, from_on, minutes in await connection.execute(wanted):
        found.setdefault(employee, []).append((from_on, minutes))
    return found


async def banked_later(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, month: Month
) -> dict[str, list[tuple[Month, int]]]:
    """Banked minutes that closed records gained or lost, by the month posted to, up to that month."""
    row = adjustments.c
    joined = adjustments.join(employees, employees.c.id == row.employee)
    wanted = select(row.employee, row.posted_to, row.delta).select_from(joined)
    found: dict[str, list[tuple[Month, int]]] = {}
    for employee, posted_to, delta in await connection.execute(
        wanted.where(*narrowed(scope, narrow), row.posted_to <= month)
    ):
        if delta.get("comp"):
            found.setdefault(employee, []).append((posted_to, delta["comp"]))
    return found


async def correction_instants(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, from_ms: WallMs, to_ms: WallMs
) -> dict[str, list[WallMs]]:
    """Instants ``from_ms <= t < to_ms`` of approved corrections, by employee."""
    joined = requests.join(employees, employees.c.id == requests.c.employee)
    wanted = select(requests.c.employee, requests.c.from_ms).select_from(joined)
    wanted = wanted.where(requests.c.kind == "correction", requests.c.state == "approved", *narrowed(scope, narrow))
    wanted = wanted.where(requests.c.from_ms >= from_ms, requests.c.from_ms < to_ms)
    found: dict[str, list[WallMs]] = {}
    for employee, at_ms in await connection.execute(wanted):
        found.setdefault(employee, []).append(at_ms)
    return found


async def comprehensive_terms(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, first: dt.date, last: dt.date
) -> dict[str, ContractTerm]:
    """The latest contract with comprehensive hours that holds on some date between the two, by employee."""
    row = contracts.c
    joined = contracts.join(employees, employees.c.id == row.employee)
    wanted = select(row.employee, row.from_on, row.to_on, row.hours_period).select_from(joined)
    wanted = wanted.where(*narrowed(scope, narrow), row.work_system == "comprehensive", row.from_on <= last)
    wanted = wanted.where(or_(row.to_on.is_(None), row.to_on >= first)).order_by(row.from_on)
    return {
        employee: ContractTerm(from_on, to_on, period or "month")
        for employee, from_on, to_on, period in await connection.execute(wanted)
    }


async def leave_types_known(connection: AsyncConnection) -> list[LeaveType]:
    """Every leave type by id, retired ones too; they are the company's, so no scope narrows them."""
    type_ = leave_types.c
    rows = await connection.execute(
        select(type_.id, type_.name_zh, type_.name_en, type_.balance).order_by(leave_types.c.id)
    )
    return [LeaveType(*row) for row in rows]


# --- rows of days ---------------------------------------------------------------------------------------------------


async def report_days(
    connection: AsyncConnection,
    scope: Scope,
    narrow: Narrow,
    asked: DaysAsked,
    *,
    people: People = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[ReportDay]:
    """Records that were asked for, by department, name, id, date and part."""
    wanted = _of_people(select(*_DAY, *_DAY_MORE), scope, narrow, people).where(*_asked(asked))
    day = attendance_days.c
    wanted = wanted.order_by(employees.c.department, employees.c.name, employees.c.id, day.date, day.part)
    rows = await connection.execute(wanted.limit(limit).offset(offset) if limit is not None else wanted)
    return [_report_day(row) for row in rows]


async def report_day_sums(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, asked: DaysAsked
) -> tuple[int, dict[str, int]]:
    """How many such records there are, and the sum of each column of minutes."""
    sums = [func.coalesce(func.sum(attendance_days.c[name]), 0).label(name) for name in _MINUTES]
    wanted: Select[Any] = _of_people(select(func.count(), *sums), scope, narrow, None).where(*_asked(asked))
    number, *values = (await connection.execute(wanted)).one()
    return number, {name: int(value) for name, value in zip(_MINUTES, values, strict=True)}


async def grants_between(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, first: dt.date, last: dt.date
) -> list[Grant]:
    """What was given or lost of leave from dates between the two, by person and date."""
    grant = leave_grants.c
    joined = leave_grants.join(employees, employees.c.id == grant.employee)
    columns = [grant.employee, grant.from_on, grant.leave_type, grant.kind, grant.minutes, grant.note]
    wanted = select(*columns).select_from(joined).where(grant.from_on.between(first, last), *narrowed(scope, narrow))
    return [Grant(*row) for row in await connection.execute(wanted.order_by(grant.employee, grant.from_on, grant.id))]


async def shift_names(connection: AsyncConnection) -> dict[str, tuple[str, str]]:
    """Chinese and English name of every shift; shifts are the company's, so no scope narrows them."""
    rows = await connection.execute(select(shifts.c.id, shifts.c.name_zh, shifts.c.name_en))
    return {row.id: (row.name_zh, row.name_en) for row in rows}


async def company_name(connection: AsyncConnection) -> tuple[str, str]:
    """Name of the one department that has none above it; empty when there are several."""
    top = select(departments.c.name_zh, departments.c.name_en).where(departments.c.parent.is_(None))
    rows = (await connection.execute(top.limit(2))).all()
    return (rows[0].name_zh, rows[0].name_en) if len(rows) == 1 else ("", "")


_PERSON: list[ColumnElement[Any]] = [
    employees.c.id,
    employees.c.name,
    employees.c.department,
    departments.c.name_zh,
    departments.c.name_en,
    employees.c.site,
    sites.c.name_zh,
    sites.c.name_en,
    sites.c.zone,
    employees.c.position,
    employees.c.joined_on,
    employees.c.left_on,
]
_DAY: list[ColumnElement[Any]] = [
    attendance_days.c[name]
    for name in (
        *("employee", "date", "part", "shift", "status", "flags", "trip_min", "leaves"),
        *(f"{each.name}_min" for each in fields(Minutes)),
    )
]


_DAY_MORE: list[ColumnElement[Any]] = [
    attendance_days.c[name] for name in ("day_type", "first_ms", "last_ms", "explain")
]
_MINUTES = tuple(column.name for column in attendance_days.c if column.name.endswith("_min"))
_NOTABLE = ("outside_window", "punch_during_leave", "ot_unapproved", "orphan_punch", "ot_limit_day", "comp_not_allowed")
"""Flags that somebody should look at."""


def _asked(asked: DaysAsked) -> list[ColumnElement[bool]]:
    day = attendance_days.c
    conditions: list[ColumnElement[bool]] = [day.date.between(asked.first, asked.last)]
    match asked.which:
        case "exceptions":
            wrong = [day[f"{name}_min"] > 0 for name in ("late", "early", "gap", "absent", "pending")]
            waits = day.status.in_(("missing_in", "missing_out"))
            conditions += [day.status != "not_yet", or_(*wrong, waits, *_flagged(_NOTABLE))]
        case "overtime":
            some = [day[f"{name}_min"] > 0 for name in ("ot_15", "ot_20", "ot_30", "comp", "extra")]
            conditions.append(or_(*some, *_flagged(("ot_unapproved", "comp_not_allowed"))))
        case "leave":
            conditions.append(or_(day.leave_min > 0, day.comp_min > 0))
        case "daily":
            pass
    return conditions


def _flagged(flags: Collection[str]) -> list[ColumnElement[bool]]:
    return [cast(attendance_days.c.flags, Text).contains(f'"{flag}"', autoescape=True) for flag in flags]


def _report_day(row: Row[Any]) -> ReportDay:
    employee, date, part, shift, status, flags, trip, leaves, *rest = tuple(row)
    minutes, (day_type, first_ms, last_ms, why) = rest[:-4], rest[-4:]
    record = DayRecord(date, part, shift, status, Minutes(*minutes), first_ms, last_ms, tuple(flags))
    return ReportDay(employee, record, trip, leaves, day_type, tuple(why.get("rules", ())))


def _who(scope: Scope, narrow: Narrow, people: People) -> list[ColumnElement[bool]]:
    conditions = narrowed(scope, narrow)
    return conditions if people is None else [*conditions, employees.c.id.in_(sorted(people))]


def _of_people(wanted: Select[Any], scope: Scope, narrow: Narrow, people: People) -> Select[Any]:
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee)
    return wanted.select_from(joined).where(*_who(scope, narrow, people))
