"""Indicators as data: what is counted, and what it is worth. A version starts on a date and is never overwritten."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Literal, TypeAlias

import msgspec

from server.scoring.curve import Curve, CurveKind
from server.scoring.part import Part, Text
from shared.errors import DataError

ENGINE = "score-2"
"""Changes whenever the same definition and facts may give another score."""

Number = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$")]
"""An exact decimal; TOML's own numbers would become binary floats."""
Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


Scale = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,8}(/[1-9][0-9]{0,8})?$")]
Family: TypeAlias = Literal[
    "sum",
    "count",
    "ratio",
    "mean",
    "percentile",
    "distinct",
    "union_distinct",
    "funnel_step",
    "tier_combined",
    "semi_additive",
    "composite",
]
Level: TypeAlias = Literal["person", "site", "department", "company"]
"""Kinds of units that have a value."""
Parts: TypeAlias = tuple[Part, ...]


class CurveData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A curve as it is written down."""

    kind: CurveKind
    points: tuple[tuple[Number, Number], ...] = ()
    cap: Number = "120"


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows that are measured by themselves and then weighed against the others (KS-11)."""

    where: str
    weight: Number


class Component(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One share of a composite and its weight in it."""

    weight: Number
    numerator: Parts
    denominator: Parts


class Response(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of those asked have to have answered."""

    answered: Part
    asked: Part
    at_least_pct: Annotated[int, msgspec.Meta(ge=1, le=100)]


class Beside(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Another figure of the same rows, shown to be compared and never scored."""

    id: Id
    name_zh: str
    name_en: str
    good: tuple[Text, ...] = ()
    """Instead of the indicator's."""
    percentile: Literal[50, 90] | None = None
    """Instead of the indicator's."""


class Indicator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One version of an indicator. ``server/scoring/family.py`` says what each family needs and gives."""

    id: Id
    name_zh: str
    name_en: str
    department: Id | None = None
    """Whose library it belongs to: a department's set in the defaults."""
    unit: str
    better: Literal["up", "down", "zone"]
    family: Family
    level: Level = "person"
    """The finest unit with a value of its own; whoever has none takes that of the nearest unit above."""
    needs: tuple[Id, ...] = ()
    """Facts that have to come from somewhere for a score; without any those that are counted."""
    numerator: Parts = ()
    denominator: Parts = ()
    good: tuple[Text, ...] = ()
    """Conditions on the denominator's rows, instead of a numerator."""
    also: Part | None = None
    """Keys of the denominator that this part has too, instead of a numerator."""
    percentile: Literal[50, 90] | None = None
    tiers: tuple[Tier, ...] = ()
    components: tuple[Component, ...] = ()
    sample: Part | None = None
    """What counts for the minimum sample, where it is not the denominator."""
    response: Response | None = None
    scale: Scale = "1"
    """From numerator / denominator to the unit: 100 for per cent, 1/100 for money in minor units."""
    places: Annotated[int, msgspec.Meta(ge=0, le=6)] = 2
    """Decimals that are shown."""
    provisional_days: Annotated[int, msgspec.Meta(ge=0, le=400)] = 0
    """Days after the period's end in which late rows are expected."""
    provisional_to: Text | None = None
    """Day in the rows of the denominator, such as the end of a campaign: late rows are expected up to the last one."""
    target: Number | None = None
    target_needed: bool = False
    """Whether each person, account or kind of page has a target of their own: without one there is no score."""
    beside: tuple[Beside, ...] = ()
    """Figures shown with it."""
    pair: Id | None = None
    """The indicator it is shown with, because either alone is easily won at the cost of the other."""
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
        return self.line_to(self.target)

    def line_to(self, target: str | None) -> Curve:
        """The curve with somebody's own target."""
        return _line(self.curve, target)

    def value(self, numerator: int, denominator: int) -> Fraction:
        """The observed value in the indicator's unit: a share is written as 97, not 0.97."""
        return Fraction(numerator, denominator) * Fraction(self.scale)


@lru_cache(maxsize=1024)
def _line(curve: CurveData, target: str | None) -> Curve:
    points = tuple((Fraction(x), Fraction(y)) for x, y in curve.points)
    return Curve(curve.kind, points, None if target is None else Fraction(target), Fraction(curve.cap))


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
            _ = indicator.line_to("1") if indicator.target_needed and indicator.target is None else indicator.line
        except DataError as error:
            raise DataError(f"indicator {indicator.id}: {error}", error.code) from error
