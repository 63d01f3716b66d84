"""Late facts of closed periods become adjustments of the open one, computed with the closed versions (KS-12)."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.scoring.catalogue import Catalogue
from server.scoring.cycle import Period, cycle_of, period_after, period_on
from server.scoring.family import facts_needed, facts_read
from server.scoring.indicator import Indicator
from server.scoring.plain import When
from server.scoring.restatement import Adjustment, ClosedCard, Figures, Late, Place, overlaid, restate
from server.scoring.scorecard import Observed
from server.scoring.window import Days
from server.services.observing import observe_people
from server.services.scheme_rules import catalogue_in_force
from server.services.score_publishing import closed_card
from server.store import late_fact_queries, period_queries
from server.store.company_zone import company_zone
from server.store.period_queries import ClosedRow, PartRow, PeriodAdjustment, SideRow
from server.store.score_queries import Card, Post
from shared.clock import WallMs, from_ms, to_ms


@dataclass(frozen=True, slots=True)
class Restated:
    """What a closed card would say now, beside what was told of it before."""

    posted_to: Period
    rows: tuple[PeriodAdjustment, ...]


async def restated(
    connection: AsyncConnection, cards: Collection[Card], unusable: Collection[str], now_ms: WallMs
) -> dict[Card, Restated]:
    """Adjustments of these closed cards for the period that is open now; none where nothing differs.

    A fact whose source is away takes no points from anybody: what it counts stays as it was told last.
    """
    if not cards:
        return {}
    catalogue, zone = await catalogue_in_force(connection), await company_zone(connection)
    rows = await period_queries.newest(connection, cards)
    people = {row.employee for row in rows}
    told = await _told(connection, people)
    closed = await period_queries.periods_closed(connection, people)
    away = set(unusable)
    seen = await _observed(connection, rows, catalogue, zone)
    today = from_ms(now_ms).astimezone(zone).date()
    found = {}
    for row in rows:
        card, posted_to = (row.employee, row.period), _open_period(row.period, closed[row.employee], today)
        before = [one for one in told.get(card, ()) if one.posted_to != posted_to]
        base = overlaid(closed_card(row, catalogue), [(_place(one), _late(one)) for one in before])
        late = {place: now for place, now in seen[card].items() if not _facts(base, place) & away}
        made = []
        for one in restate(base, late):
            cause = await _cause(connection, row, base.parts[one.place[0]].scores[one.place[1]].indicator)
            made.append(_row(row, one, posted_to, cause, now_ms))
        found[card] = Restated(posted_to, tuple(made))
    return found


def _open_period(period: Period, closed: Collection[Period], today: dt.date) -> Period:
    """The period of today, or the next one that is open."""
    found = max(period_on(today, cycle_of(period)), period_after(period))
    while found in closed:
        found = period_after(found)
    return found


async def _told(connection: AsyncConnection, people: Collection[str]) -> dict[Card, list[PeriodAdjustment]]:
    told: dict[Card, list[PeriodAdjustment]] = {}
    for one in await period_queries.adjustments(connection, Scope.system(), people=people):
        told.setdefault((one.employee, one.period), []).append(one)
    return told


async def _observed(
    connection: AsyncConnection, rows: Sequence[ClosedRow], catalogue: Catalogue, zone: ZoneInfo
) -> dict[Card, dict[Place, Late]]:
    """What is counted now of each indicator of these cards: one pass for all people of the same versions and days."""
    groups: dict[tuple[Days, tuple[tuple[str, str], ...]], list[tuple[ClosedRow, int]]] = {}
    found: dict[Card, dict[Place, Late]] = {(row.employee, row.period): {} for row in rows}
    for row in rows:
        for number, part in enumerate(row.parts):
            names = tuple(sorted((score.indicator, score.lineage.rule_version) for score in part.scores))
            groups.setdefault((_counted(part), names), []).append((row, number))
    for (days, names), group in groups.items():
        when = When(days, zone, to_ms(dt.datetime.combine(days.last + dt.timedelta(days=1), dt.time(), zone)))
        definitions = [one for name, version in names if (one := catalogue.version(name, version)) is not None]
        posts: dict[str, Post] = {row.employee: row.parts[number].post for row, number in group}
        seen = await observe_people(connection, posts, definitions, when)
        for row, number in group:
            for one in definitions:
                own = seen[row.employee, one.id]
                found[row.employee, row.period][number, one.id] = Late(own.observed, own.reason)
    return found


def _counted(part: PartRow) -> Days:
    """Days whose rows counted."""
    if not part.scores:
        return Days(part.first, part.last)
    query = part.scores[0].lineage.query
    return Days(query.first, query.last)


def _facts(card: ClosedCard, place: Place) -> set[str]:
    score = card.parts[place[0]].scores.get(place[1])
    return set() if score is None else set(facts_needed(score.indicator))


def _place(row: PeriodAdjustment) -> Place:
    return row.part, row.indicator


def _late(row: PeriodAdjustment) -> Late:
    return Late(Observed(row.numerator, row.denominator, row.sample), row.no_score)  # type: ignore[arg-type]


async def _cause(connection: AsyncConnection, row: ClosedRow, indicator: Indicator) -> str:
    """The newest row that came or changed after the closing: ``fact/source/key``; else the facts that are counted."""
    facts = sorted(facts_read(indicator))
    since_ms = (await period_queries.closing(connection, row.closing)).closed_ms
    newest = await late_fact_queries.newest_since(connection, facts, row.employee, since_ms)
    return newest or ", ".join(facts)


def _row(row: ClosedRow, one: Adjustment, posted_to: Period, cause: str, now_ms: WallMs) -> PeriodAdjustment:
    number, indicator = one.place
    seen = one.late.observed
    return PeriodAdjustment(
        employee=row.employee,
        period=row.period,
        indicator=indicator,
        part=number,
        posted_to=posted_to,
        cause=cause,
        numerator=seen.numerator,
        denominator=seen.denominator,
        sample=seen.sample,
        no_score=one.late.reason,
        before=_side(one.before),
        after=_side(one.after),
        total=one.total_difference,
        money_minor=one.money_difference_minor,
        computed_ms=now_ms,
    )


def _side(figures: Figures) -> SideRow:
    value = figures.value
    exact = None if value is None else f"{value.numerator}/{value.denominator}"
    return SideRow(exact, figures.points, figures.total, figures.money_minor)


async def post_adjustments(connection: AsyncConnection, found: Mapping[Card, Restated]) -> None:
    """Store adjustments in place of those of the same open period."""
    for (employee, period), one in sorted(found.items()):
        await period_queries.replace_adjustments(connection, employee, period, one.posted_to, one.rows)
