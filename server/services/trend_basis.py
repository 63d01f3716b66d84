"""What a question about trends is asked of: a unit in scope, its steps, and the indicators that it may have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.analytics.grain import MOST, Grain, Span, spans_to
from server.scoring.indicator import Indicator, Level, in_force
from server.scoring.plain import When
from server.scoring.rules import Rules
from server.scoring.scheme import Place, set_on
from server.scoring.scorecard import NoScore
from server.scoring.whole_months import needs_whole_months
from server.scoring.window import Days
from server.services.observing import LEVELS
from server.services.scheme_rules import rules_in_force
from server.services.sources import lookback_days, unusable_facts
from server.store import page_queries, people_queries, score_queries, user_queries
from server.store.company_zone import company_zone
from server.store.counted_facts import shapes
from server.store.counted_pass import COMPANY
from shared.clock import WallMs, from_ms
from shared.errors import DataError

MOST_CHOSEN = 8
"""Indicators of one question: their forecasts take about a quarter of a second each."""
USUAL = 6
"""Of a department's own that are shown when none is named."""
EARLIEST = date(2000, 1, 1)
"""No system of a company tells of days before."""


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
class Basis:
    """What an answer is made from, besides what is counted."""

    spans: tuple[Span, ...]
    line: tuple[str, ...]
    """The unit's department and those above it."""
    choices: tuple[Choice, ...]
    today: date
    whens: Mapping[Span, When]
    unusable: Mapping[str, NoScore]
    lookback: Mapping[str, int]


async def basis_of(connection: AsyncConnection, scope: Scope, wanted: Wanted, now_ms: WallMs) -> Basis:
    """NotFoundError for a unit out of scope; DataError ``trend_steps``, ``trend_last`` for steps that can not be."""
    if not 1 <= wanted.number <= MOST[wanted.grain]:
        message = f"{wanted.number} steps by {wanted.grain}: expected 1 to {MOST[wanted.grain]}"
        raise DataError(message, "trend_steps", {"most": str(MOST[wanted.grain])})
    if wanted.last is not None and wanted.last < EARLIEST:
        message = f"steps to {wanted.last}: expected a last day from {EARLIEST} on"
        raise DataError(message, "trend_last", {"field": "last", "earliest": EARLIEST.isoformat()})
    place = await _place(connection, scope, wanted)
    zone = await company_zone(connection)
    today = from_ms(now_ms).astimezone(zone).date()
    yesterday = today - timedelta(days=1)
    spans = tuple(spans_to(wanted.grain, min(wanted.last or yesterday, yesterday), wanted.number))
    return Basis(
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


def has_values(choice: Choice, grain: Grain) -> bool:
    """Whether there are values of it by such steps."""
    return grain == "month" or not choice.whole_months


def chosen_of(choices: Sequence[Choice], wanted: Wanted) -> tuple[list[Choice], tuple[str, ...]]:
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
        return [one for one in choices if one.weight and has_values(one, wanted.grain)][:USUAL], ()
    left_out = tuple(one.indicator.id for one in named if not has_values(one, wanted.grain))
    return [one for one in named if has_values(one, wanted.grain)], left_out
