"""Who may speak and what becomes of it: the same for a message over HTTP and over MQTT."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from gateway.driver import Cursor, DriverContext, Terminal, TerminalState
from gateway.drivers.custom import codec
from shared.clock import WallMs, from_ms
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import Event
from shared.scan import Damaged, ScanKind

FAMILY = "custom"
OFFLINE_AFTER_MS = 900_000
"""Devices say at least every ten minutes that they are alive."""
DRIFT_WARNING_MS = 30_000
NOTE_MS = 24 * 3600 * 1000
"""How long a problem is shown."""

log = structlog.get_logger("gateway")


class Damage(msgspec.Struct, frozen=True):
    """An entry that was kept as it came, because it can not be an event."""

    place: str
    code: str
    message: str


class Taken(msgspec.Struct, frozen=True):
    """Everything is on disk."""

    accepted: int
    repeats: int
    damaged: list[Damage] = []


class Refusal(msgspec.Struct, frozen=True):
    """Nothing was stored; ``now`` lets a device set its clock."""

    code: str
    message: str
    now: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Status as of HTTP, and what is said."""

    status: int
    body: Taken | Refusal


@dataclass(slots=True)
class Known:
    """One listed device and what this run knows of it."""

    terminal: Terminal
    device: str
    key: bytes
    kind: ScanKind
    last_contact_mono_ms: int | None = None
    noted_mono_ms: int | None = None

    @property
    def state(self) -> TerminalState:
        """What IT sees of it."""
        return self.terminal.state


class Intake:
    """The listed devices of one way in; ConfigError for settings that can not work."""

    def __init__(self, terminals: Sequence[Terminal], context: DriverContext) -> None:
        self._context = context
        self.known: dict[str, Known] = {}
        for terminal in terminals:
            known = _known(terminal)
            if known.device in self.known:
                raise ConfigError(f"terminal {terminal.config.name}: device {known.device!r} is listed twice")
            self.known[known.device] = known

    async def take(self, body: bytes, claimed: str) -> Answer:
        """Check, store, answer; a message that was stored before is taken again and counts as repeats."""
        try:
            message = codec.read_message(body)
        except DataError as error:
            # Before anybody is known to speak: nothing is kept of it and no terminal is blamed.
            return Answer(413 if error.code == "too_many" else 400, Refusal(error.code, str(error)))
        known = self.known.get(message.device)
        if known is None:
            self._context.discovered(FAMILY, message.device[:64])
        if known is None or not codec.is_signed(known.key, body, claimed):
            if known is not None:
                self._note(known, "bad_signature")
            return Answer(401, Refusal("not_signed", "unknown device, or not signed with its key"))
        return await self._take(known, message)

    async def _take(self, known: Known, message: codec.Message) -> Answer:
        now_ms = self._context.clocks.wall_ms()
        drift_ms = message.sent_ms - now_ms
        known.state.drift_ms = drift_ms
        if abs(drift_ms) > codec.FRESH_MS:
            self._note(known, "clock_drift")
            text = f"sent is {abs(drift_ms) // 1000} s off, at most {codec.FRESH_MS // 1000}; set the clock, sign anew"
            return Answer(401, Refusal("stale", text, _iso(now_ms)))
        known.last_contact_mono_ms = self._context.clocks.mono_ms()
        known.state.last_contact_ms, known.state.state = now_ms, "online"
        events = self._events(known, message, drift_ms, now_ms)
        try:
            accepted, repeats = await self._put(known, message, events)
        except RetryableError as error:
            self._note(known, "buffer_refused")
            log.warning("not_stored", terminal=known.terminal.config.name, reason=str(error))
            return Answer(503, Refusal("not_stored", "the gateway can not store now; send again later"))
        self._show(known, drift_ms, now_ms if message.punches or message.scans else None)
        damaged = [Damage(bad.place, bad.code, bad.text) for bad in message.bad]
        return Answer(200, Taken(accepted, repeats, damaged))

    def _events(self, known: Known, message: codec.Message, drift_ms: int, now_ms: WallMs) -> list[Event]:
        seen_ms, device = self._context.seen_ms(), known.device
        return [
            *(codec.punch_of(entry, device, drift_ms, seen_ms) for entry in message.punches),
            *(codec.scan_of(entry, device, known.kind, seen_ms) for entry in message.scans),
            *(Damaged(device, bad.code, bad.raw, now_ms, seen_ms) for bad in message.bad),
        ]

    async def _put(self, known: Known, message: codec.Message, events: Sequence[Event]) -> tuple[int, int]:
        """One transaction, with a place: the device keeps what was not confirmed, so it can wait for room."""
        if not events:
            return 0, 0
        last = max([*(punch.number for punch in message.punches), *(scan.number for scan in message.scans)], default=0)
        stored = await self._context.sink.put(events, Cursor(f"{FAMILY}:{known.device}", str(last).encode()))
        return stored.accepted, stored.repeats

    def _show(self, known: Known, drift_ms: int, event_ms: WallMs | None) -> None:
        if event_ms is not None:
            known.state.last_event_ms = event_ms
        if abs(drift_ms) > DRIFT_WARNING_MS:
            self._note(known, "clock_drift")
        elif known.state.problem in ("clock_drift", "buffer_refused", "no_contact"):
            known.state.problem = known.noted_mono_ms = None

    def _note(self, known: Known, problem: str) -> None:
        if known.state.problem != problem:
            log.warning("terminal", terminal=known.terminal.config.name, problem=problem)
        known.state.problem, known.noted_mono_ms = problem, self._context.clocks.mono_ms()

    def notice_silence(self) -> None:
        """Take devices that said nothing for long as offline, and old problems as gone."""
        now = self._context.clocks.mono_ms()
        for known in self.known.values():
            last, noted = known.last_contact_mono_ms, known.noted_mono_ms
            if last is not None and now - last > OFFLINE_AFTER_MS:
                known.state.state = "offline"
            if noted is not None and now - noted > NOTE_MS:
                known.state.problem = known.noted_mono_ms = None


def encode(body: Taken | Refusal) -> bytes:
    """The answer's JSON."""
    return msgspec.json.encode(body)


def key_lines(path: Path | None, name: str) -> list[str]:
    """Lines of the key file: the key, and for a broker with accounts ``user:password``. ConfigError repeats neither."""
    if path is None:
        raise ConfigError(f"terminal {name}: set key_file, a file with the device's signing key")
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the signing key can not be read ({type(error).__name__})") from error
    if not lines or len(lines[0].encode()) < codec.KEY_BYTES:
        raise ConfigError(f"{path}: expected a key of at least {codec.KEY_BYTES} characters; `openssl rand -hex 32`")
    return lines


def _known(terminal: Terminal) -> Known:
    config = terminal.config
    device = config.serial or config.name
    terminal.state.serial = device
    kind = ScanKind.UNKNOWN
    if config.kind is not None:
        if config.kind.upper() not in ScanKind.__members__:
            raise ConfigError(f"terminal {config.name}: kind {config.kind!r} is none of ours")
        kind = ScanKind[config.kind.upper()]
    return Known(terminal, device, key_lines(config.key_file, config.name)[0].encode(), kind)


def _iso(at_ms: WallMs) -> str:
    return from_ms(at_ms).isoformat(timespec="seconds")
