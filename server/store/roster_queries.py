"""Who works when. What a person may plan or see takes the scope; a check reads the plan of people it was given."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import Select, delete, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.rosters.change import Cell, EmployeeDay, Origin
from server.rosters.check import Employment
from server.rosters.pattern import Shifts
from server.store.people_tables import contracts
from server.store.roster_tables import group_members
from server.store.scope_filter import Narrow, narrowed, visible
from server.store.tables import employees, roster, sites
from server.store.upsert import insert_into

_VALUES = 30_000
"""PostgreSQL takes at most 32,767 values in a statement, SQLite 32,766."""
_KEYS = 500
"""Pairs in one list: PostgreSQL nests them and runs out of stack at some thousands."""
_ROWS = 7_000

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class PlannedPerson:
    """Somebody who can be planned."""

    id: str
    name: str
    department: str
    site: str
    zone: str
    joined_on: date
    left_on: date | None


async def people(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, first: date, last: date, *, group: str | None = None
) -> list[PlannedPerson]:
    """Who is employed some day of the span, by department, name and id; of one attendance group if asked."""
    employed = (employees.c.joined_on <= last, or_(employees.c.left_on.is_(None), employees.c.left_on >= first))
    which = _people().where(*narrowed(scope, narrow), *employed)
    if group is not None:
        which = which.where(employees.c.id.in_(_members(group, first, last)))
    rows = await connection.execute(which.order_by(employees.c.department, employees.c.name, employees.c.id))
    return [PlannedPerson(*row) for row in rows]


async def people_by_id(connection: AsyncConnection, scope: Scope, wanted: Collection[str]) -> dict[str, PlannedPerson]:
    """Those of these people who are in scope."""
    found: dict[str, PlannedPerson] = {}
    for part in _parts(sorted(wanted), _VALUES):
        which = _people().where(visible(scope), employees.c.id.in_(part))
        found |= {row.id: PlannedPerson(*row) for row in await connection.execute(which)}
    return found


async def people_named(connection: AsyncConnection, scope: Scope, names: Collection[str]) -> dict[str, list[str]]:
    """Ids of those in scope who bear one of these names."""
    found: dict[str, list[str]] = {}
    for part in _parts(sorted(names), _VALUES):
        which = select(employees.c.id, employees.c.name).where(visible(scope), employees.c.name.in_(part))
        for row in await connection.execute(which.order_by(employees.c.id)):
            found.setdefault(row.name, []).append(row.id)
    return found


async def contracts_of(connection: AsyncConnection, wanted: Collection[str]) -> dict[str, tuple[Employment, ...]]:
    """Contracts of these people, for whoever checks their hours."""
    found: dict[str, list[Employment]] = {}
    for part in _parts(sorted(wanted), _VALUES):
        which = select(contracts).where(contracts.c.employee.in_(part)).order_by(contracts.c.from_on)
        for row in await connection.execute(which):
            contract = Employment(row.from_on, row.to_on, row.kind, row.work_system)
            found.setdefault(row.employee, []).append(contract)
    return {employee: tuple(those) for employee, those in found.items()}


async def plan_of(
    connection: AsyncConnection, wanted: Collection[str], first: date, last: date
) -> dict[EmployeeDay, Cell]:
    """What is planned for these people from ``first`` to ``last``; days off are not in it."""
    found: dict[EmployeeDay, Cell] = {}
    for part in _parts(sorted(wanted), _VALUES):
        which = select(roster).where(roster.c.employee.in_(part), roster.c.date.between(first, last))
        for row in await connection.execute(which.order_by(roster.c.employee, roster.c.date, roster.c.shift)):
            before = found.get((row.employee, row.date))
            shifts = (*before.shifts, row.shift) if before else (row.shift,)
            # A day that people had a hand in is theirs.
            origin = row.origin if before is None or before.origin == "pattern" else before.origin
            found[row.employee, row.date] = Cell(shifts, origin)
    return found


async def replace_days(connection: AsyncConnection, days: Mapping[EmployeeDay, Shifts], origin: Origin) -> None:
    """Plan these shifts for these employee-days and no others."""
    keys = sorted(days)
    for part in _parts(keys, _KEYS):
        await connection.execute(delete(roster).where(tuple_(roster.c.employee, roster.c.date).in_(part)))
    await _insert(connection, ((key, days[key], origin) for key in keys))


async def put_cells(connection: AsyncConnection, cells: Mapping[EmployeeDay, Cell]) -> None:
    """Plan these days as they once were, each with how it came about."""
    keys = sorted(cells)
    for part in _parts(keys, _KEYS):
        await connection.execute(delete(roster).where(tuple_(roster.c.employee, roster.c.date).in_(part)))
    await _insert(connection, ((key, cells[key].shifts, cells[key].origin or "manual") for key in keys))


async def coverage(
    connection: AsyncConnection,
    scope: Scope,
    narrow: Narrow,
    first: date,
    last: date,
    *,
    group: str | None = None,
) -> dict[date, dict[str, int]]:
    """How many people in scope are planned for each shift of each date; of one attendance group if asked."""
    joined = roster.join(employees)
    counted = select(roster.c.date, roster.c.shift, func.count().label("people")).select_from(joined)
    counted = counted.where(*narrowed(scope, narrow), roster.c.date.between(first, last))
    if group is not None:
        counted = counted.where(employees.c.id.in_(_members(group, first, last)))
    found: dict[date, dict[str, int]] = {}
    for row in await connection.execute(counted.group_by(roster.c.date, roster.c.shift)):
        found.setdefault(row.date, {})[row.shift] = row.people
    return found


def _members(group: str, first: date, last: date) -> Select[Any]:
    ends = or_(group_members.c.to_on.is_(None), group_members.c.to_on >= first)
    inside = (group_members.c.attendance_group == group, group_members.c.from_on <= last, ends)
    return select(group_members.c.employee).where(*inside)


def _people() -> Select[Any]:
    columns = [employees.c[name] for name in ("id", "name", "department", "site")]
    return select(*columns, sites.c.zone, employees.c.joined_on, employees.c.left_on).select_from(employees.join(sites))


async def _insert(connection: AsyncConnection, cells: Iterable[tuple[EmployeeDay, Shifts, str]]) -> None:
    rows = [
        {"employee": employee, "date": day, "shift": shift, "origin": origin}
        for (employee, day), shifts, origin in cells
        for shift in sorted(set(shifts))
    ]
    for part in _parts(rows, _ROWS):
        await connection.execute(insert_into(connection, roster).values(part))


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
