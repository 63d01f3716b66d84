"""Where the company is: days of payments and the like are its own, whichever source tells of them."""

from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import sites


async def company_zone(connection: AsyncConnection) -> ZoneInfo:
    """Zone of the company: that of its first site."""
    name = await connection.scalar(select(sites.c.zone).order_by(sites.c.id).limit(1))
    return ZoneInfo(name or "Asia/Shanghai")
