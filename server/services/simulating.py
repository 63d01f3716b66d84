"""What scores would be by other rules: computed on what is stored, without writing anything (KS-15)."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.scoring.family import facts_needed, parts_of
from server.scoring.indicator import Indicator
from server.scoring.numbers import CentiPoints
from server.scoring.plain import When
from server.scoring.ranks import Standing, grade_counts, ranks
from server.scoring.restatement import ClosedCard, ClosedPart
from server.scoring.rewards import RewardRule
from server.scoring.rules import Rules
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import IndicatorScore, NoScore, Observed, score_indicator
from server.scoring.target import Targets
from server.scoring.whatif import Change, Inputs, what_if
from server.scoring.window import Days, days_of
from server.services.observing import Seen, observe_people
from server.services.score_rewards import RewardBook, reward_book
from server.services.sources import unusable_facts
from server.services.stays import Stay, begun, stays_of
from server.store import post_queries, score_queries, segment_queries, target_queries
from server.store.company_zone import company_zone
from server.store.scope_filter import ALL
from server.store.score_queries import Ranked, ScoreRow
from shared.clock import WallMs, from_ms, to_ms

FEW = 5_000
"""People who are named in a statement; of more all rows of the period are read."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One person's total without and with the change."""

    card: Ranked
    before: CentiPoints | None
    after: CentiPoints | None
    rank_before: int | None
    rank_after: int | None
    paid_before: int
    """Reward in minor units, as the period's observations stand."""
    paid_after: int

    @property
    def change(self) -> int:
        """Hundredths of a point; 0 where one of the totals is missing."""
        return 0 if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class Preview:
    """A simulated period; marked, so that nobody takes it for published scores."""

    period: str
    day: date
    """Whose weights are laid over the period's observations."""
    people: int
    """With a scorecard of the period, in scope."""
    moved: tuple[Moved, ...]
    """Whom the change scores in another way: the biggest winners first, the biggest losers last."""
    before: Mapping[Standing, int]
    """Grades of these people."""
    after: Mapping[Standing, int]
    paid_before: int
    """Rewards of these people together, in minor units; nobody else's change."""
    paid_after: int
    simulated: Literal[True] = True

    @property
    def pays(self) -> bool:
        """Whether any of these people has a reward."""
        return bool(self.paid_before or self.paid_after)


_Observations: TypeAlias = Mapping[str, IndicatorScore]


@dataclass(slots=True)
class _Basis:
    """What simulating reads, and what it counted anew."""

    period: str
    zone: ZoneInfo
    cut_ms: WallMs
    unusable: Mapping[str, NoScore]
    targets: Targets
    before: Rules
    after: Rules
    anew: dict[tuple[str, Days, str], IndicatorScore] = field(default_factory=dict)
    """By employee, days and indicator."""


_Stays: TypeAlias = Mapping[str, Sequence[Stay]]
_Rows: TypeAlias = Mapping[str, Sequence[Sequence[ScoreRow]]]
"""By person, for each stay."""


async def preview(  # noqa: PLR0917 - whose, two sets of rules, what and when
    connection: AsyncConnection,
    scope: Scope,
    before: Rules,
    after: Rules,
    period: str,
    day: date,
    now_ms: WallMs,
) -> Preview:
    """Everybody in scope whose total of a period changes when the rules of ``day`` are others."""
    days, zone = days_of(period), await company_zone(connection)
    cut = min(now_ms, to_ms(datetime.combine(days.last + timedelta(days=1), time(), zone)))
    basis = _Basis(
        period,
        zone,
        cut,
        await unusable_facts(connection, now_ms),
        await target_queries.targets(connection),
        before,
        after,
    )
    cards = {card.employee: card for card in await score_queries.ranking(connection, scope, period, ALL)}
    stays = await _stays(connection, cards, days, from_ms(cut).astimezone(zone).date())
    chosen = await asyncio.to_thread(_chosen, basis, stays, day)
    few = chosen if len(chosen) <= FEW else None
    stored = await score_queries.score_rows(connection, scope, period, few)
    segments = await segment_queries.segments_of(connection, scope, period, few)
    rows = {person: [one.scores for one in segments.get(person, ())] or [stored.get(person, ())] for person in chosen}
    await asyncio.to_thread(_reuse_all, basis, chosen, rows)
    await _count_missing(connection, basis, [stay for own in chosen.values() for stay in own], day)
    book = await reward_book(connection)
    return await asyncio.to_thread(_compared, basis, cards, chosen, day, book)


def _chosen(basis: _Basis, stays: _Stays, day: date) -> _Stays:
    return {person: own for person, own in stays.items() if any(_differs(stay, basis, day) for stay in own)}


def _reuse_all(basis: _Basis, chosen: _Stays, rows: _Rows) -> None:
    for person, own in chosen.items():
        for stay, found in zip(own, rows[person], strict=False):
            _reuse(basis, stay, found)


def _compared(basis: _Basis, cards: Mapping[str, Ranked], chosen: _Stays, day: date, book: RewardBook) -> Preview:
    """Totals, places and rewards of those concerned by both sets of rules."""
    last = days_of(basis.period).last
    now = {person: card.total for person, card in cards.items()}
    then, paid = dict(now), {}
    for person, own in chosen.items():
        paying = book.rules(person, own[-1].post, last)
        before, after = (_card(basis, own, day, rules, paying) for rules in (basis.before, basis.after))
        now[person], then[person] = before.total.centi, after.total.centi
        paid[person] = before.money_minor, after.money_minor
    places, others = ranks(now), ranks(then)
    moved = [Moved(cards[one], now[one], then[one], places.get(one), others.get(one), *paid[one]) for one in chosen]
    return Preview(
        basis.period,
        day,
        len(cards),
        tuple(sorted(moved, key=lambda one: (-one.change, one.card.employee))),
        grade_counts(one.before for one in moved),
        grade_counts(one.after for one in moved),
        sum(one.paid_before for one in moved),
        sum(one.paid_after for one in moved),
    )


async def _stays(
    connection: AsyncConnection, people: Collection[str], days: Days, until: date
) -> dict[str, list[Stay]]:
    everybody = await score_queries.everybody(connection)
    record = await post_queries.posts_on_record(connection)
    above = await score_queries.departments_above(connection)

    def found() -> dict[str, list[Stay]]:
        return {
            person: begun(stays_of(person, post, record.get(person, ()), above, days), until)
            for person, post in everybody.items()
            if person in people
        }

    return await asyncio.to_thread(found)


def _weights(stay: Stay, rules: Rules, day: date) -> PeriodWeights:
    """The weights of one day, as if they had been those of the whole period."""
    return rules.weights(stay.employee, stay.place, day, day)


def _definition(rules: Rules, name: str, day: date, period: Days) -> Indicator | None:
    """The version of that day; that of the period where the indicator is newer than the day."""
    return rules.definition(name, max(day, period.last))


def _differs(stay: Stay, basis: _Basis, day: date) -> bool:
    now, then = _weights(stay, basis.before, day), _weights(stay, basis.after, day)
    if now.weights != then.weights or now.denominator != then.denominator:
        return True
    period = days_of(basis.period)
    return any(
        _definition(basis.before, name, day, period) != _definition(basis.after, name, day, period)
        for name in now.weights
    )


def _reuse(basis: _Basis, stay: Stay, rows: Sequence[ScoreRow]) -> None:
    """Take what is stored as it was observed."""
    for row in rows:
        definition = basis.before.catalogue.version(row.indicator, row.lineage.rule_version)
        if definition is not None:
            seen = Observed(row.lineage.numerator, row.lineage.denominator, row.sample)
            reason: NoScore | None = row.no_score  # type: ignore[assignment]
            score = IndicatorScore(definition, seen, row.points, reason, row.lineage.target)
            basis.anew[stay.employee, stay.counted, row.indicator] = score


async def _count_missing(connection: AsyncConnection, basis: _Basis, stays: Sequence[Stay], day: date) -> None:
    """Observe what no scorecard has."""
    wanted = await asyncio.to_thread(_missing, basis, stays, day)
    for (definition, counted), group in wanted.items():
        end = to_ms(datetime.combine(counted.last + timedelta(days=1), time(), basis.zone))
        when = When(counted, basis.zone, min(basis.cut_ms, end))
        seen = await observe_people(connection, {one.employee: one.post for one in group}, [definition], when)
        await asyncio.to_thread(_score_anew, basis, definition, group, seen)


def _missing(basis: _Basis, stays: Sequence[Stay], day: date) -> dict[tuple[Indicator, Days], list[Stay]]:
    """What no scorecard has: indicators that get weight, and definitions that count other rows."""
    period = days_of(basis.period)
    wanted: dict[tuple[Indicator, Days], list[Stay]] = {}
    for stay in stays:
        for name in {*_weights(stay, basis.after, day).weights, *_weights(stay, basis.before, day).weights}:
            definition = _definition(basis.after, name, day, period)
            stored = basis.anew.get((stay.employee, stay.counted, name))
            if definition is not None and (stored is None or not _counts_alike(stored.indicator, definition)):
                wanted.setdefault((definition, stay.counted), []).append(stay)
    return wanted


def _score_anew(
    basis: _Basis, definition: Indicator, group: Iterable[Stay], seen: Mapping[tuple[str, str], Seen]
) -> None:
    missing = next((basis.unusable[one] for one in sorted(facts_needed(definition)) if one in basis.unusable), None)
    for stay in group:
        found = seen[stay.employee, definition.id]
        target = basis.targets.of(definition.id, stay.units, stay.counted.last) or definition.target
        score = score_indicator(definition, found.observed, missing or found.reason, target)
        basis.anew[stay.employee, stay.counted, f"{definition.id}!"] = score


def _counts_alike(one: Indicator, other: Indicator) -> bool:
    """Whether two versions observe the same, so that only the points differ."""
    return one == other or (
        (one.family, one.level, one.needs, one.response, one.sample, one.tiers, one.components, one.percentile)
        == (
            other.family,
            other.level,
            other.needs,
            other.response,
            other.sample,
            other.tiers,
            other.components,
            other.percentile,
        )
        and parts_of(one) == parts_of(other)
    )


def _card(basis: _Basis, stays: Sequence[Stay], day: date, rules: Rules, paying: tuple[RewardRule, ...]) -> ClosedCard:
    """The simulated period as it would be closed: its posts weighed by their days, and what it is worth."""
    return ClosedCard(basis.period, tuple(_part(basis, stay, day, rules) for stay in stays), paying)


def _part(basis: _Basis, stay: Stay, day: date, rules: Rules) -> ClosedPart:
    weights, period = _weights(stay, rules, day), days_of(basis.period)
    scores, others = [], {}
    for name in weights.weights:
        stored = basis.anew.get((stay.employee, stay.counted, name))
        counted = basis.anew.get((stay.employee, stay.counted, f"{name}!"))
        definition = _definition(rules, name, day, period)
        fresh = counted if counted is not None and (stored is None or counted.indicator == definition) else stored
        if fresh is None or definition is None:
            continue
        scores.append(fresh)
        if fresh.indicator != definition:
            others[name] = definition
    found = what_if(Inputs(tuple(scores), weights), Change(indicators=others)).scores
    return ClosedPart(stay.days.number, {one.indicator.id: one for one in found}, weights)
