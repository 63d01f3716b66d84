"""Uniview face terminals that push: one server for all of them, which says Succeed only after the commit."""

from collections.abc import Sequence
from datetime import tzinfo

from gateway.device import Decoded, HealthFact, Trouble
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.uniview import codec
from gateway.profile import Profile
from gateway.transports.http_front import Answer, Body, Head
from gateway.transports.push_server import Pusher, PushServer
from gateway.transports.scrub import HttpRecorded
from gateway.transports.source import Source, check_quirks
from shared.errors import DataError
from shared.keys import Event
from shared.punch import Flag, Punch

FAMILY = "uniview"
QUIRKS: frozenset[str] = frozenset()
JSON = "application/json"
KEPT = """
refid time nexttime devicecode devicetype seq timestamp notificationtype faceinfonum cardinfonum libmatinfonum
id capsrc libid libtype matchstatus matchpersonid matchfaceid personcode cardtype responseurl code statuscode
statusstring recordid
"""
"""Fields of a recording that are no secret, in small letters."""


class Uniview(HttpRecorded):
    """The family of Uniview terminals."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    calls_us = True

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One server for all terminals; ConfigError without ``[push.uniview]`` and for a terminal that can not work."""
        if context.push is None and not terminals:
            return []
        for terminal in terminals:
            check_quirks(terminal.profile, QUIRKS)
        server = UniviewServer(PushServer(FAMILY, terminals, context))
        return [DriverTask(FAMILY, terminals, server.run)]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What one captured message says, with or without its HTTP head; DataError when it is none of this family."""
        if data.lstrip()[:5].upper().startswith(b"POST "):
            data = data.partition(b"\r\n\r\n")[2] or data.partition(b"\n\n")[2]
        told = codec.decode_notification(data)
        if told.seq is None and not told.found and not told.failures:
            heart = codec.decode_heartbeat(data)
            if not heart.device:
                raise DataError("no message of LAPI: it names no DeviceCode", code="unknown")
            return [Decoded("heartbeat", health=(HealthFact("clock", {"clock": heart.at}),))]
        source = Source(told.device or terminal, profile, zone)
        return [
            Decoded(
                "notification",
                tuple(punch_of(source, one, told) for one in told.found if isinstance(one, codec.Match)),
                (HealthFact("not_matched", {"count": told.failures}),) if told.failures else (),
                tuple(Trouble(one.reason, "no punch", one.raw) for one in told.found if isinstance(one, codec.Bad)),
            )
        ]


DRIVER = Uniview()


class UniviewServer:
    """The conversation with all Uniview terminals of a gateway."""

    def __init__(self, server: PushServer) -> None:
        self._server, self._context = server, server.context

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        await self._server.run(self.answer)

    async def answer(self, head: Head, body: Body) -> Answer:
        """The answer to one request; the punches in it are durable when it says Succeed."""
        call = codec.call_of(head.path)
        if head.method != "POST" or call not in codec.EVENTS | {codec.HEARTBEAT}:
            await body.drain()
            return Answer(404, "unknown call")
        data = await self._server.read(head, body, codec.BODY_LIMIT)
        try:
            if call == codec.HEARTBEAT:
                return self._heartbeat(head.path, codec.decode_heartbeat(data))
            told = codec.decode_notification(data)
        except DataError as error:
            return await self._unreadable(head.path, data, error)
        pusher = self._server.meet(told.device)
        if pusher is None:
            return _busy(head.path, told.seq)
        events = self._events(pusher, told)
        place = None if told.seq is None else str(told.seq).encode()
        stored = not events or await self._server.store(pusher, events, f"{FAMILY}:{pusher.serial}", place)
        return Answer(200, codec.notification_answer(head.path, told.seq, stored=stored), JSON)

    def _heartbeat(self, path: str, heart: codec.Heartbeat) -> Answer:
        pusher = self._server.meet(heart.device)
        if pusher is None:
            return Answer(503, "unknown terminal: list its serial in the gateway's configuration")
        if heart.at is not None:
            self._server.read_clock(pusher, heart.at)
        now = pusher.source.wall_at(self._context.clocks.wall_ms())
        return Answer(200, codec.heartbeat_answer(path, f"{now:%Y-%m-%d %H:%M:%S}"), JSON)

    async def _unreadable(self, path: str, data: bytes, error: DataError) -> Answer:
        """A message that no repetition mends: kept once, without anything personal, and acknowledged."""
        pusher = self._server.meet(codec.device_in(data))
        if pusher is None:
            return Answer(400, error.code)
        self._server.note(pusher, "bad_request", str(error))
        events: list[Event] = []
        if pusher.once.is_new(data):
            now_ms, seen_ms = self._context.clocks.wall_ms(), self._context.seen_ms()
            events = [pusher.source.damaged(error.code, codec.safe_start(data), now_ms, seen_ms)]
        stored = await self._server.store(pusher, events, f"{FAMILY}:{pusher.serial}")
        return Answer(200, codec.notification_answer(path, None, stored=stored), JSON)

    def _events(self, pusher: Pusher, told: codec.Notification) -> list[Event]:
        now_ms, seen_ms = self._context.clocks.wall_ms(), self._context.seen_ms()
        return [
            punch_of(pusher.source, one, told, pusher.drift_ms, seen_ms)
            if isinstance(one, codec.Match)
            else pusher.source.damaged(one.reason, one.raw, now_ms, seen_ms)
            for one in told.found
            if isinstance(one, codec.Match) or pusher.once.is_new(one.raw)
        ]


def punch_of(
    source: Source, match: codec.Match, told: codec.Notification, drift_ms: int | None = None, seen_ms: int = 0
) -> Punch:
    """The punch of a recognised person; the terminal counts in UTC, its wall clock follows from its zone."""
    offset_s = source.offset_at(match.utc_s)
    return source.punch(
        match.user,
        match.utc_s + offset_s,
        match.codes,
        method=match.method,
        offset_s=offset_s,
        native_seq=told.seq,
        drift_ms=drift_ms,
        seen_ms=seen_ms,
        flags=Flag.REALTIME if told.live else Flag(0),
    )


def _busy(path: str, seq: int | None) -> Answer:
    return Answer(503, codec.notification_answer(path, seq, stored=False), JSON)
