"""What a period is worth in money: rewards in steps over a base, each behind its gates (KS-8)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from server.scoring.scorecard import IndicatorScore
from server.scoring.tier import Gate, RewardTier, reward


@dataclass(frozen=True, slots=True)
class GateRule:
    """Another indicator that has to reach so much, in its unit; None: its target."""

    indicator: str
    least: Fraction | None = None


@dataclass(frozen=True, slots=True)
class RewardRule:
    """Somebody's base amount for an indicator, and its steps."""

    indicator: str
    tier: RewardTier
    base_minor: int
    gates: tuple[GateRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Reward:
    """What a rule came to; nothing without a value or a target to step above."""

    rule: RewardRule
    steps: int
    minor: int


def rewards(rules: Iterable[RewardRule], scores: Mapping[str, IndicatorScore]) -> tuple[Reward, ...]:
    """One for each rule, by the value as counted. What is not known yet is worth 0: money follows when it is."""
    return tuple(_reward(rule, scores) for rule in rules)


def _reward(rule: RewardRule, scores: Mapping[str, IndicatorScore]) -> Reward:
    score = scores.get(rule.indicator)
    if score is None or score.no_score is not None or score.value is None or score.target is None:
        return Reward(rule, 0, 0)
    steps = rule.tier.steps(score.value, Fraction(score.target), [_gate(one, scores) for one in rule.gates])
    return Reward(rule, steps, reward(rule.base_minor, rule.tier.multiplier(steps)))


def _gate(rule: GateRule, scores: Mapping[str, IndicatorScore]) -> Gate:
    score = scores.get(rule.indicator)
    least = rule.least
    if least is None and score is not None and score.target is not None:
        least = Fraction(score.target)
    known = score is not None and score.no_score is None and least is not None
    return Gate(score.value if known and score is not None else None, least or Fraction(0))
