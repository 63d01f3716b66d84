"""Rows that indicators count, as plain values: for counting in Python, and for showing what is behind a number."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.indicator import Level
from server.scoring.plain import Row, UnitOf, Value, When
from server.store.counted_facts import counted_fact
from server.store.counted_pass import COMPANY
from server.store.tables import departments, employees, sites


async def counted_rows(connection: AsyncConnection, fact: str, when: When) -> list[Row]:
    """All rows of a fact with every field, as they are read for a period."""
    known = counted_fact(fact, when.days.months, when.zone, when.days.last.year)
    columns = [column.label(name) for name, column in known.fields.items()]
    flags = [name for name, kind in known.shape.items() if kind == "flag"]
    return [_plain(row._mapping, flags) for row in await connection.execute(select(*columns))]  # noqa: SLF001


async def units_of(connection: AsyncConnection, level: Level) -> UnitOf:
    """Which units a row counts for at a level."""
    people = {row.id: row for row in await connection.execute(select(employees))}
    above = {row.id: row.parent for row in await connection.execute(select(departments))}
    places = {row.id for row in await connection.execute(select(sites.c.id))}

    def department(row: Row, person: Value) -> Iterable[str]:
        found = people[person].department if person in people else row["org_key"]
        while found in above:
            yield str(found)
            found = above[found]

    def site(row: Row, _person: Value) -> Iterable[str]:
        known = next((name for name in (row.get("site_key"), row["org_key"]) if name in places), None)
        return [] if known is None else [str(known)]

    ways: Mapping[Level, Callable[[Row, Value], Iterable[str]]] = {
        "person": lambda _, person: [] if person is None else [str(person)],
        "department": department,
        "site": site,
        "company": lambda _row, _person: [COMPANY],
    }
    return ways[level]


def _plain(row: Mapping[Any, Any], flags: list[str]) -> Row:
    values = dict(row)
    for name in flags:
        values[name] = None if values[name] is None else bool(values[name])
    return values
