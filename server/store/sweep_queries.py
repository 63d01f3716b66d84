"""How far time itself has been worked through: shifts that end and parcels that come due without an event."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import followers
from server.store.upsert import insert_into
from shared.clock import WallMs

SWEEP = "sweep:"
"""Before the names of what is no watermark of the feed."""


async def swept_until(connection: AsyncConnection, name: str) -> WallMs | None:
    """Instant up to which this sweep has looked; None before its first time."""
    wanted = select(followers.c.feed_id).where(followers.c.name == f"{SWEEP}{name}")
    at_ms: int | None = await connection.scalar(wanted)
    return at_ms


async def set_swept(connection: AsyncConnection, name: str, at_ms: WallMs) -> None:
    """Remember how far this sweep has looked, beside the watermarks of those who follow the feed."""
    statement = insert_into(connection, followers).values(name=f"{SWEEP}{name}", feed_id=at_ms)
    changed = {"feed_id": statement.excluded.feed_id}
    await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))
