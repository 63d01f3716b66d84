"""KS-14: completion is rounded down, ratings half up, and the pace is that of working days."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.scoring.progress import progress, rating_text

NOVEMBER = [day for n in range(30) if (day := date(2026, 11, 1) + timedelta(days=n)).weekday() < 5]
"""21 working days."""


@pytest.mark.parametrize(("actual", "pct"), [(800_000, 80), (799_999, 79), (999_999, 99), (1_000_000, 100), (-1, -1)])
def test_x27_completion_is_rounded_down(actual: int, pct: int) -> None:
    found = progress(Fraction(actual), Fraction(1_000_000), NOVEMBER, date(2026, 11, 16))
    assert found is not None
    assert found.completion_pct == pct


@pytest.mark.parametrize(("mean", "text"), [("4.75", "4.8"), ("4.849", "4.8"), ("4.85", "4.9"), ("5", "5.0")])
def test_x28_ratings_are_rounded_half_up(mean: str, text: str) -> None:
    assert rating_text(Fraction(mean)) == text


@pytest.mark.parametrize(
    ("done", "pace"),
    [(53, "ahead"), (52, "on_track"), (47, "on_track"), (43, "on_track"), (42, "behind"), (0, "behind")],
)
def test_the_pace_is_that_of_working_days_that_are_over(done: int, pace: str) -> None:
    """On 16 November 10 of 21 working days are over: 47.6 %, ahead from 52.6, behind to 42.6."""
    found = progress(Fraction(done), Fraction(100), NOVEMBER, date(2026, 11, 16))
    assert found is not None
    assert (found.pace, found.expected_pct) == (pace, "47.6")


def test_without_working_days_or_target_there_is_no_pace() -> None:
    assert progress(Fraction(1), Fraction(2), [], date(2026, 11, 16)) is None
    assert progress(Fraction(1), Fraction(0), NOVEMBER, date(2026, 11, 16)) is None


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_hundred_never_shows_early(actual: int, target: int) -> None:
    found = progress(Fraction(actual), Fraction(target), NOVEMBER, date(2026, 11, 16))
    assert found is not None
    assert (found.completion_pct >= 100) == (actual >= target)
