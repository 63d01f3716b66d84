"""What became of scores: two periods side by side, or the four weeks before and after a change came into force.

Means of people who have a score on both sides, with how many they are and the rows behind them. A difference says that
scores moved with the change, not that it moved them (KS-18).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.scoring.family import facts_needed
from server.scoring.indicator import Indicator, in_force
from server.scoring.numbers import CENTI, MICRO
from server.scoring.plain import When
from server.scoring.rules import Rules, rules_of
from server.scoring.scorecard import IndicatorScore, published, score_indicator, weighted_mean
from server.scoring.window import Days, days_of
from server.services import schemes
from server.services.observing import observe_people
from server.services.scheme_rules import rules_in_force
from server.services.sources import unusable_facts
from server.services.stays import Stay, stays_of
from server.store import post_queries, score_queries, target_queries
from server.store.company_zone import company_zone
from server.store.result_queries import people_in
from server.store.scope_filter import ALL
from shared.clock import WallMs, from_ms, to_ms
from shared.errors import DataError

WINDOW_DAYS = 28
"""Four weeks have each weekday equally often."""
TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Side:
    """Mean of people on one side."""

    value: Fraction | None
    """Mean of their values in the indicator's unit; none for the total."""
    points: Fraction | None
    sample: int
    """Rows behind it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """An indicator, or the total, on both sides."""

    indicator: Indicator | None
    """None for the total."""
    people: int
    """Who has points on both sides."""
    before: Side
    after: Side


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two stretches of time."""

    before: Days
    after: Days
    complete: bool
    """Whether the later one is over."""
    people: int
    """Whom it is about, in scope."""
    rows: tuple[Compared, ...]
    """The total first, then indicators by id."""


@dataclass(frozen=True, slots=True)
class _Point:
    value: Fraction | None
    points: Fraction
    sample: int


_Points = Mapping[str, Mapping[str, _Point]]
"""By person, then by indicator."""


async def compare_periods(
    connection: AsyncConnection, scope: Scope, before: str, after: str, now_ms: WallMs
) -> Comparison:
    """Stored scorecards of two periods, of those who have both."""
    days = days_of(before), days_of(after)
    rules = await rules_in_force(connection)
    sides = [await _stored(connection, scope, period) for period in (before, after)]
    both = sides[0].keys() & sides[1].keys()
    zone = await company_zone(connection)
    today = from_ms(now_ms).astimezone(zone).date()
    rows = _compared({one: sides[0][one] for one in both}, {one: sides[1][one] for one in both}, rules, days[1].last)
    return Comparison(days[0], days[1], days[1].last < today, len(both), tuple(rows))


async def effect_of(connection: AsyncConnection, scope: Scope, version: int, now_ms: WallMs) -> Comparison:
    """Four weeks before and after a version came into force, of those whom it scores in another way.

    Each side is scored by the rules of its own time. DataError before the version's day.
    """
    draft = await schemes.find_version(connection, version)
    first = draft.row.first_on
    zone = await company_zone(connection)
    today = from_ms(now_ms).astimezone(zone).date()
    if first is None or first > today:
        raise DataError(f"version {version} is in force from {first}: come back later", "scheme_ahead")
    old, new = rules_of(draft.before), rules_of(draft.after)
    windows = (
        Days(first - timedelta(days=WINDOW_DAYS), first - timedelta(days=1)),
        Days(first, first + timedelta(days=WINDOW_DAYS - 1)),
    )
    seen = set(await people_in(connection, scope, ALL))
    posts = {one: post for one, post in (await score_queries.everybody(connection)).items() if one in seen}
    record = await post_queries.posts_on_record(connection)
    above = await score_queries.departments_above(connection)
    whole = Days(windows[0].first, windows[1].last)
    found = (stays_of(person, post, record.get(person, ()), above, whole) for person, post in posts.items())
    stays = [own[0] for own in found if len(own) == 1 and _changes(own[0], old, new, first)]
    sides = [
        await _observed(connection, stays, rules, days, now_ms) for rules, days in zip((old, new), windows, strict=True)
    ]
    rows = _compared(sides[0], sides[1], new, windows[1].last)
    return Comparison(windows[0], windows[1], windows[1].last < today, len(stays), tuple(rows))


def _changes(stay: Stay, old: Rules, new: Rules, day: date) -> bool:
    now, then = (rules.weights(stay.employee, stay.place, day, day) for rules in (old, new))
    return now != then or any(
        in_force(old.catalogue.indicators, name, day) != in_force(new.catalogue.indicators, name, day)
        for name in now.weights
    )


async def _stored(connection: AsyncConnection, scope: Scope, period: str) -> dict[str, dict[str, _Point]]:
    found: dict[str, dict[str, _Point]] = {}
    rows = await score_queries.score_rows(connection, scope, period)
    for card in await score_queries.ranking(connection, scope, period, ALL):
        own = found[card.employee] = {}
        if card.total is not None:
            own[TOTAL] = _Point(None, Fraction(card.total, CENTI), 1)
        for row in rows.get(card.employee, ()):
            if row.points is not None:
                value = None if row.lineage.value is None else Fraction(row.lineage.value)
                own[row.indicator] = _Point(value, Fraction(row.points, MICRO), row.sample)
    return found


async def _observed(
    connection: AsyncConnection, stays: Sequence[Stay], rules: Rules, days: Days, now_ms: WallMs
) -> dict[str, dict[str, _Point]]:
    zone = await company_zone(connection)
    end = to_ms(datetime.combine(days.last + timedelta(days=1), time(), zone))
    when = When(days, zone, min(now_ms, end))
    unusable = await unusable_facts(connection, now_ms)
    targets = await target_queries.targets(connection)
    weights = {stay.employee: rules.weights(stay.employee, stay.place, days.first, days.last) for stay in stays}
    groups: dict[tuple[str, ...], list[Stay]] = {}
    for stay in stays:
        groups.setdefault(tuple(sorted(weights[stay.employee].weights)), []).append(stay)
    found: dict[str, dict[str, _Point]] = {}
    for names, group in groups.items():
        definitions = [one for name in names if (one := in_force(rules.catalogue.indicators, name, days.last))]
        seen = await observe_people(connection, {one.employee: one.post for one in group}, definitions, when)
        for stay in group:
            scores = []
            for one in definitions:
                missing = next((unusable[fact] for fact in sorted(facts_needed(one)) if fact in unusable), None)
                own = seen[stay.employee, one.id]
                target = targets.of(one.id, stay.units, days.last) or one.target
                scores.append(score_indicator(one, own.observed, missing or own.reason, target))
            found[stay.employee] = _points(scores)
            mean = weighted_mean(weights[stay.employee], {score.indicator.id: score.points for score in scores})
            total = published(mean)
            if total.centi is not None:
                found[stay.employee][TOTAL] = _Point(None, Fraction(total.centi, CENTI), 1)
    return found


def _points(scores: Iterable[IndicatorScore]) -> dict[str, _Point]:
    return {
        one.indicator.id: _Point(one.value, Fraction(one.points, MICRO), one.observed.sample)
        for one in scores
        if one.points is not None
    }


def _compared(before: _Points, after: _Points, rules: Rules, day: date) -> Iterable[Compared]:
    names = {TOTAL, *(name for side in (before, after) for own in side.values() for name in own)}
    for name in sorted(names, key=lambda one: (one != TOTAL, one)):
        both = sorted(one for one in before.keys() & after.keys() if name in before[one] and name in after[one])
        sides = [_side([side[one][name] for one in both]) for side in (before, after)]
        definition = None if name == TOTAL else in_force(rules.catalogue.indicators, name, day)
        if name == TOTAL or definition is not None:
            yield Compared(definition, len(both), sides[0], sides[1])


def _side(points: Sequence[_Point]) -> Side:
    values = [one.value for one in points if one.value is not None]
    mean = sum(values, Fraction(0)) / len(values) if values else None
    worth = sum((one.points for one in points), Fraction(0)) / len(points) if points else None
    return Side(mean, worth, sum(one.sample for one in points))
