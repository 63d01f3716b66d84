"""Touched scorecards are computed again from the rows of their period."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.people.person import Post as PostOnRecord
from server.scoring.family import facts_needed
from server.scoring.indicator import Indicator
from server.scoring.lineage import Lineage, SourceQuery
from server.scoring.plain import When
from server.scoring.rules import Rules
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import (
    IndicatorScore,
    NoScore,
    Total,
    input_hash,
    published,
    score_indicator,
    weighted_mean,
)
from server.scoring.segment import Segment, period_mean
from server.scoring.target import Targets
from server.scoring.window import Days, days_of
from server.services.held_scores import Held, held
from server.services.observing import Seen, observe_people
from server.services.scheme_rules import rules_in_force
from server.services.score_following import follow
from server.services.score_restating import Restated, post_adjustments, restated
from server.services.sources import unusable_facts
from server.services.stays import Stay, begun, stays_of
from server.store import (
    change_queries,
    period_queries,
    score_queries,
    segment_queries,
)
from server.store.counting_executor import Executor
from server.store.database import Database
from server.store.moment_queries import moment
from server.store.remembered import remembered
from server.store.score_queries import Card, NewCard, Post, ScoreRow, TouchedCard
from server.store.segment_queries import SegmentRow
from server.store.setting_queries import setting
from shared.clock import WallMs, from_ms, to_ms

BATCH = 500
"""Scorecards of one transaction."""
BATCHES = 20


async def score_touched(db: Database, now_ms: WallMs, *, everybody: bool = True) -> int:
    """Compute waiting scorecards; how many were stored.

    Those of facts that changed are touched first, unless ``everybody`` is false: then only who was asked for, by own
    rows or decisions. Several processes may run it at once, as ``compute_touched``.
    """
    if everybody:
        await follow(db, now_ms)
    done = 0
    for _ in range(BATCHES):
        async with db.reading() as connection:
            waiting = await score_queries.touched(connection, BATCH)
            if not waiting:
                break
            known = await _known(connection, now_ms)
            still_open = [one for one in waiting if not one.closed]
            computed = await _compute(connection, still_open, known, now_ms) if still_open else {}
            closed = {(one.employee, one.period) for one in waiting if one.closed}
            late = await restated(connection, closed, known.unusable, now_ms)
        done += await _store(db, waiting, computed, late, now_ms)
        if len(waiting) < BATCH:
            break
    return done


@dataclass(frozen=True, slots=True)
class Computed:
    """A scorecard."""

    total: Total
    rows: Sequence[ScoreRow]
    segments: Sequence[SegmentRow]
    """One for each post; none with one post."""
    kept: frozenset[str] = frozenset()
    """Indicators whose stored scores still hold."""


async def compute_anew(
    connection: AsyncConnection, cards: Iterable[Card], now_ms: WallMs, executor: Executor | None = None
) -> dict[Card, Computed]:
    """Scorecards as a full run gives them, counted by ``executor`` or in the database; nothing is stored."""
    waiting = [TouchedCard(*card, mark=0) for card in cards]
    return await _compute(connection, waiting, await _known(connection, now_ms), now_ms, executor)


async def _compute(
    connection: AsyncConnection,
    waiting: Sequence[TouchedCard],
    known: "_Known",
    now_ms: WallMs,
    executor: Executor | None = None,
) -> dict[Card, Computed]:
    rules, zone = known.rules, known.zone
    people = {card.employee for card in waiting}
    await _posts(connection, known, people)
    touched = {(one.employee, one.period): one for one in waiting}
    periods: dict[str, list[str]] = {}
    for one in waiting:
        if one.employee in known.people:
            periods.setdefault(one.period, []).append(one.employee)
    segments: dict[Card, list[SegmentRow]] = {}
    kept: dict[Card, frozenset[str]] = {}
    for period, employees in periods.items():
        days = days_of(period)
        cut = min(now_ms, _midnight(days.last + timedelta(days=1), zone))
        stays = [
            stay
            for person in employees
            for stay in begun(
                stays_of(person, *known.people[person], known.above, days),
                from_ms(cut).astimezone(zone).date(),
            )
        ]
        for names, counted, group in _alike(stays, rules):
            definitions = [found for name in names if (found := rules.definition(name, counted.last)) is not None]
            when = When(counted, zone, min(cut, _midnight(counted.last + timedelta(days=1), zone)))
            reasons = {one.id: known.reason(one) for one in definitions}
            may_stay = {
                stay.employee: held(touched[stay.employee, period], definitions, when, reasons) for stay in group
            }
            seen: dict[tuple[str, str], Seen] = {}
            for lacking, standing, doing in _alike_lacking(group, definitions, may_stay):
                seen |= await observe_people(connection, doing, lacking, when, executor, standing=standing)
            for stay in group:
                card, stays_as = (stay.employee, period), may_stay[stay.employee]
                rows = {name: row for name, row in stays_as.standing.items() if (stay.employee, name) not in seen}
                rows |= stays_as.rows
                own = {which: seen[stay.employee, which.id] for which in definitions if which.id not in rows}
                segment = _segment(period, stay, when, own, kept=rows.values(), known=known, now_ms=now_ms)
                segments.setdefault(card, []).append(segment)
                kept[card] = frozenset(rows)
    return {card: _whole(sorted(own, key=lambda one: one.first), kept[card]) for card, own in segments.items()}


def _alike_lacking(
    group: Iterable[Stay], definitions: Sequence[Indicator], may_stay: Mapping[str, Held]
) -> Iterator[tuple[tuple[Indicator, ...], frozenset[str], Mapping[str, Post]]]:
    """Indicators that have to be counted, which of them stand, and the people of whom just that is so."""
    groups: dict[tuple[tuple[str, ...], frozenset[str]], dict[str, Post]] = {}
    for stay in group:
        own = may_stay[stay.employee]
        names = tuple(one.id for one in definitions if one.id not in own.rows)
        groups.setdefault((names, frozenset(own.standing)), {})[stay.employee] = stay.post
    for (names, standing), posts in groups.items():
        if names:
            yield tuple(one for one in definitions if one.id in names), standing, posts


def whole_of(rows: Sequence[ScoreRow]) -> Computed:
    """A card of one post, of scores that were counted at different times."""
    weights = PeriodWeights({row.indicator: row.lineage.weight[0] for row in rows}, 1, ())
    return Computed(published(weighted_mean(weights, {row.indicator: row.points for row in rows})), rows, ())


def _whole(segments: Sequence[SegmentRow], kept: frozenset[str]) -> Computed:
    """A card of one post, or of several: each indicator as it was in the last post that has it."""
    if len(segments) == 1:
        return Computed(published(segments[0].mean), segments[0].scores, (), kept)
    mean = period_mean([Segment((one.last - one.first).days + 1, one.mean) for one in segments])
    newest = {score.indicator: score for one in segments for score in one.scores}
    return Computed(published(mean), list(newest.values()), segments)


@dataclass(frozen=True, slots=True)
class _Known:
    """What all cards go by, and how far data has come."""

    rules: Rules
    zone: ZoneInfo
    above: Mapping[str, str | None]
    """The department above each."""
    marks: Mapping[str, int]
    unusable: Mapping[str, NoScore]
    """Facts that nothing can be scored by, each with the reason."""
    targets: Targets
    people: dict[str, tuple[Post, tuple[PostOnRecord, ...]]]
    """Posts of those who were asked for since anything was changed."""

    def reason(self, indicator: Indicator) -> NoScore | None:
        """Why there can be no score, whatever was counted."""
        reasons = [self.unusable[fact] for fact in sorted(facts_needed(indicator)) if fact in self.unusable]
        return reasons[0] if reasons else None

    def watermarks(self, indicator: Indicator) -> dict[str, int]:
        """Followers of the feed, and the facts that the indicator reads."""
        own = {f"fact:{fact}" for fact in facts_needed(indicator)}
        return {name: at for name, at in self.marks.items() if not name.startswith("fact:") or name in own}


async def _known(connection: AsyncConnection, now_ms: WallMs) -> _Known:
    at = await moment(connection)
    rules, now = await remembered(connection, at.log, rules_in_force), await remembered(connection, at.log, setting)
    unusable = await unusable_facts(connection, now_ms, at)
    people = await remembered(connection, at.log, _nobody)
    return _Known(rules, now.zone, now.above, at.marks.watermarks(), unusable, now.targets, people)


async def _nobody(connection: AsyncConnection) -> dict[str, tuple[Post, tuple[PostOnRecord, ...]]]:  # noqa: ARG001
    return {}


async def _posts(connection: AsyncConnection, known: _Known, people: Set[str]) -> None:
    """Know the posts of these people too."""
    lacking = people - known.people.keys()
    if lacking:
        now, record = await score_queries.posts(connection, lacking, known.above)
        known.people.update({person: (post, record.get(person, ())) for person, post in now.items()})


def _alike(stays: Iterable[Stay], rules: Rules) -> Iterator[tuple[tuple[str, ...], Days, list[Stay]]]:
    """Stays that are scored by the same indicators on the same days, so that one pass counts for all of them."""
    groups: dict[tuple[tuple[str, ...], Days], list[Stay]] = {}
    for stay in stays:
        names = tuple(sorted(stay.weights(rules).weights))
        groups.setdefault((names, stay.counted), []).append(stay)
    for (names, counted), group in groups.items():
        yield names, counted, group


def _segment(
    period: str,
    stay: Stay,
    when: When,
    seen: Mapping[Indicator, Seen],
    *,
    kept: Iterable[ScoreRow],
    known: _Known,
    now_ms: WallMs,
) -> SegmentRow:
    weights = stay.weights(known.rules)
    rows = list(kept)
    for indicator, own in seen.items():
        target = known.targets.of(indicator.id, stay.units, when.days.last) or indicator.target
        score = score_indicator(indicator, own.observed, known.reason(indicator) or own.reason, target)
        lineage = _lineage(score, (stay.employee, period), weights, when, own=own, known=known)
        rows.append(ScoreRow(indicator.id, score.observed.sample, score.points, score.no_score, lineage, now_ms))
    rows.sort(key=lambda row: (-row.lineage.weight[0], row.indicator))
    mean = weighted_mean(weights, {row.indicator: row.points for row in rows})
    department = stay.post.departments[0] if stay.post.departments else ""
    return SegmentRow(stay.days.first, stay.days.last, department, stay.post.position, mean, tuple(rows))


def _lineage(
    score: IndicatorScore, card: Card, weights: PeriodWeights, when: When, *, own: Seen, known: _Known
) -> Lineage:
    indicator, observed, days = score.indicator, score.observed, when.days
    return Lineage(
        rule_version=indicator.rule_version,
        weight_sets=weights.versions,
        weight=(weights.weights[indicator.id], weights.denominator),
        numerator=observed.numerator,
        denominator=observed.denominator,
        target=score.target,
        value=None if score.value is None else f"{score.value.numerator}/{score.value.denominator}",
        beside={name: f"{one.numerator}/{one.denominator}" for name, one in own.beside.items()},
        watermarks={**known.watermarks(indicator), "cut_ms": when.cut_ms},
        query=SourceQuery(
            level=own.level,
            unit=own.unit,
            first=days.first,
            last=days.last,
            from_ms=_midnight(days.first, when.zone),
            to_ms=_midnight(days.last + timedelta(days=1), when.zone),
            cut_ms=when.cut_ms,
        ),
        input_hash=input_hash(score, *card),
    )


def _midnight(day: date, zone: ZoneInfo) -> WallMs:
    return to_ms(datetime.combine(day, time(), zone))


async def _store(
    db: Database,
    computed: Sequence[TouchedCard],
    found: Mapping[Card, Computed],
    late: Mapping[Card, Restated],
    now_ms: WallMs,
) -> int:
    """Scorecards of open periods are replaced; closed ones stay, with adjustments beside them (KS-12)."""
    async with db.writing() as connection:
        await period_queries.hold_closed_to_score(connection)
        touches = await score_queries.claim(connection, computed)
        claimed = set(touches)
        closed = {card for card, done in touches.items() if done}
        await post_adjustments(connection, {card: late[card] for card in closed if card in late})
        await score_queries.touch_scores(connection, closed - late.keys())  # closed a moment ago
        found = {card: new for card, new in found.items() if card in claimed - closed}
        await score_queries.remove_cards(connection, claimed - closed - found.keys())
        await score_queries.put_cards(connection, {card: _new(one) for card, one in found.items()}, now_ms)
        # A card with scores that still hold has one post, and had one.
        whole = {card: one.segments for card, one in found.items() if not one.kept}
        await segment_queries.replace_segments(connection, claimed - closed - found.keys() | whole.keys(), whole)
        await change_queries.note_changes(connection, {f"employee:{employee}" for employee, _ in claimed}, now_ms)
    return len(claimed)


def _new(computed: Computed) -> NewCard:
    total, coverage = computed.total, computed.total.coverage
    rows = [row for row in computed.rows if row.indicator not in computed.kept]
    return NewCard(total.status, total.centi, (coverage.numerator, coverage.denominator), rows, bool(computed.kept))
