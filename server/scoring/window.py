"""Periods, and the days that count for them."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from server.scoring.part import Window
from shared.errors import DataError

EPOCH = date(1970, 1, 1)
TRAILING_DAYS = 90


@dataclass(frozen=True, slots=True)
class Days:
    """Days of a period or a part of it, both inclusive, where the company is."""

    first: date
    last: date

    @property
    def months(self) -> int:
        """Calendar months that it touches."""
        return month_number(self.last) - month_number(self.first) + 1

    @property
    def number(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1


def days_of(period: str) -> Days:
    """Days of ``2026-11``, or of the quarter ``2026-Q4``; DataError for another text."""
    year, _, rest = period.partition("-")
    try:
        if rest.startswith("Q"):
            quarter = int(rest[1:])
            return Days(date(int(year), 3 * quarter - 2, 1), days_of(f"{year}-{3 * quarter:02}").last)
        first = date(int(year), int(rest), 1)
    except ValueError as error:
        raise DataError(f"period {period!r}: expected 2026-11 or 2026-Q4", "period") from error
    return Days(first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))


def window_of(window: Window, period: Days) -> Days:
    """The days of a window for a period; those of ``any`` are the period's own."""
    match window:
        case "previous":
            months = 12 * period.first.year + period.first.month - 1 - period.months
            return Days(date(months // 12, months % 12 + 1, 1), period.first.replace(day=1) - timedelta(days=1))
        case "trailing_90d":
            return Days(period.last - timedelta(days=TRAILING_DAYS - 1), period.last)
        case "first_month":
            return days_of(f"{period.first:%Y-%m}")
        case "last_month":
            return days_of(f"{period.last:%Y-%m}")
        case _:
            return period


def epoch_day(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def day_after_epoch(number: int) -> date:
    """The day so many days after 1970-01-01."""
    return EPOCH + timedelta(days=number)


def month_number(day: date) -> int:
    """Months since the beginning of year 0."""
    return 12 * day.year + day.month - 1
