"""Limits that are told and never cut pay (AR-30, AR-40)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

from server.attendance.explain import ordered
from server.attendance.months import month_of
from server.attendance.policy import Policy
from server.attendance.record import DayRecord, Minutes

DAYS_IN_A_ROW = 7
_CAME: frozenset[str] = frozenset(("missing_in", "missing_out"))


def flag_long_days(records: list[DayRecord], policy: Policy) -> list[DayRecord]:
    """The same records; those of a date with too much overtime of class 1.5 say so."""
    if not any(record.minutes.ot_15 for record in records):
        return records
    of_date: dict[date, int] = {}
    for record in records:
        of_date[record.date] = of_date.get(record.date, 0) + record.minutes.ot_15
    too_long = {day for day, minutes in of_date.items() if minutes > policy.day_ot_limit_min}
    return [_flagged(r) if r.date in too_long and r.minutes.ot_15 else r for r in records]


def overtime_of(minutes: Minutes) -> int:
    """Minutes that count towards the limit of a month: banked ones too (AR-40)."""
    return minutes.ot_15 + minutes.ot_20 + minutes.ot_30 + minutes.comp


def without_rest(records: Iterable[DayRecord], first: date, last: date) -> bool:
    """Whether a seventh day in a row with work lies between two dates, both inclusive."""
    days = {record.date for record in records if _worked(record)}
    return any(
        first <= day <= last and all(day - timedelta(days=back) in days for back in range(1, DAYS_IN_A_ROW))
        for day in days
    )


def over_month(records: Sequence[DayRecord], policy: Policy) -> bool:
    """Whether a calendar month of them has more overtime than the limit."""
    months: dict[str, int] = {}
    for record in records:
        month = month_of(record.date)
        months[month] = months.get(month, 0) + overtime_of(record.minutes)
    return any(minutes > policy.month_ot_limit_min for minutes in months.values())


def _worked(record: DayRecord) -> bool:
    minutes = record.minutes
    done = minutes.worked + minutes.holiday_work + minutes.extra + overtime_of(minutes)
    return done > 0 or record.status in _CAME


def _flagged(record: DayRecord) -> DayRecord:
    why = record.explanation
    return replace(
        record,
        flags=tuple(sorted({*record.flags, "ot_limit_day"})),
        explanation=replace(why, rules=ordered({*why.rules, "AR-30"})),
    )
