"""Gateways, terminals, scanners and their alarms."""

from fastapi import APIRouter

from server.api.answers import devices as answers
from server.api.context import ContextDep
from server.api.guards import requires
from server.api.views.devices import DevicesView

router = APIRouter(prefix="/api", tags=["devices"])


@router.get("/devices", dependencies=[requires("devices.read")])
async def devices(context: ContextDep) -> DevicesView:
    """Every gateway and terminal with what needs a person."""
    return await answers.devices(context)
