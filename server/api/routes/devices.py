"""Gateways, terminals, scanners and their alarms."""

from fastapi import APIRouter

from server.api.context import ContextDep
from server.api.guards import DeviceReader
from server.api.views import DevicesView

router = APIRouter(prefix="/api", tags=["devices"])


@router.get("/devices")
async def devices(viewer: DeviceReader, context: ContextDep) -> DevicesView:
    """Every gateway and terminal with what needs a person."""
    raise NotImplementedError
