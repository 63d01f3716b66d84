"""Closed months."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.closing import Month
from server.store.closing_tables import closings
from shared.clock import WallMs


async def closed_months(connection: AsyncConnection) -> dict[Month, WallMs]:
    """When each month that is closed was closed; months are the company's, so nobody's scope narrows them."""
    closed = select(closings.c.month, closings.c.closed_ms).where(closings.c.reopened_ms.is_(None))
    return {row.month: row.closed_ms for row in await connection.execute(closed)}
