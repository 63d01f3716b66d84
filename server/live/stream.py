"""One viewer's stream: a plain ASGI response that sends the newest frame of each topic and nothing in between."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from fastapi.responses import Response

from server.access.viewer import Viewer
from server.live.frames import EncodedFrame, Key
from shared.clock import MonotonicMs

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

COMMENT = b":\n\n"
RETRY_MS = (1000, 5000)
"""Browsers come back after a time between these, so that after a restart they do not all come at once."""
HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


class Stream:
    """What waits to be sent to one viewer: at most one frame of each topic, so a slow viewer skips to the newest."""

    __slots__ = ("_pending", "_wake", "ended", "keys", "sent_ms", "viewer")

    def __init__(self, viewer: Viewer, keys: tuple[Key, ...]) -> None:
        self.viewer = viewer
        self.keys = keys
        self.sent_ms: MonotonicMs = 0
        self.ended = False
        self._pending: dict[str, EncodedFrame] = {}
        """By name of the topic, of which a viewer has one key: a string knows its hash, a key works it out."""
        self._wake = asyncio.Event()

    def offer(self, key: Key, frame: EncodedFrame, now_ms: MonotonicMs) -> None:
        """Put a frame in the place of an older one that was not sent yet."""
        waiting = self._pending.get(key.topic.name)
        if waiting is None or waiting.version <= frame.version:
            self._pending[key.topic.name] = frame
        self.sent_ms = now_ms
        self._wake.set()

    def keep_awake(self, now_ms: MonotonicMs) -> None:
        """Send a comment, so that proxies do not take silence for the end."""
        self.sent_ms = now_ms
        self._wake.set()

    def end(self) -> None:
        """Send no more."""
        self.ended = True
        self._wake.set()

    async def next_bytes(self) -> bytes | None:
        """What waits, or the next that comes; None at the end."""
        await self._wake.wait()
        self._wake.clear()
        if self.ended:
            return None
        waiting = [frame.body for frame in self._pending.values()]
        body = waiting[0] if len(waiting) == 1 else b"".join(waiting) or COMMENT
        self._pending.clear()
        return body


class StreamResponse(Response):
    """Runs a stream: ``enter`` makes it known to the hub and offers the first frames, ``leave`` forgets it."""

    def __init__(
        self, stream: Stream, enter: Callable[[Stream], Awaitable[None]], leave: Callable[[Stream], None]
    ) -> None:
        super().__init__()
        self._stream = stream
        self._enter = enter
        self._leave = leave

    async def __call__(self, scope: Message, _receive: Receive, _send: Send) -> None:
        """Leave the stream to the outermost wrapper, so that what routed the request is not kept for its whole life."""
        scope["state"]["afterwards"] = self.run

    async def run(self, receive: Receive, send: Send) -> None:
        """Send until the viewer leaves or the hub ends the stream."""
        stream = self._stream
        gone = asyncio.create_task(_end_when_gone(receive, stream))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            low, high = RETRY_MS
            await send(_part(f"retry: {low + secrets.randbelow(high - low)}\n\n".encode()))
            await self._enter(stream)
            while (body := await stream.next_bytes()) is not None:
                await send(_part(body))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._leave(stream)
            gone.cancel()


async def _end_when_gone(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}
