"""Writing many rows of a fact at once: one interface, a way for each database.

Rows go to the driver as they are, since binding each value by its column's type costs more than writing it.
"""

from collections.abc import Sequence
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Column, Date, MetaData, Table, bindparam, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from server.store.upsert import insert_into

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
        await _each(connection, table, columns, rows)
    else:
        await _copied(connection, table, columns, rows)


async def _each(
    connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """One prepared statement."""
    statement, order = _prepared(table, tuple(columns))
    days = [place for place in order if isinstance(table.c[columns[place]].type, Date)]
    pick = itemgetter(*order)
    await connection.exec_driver_sql(statement, [pick(_with_texts(row, days)) for row in rows])


@cache
def _prepared(table: Table, columns: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """The statement for SQLite, and in which order it takes the columns."""
    insert = sqlite.insert(table).values({name: bindparam(name) for name in columns})
    compiled = _or_replace(insert, table, columns).compile(dialect=sqlite.dialect(paramstyle="qmark"))
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  (a statement is never anything else)
    return str(compiled), tuple(columns.index(name) for name in compiled.positiontup or ())


async def _copied(
    connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """COPY into a table of this connection alone, which a commit empties, then one statement from there."""
    incoming = Table(f"incoming_{table.name}", MetaData(), *(Column(name, table.c[name].type) for name in columns))
    like = f'CREATE TEMP TABLE IF NOT EXISTS "{incoming.name}" (LIKE "{table.name}") ON COMMIT DELETE ROWS'
    await connection.execute(text(like))
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(incoming.name, records=rows, columns=list(columns))
    insert = insert_into(connection, table).from_select(list(columns), select(*incoming.c))
    await connection.execute(_or_replace(insert, table, columns))
    await connection.execute(incoming.delete())  # the transaction may bring further pages


def _or_replace(insert: _Insert, table: Table, columns: Sequence[str]) -> _Insert:
    stored, new = table.c.source_updated_at_ms, insert.excluded.source_updated_at_ms
    return insert.on_conflict_do_update(
        index_elements=["source", "source_key"],
        set_={name: insert.excluded[name] for name in columns if name not in _KEPT},
        where=stored.is_(None) | new.is_(None) | (new >= stored),
    )


def _with_texts(row: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    """With days as SQLite keeps them."""
    values = list(row)
    for place in places:
        if values[place] is not None:
            values[place] = values[place].isoformat()
    return values
