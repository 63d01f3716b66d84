"""One day for each reason, what the other system says and what we say written down by hand."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attendance.record import DayRecord, Explanation, Minutes, Status
from server.reports.shadow import Difference, OurPunch, Ours, Reason, Theirs, compare
from server.reports.shadow_ours import our_day, wall_minute
from server.reports.shadow_shift import differs, known_shift
from server.reports.shadow_words import STATUSES
from shared.clock import to_ms

DAY = known_shift("D", ("白班", "Day"), "09:00", "18:00")
NIGHT = known_shift("N", ("夜班", "Night"), "22:00", "06:00")
LIBRARY = (DAY, NIGHT)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def used(*texts: str) -> tuple[OurPunch, ...]:
    return tuple(OurPunch(at(text), "used") for text in texts)


def ours(status: Status = "normal", first: str | None = "08:55", last: str | None = "18:05", **more: Any) -> Ours:
    minutes = more.pop("minutes", Minutes(required=480, worked=480))
    punches = more.pop("punches", None) or used(*(text for text in (first, last) if text))
    sides = (at(first) if first else None, at(last) if last else None)
    flags, rules = frozenset(more.pop("flags", ())), frozenset(more.pop("rules", ()))
    return Ours(status, minutes, more.pop("finished", True), *sides, more.pop("shifts", (DAY,)), flags, rules, punches)


def theirs(status: Any = "normal", first: str | None = "08:55", last: str | None = "18:05", **more: Any) -> Theirs:
    shift = more.pop("shift", "")
    return Theirs(status, "", more, at(first) if first else None, at(last) if last else None, shift)


@dataclass(frozen=True)
class Case:
    """A day and the reason that a person would give."""

    reason: Reason
    rule: str | None
    theirs: Theirs | None
    ours: Ours | None
    about: str


LATE = Minutes(required=480, worked=470, late=10)
FORGIVEN = Minutes(required=480, worked=476, exempt=4)
CASES = [
    Case("only_theirs", None, theirs(), None, "we have neither shift nor record nor punch"),
    Case("only_ours", None, None, ours(), "their file leaves the day out"),
    Case("unfinished", None, theirs(), ours("not_yet", None, None, finished=False), "our shift is still running"),
    Case("different_shift", None, theirs(shift="夜班"), ours("late", minutes=LATE), "night there, day here"),
    Case("different_shift", None, theirs("late", late=70, shift="08:00-17:00"), ours(), "times instead of a name"),
    Case(
        "punch_missing_here", None, theirs(), ours("missing_out", "08:55", None, minutes=Minutes(480, pending=480)),
        "they have 18:05, we never got it",
    ),
    Case(
        "held", "AR-3", theirs(),
        ours("missing_out", "08:55", None, minutes=Minutes(480, pending=480),
             punches=(*used("08:55"), OurPunch(at("18:05"), "held", "AR-3"))),
        "ours waits for a decision: the clock was wrong",
    ),
    Case(
        "merged", "AR-5", theirs("normal", "08:55", "18:05", worked=485),
        ours("early", "08:55", "17:50", minutes=Minutes(480, worked=470, early=10),
             punches=(*used("08:55", "17:50"), OurPunch(at("18:05"), "merged"))),
        "ours became part of another",
    ),
    Case(
        "window", "AR-9", theirs("normal", "05:30", "18:05"),
        ours("missing_in", None, "18:05", minutes=Minutes(480, pending=480), flags=["outside_window"],
             punches=(OurPunch(at("05:30"), "ignored"), *used("18:05"))),
        "05:30 is before the window opens at 07:00",
    ),
    Case(
        "window", "AR-7", theirs("normal", "08:55", "30:05"),
        ours("missing_out", "08:55", None, minutes=Minutes(480, pending=480),
             punches=(*used("08:55"), OurPunch(at("30:05"), "free"))),
        "06:05 of the next day belongs to another shift",
    ),
    Case(
        "correction", "AR-1", theirs("missing_out", "08:55", None), ours(flags=["corrected"]),
        "the way out was added with us and approved",
    ),
    Case("punch_missing_there", None, theirs("missing_out", "08:55", None), ours(), "we have a punch that they lack"),
    Case("punch_missing_there", None, theirs("absent", None, None), ours(), "they have no punch of the day at all"),
    Case("leave", "AR-16", theirs("leave", None, None), ours("absent", None, None, minutes=Minutes(480, absent=480)),
         "leave that was never asked for with us"),
    Case("leave", "AR-13", theirs(leave=0), ours(minutes=Minutes(300, worked=300, leave=180)), "half a day of leave"),
    Case("leave", "AR-17", theirs(), ours("leave", None, None, minutes=Minutes(0, leave=480),
         flags=["punch_during_leave"], punches=(OurPunch(at("08:55"), "used"), OurPunch(at("18:05"), "used"))),
         "worked on leave that nobody cancelled"),
    Case("trip", "AR-16", theirs("absent", None, None), ours("normal", None, None, flags=["trip"]), "a trip of ours"),
    Case("rest_day", "AR-9", theirs("absent", None, None), ours("off", None, None, minutes=Minutes(), shifts=()),
         "a workday there, a day off here"),
    Case("work_system", "AR-32", theirs("late"), ours("untimed", minutes=Minutes(worked=480), rules=["AR-32"]),
         "no lateness without fixed hours"),
    Case("work_system", "AR-31", theirs("normal", overtime=120), ours(rules=["AR-31"]), "overtime by the period"),
    Case("late_leave", "AR-19", theirs("late", late=10), ours(minutes=Minutes(480, worked=470, exempt=10),
         flags=["late_leave_exempt"]), "came late after a late evening"),
    Case("flexible", "AR-18", theirs("late", late=40), ours(rules=["AR-18"]), "they know no flexible hours"),
    Case("seam", "AR-11", theirs("early", early=5), ours(flags=["seam_auto"]), "a seam between two shifts"),
    Case("rounding", "AR-20", theirs("late", late=2), ours("late", minutes=Minutes(480, worked=465, late=15),
         rules=["AR-20"]), "rounded up to a quarter of an hour"),
    Case("seconds", "AR-6", theirs("late", late=1), ours(), "09:00:40 is on time with us"),
    Case("grace", "AR-14", theirs("late", late=4), ours(minutes=FORGIVEN), "we forgive up to 5 minutes"),
    Case("grace", "AR-14", theirs("normal", "09:10"), ours("late", "09:10", minutes=LATE), "they forgive more"),
    Case("late_early", "AR-14", theirs("late", late=70), ours("late", minutes=LATE), "the break counts there"),
    Case("single_side", "AR-10", theirs("absent", "08:55", None), ours("missing_out", "08:55", None,
         minutes=Minutes(480, pending=480)), "one punch is absence there"),
    Case("absence", "AR-16", theirs("absent", absent=480, first=None, last=None), ours("late", None, None,
         minutes=LATE, punches=used("09:10")), "absence there, lateness here"),
    Case("overtime", "AR-29", theirs(overtime=120), ours(flags=["ot_unapproved"]), "nobody approved it"),
    Case("overtime", "AR-28", theirs(overtime=0), ours(minutes=Minutes(480, holiday_work=480, ot_30=480)),
         "scheduled on a legal holiday"),
    Case("overtime", "AR-24", theirs(overtime=145), ours(minutes=Minutes(480, worked=480, ot_15=120)),
         "cut down to half hours"),
    Case("overtime", "AR-23", theirs(overtime=240), ours(minutes=Minutes(480, worked=480, ot_15=120)),
         "another mode of overtime"),
    Case("overtime", "AR-26", theirs("overtime", overtime=540), ours("rest_ot", minutes=Minutes(ot_20=480), shifts=(),
         rules=["AR-26"]), "the noon break of a rest day"),
    Case("worked", "AR-15", theirs(worked=540), ours(), "the break is worked time there"),
    Case("unexplained", None, theirs("trip", None, None), ours("late", None, None, minutes=LATE, flags=["trip"]),
         "a trip on both sides, late only with us"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.reason}-{case.about}")
def test_each_reason_is_found(case: Case) -> None:
    times = case.theirs is not None and (case.theirs.first is not None or case.theirs.last is not None)
    found = compare(case.theirs, case.ours, library=LIBRARY, tells_times=times)
    assert (found.reason, found.rule) == (case.reason, case.rule)
    assert found.verdict == (case.reason if case.reason in ("only_theirs", "only_ours") else "different")


def test_every_reason_has_a_case() -> None:
    assert {case.reason for case in CASES} == set(get_args(Reason))


AGREEING = [
    (theirs(), ours()),
    (theirs("late", late=10), ours("late", minutes=LATE)),
    (theirs("late", late=11), ours("late", minutes=LATE)),  # a minute more: they round seconds up
    (theirs("missing", "08:55", None), ours("missing_out", "08:55", None)),
    (theirs("rest", None, None), None),
    (theirs("rest", None, None), ours("off", None, None, minutes=Minutes(), shifts=())),
    (theirs("overtime"), ours("rest_ot", minutes=Minutes(ot_20=480), shifts=())),
    (theirs("overtime", overtime=122), ours(minutes=Minutes(480, worked=480, ot_15=120))),
    (theirs("trip", None, None), ours("normal", None, None, flags=["trip"])),
    (theirs("leave"), ours(minutes=Minutes(300, worked=300, leave=180))),
    (theirs(None, None, None, worked=480), ours()),  # it tells no status: only the figure is compared
    (theirs("normal", "07:00", "19:00"), ours()),  # other punches, the same result
    (None, None),
    (None, ours("off", None, None, minutes=Minutes(), shifts=())),
]


@pytest.mark.parametrize(("other", "mine"), AGREEING)
def test_days_that_agree(other: Theirs | None, mine: Ours | None) -> None:
    assert compare(other, mine, library=LIBRARY, tells_times=True).verdict == "same"


def test_differences_are_told_field_by_field() -> None:
    found = compare(theirs("late", late=70, worked=420), ours("early", minutes=Minutes(480, worked=450, early=30)))
    assert found.differences == (
        Difference("status", "late", "early"),
        Difference("late", "70", "0"),
        Difference("worked", "420", "450"),
    )


_minute = st.none() | st.integers(0, 2000)
_theirs = st.builds(
    Theirs,
    st.none() | st.sampled_from(STATUSES),
    st.just(""),
    st.dictionaries(st.sampled_from(["late", "early", "absent", "worked", "overtime", "leave"]), st.integers(0, 600)),
    _minute,
    _minute,
    st.sampled_from(["", "白班", "夜班", "08:00-17:00", "x"]),
)
_ours = st.builds(
    Ours,
    st.none() | st.sampled_from(get_args(Status)),
    st.builds(Minutes, *[st.integers(0, 600)] * 10),
    st.booleans(),
    _minute,
    _minute,
    st.sampled_from([(), (DAY,), (DAY, NIGHT)]),
    st.frozensets(st.sampled_from(["trip", "corrected", "ot_unapproved", "seam_auto"])),
    st.frozensets(st.sampled_from(["AR-18", "AR-20", "AR-31", "AR-26"])),
    st.lists(
        st.builds(OurPunch, st.integers(0, 2000), st.sampled_from(["used", "merged", "held", "ignored", "free"]))
    ).map(tuple),
)


@given(st.none() | _theirs, st.none() | _ours, st.booleans())
def test_every_day_agrees_or_has_a_reason_and_a_difference(
    other: Theirs | None, mine: Ours | None, tells_times: bool
) -> None:
    found = compare(other, mine, library=LIBRARY, tells_times=tells_times)
    assert (found.verdict == "same") == (found.reason is None)
    assert (found.reason in (None, "only_ours")) == (not found.differences)
    assert compare(other, mine, library=LIBRARY, tells_times=tells_times) == found


# --- shifts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "different"),
    [
        ("白班", False),
        ("Day ", False),
        ("d", False),
        ("夜班", True),
        ("09:00-18:00", False),
        ("白班(09:00~18:00)", False),
        ("9:00 - 18:00", False),
        ("08:30-17:30", True),
        ("休息", True),
        ("行政班次", False),  # nobody here knows that name: it may be the same shift
    ],
)
def test_their_shift_is_ours_by_any_name_or_by_its_times(said: str, different: bool) -> None:
    assert differs(said, (DAY,), LIBRARY) is different


def test_a_day_off_is_no_shift() -> None:
    assert not differs("休息", (), LIBRARY)
    assert differs("白班", (), LIBRARY)


# --- our side -------------------------------------------------------------------------------------------------------


def _ms(hour: int, minute: int, day: int = 2, second: int = 0) -> int:
    return to_ms(dt.datetime(2026, 3, day, hour, minute, second, tzinfo=SHANGHAI))


def test_records_of_a_day_become_one_with_the_worst_status() -> None:
    date = dt.date(2026, 3, 2)
    early = DayRecord(date, 0, "A", "normal", Minutes(240, worked=240), _ms(6, 0), _ms(10, 0), ("corrected",))
    late = DayRecord(
        date, 1, "B", "late", Minutes(240, worked=230, late=10), _ms(14, 10), _ms(18, 0), (),
        Explanation(used=(3, 4), merged=(5,), rules=("AR-14",)),
    )  # fmt: skip
    punches = [
        (3, _ms(14, 10, second=59), None),
        (5, _ms(14, 11), None),
        (6, _ms(20, 0), "AR-4"),
        (7, _ms(3, 0, 5), None),
    ]
    found = our_day(date, [early, late], (DAY,), punches, SHANGHAI)
    assert (found.status, found.minutes.worked, found.minutes.late) == ("late", 470, 10)
    assert (found.first, found.last) == (at("06:00"), at("18:00"))
    assert found.punches == (
        OurPunch(at("14:10"), "used"),
        OurPunch(at("14:11"), "merged"),
        OurPunch(at("20:00"), "held", "AR-4"),
    )
    assert found.flags == {"corrected"}


def test_minutes_are_those_of_the_clock_on_the_wall() -> None:
    berlin, date = ZoneInfo("Europe/Berlin"), dt.date(2026, 3, 28)
    out = to_ms(dt.datetime(2026, 3, 29, 6, 0, tzinfo=berlin))  # the clocks went forward in that night
    assert wall_minute(out, date, berlin) == 30 * 60
