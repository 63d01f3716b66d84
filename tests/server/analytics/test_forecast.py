"""KS-18: forecasts of series whose next values are known, with interval and number of values; or why there is none."""

import math
from fractions import Fraction

import numpy as np
import pandas
import pytest

from server.analytics.forecast import LEAST, Forecast, forecast

AIRLINE = [112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158, 133]
"""Box and Jenkins, series G: passengers by month from January 1949."""


def exact(numbers: "np.ndarray | list[int]") -> list[Fraction | None]:
    return [Fraction(float(number)).limit_denominator(10**6) for number in numbers]


def noisy_week(number: int, seed: int = 1) -> "np.ndarray":
    days = np.arange(float(number))
    found: np.ndarray = 90 + 5 * np.sin(2 * np.pi * days / 7) + np.random.default_rng(seed).normal(0, 0.5, number)
    return found


def values_of(found: Forecast) -> list[float]:
    return [math.nan if one is None else one.value for one in found.ahead]


def test_ks18_a_forecast_has_an_interval_and_the_number_of_values_it_is_made_from() -> None:
    found = forecast(exact(AIRLINE), "month", 3)
    assert (found.n, found.reason, len(found.ahead)) == (22, None, 3)
    for one in found.ahead:
        assert one is not None
        assert one.low < one.value < one.high


def test_ks18_it_is_the_model_of_statsmodels_with_the_same_interval() -> None:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    other = ETSModel(pandas.Series(AIRLINE, dtype=float), error="add", trend="add", damped_trend=True).fit(disp=False)
    frame = other.get_prediction(start=22, end=22).summary_frame(alpha=0.05)
    [one] = forecast(exact(AIRLINE), "month", 1).ahead
    assert one is not None
    assert one.value == pytest.approx(float(frame["mean"].iloc[0]), rel=0.05)
    assert one.high - one.low == pytest.approx(float((frame["pi_upper"] - frame["pi_lower"]).iloc[0]), rel=0.25)


def test_ks18_the_interval_widens_with_the_distance() -> None:
    ahead = forecast(exact(AIRLINE), "month", 6).ahead
    widths = [one.high - one.low for one in ahead if one is not None]
    assert widths == sorted(widths)
    assert widths[-1] > widths[0]


def test_ks18_most_values_to_come_lie_in_the_interval() -> None:
    inside = 0
    for seed in range(10):
        whole = noisy_week(63, seed)
        ahead = forecast(exact(whole[:56]), "day", 7).ahead
        inside += sum(
            one is not None and one.low <= true <= one.high for one, true in zip(ahead, whole[56:], strict=True)
        )
    assert inside >= 0.85 * 70


def test_days_go_by_the_pattern_of_the_week() -> None:
    truth = 90 + 5 * np.sin(2 * np.pi * np.arange(56.0, 70.0) / 7)
    assert values_of(forecast(exact(noisy_week(56)), "day", 14)) == pytest.approx(list(truth), abs=1.2)


def test_a_day_of_the_week_that_never_has_a_value_gets_none() -> None:
    values = exact(noisy_week(56))
    for place in range(56):
        if place % 7 in (5, 6):
            values[place] = None
    found = forecast(values, "day", 7)
    assert found.n == 40
    assert [one is None for one in found.ahead] == [False] * 5 + [True] * 2


def test_a_trend_flattens_out() -> None:
    line = [2 * number + number % 2 for number in range(24)]
    ahead = values_of(forecast(exact(line), "month", 24))
    assert ahead[0] > 46
    assert ahead[-1] - ahead[-2] <= ahead[1] - ahead[0]


@pytest.mark.parametrize("gap", [(1, 2), (10, 11, 12), (20, 21)])
def test_gaps_are_borne_and_never_filled(gap: tuple[int, ...]) -> None:
    values = exact(AIRLINE)
    for place in gap:
        values[place] = None
    found = forecast(values, "month", 3)
    assert (found.n, found.reason) == (22 - len(gap), None)


def test_ks18_too_few_values_make_no_forecast_and_say_so() -> None:
    assert forecast(exact(AIRLINE[: LEAST - 1]), "month", 3) == Forecast(LEAST - 1, (), "few_points")
    assert forecast(exact(AIRLINE[:LEAST]), "month", 3).reason is None


def test_a_series_that_never_changes_has_no_forecast() -> None:
    assert forecast(exact([97] * 30), "week", 3) == Forecast(30, (), "constant")


def test_nothing_is_told_beyond_what_can_be() -> None:
    shares = [98, 99, 100, 97, 100, 99, 98, 100, 99, 100, 100, 99, 98, 100]
    for one in forecast(exact(shares), "week", 4, least=0, most=100).ahead:
        assert one is not None
        assert 0 <= one.low <= one.value <= one.high <= 100


def test_the_same_values_give_the_same_forecast() -> None:
    assert forecast(exact(AIRLINE), "month", 3) == forecast(exact(AIRLINE), "month", 3)
