"""Rows of facts by key: what is stored, what replaces it, what is gone from its source."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Date, Table, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from server.store.source_tables import identity_links
from server.store.upsert import insert_into
from shared.clock import WallMs

_VALUES = 1_000
"""Values of one IN list."""
_KEPT = ("source", "source_key", "first_seen_ms")


class StoredRow(NamedTuple):
    """What has to be known of a stored row to tell whether another one replaces it."""

    payload_hash: bytes
    source_updated_at_ms: WallMs | None
    deleted: bool


class Link(NamedTuple):
    """Whose id in a source it is, on which days; both inclusive."""

    valid_from: date
    valid_to: date | None
    employee: str


async def stored_rows(
    connection: AsyncConnection, table: Table, source: str, keys: Sequence[str]
) -> dict[str, StoredRow]:
    """Those of a source's rows that exist, by key."""
    columns = (table.c.source_key, table.c.payload_hash, table.c.source_updated_at_ms, table.c.deleted)
    found: dict[str, StoredRow] = {}
    for part in _parts(keys):
        rows = await connection.execute(select(*columns).where(table.c.source == source, table.c.source_key.in_(part)))
        found.update((key, StoredRow(*rest)) for key, *rest in rows)
    return found


async def put_rows(
    connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Add rows, or replace those of the same key; one that was replaced meanwhile by a newer one stays.

    ``rows`` have their values in the order of ``columns``, days as dates. They go to the driver as they are, since
    binding each value by its column's type costs more than writing it.
    """
    if not rows:
        return
    statement, order = _upsert(connection, table, tuple(columns))
    if connection.dialect.name == "sqlite":
        days = [place for place in order if isinstance(table.c[columns[place]].type, Date)]
        rows = [_with_texts(row, days) for row in rows]
    pick = itemgetter(*order)
    await connection.exec_driver_sql(statement, [pick(row) for row in rows])


def _upsert(connection: AsyncConnection, table: Table, columns: tuple[str, ...]) -> tuple[str, list[int]]:
    """The statement as text, and which column each of its values is."""
    insert = insert_into(connection, table).values({name: bindparam(name) for name in columns})
    replaced = {name: insert.excluded[name] for name in columns if name not in _KEPT}
    stored, new = table.c.source_updated_at_ms, insert.excluded.source_updated_at_ms
    statement = insert.on_conflict_do_update(
        index_elements=["source", "source_key"], set_=replaced, where=stored.is_(None) | new.is_(None) | (new >= stored)
    )
    compiled = statement.compile(dialect=connection.dialect)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  (a statement is never anything else)
    return str(compiled), [columns.index(name) for name in compiled.positiontup or ()]


def _with_texts(row: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    """With days as SQLite keeps them."""
    values = list(row)
    for place in places:
        if values[place] is not None:
            values[place] = values[place].isoformat()
    return values


async def live_keys(connection: AsyncConnection, table: Table, source: str) -> AsyncIterator[list[str]]:
    """Keys of a source that are not deleted, in order, in parts."""
    after = ""
    while True:
        which = select(table.c.source_key).where(
            table.c.source == source, table.c.source_key > after, table.c.deleted.is_(False)
        )
        keys = list(await connection.scalars(which.order_by(table.c.source_key).limit(_VALUES)))
        if not keys:
            return
        yield keys
        after = keys[-1]


async def count_live(connection: AsyncConnection, table: Table, source: str) -> int:
    """How many rows of a source are not deleted."""
    which = select(func.count()).select_from(table).where(table.c.source == source, table.c.deleted.is_(False))
    return await connection.scalar(which) or 0


async def delete_rows(
    connection: AsyncConnection, table: Table, source: str, keys: Sequence[str], *, run: int, at_ms: WallMs
) -> None:
    """Mark rows as gone from their source; they stay, and come back when the source names them again."""
    values = {"deleted": True, "changed_ms": at_ms, "run": run}
    for part in _parts(keys):
        await connection.execute(
            update(table).where(table.c.source == source, table.c.source_key.in_(part)).values(values)
        )


async def links_of(connection: AsyncConnection, source: str, keys: Iterable[str]) -> dict[str, list[Link]]:
    """Whose ids these are in a source, by id and first day."""
    table = identity_links
    columns = (table.c.employee_key, table.c.valid_from, table.c.valid_to, table.c.employee)
    found: dict[str, list[Link]] = {}
    for part in _parts(sorted(set(keys))):
        which = select(*columns).where(table.c.source == source, table.c.employee_key.in_(part))
        for key, *rest in await connection.execute(which.order_by(table.c.valid_from)):
            found.setdefault(key, []).append(Link(*rest))
    return found


def _parts(keys: Sequence[str]) -> Iterable[list[str]]:
    return (list(keys[n : n + _VALUES]) for n in range(0, len(keys), _VALUES))
