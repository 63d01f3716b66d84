"""For monitors."""

from fastapi import APIRouter
from sqlalchemy.exc import DBAPIError

from server.api.context import ContextDep
from server.api.guards import public
from server.api.views.live import HealthView
from server.store.health_queries import newest_arrival

STALE_MS = 10_000
"""The hub looks once a second."""

router = APIRouter(tags=["health"])


@router.get("/health", dependencies=[public])
async def health(context: ContextDep) -> HealthView:
    """Whether pages are live and ingest works; no personal data."""
    now_ms = context.clocks.wall_ms()
    looked_ms = context.live.looked_ms if context.live else None
    frame_age_ms = None if looked_ms is None else now_ms - looked_ms
    try:
        async with context.db.reading() as connection:
            arrived_ms = await newest_arrival(connection)
    except (DBAPIError, OSError):  # asyncpg lets a refused connection through as it is
        return HealthView(status="degraded", frame_age_ms=frame_age_ms, ingest_age_ms=None)
    return HealthView(
        status="ok" if frame_age_ms is not None and frame_age_ms < STALE_MS else "degraded",
        frame_age_ms=frame_age_ms,
        ingest_age_ms=None if arrived_ms is None else now_ms - arrived_ms,
    )
