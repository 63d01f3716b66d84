"""Whose rows they are, by whatever column says so."""

from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.facts.resolved import OWNERS
from server.store.fact_tables import FACT_TABLES


async def owners(connection: AsyncConnection, fact: str, keys: Collection[tuple[str, str]]) -> set[str]:
    """People whom rows of a fact are of, by source and key."""
    table = FACT_TABLES[fact].c
    columns = [column for column in table if column.name in OWNERS or column.name == "employee"]
    by_source: dict[str, list[str]] = {}
    for source, key in sorted(keys):
        by_source.setdefault(source, []).append(key)
    found: set[str] = set()
    for source, own in by_source.items():
        rows = await connection.execute(select(*columns).where(table.source == source, table.source_key.in_(own)))
        found |= {person for row in rows for person in _named(row)}
    return found


def _named(row: Iterable[str | None]) -> Iterable[str]:
    return (person for person in row if person is not None)
