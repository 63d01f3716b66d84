"""Sums of a period: comprehensive hours (AR-31) and the flags that only a period has (AR-30)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from server.attendance.calendar import Calendar
from server.attendance.limits import over_month, without_rest
from server.attendance.policy import Policy
from server.attendance.record import DayRecord

STANDARD_DAY_MIN = 480


@dataclass(frozen=True, slots=True)
class Period:
    """Totals in minutes between two dates, both inclusive."""

    first: date
    last: date
    standard: int
    """Workdays of the calendar times 8 hours."""
    total: int
    """Worked and, under comprehensive hours, approved extra minutes; work on statutory dates is apart."""
    ot_15: int
    ot_20: int
    ot_30: int
    comp: int
    flags: tuple[str, ...] = ()


def period_of(records: Iterable[DayRecord], calendar: Calendar, policy: Policy, first: date, last: date) -> Period:
    """Totals of the records in a period; records of the six days before it tell about days in a row."""
    known = list(records)
    inside = [record for record in known if first <= record.date <= last]
    minutes = [record.minutes for record in inside]
    standard = STANDARD_DAY_MIN * sum(calendar.type_of(day) == "workday" for day in _days(first, last))
    total = sum(m.worked + m.extra for m in minutes)
    comprehensive = policy.system == "comprehensive"
    ot_15 = max(total - standard, 0) if comprehensive else sum(m.ot_15 for m in minutes)
    ot_20, ot_30, comp = sum(m.ot_20 for m in minutes), sum(m.ot_30 for m in minutes), sum(m.comp for m in minutes)
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    over = ot_15 + ot_30 > months * policy.month_ot_limit_min if comprehensive else over_month(inside, policy)
    flags = {"ot_limit_month": over, "seven_day_no_rest": without_rest(known, first, last)}
    return Period(
        first, last, standard, total, ot_15, ot_20, ot_30, comp, tuple(name for name, on in flags.items() if on)
    )


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
