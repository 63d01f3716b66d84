"""Live frames by Server-Sent Events."""

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import Response

from server.access.errors import ForbiddenError, NotFoundError
from server.access.topics import MOST_TOPICS, Topic, may_follow, parse_topic
from server.access.viewer import Viewer
from server.api.answers.attendance import zone_of
from server.api.context import Context, ContextDep
from server.api.guards import SignedInDep
from server.api.views.live import Frame
from server.store import page_queries
from shared.errors import DataError, RetryableError

router = APIRouter(tags=["live"])


class EventStream(Response):
    """Only for the document: the hub's own response is sent."""

    media_type = "text/event-stream"


@router.get("/live", response_class=EventStream, responses={200: {"model": Frame}})
async def live(
    viewer: SignedInDep, context: ContextDep, topics: Annotated[str, Query(min_length=1, max_length=2000)]
) -> Response:
    """A stream of frames for ``topics``, comma-separated: ``day:2026-11-24,employee:e7,devices,unmatched``."""
    wanted = _topics(topics)
    zone = await _check(context, viewer, wanted)
    if context.live is None:
        raise RetryableError("this process has no live hub")
    return context.live.stream(viewer, wanted, zone)


def _topics(text: str) -> list[Topic]:
    found = {name: parse_topic(name) for name in text.split(",")}
    topics = [topic for topic in found.values() if topic is not None]
    if len(topics) < len(found) or len(topics) > MOST_TOPICS:
        raise DataError(f"topics {text[:100]!r}: expected at most {MOST_TOPICS} known ones", "unknown_topic")
    return topics


async def _check(context: Context, viewer: Viewer, topics: list[Topic]) -> ZoneInfo:
    """The viewer's zone; ForbiddenError for a topic beyond the role, NotFoundError for a person beyond the scope."""
    if refused := [topic.name for topic in topics if not may_follow(viewer, topic)]:
        raise ForbiddenError(f"{viewer.login} ({viewer.role}) may not follow {', '.join(refused)}")
    people = [topic.employee for topic in topics if topic.employee is not None]
    async with context.db.reading() as connection:
        for employee in people:
            if await page_queries.person(connection, viewer.scope, employee) is None:
                raise NotFoundError(f"employee {employee!r} is not in scope")
        return await zone_of(connection, viewer, context.config.zone)
