"""What the writer knows of the rows without looking: per stream, never per row. Values only, swapped after a commit."""

from dataclasses import dataclass, field, replace

import msgspec

from shared.clock import ClockAnchor
from shared.ranges import Ranges, difference, size, union


class StreamBody(msgspec.Struct, array_like=True, frozen=True):
    """What the database says of a stream, as MessagePack in ``streams.body``."""

    stream: bytes
    """Random, 16 bytes."""
    anchor: ClockAnchor


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream; it holds rows ``first`` to ``last`` without a hole, none when ``first`` is above ``last``."""

    number: int
    stream: bytes
    anchor: ClockAnchor
    first: int
    last: int
    acked: Ranges = field(default_factory=list)
    """Nothing below ``first``."""

    @property
    def rows(self) -> int:
        """Rows held."""
        return self.last - self.first + 1

    @property
    def unacked(self) -> Ranges:
        """Rows held that the server has not confirmed."""
        return difference([(self.first, self.last)], self.acked) if self.rows else []

    @property
    def deletable(self) -> int:
        """The highest seq such that all rows up to it are acked; ``first - 1`` when the first is not."""
        for first, last in self.acked:
            if first <= self.first <= last:
                return min(last, self.last)
        return self.first - 1

    def ack(self, ranges: Ranges) -> "StreamInfo":
        """The same with these seqs acked."""
        return replace(self, acked=union(self.acked, ranges))


@dataclass(frozen=True, slots=True)
class State:
    """All streams by number, oldest first."""

    streams: dict[int, StreamInfo] = field(default_factory=dict)
    open: int | None = None
    """Number of the stream that new rows go to; None until the first row."""
    next_number: int = 1
    newest_digest: bytes | None = None

    def with_stream(self, info: StreamInfo) -> "State":
        """The same with this stream added or replaced."""
        return replace(self, streams={**self.streams, info.number: info})

    def without(self, number: int) -> "State":
        """The same without this stream."""
        return replace(self, streams={n: info for n, info in self.streams.items() if n != number})

    def find(self, stream: bytes) -> StreamInfo | None:
        """The stream of that id; None when no row of it is left."""
        return next((info for info in self.streams.values() if info.stream == stream), None)

    @property
    def rows(self) -> int:
        """Rows held, acked ones included."""
        return sum(info.rows for info in self.streams.values())

    @property
    def backlog(self) -> int:
        """Rows that the server has not confirmed."""
        return sum(size(info.unacked) for info in self.streams.values())

    @property
    def oldest_unacked(self) -> tuple[StreamInfo, int] | None:
        """Stream and seq of the first row not yet confirmed."""
        for info in self.streams.values():
            if unacked := info.unacked:
                return info, unacked[0][0]
        return None
