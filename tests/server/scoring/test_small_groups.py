"""SEC-21: what is shown of groups tells of nobody, nor of one to four people, by itself or by subtraction."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.scoring.catalogue import default_catalogue
from server.scoring.indicator import Indicator
from server.scoring.part import Counted, Part
from server.scoring.small_groups import (
    LEAST_PEOPLE,
    Behind,
    Size,
    alike,
    heads_of,
    is_of_people,
    shown_groups,
    size_of,
)

Tree = tuple[dict[str, int], dict[str, str | None]]


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Up to nine groups under one another, each with people of its own; sizes with those below."""
    own = draw(st.lists(st.integers(0, 12), min_size=1, max_size=9))
    above: dict[str, str | None] = {"g0": None}
    for number in range(1, len(own)):
        above[f"g{number}"] = f"g{draw(st.integers(0, number - 1))}"
    sizes = dict.fromkeys(above, 0)
    for number, people in enumerate(own):
        group: str | None = f"g{number}"
        while group is not None:
            sizes[group] += people
            group = above[group]
    return sizes, above


def within(group: str, other: str, above: Mapping[str, str | None]) -> bool:
    """Whether a group is below another."""
    upper = above[group]
    while upper is not None and upper != other:
        upper = above[upper]
    return upper == other


def differences(shown: list[str], sizes: Mapping[str, int], above: Mapping[str, str | None]) -> Iterator[int]:
    """People of each group, less those of any groups below it that have nobody in common."""
    for group in shown:
        inner = [one for one in shown if within(one, group, above)]
        for number in range(len(inner) + 1):
            for some in combinations(inner, number):
                if not any(within(a, b, above) for a in some for b in some if a != b):
                    yield sizes[group] - sum(sizes[one] for one in some)


def shown_of(sizes: Mapping[str, int], above: Mapping[str, str | None]) -> frozenset[str]:
    """With a row of each person."""
    return shown_groups({one: alike(people) for one, people in sizes.items()}, above)


def test_sec21_it_is_about_what_people_are_paid_and_think_and_not_about_their_work() -> None:
    about = {one.id for one in default_catalogue().indicators if is_of_people(one)}
    assert about == {"hr_pay_structure_rationality", "hr_employee_satisfaction"}


@given(trees(), st.data())
def test_sec21_no_difference_of_shown_groups_tells_of_one_to_four_people(tree: Tree, data: st.DataObject) -> None:
    sizes, above = tree
    shown = sorted(shown_of(sizes, above))
    seen = [one for one in shown if data.draw(st.booleans())]
    for some in (shown, seen):
        assert not [people for people in differences(some, sizes, above) if 0 < people < LEAST_PEOPLE]


@given(trees())
def test_nothing_is_withheld_without_need(tree: Tree) -> None:
    """Of groups that each have five people of their own, or none, only the empty ones are left out."""
    sizes, above = tree
    own = {one: sizes[one] - sum(sizes[other] for other, upper in above.items() if upper == one) for one in above}
    if all(people == 0 or people >= LEAST_PEOPLE for people in own.values()):
        assert shown_of(sizes, above) == {one for one, people in sizes.items() if people}


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ({"all": 20, "a": 8, "b": 12}, {"all", "a", "b"}),  # nobody is left over
        ({"all": 25, "a": 8, "b": 12}, {"all", "a", "b"}),  # five are
        ({"all": 24, "a": 8, "b": 12}, {"all", "b"}),  # four would be: the smaller goes
        ({"all": 16, "a": 4, "b": 12}, {"all"}),  # a is small, and all less b is a
        ({"all": 4, "a": 4, "b": 0}, set()),
    ],
)
def test_sec21_the_smallest_group_below_is_withheld(sizes: dict[str, int], shown: set[str]) -> None:
    assert shown_of(sizes, {"all": None, "a": "all", "b": "all"}) == shown


def test_sec21_what_is_shown_below_a_withheld_group_counts() -> None:
    """All of 35 less a and b are four: b goes, nine of whose 15 are in c, and all less a and c are ten."""
    sizes = {"all": 35, "a": 16, "b": 15, "c": 9}
    above = {"all": None, "a": "all", "b": "all", "c": "b"}
    assert shown_of(sizes, above) == {"all", "a", "c"}


TEN = Behind(10, {"": 10})


@pytest.mark.parametrize(
    ("whole", "part", "shown"),
    [
        ((TEN, Behind(9, {"": 3})), (TEN, Behind(9, {"": 3})), set()),  # three are behind one of two terms
        ((TEN, Behind()), (TEN, Behind()), {"all", "a"}),  # nobody is told of by the other
        ((Behind(20, {"": 10}),), (Behind(12, {"": 6}),), {"all"}),
        ((Behind(20, {"": 10}),), (Behind(10, {"": 5}),), {"all", "a"}),
        ((Behind(12, {"": 6}),), (Behind(10, {"": 6}),), {"all"}),  # rows are left over, but of nobody known
        ((Behind(12, {"x": 6, "y": 6}),), (Behind(6, {"x": 6}),), {"all", "a"}),
        ((Behind(10, {"x": 6, "y": 4}),), (Behind(6, {"x": 6}),), {"all"}),
        ((Behind(8, {"x": 4, "y": 4}),), (Behind(),), set()),  # four may have answered both
    ],
)
def test_sec21_five_people_are_behind_each_term_and_what_is_left_of_it(
    whole: Size, part: Size, shown: set[str]
) -> None:
    assert shown_groups({"all": whole, "a": part}, {"all": None, "a": "all"}) == shown


SURVEY, CONTRACT = "survey_response", "labour_contract"


def rated(**terms: Any) -> Indicator:
    one = next(one for one in default_catalogue().indicators if one.id == "hr_employee_satisfaction")
    return msgspec.structs.replace(one, **{"numerator": (), "denominator": (), "response": None, **terms})


@pytest.mark.parametrize(
    ("indicator", "where"),
    [
        # Those who are satisfied are told of among all who answered.
        (rated(numerator=(Part(fact=SURVEY, where=("value > 3",)),), denominator=(Part(fact=SURVEY),)), [()]),
        # What two people said is theirs, whatever it is divided by.
        (
            rated(
                numerator=(Part(fact=SURVEY, sum=("value",), where=("value > 3",)),), denominator=(Part(fact=SURVEY),)
            ),
            [(), ("value > 3",)],
        ),
        (rated(numerator=(Part(fact=SURVEY),), denominator=(Part(fact=CONTRACT),)), [(), ()]),
        (rated(numerator=(Part(fact=SURVEY),), denominator=(Part(fact="employment"),)), [()]),
        (
            rated(numerator=(Part(fact=SURVEY, rating=("value", "scale_min", "scale_max")),)),
            [("scale_max > scale_min",)],
        ),
        (rated(denominator=(Part(fact=SURVEY),), good=("value > 3",)), [()]),
    ],
)
def test_sec21_of_shares_the_whole_counts_and_of_values_whoever_gave_them(
    indicator: Indicator, where: list[tuple[str, ...]]
) -> None:
    assert [one.where for one in heads_of(indicator)] == where


def test_sec21_people_of_what_is_added_are_not_added_and_what_stands_in_counts_where_it_does() -> None:
    """Four in contracts and four in surveys may be the same; six answered where nobody has a contract."""
    also, instead = Part(fact=SURVEY, where=("value > 3",)), Part(fact=SURVEY)
    indicator = rated(denominator=(Part(fact=CONTRACT, plus=also, otherwise=instead),))
    contracts, answers, others = heads_of(indicator)
    four, six = Counted(Fraction(4), 4, {"": 4}), Counted(Fraction(6), 6, {"": 6})
    [first] = size_of(indicator, {contracts: four, answers: four, others: six}, 0)
    [second] = size_of(indicator, {contracts: Counted(), answers: Counted(), others: six}, 0)
    assert (first.rows, first.least, second.least) == (8, 4, 6)
