"""Days to compute, shifts and punches: what the attendance engine reads, for everybody.

What a person may see of them is asked elsewhere, with a scope.
"""

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.facts import Flex, Punch, Shift, ShiftPlan
from server.store.closing_tables import adjustments, held_decisions
from server.store.request_tables import requests
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


@dataclass(frozen=True, slots=True)
class OvertimeEnd:
    """An overtime request that ends, and the zone of the person's site."""

    employee: str
    from_ms: WallMs
    to_ms: WallMs
    zone: str


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where somebody works."""

    site: str
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


async def waiting_days(connection: AsyncConnection) -> int:
    """How many employee-days are still to be computed."""
    return await connection.scalar(select(func.count()).select_from(touched_days)) or 0


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


async def overtime_ending(connection: AsyncConnection, after_ms: WallMs, until_ms: WallMs) -> list[OvertimeEnd]:
    """Approved overtime with ``after < end <= until``: the windows that it widened close soon after (AR-7)."""
    columns = (requests.c.employee, requests.c.from_ms, requests.c.to_ms, sites.c.zone)
    joined = requests.join(employees, employees.c.id == requests.c.employee).join(sites)
    wanted = select(*columns).select_from(joined)
    wanted = wanted.where(requests.c.kind == "overtime", requests.c.state == "approved")
    rows = await connection.execute(wanted.where(requests.c.to_ms > after_ms, requests.c.to_ms <= until_ms))
    return [OvertimeEnd(*row) for row in rows]


async def people_between(connection: AsyncConnection, first: date, last: date) -> list[str]:
    """Who has a shift, a record or an adjustment between two dates."""
    found: set[str] = set()
    for table in (roster, attendance_days, adjustments):
        found.update(
            await connection.scalars(select(table.c.employee).where(table.c.date.between(first, last)).distinct())
        )
    return sorted(found)


# --- what the engine is given ---------------------------------------------------------------------------------------


async def workplaces(connection: AsyncConnection, people: Collection[str]) -> dict[str, Workplace]:
    """Site and zone of each person."""
    wanted = select(employees.c.id, employees.c.site, sites.c.zone).select_from(employees.join(sites))
    rows = await connection.execute(wanted.where(employees.c.id.in_(sorted(people))))
    return {row.id: Workplace(row.site, row.zone) for row in rows}


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
    """Punches of these people with ``first <= at <= last``; ``at`` is as the terminal said.

    One is known from its receipt on, or since it was given to the person or released; a released one is also there by
    the time that a person gave it, as its terminal may have said any.
    """
    columns: list[ColumnElement[Any]] = [punches.c.id, punches.c.employee, punches.c.at_ms, punches.c.true_ms]
    columns += [punches.c.direction, punches.c.held]
    columns.append(func.coalesce(held_decisions.c.at_ms, punches.c.learned_ms, punches.c.received_ms).label("known_ms"))
    joined = punches.outerjoin(held_decisions, held_decisions.c.punch == punches.c.id)
    theirs, said = punches.c.employee.in_(sorted(people)), punches.c.at_ms.between(first_ms, last_ms)
    wanted = select(*columns).select_from(joined).where(theirs, said)
    given = held_decisions.c.true_ms.between(first_ms, last_ms)
    released = select(*columns).select_from(punches.join(held_decisions)).where(given, theirs, ~said)
    found: dict[str, list[Punch]] = {}
    for row in (*await connection.execute(wanted), *await connection.execute(released)):
        direction = _DIRECTIONS.get(row.direction, Direction.UNKNOWN)
        punch = Punch(row.id, row.at_ms, row.true_ms, direction, row.held, known_ms=row.known_ms)
        found.setdefault(row.employee, []).append(punch)
    return found


# --- parts ----------------------------------------------------------------------------------------------------------

_PLAN = (shifts.c.id, shifts.c.start, shifts.c.end, shifts.c.breaks, shifts.c.flex)
_DIRECTIONS = {direction.value: direction for direction in Direction}


def _shift(row: Row[Any]) -> Shift:
    breaks, flex = tuple((start, end) for start, end in row.breaks), row.flex
    moving = Flex(flex["earliest"], flex["latest"], flex["span_min"]) if flex else None
    return Shift(row.date, ShiftPlan(row.id, row.start, row.end, breaks, moving))
