"""Rows of business systems that wait for a person, each once."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.fact_rows import short_hash
from server.store.source_tables import fact_quarantine
from server.store.upsert import insert_into
from shared.clock import WallMs

_VALUES = 1_000


class Standing(NamedTuple):
    """What became of a row that waited, and what it was."""

    state: str
    raw: Any
    proposal: int | None

    @property
    def is_settled(self) -> bool:
        """Whether a person has decided about it."""
        return self.state in ("fixed", "accepted", "rejected")


class WaitingRow(NamedTuple):
    """A row to wait; ``raw`` as it may be kept, ``fields`` say what is wrong with it."""

    row_no: int
    source_key: str | None
    raw: Any
    codes: list[str]
    fields: list[dict[str, str]]

    def digest(self, mac: Callable[[bytes], bytes] | None = None) -> bytes:
        """By which the row is known again: its key, or the whole of it where it has none.

        ``mac`` for rows that may hold what is kept encrypted.
        """
        told = [self.source_key] if self.source_key is not None else [None, self.raw]
        return short_hash(msgspec.json.encode(told), mac)


async def standings(
    connection: AsyncConnection, source: str, stream: str, digests: Sequence[bytes]
) -> dict[bytes, Standing]:
    """What became of those rows that waited before."""
    table = fact_quarantine
    found: dict[bytes, Standing] = {}
    for n in range(0, len(digests), _VALUES):
        which = select(table.c.digest, table.c.state, table.c.raw, table.c.proposal).where(
            table.c.source == source, table.c.stream == stream, table.c.digest.in_(digests[n : n + _VALUES])
        )
        found.update((digest, Standing(*rest)) for digest, *rest in await connection.execute(which))
    return found


async def put_waiting(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Let rows wait, or bring those that do up to date; when they were first seen stays."""
    if not rows:
        return
    insert = insert_into(connection, fact_quarantine)
    kept = ("source", "stream", "digest", "first_seen_ms", "assigned_to", "note")
    replaced = {name: insert.excluded[name] for name in rows[0] if name not in kept}
    statement = insert.on_conflict_do_update(index_elements=["source", "stream", "digest"], set_=replaced)
    await connection.execute(statement, rows)


async def supersede(connection: AsyncConnection, source: str, stream: str, keys: Sequence[str], at_ms: WallMs) -> None:
    """The source has put these rows right itself."""
    table = fact_quarantine
    waits = (table.c.source == source, table.c.stream == stream, table.c.state == "open")
    if await connection.scalar(select(table.c.id).where(*waits).limit(1)) is None:
        return
    for n in range(0, len(keys), _VALUES):
        which = update(table).where(*waits, table.c.source_key.in_(keys[n : n + _VALUES]))
        await connection.execute(which.values(state="superseded", decided_ms=at_ms))
