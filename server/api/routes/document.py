"""The OpenAPI document, for administrators: it tells an outsider where to look."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from server.api.guards import requires

router = APIRouter()


@router.get("/openapi.json", include_in_schema=False, dependencies=[requires("admin")])
async def document(request: Request) -> JSONResponse:
    """What ``muster server openapi`` prints."""
    openapi: dict[str, Any] = request.app.openapi()
    return JSONResponse(openapi)
