"""What the HTTP families have in common in turning a terminal's words into events."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from gateway.driver import Cursor, Sink, Terminal, TerminalState
from gateway.profile import Profile, device_zone, utc_offset_s
from shared.clock import CLOCK_SUSPECT_BEFORE_S, DeviceSeconds, WallMs
from shared.errors import ConfigError
from shared.keys import Event
from shared.punch import Direction, Flag, Method, Punch
from shared.scan import DAMAGED_RAW_LIMIT, Damaged

SLICE = 500
"""Events in one transaction."""
DRIFT_WARNING_MS = 30_000
"""Reliability.md section 6."""
ALMOST_FULL_PCT = 90
ONCE_LIMIT = 2000
NO_FLAGS = Flag(0)


@dataclass(frozen=True, slots=True)
class Source:
    """Makes events of one terminal."""

    serial: str
    profile: Profile
    zone: tzinfo

    @classmethod
    def of(cls, terminal: Terminal, serial: str | None = None) -> "Source":
        """The source of a configured terminal; the name stands in where nothing tells a serial number."""
        zone = device_zone(terminal.profile, terminal.config.zone, terminal.site_zone)
        return cls(serial or terminal.config.serial or terminal.config.name, terminal.profile, zone)

    def punch(
        self,
        user: str,
        second: DeviceSeconds,
        raw_codes: tuple[int, ...],
        *,
        direction: Direction = Direction.UNKNOWN,
        method: Method = Method.UNKNOWN,
        offset_s: int | None = None,
        native_seq: int | None = None,
        drift_ms: int | None = None,
        seen_ms: int = 0,
        flags: Flag = NO_FLAGS,
    ) -> Punch:
        """A punch at that second of the terminal's wall clock; ``offset_s`` where the terminal itself tells it."""
        offset = utc_offset_s(self.zone, second) if offset_s is None else offset_s
        return Punch(
            terminal=self.serial,
            user=user,
            at_device=second,
            utc_offset_s=offset,
            at=(second - offset) * 1000,
            direction=direction,
            method=method,
            raw_codes=raw_codes,
            native_seq=native_seq,
            drift_ms=drift_ms,
            seen_ms=seen_ms,
            flags=flags | Flag.CLOCK_SUSPECT if second < CLOCK_SUSPECT_BEFORE_S else flags,
        )

    def damaged(self, reason: str, raw: bytes, now_ms: WallMs, seen_ms: int) -> Damaged:
        """What can not be a punch, with its bytes."""
        return Damaged(self.serial, reason, raw[:DAMAGED_RAW_LIMIT], now_ms, seen_ms)

    def offset_at(self, utc_s: int) -> int:
        """Seconds that the terminal's zone is ahead of UTC at that instant."""
        offset = datetime.fromtimestamp(utc_s, self.zone).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    def drift_ms(self, second: DeviceSeconds, at_ms: WallMs) -> int:
        """Terminal clock minus ours; the terminal shows whole seconds, half of one is added."""
        return (second - utc_offset_s(self.zone, second)) * 1000 + 500 - at_ms

    def wall_at(self, at_ms: WallMs) -> datetime:
        """What the terminal's clock should show, naive."""
        return datetime.fromtimestamp(at_ms // 1000, self.zone).replace(tzinfo=None)


@dataclass(slots=True)
class Once:
    """Tells new bytes from those met before: a log that is read again must not fill the outbox with damaged rows."""

    _met: dict[bytes, None] = field(default_factory=dict)

    def is_new(self, raw: bytes) -> bool:
        """Whether these bytes were not met lately."""
        mark = hashlib.sha256(raw).digest()[:16]
        if mark in self._met:
            return False
        if len(self._met) >= ONCE_LIMIT:
            del self._met[next(iter(self._met))]
        self._met[mark] = None
        return True


async def put_rows(sink: Sink, key: str, rows: Sequence[tuple[Event | None, bytes]]) -> int:
    """Commit rows in order, slice by slice, each with the place after its last row; how many events there were.

    A row without an event moves the place only.
    """
    count = 0
    for n in range(0, len(rows), SLICE):
        part = rows[n : n + SLICE]
        events = [event for event, _ in part if event is not None]
        await sink.put(events, Cursor(key, part[-1][1]))
        count += len(events)
    return count


def check_quirks(profile: Profile, known: frozenset[str]) -> None:
    """ConfigError for a quirk that the driver does not know."""
    if strange := set(profile.quirks) - known:
        raise ConfigError(
            f"profile {profile.brand}/{profile.model}: unknown quirks {sorted(strange)}, expected {sorted(known)}"
        )


def problem_of(state: TerminalState, second: DeviceSeconds | None = None) -> str | None:
    """What IT should look at first: the clock just read, then room in the log; None when all is well."""
    if second is not None and second < CLOCK_SUSPECT_BEFORE_S:
        return "clock_reset"
    used, room = state.log_used or 0, state.log_capacity
    if room and used * 100 >= room * ALMOST_FULL_PCT:
        return "log_full" if used >= room else "log_almost_full"
    if state.drift_ms is not None and abs(state.drift_ms) > DRIFT_WARNING_MS:
        return "clock_drift"
    return None


def wall_second(date: tuple[int, int, int], clock: tuple[int, int, int]) -> DeviceSeconds | None:
    """Year, month, day and hour, minute, second counted as if UTC; None when no terminal shows such a time."""
    if not 1970 <= date[0] <= 2199:
        return None
    try:
        return int(datetime(*date, *clock, tzinfo=UTC).timestamp())
    except ValueError:
        return None
