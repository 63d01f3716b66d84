"""For monitors."""

from fastapi import APIRouter

from server.api.context import ContextDep
from server.api.guards import public
from server.api.views import HealthView

router = APIRouter(tags=["health"])


@router.get("/health", dependencies=[public])
async def health(context: ContextDep) -> HealthView:
    """Whether pages are live and ingest works; no personal data."""
    raise NotImplementedError
