"""One HTTP server for all terminals of a push family: who is listed, who knocked, who fell silent, what is stored."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from gateway.driver import Cursor, DriverContext, Terminal, TerminalState
from gateway.transports.http_front import BODY_LIMIT, Body, Handler, Head, HttpFront
from gateway.transports.source import SLICE, Once, Source, problem_of
from shared.clock import DeviceSeconds
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import Event
from shared.punch import Punch

LOOK_S = 10.0
DISCOVERED_LIMIT = 1000
READING_LIMIT = 32 * 1024 * 1024
"""Bytes of requests that are read at one time; terminals send pictures with punches."""
NOTE_MS = 24 * 3600 * 1000
"""How long a problem is shown."""
_SERIAL = re.compile(r"[0-9A-Za-z_.:-]{1,64}", re.ASCII)

log = structlog.get_logger("gateway")


@dataclass(slots=True)
class Pusher:
    """One listed terminal and what this run knows of it."""

    terminal: Terminal
    source: Source
    once: Once = field(default_factory=Once)
    drift_ms: int | None = None
    last_contact_mono_ms: int | None = None
    noted_mono_ms: int | None = None
    """When ``state.problem`` was noted; None when there is none."""

    @property
    def serial(self) -> str:
        """Its serial number."""
        return self.source.serial

    @property
    def state(self) -> TerminalState:
        """What IT sees."""
        return self.terminal.state


class PushServer:
    """The terminals of a push family; ``known`` by serial. ConfigError for settings that can not work."""

    def __init__(
        self, family: str, terminals: Sequence[Terminal], context: DriverContext, offline_after_ms: int = 150_000
    ) -> None:
        if context.push is None:
            names = ", ".join(t.config.name for t in terminals)
            raise ConfigError(f"terminals {names} push, but no port is open; add [push.{family}] with host and port")
        self.family, self.context = family, context
        self._address = (context.push.host, context.push.port)
        self._offline_after_ms = offline_after_ms
        self._strangers: set[str] = set()
        self._reading = 0
        self.known: dict[str, Pusher] = {}
        for terminal in terminals:
            self._list(terminal)

    def _list(self, terminal: Terminal) -> None:
        serial = terminal.config.serial
        if serial is None or not is_serial(serial):
            raise ConfigError(
                f"terminal {terminal.config.name}: a push terminal is known by its serial number; set serial"
            )
        terminal.state.serial = serial
        if serial in self.known:
            log.warning("parked", terminal=terminal.config.name, reason=f"serial {serial} is listed twice")
            terminal.state.state, terminal.state.problem = "config_error", "serial_twice"
            return
        self.known[serial] = Pusher(terminal, Source.of(terminal))

    async def run(self, handler: Handler) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        host, port = self._address
        front = HttpFront(handler, self.context.clocks.wall_ms, self._failed)
        try:
            server = await asyncio.start_server(front.serve, host, port)
        except OSError as error:
            raise RetryableError(f"can not listen on {host}:{port}: {error.strerror or error}") from error
        try:
            while True:
                self._notice_silence()
                await asyncio.sleep(LOOK_S)
        finally:
            await _stop_accepting(server)
            server.close()  # without waiting: since Python 3.12 that would last as long as the slowest terminal
            front.close()

    async def read(self, head: Head, body: Body, limit: int) -> bytes:
        """The body of a request; DataError when it is too large, or while others fill the memory set aside."""
        size = min(limit, head.length if head.length is not None else BODY_LIMIT)
        if self._reading + size > READING_LIMIT:
            raise DataError("too many large requests at once", code="busy")
        self._reading += size
        try:
            return await body.read(limit)
        finally:
            self._reading -= size

    def meet(self, serial: str) -> Pusher | None:
        """The listed terminal, now seen to be online; of an unlisted one IT is told once."""
        pusher = self.known.get(serial)
        if pusher is None:
            if is_serial(serial) and serial not in self._strangers and len(self._strangers) < DISCOVERED_LIMIT:
                self._strangers.add(serial)
                self.context.discovered(self.family, serial)
            return None
        pusher.last_contact_mono_ms = self.context.clocks.mono_ms()
        pusher.state.last_contact_ms = self.context.clocks.wall_ms()
        pusher.state.state = "online"
        return pusher

    def read_clock(self, pusher: Pusher, second: DeviceSeconds) -> None:
        """Take a terminal's own clock, just received; IT sees when it is wrong."""
        pusher.drift_ms = pusher.source.drift_ms(second, self.context.clocks.wall_ms())
        pusher.state.drift_ms = pusher.drift_ms
        problem = problem_of(pusher.state, second)
        if problem is not None:
            self.note(pusher, problem, f"clock {second}, log {pusher.state.log_used}")
        elif pusher.state.problem in ("clock_reset", "clock_drift", "log_full", "log_almost_full"):
            pusher.state.problem = pusher.noted_mono_ms = None

    def note(self, pusher: Pusher, problem: str, reason: str) -> None:
        """Show a problem for a day; the reason goes to the log when it is news."""
        if pusher.state.problem != problem:
            log.warning("terminal", terminal=pusher.terminal.config.name, problem=problem, reason=reason)
        pusher.state.problem, pusher.noted_mono_ms = problem, self.context.clocks.mono_ms()

    async def store(self, pusher: Pusher, events: Sequence[Event], key: str, place: bytes | None = None) -> bool:
        """Commit events in slices, the last of them with the new place; False when the outbox refuses.

        Every commit carries a place, the old one until the last: the terminal keeps its log and can wait.
        """
        sink = self.context.sink
        try:
            old = await sink.cursor(key) or b"0"
            parts = [events[n : n + SLICE] for n in range(0, len(events), SLICE)]
            if not parts and place is not None:
                parts = [events]
            for n, part in enumerate(parts, 1):
                await sink.put(part, Cursor(key, place if place is not None and n == len(parts) else old))
        except RetryableError as error:
            self.note(pusher, "buffer_refused", str(error))
            return False
        if pusher.state.problem == "buffer_refused":
            pusher.state.problem = pusher.noted_mono_ms = None
        if any(isinstance(event, Punch) for event in events):
            pusher.state.last_event_ms = self.context.clocks.wall_ms()
        return True

    def _notice_silence(self) -> None:
        now = self.context.clocks.mono_ms()
        for pusher in self.known.values():
            last, noted = pusher.last_contact_mono_ms, pusher.noted_mono_ms
            if last is not None and now - last > self._offline_after_ms:
                pusher.state.state = "offline"
            if noted is not None and now - noted > NOTE_MS:
                pusher.state.problem = pusher.noted_mono_ms = None

    def _failed(self, error: Exception) -> None:
        log.error("crashed", task=self.family, exc_info=error)


def is_serial(text: str) -> bool:
    """Whether that can be a serial number."""
    return _SERIAL.fullmatch(text) is not None


async def _stop_accepting(server: asyncio.Server) -> None:
    """Let connections that are being accepted arrive: asyncio 3.11 leaks them when the server closes under them."""
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    for _ in range(3):
        await asyncio.sleep(0)
