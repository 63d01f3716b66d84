"""Rewards in steps above a target (KS-8)."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from server.scoring.indicator import Indicator
from server.scoring.numbers import half_up
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class Gate:
    """What else has to be reached: a value of another indicator, in its unit, where more is better."""

    value: Fraction | None
    least: Fraction

    @property
    def passed(self) -> bool:
        """Whether it is reached; a value that is not known reaches nothing, because money follows."""
        return self.value is not None and self.value >= self.least


@dataclass(frozen=True, slots=True)
class RewardTier:
    """For each whole ``step`` above the target ``gain`` more, both as parts of 1; DataError for none or less."""

    step: Fraction
    gain: Fraction
    max_steps: int = 5

    def __post_init__(self) -> None:
        for field, value in (("step", self.step), ("gain", self.gain), ("max_steps", self.max_steps)):
            if value <= 0:
                raise DataError(f"tier {field} {value}: expected more than 0", "tier", {"field": field})

    def steps(self, actual: Fraction, target: Fraction, gates: Iterable[Gate] = ()) -> int:
        """Whole steps above the target, exact hits included; 0 below it and behind a gate that is not passed.

        ``actual`` is the value as counted, not the capped score. DataError for a target of 0 or less.
        """
        if target <= 0:
            raise DataError(f"tier target {target}: expected more than 0", "tier", {"field": "target"})
        if not all(gate.passed for gate in gates):
            return 0
        return min(max((actual / target - 1) // self.step, 0), self.max_steps)

    def multiplier(self, steps: int) -> Fraction:
        """What a reward is multiplied with."""
        return 1 + steps * self.gain


DEFAULT_TIERS = {
    "biz_sales_amount": RewardTier(Fraction(10, 100), Fraction(2, 100)),
    "dsg_page_conversion_rate": RewardTier(Fraction(10, 100), Fraction(3, 100)),
}
"""By indicator; others have none until a company sets one."""


def check_tier(indicator: Indicator, field: str = "indicator") -> None:
    """DataError with the field when rewards in steps do not fit an indicator, because more of it is not better."""
    if indicator.better != "up":
        why = f"tier of {indicator.id}: expected an indicator where more is better"
        raise DataError(why, "tier_direction", {"field": field})


def reward(base_minor: int, multiplier: Fraction) -> int:
    """Reward in minor units, rounded half up once."""
    return half_up(base_minor * multiplier)
