"""Statements that run after every event: written down once, which takes longer than running most of them."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import ClauseElement, CursorResult, Dialect, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Write: TypeAlias = Callable[..., ClauseElement]
"""Makes a statement in which ``bindparam`` names what is told each time; equal ones make the same of the same terms."""


async def run(connection: AsyncConnection, write: Write, *terms: Hashable, **told: Any) -> CursorResult[Any]:
    """Run what ``write`` makes of these terms. Values go to the driver and come from it as they are: JSON as text."""
    sql, names, known = _written(connection.dialect, write, *terms)
    values = {**known, **told}
    return await connection.exec_driver_sql(sql, tuple(values[name] for name in names))


async def upsert(
    connection: AsyncConnection, table: Table, key: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows, all with the same columns, and replace those that are there; values as in ``run``."""
    if rows:
        sql, names, _ = _written(connection.dialect, _upsert, connection.dialect.name, table, key, tuple(rows[0]))
        await connection.exec_driver_sql(sql, [tuple(row[name] for name in names) for row in rows])


def _upsert(dialect: str, table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> ClauseElement:
    insert = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    statement = insert.values({name: bindparam(name, None) for name in columns})
    changed = {name: statement.excluded[name] for name in columns if name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


@lru_cache(maxsize=256)
def _written(dialect: Dialect, write: Write, *terms: Hashable) -> tuple[str, Sequence[str], Mapping[str, Any]]:
    """Text, names of its values in order, and those that are known."""
    compiled: Any = write(*terms).compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return compiled.string, tuple(compiled.positiontup), compiled.params
