"""Statements that run after every event: written down once, which takes longer than running most of them."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    ARRAY,
    JSON,
    ClauseElement,
    ColumnElement,
    CursorResult,
    Dialect,
    Table,
    Text,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Write: TypeAlias = Callable[..., ClauseElement]
"""Makes a statement in which ``bindparam`` names what is told each time; equal ones make the same of the same terms."""


async def run(connection: AsyncConnection, write: Write, *terms: Hashable, **told: Any) -> CursorResult[Any]:
    """Run what ``write`` makes of these terms. Values go to the driver and come from it as they are: JSON as text."""
    sql, names, known = _written(connection.dialect, write, *terms)
    values = {**known, **told}
    return await connection.exec_driver_sql(sql, tuple(values[name] for name in names))


class Rows(NamedTuple):
    """Rows of a table, all with the same columns, and by which columns one is the same as one that is there."""

    table: Table
    key: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]]


async def upsert(connection: AsyncConnection, *wanted: Rows) -> None:
    """Insert rows, and replace those that are there; values as in ``run``. No table may need another's rows."""
    some = [one for one in wanted if one.rows]
    if connection.dialect.name == "sqlite":
        for table, key, rows in some:
            sql, names, _ = _written(connection.dialect, _upsert, table, key, tuple(rows[0]))
            await connection.exec_driver_sql(sql, [tuple(row[name] for name in names) for row in rows])
    elif some:
        shapes = [(table, key, tuple(rows[0])) for table, key, rows in some]
        columns = {_name(one.table, name): [row[name] for row in one.rows] for one in some for name in one.rows[0]}
        await run(connection, _upsert_all, *shapes, **columns)


def _upsert(table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> ClauseElement:
    insert = sqlite.insert(table).values({name: bindparam(name, None) for name in columns})
    return insert.on_conflict_do_update(index_elements=key, set_=_replaced(insert, key, columns))


def _upsert_all(*shapes: tuple[Table, tuple[str, ...], tuple[str, ...]]) -> ClauseElement:
    """One statement for all tables, each column as an array: to ask once more takes longer than to write a row."""
    inserts = []
    for table, key, columns in shapes:
        kinds = [Text() if isinstance(table.c[name].type, JSON) else table.c[name].type for name in columns]
        arrays = [bindparam(_name(table, name), None, ARRAY(kind)) for name, kind in zip(columns, kinds, strict=True)]
        told = func.unnest(*arrays).table_valued(*columns, name=f"told_{table.name}").render_derived()
        insert = postgresql.insert(table).from_select(
            columns, select(*(cast(told.c[n], table.c[n].type) for n in columns))
        )
        inserts.append(insert.on_conflict_do_update(index_elements=key, set_=_replaced(insert, key, columns)))
    *before, last = inserts
    return last.add_cte(*(one.cte(f"put_{place}") for place, one in enumerate(before)))


def _replaced(
    insert: sqlite.Insert | postgresql.Insert, key: tuple[str, ...], columns: tuple[str, ...]
) -> dict[str, ColumnElement[Any]]:
    return {name: insert.excluded[name] for name in columns if name not in key}


def _name(table: Table, column: str) -> str:
    return f"{table.name}_{column}"


@lru_cache(maxsize=256)
def _written(dialect: Dialect, write: Write, *terms: Hashable) -> tuple[str, Sequence[str], Mapping[str, Any]]:
    """Text, names of its values in order, and those that are known."""
    compiled: Any = write(*terms).compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return compiled.string, tuple(compiled.positiontup), compiled.params
