"""What could not be read, and what people did."""

from fastapi import APIRouter

from server.api.context import ContextDep
from server.api.guards import Administrator, QuarantineReader
from server.api.paging import Limit, Offset
from server.api.views import OperationsView, QuarantineView

router = APIRouter(prefix="/api", tags=["logs"])


@router.get("/quarantine")
async def quarantine(
    viewer: QuarantineReader, context: ContextDep, limit: Limit = 50, offset: Offset = 0
) -> QuarantineView:
    """Messages and events that could not be stored, newest first."""
    raise NotImplementedError


@router.get("/operations")
async def operations(
    viewer: Administrator, context: ContextDep, limit: Limit = 50, offset: Offset = 0
) -> OperationsView:
    """The operation log, newest first."""
    raise NotImplementedError
