"""From a value to points (KS-2)."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, TypeAlias

from server.scoring.numbers import MICRO, MicroPoints, half_up
from shared.errors import DataError

CurveKind: TypeAlias = Literal["pts", "ratio", "ratio_pts", "step"]

DEFAULT_CAP = Fraction(120)


@dataclass(frozen=True, slots=True)
class Curve:
    """How many points a value is worth; DataError when it can not be drawn.

    ``pts``: straight lines through the points, flat outside. ``step``: the points of the highest bound reached, below
    all of them 0. ``ratio``: 100 x value / target. ``ratio_pts``: ``pts`` over value / target.
    """

    kind: CurveKind
    points: tuple[tuple[Fraction, Fraction], ...] = ()
    target: Fraction | None = None
    cap: Fraction = DEFAULT_CAP

    def __post_init__(self) -> None:
        places = [x for x, _ in self.points]
        if self.kind != "ratio" and (not places or any(left >= right for left, right in pairwise(places))):
            raise DataError(f"curve {self.kind}: expected points in rising order of value", "curve_points")
        if self.kind.startswith("ratio") and not self.target:
            raise DataError(f"curve {self.kind}: expected a target other than 0", "curve_target")

    def score(self, value: Fraction) -> MicroPoints:
        """Points of a value, in millionths, between 0 and the cap."""
        if self.kind.startswith("ratio"):
            value /= self.target or 1
        points = (
            100 * value if self.kind == "ratio" else self._step(value) if self.kind == "step" else self._line(value)
        )
        return half_up(min(max(points, Fraction(0)), self.cap) * MICRO)

    def _line(self, value: Fraction) -> Fraction:
        first, last = self.points[0], self.points[-1]
        if value <= first[0]:
            return first[1]
        for (x, y), (next_x, next_y) in pairwise(self.points):
            if value <= next_x:
                return y + (next_y - y) * (value - x) / (next_x - x)
        return last[1]

    def _step(self, value: Fraction) -> Fraction:
        reached = [points for bound, points in self.points if bound <= value]
        return reached[-1] if reached else Fraction(0)
