"""Where the company is: days of payments and the like are its own, whichever source tells of them."""

from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import sites


async def company_zone(connection: AsyncConnection) -> ZoneInfo:
    """Zone of the company: that of its first site."""
    return zone_named(await connection.scalar(zone_of_company()))


def zone_of_company() -> Select[tuple[str]]:
    """Name of that zone; nothing before the first site."""
    return select(sites.c.zone).order_by(sites.c.id).limit(1)


def zone_named(name: str | None) -> ZoneInfo:
    """The zone of that name; the usual one without."""
    return ZoneInfo(name or "Asia/Shanghai")
