"""One person at one terminal at one instant."""

from enum import IntEnum, IntFlag

import msgspec

from shared.clock import DeviceSeconds, MonotonicMs, WallMs


class Direction(IntEnum):
    """Which way the terminal said the person went; never guessed."""

    UNKNOWN = 0
    IN = 1
    OUT = 2
    BREAK_OUT = 3
    BREAK_IN = 4
    OVERTIME_IN = 5
    OVERTIME_OUT = 6


class Method(IntEnum):
    """How the terminal recognised the person."""

    UNKNOWN = 0
    FACE = 1
    FINGER = 2
    CARD = 3
    PASSWORD = 4
    PIN = 5
    PALM = 6
    IRIS = 7
    QR = 8
    REMOTE = 9


class Flag(IntFlag):
    """Doubts about an event that its source could see; the server judges them."""

    CLOCK_SUSPECT = 1
    """The device year is before 2015."""
    TIME_ESTIMATED = 2
    """The gateway had no synchronised clock."""
    DIRECTION_FROM_PROFILE = 4
    """The profile, not the terminal, gave the direction."""
    REALTIME = 8
    """Reported as it happened, not read from the log."""
    REPEATED = 16
    """The scanner read the same code a moment before: one parcel twice, or two with one code."""


class Punch(msgspec.Struct, array_like=True, frozen=True, tag="p1"):
    """A punch as accepted by a gateway; encoded once and never changed (new fields only at the end)."""

    terminal: str
    """The device's own serial number, a configured name only where it has none."""
    user: str
    """User number exactly as the terminal sent it."""
    at_device: DeviceSeconds | None
    """None for a source without clock."""
    utc_offset_s: int | None
    """Offset of the zone that turned ``at_device`` into ``at``."""
    at: WallMs
    """UTC after applying the zone only; drift is corrected by the server."""
    direction: Direction = Direction.UNKNOWN
    method: Method = Method.UNKNOWN
    raw_codes: tuple[int, ...] = ()
    """(verify, state, ...) as the terminal sent them."""
    native_seq: int | None = None
    """The terminal's own record number."""
    drift_ms: int | None = None
    """Terminal clock minus gateway clock at the last clock read."""
    seen_ms: MonotonicMs = 0
    """Gateway monotonic milliseconds since the stream began."""
    flags: Flag = Flag(0)
