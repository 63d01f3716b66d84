"""Which indicators move together, and with which delay. Moving with is not causing (KS-18).

Spearman's coefficient over average ranks: it asks for no straight line and one wild day weighs little. Three things
make such tables lie, and each is met here:

- Two series that both rise, or both rest on Sundays, agree without having to do with each other. So changes are
  compared: against the step before, and of days against the same weekday of the week before.
- Neighbouring values are alike, so that twenty of them say less than twenty. p goes by the number of independent
  points that Bartlett's formula gives (Pyper and Peterman, Can. J. Fish. Aquat. Sci. 55, 1998), from Student's t.
  An exact test by permutation would count dependent points as independent ones, and is not used for that reason.
- Many tests find something by chance. p is corrected by Holm's method over all pairs and delays: it holds whatever
  the tests have to do with each other, and delays of one pair have much.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from server.analytics.grain import Grain

if TYPE_CHECKING:
    import numpy as np

    Numbers: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

LEAST = 8
"""Points that two series have to share."""
MOST_LAG = 7
WEAK = 0.3
"""A coefficient nearer to 0 is called weak, whatever p is."""
SURE = 0.05
"""A corrected p above is called weak too."""
Values: TypeAlias = Sequence[Fraction | None]
"""One for each step, None where there is none."""
State: TypeAlias = Literal["moves", "weak", "few", "constant"]
"""Moves with; too weak to say so; fewer than 8 points; a series that never changes."""


@dataclass(frozen=True, slots=True)
class Lagged:
    """Two series, one of them so many steps later."""

    lag: int
    """Steps by which the first comes before the other; below 0 the other comes first."""
    n: int
    """Points that both have."""
    r: float | None = None
    p: float | None = None
    """Two-sided; before correction."""
    corrected: float | None = None
    """p by Holm over everything that was tested together."""

    @property
    def state(self) -> State:
        """What may be said of it."""
        if self.n < LEAST:
            return "few"
        if self.r is None or self.corrected is None:
            return "constant"
        return "moves" if abs(self.r) >= WEAK and self.corrected < SURE else "weak"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two indicators with all delays that were tested."""

    one: str
    other: str
    lags: tuple[Lagged, ...]

    @property
    def best(self) -> Lagged:
        """The delay with the least p, the shorter one of equals; without any the one with most points."""
        known = [one for one in self.lags if one.p is not None]
        if known:
            return min(known, key=lambda one: (one.p, -abs(one.r or 0), abs(one.lag), -one.lag))
        return max(self.lags, key=lambda one: (one.n, -abs(one.lag)))


def changes(values: Values, grain: Grain) -> list[Fraction | None]:
    """Each value less the one before; of days less that of the same weekday a week before."""
    step = 7 if grain == "day" else 1
    pairs = zip(values[:-step], values[step:], strict=True)
    return [None if old is None or new is None else new - old for old, new in pairs]


def correlate(series: Mapping[str, Values], pairs: Iterable[tuple[str, str]], most_lag: int = MOST_LAG) -> list[Pair]:
    """These pairs of series of one length, each with delays up to ``most_lag`` either way."""
    ranges = {name: _numbers(values) for name, values in series.items()}
    found = [
        (one, other, [_at(ranges[one], ranges[other], lag) for lag in range(-most_lag, most_lag + 1)])
        for one, other in pairs
    ]
    tested = [lagged.p for _, _, lags in found for lagged in lags if lagged.p is not None]
    corrected = iter(holm(tested))
    return [Pair(one, other, tuple(_with(lagged, corrected) for lagged in lags)) for one, other, lags in found]


def holm(tested: Sequence[float]) -> list[float]:
    """Each p, corrected by Holm for all of them.

    statsmodels has it too and collects the garbage of the whole process on every call, for which a server stands still.
    """
    import numpy as np

    p = np.asarray(tested, dtype=np.float64)
    order = np.argsort(p)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return [float(one) for one in corrected]


def spearman(one: "Numbers", other: "Numbers", independent: float | None = None) -> tuple[float, float]:
    """Spearman's coefficient, average ranks for ties, and its two-sided p by Student's t; two arrays without gaps.

    p is that of so many ``independent`` points, without a number of all.
    """
    from scipy import stats

    r = float(stats.spearmanr(one, other).statistic)
    free = (len(one) if independent is None else independent) - 2
    if 1 - r * r < 1e-12:  # a perfect one, up to rounding
        return r, 0.0
    return r, float(2 * stats.t.sf(abs(r) * math.sqrt(free / (1 - r * r)), free))


def independent_points(one: "Numbers", other: "Numbers") -> float:
    """How many independent points two series are worth, ranks with NaN where there is none: at most those there are.

    Products of autocorrelations up to a quarter of the length; never less than 3, for which there is a p.
    """
    import numpy as np

    there = np.isfinite(one) & np.isfinite(other)
    n = int(there.sum())
    left, right = (np.where(there, ranks - ranks[there].mean(), 0.0) for ranks in (one, other))
    shared = 0.0
    for lag in range(1, n // 4 + 1):
        alike = [float(x[:-lag] @ x[lag:]) / float(x @ x) for x in (left, right)]
        shared += (1 - lag / n) * alike[0] * alike[1]
    worth = n / (1 + 2 * shared) if shared > -0.5 else n
    return min(n, max(3.0, worth))


def _numbers(values: Values) -> "Numbers":
    import numpy as np

    return np.array([math.nan if value is None else float(value) for value in values])


def _at(one: "Numbers", other: "Numbers", lag: int) -> Lagged:
    import numpy as np
    from scipy import stats

    if abs(lag) >= len(one):
        return Lagged(lag, 0)
    left, right = (one[: len(one) - lag], other[lag:]) if lag >= 0 else (one[-lag:], other[: len(other) + lag])
    there = np.isfinite(left) & np.isfinite(right)
    n = int(there.sum())
    if n < LEAST or np.ptp(left[there]) == 0 or np.ptp(right[there]) == 0:
        return Lagged(lag, n)
    ranks = [np.full(len(there), math.nan), np.full(len(there), math.nan)]
    for place, values in zip(ranks, (left, right), strict=True):
        place[there] = stats.rankdata(values[there])
    r, p = spearman(left[there], right[there], independent_points(*ranks))
    return Lagged(lag, n, r, p)


def _with(lagged: Lagged, corrected: Iterator[float]) -> Lagged:
    if lagged.p is None:
        return lagged
    return Lagged(lagged.lag, lagged.n, lagged.r, lagged.p, next(corrected))
