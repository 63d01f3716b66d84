"""Clock types: every clock an event has seen is kept apart until the server judges them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
CLOCK_SUSPECT_BEFORE_S = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())
"""Device seconds below this mean a clock that was reset (architecture.md, business key)."""

WallMs: TypeAlias = int
"""Milliseconds since 1970 in UTC."""
DeviceSeconds: TypeAlias = int
"""A terminal's wall clock in whole seconds since 1970, counted as if it were UTC."""
MonotonicMs: TypeAlias = int
"""Milliseconds of a clock that never jumps; its zero means nothing."""


class ClockAnchor(msgspec.Struct, array_like=True, frozen=True):
    """Ties a stream's monotonic milliseconds to wall time: both were read at one instant."""

    mono_ms: MonotonicMs
    wall_ms: WallMs
    synced: bool = False


@dataclass(frozen=True, slots=True)
class Clocks:
    """The two clocks a process reads, injected so that a test can turn them."""

    wall_ms: Callable[[], WallMs]
    mono_ms: Callable[[], MonotonicMs]


def system_clocks() -> Clocks:
    """The machine's clocks; the monotonic one counts on while the wall clock jumps."""
    return Clocks(lambda: time.time_ns() // 1_000_000, lambda: time.monotonic_ns() // 1_000_000)


def from_ms(at_ms: WallMs) -> datetime:
    """Aware UTC time of milliseconds since 1970; exact, no float."""
    return EPOCH + timedelta(milliseconds=at_ms)


def to_ms(at: datetime) -> WallMs:
    """Milliseconds since 1970 of an aware time, cut off below the millisecond."""
    return (at - EPOCH) // _MS


def device_seconds(wall: datetime) -> DeviceSeconds:
    """A terminal's naive wall time as seconds counted as if UTC."""
    return (wall.replace(tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
