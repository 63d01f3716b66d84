"""A month of one person in sums: what the columns of the monthly report (考勤月报) count.

docs/reference/month-report.md says the same in words. Days are exact fractions of the net scheduled time of their date.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from fractions import Fraction
from itertools import groupby
from typing import Literal, TypeAlias

from server.attendance.calendar import PLAIN, Calendar
from server.attendance.closing import Adjustment, Decision, decided, stands
from server.attendance.limits import DAYS_IN_A_ROW
from server.attendance.months import Month, month_span
from server.attendance.period import Period, period_of
from server.attendance.policy import DEFAULT, Policy
from server.attendance.record import DayRecord, Minutes, Status

HoursPeriod: TypeAlias = Literal["month", "quarter", "year"]

DAYS_BEFORE = DAYS_IN_A_ROW - 1
"""Records of so many dates before a month tell whether its first days end seven in a row (AR-30)."""

_MISSING: frozenset[Status] = frozenset(("missing_in", "missing_out"))
_MONTHS: Mapping[HoursPeriod, int] = {"month": 1, "quarter": 3, "year": 12}
_NONE = Fraction(0)


@dataclass(frozen=True, slots=True)
class MonthDay:
    """A record as stored, and what was decided about its pending minutes."""

    record: DayRecord
    trip: int = 0
    """Minutes worked on a trip or in the field."""
    leaves: Mapping[str, int] = field(default_factory=dict)
    """Minutes of leave by leave type."""
    decision: Decision | None = None

    @property
    def minutes(self) -> Minutes:
        """For pay and reports (AR-35): pending minutes as decided, while the decision stands."""
        return decided(self.record, self.decision)

    @property
    def settled(self) -> bool:
        """Whether a decision stands."""
        return self.decision is not None and stands(self.decision, self.record)


@dataclass(frozen=True, slots=True)
class Bank:
    """Compensatory leave (调休) in minutes: at the start of the month, and given or taken by hand in it."""

    before: int = 0
    granted: int = 0


@dataclass(frozen=True, slots=True)
class MonthFacts:
    """What is known about one person's month."""

    days: Sequence[MonthDay] = ()
    """Records of the month."""
    earlier: Sequence[MonthDay] = ()
    """Records before it: six dates for AR-30, the whole period so far under comprehensive hours."""
    calendar: Calendar = PLAIN
    policy: Policy = DEFAULT
    period: tuple[date, date] | None = None
    """Dates of comprehensive hours (AR-31), both inclusive; None under another work system."""
    adjustments: Sequence[Adjustment] = ()
    """Posted to the month (AR-34)."""
    corrections: int = 0
    """Approved ones for dates of the month."""
    bank: Bank = Bank()
    bank_types: frozenset[str] = frozenset({"comp"})
    """Leave types that are taken from the bank."""


@dataclass(frozen=True, slots=True)
class MonthSummary:
    """Sums of a month; ``*_min`` are minutes, with decisions as AR-35 says, so that AR-21 holds for them too."""

    scheduled_days: int = 0
    """Dates with a shift."""
    required_days: Fraction = _NONE
    """Of these, less leave: 1 for a whole date, 1/2 for a date whose half is leave."""
    worked_days: Fraction = _NONE
    """Of the required ones, less absence and what is still pending; lateness takes nothing away."""
    absent_days: Fraction = _NONE
    leave_days: Fraction = _NONE
    trip_days: Fraction = _NONE
    required_min: int = 0
    worked_min: int = 0
    holiday_work_min: int = 0
    late_times: int = 0
    late_min: int = 0
    early_times: int = 0
    early_min: int = 0
    missing_punches: int = 0
    gap_min: int = 0
    absent_min: int = 0
    pending_min: int = 0
    exempt_min: int = 0
    leave_min: int = 0
    leaves: Mapping[str, int] = field(default_factory=dict)
    """Minutes by leave type."""
    trip_min: int = 0
    ot_15_min: int = 0
    """Of the dates and, when a period of comprehensive hours ends in the month, its excess."""
    ot_20_min: int = 0
    ot_30_min: int = 0
    extra_min: int = 0
    """Approved beyond the shifts under comprehensive hours; part of the period's total."""
    comp_earned_min: int = 0
    comp_used_min: int = 0
    comp_left_min: int = 0
    """In the bank at the end of the month."""
    corrections: int = 0
    decisions: int = 0
    """Records whose pending minutes were decided about."""
    pending_records: int = 0
    """Records that still keep the month from being closed."""
    adjustments: int = 0
    adjusted: Mapping[str, int] = field(default_factory=dict)
    """Differences of earlier months, by their names in ``Minutes``; not in the sums above."""
    period: Period | None = None
    """Comprehensive hours so far in the period that holds the month."""
    flags: tuple[str, ...] = ()


def hours_period(kind: HoursPeriod, month: Month) -> tuple[date, date]:
    """First and last date of the month, quarter or year of comprehensive hours that holds a month."""
    length = _MONTHS[kind]
    year, number = month.split("-")
    first = (int(number) - 1) // length * length + 1
    return month_span(f"{year}-{first:02}")[0], month_span(f"{year}-{first + length - 1:02}")[1]


def summarise(month: Month, facts: MonthFacts) -> MonthSummary:
    """The month of one person; the order of what is known means nothing."""
    first, last = month_span(month)
    days = sorted(facts.days, key=lambda day: (day.record.date, day.record.part))
    minutes = [day.minutes for day in days]
    sums = {name: sum(getattr(m, name) for m in minutes) for name in _SUMMED}
    records = [replace(day.record, minutes=day.minutes) for day in (*facts.earlier, *days)]
    daily = period_of(records, facts.calendar, replace(facts.policy, system="standard"), first, last)
    period, excess, flags = None, 0, daily.flags
    if facts.period is not None:
        comprehensive = replace(facts.policy, system="comprehensive")
        period = period_of(records, facts.calendar, comprehensive, *facts.period)
        if period.last <= last:
            excess, flags = period.ot_15, tuple(sorted({*flags, *period.flags}))
    leaves = _sum_of(day.leaves for day in days)
    used = sum(minutes for kind, minutes in leaves.items() if kind in facts.bank_types)
    counts = _days(days)
    return MonthSummary(
        **{f"{name}_min": amount for name, amount in sums.items() if name not in ("ot_15", "comp")},
        **counts,  # type: ignore[arg-type]
        late_times=sum(m.late > 0 for m in minutes),
        early_times=sum(m.early > 0 for m in minutes),
        missing_punches=sum(day.record.status in _MISSING for day in days),
        leaves=leaves,
        trip_min=sum(day.trip for day in days),
        ot_15_min=sums["ot_15"] + excess,
        comp_earned_min=sums["comp"],
        comp_used_min=used,
        comp_left_min=facts.bank.before + facts.bank.granted + sums["comp"] - used,
        corrections=facts.corrections,
        decisions=sum(day.settled for day in days),
        pending_records=sum(m.pending > 0 for m in minutes),
        adjustments=len(facts.adjustments),
        adjusted=_sum_of(adjustment.delta for adjustment in facts.adjustments),
        period=period,
        flags=flags,
    )


_SUMMED = tuple(each.name for each in fields(Minutes))


def _days(days: Sequence[MonthDay]) -> dict[str, int | Fraction]:
    """Dates in parts of their net scheduled time; a date without shift has none."""
    counts: dict[str, int | Fraction] = dict.fromkeys(
        ("required_days", "worked_days", "absent_days", "leave_days", "trip_days"), _NONE
    )
    scheduled = 0
    for _, parts in groupby((day for day in days if day.record.shift is not None), key=lambda day: day.record.date):
        scheduled += 1
        for name, share in _shares(list(parts)).items():
            counts[name] += share
    return {"scheduled_days": scheduled, **counts}


def _shares(parts: Sequence[MonthDay]) -> dict[str, Fraction]:
    """What became of one date."""
    minutes = [day.minutes for day in parts]
    trip, leave = sum(day.trip for day in parts), sum(m.leave for m in minutes)
    if all(day.record.status == "untimed" for day in parts):  # AR-32: nothing is required; a date is worked or not
        worked = sum(m.worked for m in minutes)
        off = Fraction(leave, worked + leave) if leave else _NONE
        came = 1 - off if worked else _NONE
        away = Fraction(min(trip, worked), worked) if worked else _NONE
        return {"required_days": 1 - off, "worked_days": came, "leave_days": off, "trip_days": away * came}
    net = sum(m.required + m.leave for m in minutes)
    if not net:
        return {}
    required, absent = sum(m.required for m in minutes), sum(m.absent for m in minutes)
    came_min = required - absent - sum(m.pending for m in minutes)
    return {
        "required_days": Fraction(required, net),
        "worked_days": Fraction(came_min, net),
        "absent_days": Fraction(absent, net),
        "leave_days": Fraction(leave, net),
        "trip_days": Fraction(trip, net),
    }


def _sum_of(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in several:
        total.update(one)
    return {name: total[name] for name in sorted(total) if total[name]}
