"""Series of indicators for one unit, and what is made of them to look at: forecasts, correlations (KS-18).

Nothing is stored, and nothing that makes scores or pay reads it.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.analytics.correlation import Pair, changes, correlate
from server.analytics.extra import require_extra
from server.analytics.forecast import STEPS, Ahead, NoForecast, forecast
from server.analytics.grain import MOST, Grain, Span, after, spans_to
from server.scoring.family import facts_needed, final_on
from server.scoring.indicator import Indicator, Level, in_force
from server.scoring.plain import When
from server.scoring.rules import Rules
from server.scoring.scheme import Place, set_on
from server.scoring.scorecard import NoScore
from server.scoring.whole_months import needs_whole_months
from server.scoring.window import Days
from server.services.observing import LEVELS, Seen, observe_unit
from server.services.scheme_rules import rules_in_force
from server.services.sources import lookback_days, unusable_facts
from server.store import page_queries, people_queries, score_queries, user_queries
from server.store.company_zone import company_zone
from server.store.counted_facts import shapes
from server.store.counted_pass import COMPANY
from shared.clock import WallMs, from_ms
from shared.errors import DataError

T = TypeVar("T")
MOST_CHOSEN = 8
"""Indicators of one question: their forecasts take about a quarter of a second each."""
USUAL = 6
"""Of a department's own that are shown when none is named."""
NOT_BY_ATTENDANCE = frozenset({"design"})
"""Departments to which attendance is not suggested: the definitions warn against it."""
PER_CENT = 100

_worker = ThreadPoolExecutor(1, thread_name_prefix="analytics")
"""One at a time, so that models leave a processor to everybody else."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A unit and the steps to look at."""

    level: Level
    unit: str
    grain: Grain
    number: int
    """Steps; at most ``grain.MOST``."""
    last: date | None = None
    """No step ends later; without one the last whole step before today."""
    indicators: tuple[str, ...] = ()
    """Without any the unit's heaviest."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An indicator that the unit may have a value of."""

    indicator: Indicator
    weight: int
    """In the unit's set of weights, of 100; 0 of the library."""
    whole_months: bool
    """Whether it has values by month only."""


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
    """Whether no late row is expected any more; others are shown and never computed with."""


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


@dataclass(frozen=True, slots=True)
class Told:
    """The steps after a series' last final one, or why there are none."""

    n: int
    """Values it was made from."""
    reason: NoForecast | None
    ahead: tuple[tuple[Span, Ahead | None], ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An indicator without weight that moves with the unit's heaviest."""

    indicator: Indicator
    main: Indicator
    pair: Pair
    """The heaviest first."""


@dataclass(frozen=True, slots=True)
class Correlated:
    """Pairs of the chosen indicators, and what moves with the heaviest of all."""

    spans: tuple[Span, ...]
    indicators: tuple[Indicator, ...]
    pairs: tuple[Pair, ...]
    suggestions: tuple[Suggestion, ...]
    tested: int
    """Pairs and delays that p was corrected for."""
    left_out: tuple[str, ...]


async def series_of(connection: AsyncConnection, scope: Scope, wanted: Wanted, now_ms: WallMs) -> Found:
    """Count the chosen indicators step by step; NotFoundError for a unit out of scope.

    DataError ``trend_steps`` for too many, ``trend_indicator`` for an unknown one or one that such a unit never has.
    """
    basis = await _basis(connection, scope, wanted, now_ms)
    chosen, left_out = _chosen(basis.choices, wanted)
    found = await _count(connection, basis, [one.indicator for one in chosen], wanted)
    return Found(basis.spans, basis.choices, found, left_out)


async def forecasts(found: Sequence[Series], grain: Grain) -> dict[str, Told]:
    """A forecast of each series, by indicator; ExtraMissingError without the libraries."""
    require_extra()
    return await _aside(lambda: {one.indicator.id: _forecast(one, grain) for one in found})


async def correlations(
    connection: AsyncConnection, scope: Scope, wanted: Wanted, now_ms: WallMs, *, plain: bool = False
) -> Correlated:
    """Which of the chosen indicators move together; errors as of ``series_of``, and ExtraMissingError.

    Changes are compared, with ``plain`` the values as they are.
    """
    require_extra()
    basis = await _basis(connection, scope, wanted, now_ms)
    chosen, left_out = _chosen(basis.choices, wanted)
    main = next((one for one in basis.choices if one.weight and _has(one, wanted.grain)), None)
    others = [] if main is None else _candidates(basis, chosen, wanted)
    asked = {one.indicator.id: one.indicator for one in (*chosen, *([main] if main and others else []), *others)}
    found = await _count(connection, basis, list(asked.values()), wanted)
    values = {one.indicator.id: one.values if plain else changes(one.values, wanted.grain) for one in found}
    pairs = list(combinations([one.indicator.id for one in chosen], 2))
    further = [] if main is None else [(main.indicator.id, one.indicator.id) for one in others]
    tested = await _aside(lambda: correlate(values, [*pairs, *further]))
    return Correlated(
        basis.spans,
        tuple(one.indicator for one in chosen),
        tuple(tested[: len(pairs)]),
        _suggestions(asked, tested[len(pairs) :]),
        sum(lagged.p is not None for pair in tested for lagged in pair.lags),
        left_out,
    )


# --- parts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Basis:
    spans: tuple[Span, ...]
    line: tuple[str, ...]
    """The unit's department and those above it."""
    choices: tuple[Choice, ...]
    today: date
    whens: Mapping[Span, When]
    unusable: Mapping[str, NoScore]
    lookback: Mapping[str, int]


async def _basis(connection: AsyncConnection, scope: Scope, wanted: Wanted, now_ms: WallMs) -> _Basis:
    if not 1 <= wanted.number <= MOST[wanted.grain]:
        message = f"{wanted.number} steps by {wanted.grain}: expected 1 to {MOST[wanted.grain]}"
        raise DataError(message, "trend_steps", {"most": str(MOST[wanted.grain])})
    place = await _place(connection, scope, wanted)
    zone = await company_zone(connection)
    today = from_ms(now_ms).astimezone(zone).date()
    yesterday = today - timedelta(days=1)
    spans = tuple(spans_to(wanted.grain, min(wanted.last or yesterday, yesterday), wanted.number))
    return _Basis(
        spans,
        place.departments,
        _choices(await rules_in_force(connection), place, wanted.level, spans[-1].last),
        today,
        {span: When(Days(span.first, span.last), zone, now_ms) for span in spans},
        await unusable_facts(connection, now_ms),
        await lookback_days(connection),
    )


async def _place(connection: AsyncConnection, scope: Scope, wanted: Wanted) -> Place:
    """What decides the unit's weights. A site and the company hold people of all departments: for who sees everyone."""
    parents = await user_queries.department_parents(connection)
    match wanted.level:
        case "person":
            if await page_queries.person(connection, scope, wanted.unit) is not None:
                posts, _ = await score_queries.posts(connection, [wanted.unit], parents)
                post = posts[wanted.unit]
                return Place(post.position, post.departments)
        case "department":
            known = wanted.unit in parents
            if known and (scope.everyone or with_those_below({wanted.unit}, parents) <= scope.departments):
                return Place("", _line(wanted.unit, parents))
        case "site":
            if scope.everyone and wanted.unit in {one.id for one in await people_queries.site_names(connection, scope)}:
                return Place("")
        case "company":
            if scope.everyone and wanted.unit == COMPANY:
                return Place("")
    raise NotFoundError(f"{wanted.level} {wanted.unit!r} is not in scope")


def _line(department: str, parents: Mapping[str, str | None]) -> tuple[str, ...]:
    found, at = [department], parents.get(department)
    while at is not None and at not in found:
        found.append(at)
        at = parents.get(at)
    return tuple(found)


def _choices(rules: Rules, place: Place, level: Level, day: date) -> tuple[Choice, ...]:
    """What a unit of that level may have, by the definitions and weights of the last day."""
    try:
        weights: Mapping[str, int] = set_on(rules.catalogue.sets, place, day).weights if place.departments else {}
    except DataError:
        weights = {}
    names = sorted({one.id for one in rules.catalogue.indicators})
    found = [one for name in names if (one := in_force(rules.catalogue.indicators, name, day)) is not None]
    fitting = [one for one in found if LEVELS.index(one.level) <= LEVELS.index(level)]
    choices = [Choice(one, weights.get(one.id, 0), needs_whole_months(one, shapes())) for one in fitting]
    return tuple(sorted(choices, key=lambda one: (-one.weight, one.indicator.id)))


def _has(choice: Choice, grain: Grain) -> bool:
    return grain == "month" or not choice.whole_months


def _chosen(choices: Sequence[Choice], wanted: Wanted) -> tuple[list[Choice], tuple[str, ...]]:
    """Those asked for that have a value by such steps, and those that have none."""
    known = {one.indicator.id: one for one in choices}
    if unknown := [name for name in wanted.indicators if name not in known]:
        message = f"indicator {unknown[0]!r}: no {wanted.level} has it"
        raise DataError(message, "trend_indicator", {"indicator": unknown[0]})
    named = [known[name] for name in dict.fromkeys(wanted.indicators)]
    if len(named) > MOST_CHOSEN:
        message = f"{len(named)} indicators: expected at most {MOST_CHOSEN}"
        raise DataError(message, "trend_indicators", {"most": str(MOST_CHOSEN)})
    if not named:
        return [one for one in choices if one.weight and _has(one, wanted.grain)][:USUAL], ()
    left_out = tuple(one.indicator.id for one in named if not _has(one, wanted.grain))
    return [one for one in named if _has(one, wanted.grain)], left_out


def _candidates(basis: _Basis, chosen: Collection[Choice], wanted: Wanted) -> list[Choice]:
    """Indicators without weight of the unit's own library and of everybody's, as far as the values asked for go."""
    by_attendance = not NOT_BY_ATTENDANCE & set(basis.line)
    return [
        one
        for one in basis.choices
        if not one.weight
        and one not in chosen
        and _has(one, wanted.grain)
        and (one.indicator.department in basis.line if one.indicator.department is not None else by_attendance)
    ][:MOST_CHOSEN]


async def _count(
    connection: AsyncConnection, basis: _Basis, indicators: Sequence[Indicator], wanted: Wanted
) -> tuple[Series, ...]:
    seen = await observe_unit(connection, indicators, wanted.level, wanted.unit, list(basis.whens.values()))
    return tuple(
        Series(
            one,
            tuple(_point(one, span, seen[one.id, when], basis) for span, when in basis.whens.items()),
            next((basis.unusable[fact] for fact in sorted(facts_needed(one)) if fact in basis.unusable), None),
        )
        for one in indicators
    )


def _point(indicator: Indicator, span: Span, seen: Seen, basis: _Basis) -> Point:
    observed, final = seen.observed, final_on(indicator, span.last, basis.lookback) <= basis.today
    if seen.reason == "few_people":
        return Point(span, None, None, "few_people", final)
    if not observed.denominator:
        return Point(span, None, 0, "no_denominator", final)
    reason = seen.reason or ("below_minimum_sample" if observed.sample < indicator.min_sample else None)
    value = None if reason else indicator.value(observed.numerator, observed.denominator)
    return Point(span, value, observed.sample, reason, final)


def _forecast(series: Series, grain: Grain) -> Told:
    """Up to so many steps after the last one shown: those that are not final yet are told again."""
    final = len(series.points)
    while final and not series.points[final - 1].final:
        final -= 1
    spans = [point.span for point in series.points]
    for _ in range(STEPS[grain]):
        spans.append(after(grain, spans[-1]))
    values = series.values[:final]
    known = [value for value in values if value is not None]
    share = bool(series.indicator.good or series.indicator.also) and Fraction(series.indicator.scale) == PER_CENT
    least = 0 if known and min(known) >= 0 else -math.inf
    told = forecast(values, grain, len(spans) - final, least=least, most=PER_CENT if share else math.inf)
    return Told(told.n, told.reason, tuple(zip(spans[final:], told.ahead, strict=False)))


def _suggestions(indicators: Mapping[str, Indicator], pairs: Sequence[Pair]) -> tuple[Suggestion, ...]:
    """Those that move with the main one, the strongest first."""
    moving = [pair for pair in pairs if pair.best.state == "moves"]
    moving.sort(key=lambda pair: (-abs(pair.best.r or 0), pair.other))
    return tuple(Suggestion(indicators[pair.other], indicators[pair.one], pair) for pair in moving)


async def _aside(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_worker, work)
