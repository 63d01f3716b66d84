"""Whether things move, for monitors; nothing here is about a person."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import feed
from shared.clock import WallMs


async def newest_arrival(connection: AsyncConnection) -> WallMs | None:
    """When the newest events were stored; None when there are none."""
    arrived: WallMs | None = await connection.scalar(select(feed.c.received_ms).order_by(feed.c.id.desc()).limit(1))
    return arrived
