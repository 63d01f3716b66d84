"""Closing a period of scores: what stands between, what is published, by which cycle (KS-9, KS-10, KS-12, KS-13)."""

import asyncio
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.checklist import Item, items_of, refuse_unready
from server.scoring.catalogue import Catalogue
from server.scoring.cycle import Period, cycle_in, cycle_of
from server.scoring.family import facts_read, final_on
from server.scoring.indicator import Indicator
from server.scoring.window import Days, days_of
from server.services.act import Act
from server.services.endings import endings
from server.services.scheme_rules import catalogue_in_force
from server.services.score_publishing import judged, rewarded, standing_of
from server.services.score_rewards import reward_book
from server.services.score_settings import APPEAL_DAYS, cycles, number
from server.services.scoring import score_touched
from server.services.sources import lookback_days, unusable_facts
from server.store import change_queries, log_queries, period_queries, score_queries, segment_queries, user_queries
from server.store.company_zone import company_zone
from server.store.database import Database
from server.store.period_queries import ClosedRow, ComputedCard, PartRow, PeriodClosing
from server.store.score_queries import Post
from server.store.segment_queries import SegmentRow
from shared.clock import WallMs, from_ms, to_ms
from shared.errors import DataError

Code: TypeAlias = Literal[
    "period_not_over",
    "computing",
    "calibrations",
    "vetoes",
    "provisional",
    "sources_away",
    "unscored",
    "previous_open",
]
BLOCKING: tuple[Code, ...] = ("period_not_over", "computing", "calibrations", "vetoes")
"""What is published would be wrong, or somebody's word would be lost."""
ADVISORY: tuple[Code, ...] = ("provisional", "sources_away", "unscored", "previous_open")
"""May stay by a decision: figures that are not final keep their mark, and what comes later is an adjustment."""

TOPIC = "periods"


@dataclass(frozen=True, slots=True)
class NotFinal:
    """An indicator whose figures can still change by rows that are expected."""

    indicator: str
    final_on: dt.date
    """First day on which it is final."""


@dataclass(frozen=True, slots=True)
class PeriodChecked:
    """A period before its closing, of the people asked about."""

    items: list[Item[Code]]
    not_final: list[NotFinal]
    away: Mapping[str, str]
    """Facts that nothing can be scored by at the moment, with the reason."""
    people: int
    """With an open scorecard."""
    closed: int
    reading_away: frozenset[str] = frozenset()
    """Indicators that read such facts."""

    @property
    def provisional(self) -> set[str]:
        """Indicators that keep the mark when it is closed now."""
        return {one.indicator for one in self.not_final} | self.reading_away


# --- asking ---------------------------------------------------------------------------------------------------------


async def people_of(
    connection: AsyncConnection, scope: Scope, period: Period, department: str | None = None
) -> dict[str, Post]:
    """People in scope whose departments go by such periods and who were here in this one."""
    days, cycle = days_of(period), cycle_of(period)
    own = await cycles(connection)
    visible = await period_queries.people_in_scope(connection, scope)
    return {
        person: post
        for person, post in (await score_queries.everybody(connection)).items()
        if person in visible
        and cycle_in(post.departments, own) == cycle
        and (department is None or department in post.departments)
        and post.joined_on <= days.last
        and (post.left_on is None or post.left_on >= days.first)
    }


async def check(
    connection: AsyncConnection, scope: Scope, period: Period, now_ms: WallMs, department: str | None = None
) -> PeriodChecked:
    """What stands between a period and its closing, for people in scope."""
    people = await people_of(connection, scope, period, department)
    return await _checked(connection, people, period, now_ms)


async def _checked(
    connection: AsyncConnection, people: Mapping[str, Post], period: Period, now_ms: WallMs
) -> PeriodChecked:
    zone, days = await company_zone(connection), days_of(period)
    closed = await period_queries.closed_among(connection, [(one, period) for one in people])
    left = {person: post for person, post in people.items() if (person, period) not in closed}
    cards = await period_queries.computed(connection, left, period)
    calibrations = await period_queries.calibrations(connection, Scope.system(), period)
    vetoes = await period_queries.vetoes(connection, Scope.system(), period)
    today = from_ms(now_ms).astimezone(zone).date()
    read = _definitions(await catalogue_in_force(connection), cards.values())
    not_final = await _not_final(connection, read, days, today, zone)
    away = await _away(connection, read, now_ms)
    reading = frozenset(one.id for one in read if facts_read(one) & away.keys())
    counts: dict[Code, int] = {
        "period_not_over": int(today <= days.last),
        "computing": await period_queries.waiting(connection, [(one, period) for one in left]),
        "calibrations": sum(one.state == "waiting" and one.employee in left for one in calibrations),
        "vetoes": sum(one.state == "waiting" and one.employee in left for one in vetoes),
        "provisional": len(not_final),
        "sources_away": len(away),
        "unscored": sum(card.total is None for card in cards.values()),
        "previous_open": await _open_before(connection, left, period),
    }
    return PeriodChecked(items_of(counts, BLOCKING, ADVISORY), not_final, away, len(cards), len(closed), reading)


async def _not_final(
    connection: AsyncConnection, read: Sequence[Indicator], days: Days, today: dt.date, zone: ZoneInfo
) -> list[NotFinal]:
    """Indicators of these cards whose windows are not over: their own, the lookback of their facts, or a campaign."""
    lookback, ends = await lookback_days(connection), await endings(connection, read, days, zone)
    days_final = [(one.id, final_on(one, days.last, lookback, ends.get(one.id))) for one in read]
    return [NotFinal(name, day) for name, day in days_final if today < day]


def _definitions(catalogue: Catalogue, cards: Collection[ComputedCard]) -> list[Indicator]:
    """Indicators of these cards, in the versions they were scored by."""
    versions = {(row.indicator, row.lineage.rule_version) for card in cards for row in card.scores}
    found = (catalogue.version(name, version) for name, version in sorted(versions))
    return [one for one in found if one is not None]


async def _away(connection: AsyncConnection, read: Sequence[Indicator], now_ms: WallMs) -> dict[str, str]:
    unusable = await unusable_facts(connection, now_ms)
    facts = {fact for one in read for fact in facts_read(one)}
    return {fact: reason for fact, reason in sorted(unusable.items()) if fact in facts}


async def _open_before(connection: AsyncConnection, people: Mapping[str, Post], period: Period) -> int:
    """How many earlier periods of the same kind are open for any of these people, once anything was closed at all."""
    if not await period_queries.closing_rows(connection):
        return 0
    mine = [
        (person, earlier)
        for person, earlier in await score_queries.cards_since(connection, "")
        if person in people and earlier < period and cycle_of(earlier) == cycle_of(period)
    ]
    closed = await period_queries.closed_among(connection, mine)
    return len({earlier for person, earlier in mine if (person, earlier) not in closed})


# --- closing --------------------------------------------------------------------------------------------------------


async def close_period(
    db: Database, act: Act, period: Period, department: str | None = None, *, accepted: Collection[str] = ()
) -> PeriodClosing:
    """Publish the cards of a period, of everybody or of a department; who is closed already stays as it was.

    DataError ``not_ready`` or ``not_accepted`` (see ``server.attendance.checklist``), ``nothing_to_close``.
    """
    days_of(period)
    async with db.writing() as connection:
        people = await people_of(connection, act.scope, period, department)
        if department is not None and department not in await user_queries.department_parents(connection):
            raise NotFoundError(f"department {department!r} is not there")
        closed = await period_queries.closed_among(connection, [(one, period) for one in people])
        await score_queries.touch_scores(connection, {(one, period) for one in people} - closed)
    await score_touched(db, act.at_ms)
    async with db.writing() as connection:
        await period_queries.hold_closing(connection)
        people = await people_of(connection, act.scope, period, department)
        checked = await _checked(connection, people, period, act.at_ms)
        if not checked.people:
            raise DataError(f"{period} has no open scorecards of these people", "nothing_to_close")
        refuse_unready(checked.items, accepted)
        taken = [item.code for item in checked.items if item.count and item.code in accepted]
        closing = await _note(connection, act, period, department, checked, taken=taken)
        await _publish(connection, closing, people)
        entry = act.entry("scores.close", period, people=checked.people, department=department, accepted=taken)
        await log_queries.append(connection, entry)
        await change_queries.note_changes(connection, {TOPIC, *(f"employee:{one}" for one in people)}, act.at_ms)
        return closing


async def _note(
    connection: AsyncConnection,
    act: Act,
    period: Period,
    department: str | None,
    checked: PeriodChecked,
    *,
    taken: Sequence[str],
) -> PeriodClosing:
    summary = {
        "items": {item.code: item.count for item in checked.items if item.count},
        "accepted": list(taken),
        "people": checked.people,
        "provisional": sorted(checked.provisional),
    }
    days, zone = await number(connection, APPEAL_DAYS), await company_zone(connection)
    values = {"period": period, "department": department or "", "closed_ms": act.at_ms, "closed_by": act.login}
    values |= {"appeal_until_ms": appeal_until(act.at_ms, days, zone), "summary": summary}
    return await period_queries.closing(connection, await period_queries.add_closing(connection, values))


async def _publish(connection: AsyncConnection, closing: PeriodClosing, people: Mapping[str, Post]) -> None:
    period, days = closing.period, days_of(closing.period)
    closed = await period_queries.closed_among(connection, [(one, period) for one in people])
    left = [person for person in people if (person, period) not in closed]
    catalogue, book = await catalogue_in_force(connection), await reward_book(connection)
    segments = await segment_queries.segments_of(connection, Scope.system(), period, left)
    above = await score_queries.departments_above(connection)
    calibrations = await period_queries.calibrations(connection, Scope.system(), period)
    vetoes = await period_queries.vetoes(connection, Scope.system(), period)
    cards = await period_queries.computed(connection, left, period)

    def closed_row(person: str) -> ClosedRow:
        parts = _parts(people[person], cards[person], days, segments.get(person, ()), above)
        row = _first_version(person, cards[person], closing, parts)
        row = judged(row, *standing_of(person, calibrations, vetoes))
        return rewarded(row, book.rules(person, people[person], days.last), catalogue)

    # Meanwhile people's pages are answered.
    rows = await asyncio.to_thread(lambda: [closed_row(person) for person in sorted(cards)])
    await period_queries.add_cards(connection, rows)


def _parts(
    post: Post, card: ComputedCard, days: Days, segments: Sequence[SegmentRow], above: Mapping[str, str | None]
) -> tuple[PartRow, ...]:
    if not segments:
        return (PartRow(days.first, days.last, post, card.scores),)
    return tuple(
        PartRow(
            one.first,
            one.last,
            replace(post, position=one.position, departments=tuple(score_queries.upwards(one.department, above))),
            one.scores,
        )
        for one in segments
    )


def _first_version(person: str, card: ComputedCard, closing: PeriodClosing, parts: tuple[PartRow, ...]) -> ClosedRow:
    read = {row.indicator for part in parts for row in part.scores}
    not_final = {*closing.summary["provisional"]} & read
    return ClosedRow(
        employee=person,
        period=closing.period,
        version=1,
        closing=closing.id,
        cause="closing",
        status=card.status,
        computed=card.total,
        coverage=card.coverage,
        calibration=None,
        adjustment=0,
        vetoes=(),
        veto_cap=None,
        final=None,
        grade=None,
        provisional=tuple(sorted(not_final)),
        reward_minor=0,
        rewards=(),
        parts=parts,
        published_ms=closing.closed_ms,
    )


def appeal_until(closed_ms: WallMs, days: int, zone: ZoneInfo) -> WallMs:
    """The end of the last day on which somebody may appeal."""
    day = from_ms(closed_ms).astimezone(zone).date() + dt.timedelta(days=days + 1)
    return to_ms(dt.datetime.combine(day, dt.time(), zone))
