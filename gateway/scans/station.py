"""The station behind a scanner: reads become scans, commands are followed, noise is bounded, all is committed."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import structlog

from gateway.device import Decoded, HealthFact, Trouble
from gateway.driver import DriverContext, Terminal, TerminalState
from gateway.profile import FrameFacts, Profile, device_zone
from gateway.scans.commands import Orders, command_of
from gateway.scans.frames import Found, LineRules, Noise, NoRead, Piece, Read, read_of
from shared.clock import CLOCK_SUSPECT_BEFORE_S, device_seconds, to_ms
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import Event
from shared.punch import Flag
from shared.scan import DAMAGED_RAW_LIMIT, Damaged, Scan, ScanKind

LOOK_S = 1.0
"""How often a missing device is looked for, and a full outbox asked again."""
NOISE_AN_HOUR = 200
"""Damaged rows kept of one scanner's disturbed line: a wrong baud rate must not fill the disk that punches need."""
DISTURBED = frozenset(
    {"noise", "too_long", "unfinished", "bad_text", "bad_checksum", "bad_frame", "no_prefix"}
    | {"bad_json", "bad_tag", "dropped", "unknown_key"}
)
"""Reasons that count for it; a legible line that the profile does not understand is always kept."""
HOUR_MS = 3_600_000
REPEAT_MS = 1500
"""The same code again within this time is flagged (scan devices: the usual window)."""
PUT_EVENTS = 500
"""Events of one commit."""

log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Station:
    """One scanner, its settings checked."""

    terminal: Terminal
    name: str
    """Serial number, or the configured name."""
    kind: ScanKind
    zone: tzinfo
    frame: FrameFacts
    rules: LineRules


def station_of(terminal: Terminal, *, framed: bool = True) -> Station:
    """The station of a configured scanner; ConfigError says which setting is missing or wrong."""
    config, profile = terminal.config, terminal.profile
    if profile.frame is None and framed:
        raise ConfigError(f"profile {profile.brand}/{profile.model}: a scanner needs the table [frame]")
    if profile.quirks:
        raise ConfigError(f"profile {profile.brand}/{profile.model}: this family knows no quirks, got {profile.quirks}")
    frame = profile.frame or FrameFacts()
    return Station(
        terminal=terminal,
        name=config.serial or config.name,
        kind=kind_of(config.kind, f"terminal {config.name}"),
        zone=device_zone(profile, config.zone, terminal.site_zone),
        frame=frame,
        rules=rules_of(frame),
    )


def rules_of(frame: FrameFacts) -> LineRules:
    """How frames become reads, from the profile."""
    pattern = re.compile(frame.pattern) if frame.pattern else None
    return LineRules(frame.aim, pattern, frame.time_format, frame.form)


def kind_of(name: str | None, where: str) -> ScanKind:
    """The scan kind of that configured name; ConfigError lists those that exist."""
    upper = (name or "unknown").upper()
    if upper not in ScanKind.__members__:
        known = ", ".join(kind.name.lower() for kind in ScanKind)
        raise ConfigError(f"{where}: kind {name!r} is unknown, expected one of {known}")
    return ScanKind[upper]


class Desk:
    """Turns what one scanner read into events and commits them."""

    def __init__(self, station: Station, context: DriverContext) -> None:
        config = station.terminal.config
        self.station = station
        self._context = context
        self._state: TerminalState = station.terminal.state
        self._state.serial = config.serial
        self._last: tuple[str, int] | None = None
        self._noise_since_ms = context.clocks.mono_ms()
        self._noise = 0
        # A batch is read in the time of its own clock, which says nothing about the live reads between.
        self._live, self._batch = (
            Orders(station.kind, round(config.command_s * 1000), config.command_scans) for _ in range(2)
        )

    def opened(self) -> None:
        """The scanner is there."""
        self._state.state, self._state.problem = "online", None

    def heard(self) -> None:
        """The scanner, or the open line to it, is alive."""
        self._state.last_contact_ms = self._context.clocks.wall_ms()

    def lost(self, problem: str, reason: str) -> None:
        """Show that the scanner is not there; the reason goes to the log once."""
        self.note(problem, reason)
        self._state.state = "offline"

    def note(self, problem: str, reason: str) -> None:
        """Show a problem; the reason goes to the log when it is new."""
        if self._state.problem != problem:
            name = self.station.terminal.config.name
            log.warning("terminal", terminal=name, problem=problem, reason=reason)
        self._state.problem = problem

    async def keep(self, events: Sequence[Event]) -> None:
        """Commit; while the outbox refuses this waits, so that the scanner has to."""
        for start in range(0, len(events), PUT_EVENTS):
            while not await self.put(events[start : start + PUT_EVENTS]):  # noqa: ASYNC110  # the disk tells nobody
                await asyncio.sleep(LOOK_S)

    async def put(self, events: Sequence[Event]) -> bool:
        """Commit at most one slice; False when the outbox refused, which the state then tells."""
        try:
            await self._context.sink.put(events)
        except RetryableError as error:
            self.note("buffer_refused", str(error))
            return False
        self._state.last_event_ms = self._context.clocks.wall_ms()
        if self._state.problem == "buffer_refused":
            self._state.problem = None
        return True

    def events_of(self, pieces: Iterable[Piece]) -> list[Event]:
        """Events of frames."""
        return self.events(p if isinstance(p, Noise) else read_of(p.raw, self.station.rules) for p in pieces)

    def events(self, found: Iterable[Found]) -> list[Event]:
        """Events of reads; a command barcode is followed and is none."""
        events: list[Event] = []
        for one in found:
            match one:
                case Read():
                    events += self._of_read(one)
                case NoRead():
                    self._state.problem = "no_read"
                case Noise():
                    events += self._damaged(one)
        return events

    def _of_read(self, read: Read) -> list[Event]:
        at, flags = self._time(read)
        orders, now = (self._live, self._context.clocks.mono_ms()) if read.wall is None else (self._batch, at)
        try:
            command = command_of(read.code)
        except DataError as error:
            events = self._damaged(Noise(error.code, read.code.encode()))
            self.note(error.code, str(error))
            return events
        if command is not None:
            orders.take(command, now)
            log.info("command", terminal=self.station.terminal.config.name, command=read.code)
            self._state.problem = None
            return []
        repeated = self._repeated(read)
        if repeated is None:
            return []
        self._state.problem = None
        kind, operator = orders.next(now)
        scan = Scan(
            station=read.station or self.station.name,
            code=read.code,
            symbology=read.symbology,
            kind=kind if read.kind is None else read.kind,
            at=at,
            operator=read.operator or operator,
            native_seq=read.number,
            seen_ms=self._context.seen_ms(),
            flags=flags | repeated,
        )
        return [scan]

    def _time(self, read: Read) -> tuple[int, Flag]:
        """UTC milliseconds of a read and the doubts about them."""
        if read.wall is None:
            return self._context.clocks.wall_ms(), Flag.REALTIME
        wall = read.wall if read.wall.tzinfo else read.wall.replace(tzinfo=self.station.zone)
        suspect = device_seconds(wall) < CLOCK_SUSPECT_BEFORE_S
        return to_ms(wall), Flag.CLOCK_SUSPECT if suspect else Flag(0)

    def _repeated(self, read: Read) -> Flag | None:
        """REPEATED for the code of the read before within the window; None where the profile drops that.

        Lines of a batch are never repeats of each other.
        """
        if read.wall is not None:
            return Flag(0)
        drop_ms, now = self.station.frame.repeat_ms, self._context.clocks.mono_ms()
        same = self._last is not None and self._last[0] == read.code
        since = now - self._last[1] if self._last else 0
        if same and since < drop_ms:
            return None
        self._last = (read.code, now)
        return Flag.REPEATED if same and since < REPEAT_MS else Flag(0)

    def _damaged(self, noise: Noise) -> list[Event]:
        """One damaged row; none beyond the hourly limit, which the state then tells."""
        now = self._context.clocks.mono_ms()
        if now - self._noise_since_ms >= HOUR_MS:
            self._noise_since_ms, self._noise = now, 0
        self._noise += noise.reason in DISTURBED
        if noise.reason in DISTURBED and self._noise > NOISE_AN_HOUR:
            self.note("noise", f"more than {NOISE_AN_HOUR} disturbed reads in an hour; check settings and cable")
            return []
        wall, seen = self._context.clocks.wall_ms(), self._context.seen_ms()
        return [Damaged(self.station.name, noise.reason, noise.raw[:DAMAGED_RAW_LIMIT], wall, seen)]


def decode_reads(kind: str, found: Iterable[Found], profile: Profile, zone: tzinfo, terminal: str) -> Decoded:
    """What captured reads say, without a station: a live read has the time 0, a command changes what follows."""
    live, batch = (Orders(ScanKind.UNKNOWN, 0, 0) for _ in range(2))
    events: list[Event] = []
    health: list[HealthFact] = []
    problems: list[Trouble] = []
    for one in found:
        match one:
            case NoRead():
                health.append(HealthFact("no_read"))
            case Noise(reason, raw):
                problems.append(Trouble(reason, f"{len(raw)} bytes that are no read of {profile.model}", raw))
            case Read():
                wall = one.wall if one.wall is None or one.wall.tzinfo else one.wall.replace(tzinfo=zone)
                at = 0 if wall is None else to_ms(wall)
                orders = live if wall is None else batch
                try:
                    command = command_of(one.code)
                except DataError as error:
                    problems.append(Trouble(error.code, str(error), one.code.encode()))
                    continue
                if command is not None:
                    orders.take(command, at)
                    health.append(HealthFact("command", {"text": one.code}))
                    continue
                meant, operator = orders.next(at)
                events.append(
                    Scan(
                        station=one.station or terminal,
                        code=one.code,
                        symbology=one.symbology,
                        kind=meant if one.kind is None else one.kind,
                        at=at,
                        operator=one.operator or operator,
                        native_seq=one.number,
                        flags=Flag.REALTIME if wall is None else Flag(0),
                    )
                )
    return Decoded(kind, tuple(events), tuple(health), tuple(problems))
