"""Live frames by Server-Sent Events."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from server.api.context import ContextDep
from server.api.guards import SignedInDep
from server.api.views import Frame

router = APIRouter(tags=["live"])


class EventStream(Response):
    """Only for the document: the hub's own response is sent."""

    media_type = "text/event-stream"


@router.get("/live", response_class=EventStream, responses={200: {"model": Frame}})
async def live(
    viewer: SignedInDep, context: ContextDep, topics: Annotated[str, Query(min_length=1, max_length=2000)]
) -> Response:
    """A stream of frames for ``topics``, comma-separated: ``day:2026-11-24,employee:e7,devices,unmatched``."""
    raise NotImplementedError
