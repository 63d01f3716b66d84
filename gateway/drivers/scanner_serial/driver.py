"""Scanners on a serial line: bytes become scans, and the line is opened again whenever its device comes back."""

import asyncio
import errno
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo

import serial
import structlog

from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.scanner_serial.codec import FrameDecoder, LineRules, Noise, NoRead, Piece, Read, read_of
from gateway.profile import FrameFacts, device_zone
from shared.clock import CLOCK_SUSPECT_BEFORE_S, device_seconds, to_ms
from shared.errors import ConfigError, RetryableError
from shared.keys import Event
from shared.punch import Flag
from shared.scan import Damaged, Scan, ScanKind

FAMILY = "scanner_serial"
BAUDRATE = 9600
SILENCE_MS = 80
"""Ends a read without suffix: 50 to 100 ms (protocols/scan-devices.md)."""
UNFINISHED_S = 2.0
"""A read that lacks its suffix for so long will not be glued to the next one."""
LOOK_S = 1.0
"""How often a missing device is looked for, and a full outbox asked again."""
CONTACT_S = 30.0
"""How often a silent but open line counts as contact."""
NOISE_AN_HOUR = 200
"""Damaged rows kept of one scanner's disturbed line: a wrong baud rate must not fill the disk that punches need."""
DISTURBED = frozenset({"noise", "too_long", "unfinished", "bad_text"})
"""Reasons that count for it; a legible line that the profile does not understand is always kept."""
HOUR_MS = 3_600_000

log = structlog.get_logger("gateway")


class ScannerSerial:
    """The family of serial scanners."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per scanner; ConfigError for settings that can not work."""
        found = [(terminal, Scanner(station_of(terminal), context)) for terminal in terminals]
        return [DriverTask(terminal.config.name, [terminal], scanner.run) for terminal, scanner in found]


DRIVER = ScannerSerial()


@dataclass(frozen=True, slots=True)
class Station:
    """One scanner, its settings checked."""

    terminal: Terminal
    device: str
    name: str
    """Serial number, or the configured name."""
    kind: ScanKind
    zone: tzinfo
    frame: FrameFacts
    rules: LineRules


def station_of(terminal: Terminal) -> Station:
    """The station of a configured terminal; ConfigError says which setting is missing or wrong."""
    config, profile = terminal.config, terminal.profile
    if config.device is None:
        raise ConfigError(f"terminal {config.name}: set device, such as /dev/serial/by-id/...")
    if profile.frame is None:
        raise ConfigError(f"profile {profile.brand}/{profile.model}: a scanner needs the table [frame]")
    if profile.quirks:
        raise ConfigError(f"profile {profile.brand}/{profile.model}: this family knows no quirks, got {profile.quirks}")
    kind = (config.kind or "unknown").upper()
    if kind not in ScanKind.__members__:
        known = ", ".join(k.name.lower() for k in ScanKind)
        raise ConfigError(f"terminal {config.name}: kind {config.kind!r} is unknown, expected one of {known}")
    frame = profile.frame
    pattern = re.compile(frame.pattern) if frame.pattern else None
    return Station(
        terminal=terminal,
        device=config.device,
        name=config.serial or config.name,
        kind=ScanKind[kind],
        zone=device_zone(profile, config.zone, terminal.site_zone),
        frame=frame,
        rules=LineRules(frame.aim, pattern, frame.time_format),
    )


class Port(serial.Serial):
    """A serial line that keeps what has arrived before it was opened: a batch scanner may have begun."""

    def _reset_input_buffer(self) -> None:
        """Leave out the flush that pyserial does when it opens a line."""


class Scanner:
    """The conversation with one scanner."""

    def __init__(self, station: Station, context: DriverContext) -> None:
        self._station = station
        self._context = context
        self._state = station.terminal.state
        self._state.serial = station.terminal.config.serial
        self._last: tuple[str, int] | None = None
        self._noise_since_ms = context.clocks.mono_ms()
        self._noise = 0

    async def run(self) -> None:
        """Read until cancelled, through any number of unplugged cables."""
        while True:
            try:
                port = self._open()
            except (OSError, ValueError) as error:
                self._lost(*self._advice(error))
                await asyncio.sleep(LOOK_S)
                continue
            self._state.state, self._state.problem = "online", None
            try:
                await self._listen(port)
            except OSError:
                self._lost("port_missing", "the device vanished")
            finally:
                port.close()

    def _open(self) -> Port:
        link = self._station.terminal.profile.link
        return Port(self._station.device, link.baudrate or BAUDRATE, timeout=0)

    def _lost(self, problem: str, reason: str) -> None:
        """Show that the line is not there; the reason goes to the log once."""
        if self._state.problem != problem:
            self._log(problem, reason)
        self._state.state, self._state.problem = "offline", problem

    def _log(self, problem: str, reason: str) -> None:
        station = self._station
        log.warning(
            "terminal", terminal=station.terminal.config.name, problem=problem, device=station.device, reason=reason
        )

    def _advice(self, error: OSError | ValueError) -> tuple[str, str]:
        """Problem and what to do about it."""
        code = error.errno if isinstance(error, OSError) else None
        if code == errno.EACCES:
            return "no_permission", "let the gateway's user into the group dialout"
        if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return "port_missing", "plug the scanner in or correct device"
        return "device_error", str(error)

    async def _listen(self, port: Port) -> None:
        """Read until the line vanishes: OSError."""
        frame = self._station.frame
        decoder = FrameDecoder(frame.prefix.encode("latin-1"), frame.suffix.encode("latin-1"))
        silence_s = UNFINISHED_S if frame.suffix else (frame.silence_ms or SILENCE_MS) / 1000
        while True:
            self._state.last_contact_ms = self._context.clocks.wall_ms()
            with suppress(TimeoutError):
                async with asyncio.timeout(silence_s if decoder.waiting else CONTACT_S):
                    await _readable(port)
            # Read even after the time-out: when this process was held up, the rest of a read is there by now.
            chunk = port.read(4096)
            pieces = decoder.feed(chunk) if chunk else decoder.silence()
            await self._keep(self._events(pieces))

    async def _keep(self, events: Sequence[Event]) -> None:
        """Commit; while the outbox refuses, the line is not read, so that the scanner has to wait."""
        while events:
            try:
                await self._context.sink.put(events)
            except RetryableError as error:
                if self._state.problem != "buffer_refused":
                    self._log("buffer_refused", str(error))
                self._state.problem = "buffer_refused"
                await asyncio.sleep(LOOK_S)
            else:
                self._state.last_event_ms = self._context.clocks.wall_ms()
                if self._state.problem == "buffer_refused":
                    self._state.problem = None
                return

    def _events(self, pieces: Iterable[Piece]) -> list[Event]:
        events: list[Event] = []
        for piece in pieces:
            found = piece if isinstance(piece, Noise) else read_of(piece.raw, self._station.rules)
            match found:
                case Read():
                    if not self._is_repeat(found):
                        events.append(self._scan(found))
                    self._state.problem = None
                case NoRead():
                    self._state.problem = "no_read"
                case Noise():
                    events += self._damaged(found)
        return events

    def _is_repeat(self, read: Read) -> bool:
        """The same code as the last kept one, within the time of the profile; batch lines never are."""
        if not self._station.frame.repeat_ms or read.wall is not None:
            return False
        now = self._context.clocks.mono_ms()
        if self._last and self._last[0] == read.code and now - self._last[1] < self._station.frame.repeat_ms:
            return True
        self._last = (read.code, now)
        return False

    def _scan(self, read: Read) -> Scan:
        if read.wall is None:
            at, flags = self._context.clocks.wall_ms(), Flag.REALTIME
        else:
            wall = read.wall if read.wall.tzinfo else read.wall.replace(tzinfo=self._station.zone)
            at = to_ms(wall)
            flags = Flag.CLOCK_SUSPECT if device_seconds(wall) < CLOCK_SUSPECT_BEFORE_S else Flag(0)
        return Scan(
            station=self._station.name,
            code=read.code,
            symbology=read.symbology,
            kind=self._station.kind,
            at=at,
            native_seq=read.number,
            seen_ms=self._context.seen_ms(),
            flags=flags,
        )

    def _damaged(self, noise: Noise) -> list[Event]:
        """One damaged row; none beyond the hourly limit, which the state then tells."""
        now = self._context.clocks.mono_ms()
        if now - self._noise_since_ms >= HOUR_MS:
            self._noise_since_ms, self._noise = now, 0
        self._noise += noise.reason in DISTURBED
        if noise.reason in DISTURBED and self._noise > NOISE_AN_HOUR:
            if self._state.problem != "noise":
                self._log("noise", f"more than {NOISE_AN_HOUR} disturbed reads in an hour; check baud rate and cable")
            self._state.problem = "noise"
            return []
        wall, seen = self._context.clocks.wall_ms(), self._context.seen_ms()
        return [Damaged(self._station.name, noise.reason, noise.raw, wall, seen)]


async def _readable(port: Port) -> None:
    """Return once the line has bytes, or is gone."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    descriptor = port.fileno()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
