"""Conflicts and warnings against plain examples, and against plain code on generated plans."""

from collections.abc import Mapping
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attendance.calendar import Calendar
from server.attendance.facts import Flex, ShiftPlan
from server.rosters.catalogue import BY_CODE
from server.rosters.check import Employment, Person, check
from server.rosters.shift import LibraryShift

MON = date(2026, 3, 2)


def shift(name: str, start: str, end: str, *breaks: tuple[str, str], flex: Flex | None = None) -> LibraryShift:
    return LibraryShift(ShiftPlan(name, start, end, breaks, flex), name, name)


LIBRARY = {
    one.id: one
    for one in (
        shift("D", "09:00", "18:00", ("12:00", "13:00")),
        shift("N", "22:00", "06:00"),
        shift("E", "15:00", "23:30", ("18:00", "18:30")),
        shift("M", "05:00", "09:00"),
        shift("L", "08:00", "20:00", ("12:00", "13:00")),
        shift("F", "08:00", "17:00", ("12:00", "13:00"), flex=Flex("08:00", "10:00", 540)),
        shift("W", "19:00", "00:00"),
        shift("T", "18:30", "21:00"),
    )
}
OLD = LibraryShift(ShiftPlan("O", "09:00", "18:00"), "O", "O", retired=True)


def day(number: int) -> date:
    """Day 1 is Monday 2 March."""
    return MON + timedelta(days=number - 1)


def found(
    after: Mapping[int, str],
    before: Mapping[int, str] | None = None,
    *,
    person: Person | None = None,
    closed: frozenset[str] = frozenset(),
) -> list[tuple[int, str]]:
    """Day and code of each finding; shifts of a day are letters, such as ``DN``."""
    plans = [{day(number): tuple(letters) for number, letters in plan.items()} for plan in (before or {}, after)]
    someone = person or Person("e1", date(2020, 1, 1))
    findings = check(someone, plans[0], plans[1], LIBRARY | {"O": OLD}, closed=closed)
    return [((finding.date - MON).days + 1, finding.code) for finding in findings]


def codes(after: Mapping[int, str], before: Mapping[int, str] | None = None, **how: object) -> set[str]:
    return {code for _, code in found(after, before, **how)}  # type: ignore[arg-type]


# --- conflicts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({1: "D", 2: "D"}, []),
        ({1: "DE"}, [(1, "overlap")]),
        ({1: "N", 2: "M"}, [(2, "overlap")]),  # until 06:00 and from 05:00
        ({1: "MT"}, []),
        ({1: "W", 2: "M"}, [(2, "short_rest")]),  # ends at midnight
        ({1: "FT"}, [(1, "order_unclear")]),  # may last until 19:00
        ({1: "FD"}, [(1, "overlap")]),  # surely there from 10:00 to 17:00
        ({1: "DD"}, [(1, "shift_twice")]),
        ({1: "X"}, [(1, "unknown_shift")]),
        ({1: "O"}, [(1, "retired_shift")]),
    ],
)
def test_conflicts_of_a_plan(after: dict[int, str], expected: list[tuple[int, str]]) -> None:
    assert found(after) == expected


def test_a_conflict_with_an_old_neighbour_is_told_of_the_new_day() -> None:
    assert found({1: "N", 2: "M"}, {2: "M"}) == [(1, "overlap")]


def test_old_conflicts_are_no_concern_of_a_change_elsewhere() -> None:
    assert found({1: "DE", 4: "D"}, {1: "DE"}) == []


def test_a_retired_shift_that_was_planned_may_stay() -> None:
    assert codes({1: "OT"}, {1: "O"}) == {"day_over_8h"}


def test_nobody_is_planned_before_joining_or_after_leaving_but_may_be_cleared() -> None:
    person = Person("e1", day(2), day(3))
    assert found({1: "D", 2: "D", 3: "D", 4: "D"}, person=person) == [(1, "not_employed"), (4, "not_employed")]
    assert found({}, {1: "D", 4: "D"}, person=person) == []


def test_closed_months_refuse_any_change_even_to_a_day_off() -> None:
    assert found({}, {1: "D"}, closed=frozenset({"2026-03"})) == [(1, "month_closed")]
    assert found({1: "D"}, {1: "D"}, closed=frozenset({"2026-03"})) == []


# --- the law --------------------------------------------------------------------------------------------------------


def test_hours_of_a_day_and_week_are_net_of_breaks() -> None:
    assert codes(dict.fromkeys(range(1, 6), "D")) == set()  # 5 x 8 h
    assert found({1: "L"}) == [(1, "day_over_8h")]  # 11 h
    assert codes({**dict.fromkeys(range(1, 6), "D"), 6: "M"}) == {"week_over_40h"}  # 44 h exactly
    assert codes(dict.fromkeys(range(1, 7), "D")) == {"week_over_44h"}


def test_a_week_runs_from_monday_to_sunday() -> None:
    assert codes({1: "D", **dict.fromkeys(range(4, 8), "D"), **dict.fromkeys(range(8, 9), "D")}) == set()


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("standard", {"day_over_8h", "week_over_44h", "no_weekly_rest", "statutory_work"}),
        ("comprehensive", {"no_weekly_rest", "statutory_work"}),
        ("untimed", {"no_weekly_rest"}),
    ],
)
def test_a_work_system_is_held_to_what_applies_to_it(system: str, expected: set[str]) -> None:
    contract = Employment(date(2020, 1, 1), None, "open_ended", system)  # type: ignore[arg-type]
    calendar = Calendar({day(7): "statutory"})
    person = Person("e1", date(2020, 1, 1), None, (contract,), calendar)
    assert codes(dict.fromkeys(range(1, 8), "L"), person=person) == expected


def test_part_time_is_24_hours_a_week() -> None:
    person = Person("e1", date(2020, 1, 1), None, (Employment(date(2020, 1, 1), None, "part_time", "standard"),))
    assert codes({1: "D", 2: "D", 3: "D"}, person=person) == set()
    assert codes({1: "D", 2: "D", 3: "D", 4: "M"}, person=person) == {"part_time_over_24h"}


def test_seven_dates_without_a_free_day_are_warned_of_once() -> None:
    assert [one for one in found(dict.fromkeys(range(1, 9), "M")) if one[1] == "no_weekly_rest"] == [
        (8, "no_weekly_rest")
    ]
    assert "no_weekly_rest" not in codes({**dict.fromkeys(range(1, 7), "M"), **dict.fromkeys(range(8, 12), "M")})


def test_a_free_day_of_less_than_24_hours_is_none() -> None:
    nights = dict.fromkeys(range(1, 6), "N")  # the last ends on Saturday at 06:00
    assert "no_weekly_rest" in codes({**nights, 7: "M"})  # Sunday from 05:00: 23 h
    assert "no_weekly_rest" not in codes({**nights, 7: "D"})


def test_seven_working_dates_around_24_free_hours_are_another_warning() -> None:
    plan = {1: "M", 2: "M", 3: "M", 4: "E", 5: "E", 6: "E", 7: "E"}
    assert codes(plan) & {"no_weekly_rest", "seven_days_in_a_row"} == {"seven_days_in_a_row"}


def test_the_night_before_a_holiday_reaches_into_it() -> None:
    person = Person("e1", date(2020, 1, 1), calendar=Calendar({day(2): "statutory"}))
    assert found({1: "N"}, person=person) == [(1, "statutory_work")]
    assert found({1: "W"}, person=person) == []


def test_short_rest_is_advice_between_dates_not_within_one() -> None:
    assert found({1: "E", 2: "D"}) == [(2, "short_rest")]  # 23:30 to 09:00
    assert BY_CODE["short_rest"].level == "advice"
    assert found({1: "DT"}) == [(1, "day_over_8h")]


# --- properties -----------------------------------------------------------------------------------------------------

FIXED = ("D", "N", "E", "M", "L", "W", "T")
plans = st.dictionaries(st.integers(1, 10), st.lists(st.sampled_from(FIXED), max_size=2, unique=True).map("".join))


def minutes_taken(plan: Mapping[int, str]) -> list[set[int]]:
    """Minutes of every shift since Monday, counted one by one."""
    taken = []
    for number, letters in plan.items():
        for letter in letters:
            start, end = (
                int(wall[:2]) * 60 + int(wall[3:]) for wall in (LIBRARY[letter].plan.start, LIBRARY[letter].plan.end)
            )
            end += 1440 if end <= start else 0
            taken.append(set(range(number * 1440 + start, number * 1440 + end)))
    return taken


@given(plans)
def test_an_overlap_is_found_exactly_when_two_shifts_share_a_minute(plan: dict[int, str]) -> None:
    taken = minutes_taken(plan)
    shared = sum(map(len, taken)) > len(set().union(*taken))
    assert ("overlap" in codes(plan)) == shared


@given(plans, plans)
def test_findings_are_about_the_neighbourhood_of_what_changes(before: dict[int, str], after: dict[int, str]) -> None:
    changed = {n for n in {*before, *after} if set(before.get(n, "")) != set(after.get(n, ""))}
    assert {number for number, _ in found(after, before)} <= changed


@given(plans)
def test_what_is_planned_already_gives_no_findings(plan: dict[int, str]) -> None:
    assert found(plan, plan) == []


@given(plans)
def test_every_finding_has_the_parameters_of_its_code(plan: dict[int, str]) -> None:
    after = {day(number): tuple(letters) for number, letters in plan.items()}
    for finding in check(Person("e1", date(2020, 1, 1)), {}, after, LIBRARY):
        assert tuple(sorted(finding.params)) == tuple(sorted(BY_CODE[finding.code].params))
