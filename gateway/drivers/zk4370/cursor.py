"""Place in a terminal's log: its last records as read, for old firmware has no "read new" (zk4370.md, cursor).

Never a time: after a clock reset new punches carry older times and would be skipped for ever.
"""

import struct
from dataclasses import dataclass

from gateway.drivers.zk4370.codec import PACKET_LIMIT, Bytes
from shared.errors import DataError

TAIL_RECORDS = 16
_HEAD = struct.Struct("<BIIQ")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading stopped.

    ``number`` counts every record ever read from this terminal. It goes on when the log was cleared, so that two
    punches of a terminal whose clock starts again at 2000 stay two (shared.keys).
    """

    number: int = 0
    end: int = 0
    """Records in the log up to there. What was read can only move towards the start, as the oldest are dropped."""
    size: int = 0
    """Bytes of a record; 0 before the first."""
    tail: bytes = b""
    """The last 16 records read, fewer in a shorter log."""

    def encode(self) -> bytes:
        """Bytes for the outbox."""
        return _HEAD.pack(_VERSION, self.size, self.end, self.number) + self.tail

    @classmethod
    def decode(cls, value: bytes | None) -> "Place":
        """The place in such bytes, the start of the log for None. DataError ``cursor``."""
        if value is None:
            return cls()
        if len(value) < _HEAD.size:
            raise DataError(f"a cursor of {len(value)} bytes, expected at least {_HEAD.size}", "cursor")
        version, size, end, number = _HEAD.unpack_from(value)
        tail = value[_HEAD.size :]
        fits = size and size <= PACKET_LIMIT and not len(tail) % size
        if version != _VERSION or (tail and not fits):
            raise DataError(f"a cursor of version {version} with {len(tail)} bytes for records of {size}", "cursor")
        return cls(number, end, size, tail)

    def new_from(self, records: Bytes, size: int) -> int:
        """Index of the first record of this log that was not read before; 0 when the log was cleared or rolled over."""
        if not self.tail or size != self.size:
            return 0
        log, run = bytes(records), len(self.tail) // size
        # Never behind `end`: a terminal may write equal records one after the other.
        for start in range(min(len(log) // size, self.end) - run, -1, -1):
            if log.startswith(self.tail, start * size):
                return start + run
        return 0

    def after(self, records: Bytes, size: int, first: int, end: int) -> "Place":
        """The place once records ``first`` to ``end`` (exclusive) of this log are stored too."""
        tail = bytes(records[max(0, end - TAIL_RECORDS) * size : end * size])
        return Place(self.number + end - first, end, size, tail)
