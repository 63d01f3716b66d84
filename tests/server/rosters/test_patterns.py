"""Patterns laid out, shifts of the library, memberships, change sets."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attendance.calendar import PLAIN, Calendar
from server.attendance.facts import Flex, ShiftPlan
from server.rosters.change import Cell, copied, differences, from_pattern, swapped
from server.rosters.membership import Membership, group_on, joined, left
from server.rosters.pattern import Pattern, dates, lay_out
from server.rosters.pattern import problems_of as pattern_problems
from server.rosters.shift import LibraryShift, free_id, net_min, problems_of, reach, straightened
from shared.errors import DataError

MON = date(2026, 3, 2)
days = st.dates(date(2025, 1, 1), date(2028, 12, 31))
shift_days = st.lists(st.sampled_from(("D", "N", "E")), max_size=2, unique=True).map(tuple)
weeks = st.lists(shift_days, min_size=7, max_size=7).map(tuple)
cycles = st.lists(shift_days, min_size=1, max_size=30).map(tuple)
day_types = st.sampled_from(("workday", "restday", "statutory"))
calendars = st.dictionaries(days, day_types, max_size=30).map(Calendar)  # type: ignore[arg-type]


# --- patterns -------------------------------------------------------------------------------------------------------


@given(cycles, days, days)
def test_a_cycle_repeats_after_its_length_and_begins_at_the_anchor(
    cycle: tuple[tuple[str, ...], ...], anchor: date, first: date
) -> None:
    laid = lay_out(Pattern("cycle", cycle), anchor, PLAIN, first, first + timedelta(days=70))
    for day, shifts in laid.items():
        later = day + timedelta(days=len(cycle))
        assert later not in laid or laid[later] == shifts
    again = lay_out(Pattern("cycle", cycle), anchor, PLAIN, anchor, anchor + timedelta(days=len(cycle) - 1))
    assert tuple(again.values()) == cycle


@given(weeks, days, days)
def test_a_week_is_the_same_every_week_whatever_the_anchor(
    week: tuple[tuple[str, ...], ...], anchor: date, first: date
) -> None:
    laid = lay_out(Pattern("weekly", week), anchor, PLAIN, first, first + timedelta(days=20))
    assert all(shifts == week[day.weekday()] for day, shifts in laid.items())


@given(weeks, calendars, days)
def test_the_calendar_wins(week: tuple[tuple[str, ...], ...], calendar: Calendar, first: date) -> None:
    named = sorted(day for day in calendar.exceptions if day >= first) or [first]
    laid = lay_out(Pattern("weekly", week, by_calendar=True), first, calendar, named[0], named[0] + timedelta(days=30))
    for day, shifts in laid.items():
        if calendar.type_of(day) != "workday":
            assert shifts == ()
        elif day.weekday() >= 5:
            assert shifts == week[0]
        else:
            assert shifts == week[day.weekday()]


@given(cycles, days, days, st.integers(0, 40), st.integers(0, 40))
def test_laying_out_in_two_pieces_is_laying_out_at_once(
    cycle: tuple[tuple[str, ...], ...], anchor: date, first: date, one: int, two: int
) -> None:
    pattern, middle = Pattern("cycle", cycle), first + timedelta(days=one)
    last = middle + timedelta(days=two + 1)
    pieces = lay_out(pattern, anchor, PLAIN, first, middle) | lay_out(
        pattern, anchor, PLAIN, middle + timedelta(days=1), last
    )
    assert pieces == lay_out(pattern, anchor, PLAIN, first, last)
    assert list(pieces) == dates(first, last)


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (Pattern("weekly", (("D",),) * 6), "seven_days"),
        (Pattern("cycle", ()), "cycle_length"),
        (Pattern("cycle", (("D",),) * 93), "cycle_length"),
        (Pattern("cycle", (("X",),)), "unknown_shift"),
        (Pattern("cycle", (("D", "D"),)), "shift_twice"),
    ],
)
def test_a_pattern_that_can_not_be_laid_out_is_refused(pattern: Pattern, code: str) -> None:
    assert [problem.code for problem in pattern_problems(pattern, {"D"})] == [code]


# --- shifts ---------------------------------------------------------------------------------------------------------

BREAK = (("12:00", "13:00"),)


def of(plan: ShiftPlan, code: str | None = None) -> LibraryShift:
    return LibraryShift(plan, "班", "Shift", code)


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (ShiftPlan("A", "9:00", "18:00"), "no_time"),
        (ShiftPlan("A", "09:00", "24:00"), "no_time"),
        (ShiftPlan("A", "09:00", "18:00", (("08:00", "09:30"),)), "break_outside"),
        (ShiftPlan("A", "09:00", "18:00", (("17:30", "18:30"),)), "break_outside"),
        (ShiftPlan("A", "22:00", "06:00", (("12:00", "13:00"),)), "break_outside"),
        (ShiftPlan("A", "09:00", "18:00", (("12:00", "13:00"), ("12:30", "13:30"))), "breaks_overlap"),
        (ShiftPlan("A", "09:00", "18:00", (("09:00", "18:00"),)), "no_net_time"),
        (ShiftPlan("A", "09:00", "18:00", (), Flex("10:00", "08:00", 540)), "latest_before_earliest"),
        (ShiftPlan("A", "09:00", "18:00", (), Flex("08:00", "10:00", 0)), "span_length"),
        (ShiftPlan("A", "09:00", "18:00", (), Flex("08:00", "10:00", 1441)), "span_length"),
        (ShiftPlan("A", "09:00", "18:00", (("09:00", "09:30"),), Flex("08:00", "10:00", 540)), "break_outside"),
        (ShiftPlan("A", "09:00", "18:00", (("17:00", "17:30"),), Flex("08:00", "10:00", 540)), "break_outside"),
        (ShiftPlan("休", "09:00", "18:00"), "name_of_day_off"),
    ],
)
def test_a_senseless_shift_is_refused(plan: ShiftPlan, code: str) -> None:
    assert [problem.code for problem in problems_of(of(plan), [])] == [code]


@pytest.mark.parametrize(
    ("plan", "net", "taken"),
    [
        (ShiftPlan("A", "09:00", "18:00", BREAK), 480, (540, 1080)),
        (ShiftPlan("A", "22:00", "06:00", (("02:00", "02:30"),)), 450, (1320, 1800)),
        (ShiftPlan("A", "08:00", "08:00"), 1440, (480, 1920)),
        (ShiftPlan("A", "23:00", "07:00", (("23:45", "00:15"),)), 450, (1380, 1860)),
        (ShiftPlan("A", "00:00", "00:00", BREAK, Flex("08:00", "10:00", 540)), 480, (480, 1140)),
    ],
)
def test_net_time_and_reach(plan: ShiftPlan, net: int, taken: tuple[int, int]) -> None:
    assert problems_of(of(plan), []) == []
    assert (net_min(plan), reach(plan)) == (net, taken)


def test_codes_are_one_to_four_characters_and_nobody_elses() -> None:
    day = of(ShiftPlan("D", "09:00", "18:00"), "白")
    assert problems_of(of(ShiftPlan("A", "09:00", "18:00"), "白"), [day])[0].code == "code_taken"
    assert problems_of(of(ShiftPlan("A", "09:00", "18:00"), "d"), [day])[0].code == "code_taken"
    assert problems_of(of(ShiftPlan("A", "09:00", "18:00"), "abcde"), [day])[0].code == "code_length"
    assert problems_of(of(ShiftPlan("D", "08:00", "18:00"), "白"), [day]) == []


def test_a_flexible_shift_is_stored_from_its_earliest_start() -> None:
    flexible = of(ShiftPlan("F", "00:00", "00:00", BREAK, Flex("08:00", "10:00", 540)), "")
    stored = straightened(flexible)
    assert (stored.plan.start, stored.plan.end, stored.code) == ("08:00", "17:00", None)


def test_a_copy_gets_a_free_id() -> None:
    assert free_id("D", {"D"}) == "D-2"
    assert free_id("D-2", {"D", "D-2", "D-3"}) == "D-4"


# --- memberships ----------------------------------------------------------------------------------------------------

spans = st.tuples(days, st.integers(0, 400), st.sampled_from(("a", "b", "c")), st.booleans())


@given(st.lists(spans, max_size=8), days)
def test_nobody_is_ever_in_two_groups(told: list[tuple[date, int, str, bool]], day: date) -> None:
    memberships: list[Membership] = []
    for from_on, length, group, open_ in told:
        until = from_on + timedelta(days=length)
        new = Membership(group, from_on, None if open_ else until)
        begins_inside = any(from_on < one.from_on and (open_ or one.from_on <= until) for one in memberships)
        if begins_inside:
            with pytest.raises(DataError):
                joined(memberships, new)
            continue
        before, memberships = memberships, joined(memberships, new)
        assert group_on(memberships, day) == (group if new.holds(day) else group_on(before, day))
    assert sum(one.holds(day) for one in memberships) <= 1
    assert memberships == sorted(memberships, key=lambda one: one.from_on)


def test_joining_ends_the_time_before_and_leaving_ends_it_on_the_day() -> None:
    first = joined([], Membership("a", MON))
    both = joined(first, Membership("b", MON + timedelta(days=7)))
    assert both == [Membership("a", MON, MON + timedelta(days=6)), Membership("b", MON + timedelta(days=7))]
    assert left(both, "b", MON + timedelta(days=9))[1].to_on == MON + timedelta(days=9)
    with pytest.raises(DataError, match="not in c"):
        left(both, "c", MON)
    with pytest.raises(DataError, match="before it begins"):
        joined([], Membership("a", MON, MON - timedelta(days=1)))


# --- change sets ----------------------------------------------------------------------------------------------------


def test_a_copied_week_keeps_what_is_planned_unless_asked() -> None:
    plan = {("e1", MON): Cell(("D",), "manual"), ("e1", MON + timedelta(days=7)): Cell(("N",), "manual")}
    last = MON + timedelta(days=6)
    assert copied(plan, ["e1"], MON, last, weeks=1)["e1", MON + timedelta(days=7)] == ("D",)
    assert ("e1", MON + timedelta(days=7)) not in copied(plan, ["e1"], MON, last, weeks=1, over=False)
    assert len(copied(plan, ["e1"], MON, last, weeks=3)) == 21


def test_a_swap_twice_is_no_swap() -> None:
    plan = {("e1", MON): Cell(("D",), "manual"), ("e2", MON): Cell(("N", "M"), "manual")}
    once = swapped(plan, ("e1", MON), ("e2", MON))
    twice = swapped({key: Cell(shifts, "swap") for key, shifts in once.items()}, ("e1", MON), ("e2", MON))
    assert differences(plan, twice) == []


def test_a_swap_across_dates_frees_who_gives() -> None:
    tuesday = MON + timedelta(days=1)
    plan = {("e1", MON): Cell(("D",), "manual"), ("e2", tuesday): Cell(("N",), "manual")}
    assert swapped(plan, ("e1", MON), ("e2", tuesday)) == {
        ("e1", MON): (),
        ("e2", tuesday): (),
        ("e1", tuesday): ("N",),
        ("e2", MON): ("D",),
    }


def test_a_pattern_replaces_only_what_a_pattern_planned() -> None:
    plan = {
        ("e1", MON): Cell(("N",), "manual"),
        ("e2", MON): Cell(("N",), "pattern"),
        ("e3", MON): Cell(("N",), "import"),
    }
    laid = {(f"e{number}", MON): ("D",) for number in (1, 2, 3, 4)}
    assert set(from_pattern(plan, laid)) == {("e2", MON), ("e4", MON)}
    assert set(from_pattern(plan, laid, over=("pattern", "manual", "import", "swap"))) == set(laid)
