"""Late facts of a closed period: its score stays, the difference is an adjustment of the open period (KS-12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from server.scoring.numbers import CentiPoints, MicroPoints
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import IndicatorScore, Observed, score_indicator, total
from server.scoring.tier import Gate, RewardTier, reward


@dataclass(frozen=True, slots=True)
class Paid:
    """The reward in steps that hangs on the indicator."""

    tier: RewardTier
    base_minor: int
    gates: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed period of a person as it was published, with the versions it was made with."""

    period: str
    score: IndicatorScore
    """Of the indicator that late facts changed; it keeps the version of its definition and its target."""
    weights: PeriodWeights
    points: Mapping[str, MicroPoints | None]
    """Of all indicators."""
    paid: Paid | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """One side of a difference."""

    value: Fraction | None
    points: MicroPoints | None
    total: CentiPoints | None
    money_minor: int | None
    """None without a reward on the indicator, or without a value."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a late fact would have changed; shown beside the open period's score and never mixed into it."""

    indicator: str
    closed_period: str
    open_period: str
    cause: str
    """Key of the late fact."""
    before: Figures
    after: Figures

    @property
    def total_difference(self) -> CentiPoints | None:
        """Hundredths of a point; None where either side has no total."""
        return _difference(self.before.total, self.after.total)

    @property
    def money_difference_minor(self) -> int | None:
        """Minor units to pay, below 0 too much was paid; None where either side has no reward."""
        return _difference(self.before.money_minor, self.after.money_minor)


def restate(closed: Closed, late: Observed, cause: str, open_period: str) -> Adjustment | None:
    """The adjustment for what is counted now; None when nothing differs."""
    again = score_indicator(closed.score.indicator, late, target=closed.score.target)
    before, after = _figures(closed, closed.score), _figures(closed, again)
    if before == after:
        return None
    return Adjustment(again.indicator.id, closed.period, open_period, cause, before, after)


def _figures(closed: Closed, score: IndicatorScore) -> Figures:
    points = {**closed.points, score.indicator.id: score.points}
    return Figures(score.value, score.points, total(closed.weights, points).centi, _money(closed.paid, score))


def _money(paid: Paid | None, score: IndicatorScore) -> int | None:
    if paid is None or score.value is None or score.target is None:
        return None
    steps = paid.tier.steps(score.value, Fraction(score.target), paid.gates)
    return reward(paid.base_minor, paid.tier.multiplier(steps))


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
