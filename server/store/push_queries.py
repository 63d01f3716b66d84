"""Calls of programs and vendors: nonces and answers that are remembered, bodies that wait to be worked on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.source_tables import hook_bodies, push_nonces, push_replies
from server.store.upsert import insert_into
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class KeptReply:
    """An answer, and the body that it was to."""

    body_sha256: bytes
    reply: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HookBody:
    """A vendor's call that waits."""

    id: int
    source: str
    received_ms: WallMs
    body: bytes
    """As kept: sealed where it may carry pay."""


async def calls_since(connection: AsyncConnection, source: str, since_ms: WallMs) -> int:
    """How often a source has called."""
    which = select(func.count()).select_from(push_nonces)
    return await connection.scalar(which.where(push_nonces.c.source == source, push_nonces.c.at_ms > since_ms)) or 0


async def take_nonce(connection: AsyncConnection, source: str, nonce: str, at_ms: WallMs) -> bool:
    """Whether the nonce is new; from now on it is not."""
    statement = insert_into(connection, push_nonces).values(source=source, nonce=nonce, at_ms=at_ms)
    return (await connection.execute(statement.on_conflict_do_nothing())).rowcount == 1


async def reply_of(connection: AsyncConnection, source: str, key: str) -> KeptReply | None:
    """What was answered when that key came."""
    columns = (push_replies.c.body_sha256, push_replies.c.reply)
    which = select(*columns).where(push_replies.c.source == source, push_replies.c.key == key)
    row = (await connection.execute(which)).first()
    return None if row is None else KeptReply(*row)


async def keep_reply(connection: AsyncConnection, source: str, key: str, kept: KeptReply, at_ms: WallMs) -> None:
    """Remember what was answered."""
    values = {"source": source, "key": key, "at_ms": at_ms, **asdict(kept)}
    await connection.execute(insert(push_replies).values(values))


async def keep_body(
    connection: AsyncConnection, *, source: str, vendor: str, delivery: str | None, body: bytes, at_ms: WallMs
) -> bool:
    """Keep a vendor's call to be worked on; False where it is one that came before."""
    values = {"source": source, "vendor": vendor, "delivery": delivery, "body": body, "received_ms": at_ms}
    statement = insert_into(connection, hook_bodies).values(values)
    return (await connection.execute(statement.on_conflict_do_nothing())).rowcount == 1


async def waiting_bodies(connection: AsyncConnection, limit: int) -> list[HookBody]:
    """Calls that nobody has worked on, oldest first."""
    columns = (hook_bodies.c.id, hook_bodies.c.source, hook_bodies.c.received_ms, hook_bodies.c.body)
    which = select(*columns).where(hook_bodies.c.done_ms.is_(None)).order_by(hook_bodies.c.id).limit(limit)
    return [HookBody(*row) for row in await connection.execute(which)]


async def set_body_done(connection: AsyncConnection, number: int, at_ms: WallMs, error: str | None) -> bool:
    """A call has been worked on, or could not be; False where another process was faster."""
    which = update(hook_bodies).where(hook_bodies.c.id == number, hook_bodies.c.done_ms.is_(None))
    return (await connection.execute(which.values(done_ms=at_ms, error=error))).rowcount == 1


async def wait_again(connection: AsyncConnection, source: str) -> int:
    """Calls that could not be worked on are tried once more; how many."""
    which = update(hook_bodies).where(hook_bodies.c.source == source, hook_bodies.c.error.is_not(None))
    return (await connection.execute(which.values(done_ms=None, error=None))).rowcount


async def forget(connection: AsyncConnection, *, nonces_ms: WallMs, replies_ms: WallMs, bodies_ms: WallMs) -> None:
    """Let go of what is older than that; of calls only those that were worked on."""
    await connection.execute(delete(push_nonces).where(push_nonces.c.at_ms < nonces_ms))
    await connection.execute(delete(push_replies).where(push_replies.c.at_ms < replies_ms))
    await connection.execute(delete(hook_bodies).where(hook_bodies.c.done_ms < bodies_ms))
