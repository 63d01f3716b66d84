"""Shifts, punches and day records: what the attendance engine reads and writes, for everybody.

What a person may see of them is asked elsewhere, with a scope.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from sqlalchemy import Row, bindparam, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.facts import Punch, Shift, ShiftPlan
from server.attendance.record import RULE_VERSION, DayRecord
from server.store.tables import attendance_days, employees, punches, roster, shifts, sites, touched_days
from server.store.upsert import insert_into
from shared.clock import WallMs
from shared.punch import Direction

_ROWS = 5_000
"""Rows of one statement: PostgreSQL takes at most 32,767 values."""

EmployeeDay: TypeAlias = tuple[str, date]


@dataclass(frozen=True, slots=True)
class Touched:
    """An employee-day to be computed, and the touch that asked for it."""

    employee: str
    date: date
    mark: int


@dataclass(frozen=True, slots=True)
class RosteredShift:
    """A shift on a date at sites of one zone."""

    shift: Shift
    zone: str


# --- asking for days ------------------------------------------------------------------------------------------------


async def touch_days(connection: AsyncConnection, pairs: Iterable[EmployeeDay]) -> None:
    """Ask for these employee-days to be computed again; call it before ``note_changes`` in a transaction.

    Rows are taken in key order, so that two transactions never wait for each other in a circle. The mark is random: a
    day that is computed, forgotten and touched again must not look like the touch that somebody still works on.
    """
    wanted = sorted(set(pairs))
    mark = secrets.randbits(62)
    for start in range(0, len(wanted), _ROWS):
        rows = [{"employee": e, "date": d, "mark": mark} for e, d in wanted[start : start + _ROWS]]
        statement = insert_into(connection, touched_days).values(rows)
        changed = {"mark": statement.excluded.mark}
        await connection.execute(statement.on_conflict_do_update(index_elements=["employee", "date"], set_=changed))


async def touched(connection: AsyncConnection, limit: int) -> list[Touched]:
    """Employee-days that wait, by employee and date."""
    first = select(touched_days).order_by(touched_days.c.employee, touched_days.c.date).limit(limit)
    return [Touched(row.employee, row.date, row.mark) for row in await connection.execute(first)]


async def claim(connection: AsyncConnection, computed: Sequence[Touched]) -> set[EmployeeDay]:
    """Those days, in key order, whose touch is still the one that was computed; they wait no more.

    A day that was touched meanwhile, or that another process claimed, is left out: its result is not to be stored.
    """
    key = tuple_(touched_days.c.employee, touched_days.c.date)
    first, last = computed[0], computed[-1]
    between = key.between(tuple_(first.employee, first.date), tuple_(last.employee, last.date))
    # A touch has a mark of its own on every row, and all its rows are seen at once: in this range these marks are ours.
    same = (between, touched_days.c.mark.in_({row.mark for row in computed}))
    in_order = select(touched_days.c.employee, touched_days.c.date).where(*same)
    in_order = in_order.order_by(touched_days.c.employee, touched_days.c.date).with_for_update()
    days = {(row.employee, row.date) for row in await connection.execute(in_order)}
    await connection.execute(delete(touched_days).where(*same))
    return days


async def rostered_shifts(connection: AsyncConnection, first: date, last: date) -> list[RosteredShift]:
    """Every combination of date, shift and zone that somebody is planned for."""
    joined = roster.join(employees).join(sites)
    which = select(roster.c.date, roster.c.shift, sites.c.zone).select_from(joined)
    distinct = which.where(roster.c.date.between(first, last)).distinct().subquery()  # JSON can not be compared
    columns = [distinct.c.date, *_PLAN, distinct.c.zone]
    wanted = select(*columns).select_from(distinct.join(shifts, shifts.c.id == distinct.c.shift))
    return [RosteredShift(_shift(row), row.zone) for row in await connection.execute(wanted)]


async def people_on(connection: AsyncConnection, rostered: RosteredShift) -> list[EmployeeDay]:
    """Who is planned for it, as employee-days."""
    joined = roster.join(employees).join(sites)
    same = (roster.c.date == rostered.shift.date, roster.c.shift == rostered.shift.plan.id)
    wanted = select(roster.c.employee, roster.c.date).select_from(joined).where(*same, sites.c.zone == rostered.zone)
    return [(row.employee, row.date) for row in await connection.execute(wanted)]


# --- what the engine is given ---------------------------------------------------------------------------------------


async def zones(connection: AsyncConnection, people: Collection[str]) -> dict[str, str]:
    """Zone of each person's site."""
    wanted = select(employees.c.id, sites.c.zone).select_from(employees.join(sites))
    rows = await connection.execute(wanted.where(employees.c.id.in_(sorted(people))))
    return {row.id: row.zone for row in rows}


async def planned(
    connection: AsyncConnection, people: Collection[str], first: date, last: date
) -> dict[str, list[Shift]]:
    """Shifts of these people with ``first <= date <= last``."""
    columns = [roster.c.employee, roster.c.date, *_PLAN]
    wanted = select(*columns).select_from(roster.join(shifts))
    wanted = wanted.where(roster.c.employee.in_(sorted(people)), roster.c.date.between(first, last))
    found: dict[str, list[Shift]] = {}
    for row in await connection.execute(wanted):
        found.setdefault(row.employee, []).append(_shift(row))
    return found


async def punched(
    connection: AsyncConnection, people: Collection[str], first_ms: WallMs, last_ms: WallMs
) -> dict[str, list[Punch]]:
    """Punches of these people with ``first <= at <= last``; ``at`` is as the terminal said."""
    columns = [punches.c[name] for name in ("id", "employee", "at_ms", "true_ms", "direction", "held")]
    wanted = select(*columns).where(punches.c.employee.in_(sorted(people)), punches.c.at_ms.between(first_ms, last_ms))
    found: dict[str, list[Punch]] = {}
    for row in await connection.execute(wanted):
        punch = Punch(row.id, row.at_ms, row.true_ms, _DIRECTIONS.get(row.direction, Direction.UNKNOWN), row.held)
        found.setdefault(row.employee, []).append(punch)
    return found


# --- results --------------------------------------------------------------------------------------------------------


async def replace_days(
    connection: AsyncConnection,
    days: Collection[EmployeeDay],
    records: Mapping[EmployeeDay, Sequence[DayRecord]],
    at_ms: WallMs,
) -> set[EmployeeDay]:
    """Store the records of these employee-days in place of the former; the days that had or have one."""
    day = attendance_days.c
    people, dates = {employee for employee, _ in days}, [date_ for _, date_ in days]
    near = (day.employee.in_(sorted(people)), day.date.between(min(dates), max(dates)))
    there = await connection.execute(select(day.employee, day.date).where(*near).distinct())
    changed = {(row.employee, row.date) for row in there} & set(days)
    if changed:
        gone = delete(attendance_days).where(day.employee == bindparam("e"), day.date == bindparam("d"))
        await connection.execute(gone, [{"e": employee, "d": date_} for employee, date_ in sorted(changed)])
    rows = [_row(key[0], record, at_ms) for key in sorted(days) for record in records.get(key, ())]
    if rows:
        await connection.execute(attendance_days.insert(), rows)
    return changed | {key for key in days if records.get(key)}


_PLAN = (shifts.c.id, shifts.c.start, shifts.c.end, shifts.c.breaks)
_DIRECTIONS = {direction.value: direction for direction in Direction}


def _shift(row: Row[Any]) -> Shift:
    return Shift(row.date, ShiftPlan(row.id, row.start, row.end, tuple((a, b) for a, b in row.breaks)))


def _row(employee: str, record: DayRecord, at_ms: WallMs) -> dict[str, Any]:
    minutes, why = record.minutes, record.explanation
    return {
        "employee": employee,
        "date": record.date,
        "part": record.part,
        "shift": record.shift,
        "status": record.status,
        "required_min": minutes.required,
        "worked_min": minutes.worked,
        "holiday_work_min": minutes.holiday_work,
        "late_min": minutes.late,
        "early_min": minutes.early,
        "gap_min": minutes.gap,
        "absent_min": minutes.absent,
        "pending_min": minutes.pending,
        "exempt_min": minutes.exempt,
        "leave_min": minutes.leave,
        "first_ms": record.first_ms,
        "last_ms": record.last_ms,
        "flags": list(record.flags),
        "explain": {
            "used": list(why.used),
            "merged": list(why.merged),
            "held": list(why.held),
            "ignored": list(why.ignored),
            "rules": list(why.rules),
        },
        "rule_version": RULE_VERSION,
        "computed_ms": at_ms,
    }
