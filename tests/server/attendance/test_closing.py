"""When a month can be closed, what a decision does, and limits of a month (AR-30, AR-34, AR-35, AR-40)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from server.attendance.calendar import PLAIN, Calendar, changed_dates
from server.attendance.closing import compare, decided, default_decision, stands, undecided
from server.attendance.period import period_of
from server.attendance.policy import DEFAULT
from server.attendance.record import DayRecord, Minutes

MONDAY = date(2026, 3, 2)
NO_OUT = DayRecord(MONDAY, 0, "D", "missing_out", Minutes(required=480, pending=480))
LATE_NO_OUT = DayRecord(MONDAY, 0, "D", "missing_out", Minutes(required=480, late=260, pending=220))
WHOLE = DayRecord(MONDAY, 0, "D", "normal", Minutes(required=480, worked=480))


def test_a_month_with_a_pending_record_stays_open() -> None:
    assert undecided([WHOLE, NO_OUT]) == [NO_OUT]
    assert undecided([WHOLE]) == []


@pytest.mark.parametrize(
    ("record", "absent", "worked"),
    [
        (NO_OUT, 240, 240),
        (LATE_NO_OUT, 220, 0),  # fewer pending than half of what was required
        (replace(NO_OUT, minutes=Minutes(required=421, pending=421)), 210, 211),  # the odd minute is worked
    ],
)
def test_by_default_half_of_the_required_minutes_is_absence(record: DayRecord, absent: int, worked: int) -> None:
    decision = default_decision(record)
    assert (decision.absent, decision.worked) == (absent, worked)
    for_pay = decided(record, decision)
    assert (for_pay.absent, for_pay.worked, for_pay.pending) == (absent, worked, 0)
    assert for_pay.required == for_pay.worked + for_pay.absent + for_pay.late, "AR-21 holds for pay too"


def test_a_decision_lets_the_month_close_and_changes_no_record() -> None:
    decision = default_decision(NO_OUT)
    assert undecided([NO_OUT], [decision]) == []
    assert NO_OUT.minutes.pending == 480


def test_a_later_fact_ends_the_decision_and_adjusts_against_the_record() -> None:
    decision = default_decision(NO_OUT)
    assert not stands(decision, LATE_NO_OUT)
    assert undecided([LATE_NO_OUT], [decision]) == [LATE_NO_OUT]
    assert decided(WHOLE, decision) == WHOLE.minutes
    (adjustment,) = compare({(MONDAY, 0): NO_OUT}, {(MONDAY, 0): WHOLE}, "2026-04")
    assert adjustment.delta == {"worked": 480, "pending": -480}, "not against the decision's 240"


def test_the_limit_of_a_month_counts_banked_minutes() -> None:
    """AR-40."""
    saturdays = [DayRecord(date(2026, 3, day), 0, None, "rest_ot", Minutes(comp=540)) for day in (7, 14, 21, 28)]
    march = (date(2026, 3, 1), date(2026, 3, 31))
    assert period_of(saturdays, PLAIN, DEFAULT, *march).flags == ()
    more = [*saturdays, DayRecord(MONDAY, 0, "D", "normal", Minutes(ot_15=30))]
    assert period_of(more, PLAIN, DEFAULT, *march).flags == ("ot_limit_month",)


def test_two_months_of_a_period_have_a_limit_each() -> None:
    days = [date(2026, 3, 20) + timedelta(days=n) for n in range(0, 24, 3)]
    records = [DayRecord(day, 0, "D", "normal", Minutes(ot_15=480)) for day in days]
    assert period_of(records, PLAIN, DEFAULT, days[0], days[-1]).flags == ()


def test_a_calendar_says_what_kind_of_day_a_date_is() -> None:
    holidays = Calendar({date(2026, 10, 1): "statutory", date(2026, 10, 6): "restday", date(2026, 10, 10): "workday"})
    kinds = [holidays.type_of(date(2026, 10, day)) for day in (1, 6, 7, 10, 11)]
    assert kinds == ["statutory", "restday", "workday", "workday", "restday"]
    assert changed_dates(PLAIN, holidays) == (date(2026, 10, 1), date(2026, 10, 6), date(2026, 10, 10))
    assert changed_dates(Calendar({date(2026, 10, 7): "workday"}), PLAIN) == (), "the same as by default"
