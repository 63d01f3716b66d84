"""A company's own records, for the one who loads them: everybody's rows, so none of these takes a scope."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from sqlalchemy import Table, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import (
    attendance_days,
    departments,
    employees,
    punches,
    roster,
    scorecards,
    shifts,
    shipments,
    sites,
    terminal_users,
    terminals,
    users,
)
from server.store.upsert import insert_into
from shared.clock import WallMs

_VALUES = 30_000
"""PostgreSQL takes at most 32,767 values in a statement, SQLite 32,766."""
_KEYS = 500
"""Pairs in one list: PostgreSQL nests them and runs out of stack at some thousands (measured)."""

Key: TypeAlias = tuple[Any, ...]
Stored: TypeAlias = dict[Key, dict[str, Any]]
"""Rows by primary key."""

_TABLES = {
    "departments": departments,
    "sites": sites,
    "shifts": shifts,
    "employees": employees,
    "terminal_users": terminal_users,
    "shipments": shipments,
    "users": users,
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Punches of a number that nobody had."""

    user_group: str
    user_code: str


async def stored(connection: AsyncConnection, section: str) -> Stored:
    """Every row of a section by its key."""
    table = _TABLES[section]
    rows = await connection.execute(select(table))
    return {tuple(row[column.name] for column in table.primary_key): dict(row) for row in rows.mappings()}


async def stored_shipments(connection: AsyncConnection, numbers: Sequence[str]) -> Stored:
    """These parcels by tracking number."""
    found: Stored = {}
    for start in range(0, len(numbers), _VALUES):
        which = select(shipments).where(shipments.c.tracking_no.in_(numbers[start : start + _VALUES]))
        found |= {(row["tracking_no"],): dict(row) for row in (await connection.execute(which)).mappings()}
    return found


async def put(connection: AsyncConnection, section: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows, or change those whose key is there; all rows have the same fields."""
    if not rows:
        return
    table = _TABLES[section]
    key = [column.name for column in table.primary_key]
    step = _VALUES // len(rows[0])
    for start in range(0, len(rows), step):
        statement = insert_into(connection, table).values([dict(row) for row in rows[start : start + step]])
        changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
        await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))


async def set_user(connection: AsyncConnection, login: str, values: Mapping[str, Any]) -> None:
    """Change an account."""
    await connection.execute(update(users).where(users.c.login == login).values(**values))


async def rostered(
    connection: AsyncConnection, people: Collection[str], first: date, last: date
) -> dict[tuple[str, date], set[str]]:
    """Shift ids by employee-day with ``first <= date <= last``."""
    found: dict[tuple[str, date], set[str]] = {}
    wanted = sorted(people)
    for start in range(0, len(wanted), _VALUES):
        which = (roster.c.employee.in_(wanted[start : start + _VALUES]), roster.c.date.between(first, last))
        for row in await connection.execute(select(roster).where(*which)):
            found.setdefault((row.employee, row.date), set()).add(row.shift)
    return found


async def replace_roster(connection: AsyncConnection, days: Mapping[tuple[str, date], Collection[str]]) -> None:
    """Plan these shifts for these employee-days and no others."""
    keys = sorted(days)
    for start in range(0, len(keys), _KEYS):
        key = tuple_(roster.c.employee, roster.c.date)
        await connection.execute(delete(roster).where(key.in_(keys[start : start + _KEYS])))
    rows = [{"employee": e, "date": d, "shift": shift} for e, d in keys for shift in sorted(days[e, d])]
    if rows:
        await connection.execute(roster.insert(), rows)


async def days_with_shifts(connection: AsyncConnection, plans: Collection[str]) -> list[tuple[str, date]]:
    """Employee-days planned with any of these shifts."""
    rows = await connection.execute(select(roster.c.employee, roster.c.date).where(roster.c.shift.in_(sorted(plans))))
    return [(row.employee, row.date) for row in rows]


async def days_of(connection: AsyncConnection, people: Collection[str]) -> list[tuple[str, date]]:
    """Every employee-day of these people that is planned or has a record."""
    found: set[tuple[str, date]] = set()
    for table in (roster, attendance_days):
        which = select(table.c.employee, table.c.date).where(table.c.employee.in_(sorted(people))).distinct()
        found.update((row.employee, row.date) for row in await connection.execute(which))
    return sorted(found)


async def cards_of(connection: AsyncConnection, people: Collection[str]) -> list[tuple[str, str]]:
    """Every stored scorecard of these people."""
    which = select(scorecards.c.employee, scorecards.c.period).where(scorecards.c.employee.in_(sorted(people)))
    return [(row.employee, row.period) for row in await connection.execute(which)]


async def waiting_numbers(connection: AsyncConnection) -> set[Waiting]:
    """Numbers whose punches belong to nobody yet."""
    joined = punches.join(terminals, terminals.c.serial == punches.c.terminal)
    which = select(terminals.c.user_group, punches.c.user_code).select_from(joined)
    rows = await connection.execute(which.where(punches.c.employee.is_(None)).distinct())
    return {Waiting(row.user_group, row.user_code) for row in rows}


async def give_punches(
    connection: AsyncConnection, number: Waiting, employee: str, now_ms: WallMs
) -> list[WallMs | None]:
    """Give the waiting punches of a number to an employee; the true instant of each, None for a held one."""
    of_group = select(terminals.c.serial).where(terminals.c.user_group == number.user_group)
    mine = (punches.c.employee.is_(None), punches.c.user_code == number.user_code, punches.c.terminal.in_(of_group))
    changed = update(punches).where(*mine).values(employee=employee, learned_ms=now_ms).returning(punches.c.true_ms)
    return list(await connection.scalars(changed))


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """How many rows each section has."""
    found: dict[str, int] = {}
    for section, table in (*_TABLES.items(), ("roster", roster)):
        found[section] = await _count(connection, table)
    return found


async def roster_span(connection: AsyncConnection) -> tuple[date, date] | None:
    """First and last planned date; None while nothing is planned."""
    row = (await connection.execute(select(func.min(roster.c.date), func.max(roster.c.date)))).one()
    return None if row[0] is None else (row[0], row[1])


async def _count(connection: AsyncConnection, table: Table) -> int:
    return await connection.scalar(select(func.count()).select_from(table)) or 0


def changed_rows(before: Stored, key: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> tuple[list[Key], list[Key]]:
    """Keys of rows that are new, and of rows that differ from what is stored."""
    added, changed = [], []
    for row in rows:
        name = tuple(row[field] for field in key)
        if name not in before:
            added.append(name)
        elif any(before[name][field] != value for field, value in row.items()):
            changed.append(name)
    return added, changed
