"""Ranges behave as the sets of numbers that they stand for."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from shared.ranges import Ranges, covers, difference, intersection, ranges, size, union

PAIRS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=8)


def numbers(pairs: list[tuple[int, int]]) -> set[int]:
    return {n for low, high in pairs for n in range(low, high + 1)}


def in_normal_form(held: Ranges) -> bool:
    return all(low <= high for low, high in held) and all(
        left[1] + 1 < right[0] for left, right in itertools.pairwise(held)
    )


@given(PAIRS)
def test_normal_form_keeps_the_set(pairs: list[tuple[int, int]]) -> None:
    made = ranges(pairs)
    assert numbers(made) == numbers(pairs)
    assert in_normal_form(made)
    assert size(made) == len(numbers(pairs))


@given(PAIRS, PAIRS)
def test_operations_are_those_of_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    a, b = ranges(one), ranges(other)
    for made, expected in (
        (union(a, b), numbers(one) | numbers(other)),
        (intersection(a, b), numbers(one) & numbers(other)),
        (difference(a, b), numbers(one) - numbers(other)),
    ):
        assert numbers(made) == expected
        assert in_normal_form(made)


@given(PAIRS, st.integers(1, 40), st.integers(0, 10))
def test_covers_asks_for_every_number(pairs: list[tuple[int, int]], low: int, more: int) -> None:
    assert covers(ranges(pairs), low, low + more) == (set(range(low, low + more + 1)) <= numbers(pairs))
