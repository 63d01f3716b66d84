"""What pages follow: one row per topic and committed result, in commit order."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, Insert, Text, bindparam, delete, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.ready import run
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
    wanted = sorted(set(topics))
    if not wanted:
        return
    if connection.dialect.name == "postgresql":
        await run(connection, _locked_insert, topics=wanted, at_ms=at_ms)
    else:
        await connection.execute(changes.insert(), [{"topic": topic, "at_ms": at_ms} for topic in wanted])


def _locked_insert() -> Insert:
    """The lock is taken before the first row is made, and with it an id."""
    held = select(func.pg_advisory_xact_lock(FEED_LOCK)).offset(0).subquery("held")
    told = func.unnest(bindparam("topics", None, ARRAY(Text))).table_valued("topic", name="told").render_derived()
    rows = select(told.c.topic, bindparam("at_ms", None, BigInteger)).select_from(held.join(told, true()))
    return changes.insert().from_select(["topic", "at_ms"], rows)


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
