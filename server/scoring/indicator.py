"""Indicators as data: what is counted, and what it is worth. A version starts on a date and is never overwritten."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Annotated, Literal

import msgspec

from server.scoring.curve import Curve, CurveKind
from shared.errors import DataError

ENGINE = "score-1"
"""Changes whenever the same definition and facts may give another score."""

Number = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$")]
"""An exact decimal; TOML's own numbers would become binary floats."""
Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class CurveData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A curve as it is written down."""

    kind: CurveKind
    points: tuple[tuple[Number, Number], ...] = ()
    cap: Number = "120"


class Indicator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of an indicator."""

    id: Id
    name_zh: str
    name_en: str
    unit: str
    better: Literal["up", "down", "zone"]
    family: Literal["ratio"]
    """How rows become a value; more families come with the indicators that need them."""
    fact: Literal["shipment", "attendance_day"]
    """Which rows are counted: ``server/store/score_queries.py`` says what they are and which count as good."""
    target: Number | None = None
    min_sample: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Rows needed for a score, counted on the denominator (KS-4)."""
    curve: CurveData
    source: str
    """Where the definition and its numbers come from."""
    starts: date
    """First day on which this version is in force."""

    @property
    def rule_version(self) -> str:
        """Engine and version of the definition, as kept with every score."""
        return f"{ENGINE}/{self.starts}"

    @property
    def line(self) -> Curve:
        """The curve in exact numbers; DataError when it can not be drawn."""
        points = tuple((Fraction(x), Fraction(y)) for x, y in self.curve.points)
        target = None if self.target is None else Fraction(self.target)
        return Curve(self.curve.kind, points, target, Fraction(self.curve.cap))

    def value(self, numerator: int, denominator: int) -> Fraction:
        """The observed value in the indicator's unit: a share is written as 97, not 0.97."""
        return Fraction(numerator, denominator) * (100 if self.unit == "%" else 1)


def in_force(versions: Iterable[Indicator], indicator: str, day: date) -> Indicator | None:
    """The latest version of the indicator that started on or before ``day``."""
    started = (version for version in versions if version.id == indicator and version.starts <= day)
    return max(started, key=lambda version: version.starts, default=None)


def check_indicators(indicators: Iterable[Indicator]) -> None:
    """DataError when a curve can not be drawn or two versions start on one day."""
    seen: set[tuple[str, date]] = set()
    for indicator in indicators:
        if (indicator.id, indicator.starts) in seen:
            raise DataError(f"indicator {indicator.id}: two versions start on {indicator.starts}", "indicator_twice")
        seen.add((indicator.id, indicator.starts))
        try:
            _ = indicator.line
        except DataError as error:
            raise DataError(f"indicator {indicator.id}: {error}", error.code) from error
