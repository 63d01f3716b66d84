"""When notices are due, and when one that failed is tried again."""

import calendar
import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from shared.clock import WallMs, from_ms, to_ms
from shared.errors import DataError

Every: TypeAlias = Literal["day", "week", "month"]
EVENT = "event"
"""In place of these: each time it happens."""

MOST_ATTEMPTS = 6
LEASE_MS = 5 * 60_000
"""Who sends has so long; then the process is taken for dead and another one tries."""
FIRST_DELAY_MS = 60_000
CATCH_UP_MS = 12 * 3_600_000
"""A notice that is older when the server comes back is not worth sending."""

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DAY = dt.timedelta(days=1)
_LATEST_DAY = 28


@dataclass(frozen=True, slots=True)
class Timing:
    """Every day, or on a day of the week (1 is Monday) or month (1 to 28), at HH:MM of the company's zone."""

    every: Every
    day: int | None
    at: str


def check_timing(timing: Timing) -> None:
    """DataError when there is no such time."""
    if not _TIME.fullmatch(timing.at):
        raise DataError(f"time {timing.at!r}: expected HH:MM between 00:00 and 23:59", "timing")
    most = {"day": None, "week": 7, "month": _LATEST_DAY}[timing.every]
    if (timing.day is None) is not (most is None) or (most and not 1 <= (timing.day or 0) <= most):
        wanted = "none" if most is None else f"1 to {most}"
        raise DataError(f"day {timing.day}: expected {wanted} for every {timing.every}", "timing")


def newest_due(timing: Timing, now_ms: WallMs, zone: ZoneInfo) -> WallMs:
    """The last instant at or before now at which it is due; a wall time that is skipped moves forward."""
    day = from_ms(now_ms).astimezone(zone).date()
    while True:
        if _falls_on(timing, day) and (due_ms := _instant(day, timing.at, zone)) <= now_ms:
            return due_ms
        day -= _DAY


def next_due(timing: Timing, now_ms: WallMs, zone: ZoneInfo) -> WallMs:
    """The first instant after now at which it is due."""
    day = from_ms(now_ms).astimezone(zone).date()
    while True:
        if _falls_on(timing, day) and (due_ms := _instant(day, timing.at, zone)) > now_ms:
            return due_ms
        day += _DAY


def retry_delay_ms(attempts: int) -> int:
    """How long to wait after so many attempts: 1, 2, 4, 8 ... minutes."""
    return int(FIRST_DELAY_MS * 2 ** (attempts - 1))


def month_told(due_ms: WallMs, zone: ZoneInfo) -> str:
    """The month a report is about: that of the day before, so that the first of a month tells the one that ended."""
    return f"{from_ms(due_ms).astimezone(zone).date() - _DAY:%Y-%m}"


def _falls_on(timing: Timing, day: dt.date) -> bool:
    match timing.every:
        case "day":
            return True
        case "week":
            return day.isoweekday() == timing.day
        case "month":
            return day.day == min(timing.day or 1, calendar.monthrange(day.year, day.month)[1])


def _instant(day: dt.date, at: str, zone: ZoneInfo) -> WallMs:
    hour, minute = map(int, at.split(":"))
    return to_ms(dt.datetime.combine(day, dt.time(hour, minute), zone))
