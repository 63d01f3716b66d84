"""What holds for any facts and any policy."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import date
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from server.attendance.calendar import Calendar, changed_dates
from server.attendance.closing import RecordKey, known_at, settle
from server.attendance.engine import compute
from server.attendance.facts import Absence, Facts, OvertimeRequest, Punch, Shift
from server.attendance.policies import WindowSizes
from server.attendance.policy import Policy
from server.attendance.record import DayRecord
from server.attendance.schedule import lay_out
from server.attendance.spans import length
from server.attendance.touch import dates_near_calendar, dates_near_roster, dates_near_span, touched_dates
from tests.server.attendance.generated import BERLIN, PLANS, START, calendars, dates, moments, policies, requests
from tests.server.attendance.generated import facts as facts_

now_ = st.one_of(st.none(), moments)
MONTH_MS = 30 * 86_400_000


def elsewhere(records: Iterable[DayRecord], touched: Iterable[date]) -> list[DayRecord]:
    """Records of other dates."""
    return [record for record in records if record.date not in set(touched)]


def apart(punches: Iterable[Punch], minutes: int) -> bool:
    """Whether no two punches are so near that one may be merged into the other."""
    times = sorted(punch.at_ms if punch.true_ms is None else punch.true_ms for punch in punches)
    return all(b - a >= minutes * 60_000 for a, b in pairwise(times))


@settings(max_examples=400)
@given(facts_, policies, now_)
def test_no_minute_is_lost_or_counted_twice(facts: Facts, policy: Policy, now_ms: int | None) -> None:
    """AR-21."""
    for record in compute(facts, BERLIN, policy, now_ms=now_ms):
        m = record.minutes
        assert min(asdict(m).values()) >= 0
        if record.status == "untimed":
            assert {name for name, value in asdict(m).items() if value} <= {"worked", "leave", "ot_30"}
            continue
        assert m.required == m.worked + m.holiday_work + m.late + m.early + m.gap + m.absent + m.pending + m.exempt
        shift = next((s for s in facts.shifts if (s.date, s.plan.id) == (record.date, record.shift)), None)
        assert m.required + m.leave == (length(lay_out(shift, BERLIN).net) if shift else 0)
        assert m.ot_30 >= m.holiday_work
        assert sum(minutes for _, minutes in record.leaves) == m.leave
        assert record.trip_min <= m.worked + m.holiday_work
        assert record.day_type == facts.calendar.type_of(record.date)


@settings(max_examples=120)
@given(facts_, policies)
def test_overtime_is_never_more_than_presence_or_approval(facts: Facts, policy: Policy) -> None:
    records = compute(facts, BERLIN, policy)
    paid = sum(r.minutes.ot_15 + r.minutes.ot_20 + r.minutes.comp + r.minutes.extra for r in records)
    paid += sum(r.minutes.ot_30 - r.minutes.holiday_work for r in records if r.status != "untimed")
    if policy.ot_mode != "punch" and policy.system != "untimed":
        approved = {(r.from_ms // 60_000, r.to_ms // 60_000) for r in facts.overtime if r.cancelled_ms is None}
        assert paid <= sum(end - start for start, end in approved)
    for record in records:
        classes = (record.minutes.ot_15, record.minutes.ot_20 + record.minutes.comp)
        assert all(minutes % (policy.ot_round_min or 1) == 0 for minutes in classes)
        assert record.shift is None or not (record.minutes.ot_20 or record.minutes.comp)
        assert record.shift is not None or not record.minutes.ot_15


@settings(max_examples=120)
@given(facts_, policies, now_, st.randoms(use_true_random=False))
def test_order_and_replay_change_nothing(facts: Facts, policy: Policy, now_ms: int | None, random: Random) -> None:
    punches, shifts = [*facts.punches, *facts.punches[::2]], list(facts.shifts)
    requests_, absences = [*facts.overtime, *facts.overtime[:1]], [*facts.absences, *facts.absences[:1]]
    random.shuffle(punches)
    random.shuffle(shifts)
    random.shuffle(requests_)
    random.shuffle(absences)
    again = replace(
        facts, punches=tuple(punches), shifts=tuple(shifts), overtime=tuple(requests_), absences=tuple(absences)
    )
    assert compute(again, BERLIN, policy, now_ms=now_ms) == compute(facts, BERLIN, policy, now_ms=now_ms)


@settings(max_examples=120)
@given(facts_, policies)
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
    assert set(fates) <= {punch.id for punch in facts.punches}
    counting = {punch.id for punch in facts.punches if punch.true_ms is not None and punch.standing == "approved"}
    assert counting <= set(fates), "no punch that counts may vanish"


@settings(max_examples=200)
@given(facts_, policies, st.integers(0, 13))
def test_a_punch_changes_no_day_that_it_does_not_touch(facts: Facts, policy: Policy, which: int) -> None:
    gone = facts.punches[which] if which < len(facts.punches) else None
    if gone is None or gone.true_ms is None or not apart(facts.punches, 3):
        return  # a chain of merged punches may cross midnight, one kept for another
    touched = touched_dates(gone.true_ms, BERLIN, policy)
    less = replace(facts, punches=tuple(punch for punch in facts.punches if punch is not gone))
    assert elsewhere(compute(facts, BERLIN, policy), touched) == elsewhere(compute(less, BERLIN, policy), touched)


@settings(max_examples=100)
@given(moments, policies)
def test_who_does_not_know_the_policy_touches_enough(at_ms: int, policy: Policy) -> None:
    """Identity knows the widest windows in use, others the widest that may be: at most a day more on each side."""
    exact = set(touched_dates(at_ms, BERLIN, policy))
    sizes = WindowSizes(frozenset({120, policy.window_before_min}), frozenset({240, policy.window_after_min}))
    for enough in (touched_dates(at_ms, BERLIN, sizes.widest), touched_dates(at_ms, BERLIN)):
        assert exact <= set(enough)
        assert len(enough) <= len(exact) + 2


@settings(max_examples=120)
@given(facts_, policies, st.integers(0, 14))
def test_a_split_upload_computed_by_touched_days_is_the_whole(facts: Facts, policy: Policy, cut: int) -> None:
    if not apart(facts.punches, 3):
        return
    first, rest = facts.punches[:cut], facts.punches[cut:]
    stored = compute(replace(facts, punches=first), BERLIN, policy)
    times = [punch.at_ms if punch.true_ms is None else punch.true_ms for punch in rest]
    touched = {day for at_ms in times for day in touched_dates(at_ms, BERLIN, policy)}
    stored = elsewhere(stored, touched) + compute(facts, BERLIN, policy, dates=touched)
    assert sorted(stored, key=lambda record: (record.date, record.part)) == compute(facts, BERLIN, policy)


@settings(max_examples=120)
@given(facts_, policies, st.builds(Shift, dates, st.sampled_from(PLANS)))
def test_a_shift_changes_no_day_that_it_does_not_touch(facts: Facts, policy: Policy, added: Shift) -> None:
    touched = dates_near_roster(added.date)
    plain = replace(facts, overtime=())
    more = replace(plain, shifts=(*facts.shifts, added))
    assert elsewhere(compute(plain, BERLIN, policy), touched) == elsewhere(compute(more, BERLIN, policy), touched)


@settings(max_examples=120)
@given(facts_, policies, requests)
def test_a_request_changes_no_day_that_it_does_not_touch(facts: Facts, policy: Policy, added: OvertimeRequest) -> None:
    touched = dates_near_span(added.from_ms, added.to_ms, BERLIN, policy)
    more = replace(facts, overtime=(*facts.overtime, added))
    assert elsewhere(compute(facts, BERLIN, policy), touched) == elsewhere(compute(more, BERLIN, policy), touched)


@settings(max_examples=100)
@given(facts_, policies, moments, st.integers(1, 600))
def test_a_leave_changes_no_day_that_it_does_not_touch(
    facts: Facts, policy: Policy, start_ms: int, minutes: int
) -> None:
    added = Absence("leave", start_ms, start_ms + minutes * 60_000)
    touched = dates_near_span(added.from_ms, added.to_ms, BERLIN, policy)
    more = replace(facts, absences=(*facts.absences, added))
    assert elsewhere(compute(facts, BERLIN, policy), touched) == elsewhere(compute(more, BERLIN, policy), touched)


@settings(max_examples=120)
@given(facts_, policies, calendars)
def test_a_new_calendar_changes_no_day_that_it_does_not_touch(facts: Facts, policy: Policy, new: Calendar) -> None:
    touched = [near for day in changed_dates(facts.calendar, new) for near in dates_near_calendar(day)]
    after = replace(facts, calendar=new)
    assert elsewhere(compute(facts, BERLIN, policy), touched) == elsewhere(compute(after, BERLIN, policy), touched)


@settings(max_examples=150)
@given(facts_, policies, dates, now_)
def test_a_day_computed_alone_is_the_same(facts: Facts, policy: Policy, day: date, now_ms: int | None) -> None:
    together = [record for record in compute(facts, BERLIN, policy, now_ms=now_ms) if record.date == day]
    assert compute(facts, BERLIN, policy, dates={day}, now_ms=now_ms) == together


@settings(max_examples=200)
@given(facts_, policies, st.integers(5, 30).map(lambda days: START + days * 86_400_000), st.booleans())
def test_closing_then_learning_is_learning_then_closing_plus_adjustments(
    facts: Facts, policy: Policy, closed_ms: int, april: bool
) -> None:
    """AR-34."""
    closed = {"2026-03": closed_ms} | ({"2026-04": closed_ms + MONTH_MS} if april else {})
    settled = settle(facts, BERLIN, policy, closed)
    whole = {(r.date, r.part): _state(r) for r in compute(facts, BERLIN, policy)}
    replayed = {(r.date, r.part): _state(r) for r in settled.records}
    for adjustment in settled.adjustments:
        key = adjustment.date, adjustment.part
        status, minutes = replayed.get(key, (None, {}))
        assert status == adjustment.status_from
        for name, change in adjustment.delta.items():
            minutes[name] = minutes.get(name, 0) + change
        replayed[key] = adjustment.status_to, minutes
    assert _there(replayed) == _there(whole)


@settings(max_examples=100)
@given(facts_, policies, moments)
def test_a_closed_month_is_what_was_known_at_its_closing(facts: Facts, policy: Policy, closed_ms: int) -> None:
    locked = [r for r in settle(facts, BERLIN, policy, {"2026-03": closed_ms}).records if r.date.month == 3]
    then = compute(known_at(facts, closed_ms), BERLIN, policy)
    assert locked == [record for record in then if record.date.month == 3]


State = tuple[str | None, dict[str, int]]


def _state(record: DayRecord) -> State:
    return record.status, asdict(record.minutes)


def _there(states: dict[RecordKey, State]) -> dict[RecordKey, State]:
    """Without records that went, and without zeros."""
    kept = {key: (status, {n: v for n, v in m.items() if v}) for key, (status, m) in states.items()}
    return {key: state for key, state in kept.items() if state[0] is not None}
