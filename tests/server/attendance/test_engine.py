"""What holds for any shifts and punches, and how a shift looks while it is running."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.attendance.engine import compute, turning_points
from server.attendance.facts import Absence, Facts, Punch, Shift, ShiftPlan
from server.attendance.policy import Policy
from server.attendance.record import DayRecord
from server.attendance.schedule import lay_out
from server.attendance.spans import length
from server.attendance.touch import dates_near_roster, touched_dates
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
    opens, ends, closed = turning_points(Shift(MONDAY, DAY), SHANGHAI)
    assert (opens, ends, closed) == (at("02 07:00"), at("02 18:00"), at("02 22:01"))


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


# --- properties -----------------------------------------------------------------------------------------------------

_dates = st.integers(0, 3).map(lambda number: date(2026, 3, 28) + timedelta(days=number))
_shifts = st.lists(st.builds(Shift, _dates, st.sampled_from(PLANS)), max_size=5, unique=True)
_start = to_ms(datetime(2026, 3, 27, 12, tzinfo=BERLIN))
_seconds = st.one_of(st.integers(0, 6 * 86_400), st.integers(0, 6 * 48).map(lambda half_hours: half_hours * 1_800))


@st.composite
def _facts(draw: st.DrawFn) -> Facts:
    moments = draw(st.lists(st.tuples(_seconds, st.sampled_from(list(Direction)), st.integers(0, 9)), max_size=14))
    punches = []
    for number, (seconds, direction, doubt) in enumerate(moments):
        at_ms = _start + seconds * 1_000
        true_ms = None if doubt == 0 else at_ms - 60_000 if doubt == 1 else at_ms
        punches.append(Punch(number, at_ms, true_ms, direction, "AR-3" if doubt == 0 else None))
    leave = draw(st.lists(st.tuples(st.sampled_from(["leave", "trip"]), _seconds, st.integers(60, 40_000)), max_size=2))
    absences = [Absence(k, _start + s * 1_000, _start + (s + n) * 1_000) for k, s, n in leave]  # type: ignore[arg-type]
    return Facts(tuple(draw(_shifts)), tuple(punches), tuple(absences))


_policies = st.builds(
    Policy,
    pairing=st.sampled_from(["first_last", "alternating", "directional"]),
    late_grace_min=st.sampled_from([0, 5]),
    early_grace_min=st.sampled_from([0, 30]),
)
_now = st.one_of(st.none(), _seconds.map(lambda seconds: _start + seconds * 1_000))


@settings(max_examples=300)
@given(_facts(), _policies, _now)
def test_no_minute_is_lost_or_counted_twice(facts: Facts, policy: Policy, now_ms: int | None) -> None:
    """AR-21."""
    for record in compute(facts, BERLIN, policy, now_ms=now_ms):
        m = record.minutes
        assert m.required == m.worked + m.holiday_work + m.late + m.early + m.gap + m.absent + m.pending + m.exempt
        assert min(m.worked, m.late, m.early, m.gap, m.absent, m.pending, m.exempt, m.leave) >= 0
        shift = next((s for s in facts.shifts if (s.date, s.plan.id) == (record.date, record.shift)), None)
        assert m.required + m.leave == (length(lay_out(shift, BERLIN).net) if shift else 0)


@settings(max_examples=200)
@given(_facts(), _policies, st.randoms(use_true_random=False))
def test_order_and_replay_change_nothing(facts: Facts, policy: Policy, random: Random) -> None:
    punches, shifts = [*facts.punches, *facts.punches[::2]], list(facts.shifts)
    random.shuffle(punches)
    random.shuffle(shifts)
    again = replace(facts, punches=tuple(punches), shifts=tuple(shifts))
    assert compute(again, BERLIN, policy) == compute(facts, BERLIN, policy)


@settings(max_examples=200)
@given(_facts(), _policies)
def test_each_punch_of_a_record_has_one_fate(facts: Facts, policy: Policy) -> None:
    fates = [
        number
        for record in compute(facts, BERLIN, policy)
        for fate in (
            record.explanation.used,
            record.explanation.merged,
            record.explanation.held,
            record.explanation.ignored,
        )
        for number in fate
    ]
    assert len(fates) == len(set(fates))
    counting = {punch.id for punch in facts.punches if punch.true_ms is not None}
    assert counting <= set(fates), "no punch that counts may vanish"


@settings(max_examples=200)
@given(_facts(), st.integers(0, 13))
def test_a_punch_changes_no_day_that_it_does_not_touch(facts: Facts, which: int) -> None:
    if which >= len(facts.punches) or facts.punches[which].true_ms is None:
        return
    gone = facts.punches[which]
    touched = touched_dates(gone.true_ms or 0, BERLIN)
    less = replace(facts, punches=tuple(p for p in facts.punches if p is not gone))
    apart = [[r for r in compute(f, BERLIN) if r.date not in touched] for f in (facts, less)]
    near = {p.id for p in facts.punches if p.true_ms and abs(p.true_ms - (gone.true_ms or 0)) < 15 * 60_000}
    if near == {gone.id}:  # a chain of merged punches may cross midnight, one kept for another
        assert apart[0] == apart[1]


@settings(max_examples=200)
@given(_facts(), st.builds(Shift, _dates, st.sampled_from(PLANS)))
def test_a_shift_changes_no_day_that_it_does_not_touch(facts: Facts, added: Shift) -> None:
    touched = dates_near_roster(added.date)
    more = replace(facts, shifts=(*facts.shifts, added))
    apart = [[r for r in compute(f, BERLIN) if r.date not in touched] for f in (facts, more)]
    assert apart[0] == apart[1]


@settings(max_examples=100)
@given(_facts(), _policies, _dates)
def test_a_day_computed_alone_is_the_same(facts: Facts, policy: Policy, day: date) -> None:
    together = [record for record in compute(facts, BERLIN, policy) if record.date == day]
    assert compute(facts, BERLIN, policy, dates={day}) == together
