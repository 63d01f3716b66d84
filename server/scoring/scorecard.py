"""From counted rows to indicator scores, a total and a grade (KS-3, KS-13)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import msgspec

from server.scoring.indicator import Indicator
from server.scoring.numbers import CENTI, MICRO, CentiPoints, MicroPoints, half_up
from server.scoring.scheme import PeriodWeights

NoScore: TypeAlias = Literal[
    "no_denominator", "below_minimum_sample", "few_answers", "few_people", "no_target", "source_missing", "source_late"
]
"""Why there are no points: nothing to count, too few rows or answers, a figure that would tell of fewer than five
people, no target of one's own, no source that has ever told of the fact, a source that is away."""
SOURCE_REASONS: frozenset[NoScore] = frozenset({"source_missing", "source_late"})
"""Those that hold whatever was counted."""
Grade: TypeAlias = Literal["S", "A", "B", "C", "D"]

ENOUGH_COVERAGE = Fraction(60, 100)
GRADES: tuple[tuple[Grade, CentiPoints], ...] = (("S", 110_00), ("A", 100_00), ("B", 85_00), ("C", 70_00), ("D", 0))


@dataclass(frozen=True, slots=True)
class Observed:
    """What was counted."""

    numerator: int = 0
    denominator: int = 0
    sample: int = 0


@dataclass(frozen=True, slots=True)
class IndicatorScore:
    """One indicator of one person; either points or the reason why there are none, never 0 for unknown."""

    indicator: Indicator
    observed: Observed
    points: MicroPoints | None
    no_score: NoScore | None
    target: str | None = None
    """What it was measured against."""

    @property
    def value(self) -> Fraction | None:
        """In the indicator's unit; None without denominator."""
        seen = self.observed
        return self.indicator.value(seen.numerator, seen.denominator) if seen.denominator else None


@dataclass(frozen=True, slots=True)
class Total:
    """The weighted mean over what has a score, and how much of the weight that is."""

    centi: CentiPoints | None
    """None while the coverage is below 60 %."""
    coverage: Fraction

    @property
    def status(self) -> Literal["scored", "insufficient_data"]:
        """Whether there is a total."""
        return "insufficient_data" if self.centi is None else "scored"


@dataclass(frozen=True, slots=True)
class Mean:
    """A total before it is rounded, in points; None while the coverage is below 60 %."""

    points: Fraction | None
    coverage: Fraction


def score_indicator(
    indicator: Indicator, observed: Observed, reason: NoScore | None = None, target: str | None = None
) -> IndicatorScore:
    """Points for what was counted, against ``target`` or without one that of the definition.

    ``reason`` says why there can be none, whatever was counted.
    """
    target = target or indicator.target
    reason = reason or _reason(indicator, observed, target)
    if reason is not None:
        return IndicatorScore(indicator, observed, None, reason, target)
    value = indicator.value(observed.numerator, observed.denominator)
    return IndicatorScore(indicator, observed, indicator.line_to(target).score(value), None, target)


def _reason(indicator: Indicator, observed: Observed, target: str | None) -> NoScore | None:
    if not observed.denominator:
        return "no_denominator"
    if observed.sample < indicator.min_sample:
        return "below_minimum_sample"
    return "no_target" if indicator.target_needed and target is None else None


def weighted_mean(weights: PeriodWeights, points: Mapping[str, MicroPoints | None]) -> Mean:
    """Weighted mean of the points; indicators without points give their weight to the others (KS-3)."""
    scored = {name: weight for name, weight in weights.weights.items() if points.get(name) is not None}
    whole, part = sum(weights.weights.values()), sum(scored.values())
    coverage = Fraction(part, whole) if whole else Fraction(0)
    if not part or coverage < ENOUGH_COVERAGE:
        return Mean(None, coverage)
    weighted = sum(weight * (points[name] or 0) for name, weight in scored.items())
    return Mean(Fraction(weighted, part * MICRO), coverage)


def published(mean: Mean) -> Total:
    """The total as it is published: rounded half up to hundredths, here and nowhere before (KS-1)."""
    return Total(None if mean.points is None else half_up(mean.points * CENTI), mean.coverage)


def total(weights: PeriodWeights, points: Mapping[str, MicroPoints | None]) -> Total:
    """Published weighted mean of the points of one post."""
    return published(weighted_mean(weights, points))


def grade(centi: CentiPoints) -> Grade:
    """Grade of a published total."""
    return next(letter for letter, least in GRADES if centi >= least)


def input_hash(score: IndicatorScore, employee: str, period: str) -> str:
    """SHA-256 over everything the score was made of, hexadecimal: same inputs, same hash (KS-16)."""
    definition = msgspec.to_builtins(score.indicator)
    seen = (score.observed.numerator, score.observed.denominator, score.observed.sample)
    inputs = [score.indicator.rule_version, employee, period, seen, definition, score.target]
    canonical = msgspec.json.encode(inputs, order="sorted")
    return hashlib.sha256(canonical).hexdigest()
