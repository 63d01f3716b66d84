"""One frame: the present values of a topic, encoded once for all who may see the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.access.topics import Topic
from server.access.viewer import Viewer
from server.store import change_queries, page_queries
from server.store.page_queries import PunchRow
from shared.clock import WallMs

NEWEST_PUNCHES = 20
"""In a frame, which goes out to thousands once a second; a page that knows none of them fetches the day again."""


@dataclass(frozen=True, slots=True)
class Key:
    """What viewers share: a topic, and where its values depend on the viewer, whose rows and which day they are of."""

    topic: Topic
    scope: Scope | None = None
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A frame as sent."""

    version: int
    body: bytes


class _Frame(msgspec.Struct, frozen=True):
    """The same fields as ``Frame`` of the API's views; a test holds the two together."""

    topic: str
    version: int
    at_ms: WallMs
    counts: dict[str, int] = {}
    punches: Sequence[PunchRow] = ()


def key_of(viewer: Viewer, topic: Topic, zone: ZoneInfo) -> Key:
    """What a viewer of this topic shares with others."""
    return Key(topic, viewer.scope, zone) if topic.kind == "day" else Key(topic)


async def read_frame(connection: AsyncConnection, key: Key, at_ms: WallMs) -> EncodedFrame:
    """The frame of what the connection sees."""
    topic = key.topic
    version = await change_queries.newest_change(connection, topic.name)
    if topic.date is None or key.scope is None or key.zone is None:
        return _encoded(_Frame(topic.name, version, at_ms))
    counts = await page_queries.status_counts(connection, key.scope, topic.date)
    punches = await page_queries.newest_punches(connection, key.scope, topic.date, key.zone, limit=NEWEST_PUNCHES)
    return _encoded(_Frame(topic.name, version, at_ms, counts, punches))


def _encoded(frame: _Frame) -> EncodedFrame:
    return EncodedFrame(frame.version, b"data: " + msgspec.json.encode(frame) + b"\n\n")
