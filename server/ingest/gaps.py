"""Which holes stay: a stream that holds more than its watermark while the watermark stands still."""

from collections.abc import Iterable

from shared.clock import MonotonicMs

STAYS_MS = 30_000
"""A hole in a stream that makes no progress for this long is a gap; resends fill all others before."""


class GapWatch:
    """Remembers how far each stream with a hole was, and since when."""

    def __init__(self) -> None:
        self._since: dict[int, tuple[int, MonotonicMs]] = {}

    def standing(self, streams: Iterable[tuple[int, int]], now_ms: MonotonicMs) -> set[int]:
        """Of all streams with holes now, as (id, watermark): those whose watermark has stood still."""
        before, self._since = self._since, {}
        for stream, upto in streams:
            was = before.get(stream)
            self._since[stream] = was if was is not None and was[0] == upto else (upto, now_ms)
        return {stream for stream, (_, since) in self._since.items() if now_ms - since >= STAYS_MS}
