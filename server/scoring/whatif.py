"""What a score would be with other inputs: the same engine on copies, nothing is written (KS-15)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from server.scoring.calibration import Calibration
from server.scoring.final import Final, final
from server.scoring.indicator import Indicator
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import IndicatorScore, Mean, Observed, published, score_indicator, weighted_mean
from server.scoring.veto import Veto
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a published score was made of."""

    scores: tuple[IndicatorScore, ...]
    weights: PeriodWeights
    calibration: Calibration | None = None
    vetoes: Sequence[Veto] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked for; what is not named stays."""

    observed: Mapping[str, Observed] = field(default_factory=dict)
    """By indicator."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """By indicator, exact decimals in its unit."""
    weights: PeriodWeights | None = None
    indicators: Mapping[str, Indicator] = field(default_factory=dict)
    """Other definitions, by indicator; each scores what was observed."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """An answer that is marked, so that nobody takes it for a published score."""

    scores: tuple[IndicatorScore, ...]
    final: Final
    mean: Mean
    """The total before it is rounded, for periods of several posts."""
    simulated: Literal[True] = True


def what_if(inputs: Inputs, change: Change) -> Simulated:
    """Score again with the change; DataError for an indicator that the score does not have."""
    known = {score.indicator.id for score in inputs.scores}
    if unknown := {*change.observed, *change.targets, *change.indicators} - known:
        name = min(unknown)
        raise DataError(f"what-if: the score has no indicator {name}", "what_if", {"field": name})
    scores = tuple(_again(score, change) for score in inputs.scores)
    points = {score.indicator.id: score.points for score in scores}
    mean = weighted_mean(change.weights or inputs.weights, points)
    return Simulated(scores, final(published(mean), inputs.calibration, inputs.vetoes), mean)


def _again(score: IndicatorScore, change: Change) -> IndicatorScore:
    name = score.indicator.id
    observed, target, other = change.observed.get(name), change.targets.get(name), change.indicators.get(name)
    if observed is None and target is None and other is None:
        return score
    # What is counted anew is known, whatever kept the published score from its points; a target alone changes no reason
    # that lies with the data.
    # By another definition its minimum sample counts, and its target where nobody has one of their own.
    again = ("no_target",) if other is None else ("no_target", "below_minimum_sample")
    reason = score.no_score if observed is None and score.no_score not in again else None
    own = score.target if other is None or score.target != score.indicator.target else other.target
    return score_indicator(other or score.indicator, observed or score.observed, reason, target or own)
