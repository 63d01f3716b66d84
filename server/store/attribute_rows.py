"""Writing attributes of rows that are stored already."""

from collections.abc import Sequence

from sqlalchemy import Table, bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.facts.resolve.rule import Row


async def write_attributes(connection: AsyncConnection, table: Table, changed: Sequence[tuple[Row, Row]]) -> list[Row]:
    """Write pairs of a row and its new attributes, of the same names; the rows as they were and as they are."""
    if not changed:
        return []
    names = sorted(changed[0][1])
    statement = (
        update(table)
        .where(table.c.source == bindparam("own_source"), table.c.source_key == bindparam("own_key"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    values = [
        {"own_source": row["source"], "own_key": row["source_key"]} | {f"new_{name}": new[name] for name in names}
        for row, new in changed
    ]
    await connection.execute(statement, values)
    return [side for row, new in changed for side in (row, {**row, **new})]
