"""Terminals that push (httpHosts): one server for all of them, which says OK only after the commit."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gateway.driver import Cursor, DriverContext, Terminal
from gateway.drivers.hikvision import codec
from gateway.drivers.hikvision.codec import Item
from gateway.drivers.hikvision.events import Reader, front_of
from gateway.drivers.hikvision.place import Place
from gateway.transports.http_front import BODY_LIMIT, Answer, Body, Head, HttpFront, listening
from gateway.transports.multipart import MultipartDecoder, Part, boundary_of
from shared.errors import ConfigError, DataError, RetryableError

FAMILY = "hikvision"
SLICE = 500
LOOK_S = 10.0
OFFLINE_AFTER_MS = 600_000
"""Heartbeats come every 30 s where they are switched on; without them only punches tell."""
STRANGERS_LIMIT = 1000

log = structlog.get_logger("gateway")


@dataclass(slots=True)
class _Known:
    terminal: Terminal
    last_number: int | None = None
    last_contact_mono_ms: int | None = None

    @property
    def serial(self) -> str | None:
        """Configured, or as the terminal told it when it was asked."""
        return self.terminal.config.serial or self.terminal.state.serial

    @property
    def pulled(self) -> bool:
        return self.terminal.config.host is not None


class PushServer:
    """Takes events that terminals post to ``/<serial>`` or, where the path does not tell, from their address."""

    def __init__(self, terminals: Sequence[Terminal], context: DriverContext) -> None:
        for terminal in terminals:
            if not (terminal.config.host or terminal.config.serial):
                raise ConfigError(f"terminal {terminal.config.name}: a pushing terminal is known by its serial; set it")
        self._known = [_Known(terminal) for terminal in terminals]
        self._context = context
        self._strangers: set[str] = set()
        self._front = HttpFront(self.answer, context.clocks.wall_ms, self._failed)

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        if self._context.push is None:
            raise ConfigError(f"no port is open; add [push.{FAMILY}] with host and port")
        async with listening(self._front, self._context.push.host, self._context.push.port):
            while True:
                self._notice_silence()
                await asyncio.sleep(LOOK_S)

    async def answer(self, head: Head, body: Body) -> Answer:
        """200 once the events in it are durable; 503 makes the terminal keep and repeat them."""
        if head.method != "POST":
            await body.drain()
            return Answer(200, "OK")
        parts = await _parts(head, body)
        known = self._sender(head, parts)
        if known is None or known.serial is None:
            self._stranger(head)
            return Answer(
                503, "unknown terminal: post to /<serial>, and list that serial in the gateway's configuration"
            )
        self._contact(known)
        reader = Reader.of(known.terminal, known.serial)
        items = [item for part in parts for item in codec.part_items(part, reader.granted)]
        try:
            await self._store(known, reader, items)
        except RetryableError as error:
            log.warning("terminal", terminal=known.terminal.config.name, problem="buffer_refused", reason=str(error))
            known.terminal.state.problem = "buffer_refused"
            return Answer(503, "not stored, send again")
        return Answer(200, "OK")

    async def _store(self, known: _Known, reader: Reader, items: Sequence[Item]) -> None:
        place = await self._place(known)
        clocks, state = self._context.clocks, known.terminal.state
        events = reader.events(
            items, place, clocks.wall_ms(), self._context.seen_ms(), drift_ms=state.drift_ms, live=True
        )
        number = max((item.number for item in items if item.number is not None), default=None)
        for first in range(0, len(events), SLICE):
            # With a place of its own: the terminal keeps what is not acknowledged, so it can wait for room.
            value = str(known.last_number if number is None else number).encode()
            await self._context.sink.put(events[first : first + SLICE], Cursor(_key(reader.serial), value))
        if state.problem == "buffer_refused":
            state.problem = None
        if events:
            state.last_event_ms = clocks.wall_ms()
        self._notice_gap(known, items)
        known.last_number = number if number is not None else known.last_number

    async def _place(self, known: _Known) -> Place:
        """Where the log was read to, for its epoch; the start where this terminal is never asked."""
        try:
            return Place.decode(await self._context.sink.cursor(f"{FAMILY}:{known.serial}"))
        except DataError:
            return Place()

    def _notice_gap(self, known: _Known, items: Sequence[Item]) -> None:
        """A number before this one that did not come: the next search brings it, where there is one."""
        fronts = [front for item in items if (front := front_of(item)) is not None]
        if fronts and known.last_number is not None and min(fronts) > known.last_number and not known.pulled:
            known.terminal.state.problem = "events_missed"

    def _sender(self, head: Head, parts: Sequence[Part]) -> _Known | None:
        names = {name for name in re.split(r"[/?&=]", f"{head.path}?{head.query}") if name}
        for known in self._known:
            if known.serial in names or known.terminal.config.name in names:
                return known
        said = _said(parts)
        for known in self._known:
            host = (known.terminal.config.host or "").rpartition("://")[2]
            if (known.serial and known.serial in said) or (host and host in said):
                return known
        return None

    def _stranger(self, head: Head) -> None:
        """IT is told once of each; its events stay with it."""
        name = re.sub(r"[^0-9A-Za-z_.:-]", "", head.path.rpartition("/")[2])[:64]
        if name and name not in self._strangers and len(self._strangers) < STRANGERS_LIMIT:
            self._strangers.add(name)
            self._context.discovered(FAMILY, name)

    def _contact(self, known: _Known) -> None:
        known.last_contact_mono_ms = self._context.clocks.mono_ms()
        known.terminal.state.last_contact_ms = self._context.clocks.wall_ms()
        if not known.pulled:
            known.terminal.state.state, known.terminal.state.serial = "online", known.serial

    def _notice_silence(self) -> None:
        now = self._context.clocks.mono_ms()
        for known in self._known:
            last = known.last_contact_mono_ms
            if not known.pulled and last is not None and now - last > OFFLINE_AFTER_MS:
                known.terminal.state.state = "offline"

    def _failed(self, error: Exception) -> None:
        log.error("crashed", task=FAMILY, exc_info=error)


async def _parts(head: Head, body: Body) -> list[Part]:
    """Parts of a pushed body; pictures are thrown away as they come."""
    boundary = boundary_of(head.headers.get("content-type", ""))
    if not boundary:
        return [Part({}, await body.read(BODY_LIMIT))]
    decoder, found = MultipartDecoder(boundary), list[Part]()
    async for piece in body.pieces():
        found += decoder.feed(piece)
        if sum(len(part.body) for part in found) > BODY_LIMIT:
            raise DataError("more text than any event has", code="too_large")
    return found + decoder.close()


def _said(parts: Sequence[Part]) -> set[str]:
    """Names that the sender gives itself in the message."""
    found: set[str] = set()
    for part in parts:
        try:
            node = codec.any_node(part.body)
        except DataError:
            continue
        node = codec.child(node, "EventNotificationAlert") or node
        found |= {codec.text_of(node, name) for name in ("deviceID", "serialNumber", "ipAddress")}
    return found - {""}


def _key(serial: str) -> str:
    return f"{FAMILY}:{serial}:push"
