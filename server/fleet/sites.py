"""Depots that gateways and terminals stand in."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from server.store import fleet_queries, log_queries
from server.store.database import Database
from shared.clock import WallMs
from shared.errors import ConfigError


async def put_site(db: Database, actor: str, site: str, names: tuple[str, str], zone: str, *, now_ms: WallMs) -> None:
    """Add a site or change its Chinese and English names and its zone; ConfigError for an unknown zone."""
    name_zh, name_en = names
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"zone {zone!r} is unknown; use an IANA name such as Asia/Shanghai") from error
    async with db.writing() as connection:
        await fleet_queries.put_site(connection, site, name_zh, name_en, zone)
        detail = {"name_zh": name_zh, "name_en": name_en, "zone": zone}
        await log_queries.append(connection, log_queries.Entry(now_ms, actor, "site.put", site, detail=detail))
