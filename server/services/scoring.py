"""Touched scorecards are computed again from the rows of their period."""

import calendar
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.catalogue import Catalogue, default_catalogue
from server.scoring.indicator import in_force
from server.scoring.lineage import Lineage, SourceQuery
from server.scoring.scheme import PeriodWeights, period_weights
from server.scoring.scorecard import IndicatorScore, Observed, Total, input_hash, score_indicator, total
from server.services.parcels import cards_of
from server.store import change_queries, parcel_queries, score_queries, sweep_queries
from server.store.database import Database
from server.store.score_queries import Card, Post, ScoreRow, Span, TouchedCard
from shared.clock import WallMs, to_ms

BATCH = 500
"""Scorecards of one transaction."""
BATCHES = 20
REMEMBER_MS = 60_000
"""A sweep that found nothing is written down this often; looking again finds the same."""
SWEEP = "parcels"


async def score_touched(db: Database, now_ms: WallMs) -> int:
    """Compute waiting scorecards; how many were stored. Those of parcels that came due since are touched first.

    Several processes may run it at once, as ``compute_touched``.
    """
    await _sweep(db, now_ms)
    done = 0
    for _ in range(BATCHES):
        async with db.reading() as connection:
            waiting = await score_queries.touched(connection, BATCH)
            computed = await _compute(connection, waiting, now_ms) if waiting else {}
        if not waiting:
            break
        done += await _store(db, waiting, computed, now_ms)
        if len(waiting) < BATCH:
            break
    return done


async def _compute(
    connection: AsyncConnection, waiting: Sequence[TouchedCard], now_ms: WallMs
) -> dict[Card, tuple[Total, list[ScoreRow]]]:
    catalogue = default_catalogue()
    posts = await score_queries.posts(connection, {card.employee for card in waiting})
    marks = await score_queries.watermarks(connection)
    groups: dict[Span, list[TouchedCard]] = {}
    for card in waiting:
        if card.employee in posts:
            groups.setdefault(_span(card.period, posts[card.employee], now_ms), []).append(card)
    found: dict[Card, tuple[Total, list[ScoreRow]]] = {}
    for span, cards in groups.items():
        people = {card.employee for card in cards}
        facts: dict[str, dict[str, Observed]] = {
            fact: await score_queries.observed(connection, fact, people, span)
            for fact in sorted({indicator.fact for indicator in catalogue.indicators})
        }
        for card in cards:
            weights = _weights(catalogue, posts[card.employee], span)
            if weights is not None:
                key = card.employee, card.period
                found[key] = _card(catalogue, key, weights, span, facts=facts, marks=marks, now_ms=now_ms)
    return found


def _card(
    catalogue: Catalogue,
    card: Card,
    weights: PeriodWeights,
    span: Span,
    *,
    facts: Mapping[str, Mapping[str, Observed]],
    marks: Mapping[str, int],
    now_ms: WallMs,
) -> tuple[Total, list[ScoreRow]]:
    rows = []
    for name in sorted(weights.weights):
        indicator = in_force(catalogue.indicators, name, span.last)
        if indicator is not None:
            score = score_indicator(indicator, facts[indicator.fact].get(card[0], Observed()))
            lineage = _lineage(score, card, weights, span, marks)
            rows.append(ScoreRow(name, score.observed.sample, score.points, score.no_score, lineage, now_ms))
    return total(weights, {row.indicator: row.points for row in rows}), rows


def _lineage(
    score: IndicatorScore, card: Card, weights: PeriodWeights, span: Span, marks: Mapping[str, int]
) -> Lineage:
    indicator, seen = score.indicator, score.observed
    return Lineage(
        rule_version=indicator.rule_version,
        weight_sets=weights.versions,
        weight=(weights.weights[indicator.id], weights.denominator),
        numerator=seen.numerator,
        denominator=seen.denominator,
        value=None if score.value is None else f"{score.value.numerator}/{score.value.denominator}",
        watermarks={**marks, "cut_ms": span.cut_ms},
        query=SourceQuery(
            fact=indicator.fact,
            first=span.first,
            last=span.last,
            from_ms=span.from_ms,
            to_ms=span.to_ms,
            cut_ms=span.cut_ms,
        ),
        input_hash=input_hash(score, *card),
    )


def _weights(catalogue: Catalogue, post: Post, span: Span) -> PeriodWeights | None:
    """Mean weights over the days a person was in the post; None when there were none in this period (KS-7)."""
    first, last = max(span.first, post.joined_on), min(span.last, post.left_on or span.last)
    return period_weights(catalogue.sets, post.position, first, last) if first <= last else None


def _span(period: str, post: Post, now_ms: WallMs) -> Span:
    """Days and instants of a month where the person works; what lies after ``now`` does not count yet."""
    year, month = map(int, period.split("-"))
    first, last = date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
    zone = ZoneInfo(post.zone)
    from_ms, end_ms = (_midnight(day, zone) for day in (first, last + timedelta(days=1)))
    return Span(first, last, from_ms, end_ms, min(now_ms, end_ms))


def _midnight(day: date, zone: ZoneInfo) -> WallMs:
    return to_ms(datetime.combine(day, time(), zone))


async def _store(
    db: Database,
    computed: Sequence[TouchedCard],
    found: Mapping[Card, tuple[Total, list[ScoreRow]]],
    now_ms: WallMs,
) -> int:
    async with db.writing() as connection:
        cards = await score_queries.claim(connection, computed)
        if cards:
            totals = {card: _head(found[card][0]) for card in cards if card in found}
            rows = {card: found[card][1] for card in cards if card in found}
            await score_queries.replace_cards(connection, cards, totals, rows, now_ms)
            await change_queries.note_changes(connection, {f"employee:{employee}" for employee, _ in cards}, now_ms)
    return len(cards)


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
