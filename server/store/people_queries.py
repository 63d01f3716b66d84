"""Employees, departments, sites, and the numbers that terminals know people by. Each question takes the scope."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.store.scope_filter import Narrow, narrowed, visible
from server.store.tables import departments, employees, punches, sites, terminal_users, terminals
from server.store.upsert import insert_into
from shared.clock import WallMs

_PEOPLE = 10_000
"""People of one statement."""


@dataclass(frozen=True, slots=True)
class NameRow:
    """A bilingual name with its id."""

    id: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class EmployeeRow:
    """An employee with the numbers that terminals know, as group/number."""

    id: str
    name: str
    department: str
    site: str
    position: str
    joined_on: dt.date
    left_on: dt.date | None
    user_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnmatchedRow:
    """A terminal user nobody is mapped to, and the punches that wait for it."""

    user_group: str
    user_code: str
    terminals: tuple[str, ...]
    punches: int
    first_ms: WallMs
    last_ms: WallMs


async def department_names(connection: AsyncConnection, scope: Scope) -> list[NameRow]:
    """Departments in scope by id."""
    which = select(departments.c.id, departments.c.name_zh, departments.c.name_en).order_by(departments.c.id)
    if not scope.everyone:
        which = which.where(departments.c.id.in_(sorted(scope.departments)))
    return [NameRow(*row) for row in await connection.execute(which)]


async def site_names(connection: AsyncConnection, scope: Scope) -> list[NameRow]:
    """Sites of people in scope by id; all of them for everyone."""
    which = select(sites.c.id, sites.c.name_zh, sites.c.name_en).order_by(sites.c.id)
    if not scope.everyone:
        which = which.where(sites.c.id.in_(select(employees.c.site).where(visible(scope))))
    return [NameRow(*row) for row in await connection.execute(which)]


async def employee_rows(
    connection: AsyncConnection, scope: Scope, part: str, narrow: Narrow, *, limit: int, offset: int
) -> tuple[int, list[EmployeeRow]]:
    """How many employees there are whose name, id or number has this part, and a page of them by name."""
    conditions = _having(scope, part, narrow)
    total = await connection.scalar(select(func.count()).select_from(employees).where(*conditions))
    page = select(employees).where(*conditions).order_by(employees.c.name, employees.c.id).limit(limit).offset(offset)
    rows = (await connection.execute(page)).all()
    codes = await _user_codes(connection, [row.id for row in rows])
    return total or 0, [_employee(row, codes.get(row.id, [])) for row in rows]


async def employee_ids(connection: AsyncConnection, scope: Scope, part: str, narrow: Narrow) -> list[str]:
    """All of the same, as ids."""
    which = select(employees.c.id).where(*_having(scope, part, narrow)).order_by(employees.c.name, employees.c.id)
    return list(await connection.scalars(which))


async def numbers_of(
    connection: AsyncConnection, scope: Scope, people: Sequence[str]
) -> dict[str, list[tuple[str, str]]]:
    """Numbers, as group and number, of those of these people who are in scope."""
    found: dict[str, list[tuple[str, str]]] = {}
    joined = terminal_users.join(employees, employees.c.id == terminal_users.c.employee)
    for start in range(0, len(people), _PEOPLE):
        mine = (terminal_users.c.employee.in_(people[start : start + _PEOPLE]), visible(scope))
        which = select(terminal_users).select_from(joined).where(*mine)
        for row in await connection.execute(which.order_by(terminal_users.c.user_group, terminal_users.c.user_code)):
            found.setdefault(row.employee, []).append((row.user_group, row.user_code))
    return found


async def unmatched_rows(connection: AsyncConnection, scope: Scope) -> list[UnmatchedRow]:
    """Terminal users nobody is mapped to, most punches first; they are in no department, so only everyone sees them."""
    if not scope.everyone:
        return []
    by_terminal = (
        select(
            terminals.c.user_group,
            punches.c.user_code,
            terminals.c.name,
            func.count().label("number"),
            func.min(punches.c.at_ms).label("first_ms"),
            func.max(punches.c.at_ms).label("last_ms"),
        )
        .select_from(_known_terminals())
        .where(punches.c.employee.is_(None))
        .group_by(terminals.c.user_group, punches.c.user_code, terminals.c.serial, terminals.c.name)
        .order_by(terminals.c.user_group, punches.c.user_code, terminals.c.name)
    )
    found: dict[tuple[str, str], list[Row[Any]]] = {}
    for row in await connection.execute(by_terminal):
        found.setdefault((row.user_group, row.user_code), []).append(row)
    merged = [
        UnmatchedRow(
            *key,
            terminals=tuple(row.name for row in rows),
            punches=sum(row.number for row in rows),
            first_ms=min(row.first_ms for row in rows),
            last_ms=max(row.last_ms for row in rows),
        )
        for key, rows in found.items()
    ]
    return sorted(merged, key=lambda row: -row.punches)


@dataclass(frozen=True, slots=True)
class NumberRow:
    """A number that terminals of a group know an employee by."""

    user_code: str
    name: str
    left_on: dt.date | None


async def number_rows(connection: AsyncConnection, scope: Scope, user_group: str) -> list[NumberRow]:
    """Numbers of a group that are mapped to somebody in scope, in order."""
    joined = terminal_users.join(employees, employees.c.id == terminal_users.c.employee)
    which = select(terminal_users.c.user_code, employees.c.name, employees.c.left_on).select_from(joined)
    rows = await connection.execute(
        which.where(terminal_users.c.user_group == user_group, visible(scope)).order_by(terminal_users.c.user_code)
    )
    return [NumberRow(*row) for row in rows]


async def employee_of_user(connection: AsyncConnection, scope: Scope, user_group: str, user_code: str) -> str | None:
    """Who the number on these terminals is mapped to; None for nobody, or nobody in scope."""
    joined = terminal_users.join(employees, employees.c.id == terminal_users.c.employee)
    which = (terminal_users.c.user_group == user_group, terminal_users.c.user_code == user_code, visible(scope))
    employee: str | None = await connection.scalar(select(employees.c.id).select_from(joined).where(*which))
    return employee


async def map_user(connection: AsyncConnection, user_group: str, user_code: str, employee: str) -> None:
    """Map a number to an employee; a number that is mapped keeps its employee."""
    row = insert_into(connection, terminal_users).values(user_group=user_group, user_code=user_code, employee=employee)
    await connection.execute(row.on_conflict_do_nothing(index_elements=["user_group", "user_code"]))


async def give_punches(
    connection: AsyncConnection, user_group: str, user_code: str, employee: str, now_ms: WallMs
) -> list[WallMs | None]:
    """Give the waiting punches of a number to an employee; the true instant of each, None for a held one."""
    which = _waiting(user_group, user_code)
    instants = list(await connection.scalars(select(punches.c.true_ms).where(*which)))
    await connection.execute(update(punches).where(*which).values(employee=employee, learned_ms=now_ms))
    return instants


async def map_anew(connection: AsyncConnection, user_group: str, user_code: str, employee: str | None) -> None:
    """Map a number to another employee, or to nobody."""
    same = (terminal_users.c.user_group == user_group, terminal_users.c.user_code == user_code)
    if employee is None:
        await connection.execute(delete(terminal_users).where(*same))
    else:
        row = insert_into(connection, terminal_users).values(
            user_group=user_group, user_code=user_code, employee=employee
        )
        changed = row.on_conflict_do_update(
            index_elements=["user_group", "user_code"], set_={"employee": row.excluded.employee}
        )
        await connection.execute(changed)


async def move_punches(
    connection: AsyncConnection,
    number: tuple[str, str],
    hands: tuple[str, str | None],
    from_ms: WallMs | None,
    now_ms: WallMs,
) -> list[WallMs | None]:
    """Give punches of a number, (group, code), from one employee's hands to another's or nobody's, from an instant on.

    The true instant of each; None for a held one.
    """
    of_group = select(terminals.c.serial).where(terminals.c.user_group == number[0])
    which = [punches.c.employee == hands[0], punches.c.user_code == number[1], punches.c.terminal.in_(of_group)]
    if from_ms is not None:
        which.append(punches.c.at_ms >= from_ms)
    instants = list(await connection.scalars(select(punches.c.true_ms).where(*which)))
    await connection.execute(update(punches).where(*which).values(employee=hands[1], learned_ms=now_ms))
    return instants


async def user_groups(connection: AsyncConnection) -> dict[str, frozenset[str]]:
    """Groups of terminals that share user numbers, each with the sites it stands at; about terminals, so for all."""
    which = select(terminals.c.user_group, terminals.c.site).where(terminals.c.kind == "terminal").distinct()
    found: dict[str, set[str]] = {}
    for row in await connection.execute(which):
        found.setdefault(row.user_group, set()).update([] if row.site is None else [row.site])
    for group in await connection.scalars(select(terminal_users.c.user_group).distinct()):
        found.setdefault(group, set())
    return {group: frozenset(places) for group, places in sorted(found.items())}


async def mapped_numbers(connection: AsyncConnection) -> dict[tuple[str, str], str]:
    """Employee by (group, number), for those who bring people in: everybody's."""
    rows = await connection.execute(select(terminal_users))
    return {(row.user_group, row.user_code): row.employee for row in rows}


async def terminals_by_group(connection: AsyncConnection) -> dict[str, list[tuple[str, str]]]:
    """Serial number and name of the terminals of each group."""
    which = select(terminals.c.user_group, terminals.c.serial, terminals.c.name).where(terminals.c.kind == "terminal")
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await connection.execute(which.order_by(terminals.c.serial)):
        found.setdefault(row.user_group, []).append((row.serial, row.name))
    return found


async def names_of_people(connection: AsyncConnection, scope: Scope) -> dict[str, str]:
    """Name by id of everybody in scope."""
    rows = await connection.execute(select(employees.c.id, employees.c.name).where(visible(scope)))
    return {row.id: row.name for row in rows}


async def mail_addresses(connection: AsyncConnection, scope: Scope, people: Collection[str]) -> list[str]:
    """E-mail addresses of these people in scope, each once and in order; who has none is left out."""
    which = (
        visible(scope),
        employees.c.id.in_(sorted(people)),
        employees.c.email.is_not(None),
        employees.c.email != "",
    )
    wanted = select(employees.c.email).where(*which).distinct().order_by(employees.c.email)
    return list(await connection.scalars(wanted))


def _having(scope: Scope, part: str, narrow: Narrow) -> list[ColumnElement[bool]]:
    """In scope, asked for, and with this part in name or id, or as a number."""
    conditions = narrowed(scope, narrow)
    if part:
        numbers = select(terminal_users.c.employee).where(terminal_users.c.user_code == part)
        found = [column.icontains(part, autoescape=True) for column in (employees.c.name, employees.c.id)]
        conditions.append(or_(*found, employees.c.id.in_(numbers)))
    return conditions


def _waiting(user_group: str, user_code: str) -> tuple[ColumnElement[bool], ...]:
    of_group = select(terminals.c.serial).where(terminals.c.user_group == user_group)
    return (punches.c.employee.is_(None), punches.c.user_code == user_code, punches.c.terminal.in_(of_group))


def _known_terminals() -> FromClause:
    return punches.join(terminals, terminals.c.serial == punches.c.terminal)


async def _user_codes(connection: AsyncConnection, people: Sequence[str]) -> dict[str, list[str]]:
    which = select(terminal_users).where(terminal_users.c.employee.in_(people))
    codes: dict[str, list[str]] = {}
    for row in await connection.execute(which.order_by(terminal_users.c.user_group, terminal_users.c.user_code)):
        codes.setdefault(row.employee, []).append(f"{row.user_group}/{row.user_code}")
    return codes


def _employee(row: Row[Any], codes: Sequence[str]) -> EmployeeRow:
    return EmployeeRow(
        row.id, row.name, row.department, row.site, row.position, row.joined_on, row.left_on, tuple(codes)
    )
