"""How often each punch and scan is stored, for a reconciliation. Counts only, so none takes a scope."""

from collections import Counter
from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import punches, quarantine, scans, scorecards, touched_days, touched_scores


async def punch_counts(connection: AsyncConnection, terminals: Collection[str]) -> Counter[tuple[str, str, int]]:
    """Rows by (terminal, user, device second); more than one is a fault."""
    key = (punches.c.terminal, punches.c.user_code, punches.c.at_device)
    rows = await connection.execute(select(*key, func.count()).where(punches.c.terminal.in_(terminals)).group_by(*key))
    return Counter({(terminal, user, second): times for terminal, user, second, times in rows})


async def scan_counts(connection: AsyncConnection, stations: Collection[str]) -> Counter[tuple[str, str]]:
    """Rows by (station, code)."""
    key = (scans.c.station, scans.c.code)
    rows = await connection.execute(select(*key, func.count()).where(scans.c.station.in_(stations)).group_by(*key))
    return Counter({(station, code): times for station, code, times in rows})


async def quarantined(connection: AsyncConnection, gateways: Collection[str]) -> int:
    """Rows in quarantine that came from these gateways."""
    rows = select(func.count()).select_from(quarantine).where(quarantine.c.gateway.in_(gateways))
    return await connection.scalar(rows) or 0


async def scorecard_count(connection: AsyncConnection) -> int:
    """Scorecards there are, with and without a total."""
    return await connection.scalar(select(func.count()).select_from(scorecards)) or 0


async def waiting_results(connection: AsyncConnection) -> int:
    """Employee-days and scores that are marked for computing."""
    days = await connection.scalar(select(func.count()).select_from(touched_days)) or 0
    return days + (await connection.scalar(select(func.count()).select_from(touched_scores)) or 0)
