"""Months as a company counts its attendance: calendar months of local dates, written ``2026-02``."""

from datetime import date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from shared.clock import WallMs, to_ms

Month: TypeAlias = str
"""Such as ``2026-02``; in order of text they are in order of time."""

_DAY = timedelta(days=1)
_LONGEST = timedelta(days=31)


def month_of(day: date) -> Month:
    """Month that a date lies in."""
    return f"{day:%Y-%m}"


def month_after(month: Month) -> Month:
    """The next one."""
    return month_of(_first(month) + _LONGEST)


def month_span(month: Month) -> tuple[date, date]:
    """First and last date; ValueError for what is no month."""
    return _first(month), _first(month_after(month)) - _DAY


def month_instants(month: Month, zone: ZoneInfo) -> tuple[WallMs, WallMs]:
    """First instant of a month in a zone, and of the one after it."""
    first, after = _first(month), _first(month_after(month))
    return _midnight(first, zone), _midnight(after, zone)


def _first(month: Month) -> date:
    return date.fromisoformat(f"{month}-01")


def _midnight(day: date, zone: ZoneInfo) -> WallMs:
    return to_ms(datetime.combine(day, time(), zone))
