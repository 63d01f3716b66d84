"""The operation log: append only, each entry hashed over the one before it, numbered without gaps by one writer."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import operation_log
from shared.clock import WallMs

LOG_LOCK = 7_003
"""Advisory lock on PostgreSQL: whoever appends holds it until the commit, so that the chain has no forks."""

FIRST_HASH = bytes(32)

LATEST = 500
"""Entries that are looked through for one of a moment ago."""

Detail: TypeAlias = Mapping[str, str | int | bool | Sequence[str] | None]
"""Facts of an operation; no secrets, no pay data."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to which object, and how it ended."""

    at_ms: WallMs
    actor: str
    """A login, or ``cli``, or ``system``."""
    action: str
    object: str
    result: Literal["done", "refused"] = "done"
    ip: str | None = None
    request_id: str | None = None
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An entry as it is shown."""

    id: int
    at_ms: WallMs
    actor: str
    action: str
    object: str
    result: str


def chained_hash(previous: bytes, number: int, entry: Entry) -> bytes:
    """SHA-256 over the previous hash and a canonical encoding of the numbered entry."""
    fields = msgspec.to_builtins(entry)
    return hashlib.sha256(previous + msgspec.json.encode([number, fields], order="sorted")).digest()


async def append(connection: AsyncConnection, entry: Entry) -> None:
    """Add an entry; others that append wait until this transaction ends, so do it late in the transaction."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(LOG_LOCK)))
    newest = select(operation_log.c.id, operation_log.c.hash).order_by(operation_log.c.id.desc()).limit(1)
    last = (await connection.execute(newest)).first()
    number, previous = (last.id + 1, last.hash) if last is not None else (1, FIRST_HASH)
    values = msgspec.to_builtins(entry)
    await connection.execute(
        operation_log.insert().values(
            id=number, **values, previous_hash=previous, hash=chained_hash(previous, number, entry)
        )
    )


async def operation_rows(connection: AsyncConnection, limit: int, offset: int = 0) -> tuple[int, list[OperationRow]]:
    """How many entries there are, and a page of them, newest first."""
    columns = [operation_log.c[name] for name in ("id", "at_ms", "actor", "action", "object", "result")]
    total = await connection.scalar(select(func.count()).select_from(operation_log))
    rows = await connection.execute(select(*columns).order_by(operation_log.c.id.desc()).limit(limit).offset(offset))
    return total or 0, [OperationRow(*row) for row in rows]


async def entries_about(
    connection: AsyncConnection, about: str, actions: Sequence[str], limit: int = 50
) -> list[Entry]:
    """The newest entries about an object, of these actions."""
    table = operation_log
    which = select(table).where(table.c.object == about, table.c.action.in_(list(actions)))
    return [_entry(row) for row in await connection.execute(which.order_by(table.c.id.desc()).limit(limit))]


async def repeated(connection: AsyncConnection, entry: Entry, since_ms: WallMs) -> list[Entry]:
    """What the same person did to the same object since then, among the newest LATEST entries, newest first."""
    newest = select(operation_log).order_by(operation_log.c.id.desc()).limit(LATEST).subquery()
    same = (newest.c[name] == getattr(entry, name) for name in ("actor", "action", "object", "result"))
    which = select(newest).where(*same, newest.c.at_ms >= since_ms).order_by(newest.c.id.desc())
    return [_entry(row) for row in await connection.execute(which)]


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.at_ms, row.actor, row.action, row.object, row.result, row.ip, row.request_id, row.detail)


async def first_broken_entry(connection: AsyncConnection) -> int | None:
    """Number of the first entry that was changed, removed, inserted or moved; None when the chain holds.

    A chain cut off at its end still holds, and who owns the database can rewrite all of it: both need a copy elsewhere.
    """
    number, previous = 0, FIRST_HASH
    rows = await connection.stream(select(operation_log).order_by(operation_log.c.id))
    async for row in rows:
        number += 1
        entry = _entry(row)
        expected = chained_hash(previous, number, entry)
        if (row.id, row.previous_hash, row.hash) != (number, previous, expected):
            return number
        previous = expected
    return None
