"""Terminals that are asked and report by themselves too: one server for a family, which says OK only after the commit.

A report may come from a terminal whose log is read as well: then it only comes sooner, and the outbox knows it by its
business key.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from gateway.driver import Cursor, DriverContext, DriverTask, Terminal
from gateway.transports.http_front import BODY_LIMIT, Answer, Body, Head, HttpFront, listening
from gateway.transports.log_place import Place
from gateway.transports.multipart import MultipartDecoder, Part, boundary_of
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import Event

SLICE = 500
LOOK_S = 10.0
OFFLINE_AFTER_MS = 600_000
"""Heartbeats come every 30 s where they are switched on; without them only punches tell."""
STRANGERS_LIMIT = 1000

log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Report:
    """What a family makes of one pushed message."""

    events: Sequence[Event]
    number: int | None = None
    """The terminal's own highest number in it."""
    front: int | None = None
    """Number of the event before it, where the terminal tells that."""


Read: TypeAlias = Callable[[Terminal, str, Sequence[Part], Place], Report]
"""Terminal, its serial, the parts of a message, and the place that its log was read to."""


def tasks_of(
    family: str,
    terminals: Sequence[Terminal],
    context: DriverContext,
    ask: Callable[[Terminal], Callable[[], Awaitable[None]]],
    serve: Callable[[Sequence[Terminal], DriverContext], "ReportServer"],
) -> list[DriverTask]:
    """One task for each terminal with a host, and one server for reports where ``[push.FAMILY]`` opens a port.

    ConfigError for terminals that can be reached neither way.
    """
    pulled = [t for t in terminals if t.config.host]
    pushing = [t for t in terminals if not t.config.host]
    found = [DriverTask(t.config.name, (t,), ask(t)) for t in pulled]
    if context.push is not None and terminals:
        found.append(DriverTask(family, pushing, serve(terminals, context).run))
    elif pushing:
        names = ", ".join(t.config.name for t in pushing)
        raise ConfigError(f"terminals {names}: set `host` to ask them, or add [push.{family}] for their reports")
    return found


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


class ReportServer:
    """Takes events that terminals post to ``/<serial>`` or, where the path does not tell, from their address."""

    def __init__(
        self,
        family: str,
        terminals: Sequence[Terminal],
        context: DriverContext,
        read: Read,
        said: Callable[[Sequence[Part]], set[str]],
    ) -> None:
        for terminal in terminals:
            if not (terminal.config.host or terminal.config.serial):
                raise ConfigError(f"terminal {terminal.config.name}: a pushing terminal is known by its serial; set it")
        self._family, self._context = family, context
        self._read, self._said = read, said
        self._known = [_Known(terminal) for terminal in terminals]
        self._strangers: set[str] = set()
        self._front = HttpFront(self.answer, context.clocks.wall_ms, self._failed)

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        if self._context.push is None:
            raise ConfigError(f"no port is open; add [push.{self._family}] with host and port")
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
        report = self._read(known.terminal, known.serial, parts, await self._place(known))
        try:
            await self._store(known, report)
        except RetryableError as error:
            log.warning("terminal", terminal=known.terminal.config.name, problem="buffer_refused", reason=str(error))
            known.terminal.state.problem = "buffer_refused"
            return Answer(503, "not stored, send again")
        return Answer(200, "OK")

    async def _store(self, known: _Known, report: Report) -> None:
        state = known.terminal.state
        number = known.last_number if report.number is None else report.number
        for first in range(0, len(report.events), SLICE):
            # With a place of its own: the terminal keeps what is not acknowledged, so it can wait for room.
            cursor = Cursor(f"{self._family}:{known.serial}:push", str(number).encode())
            await self._context.sink.put(report.events[first : first + SLICE], cursor)
        if state.problem == "buffer_refused":
            state.problem = None
        if report.events:
            state.last_event_ms = self._context.clocks.wall_ms()
        missed = report.front is not None and known.last_number is not None and report.front > known.last_number
        if missed and not known.pulled:  # else the next search brings it
            state.problem = "events_missed"
        known.last_number = number

    async def _place(self, known: _Known) -> Place:
        """Where the log was read to, for its epoch; the start where this terminal is never asked."""
        try:
            return Place.decode(await self._context.sink.cursor(f"{self._family}:{known.serial}"))
        except DataError:
            return Place()

    def _sender(self, head: Head, parts: Sequence[Part]) -> _Known | None:
        names = {name for name in re.split(r"[/?&=]", f"{head.path}?{head.query}") if name}
        for known in self._known:
            if known.serial in names or known.terminal.config.name in names:
                return known
        said = self._said(parts)
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
            self._context.discovered(self._family, name)

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
        log.error("crashed", task=self._family, exc_info=error)


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
