"""A definition tried on real data before anybody publishes it: what it would observe, and whose that is."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.scoring.family import check_parts, facts_needed
from server.scoring.indicator import Indicator, Level, check_indicators
from server.scoring.plain import When
from server.scoring.scorecard import IndicatorScore, NoScore, score_indicator
from server.scoring.target import EVERYBODY
from server.scoring.window import days_of
from server.services.observing import observe_people
from server.services.sources import unusable_facts
from server.store import page_queries, score_queries, target_queries
from server.store.company_zone import company_zone
from server.store.counted_facts import shapes
from server.store.result_queries import people_in
from server.store.scope_filter import ALL
from shared.clock import WallMs, to_ms

SAMPLES = 10
"""People who are shown with their numbers."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One person's score by the definition."""

    employee: str
    name: str
    score: IndicatorScore
    level: Level


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it in a period."""

    period: str
    people: int
    """Who was looked at: those of the indicator's department, or everybody in scope where it has none of them."""
    scored: int
    own: int
    """Who has a value of the level that the definition names."""
    reasons: Mapping[NoScore, int]
    """Why others have no score."""
    rows: int
    """Rows behind all values of people, as the minimum sample counts them."""
    samples: tuple[Tried, ...]
    """Those with most rows."""


_Scored: TypeAlias = dict[str, tuple[IndicatorScore, Level]]


def check_definition(indicator: Indicator) -> None:
    """DataError with what is wrong: a curve that can not be drawn, a family that lacks a part, an unknown field."""
    check_indicators([indicator])
    check_parts(indicator, shapes())


async def try_out(
    connection: AsyncConnection, scope: Scope, indicator: Indicator, period: str, now_ms: WallMs
) -> Trial:
    """Observe a definition on what is stored; nothing is written."""
    check_definition(indicator)
    days, zone = days_of(period), await company_zone(connection)
    end = to_ms(datetime.combine(days.last + timedelta(days=1), time(), zone))
    visible = set(await people_in(connection, scope, ALL))
    posts = {one: post for one, post in (await score_queries.everybody(connection)).items() if one in visible}
    here = {person: post for person, post in posts.items() if indicator.department in post.departments}
    posts = here or posts
    when = When(days, zone, min(now_ms, end))
    seen = await observe_people(connection, posts, [indicator], when)
    unusable = await unusable_facts(connection, now_ms)
    missing = next((unusable[fact] for fact in sorted(facts_needed(indicator)) if fact in unusable), None)
    targets = await target_queries.targets(connection)

    def scored() -> _Scored:
        found: _Scored = {}
        for person, post in posts.items():
            one = seen[person, indicator.id]
            units = (person, *post.departments, EVERYBODY)
            target = targets.of(indicator.id, units, days.last) or indicator.target
            found[person] = score_indicator(indicator, one.observed, missing or one.reason, target), one.level
        return found

    found = await asyncio.to_thread(scored)  # meanwhile people's pages are answered
    samples = sorted(found, key=lambda person: (-found[person][0].observed.sample, person))[:SAMPLES]
    names = {person: await page_queries.person(connection, scope, person) for person in samples}
    own = [score for score, level in found.values() if level == indicator.level and score.observed.denominator]
    return Trial(
        period,
        len(posts),
        sum(score.points is not None for score, _ in found.values()),
        len(own),
        Counter(score.no_score for score, _ in found.values() if score.no_score is not None),
        sum(score.observed.sample for score in own),
        tuple(Tried(one, row.name if (row := names[one]) else one, *found[one]) for one in samples),
    )
