"""Scores of the months that were over before the company had Muster: counted from its systems, and closed."""

import asyncio
from collections.abc import Callable

from sqlalchemy.exc import OperationalError

from muster.business.rows import Span, months_before
from server.access.viewer import Viewer
from server.scoring.cycle import Period, period_on
from server.scoring.window import days_of
from server.services.accounts import Caller
from server.services.act import Act
from server.services.score_periods import ADVISORY, close_period
from server.store import source_queries
from server.store.database import Database
from shared.clock import system_clocks

LOOK_S = 0.5


def past_periods(span: Span) -> list[Period]:
    """Months and whole quarters of the history, oldest first; last month is left for HR to close."""
    left = months_before(span.last, 1)
    months = {f"{first:%Y-%m}" for first in span.months()}
    quarters = {period_on(first, "quarter") for first in span.months()}
    over = [one for one in months | quarters if days_of(one).first >= span.first and days_of(one).last < left]
    return sorted(over, key=lambda one: (days_of(one).last, one))


async def close_past(db: Database, viewer: Viewer, span: Span, tell: Callable[[int], None]) -> None:
    """Close what is over, as ``viewer``, as soon as every source is read; ``tell`` is given how many there were."""
    while await _unread(db):  # noqa: ASYNC110  (another process reads)
        await asyncio.sleep(LOOK_S)
    periods = past_periods(span)
    for period in periods:
        await _close(db, viewer, period)
    tell(len(periods))


async def _close(db: Database, viewer: Viewer, period: Period) -> None:
    """Again and again where the file of the database is held by the server, which has much to store at first."""
    while True:
        act = Act(viewer, Caller("", "", system_clocks().wall_ms()))
        try:
            await close_period(db, act, period, accepted=ADVISORY)
        except OperationalError:
            await asyncio.sleep(LOOK_S)
        else:
            return


async def _unread(db: Database) -> bool:
    """Whether some stream has not been read to its end yet."""
    async with db.reading() as connection:
        return any(stream.last_ok_ms is None for stream in await source_queries.streams_of(connection))
