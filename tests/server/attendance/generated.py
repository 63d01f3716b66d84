"""Generated facts about one person around the night on which Berlin's clocks go forward, and policies."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from server.attendance.calendar import Calendar, DayType
from server.attendance.facts import Absence, AbsenceKind, Facts, Flex, OvertimeRequest, Punch, Shift, ShiftPlan
from server.attendance.policy import LateLeave, Policy
from server.attendance.policy_settings import MOST_WINDOW_MIN
from server.attendance.schedule import lay_out
from shared.clock import to_ms
from shared.punch import Direction

BERLIN = ZoneInfo("Europe/Berlin")
DAY = ShiftPlan("D", "09:00", "18:00", (("12:00", "13:00"),))
NIGHT = ShiftPlan("N", "22:00", "06:00")
EVENING = ShiftPlan("E", "15:00", "23:30", (("18:00", "18:30"),))
PLANS = (
    DAY,
    NIGHT,
    EVENING,
    ShiftPlan("M", "08:00", "16:00"),
    ShiftPlan("L", "00:00", "12:00", (("05:00", "06:30"),)),
    ShiftPlan("A", "06:00", "14:00"),  # A, B and N follow each other without a gap
    ShiftPlan("B", "14:00", "22:00"),
    ShiftPlan("F", "08:00", "17:00", (("12:00", "13:00"),), Flex("08:00", "10:00", 540)),
)
START = to_ms(datetime(2026, 3, 27, 12, tzinfo=BERLIN))

MINUTE_MS = 60_000

dates = st.integers(0, 3).map(lambda number: date(2026, 3, 28) + timedelta(days=number))
moments = st.one_of(st.integers(0, 6 * 86_400), st.integers(0, 6 * 48).map(lambda half_hours: half_hours * 1_800)).map(
    lambda second: START + second * 1_000
)
known = st.one_of(st.none(), st.none(), st.integers(0, 60).map(lambda day: START + day * 86_400_000))
"""When a fact came to be known, within two months."""
_span_min = st.integers(1, 12).map(lambda half_hours: half_hours * 30)
requests = st.builds(
    lambda start, minutes, to_comp, at_ms: OvertimeRequest(start, start + minutes * MINUTE_MS, to_comp, at_ms),
    moments,
    _span_min,
    st.booleans(),
    known,
)
_TYPES: tuple[DayType | None, ...] = (None, None, "workday", "restday", "statutory", "statutory")
_KINDS: tuple[AbsenceKind | None, ...] = (None, None, None, "leave", "trip")
_types = st.sampled_from(_TYPES)
calendars = st.lists(_types, min_size=5, max_size=5).map(
    lambda types: Calendar({date(2026, 3, 28) + timedelta(days=n): kind for n, kind in enumerate(types) if kind})
)
policies = st.builds(
    Policy,
    system=st.sampled_from(["standard", "standard", "comprehensive", "untimed"]),
    window_before_min=st.sampled_from([120, 120, 0, MOST_WINDOW_MIN]),
    window_after_min=st.sampled_from([240, 240, 0, MOST_WINDOW_MIN]),
    pairing=st.sampled_from(["first_last", "alternating", "directional"]),
    late_grace_min=st.sampled_from([0, 5]),
    early_grace_min=st.sampled_from([0, 30]),
    late_leave=st.sampled_from([None, LateLeave("22:00", 60)]),
    in_round_min=st.sampled_from([0, 0, 15]),
    out_round_min=st.sampled_from([0, 0, 15]),
    ot_mode=st.sampled_from(["intersect", "punch", "approval"]),
    ot_before=st.booleans(),
    ot_gap_min=st.sampled_from([0, 30]),
    ot_min_min=st.sampled_from([0, 30]),
    ot_round_min=st.sampled_from([0, 30]),
    untimed_statutory_ot=st.booleans(),
    unverified_punches=st.sampled_from(["wait", "accept", "refuse"]),
)


_AROUND_MIN = st.sampled_from([-130, -70, -20, -5, 0, 3, 10, 45])
_OVER_MIN = st.sampled_from([-200, -45, -4, 0, 5, 29, 45, 100, 200, 245, 400])
_DIRECTIONS = st.sampled_from([Direction.UNKNOWN, Direction.UNKNOWN, *Direction])


def _bounds(shift: Shift) -> tuple[int, int]:
    """Milliseconds of a shift's start and end."""
    schedule = lay_out(shift, BERLIN)
    return schedule.start * MINUTE_MS, schedule.end * MINUTE_MS


@st.composite
def _moments_of(draw: st.DrawFn, shift: Shift) -> list[tuple[int, Direction]]:
    """Punches of somebody who works that shift more or less: both sides, one, four, or none."""
    start, end = _bounds(shift)
    came, went = start + draw(_AROUND_MIN) * MINUTE_MS, end + draw(_OVER_MIN) * MINUTE_MS
    middle = (start + end) // 2
    told = [(came, Direction.IN), (went, Direction.OUT)]
    pattern = draw(st.sampled_from(["both", "both", "both", "in", "out", "four", "none"]))
    if pattern == "four":
        told += [(middle, Direction.OUT), (middle + draw(st.sampled_from([20, 60])) * MINUTE_MS, Direction.IN)]
    return {"in": told[:1], "out": told[1:], "none": []}.get(pattern, told)


@st.composite
def _punches(draw: st.DrawFn, shifts: Sequence[Shift]) -> tuple[Punch, ...]:
    drawn = [moment for shift in shifts for moment in draw(_moments_of(shift))]
    drawn += draw(st.lists(st.tuples(moments, _DIRECTIONS), max_size=4))
    punches = []
    for number, (at_ms, direction) in enumerate(drawn):
        doubt = draw(st.integers(0, 24))
        true_ms = None if doubt == 0 else at_ms - 60_000 if doubt == 1 else at_ms
        punches.append(
            Punch(
                number,
                at_ms,
                true_ms,
                direction,
                "AR-3" if doubt == 0 else None,
                correction=doubt in (3, 4),
                standing="pending" if doubt in (2, 3) else "approved",
                unverified=doubt == 2,
                known_ms=draw(known),
            )
        )
    return tuple(punches)


@st.composite
def _absences(draw: st.DrawFn, shifts: Sequence[Shift]) -> tuple[Absence, ...]:
    found = []
    for shift in shifts:
        kind = draw(st.sampled_from(_KINDS))
        if kind is not None:
            start = _bounds(shift)[0] + draw(st.sampled_from([-60, 0, 60, 300])) * MINUTE_MS
            end = start + draw(st.sampled_from([30, 200, 700])) * MINUTE_MS
            of_type = draw(st.sampled_from(["annual", "sick"])) if kind == "leave" else kind
            found.append(Absence(kind, start, end, draw(known), draw(known), of_type))
            if kind == "leave" and draw(st.booleans()):  # another type, in part at the same time
                found.append(Absence(kind, start + 45 * MINUTE_MS, end + 45 * MINUTE_MS, draw(known), type="personal"))
    return tuple(found)


@st.composite
def _overtime(draw: st.DrawFn, shifts: Sequence[Shift]) -> tuple[OvertimeRequest, ...]:
    found = draw(st.lists(requests, max_size=1))
    for shift in shifts:
        start, end = _bounds(shift)
        minutes, to_comp = draw(_span_min), draw(st.booleans())
        where = draw(st.sampled_from([None, "before", "after", "after"]))
        if where is not None:
            from_ms = end if where == "after" else start - minutes * MINUTE_MS
            found.append(OvertimeRequest(from_ms, from_ms + minutes * MINUTE_MS, to_comp, draw(known)))
    return tuple(found)


@st.composite
def _facts(draw: st.DrawFn) -> Facts:
    shifts = draw(st.lists(st.builds(Shift, dates, st.sampled_from(PLANS)), max_size=4, unique=True))
    free = [Shift(day, DAY) for day in draw(st.lists(dates, max_size=1)) if day not in {s.date for s in shifts}]
    worked = [*shifts, *free]  # somebody may work on a date without shift as on one with
    asked = draw(_overtime(worked))
    if free:
        asked += (OvertimeRequest(*_bounds(free[0]), draw(st.booleans()), draw(known)),)
    return Facts(tuple(shifts), draw(_punches(worked)), draw(_absences(shifts)), asked, draw(calendars))


facts = _facts()
