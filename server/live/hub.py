"""Follows the feed of changes once a second and tells those who may know."""

import asyncio
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import structlog

from server.access.scope import Scope
from server.access.topics import Topic
from server.access.viewer import Viewer
from server.live.frames import EncodedFrame, Key, key_of, read_frame
from server.live.stream import Stream, StreamResponse
from server.services.accounts import viewers_now
from server.store import page_queries
from server.store.change_queries import changes_after, newest_change
from server.store.database import Database
from shared.clock import Clocks, MonotonicMs, WallMs

TICK_S = 1.0
COMMENT_MS = 15_000
RECHECK_MS = 10_000
"""A lost right ends a stream within this time."""
AT_ONCE = 1000

log = structlog.get_logger("server.live")


class Hub:
    """All streams of this process; other processes have their own and read the same feed."""

    def __init__(self, db: Database, clocks: Clocks) -> None:
        self._db = db
        self._clocks = clocks
        self._followers: dict[Key, set[Stream]] = {}
        self._frames: dict[Key, EncodedFrame] = {}
        """The newest frame of every key that somebody follows."""
        self._reading = asyncio.Lock()
        self._seen: int | None = None
        self._checked_ms: MonotonicMs = clocks.mono_ms()
        self._looked_ms: WallMs | None = None

    @property
    def looked_ms(self) -> WallMs | None:
        """When the hub last looked for changes; None before the first time."""
        return self._looked_ms

    @property
    def streams(self) -> set[Stream]:
        """Every open stream."""
        return {stream for streams in self._followers.values() for stream in streams}

    def stream(self, viewer: Viewer, topics: Sequence[Topic], zone: ZoneInfo) -> StreamResponse:
        """A response that sends frames of these topics until the viewer leaves or loses the right to them."""
        keys = tuple(dict.fromkeys(key_of(viewer, topic, zone) for topic in topics))
        return StreamResponse(Stream(viewer, keys), self._enter, self._leave)

    def close(self) -> None:
        """End every stream."""
        for stream in self.streams:
            stream.end()

    async def run(self) -> None:
        """Look for changes until cancelled; a database that does not answer is tried again."""
        while True:
            try:
                await self.tick()
            except Exception:
                log.exception("no_frames")
            await asyncio.sleep(TICK_S)

    async def tick(self) -> None:
        """Tell what changed since the last tick, keep quiet streams awake, check rights when it is time."""
        frames = await self._changed_frames()
        now_ms = self._clocks.mono_ms()
        for key, frame in frames.items():
            for stream in self._followers.get(key, ()):
                stream.offer(key, frame, now_ms)
        self._looked_ms = self._clocks.wall_ms()
        for stream in self.streams:
            if now_ms - stream.sent_ms >= COMMENT_MS:
                stream.keep_awake(now_ms)
        if now_ms - self._checked_ms >= RECHECK_MS:
            self._checked_ms = now_ms
            await self.check_rights()

    async def check_rights(self) -> None:
        """End the streams of dead sessions, closed accounts and changed grants; who still may comes back at once."""
        streams = self.streams
        if not streams:
            return
        now = await viewers_now(self._db, {stream.viewer.session for stream in streams}, self._clocks.wall_ms())
        kept = [stream for stream in streams if now.get(stream.viewer.session) == stream.viewer]
        hidden = await self._hidden({pair for stream in kept for pair in _people(stream)})
        for stream in streams.difference(kept) | {stream for stream in kept if hidden.intersection(_people(stream))}:
            stream.end()

    async def _changed_frames(self) -> dict[Key, EncodedFrame]:
        async with self._reading, self._db.reading() as connection:
            seen = await newest_change(connection) if self._seen is None else self._seen
            topics: set[str] = set()
            while changes := await changes_after(connection, seen, AT_ONCE):
                seen = changes[-1].id
                topics |= {change.topic for change in changes}
            keys = [key for key in self._followers if key.topic.name in topics]
            frames = {key: await read_frame(connection, key, self._clocks.wall_ms()) for key in keys}
        self._seen = seen
        self._frames |= {key: frame for key, frame in frames.items() if key in self._followers}
        return frames

    async def _enter(self, stream: Stream) -> None:
        """Followed first, read then: no change falls between the first frame and the next."""
        for key in stream.keys:
            self._followers.setdefault(key, set()).add(stream)
        async with self._reading:
            missing = [key for key in stream.keys if key not in self._frames]
            if missing:
                async with self._db.reading() as connection:
                    for key in missing:
                        self._frames[key] = await read_frame(connection, key, self._clocks.wall_ms())
        for key in stream.keys:
            stream.offer(key, self._frames[key], self._clocks.mono_ms())

    def _leave(self, stream: Stream) -> None:
        for key in stream.keys:
            followers = self._followers.get(key, set())
            followers.discard(stream)
            if not followers:
                self._followers.pop(key, None)
                self._frames.pop(key, None)

    async def _hidden(self, pairs: Iterable[tuple[Scope, str]]) -> set[tuple[Scope, str]]:
        """Those (scope, employee) whose employee has left the scope."""
        async with self._db.reading() as connection:
            return {
                (scope, employee)
                for scope, employee in pairs
                if await page_queries.person(connection, scope, employee) is None
            }


def _people(stream: Stream) -> set[tuple[Scope, str]]:
    return {(stream.viewer.scope, key.topic.employee) for key in stream.keys if key.topic.employee is not None}
