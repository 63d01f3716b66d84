"""Which spans of time a terminal is asked for: day by day, as large ranges keep it busy for minutes."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
FIRST_YEAR = datetime(2000, 1, 1)  # noqa: DTZ001 a terminal's clock has no zone
LAST = datetime(2099, 12, 31, 23, 59, 59)  # noqa: DTZ001
SMALLEST = timedelta(minutes=10)


class Window(NamedTuple):
    """From the first to the last second, both included; None is open."""

    first: datetime | None
    last: datetime | None

    def halves(self) -> tuple["Window", "Window"] | None:
        """Two windows for one whose answer is too large; None when it is small already."""
        first, last = self.first or FIRST_YEAR, self.last or LAST
        if last - first < SMALLEST:
            return None
        middle = (first + (last - first) / 2).replace(microsecond=0)
        return Window(self.first, middle), Window(middle + SECOND, self.last)


def recent(since: datetime, now: datetime) -> Iterator[Window]:
    """One window a day from ``since`` to a day after the terminal's own time."""
    first, end = since, min(now, LAST) + DAY
    while first <= end:
        midnight = datetime(first.year, first.month, first.day) + DAY  # noqa: DTZ001
        yield Window(first, min(midnight - SECOND, end))
        first = midnight


def everything(now: datetime, days: int) -> Iterator[Window]:
    """All there is: what is older than ``days`` at once, then day by day, then what lies in the future."""
    end = max(min(now, LAST), FIRST_YEAR)
    since = max(end - timedelta(days=days), FIRST_YEAR)
    yield Window(None, since - SECOND)
    yield from recent(since, end)
    yield Window(end + DAY + SECOND, None)
