"""Days as another system has them, and ours of the same people beside them. Each question takes the scope."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.months import month_of, month_span
from server.store.attendance_queries import EmployeeDay
from server.store.scope_filter import ALL, Narrow, narrowed, visible
from server.store.shadow_tables import shadow_days
from server.store.tables import employees, punches, roster, shifts, sites
from shared.clock import WallMs

_ROWS = 2_000
"""Rows of one statement: PostgreSQL takes at most 32,767 values."""


@dataclass(frozen=True, slots=True)
class ShadowRow:
    """A day as the other system has it."""

    employee: str
    date: dt.date
    status: str | None
    said: str
    minutes: Mapping[str, int]
    first_min: int | None
    last_min: int | None
    shift: str
    loaded_ms: WallMs
    """When the file was applied that says so."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody whom the other system has days of."""

    id: str
    name: str
    department: str
    zone: str


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """A shift of ours with its names."""

    id: str
    code: str | None
    name_zh: str
    name_en: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class PunchRow:
    """A punch; ``true_ms`` is None for a held one."""

    id: int
    at_ms: WallMs
    true_ms: WallMs | None
    held: str | None


@dataclass(frozen=True, slots=True)
class MonthCount:
    """A month that the other system has days of, in scope."""

    month: str
    people: int
    days: int


# --- theirs ---------------------------------------------------------------------------------------------------------


async def months(connection: AsyncConnection, scope: Scope) -> list[MonthCount]:
    """Months with days, newest first."""
    joined = shadow_days.join(employees, employees.c.id == shadow_days.c.employee)
    each = select(shadow_days.c.employee, shadow_days.c.date).select_from(joined).where(visible(scope))
    of_date = each.subquery()
    counted = select(of_date.c.date, func.count()).group_by(of_date.c.date)
    days: dict[str, int] = {}
    for date, number in await connection.execute(counted):
        days[month_of(date)] = days.get(month_of(date), 0) + number
    return [
        MonthCount(month, len(await people(connection, scope, *month_span(month))), days[month])
        for month in sorted(days, reverse=True)
    ]


async def people(
    connection: AsyncConnection, scope: Scope, first: dt.date, last: dt.date, narrow: Narrow = ALL
) -> list[PersonRow]:
    """Whom the other system has days of between the dates, by department and name."""
    columns = (employees.c.id, employees.c.name, employees.c.department, sites.c.zone)
    wanted = select(*columns).select_from(employees.join(sites)).where(_in_file(first, last), *narrowed(scope, narrow))
    rows = await connection.execute(wanted.order_by(employees.c.department, employees.c.name, employees.c.id))
    return [PersonRow(*row) for row in rows]


async def shadow_rows(
    connection: AsyncConnection, scope: Scope, first: dt.date, last: dt.date, narrow: Narrow = ALL
) -> list[ShadowRow]:
    """Their days between the dates, by employee and date."""
    there = shadow_days.c
    columns = [there[name] for name in ShadowRow.__dataclass_fields__]
    joined = shadow_days.join(employees, employees.c.id == there.employee)
    wanted = select(*columns).select_from(joined).where(there.date.between(first, last), *narrowed(scope, narrow))
    return [ShadowRow(*row) for row in await connection.execute(wanted.order_by(there.employee, there.date))]


async def known_people(connection: AsyncConnection, ids: Collection[str]) -> frozenset[str]:
    """Those of the ids that are employees, whoever sees them."""
    wanted = sorted(ids)
    found: set[str] = set()
    for start in range(0, len(wanted), _ROWS):
        part = wanted[start : start + _ROWS]
        found.update(await connection.scalars(select(employees.c.id).where(employees.c.id.in_(part))))
    return frozenset(found)


async def replace_rows(connection: AsyncConnection, rows: Sequence[ShadowRow]) -> list[ShadowRow]:
    """Keep these days in place of those that were there for the same people and dates, which are the answer."""
    wanted = {(row.employee, row.date) for row in rows}
    dates = [day for _, day in wanted]
    columns = [shadow_days.c[name] for name in ShadowRow.__dataclass_fields__]
    near = select(*columns).where(shadow_days.c.date.between(min(dates), max(dates)))
    found = [ShadowRow(*row) for row in await connection.execute(near)]
    before = [row for row in found if (row.employee, row.date) in wanted]
    by_date: dict[dt.date, list[str]] = {}
    for row in before:
        by_date.setdefault(row.date, []).append(row.employee)
    for date, there in by_date.items():
        for start in range(0, len(there), _ROWS):
            which = shadow_days.c.date == date, shadow_days.c.employee.in_(there[start : start + _ROWS])
            await connection.execute(delete(shadow_days).where(*which))
    await _add(connection, rows)
    return before


async def take_back(connection: AsyncConnection, loaded_ms: WallMs, before: Sequence[ShadowRow]) -> int:
    """Remove what was loaded then and put back what was there; how many were still as loaded."""
    gone = await connection.execute(delete(shadow_days).where(shadow_days.c.loaded_ms == loaded_ms))
    await _add(connection, before)
    return gone.rowcount


async def _add(connection: AsyncConnection, rows: Sequence[ShadowRow]) -> None:
    values = [{name: getattr(row, name) for name in ShadowRow.__dataclass_fields__} for row in rows]
    for start in range(0, len(values), _ROWS):
        await connection.execute(shadow_days.insert(), values[start : start + _ROWS])


# --- ours -----------------------------------------------------------------------------------------------------------


async def all_shifts(connection: AsyncConnection) -> list[ShiftRow]:
    """Every shift, retired ones included."""
    columns = [shifts.c[name] for name in ShiftRow.__dataclass_fields__]
    return [ShiftRow(*row) for row in await connection.execute(select(*columns).order_by(shifts.c.id))]


async def planned(
    connection: AsyncConnection, scope: Scope, first: dt.date, last: dt.date, narrow: Narrow = ALL
) -> dict[EmployeeDay, list[str]]:
    """Shifts that these people are planned for, by employee and date."""
    joined = roster.join(employees, employees.c.id == roster.c.employee)
    wanted = select(roster.c.employee, roster.c.date, roster.c.shift).select_from(joined)
    wanted = wanted.where(roster.c.date.between(first, last), _in_file(first, last), *narrowed(scope, narrow))
    found: dict[EmployeeDay, list[str]] = {}
    for employee, date, shift in await connection.execute(wanted.order_by(roster.c.shift)):
        found.setdefault((employee, date), []).append(shift)
    return found


async def punches_of(
    connection: AsyncConnection, scope: Scope, first: dt.date, last: dt.date, narrow: Narrow = ALL
) -> dict[str, list[PunchRow]]:
    """Punches of these people from the day before to the second after, in order."""
    there = punches.c
    joined = punches.join(employees, employees.c.id == there.employee)
    wanted = select(there.employee, there.id, there.at_ms, there.true_ms, there.held).select_from(joined)
    start, end = _midnight(first - dt.timedelta(days=1)), _midnight(last + dt.timedelta(days=3))
    wanted = wanted.where(there.at_ms.between(start, end), _in_file(first, last), *narrowed(scope, narrow))
    found: dict[str, list[PunchRow]] = {}
    for row in await connection.execute(wanted.order_by(there.employee, there.at_ms, there.id)):
        found.setdefault(row.employee, []).append(PunchRow(row.id, row.at_ms, row.true_ms, row.held))
    return found


def _in_file(first: dt.date, last: dt.date) -> ColumnElement[bool]:
    there = select(shadow_days.c.employee).where(shadow_days.c.date.between(first, last))
    return employees.c.id.in_(there)


def _midnight(day: dt.date) -> WallMs:
    return round(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp() * 1000)
