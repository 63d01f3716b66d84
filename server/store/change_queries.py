"""What pages follow: one row per topic and committed result, in commit order."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import changes
from shared.clock import WallMs

FEED_LOCK = 7_002
"""Advisory lock on PostgreSQL around the ids of ``feed`` and ``changes``: who holds it until the commit makes id order
commit order, and only then may a follower keep an id as its watermark. Take it last, it is held until the commit."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something of this topic is different since ``at_ms``."""

    id: int
    topic: str
    """As in ``server.access.topics``."""
    at_ms: WallMs


async def note_changes(connection: AsyncConnection, topics: Iterable[str], at_ms: WallMs) -> None:
    """Tell followers of these topics; as the last write of a transaction, as it takes the feed lock."""
    rows = [{"topic": topic, "at_ms": at_ms} for topic in sorted(set(topics))]
    if not rows:
        return
    await lock_feed(connection)
    await connection.execute(changes.insert(), rows)


async def changes_after(connection: AsyncConnection, change: int, limit: int) -> list[Change]:
    """Changes with a greater id, oldest first."""
    rows = await connection.execute(select(changes).where(changes.c.id > change).order_by(changes.c.id).limit(limit))
    return [Change(row.id, row.topic, row.at_ms) for row in rows]


async def newest_change(connection: AsyncConnection, topic: str | None = None) -> int:
    """Highest id, of one topic or of all; 0 when there is none."""
    newest = select(func.max(changes.c.id))
    if topic is not None:
        newest = newest.where(changes.c.topic == topic)
    return await connection.scalar(newest) or 0


async def forget_changes(connection: AsyncConnection, before_ms: WallMs) -> int:
    """Delete what is older; how many. The newest stays: SQLite would else give its id again."""
    newest = select(func.max(changes.c.id)).scalar_subquery()
    gone = await connection.execute(delete(changes).where(changes.c.at_ms < before_ms, changes.c.id < newest))
    return gone.rowcount


async def lock_feed(connection: AsyncConnection) -> None:
    """Hold the feed lock until this transaction ends; on SQLite the one writer holds it anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(FEED_LOCK)))
