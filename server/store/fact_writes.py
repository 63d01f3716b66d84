"""Writing many rows of a fact at once: one interface, a way for each database.

Rows go to the driver as they are, since binding each value by its column's type costs more than writing it.
"""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Column, Date, MetaData, Table, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.upsert import insert_into

BLOCK = 512
"""Rows of one statement: SQLite takes 32,766 values. A power of two, so that few statements have to be prepared."""
_KEPT = ("source", "source_key", "first_seen_ms")
"""Columns that stay when a row is replaced."""
_Insert: TypeAlias = sqlite.Insert | postgresql.Insert


async def put_rows(
    connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Add rows, or replace those of the same key; one that was replaced meanwhile by a newer one stays.

    ``rows`` have their values in the order of ``columns``, days as dates.
    """
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        await _in_blocks(connection, table, columns, rows)
    else:
        await _copied(connection, table, columns, rows)


async def _in_blocks(
    connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Many rows with each statement: while SQLite works on one, the other threads of the process go on.

    Columns that no row fills are not named, half of them with most sources: to hand on nothing takes time too.
    """
    filled = [place for place in range(len(columns)) if any(row[place] is not None for row in rows)]
    pick, names = itemgetter(*filled), tuple(columns[place] for place in filled)
    start, block = 0, BLOCK
    while start < len(rows):
        while block > len(rows) - start:
            block //= 2
        values = _flat(table, names, map(pick, rows[start : start + block]))
        await connection.exec_driver_sql(_statement(table, tuple(columns), names, block), values)
        start += block


def _flat(table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
    """All values one after the other, days as SQLite keeps them."""
    values = list(chain.from_iterable(rows))
    for place, name in enumerate(columns):
        if isinstance(table.c[name].type, Date):
            days = values[place :: len(columns)]
            values[place :: len(columns)] = [None if day is None else day.isoformat() for day in days]
    return tuple(values)


@lru_cache(maxsize=256)
def _statement(table: Table, columns: tuple[str, ...], filled: tuple[str, ...], rows: int) -> str:
    """For SQLite, an upsert of so many rows of ``columns``, of which those that are not ``filled`` are empty."""
    marks = f"({', '.join('?' * len(filled))})"
    values = text("VALUES " + ", ".join([marks] * rows)).columns(*(table.c[name] for name in filled))
    insert = sqlite.insert(table).from_select(list(filled), values, include_defaults=False)
    return str(_or_replace(insert, table, columns).compile(dialect=sqlite.dialect()))


async def _copied(
    connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """COPY into a table of this connection alone, which a commit empties, then one statement from there."""
    incoming = _incoming(table, tuple(columns))
    like = f'CREATE TEMP TABLE IF NOT EXISTS "{incoming.name}" (LIKE "{table.name}") ON COMMIT DELETE ROWS'
    await connection.execute(text(like))
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(incoming.name, records=rows, columns=list(columns))
    insert = insert_into(connection, table).from_select(list(columns), select(*incoming.c))
    await connection.execute(_or_replace(insert, table, columns))
    await connection.execute(incoming.delete())  # the transaction may bring further pages


@cache
def _incoming(table: Table, columns: tuple[str, ...]) -> Table:
    """Made once: statements about one more such table would be compiled anew, and kept with those before."""
    return Table(f"incoming_{table.name}", MetaData(), *(Column(name, table.c[name].type) for name in columns))


def _or_replace(insert: _Insert, table: Table, columns: Sequence[str]) -> _Insert:
    stored, new = table.c.source_updated_at_ms, insert.excluded.source_updated_at_ms
    return insert.on_conflict_do_update(
        index_elements=["source", "source_key"],
        set_={name: insert.excluded[name] for name in columns if name not in _KEPT},
        where=stored.is_(None) | new.is_(None) | (new >= stored),
    )
