"""Rows of facts by key: what is stored, what is gone from its source, whose they are."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from msgspec import json
from sqlalchemy import ARRAY, Column, Select, Table, Text, func, literal, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.source_tables import identity_links
from shared.clock import WallMs

_VALUES = 1_000
"""Values of one IN list."""


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


def link_on(links: Iterable[Link], day: date) -> str | None:
    """The person whose id it was on that day."""
    return next(
        (link.employee for link in links if link.valid_from <= day and (link.valid_to is None or day <= link.valid_to)),
        None,
    )


async def stored_rows(
    connection: AsyncConnection, table: Table, source: str, keys: Sequence[str]
) -> dict[str, StoredRow]:
    """Those of a source's rows that exist, by key."""
    columns = (table.c.source_key, table.c.payload_hash, table.c.source_updated_at_ms, table.c.deleted)
    found_by = _by_array if connection.dialect.name == "postgresql" else _by_json
    rows = await connection.execute(found_by(table, columns, source, keys))
    return {key: StoredRow(*rest) for key, *rest in rows}


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


def _by_json(table: Table, columns: Sequence[Column[Any]], source: str, keys: Sequence[str]) -> Select[Any]:
    """All keys as one value: a list of thousands takes longer to be written into a statement than to be looked up."""
    wanted = func.json_each(json.encode(keys).decode()).table_valued("value")
    return select(*columns).where(table.c.source == source, table.c.source_key.in_(select(wanted.c.value)))


def _by_array(table: Table, columns: Sequence[Column[Any]], source: str, keys: Sequence[str]) -> Select[Any]:
    """One look into the primary key for each; of a table that has only just grown PostgreSQL would read all rows."""
    wanted = func.unnest(literal(list(keys), ARRAY(Text))).table_valued("key", name="wanted").render_derived()
    same = (table.c.source == source, table.c.source_key == wanted.c.key)
    row = select(*columns).where(*same).limit(1).lateral("found")
    return select(*row.c).select_from(wanted.join(row, true()))


def _parts(keys: Sequence[str]) -> Iterable[list[str]]:
    return (list(keys[n : n + _VALUES]) for n in range(0, len(keys), _VALUES))
