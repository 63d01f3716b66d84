"""Stored scorecards of a period as a full run has to find them again; seen by nobody, so without a scope."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import scorecards, touched_scores
from shared.clock import WallMs


class CardHead(NamedTuple):
    """The total of a stored scorecard."""

    status: str
    total: int | None
    coverage: tuple[int, int]
    computed_ms: WallMs


async def card_heads(connection: AsyncConnection, period: str) -> dict[str, CardHead]:
    """Totals of a period by person, without those that wait to be computed anyway."""
    waits = select(touched_scores.c.employee).where(touched_scores.c.period == period)
    wanted = select(scorecards).where(scorecards.c.period == period, scorecards.c.employee.not_in(waits))
    return {
        row.employee: CardHead(row.status, row.total_centi, (row.coverage_num, row.coverage_den), row.computed_ms)
        for row in await connection.execute(wanted.order_by(scorecards.c.employee))
    }
