"""Place in the log of a terminal that is searched by time, and which part of the log to ask for next.

Never the time of an event: after a clock reset new events carry older times. What counts is where the terminal's clock
stood when its log was last read to the end, compared with ours.
"""

import json
from dataclasses import dataclass

from shared.clock import CLOCK_SUSPECT_BEFORE_S, DeviceSeconds, WallMs
from shared.errors import DataError

WINDOW_S = 600
"""Read again before the last place: events may be written late."""
AHEAD_S = 24 * 3600
JUMP_S = 60
"""More than this between the clocks' advances means that one of them was set."""
FAR_S = 2_145_916_799
"""2037-12-31 23:59:59, the last second that 32-bit firmware knows."""
EPOCH_SHIFT = 40
"""A factory reset begins a new epoch; ``native_seq`` holds it above the terminal's own 40 bits."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading stopped; all None before the first complete read."""

    epoch: int = 0
    number: int | None = None
    """The terminal's own highest number seen in this epoch."""
    device: DeviceSeconds | None = None
    """The terminal's clock when it was read to the end."""
    wall_ms: WallMs | None = None
    """The gateway's clock at that instant."""
    suspects: int = 0
    """Events with a lost clock in its log, as it counted them."""
    local: bool = False
    """Its numbers of seconds were found to be local time, not UTC (a habit of some Dahua firmware)."""

    def encode(self) -> bytes:
        """Bytes for the outbox."""
        return json.dumps([1, self.epoch, self.number, self.device, self.wall_ms, self.suspects, self.local]).encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Place":
        """The place in such bytes, the start of the log for None. DataError ``cursor``."""
        if value is None:
            return cls()
        try:
            version, epoch, number, device, wall_ms, suspects, local = json.loads(value)
        except (ValueError, TypeError) as error:
            raise DataError("a cursor of another kind", "cursor") from error
        optional = (number, device, wall_ms)
        whole = all(isinstance(field, int) for field in (epoch, suspects))
        if version != 1 or not whole or not all(field is None or isinstance(field, int) for field in optional):
            raise DataError("a cursor of another version", "cursor")
        return cls(epoch, number, device, wall_ms, suspects, bool(local))

    def span(self, now: DeviceSeconds, wall_ms: WallMs) -> tuple[DeviceSeconds, DeviceSeconds]:
        """Device seconds to ask for when its clock shows ``now``: all of it at first and after a clock was set."""
        if self.device is None or self.wall_ms is None:
            return 0, FAR_S
        expected = self.device + (wall_ms - self.wall_ms) // 1000
        if abs(now - expected) > JUMP_S or wall_ms < self.wall_ms:
            return 0, FAR_S
        return self.device - WINDOW_S, now + AHEAD_S

    def is_new_epoch(self, top: int | None) -> bool:
        """Whether the highest number of a read says that the terminal counts from 1 again."""
        return self.number is not None and top is not None and top < self.number

    def native(self, number: int | None) -> int | None:
        """What tells two events of one second apart while the clock is lost, across factory resets."""
        if number is None or number >= 1 << EPOCH_SHIFT:
            return number
        return (self.epoch << EPOCH_SHIFT) | number


LOST_SPAN = (0, CLOCK_SUSPECT_BEFORE_S - 1)
"""Where events are that were written while the clock was lost."""
