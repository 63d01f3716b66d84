"""Parcels whose carrier has to be asked how far they are."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.fact_tables import FACT_TABLES
from shared.clock import WallMs

ENDED = ("delivered", "refused", "returned", "cancelled")


async def open_parcels(
    connection: AsyncConnection, source: str, carriers: Sequence[str], since_ms: WallMs
) -> list[str]:
    """Tracking numbers, in order, that other sources have sent since then and that have not ended.

    ``source`` is who asks: what it knows to have ended is asked for no more, whatever an ERP still says.
    """
    table = FACT_TABLES["shipment"]
    live = (table.c.tracking_no.is_not(None), table.c.deleted.is_(False))
    ended = select(table.c.tracking_no).where(*live, table.c.source == source, table.c.status.in_(ENDED))
    which = select(table.c.tracking_no).where(
        *live,
        table.c.source != source,
        table.c.status.not_in(ENDED),
        table.c.first_seen_ms >= since_ms,
        table.c.tracking_no.not_in(ended),
    )
    if carriers:
        which = which.where(table.c.carrier_code.in_(list(carriers)))
    return list(await connection.scalars(which.distinct().order_by(table.c.tracking_no)))
