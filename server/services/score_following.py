"""What asks for scores without being told of each: facts that changed, parcels that came due, closed periods."""

from collections.abc import Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from server.scoring.catalogue import Catalogue
from server.scoring.family import facts_read
from server.scoring.indicator import in_force
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import NoScore
from server.scoring.window import Days, days_of
from server.services.parcels import cards_of
from server.services.scheme_rules import catalogue_in_force, rules_in_force
from server.services.score_settings import with_quarters
from server.services.sources import unusable_facts
from server.services.stays import stays_of
from server.store import fact_marks, parcel_queries, period_queries, post_queries, score_queries, sweep_queries
from server.store.company_zone import company_zone
from server.store.database import Database
from server.store.fact_marks import Marks
from server.store.moment_queries import moment
from server.store.score_queries import Card
from shared.clock import WallMs, from_ms

REMEMBER_MS = 60_000
"""A sweep that found nothing is written down this often; looking again finds the same."""
SWEEP = "parcels"
LATE = "late"
LATE_MS = 900_000
"""Closed periods are compared with facts that changed this often: nobody waits for them, and they are many."""
RESTATED_MS = 400 * 86_400_000
"""So long after it was closed a period is compared."""


async def follow(db: Database, now_ms: WallMs) -> None:
    """Touch the scores that something happened to."""
    async with db.reading() as connection:
        at = await moment(connection)
        marks, unusable = at.marks, await unusable_facts(connection, now_ms, at)
        since_ms = marks.swept_until(SWEEP)
        known = since_ms is not None and since_ms < now_ms
        due = await parcel_queries.parcels_due_between(connection, since_ms or 0, now_ms) if known else []
    if due or since_ms is None or now_ms - since_ms >= REMEMBER_MS:
        async with db.writing() as connection:
            await score_queries.touch_scores(connection, cards_of(due, now_ms), fact_marks.following({"shipment"}))
            await sweep_queries.set_swept(connection, SWEEP, now_ms)
    await _follow_facts(db, marks, unusable, now_ms)
    await _follow_late(db, marks, now_ms)


async def _follow_facts(db: Database, marks: Marks, unusable: Mapping[str, NoScore], now_ms: WallMs) -> None:
    """Touch this month's and last month's scores of everybody who is scored by a fact that changed.

    A fact changes with its rows, and when its source goes away or is back: then its scores go and come.
    """
    changed, turned = marks.changed(), unusable.keys() ^ marks.unusable()
    if not changed and not turned:
        return
    async with db.reading() as connection:
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
        cards = await with_quarters(connection, cards, people)
        cards -= await period_queries.closed_among(connection, cards)  # those follow more slowly
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, cards, changed.keys() | turned)
        await fact_marks.scored(connection, changed.items())
        if turned:
            await fact_marks.note_unusable(connection, unusable.keys())


async def _follow_late(db: Database, marks: Marks, now_ms: WallMs) -> None:
    """Touch closed scorecards that read a fact that changed, now and then: what comes late is an adjustment (KS-12)."""
    looked_ms, changed = marks.swept_until(LATE), marks.changed(fact_marks.RESTATED)
    if not changed or (looked_ms is not None and now_ms - looked_ms < LATE_MS):
        return
    async with db.reading() as connection:
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
