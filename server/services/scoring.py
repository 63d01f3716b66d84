"""Touched scorecards are computed again from the rows of their period."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.catalogue import Catalogue
from server.scoring.cycle import cycle_in, period_on
from server.scoring.family import facts_needed, facts_read
from server.scoring.indicator import Indicator, in_force
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
from server.services.observing import Seen, observe_people
from server.services.parcels import cards_of
from server.services.scheme_rules import catalogue_in_force, rules_in_force
from server.services.score_restating import Restated, post_adjustments, restated
from server.services.score_settings import cycles
from server.services.sources import unusable_facts
from server.services.stays import Stay, begun, stays_of
from server.store import (
    change_queries,
    fact_marks,
    parcel_queries,
    period_queries,
    post_queries,
    score_queries,
    segment_queries,
    sweep_queries,
    target_queries,
)
from server.store.company_zone import company_zone
from server.store.counting_executor import Executor
from server.store.database import Database
from server.store.score_queries import Card, ScoreRow, TouchedCard
from server.store.segment_queries import SegmentRow
from shared.clock import WallMs, from_ms, to_ms

BATCH = 500
"""Scorecards of one transaction."""
BATCHES = 20
REMEMBER_MS = 60_000
"""A sweep that found nothing is written down this often; looking again finds the same."""
SWEEP = "parcels"
LATE = "late"
LATE_MS = 900_000
"""Closed periods are compared with facts that changed this often: nobody waits for them, and they are many."""
RESTATED_MS = 400 * 86_400_000
"""So long after it was closed a period is compared."""


async def score_touched(db: Database, now_ms: WallMs) -> int:
    """Compute waiting scorecards; how many were stored. Those of parcels that came due since are touched first.

    Several processes may run it at once, as ``compute_touched``.
    """
    await _sweep(db, now_ms)
    unusable = await _follow_facts(db, now_ms)
    await _follow_late(db, now_ms)
    done = 0
    for _ in range(BATCHES):
        async with db.reading() as connection:
            waiting = await score_queries.touched(connection, BATCH)
            closed = await period_queries.closed_among(connection, [(one.employee, one.period) for one in waiting])
            still_open = [one for one in waiting if (one.employee, one.period) not in closed]
            computed = await _compute(connection, still_open, unusable, now_ms) if still_open else {}
            late = await restated(connection, closed, unusable, now_ms)
        if not waiting:
            break
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


async def compute_anew(
    connection: AsyncConnection, cards: Iterable[Card], now_ms: WallMs, executor: Executor | None = None
) -> dict[Card, Computed]:
    """Scorecards as a full run gives them, counted by ``executor`` or in the database; nothing is stored."""
    unusable = await unusable_facts(connection, now_ms)
    return await _compute(connection, [TouchedCard(*card, mark=0) for card in cards], unusable, now_ms, executor)


async def _compute(
    connection: AsyncConnection,
    waiting: Sequence[TouchedCard],
    unusable: Mapping[str, NoScore],
    now_ms: WallMs,
    executor: Executor | None = None,
) -> dict[Card, Computed]:
    rules = await rules_in_force(connection)
    zone = await company_zone(connection)
    people = {card.employee for card in waiting}
    posts = await score_queries.posts(connection, people)
    record = await post_queries.posts_on_record(connection, people)
    above = await score_queries.departments_above(connection)
    known = _Known(
        await score_queries.watermarks(connection),
        unusable,
        await target_queries.targets(connection),
    )
    periods: dict[str, list[str]] = {}
    for card in waiting:
        if card.employee in posts:
            periods.setdefault(card.period, []).append(card.employee)
    segments: dict[Card, list[SegmentRow]] = {}
    for period, employees in periods.items():
        days = days_of(period)
        cut = min(now_ms, _midnight(days.last + timedelta(days=1), zone))
        stays = [
            stay
            for person in employees
            for stay in begun(
                stays_of(person, posts[person], record.get(person, ()), above, days),
                from_ms(cut).astimezone(zone).date(),
            )
        ]
        for names, counted, group in _alike(stays, rules):
            definitions = [one for name in names if (one := in_force(rules.catalogue.indicators, name, counted.last))]
            when = When(counted, zone, min(cut, _midnight(counted.last + timedelta(days=1), zone)))
            doing = {one.employee: one.post for one in group}
            seen = await observe_people(connection, doing, definitions, when, executor)
            for stay in group:
                own = {one: seen[stay.employee, one.id] for one in definitions}
                segment = _segment(period, stay, rules, when, own, known=known, now_ms=now_ms)
                segments.setdefault((stay.employee, period), []).append(segment)
    return {card: _whole(sorted(found, key=lambda one: one.first)) for card, found in segments.items()}


def _whole(segments: Sequence[SegmentRow]) -> Computed:
    """A card of one post, or of several: each indicator as it was in the last post that has it."""
    if len(segments) == 1:
        return Computed(published(segments[0].mean), segments[0].scores, ())
    mean = period_mean([Segment((one.last - one.first).days + 1, one.mean) for one in segments])
    newest = {score.indicator: score for one in segments for score in one.scores}
    return Computed(published(mean), list(newest.values()), segments)


@dataclass(frozen=True, slots=True)
class _Known:
    """How far data has come."""

    marks: Mapping[str, int]
    unusable: Mapping[str, NoScore]
    """Facts that nothing can be scored by, each with the reason."""
    targets: Targets

    def reason(self, indicator: Indicator) -> NoScore | None:
        """Why there can be no score, whatever was counted."""
        reasons = [self.unusable[fact] for fact in sorted(facts_needed(indicator)) if fact in self.unusable]
        return reasons[0] if reasons else None

    def watermarks(self, indicator: Indicator) -> dict[str, int]:
        """Followers of the feed, and the facts that the indicator reads."""
        own = {f"fact:{fact}" for fact in facts_needed(indicator)}
        return {name: at for name, at in self.marks.items() if not name.startswith("fact:") or name in own}


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
    rules: Rules,
    when: When,
    seen: Mapping[Indicator, Seen],
    *,
    known: _Known,
    now_ms: WallMs,
) -> SegmentRow:
    weights = stay.weights(rules)
    rows = []
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
        await period_queries.hold_closed(connection)
        claimed = await score_queries.claim(connection, computed)
        closed = await period_queries.closed_among(connection, claimed)
        await post_adjustments(connection, {card: late[card] for card in closed if card in late})
        await score_queries.touch_scores(connection, closed - late.keys())  # closed a moment ago
        cards = claimed - closed
        if cards:
            totals = {card: _head(found[card].total) for card in cards if card in found}
            rows = {card: found[card].rows for card in cards if card in found}
            segments = {card: found[card].segments for card in cards if card in found}
            await score_queries.replace_cards(connection, cards, totals, rows, now_ms)
            await segment_queries.replace_segments(connection, cards, segments)
        await change_queries.note_changes(connection, {f"employee:{employee}" for employee, _ in claimed}, now_ms)
    return len(claimed)


def _head(computed: Total) -> tuple[str, int | None, tuple[int, int]]:
    coverage: Fraction = computed.coverage
    return computed.status, computed.centi, (coverage.numerator, coverage.denominator)


async def _sweep(db: Database, now_ms: WallMs) -> None:
    """Touch the scores of couriers whose parcels came due since the last sweep."""
    async with db.reading() as connection:
        since_ms = await sweep_queries.swept_until(connection, SWEEP)
        known = since_ms is not None and since_ms < now_ms
        due = await parcel_queries.parcels_due_between(connection, since_ms or 0, now_ms) if known else []
    if due or since_ms is None or now_ms - since_ms >= REMEMBER_MS:
        async with db.writing() as connection:
            await score_queries.touch_scores(connection, cards_of(due, now_ms))
            await sweep_queries.set_swept(connection, SWEEP, now_ms)


async def _follow_facts(db: Database, now_ms: WallMs) -> Mapping[str, NoScore]:
    """Touch this month's and last month's scores of everybody who is scored by a fact that changed.

    A fact changes with its rows, and when its source goes away or is back: then its scores go and come. Gives the
    facts whose source is away, each with the reason.
    """
    async with db.reading() as connection:
        changed = await fact_marks.changed(connection)
        unusable = await unusable_facts(connection, now_ms)
        turned = unusable.keys() ^ await fact_marks.known_unusable(connection)
        if not changed and not turned:
            return unusable
        zone = await company_zone(connection)
        rules = await rules_in_force(connection)
        people = await score_queries.everybody(connection)
        record = await post_queries.posts_on_record(connection)
        above = await score_queries.departments_above(connection)
        there = set(await score_queries.cards_since(connection, f"{_last_month(now_ms, zone).first:%Y-%m}"))
        today = from_ms(now_ms).astimezone(zone).date()
        cards: set[Card] = set()
        for days in (days_of(f"{today:%Y-%m}"), _last_month(now_ms, zone)):
            for person, post in people.items():
                card, reads = (person, f"{days.first:%Y-%m}"), set[str]()
                for stay in stays_of(person, post, record.get(person, ()), above, days):
                    reads |= _reads(rules.catalogue, stay.weights(rules), stay.counted.last)
                if reads & changed.keys() or (card in there and reads & turned):
                    cards.add(card)
        quarters = await cycles(connection)
        cards |= {
            (person, period_on(days_of(month).first, "quarter"))
            for person, month in cards
            if cycle_in(people[person].departments, quarters) == "quarter"
        }
        cards -= await period_queries.closed_among(connection, cards)  # those follow more slowly
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, cards)
        await fact_marks.scored(connection, changed.items())
        if turned:
            await fact_marks.note_unusable(connection, unusable.keys())
    return unusable


async def _follow_late(db: Database, now_ms: WallMs) -> None:
    """Touch closed scorecards that read a fact that changed, now and then: what comes late is an adjustment (KS-12)."""
    async with db.reading() as connection:
        looked_ms = await sweep_queries.swept_until(connection, LATE)
        if looked_ms is not None and now_ms - looked_ms < LATE_MS:
            return
        changed = await fact_marks.changed(connection, fact_marks.RESTATED)
        if not changed:
            return
        read = await period_queries.indicators_closed(connection, now_ms - RESTATED_MS)
        catalogue = await catalogue_in_force(connection)
    facts: dict[str, set[str]] = {}
    for one in catalogue.indicators:
        facts.setdefault(one.id, set()).update(facts_read(one))
    cards = {card for card, names in read.items() if any(facts.get(name, set()) & changed.keys() for name in names)}
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, cards)
        await fact_marks.scored(connection, changed.items(), fact_marks.RESTATED)
        await sweep_queries.set_swept(connection, LATE, now_ms)


def _last_month(now_ms: WallMs, zone: ZoneInfo) -> Days:
    today = from_ms(now_ms).astimezone(zone).date()
    return days_of(f"{today.replace(day=1) - timedelta(days=1):%Y-%m}")


def _reads(catalogue: Catalogue, weights: PeriodWeights, day: date) -> set[str]:
    """Facts that a set of indicators counts or needs."""
    definitions = [one for name in weights.weights if (one := in_force(catalogue.indicators, name, day)) is not None]
    return {fact for one in definitions for fact in facts_read(one)}
