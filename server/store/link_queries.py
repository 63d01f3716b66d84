"""Ids of people in business systems: who has none yet, and whose they are."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, insert, literal, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.fact_tables import FACT_TABLES
from server.store.source_tables import identity_links
from server.store.tables import employees
from shared.clock import WallMs

_LINKS = identity_links


@dataclass(frozen=True, slots=True)
class UnmatchedId:
    """An id that rows name and that is nobody's on their days."""

    source: str
    employee_key: str
    fact: str
    rows: int
    first_ms: WallMs | None
    last_ms: WallMs | None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """Whose id it is, on which days; both inclusive, none: open."""

    source: str
    employee_key: str
    valid_from: dt.date
    valid_to: dt.date | None
    employee: str


async def unmatched(connection: AsyncConnection, source: str | None, limit: int) -> list[UnmatchedId]:
    """Ids of which most rows are nobody's first."""
    parts = [
        select(
            table.c.source,
            table.c.employee_key,
            literal(fact).label("fact"),
            func.count().label("rows"),
            func.min(table.c.occurred_at_ms).label("first_ms"),
            func.max(table.c.occurred_at_ms).label("last_ms"),
        )
        .where(table.c.employee.is_(None), table.c.employee_key.is_not(None), table.c.deleted.is_(False))
        .where(*([] if source is None else [table.c.source == source]))
        .group_by(table.c.source, table.c.employee_key)
        for fact, table in FACT_TABLES.items()
    ]
    found = union_all(*parts).subquery()
    which = select(found).order_by(found.c.rows.desc(), found.c.source, found.c.employee_key, found.c.fact)
    return [UnmatchedId(*row) for row in await connection.execute(which.limit(limit))]


async def links(connection: AsyncConnection, source: str, key: str) -> list[LinkRow]:
    """Whose an id is, by first day."""
    columns = [_LINKS.c[name] for name in LinkRow.__slots__]
    which = select(*columns).where(_LINKS.c.source == source, _LINKS.c.employee_key == key)
    return [LinkRow(*row) for row in await connection.execute(which.order_by(_LINKS.c.valid_from))]


async def link_rows(
    connection: AsyncConnection, source: str | None, key: str | None, employee: str | None, *, limit: int, offset: int
) -> tuple[int, list[LinkRow]]:
    """How many links there are, and a page of them by source, id and first day; None for all."""
    named = (("source", source), ("employee_key", key), ("employee", employee))
    which = [_LINKS.c[name] == value for name, value in named if value is not None]
    total = await connection.scalar(select(func.count()).select_from(_LINKS).where(*which))
    page = select(*(_LINKS.c[name] for name in LinkRow.__slots__)).where(*which)
    page = page.order_by(_LINKS.c.source, _LINKS.c.employee_key, _LINKS.c.valid_from).limit(limit).offset(offset)
    return total or 0, [LinkRow(*row) for row in await connection.execute(page)]


async def end_link(connection: AsyncConnection, row: LinkRow, last: dt.date | None) -> None:
    """Change the last day of a link."""
    which = (_LINKS.c.source == row.source, _LINKS.c.employee_key == row.employee_key)
    await connection.execute(update(_LINKS).where(*which, _LINKS.c.valid_from == row.valid_from).values(valid_to=last))


async def names_of(connection: AsyncConnection, numbers: Sequence[str]) -> dict[str, str]:
    """Names of employees by number."""
    which = select(employees.c.id, employees.c.name).where(employees.c.id.in_(list(numbers)))
    return {row.id: row.name for row in await connection.execute(which)}


async def put_link(connection: AsyncConnection, row: LinkRow) -> None:
    """Add a link."""
    await connection.execute(insert(_LINKS).values({name: getattr(row, name) for name in LinkRow.__slots__}))


async def drop_link(connection: AsyncConnection, source: str, key: str, valid_from: dt.date) -> bool:
    """Whether there was such a link; there is none any more."""
    which = (_LINKS.c.source == source, _LINKS.c.employee_key == key, _LINKS.c.valid_from == valid_from)
    return (await connection.execute(delete(_LINKS).where(*which))).rowcount == 1


async def is_employee(connection: AsyncConnection, number: str) -> bool:
    """Whether there is such an employee."""
    return await connection.scalar(select(employees.c.id).where(employees.c.id == number)) is not None


async def like(connection: AsyncConnection, keys: Sequence[str]) -> dict[str, list[str]]:
    """Employees whose number or name is exactly that, by it."""
    found: dict[str, list[str]] = {}
    which = select(employees.c.id, employees.c.name).where(
        or_(employees.c.id.in_(list(keys)), employees.c.name.in_(list(keys)))
    )
    for number, name in await connection.execute(which.order_by(employees.c.id)):
        for key in {number, name} & set(keys):
            found.setdefault(key, []).append(number)
    return found


async def rows_of(connection: AsyncConnection, table: Table, source: str, key: str) -> list[Any]:
    """Rows that name the id: their key, when they happened or came, and whose they are."""
    columns = (table.c.source_key, table.c.occurred_at_ms, table.c.changed_ms, table.c.employee)
    return list(await connection.execute(select(*columns).where(table.c.source == source, table.c.employee_key == key)))


async def set_people(
    connection: AsyncConnection, table: Table, source: str, people: Sequence[tuple[str, str | None]]
) -> None:
    """Whose rows these are."""
    statement = (
        update(table)
        .where(table.c.source == source, table.c.source_key == bindparam("own_key"))
        .values(employee=bindparam("whose"))
    )
    await connection.execute(statement, [{"own_key": key, "whose": person} for key, person in people])
