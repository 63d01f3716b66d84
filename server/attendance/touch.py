"""Which days have to be computed again after something changed (AR-33)."""

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from server.attendance.policy import Policy
from server.attendance.policy_settings import MOST_WINDOW_MIN
from shared.clock import WallMs, from_ms

WIDEST = Policy(window_before_min=MOST_WINDOW_MIN, window_after_min=MOST_WINDOW_MIN)
"""Reaches as far as any policy may: for whoever does not know which one holds."""
_LONGEST_SHIFT = timedelta(hours=25)  # 24 h on the wall, one more when the clocks go back
_DAY = timedelta(days=1)


def touched_dates(true_ms: WallMs, zone: ZoneInfo, policy: Policy = WIDEST) -> tuple[date, ...]:
    """Local dates whose result a punch at that instant can change, in order.

    That is every date on which a shift could start whose window (AR-7) holds the instant, the date itself, and the
    following one: the shift before decides on a seam (AR-11) and on coming late (AR-19).
    """
    at = from_ms(true_ms)
    earliest_start = at - timedelta(minutes=policy.window_after_min) - _LONGEST_SHIFT
    latest_start = at + timedelta(minutes=policy.window_before_min)
    return tuple(_days(earliest_start.astimezone(zone).date(), latest_start.astimezone(zone).date() + _DAY))


def dates_near_roster(day: date) -> tuple[date, ...]:
    """Dates whose result changes with the shifts of ``day``: windows of neighbours meet in their middle (AR-8).

    A shift may end late on the next day, so the punches of the day after that can fall into its window.
    """
    return tuple(_days(day - _DAY, day + 2 * _DAY))


def dates_near_span(from_ms_: WallMs, to_ms_: WallMs, zone: ZoneInfo, policy: Policy = WIDEST) -> tuple[date, ...]:
    """Dates whose result an absence or an overtime request can change: a request moves windows of neighbours (AR-7)."""
    first, last = touched_dates(from_ms_, zone, policy)[0], touched_dates(to_ms_, zone, policy)[-1]
    return tuple(_days(first - _DAY, last + _DAY))


def dates_near_calendar(day: date) -> tuple[date, ...]:
    """Dates whose result changes with the type of ``day``.

    A shift of the date before may end on it, and overtime before a shift of the next date may begin on it; the class
    of overtime goes by the day the minute lies on (AR-25).
    """
    return tuple(_days(day - _DAY, day + _DAY))


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
