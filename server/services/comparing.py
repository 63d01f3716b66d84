"""What became of scores: two periods side by side, or the four weeks before and after a change came into force.

Means of people who have a score on both sides, with how many they are and the rows behind them. A difference says that
scores moved with the change, not that it moved them (KS-18).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.scoring.family import facts_needed
from server.scoring.indicator import Indicator, in_force
from server.scoring.numbers import CENTI, MICRO
from server.scoring.plain import When
from server.scoring.rules import Rules, rules_of
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import IndicatorScore, NoScore, published, score_indicator, weighted_mean
from server.scoring.window import Days, days_of
from server.services import schemes
from server.services.observing import Seen, observe_people
from server.services.scheme_rules import rules_in_force
from server.services.sources import unusable_facts
from server.services.stays import Stay, stays_of
from server.store import post_queries, score_queries, target_queries
from server.store.company_zone import company_zone
from server.store.result_queries import people_in
from server.store.scope_filter import ALL
from server.store.score_queries import Ranked, ScoreRow
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


_Points: TypeAlias = Mapping[str, Mapping[str, _Point]]
"""By person, then by indicator."""
_Weighed: TypeAlias = tuple[Stay, PeriodWeights]
_SeenBy: TypeAlias = Mapping[tuple[str, str], Seen]
"""By person and indicator."""
_Missing: TypeAlias = Mapping[str, NoScore | None]


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
    ours = [{one: side[one] for one in both} for side in sides]
    rows = await asyncio.to_thread(_compared, ours[0], ours[1], rules, days[1].last)
    return Comparison(days[0], days[1], days[1].last < today, len(both), rows)


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

    def concerned() -> list[Stay]:
        found = (stays_of(person, post, record.get(person, ()), above, whole) for person, post in posts.items())
        return [own[0] for own in found if len(own) == 1 and _changes(own[0], old, new, first)]

    stays = await asyncio.to_thread(concerned)
    sides = [
        await _observed(connection, stays, rules, days, now_ms) for rules, days in zip((old, new), windows, strict=True)
    ]
    rows = await asyncio.to_thread(_compared, sides[0], sides[1], new, windows[1].last)
    return Comparison(windows[0], windows[1], windows[1].last < today, len(stays), rows)


def _changes(stay: Stay, old: Rules, new: Rules, day: date) -> bool:
    now, then = (rules.weights(stay.employee, stay.place, day, day) for rules in (old, new))
    return now != then or any(
        in_force(old.catalogue.indicators, name, day) != in_force(new.catalogue.indicators, name, day)
        for name in now.weights
    )


async def _stored(connection: AsyncConnection, scope: Scope, period: str) -> dict[str, dict[str, _Point]]:
    rows = await score_queries.score_rows(connection, scope, period)
    return await asyncio.to_thread(_points_of, await score_queries.ranking(connection, scope, period, ALL), rows)


def _points_of(cards: Iterable[Ranked], rows: Mapping[str, Sequence[ScoreRow]]) -> dict[str, dict[str, _Point]]:
    found: dict[str, dict[str, _Point]] = {}
    for card in cards:
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
    groups = await asyncio.to_thread(_alike, stays, rules, days)
    found: dict[str, dict[str, _Point]] = {}
    for names, group in groups.items():
        definitions = [one for name in names if (one := in_force(rules.catalogue.indicators, name, days.last))]
        missing = {one.id: _missing(one, unusable) for one in definitions}
        seen = await observe_people(connection, {one.employee: one.post for one, _ in group}, definitions, when)

        def score(stay: Stay, one: Indicator, seen: _SeenBy = seen, missing: _Missing = missing) -> IndicatorScore:
            own = seen[stay.employee, one.id]
            target = targets.of(one.id, stay.units, days.last) or one.target
            return score_indicator(one, own.observed, missing[one.id] or own.reason, target)

        found |= await asyncio.to_thread(_scored, group, definitions, score)
    return found


def _alike(stays: Iterable[Stay], rules: Rules, days: Days) -> dict[tuple[str, ...], list[_Weighed]]:
    """People with their weights, by the indicators that they are scored by."""
    groups: dict[tuple[str, ...], list[_Weighed]] = {}
    for stay in stays:
        weights = rules.weights(stay.employee, stay.place, days.first, days.last)
        groups.setdefault(tuple(sorted(weights.weights)), []).append((stay, weights))
    return groups


def _missing(indicator: Indicator, unusable: Mapping[str, NoScore]) -> NoScore | None:
    return next((unusable[fact] for fact in sorted(facts_needed(indicator)) if fact in unusable), None)


def _scored(
    group: Iterable[_Weighed], definitions: Sequence[Indicator], score: Callable[[Stay, Indicator], IndicatorScore]
) -> dict[str, dict[str, _Point]]:
    found: dict[str, dict[str, _Point]] = {}
    for stay, weights in group:
        scores = [score(stay, one) for one in definitions]
        own = found[stay.employee] = _points(scores)
        total = published(weighted_mean(weights, {one.indicator.id: one.points for one in scores}))
        if total.centi is not None:
            own[TOTAL] = _Point(None, Fraction(total.centi, CENTI), 1)
    return found


def _points(scores: Iterable[IndicatorScore]) -> dict[str, _Point]:
    return {
        one.indicator.id: _Point(one.value, Fraction(one.points, MICRO), one.observed.sample)
        for one in scores
        if one.points is not None
    }


def _compared(before: _Points, after: _Points, rules: Rules, day: date) -> tuple[Compared, ...]:
    found = []
    names = {TOTAL, *(name for side in (before, after) for own in side.values() for name in own)}
    for name in sorted(names, key=lambda one: (one != TOTAL, one)):
        both = sorted(one for one in before.keys() & after.keys() if name in before[one] and name in after[one])
        sides = [_side([side[one][name] for one in both]) for side in (before, after)]
        definition = None if name == TOTAL else in_force(rules.catalogue.indicators, name, day)
        if name == TOTAL or definition is not None:
            found.append(Compared(definition, len(both), sides[0], sides[1]))
    return tuple(found)


def _side(points: Sequence[_Point]) -> Side:
    values = [one.value for one in points if one.value is not None]
    mean = sum(values, Fraction(0)) / len(values) if values else None
    worth = sum((one.points for one in points), Fraction(0)) / len(points) if points else None
    return Side(mean, worth, sum(one.sample for one in points))
