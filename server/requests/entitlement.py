"""Annual leave by law: how many days of a year somebody has a right to.

Source: Regulations on Paid Annual Leave of Employees (State Council Order 514), articles 2 and 3; Measures for
Implementation in Enterprises (Ministry of Human Resources and Social Security Order 1 of 2008), articles 3, 4, 5, 12.
"""

from dataclasses import dataclass
from datetime import date, timedelta

YEAR_DAYS = 365
"""The Measures divide by 365, in leap years too."""

_BRACKETS = ((20, 15), (10, 10), (1, 5))
"""Years of work over a whole life, and days of leave a year; less than one year gives none."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Whole days of one calendar year."""

    days: int
    from_on: date | None
    """First date on which there is a right to leave; None without days."""


def entitlement(worked_since: date | None, joined_on: date, left_on: date | None, year: int) -> Entitlement:
    """Days of annual leave in a calendar year.

    ``worked_since`` is the first job of the life; unknown: since joining. Who joins, leaves or reaches another bracket
    within the year gets each bracket's days for its calendar days out of 365; what is less than a day is dropped.
    """
    since = min(worked_since or joined_on, joined_on)
    first = max(joined_on, date(year, 1, 1))
    last = min(left_on or date.max, date(year, 12, 31))
    earned, from_on = 0, None
    turns = sorted({first, *(turn for years, _ in _BRACKETS if first < (turn := anniversary(since, years)) <= last)})
    for start, end in zip(turns, [*(turn - _DAY for turn in turns[1:]), last], strict=True):
        days = _days_a_year(since, start)
        if days and start <= end:
            earned += days * ((end - start).days + 1)
            from_on = from_on or start
    whole = earned // YEAR_DAYS
    return Entitlement(whole, from_on if whole else None)


def anniversary(since: date, years: int) -> date:
    """First date after so many full years; those of 29 February fall on 1 March in other years."""
    try:
        return since.replace(year=since.year + years)
    except ValueError:
        return date(since.year + years, 3, 1)


def _days_a_year(since: date, on: date) -> int:
    return next((days for years, days in _BRACKETS if anniversary(since, years) <= on), 0)
