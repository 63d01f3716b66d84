"""What the columns of the monthly report count, by hand and as properties."""

from dataclasses import fields
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attendance.closing import Adjustment, default_decision
from server.attendance.months import month_span
from server.attendance.policy import Policy
from server.attendance.record import DayRecord, Minutes, Status
from server.reports.month import Bank, MonthDay, MonthFacts, MonthSummary, hours_period, summarise

MARCH = "2026-03"
PARTS = ("worked", "holiday_work", "late", "early", "gap", "absent", "pending", "exempt")


def day(number: int, status: Status = "normal", *, shift: str | None = "D", part: int = 0, **minutes: int) -> DayRecord:
    return DayRecord(date(2026, 3, number), part, shift, status, Minutes(**minutes))


def month(*records: DayRecord | MonthDay, **facts: Any) -> MonthSummary:
    days = tuple(each if isinstance(each, MonthDay) else MonthDay(each) for each in records)
    return summarise(MARCH, MonthFacts(days, **facts))


def shown(summary: MonthSummary) -> dict[str, Any]:
    """Fields that are not as they are by themselves."""
    empty = MonthSummary()
    return {
        each.name: getattr(summary, each.name)
        for each in fields(summary)
        if getattr(summary, each.name) != getattr(empty, each.name)
    }


def picked(summary: MonthSummary, *names: str) -> list[Any]:
    return [getattr(summary, name) for name in names]


def test_a_month_without_records_is_all_zero() -> None:
    assert shown(month()) == {}


def test_a_late_day_is_a_whole_worked_day() -> None:
    assert shown(month(day(2, "late", required=480, worked=465, late=15))) == {
        "scheduled_days": 1,
        "required_days": 1,
        "worked_days": 1,
        "required_min": 480,
        "worked_min": 465,
        "late_times": 1,
        "late_min": 15,
    }


def test_half_a_day_of_leave_leaves_half_a_day_to_work() -> None:
    leave = MonthDay(day(3, required=240, worked=240, leave=240), leaves={"annual": 240})
    assert shown(month(leave)) == {
        "scheduled_days": 1,
        "required_days": Fraction(1, 2),
        "worked_days": Fraction(1, 2),
        "leave_days": Fraction(1, 2),
        "required_min": 240,
        "worked_min": 240,
        "leave_min": 240,
        "leaves": {"annual": 240},
    }


def test_a_whole_day_of_leave_requires_nothing() -> None:
    found = month(MonthDay(day(4, "leave", leave=480), leaves={"sick": 480}))
    assert picked(found, "scheduled_days", "required_days", "worked_days", "leave_days") == [1, 0, 0, 1]


def test_two_shifts_of_a_date_are_one_day() -> None:
    morning = day(5, required=180, worked=180)
    evening = day(5, "absent", part=1, required=300, absent=300)
    found = month(morning, evening)
    assert picked(found, "scheduled_days", "required_days") == [1, 1]
    assert picked(found, "worked_days", "absent_days") == [Fraction(3, 8), Fraction(5, 8)]


def test_times_count_records_and_exempt_minutes_are_no_time() -> None:
    found = month(
        day(2, "late_early", required=480, worked=440, late=30, early=10),
        day(3, required=480, worked=475, exempt=5),
        day(4, "early", required=480, worked=470, early=10),
    )
    assert picked(found, "late_times", "late_min", "early_times", "early_min") == [1, 30, 2, 20]
    assert found.exempt_min == 5


def test_a_missing_punch_counts_once_and_its_minutes_wait() -> None:
    found = month(day(2, "missing_out", required=480, pending=480), day(3, "missing_in", required=480, pending=480))
    assert picked(found, "missing_punches", "pending_min", "pending_records", "worked_days") == [2, 960, 2, 0]


def test_a_decision_turns_pending_minutes_into_absent_and_worked_ones() -> None:
    record = day(2, "missing_out", required=480, pending=480)
    found = month(MonthDay(record, decision=default_decision(record)))
    assert picked(found, "absent_min", "worked_min", "pending_min") == [240, 240, 0]
    assert picked(found, "worked_days", "absent_days") == [Fraction(1, 2), Fraction(1, 2)]
    assert picked(found, "missing_punches", "decisions", "pending_records") == [1, 1, 0]


def test_a_decision_about_another_record_counts_for_nothing() -> None:
    old = default_decision(day(2, "missing_out", required=480, pending=480))
    found = month(MonthDay(day(2, required=480, worked=480), decision=old))
    assert picked(found, "worked_min", "absent_min", "decisions") == [480, 0, 0]


def test_a_day_on_a_trip_is_worked_and_a_trip_day() -> None:
    half = MonthDay(day(3, required=480, worked=480), trip=240)
    found = month(MonthDay(day(2, required=480, worked=480), trip=480), half)
    assert picked(found, "trip_days", "trip_min", "worked_days") == [Fraction(3, 2), 720, 2]


def test_work_on_a_date_without_shift_is_overtime_and_no_worked_day() -> None:
    found = month(
        day(2, required=480, worked=480, ot_15=150),
        day(7, "rest_ot", shift=None, ot_20=300),
        day(8, "rest_ot", shift=None, comp=180),
        day(14, "holiday_ot", shift=None, ot_30=60),
    )
    assert picked(found, "scheduled_days", "worked_days") == [1, 1]
    assert picked(found, "ot_15_min", "ot_20_min", "ot_30_min", "comp_earned_min") == [150, 300, 60, 180]


def test_the_bank_is_what_was_there_and_earned_and_given_less_what_was_taken() -> None:
    taken = MonthDay(day(3, "leave", leave=480), leaves={"comp": 480})
    found = month(day(7, "rest_ot", shift=None, comp=300), taken, bank=Bank(before=600, granted=-60))
    assert picked(found, "comp_earned_min", "comp_used_min", "comp_left_min") == [300, 480, 360]


def test_other_leave_takes_nothing_from_the_bank() -> None:
    found = month(MonthDay(day(3, "leave", leave=480), leaves={"annual": 480}), bank=Bank(before=60))
    assert picked(found, "comp_used_min", "comp_left_min") == [0, 60]


def test_adjustments_of_earlier_months_stay_beside_the_sums() -> None:
    later = [
        Adjustment(date(2026, 2, 27), 0, MARCH, "missing_out", "normal", {"worked": 480, "pending": -480}),
        Adjustment(date(2026, 2, 26), 0, MARCH, "absent", "late", {"worked": 470, "late": 10, "absent": -480}),
    ]
    found = month(day(2, required=480, worked=480), adjustments=later, corrections=2)
    assert picked(found, "adjustments", "worked_min", "corrections") == [2, 480, 2]
    assert found.adjusted == {"absent": -480, "late": 10, "pending": -480, "worked": 950}


def test_work_without_fixed_hours_requires_nothing_and_still_counts_days() -> None:
    found = month(
        day(2, "untimed", worked=570),
        day(3, "untimed"),
        MonthDay(day(4, "untimed", worked=240, leave=240), leaves={"annual": 240}),
    )
    assert picked(found, "scheduled_days", "required_days", "worked_days") == [3, Fraction(5, 2), Fraction(3, 2)]
    assert picked(found, "required_min", "worked_min", "leave_days") == [0, 810, Fraction(1, 2)]


def test_the_excess_of_comprehensive_hours_is_overtime_of_the_month_in_which_the_period_ends() -> None:
    """22 workdays of March are 10,560 min; twelve-hour days of 630 net minutes, 18 of them, are 11,340."""
    worked = [day(number, required=630, worked=630) for number in range(1, 19)]
    system = Policy(system="comprehensive")
    found = month(*worked, policy=system, period=month_span(MARCH))
    assert found.period is not None
    assert (found.period.standard, found.period.total) == (10_560, 11_340)
    assert found.ot_15_min == 780
    quarter = month(*worked, policy=system, period=hours_period("quarter", "2026-02"))
    assert quarter.period is not None
    assert quarter.period.first == date(2026, 1, 1)
    running = summarise(
        "2026-02", MonthFacts(tuple(MonthDay(record) for record in worked), period=hours_period("quarter", "2026-02"))
    )
    assert running.ot_15_min == 0, "the quarter has a month to go"


def test_minutes_of_earlier_months_of_a_period_count_in_its_total_only() -> None:
    before = MonthDay(DayRecord(date(2026, 2, 10), 0, "D", "normal", Minutes(required=600, worked=600, extra=60)))
    found = month(day(2, required=480, worked=480), earlier=(before,), period=hours_period("quarter", MARCH))
    assert found.period is not None
    assert (found.period.total, found.worked_min, found.extra_min) == (1_140, 480, 0)


def test_a_seventh_day_in_a_row_is_told_even_when_it_began_the_month_before() -> None:
    earlier = [
        MonthDay(DayRecord(date(2026, 2, number), 0, "D", "normal", Minutes(required=480, worked=480)))
        for number in range(23, 29)
    ]
    first = day(1, required=480, worked=480)
    assert month(first, earlier=earlier).flags == ("seven_day_no_rest",)
    assert month(first, earlier=earlier[1:]).flags == ()


def test_more_than_36_hours_of_overtime_are_told_banked_ones_included() -> None:
    days = [day(number, required=480, worked=480, ot_15=180) for number in range(2, 14)]
    banked = day(21, "rest_ot", shift=None, comp=30)
    policy = Policy(day_ot_limit_min=10_000)
    assert "ot_limit_month" not in month(*days[:6], *days[6:], policy=policy).flags
    assert "ot_limit_month" in month(*days, banked, policy=policy).flags


@pytest.mark.parametrize(
    ("kind", "of", "first", "last"),
    [
        ("month", "2026-02", date(2026, 2, 1), date(2026, 2, 28)),
        ("quarter", "2026-02", date(2026, 1, 1), date(2026, 3, 31)),
        ("quarter", "2026-12", date(2026, 10, 1), date(2026, 12, 31)),
        ("year", "2024-02", date(2024, 1, 1), date(2024, 12, 31)),
    ],
)
def test_periods_are_calendar_ones(kind: Any, of: str, first: date, last: date) -> None:
    assert hours_period(kind, of) == (first, last)


# --- properties -----------------------------------------------------------------------------------------------------

_amounts = st.integers(0, 480)
_STATUSES: tuple[Status, ...] = ("normal", "late", "missing_in", "absent")


@st.composite
def month_days(draw: st.DrawFn) -> list[MonthDay]:
    """Records that hold AR-21, some decided upon."""
    days = []
    for number in draw(st.lists(st.integers(0, 30), unique=True, max_size=12)):
        for part in range(draw(st.integers(1, 2))):
            parts = dict.fromkeys(PARTS, 0) | {name: draw(_amounts) for name in draw(st.sets(st.sampled_from(PARTS)))}
            leave, kind = draw(_amounts), draw(st.sampled_from(["annual", "comp", "sick"]))
            minutes = Minutes(
                required=sum(parts.values()), leave=leave, ot_15=draw(_amounts), comp=draw(_amounts), **parts
            )
            status: Status = draw(st.sampled_from(_STATUSES))
            record = DayRecord(date(2026, 3, 1) + timedelta(days=number), part, "D", status, minutes)
            decision = default_decision(record) if draw(st.booleans()) else None
            days.append(MonthDay(record, draw(st.integers(0, parts["worked"])), {kind: leave}, decision))
    return days


@given(month_days())
def test_required_minutes_are_the_sum_of_what_became_of_them_with_decisions(days: list[MonthDay]) -> None:
    found = summarise(MARCH, MonthFacts(days))
    assert found.required_min == sum(getattr(found, f"{name}_min") for name in PARTS)
    assert found.leave_min == sum(found.leaves.values())


@given(month_days())
def test_columns_are_sums_over_the_days(days: list[MonthDay]) -> None:
    whole = summarise(MARCH, MonthFacts(days))
    by_date = {day.record.date: [other for other in days if other.record.date == day.record.date] for day in days}
    single = [summarise(MARCH, MonthFacts(of_date)) for of_date in by_date.values()]
    for name in [each.name for each in fields(MonthSummary)]:
        value = getattr(whole, name)
        if isinstance(value, int | Fraction):
            assert value == sum(getattr(one, name) for one in single), name


@given(month_days(), st.randoms())
def test_order_means_nothing(days: list[MonthDay], random: Any) -> None:
    mixed = list(days)
    random.shuffle(mixed)
    assert summarise(MARCH, MonthFacts(mixed)) == summarise(MARCH, MonthFacts(days))


@given(month_days())
def test_required_days_are_worked_absent_or_waiting(days: list[MonthDay]) -> None:
    found = summarise(MARCH, MonthFacts(days))
    net = [day for day in days if day.minutes.required + day.minutes.leave]
    assert found.required_days + found.leave_days == len({day.record.date for day in net})
    assert 0 <= found.worked_days + found.absent_days <= found.required_days
