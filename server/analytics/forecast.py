"""Where a series goes when it goes on like this: exponential smoothing with a prediction interval (KS-18).

A damped trend, so that a good month does not become a straight line into the sky, and for days the pattern of the
week once there are four of them. It is fitted as a state space model, which bears gaps: nothing is filled in. The
same values give the same forecast.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from server.analytics.grain import Grain

LEAST = 12
"""Values without which there is no forecast: the model has six numbers to find."""
WEEK = 7
WEEKS = 4
"""Weeks of days before the pattern of the week is looked for."""
LEVEL_PCT = 95
"""Of the interval: of a hundred values to come so many lie in it, if all goes on as the model has it."""
STEPS: dict[Grain, int] = {"day": 14, "week": 4, "month": 3}
NoForecast: TypeAlias = Literal["few_points", "constant", "no_fit"]
"""Fewer than 12 values; a series that never changes; no model that fits."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A value to come and its prediction interval, in the series' unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """The steps after a series."""

    n: int
    """Values it was made from."""
    ahead: tuple[Ahead | None, ...] = ()
    """None for a day of the week on which there never is a value."""
    reason: NoForecast | None = None
    """Why there is none."""


def forecast(
    values: Sequence[Fraction | None],
    grain: Grain,
    steps: int,
    *,
    least: float = -math.inf,
    most: float = math.inf,
) -> Forecast:
    """The next ``steps`` after these values, oldest first; nothing is told below ``least`` or above ``most``."""
    import numpy as np

    numbers = np.array([math.nan if value is None else float(value) for value in values])
    there = np.isfinite(numbers)
    n = int(there.sum())
    if n < LEAST:
        return Forecast(n, reason="few_points")
    middle, width = float(numbers[there].mean()), float(numbers[there].std())
    if math.isclose(width, 0, abs_tol=1e-9 * max(1.0, abs(middle))):
        return Forecast(n, reason="constant")
    season = WEEK if grain == "day" and len(values) >= WEEKS * WEEK else None
    found = _fitted((numbers - middle) / width, season, steps)
    if found is None:
        return Forecast(n, reason="no_fit")
    seen = {place % season for place in np.flatnonzero(there)} if season else set()
    ahead = []
    for step, row in enumerate(found):
        told = [min(most, max(least, middle + width * float(number))) for number in row]
        ahead.append(Ahead(*told) if season is None or (len(values) + step) % season in seen else None)
    return Forecast(n, tuple(ahead))


def _fitted(numbers: object, season: int | None, steps: int) -> list[tuple[float, float, float]] | None:
    """Mean, lower and upper end of each step; None where no numbers come out."""
    import numpy as np
    from statsmodels.tsa.statespace.exponential_smoothing import ExponentialSmoothing

    model = ExponentialSmoothing(
        numbers, trend=True, damped_trend=True, seasonal=season, initialization_method="concentrated"
    )
    with np.errstate(all="ignore"):  # the search looks at numbers far out and comes back
        try:
            fitted = model.fit(disp=0, maxiter=300, warn_convergence=False)
            told = fitted.get_forecast(steps)
        except np.linalg.LinAlgError:
            return None
        middle, ends = np.asarray(told.predicted_mean), np.asarray(told.conf_int(alpha=1 - LEVEL_PCT / 100))
    if not (np.isfinite(middle).all() and np.isfinite(ends).all()):
        return None
    return [(float(one), float(low), float(high)) for one, (low, high) in zip(middle, ends, strict=True)]
