"""KS-18: Spearman with ties against published figures, delays, the correction, and what must not look like a find."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from server.analytics.correlation import Lagged, Pair, changes, correlate, holm, independent_points, spearman

IQ = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
HOURS = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
"""Wikipedia, "Spearman's rank correlation coefficient", the worked example: -29/165, p = 0.627188."""
LIFE = ([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])
"""SciPy's example of ``spearmanr``: 0.8207826816681233, p = 0.08858700531354381; with a tie."""

values = st.lists(st.integers(-50, 50), min_size=20, max_size=40)


def exact(numbers: list[int]) -> list[Fraction | None]:
    return [Fraction(number) for number in numbers]


def pair_of(one: list[int], other: list[int], most_lag: int = 7) -> Pair:
    [found] = correlate({"a": exact(one), "b": exact(other)}, [("a", "b")], most_lag)
    return found


def at(pair: Pair, lag: int) -> Lagged:
    return next(one for one in pair.lags if one.lag == lag)


def test_ks18_spearman_is_that_of_the_worked_example() -> None:
    r, p = spearman(np.array(IQ, float), np.array(HOURS, float))
    assert r == pytest.approx(-29 / 165)
    assert p == pytest.approx(0.627188, abs=1e-5)


def test_ks18_ties_share_their_average_rank() -> None:
    one, other = LIFE
    r, p = spearman(np.array(one, float), np.array(other, float))
    assert (r, p) == pytest.approx((0.8207826816681233, 0.08858700531354381))


def test_ks18_fewer_than_eight_shared_points_are_too_few() -> None:
    seven, eight = list(range(7)), list(range(8))
    assert pair_of(seven, seven, 0).best.state == "few"
    assert pair_of(seven, seven, 0).best.r is None
    assert pair_of(eight, eight, 0).best.n == 8
    assert pair_of(eight, eight, 0).best.r == pytest.approx(1)
    assert at(pair_of(eight, eight), 1).state == "few"


def test_ks18_a_step_without_a_value_counts_in_neither() -> None:
    one = exact(IQ)
    one[3] = None
    [found] = correlate({"a": one, "b": exact(HOURS)}, [("a", "b")], 0)
    left, right = ([x for place, x in enumerate(xs) if place != 3] for xs in (IQ, HOURS))
    assert found.best.n == 9
    assert found.best.r == pytest.approx(stats.spearmanr(left, right).statistic)


def test_ks18_delays_of_zero_to_seven_steps_are_tested_both_ways() -> None:
    numbers = [int(x) for x in np.random.default_rng(3).permutation(40)]
    assert [one.lag for one in pair_of(numbers, numbers).lags] == list(range(-7, 8))


@pytest.mark.parametrize("lag", [0, 1, 3, 7])
def test_ks18_a_series_that_follows_another_is_found_at_its_delay(lag: int) -> None:
    numbers = [int(x) for x in np.random.default_rng(5).permutation(60)]
    leads = numbers[lag:]
    follows = numbers[: len(numbers) - lag]
    best = pair_of(leads, follows).best
    assert (best.lag, best.state) == (lag, "moves")
    assert best.r == pytest.approx(1)
    assert pair_of(follows, leads).best.lag == -lag


def test_ks18_p_is_corrected_by_holm_over_all_pairs_and_delays() -> None:
    rng = np.random.default_rng(11)
    base = rng.integers(0, 999, 30)
    series = {name: exact([int(x) for x in base + rng.integers(0, 700, 30)]) for name in "abc"}
    tested = [lag for pair in correlate(series, combinations("abc", 2)) for lag in pair.lags]
    assert len(tested) == 3 * 15
    in_order = sorted(tested, key=lambda one: one.p or 0)
    expected = 0.0
    for place, one in enumerate(in_order):
        assert one.p is not None
        expected = max(expected, min(1.0, (len(tested) - place) * one.p))
        assert one.corrected == pytest.approx(expected)
    assert sum(one.corrected is not None and one.corrected < 1 for one in tested) >= 2


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_ks18_holm_is_that_of_statsmodels(tested: list[float]) -> None:
    assert holm(tested) == pytest.approx(list(multipletests(tested, method="holm")[1]))


def test_ks18_weak_and_constant_are_said_to_be_so() -> None:
    assert Lagged(0, 500, 0.29, 1e-9, 1e-9).state == "weak"
    assert Lagged(0, 20, 0.6, 0.01, 0.06).state == "weak"
    assert Lagged(0, 20, 0.6, 0.001, 0.04).state == "moves"
    assert pair_of([5] * 20, list(range(20)), 0).best.state == "constant"


@settings(max_examples=25, deadline=None)
@given(values, st.data())
def test_a_rising_function_of_a_series_changes_nothing(one: list[int], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.integers(-50, 50), min_size=len(one), max_size=len(one)))
    plain, bent = pair_of(one, other, 2), pair_of([number**3 + number for number in one], other, 2)
    assert [(x.lag, x.n) for x in plain.lags] == [(x.lag, x.n) for x in bent.lags]
    for x, y in zip(plain.lags, bent.lags, strict=True):
        assert x.r == (None if y.r is None else pytest.approx(y.r))
        assert x.p == (None if y.p is None else pytest.approx(y.p))


@settings(max_examples=25, deadline=None)
@given(values, st.data())
def test_swapping_two_series_turns_the_delay_and_nothing_else(one: list[int], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.integers(-50, 50), min_size=len(one), max_size=len(one)))
    there, back = pair_of(one, other, 3), pair_of(other, one, 3)
    for lag in range(-3, 4):
        r = at(back, -lag).r
        assert at(there, lag).r == (None if r is None else pytest.approx(r))


@settings(max_examples=25, deadline=None)
@given(values, st.data())
def test_a_correction_never_makes_p_smaller(one: list[int], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.integers(-50, 50), min_size=len(one), max_size=len(one)))
    for lagged in pair_of(one, other).lags:
        if lagged.p is not None:
            assert lagged.corrected is not None
            assert lagged.p <= lagged.corrected <= 1


def test_changes_are_against_the_step_before_and_of_days_against_last_weeks_weekday() -> None:
    numbers: list[Fraction | None] = [Fraction(n * n) for n in range(10)]
    numbers[4] = None
    assert changes(numbers, "week")[:5] == [1, 3, 5, None, None]
    assert changes(numbers, "day") == [49, 63, 77]


def test_points_that_resemble_their_neighbours_count_for_less() -> None:
    rising = stats.rankdata(np.cumsum(np.random.default_rng(2).normal(size=60)))
    mixed = stats.rankdata(np.random.default_rng(2).normal(size=60))
    assert independent_points(rising, rising) < 20
    assert independent_points(mixed, mixed) > 40


def _made(kind: str, rng: np.random.Generator, number: int) -> list[int]:
    noise = rng.normal(size=number)
    match kind:
        case "walk":
            noise = np.cumsum(noise)
        case "trend":
            noise += 0.1 * np.arange(number)
        case "week":
            noise += 3 * np.sin(2 * np.pi * np.arange(number) / 7)
    return [int(x) for x in 1_000 * noise]


@pytest.mark.parametrize("kind", ["noise", "walk", "trend", "week"])
def test_ks18_series_that_have_nothing_to_do_with_each_other_are_seldom_said_to_move_together(kind: str) -> None:
    """At 5 % of 60 pairs three are expected; ten or more have a chance of 0.06 %, if p means what it says."""
    rng = np.random.default_rng(17)
    found = 0
    for _ in range(60):
        series = {name: changes(exact(_made(kind, rng, 70)), "day") for name in "ab"}
        [pair] = correlate(series, [("a", "b")])
        found += pair.best.state == "moves"
    assert found < 10
