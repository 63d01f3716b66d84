"""What holds for any shifts and punches, and how a shift looks while it is running."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from server.attendance.calendar import Calendar
from server.attendance.engine import compute, turning_points
from server.attendance.facts import Absence, Facts, OvertimeRequest, Punch, Shift, ShiftPlan
from server.attendance.policy import Policy
from server.attendance.record import DayRecord
from server.attendance.touch import dates_near_calendar, touched_dates
from shared.clock import to_ms
from shared.punch import Direction

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 3, 2)
DAY = ShiftPlan("D", "09:00", "18:00", (("12:00", "13:00"),))
NIGHT = ShiftPlan("N", "22:00", "06:00")
EVENING = ShiftPlan("E", "15:00", "23:30", (("18:00", "18:30"),))
PLANS = (DAY, NIGHT, EVENING, ShiftPlan("M", "08:00", "16:00"), ShiftPlan("L", "00:00", "12:00", (("05:00", "06:30"),)))


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    """Milliseconds of a local time on 2026-03, such as ``02 08:55``."""
    return to_ms(datetime.fromisoformat(f"2026-03-{text}").replace(tzinfo=zone))


def punch(number: int, text: str, direction: Direction = Direction.UNKNOWN) -> Punch:
    """A punch whose clock was right."""
    return Punch(number, at(text), at(text), direction)


def one(*texts: str, now: str | None = None, plan: ShiftPlan = DAY) -> DayRecord | None:
    """Record of Monday's shift."""
    punches = tuple(punch(number, text) for number, text in enumerate(texts))
    found = compute(Facts((Shift(MONDAY, plan),), punches), SHANGHAI, now_ms=None if now is None else at(now))
    return found[0] if found else None


# --- a running shift ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "texts", "status", "pending"),
    [
        ("02 07:00", (), "not_yet", 480),
        ("02 17:59", (), "not_yet", 480),
        ("02 18:00", (), "absent", 0),
        ("02 09:30", ("02 08:55",), "normal", 480),
        ("02 09:30", ("02 09:20",), "late", 460),
        ("02 14:30", ("02 14:00",), "late", 240),  # came in the afternoon: an IN as long as the shift runs
        ("02 20:00", ("02 08:55",), "normal", 480),  # may still work over
        ("02 22:01", ("02 08:55",), "missing_out", 480),
        ("02 18:10", ("02 18:03",), "missing_in", 480),
        ("02 12:30", ("02 08:55", "02 12:10"), "normal", 300),  # out for lunch, not gone early
        ("02 18:00", ("02 08:55", "02 12:10"), "early", 0),
    ],
)
def test_a_running_shift_is_judged_only_as_far_as_it_went(
    now: str, texts: tuple[str, ...], status: str, pending: int
) -> None:
    record = one(*texts, now=now)
    assert record is not None
    assert (record.status, record.minutes.pending) == (status, pending)


def test_a_day_has_no_record_before_its_window_opens() -> None:
    assert one(now="02 06:59") is None
    assert one(now="02 07:00") is not None


def test_whoever_punches_before_the_window_opens_here_has_a_record() -> None:
    """A terminal may run up to five minutes ahead of us (AR-4)."""
    record = one("02 07:02", now="02 06:58")
    assert record is not None
    assert record.status == "normal"


def test_the_record_changes_without_a_punch_at_its_turning_points() -> None:
    found = turning_points(Shift(MONDAY, DAY), SHANGHAI, [120], [240, 60])
    assert found == [at("02 07:00"), at("02 18:00"), at("02 22:01"), at("02 19:01")]


# --- the fate of punches --------------------------------------------------------------------------------------------


def test_every_punch_of_a_shift_has_one_fate() -> None:
    held = Punch(9, at("02 17:00"), None, held="AR-4")
    punches = (
        punch(1, "02 08:58"), punch(2, "02 08:58:40"), punch(3, "02 12:00"), punch(4, "02 18:01"), punch(5, "02 04:00"),
    )  # fmt: skip
    (record,) = compute(Facts((Shift(MONDAY, DAY),), (*punches, held)), SHANGHAI)
    found = record.explanation
    assert (found.used, found.merged, found.held, found.ignored) == ((1, 4), (2,), (9,), (3, 5))
    assert (record.first_ms, record.last_ms) == (at("02 08:58"), at("02 18:01"))
    assert {"AR-5", "AR-7", "AR-9", "AR-15", "AR-21"} <= set(found.rules)


def test_merging_looks_at_the_last_kept_punch_only() -> None:
    record = one("02 08:58:00", "02 08:59:00", "02 08:59:30", "02 18:00")
    assert record is not None
    assert record.explanation.merged == (1,), "the third is 90 s after the first"


def test_an_approved_correction_is_never_merged_away() -> None:
    punches = (punch(1, "02 08:58:00"), replace(punch(2, "02 08:58:30"), correction=True), punch(3, "02 18:00"))
    (record,) = compute(Facts((Shift(MONDAY, DAY),), punches), SHANGHAI)
    assert record.explanation.merged == ()
    assert record.flags == ("corrected",)


def test_a_missing_side_has_no_time() -> None:
    came, went = one("02 08:55"), one("02 18:03")
    assert came is not None
    assert went is not None
    assert (came.first_ms, came.last_ms) == (at("02 08:55"), None)
    assert (went.first_ms, went.last_ms) == (None, at("02 18:03"))


def test_directional_knows_a_missing_in() -> None:
    punches = (
        punch(1, "02 12:00", Direction.OUT),
        punch(2, "02 13:00", Direction.IN),
        punch(3, "02 18:00", Direction.OUT),
    )
    (record,) = compute(Facts((Shift(MONDAY, DAY),), punches), SHANGHAI, Policy(pairing="directional"))
    assert (record.status, record.minutes.worked, record.minutes.pending) == ("missing_in", 300, 180)


def test_a_date_without_shift_and_punches_has_no_record() -> None:
    assert compute(Facts(), SHANGHAI) == []


def test_punches_on_a_free_date_make_an_off_record() -> None:
    (record,) = compute(Facts((), (punch(1, "07 10:00"), punch(2, "07 10:20"))), SHANGHAI)
    assert (record.status, record.flags, record.explanation.used) == ("off", ("orphan_punch",), (1,))


# --- what one date has to do with the next --------------------------------------------------------------------------


def test_coming_to_a_night_shift_may_close_the_seam_of_the_next_morning() -> None:
    early = ShiftPlan("A", "06:00", "14:00")
    shifts = (Shift(MONDAY, NIGHT), Shift(MONDAY + timedelta(days=1), early))
    out, came = punch(1, "03 14:01"), punch(2, "02 21:55")
    before = compute(Facts(shifts, (out,)), SHANGHAI)
    after = compute(Facts(shifts, (out, came)), SHANGHAI)
    assert [record.status for record in before] == ["absent", "missing_in"]
    assert [record.status for record in after] == ["normal", "normal"]
    assert {record.date for record in after} <= set(touched_dates(at("02 21:55"), SHANGHAI))


def test_a_filled_seam_shows_the_scheduled_time_and_uses_no_punch() -> None:
    shifts = (Shift(MONDAY, ShiftPlan("A", "06:00", "14:00")), Shift(MONDAY, ShiftPlan("B", "14:00", "22:00")))
    first, second = compute(Facts(shifts, (punch(1, "02 05:55"), punch(2, "02 22:01"))), SHANGHAI)
    assert (first.last_ms, second.first_ms) == (at("02 14:00"), at("02 14:00"))
    assert (first.explanation.used, second.explanation.used) == ((1,), (2,))
    assert "AR-11" in first.explanation.rules


def test_approved_overtime_through_the_night_keeps_its_last_punch_from_the_next_shift() -> None:
    """The middle of the shifts would be 01:30."""
    shifts = (Shift(MONDAY, DAY), Shift(MONDAY + timedelta(days=1), DAY))
    asked = OvertimeRequest(at("02 18:00"), at("03 06:30"))
    punches = (punch(1, "02 08:55"), punch(2, "03 06:35"), punch(3, "03 08:55"), punch(4, "03 18:00"))
    first, second = compute(Facts(shifts, punches, overtime=(asked,)), SHANGHAI)
    assert (first.status, first.minutes.ot_15) == ("normal", 750)
    assert (second.status, second.minutes.ot_15) == ("normal", 0)


def test_a_waiting_punch_is_listed_with_its_rule() -> None:
    phone = replace(punch(2, "02 18:00"), unverified=True, standing="pending")
    (record,) = compute(Facts((Shift(MONDAY, DAY),), (punch(1, "02 08:55"), phone)), SHANGHAI)
    assert record.explanation.ignored == (2,)
    assert "AR-41" in record.explanation.rules


def test_leave_taken_back_counts_no_more() -> None:
    leave = Absence("leave", at("02 09:00"), at("02 18:00"))
    shift = (Shift(MONDAY, DAY),)
    (on_leave,) = compute(Facts(shift, absences=(leave,)), SHANGHAI)
    (back,) = compute(Facts(shift, absences=(replace(leave, cancelled_ms=at("01 12:00")),)), SHANGHAI)
    assert (on_leave.status, back.status) == ("leave", "absent")


@pytest.mark.parametrize("number", [0, -1, 7])
def test_every_punch_that_counts_is_explained_whatever_its_id(number: int) -> None:
    first, last = punch(number, "02 09:00"), punch(99, "02 18:00")
    [record] = compute(Facts((Shift(MONDAY, DAY),), (first, last)), SHANGHAI)
    assert record.explanation.used == tuple(sorted((number, 99)))


def test_overtime_before_midnight_goes_by_the_type_of_the_day_it_lies_on() -> None:
    """AR-25, minute by minute: the shift is Monday's, the half hour before it is Sunday's."""
    early = Shift(MONDAY, ShiftPlan("L", "00:00", "12:00"))
    sunday = MONDAY - timedelta(days=1)
    request = OvertimeRequest(at("01 23:30"), at("02 00:00"))
    facts = Facts((early,), (punch(0, "01 23:25"), punch(1, "02 12:05")), overtime=(request,))
    legal = replace(facts, calendar=Calendar({sunday: "statutory"}))
    plain, holiday = compute(facts, SHANGHAI), compute(legal, SHANGHAI)
    assert [(record.date, record.minutes.ot_15, record.minutes.ot_30) for record in plain] == [(MONDAY, 30, 0)]
    assert [(record.date, record.minutes.ot_15, record.minutes.ot_30) for record in holiday] == [(MONDAY, 0, 30)]
    assert MONDAY in dates_near_calendar(sunday)
