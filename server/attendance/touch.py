"""Which days have to be computed again after something changed."""

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from server.attendance.policy import DEFAULT, Policy
from shared.clock import WallMs, from_ms

_LONGEST_SHIFT = timedelta(hours=25)  # 24 h on the wall, one more when the clocks go back


def touched_dates(true_ms: WallMs, zone: ZoneInfo, policy: Policy = DEFAULT) -> tuple[date, ...]:
    """Local dates whose result a punch at that instant can change, in order.

    That is every date on which a shift could start whose window (AR-7) holds the instant, and the date itself.
    """
    at = from_ms(true_ms)
    earliest_start = at - timedelta(minutes=policy.window_after_min) - _LONGEST_SHIFT
    latest_start = at + timedelta(minutes=policy.window_before_min)
    return tuple(_days(earliest_start.astimezone(zone).date(), latest_start.astimezone(zone).date()))


def dates_near_roster(day: date) -> tuple[date, ...]:
    """Dates whose result changes with the shifts of ``day``: windows of neighbours meet in their middle (AR-8).

    A shift may end late on the next day, so the punches of the day after that can fall into its window.
    """
    return tuple(_days(day - timedelta(days=1), day + timedelta(days=2)))


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
