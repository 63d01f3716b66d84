"""Late facts of a closed period: its score stays, the difference is an adjustment of the open period (KS-12)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from server.scoring.numbers import CentiPoints, MicroPoints
from server.scoring.rewards import RewardRule, rewards
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import (
    IndicatorScore,
    Mean,
    NoScore,
    Observed,
    Total,
    published,
    score_indicator,
    weighted_mean,
)
from server.scoring.segment import Segment, period_mean


@dataclass(frozen=True, slots=True)
class Late:
    """What is counted now, and why there can be no points for it all the same."""

    observed: Observed
    reason: NoScore | None = None


Place: TypeAlias = tuple[int, str]
"""Part of a closed card and indicator."""


@dataclass(frozen=True, slots=True)
class ClosedPart:
    """One post of a closed period, with the versions it was scored with."""

    days: int
    scores: Mapping[str, IndicatorScore]
    """Each keeps the version of its definition and its target."""
    weights: PeriodWeights

    @property
    def mean(self) -> Mean:
        """Of its scores."""
        return weighted_mean(self.weights, {name: score.points for name, score in self.scores.items()})


@dataclass(frozen=True, slots=True)
class ClosedCard:
    """A closed period of a person as it was published, or as adjustments have told of it since."""

    period: str
    parts: tuple[ClosedPart, ...]
    """One for each post, by date."""
    rules: tuple[RewardRule, ...] = ()
    """Rewards in force then."""

    @property
    def total(self) -> Total:
        """As computed then: before calibration and veto, which are people's."""
        means = [part.mean for part in self.parts]
        if len(means) == 1:
            return published(means[0])
        days = [part.days for part in self.parts]
        return published(period_mean([Segment(number, mean) for number, mean in zip(days, means, strict=True)]))

    @property
    def scores(self) -> Mapping[str, IndicatorScore]:
        """Of each indicator that of the last post that has it."""
        return {name: score for part in self.parts for name, score in part.scores.items()}

    @property
    def money_minor(self) -> int:
        """All rewards."""
        return sum(one.minor for one in rewards(self.rules, self.scores))

    def having(self, place: Place, late: Late) -> "ClosedCard":
        """The same card with one indicator as it is counted now."""
        number, name = place
        part = self.parts[number]
        score = part.scores[name]
        again = score_indicator(score.indicator, late.observed, late.reason, score.target)
        changed = replace(part, scores={**part.scores, name: again})
        return replace(self, parts=(*self.parts[:number], changed, *self.parts[number + 1 :]))


@dataclass(frozen=True, slots=True)
class Figures:
    """One side of a difference."""

    value: Fraction | None
    points: MicroPoints | None
    total: CentiPoints | None
    money_minor: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What late facts would have changed; shown beside the open period's score and never mixed into it."""

    place: Place
    closed_period: str
    late: Late
    before: Figures
    after: Figures

    @property
    def total_difference(self) -> CentiPoints | None:
        """Hundredths of a point; None where either side has no total."""
        before, after = self.before.total, self.after.total
        return None if before is None or after is None else after - before

    @property
    def money_difference_minor(self) -> int:
        """Minor units to pay, below 0 too much was paid."""
        return self.after.money_minor - self.before.money_minor


def restate(card: ClosedCard, late: Mapping[Place, Late]) -> list[Adjustment]:
    """An adjustment for each indicator that is counted differently now, in order of parts and names.

    Each starts where the one before ended: their differences add up to that of the card.
    """
    found = []
    for place, now in sorted(late.items(), key=lambda item: item[0]):
        again = card.having(place, now)
        before, after = _figures(card, place), _figures(again, place)
        if before != after:
            found.append(Adjustment(place, card.period, now, before, after))
        card = again
    return found


def overlaid(card: ClosedCard, told: Sequence[tuple[Place, Late]]) -> ClosedCard:
    """The card with what adjustments of other periods have told already, the oldest first."""
    for place, late in told:
        card = card.having(place, late)
    return card


def _figures(card: ClosedCard, place: Place) -> Figures:
    number, name = place
    score = card.parts[number].scores[name]
    return Figures(score.value, score.points, card.total.centi, card.money_minor)
