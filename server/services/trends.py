"""Series of indicators for one unit, to look at (KS-18).

Nothing is stored, and nothing that makes scores or pay reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.analytics.grain import Span
from server.scoring.family import facts_needed, final_on
from server.scoring.indicator import Indicator
from server.scoring.scorecard import NoScore
from server.services.endings import endings_each
from server.services.observing import Seen, observe_unit
from server.services.trend_basis import Basis, Choice, Wanted, basis_of, chosen_of
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class Point:
    """One step of a series."""

    span: Span
    value: Fraction | None
    sample: int | None
    """Rows behind it; None where even that says too much."""
    reason: NoScore | None
    """Why there is no value."""
    final: bool
    """Whether no late row is expected any more and every campaign has ended; others are never computed with."""


@dataclass(frozen=True, slots=True)
class Series:
    """One indicator of the unit, oldest step first."""

    indicator: Indicator
    points: tuple[Point, ...]
    source: NoScore | None
    """Whether a source that it needs is away."""

    @property
    def values(self) -> list[Fraction | None]:
        """What may be computed with."""
        return [point.value if point.final else None for point in self.points]


@dataclass(frozen=True, slots=True)
class Found:
    """Series of a unit, and what else could be asked of it."""

    spans: tuple[Span, ...]
    choices: tuple[Choice, ...]
    """Heaviest first."""
    series: tuple[Series, ...]
    left_out: tuple[str, ...]
    """Indicators that have values by month only, and were asked for by day or week."""


async def series_of(connection: AsyncConnection, scope: Scope, wanted: Wanted, now_ms: WallMs) -> Found:
    """Count the chosen indicators step by step; NotFoundError for a unit out of scope.

    DataError ``trend_steps`` for too many, ``trend_indicator`` for an unknown one or one that such a unit never has.
    """
    basis = await basis_of(connection, scope, wanted, now_ms)
    chosen, left_out = chosen_of(basis.choices, wanted)
    found = await count_series(connection, basis, [one.indicator for one in chosen], wanted)
    return Found(basis.spans, basis.choices, found, left_out)


async def count_series(
    connection: AsyncConnection, basis: Basis, indicators: Sequence[Indicator], wanted: Wanted
) -> tuple[Series, ...]:
    """Series of these indicators, whatever was chosen."""
    whens = list(basis.whens.values())
    seen = await observe_unit(connection, indicators, wanted.level, wanted.unit, whens)
    ends = await endings_each(connection, indicators, [when.days for when in whens], whens[0].zone)

    def point(one: Indicator, span: Span) -> Point:
        when = basis.whens[span]
        final = final_on(one, span.last, basis.lookback, ends.get((one.id, when.days))) <= basis.today
        return _point(one, span, seen[one.id, when], final=final)

    return tuple(
        Series(
            one,
            tuple(point(one, span) for span in basis.spans),
            next((basis.unusable[fact] for fact in sorted(facts_needed(one)) if fact in basis.unusable), None),
        )
        for one in indicators
    )


def _point(indicator: Indicator, span: Span, seen: Seen, *, final: bool) -> Point:
    observed = seen.observed
    if seen.reason == "few_people":
        return Point(span, None, None, "few_people", final)
    if not observed.denominator:
        return Point(span, None, 0, "no_denominator", final)
    reason = seen.reason or ("below_minimum_sample" if observed.sample < indicator.min_sample else None)
    value = None if reason else indicator.value(observed.numerator, observed.denominator)
    return Point(span, value, observed.sample, reason, final)
