"""Closed periods of scores: published cards, and what people and late facts have to say about them."""

import asyncio
import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, Row, Select, Table, delete, func, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.store.json_text import columns_as_text
from server.store.period_tables import (
    closed_cards,
    score_adjustments,
    score_appeals,
    score_calibrations,
    score_closings,
    score_settings,
    score_vetoes,
)
from server.store.ready import run
from server.store.reward_pay import Opener, opener_for, seal_pay
from server.store.scope_filter import ALL, Narrow, narrowed
from server.store.score_queries import ROWS, Card, Post, ScoreRow, scores_by_person
from server.store.tables import employees, scorecards, scores, touched_scores
from server.store.upsert import insert_into
from shared.clock import WallMs

CARD_LOCK = 7_005
"""Advisory lock on PostgreSQL: shared by whoever stores scorecards, alone for whoever closes a period or publishes."""


@dataclass(frozen=True, slots=True)
class PeriodClosing:
    """One closing of a period, of a department or of everybody."""

    id: int
    period: str
    department: str
    closed_ms: WallMs
    closed_by: str
    appeal_until_ms: WallMs
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PartRow:
    """Scores of one post of a closed period."""

    first: dt.date
    last: dt.date
    post: Post
    """As it was."""
    scores: tuple[ScoreRow, ...]


@dataclass(frozen=True, slots=True)
class ComputedCard:
    """An open scorecard."""

    status: str
    total: int | None
    coverage: tuple[int, int]
    scores: tuple[ScoreRow, ...]
    """Heaviest first."""


@dataclass(frozen=True, slots=True)
class RewardRow:
    """A reward of a closed card; exact numbers as text."""

    indicator: str
    base_minor: int
    step: str
    gain: str
    max_steps: int
    gates: Mapping[str, str | None]
    steps: int
    minor: int


@dataclass(frozen=True, slots=True)
class ClosedRow:
    """One version of a published card."""

    employee: str
    period: str
    version: int
    closing: int
    cause: str
    status: str
    computed: int | None
    coverage: tuple[int, int]
    calibration: int | None
    adjustment: int
    vetoes: tuple[int, ...]
    veto_cap: int | None
    final: int | None
    grade: str | None
    provisional: tuple[str, ...]
    reward_minor: int
    rewards: tuple[RewardRow, ...]
    parts: tuple[PartRow, ...]
    """One for each post, by date."""
    published_ms: WallMs
    name: str = ""
    department: str = ""
    position: str = ""
    """The person as of now."""


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """Points that somebody proposed."""

    id: int
    employee: str
    period: str
    points: int
    reason: str
    appeal: int | None
    state: str
    proposed_by: str
    proposed_ms: WallMs
    decided_by: str | None
    decided_ms: WallMs | None
    note: str
    name: str
    department: str


@dataclass(frozen=True, slots=True)
class VetoRow:
    """A grave event that somebody reported."""

    id: int
    employee: str
    period: str
    kind: str
    evidence: str
    cap: int
    state: str
    reported_by: str
    reported_ms: WallMs
    decided_by: str | None
    decided_ms: WallMs | None
    note: str
    name: str
    department: str


@dataclass(frozen=True, slots=True)
class AppealRow:
    """What somebody says against the own card."""

    id: int
    employee: str
    period: str
    version: int
    indicator: str | None
    text: str
    filed_ms: WallMs
    state: str
    decided_by: str | None
    decided_ms: WallMs | None
    note: str
    name: str
    department: str


@dataclass(frozen=True, slots=True)
class SideRow:
    """Figures of one side of an adjustment; ``value`` exact."""

    value: str | None
    points: int | None
    total: int | None
    money_minor: int


@dataclass(frozen=True, slots=True)
class PeriodAdjustment:
    """What a closed card would say now of one indicator, posted to a period that was open."""

    employee: str
    period: str
    indicator: str
    part: int
    posted_to: str
    cause: str
    numerator: int
    denominator: int
    sample: int
    no_score: str | None
    before: SideRow
    after: SideRow
    total: int | None
    """Difference in hundredths of a point."""
    money_minor: int
    computed_ms: WallMs
    name: str = ""
    department: str = ""


Decided: TypeAlias = CalibrationRow | VetoRow | AppealRow

# --- settings -------------------------------------------------------------------------------------------------------


async def settings(connection: AsyncConnection) -> dict[str, Any]:
    """All that were ever set, by name."""
    return {row.name: row.value for row in await connection.execute(select(score_settings))}


async def put_setting(connection: AsyncConnection, name: str, value: Any, *, actor: str, at_ms: WallMs) -> None:
    """Set one in place of what was there."""
    statement = insert_into(connection, score_settings).values(name=name, value=value, set_by=actor, set_ms=at_ms)
    changed = {column: statement.excluded[column] for column in ("value", "set_by", "set_ms")}
    await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))


# --- closings and cards ---------------------------------------------------------------------------------------------


async def hold_closed(connection: AsyncConnection) -> None:
    """No period is closed before this transaction ends; for whoever stores scorecards."""
    if connection.dialect.name == "postgresql":
        await run(connection, _hold)


def _hold() -> Select[Any]:
    return select(func.pg_advisory_xact_lock_shared(CARD_LOCK))


async def hold_closed_to_score(connection: AsyncConnection) -> None:
    """The same for whoever computes scorecards: PostgreSQL does not wait for the disk before it says that it is done.

    What is lost with the power is computed again, as the touch that asked for it is there again too.
    """
    if connection.dialect.name == "postgresql":
        await run(connection, _hold_to_score)


def _hold_to_score() -> Select[Any]:
    return select(func.pg_advisory_xact_lock_shared(CARD_LOCK), func.set_config("synchronous_commit", "off", true()))


async def hold_closing(connection: AsyncConnection) -> None:
    """Nobody stores a scorecard or closes a period before this transaction ends."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(CARD_LOCK)))


async def closed_among(connection: AsyncConnection, cards: Iterable[Card]) -> set[Card]:
    """Those of these cards that are closed."""
    wanted, found = sorted(set(cards)), set[Card]()
    key = tuple_(closed_cards.c.employee, closed_cards.c.period)
    for start in range(0, len(wanted), ROWS):
        asked = select(closed_cards.c.employee, closed_cards.c.period).where(
            closed_cards.c.newest, key.in_(wanted[start : start + ROWS])
        )
        found |= {(row.employee, row.period) for row in await connection.execute(asked)}
    return found


async def periods_closed(connection: AsyncConnection, people: Collection[str]) -> dict[str, set[str]]:
    """Closed periods by person."""
    asked = select(closed_cards.c.employee, closed_cards.c.period)
    found: dict[str, set[str]] = {}
    rows = await connection.execute(asked.where(closed_cards.c.newest, closed_cards.c.employee.in_(sorted(people))))
    for row in rows:
        found.setdefault(row.employee, set()).add(row.period)
    return found


async def indicators_closed(connection: AsyncConnection, since_ms: WallMs) -> dict[Card, set[str]]:
    """Indicators of closed cards, of closings since."""
    card, closing_ = closed_cards.c, score_closings.c
    own = (scores.c.employee == card.employee) & (scores.c.period == card.period)
    joined = closed_cards.join(score_closings, closing_.id == card.closing).join(scores, own)
    wanted = select(card.employee, card.period, scores.c.indicator).select_from(joined)
    found: dict[Card, set[str]] = {}
    for row in await connection.execute(wanted.where(card.newest, closing_.closed_ms >= since_ms)):
        found.setdefault((row.employee, row.period), set()).add(row.indicator)
    return found


async def add_closing(connection: AsyncConnection, values: Mapping[str, Any]) -> int:
    """Note a closing; its number."""
    made = await connection.execute(score_closings.insert().values(dict(values)).returning(score_closings.c.id))
    return int(made.scalar_one())


async def closing_rows(connection: AsyncConnection, period: str | None = None) -> list[PeriodClosing]:
    """Closings of a period or of all, newest first."""
    wanted = select(score_closings).order_by(score_closings.c.id.desc())
    if period is not None:
        wanted = wanted.where(score_closings.c.period == period)
    return [PeriodClosing(*row) for row in await connection.execute(wanted)]


async def closing(connection: AsyncConnection, number: int) -> PeriodClosing:
    """One that is there."""
    return PeriodClosing(*(await connection.execute(select(score_closings).where(score_closings.c.id == number))).one())


async def add_cards(connection: AsyncConnection, rows: Sequence[ClosedRow]) -> None:
    """Publish these versions; those before them stay, as no longer the newest."""
    if not rows:
        return
    key = tuple_(closed_cards.c.employee, closed_cards.c.period)
    cards = [(row.employee, row.period) for row in rows]
    for start in range(0, len(cards), ROWS):
        former = update(closed_cards).where(closed_cards.c.newest, key.in_(cards[start : start + ROWS]))
        await connection.execute(former.values(newest=False))
    amounts = [((row.employee, row.period, row.version), _amounts(row)) for row in rows]
    sealed = await seal_pay(connection, closed_cards, amounts)
    values = [_card_values(row) | {"sealed": one} for row, one in zip(rows, sealed, strict=True)]
    await connection.execute(closed_cards.insert(), values)


async def published(
    connection: AsyncConnection,
    scope: Scope,
    period: str,
    narrow: Narrow = ALL,
    people: Collection[str] | None = None,
    *,
    pay: bool = True,
) -> list[ClosedRow]:
    """Newest versions of a period in scope, by name; without ``pay`` rewards stay closed and are left out."""
    wanted = _cards(scope, narrow).where(closed_cards.c.newest, closed_cards.c.period == period)
    if people is not None:
        wanted = wanted.where(closed_cards.c.employee.in_(sorted(people)))
    return await _read(connection, wanted.order_by(employees.c.name, employees.c.id), pay=pay)


async def versions(
    connection: AsyncConnection, scope: Scope, employee: str, period: str, *, pay: bool = True
) -> list[ClosedRow]:
    """All versions of a person's card of a period, newest first; none when it is open or out of scope."""
    wanted = _cards(scope, ALL).where(closed_cards.c.employee == employee, closed_cards.c.period == period)
    return await _read(connection, wanted.order_by(closed_cards.c.version.desc()), pay=pay)


async def newest(connection: AsyncConnection, cards: Collection[Card], *, pay: bool = True) -> list[ClosedRow]:
    """Newest versions of these cards; for engines."""
    key = tuple_(closed_cards.c.employee, closed_cards.c.period)
    wanted = _cards(Scope.system(), ALL).where(closed_cards.c.newest, key.in_(sorted(cards)))
    return await _read(connection, wanted, pay=pay)


async def closed_counts(connection: AsyncConnection, scope: Scope) -> dict[str, int]:
    """How many people in scope have a closed card, by period."""
    joined = closed_cards.join(employees, employees.c.id == closed_cards.c.employee)
    wanted = select(closed_cards.c.period, func.count()).select_from(joined)
    wanted = wanted.where(closed_cards.c.newest, *narrowed(scope, ALL)).group_by(closed_cards.c.period)
    return {row[0]: row[1] for row in await connection.execute(wanted)}


async def computed(connection: AsyncConnection, people: Collection[str], period: str) -> dict[str, ComputedCard]:
    """Scorecards of a period as they are stored now, by person."""
    wanted, found = sorted(people), dict[str, ComputedCard]()
    for start in range(0, len(wanted), ROWS):
        some = wanted[start : start + ROWS]
        mine = select(*columns_as_text(scores)).where(scores.c.period == period, scores.c.employee.in_(some))
        heads = select(scorecards).where(scorecards.c.period == period, scorecards.c.employee.in_(some))
        rows, cards = (await connection.execute(mine)).all(), (await connection.execute(heads)).all()
        found |= await asyncio.to_thread(_computed, cards, rows)  # meanwhile people's pages are answered
    return found


def _computed(cards: Iterable[Row[Any]], rows: Iterable[Row[Any]]) -> dict[str, ComputedCard]:
    scored, found = scores_by_person(rows), dict[str, ComputedCard]()
    for row in cards:
        own = sorted(scored.get(row.employee, ()), key=lambda one: (-one.lineage.weight[0], one.indicator))
        coverage = (row.coverage_num, row.coverage_den)
        found[row.employee] = ComputedCard(row.status, row.total_centi, coverage, tuple(own))
    return found


async def people_in_scope(connection: AsyncConnection, scope: Scope, narrow: Narrow = ALL) -> set[str]:
    """Ids of everybody there."""
    return set(await connection.scalars(select(employees.c.id).where(*narrowed(scope, narrow))))


async def waiting(connection: AsyncConnection, cards: Collection[Card]) -> int:
    """How many of these cards are still to be computed."""
    key = tuple_(touched_scores.c.employee, touched_scores.c.period)
    wanted, found = sorted(cards), 0
    for start in range(0, len(wanted), ROWS):
        asked = select(func.count()).select_from(touched_scores).where(key.in_(wanted[start : start + ROWS]))
        found += await connection.scalar(asked) or 0
    return found


def _cards(scope: Scope, narrow: Narrow) -> Select[Any]:
    person = (employees.c.name, employees.c.department.label("in_department"), employees.c.position)
    joined = closed_cards.join(employees, employees.c.id == closed_cards.c.employee)
    return select(*columns_as_text(closed_cards), *person).select_from(joined).where(*narrowed(scope, narrow))


async def _read(connection: AsyncConnection, wanted: Select[Any], *, pay: bool) -> list[ClosedRow]:
    rows = (await connection.execute(wanted)).all()
    opener = await opener_for(connection, (row.sealed for row in rows)) if pay else None
    return await asyncio.to_thread(_read_cards, rows, opener)  # meanwhile people's pages are answered


def _read_cards(rows: Iterable[Row[Any]], opener: Opener | None) -> list[ClosedRow]:
    return [_card(row, opener) for row in rows]


def _rewards(row: Row[Any], opener: Opener | None) -> tuple[int, tuple[RewardRow, ...]]:
    """What rewards come to, and each of them."""
    if opener is None:
        return 0, ()
    rules = msgspec.json.decode(row.rewards)
    place = (row.employee, row.period, row.version)
    whole, *each = opener.open(closed_cards, place, row.sealed, 1 + 2 * len(rules))
    amounts = zip(each[::2], each[1::2], strict=True)
    return whole, tuple(
        RewardRow(**rule, base_minor=base, minor=minor) for rule, (base, minor) in zip(rules, amounts, strict=True)
    )


def _amounts(row: ClosedRow) -> list[int]:
    return [row.reward_minor, *(amount for one in row.rewards for amount in (one.base_minor, one.minor))]


def _card(row: Row[Any], opener: Opener | None) -> ClosedRow:
    reward_minor, rewards = _rewards(row, opener)
    return ClosedRow(
        employee=row.employee,
        period=row.period,
        version=row.version,
        closing=row.closing,
        cause=row.cause,
        status=row.status,
        computed=row.computed_centi,
        coverage=(row.coverage_num, row.coverage_den),
        calibration=row.calibration,
        adjustment=row.adjustment_centi,
        vetoes=msgspec.json.decode(row.vetoes, type=tuple[int, ...]),
        veto_cap=row.veto_cap_centi,
        final=row.final_centi,
        grade=row.grade,
        provisional=msgspec.json.decode(row.provisional, type=tuple[str, ...]),
        reward_minor=reward_minor,
        rewards=rewards,
        parts=msgspec.json.decode(row.parts, type=tuple[PartRow, ...]),
        published_ms=row.published_ms,
        name=row.name,
        department=row.in_department,
        position=row.position,
    )


def _card_values(row: ClosedRow) -> dict[str, Any]:
    return {
        "employee": row.employee,
        "period": row.period,
        "version": row.version,
        "newest": True,
        "closing": row.closing,
        "cause": row.cause,
        "status": row.status,
        "computed_centi": row.computed,
        "coverage_num": row.coverage[0],
        "coverage_den": row.coverage[1],
        "calibration": row.calibration,
        "adjustment_centi": row.adjustment,
        "vetoes": list(row.vetoes),
        "veto_cap_centi": row.veto_cap,
        "final_centi": row.final,
        "grade": row.grade,
        "provisional": list(row.provisional),
        "rewards": [_bare(one, "base_minor", "minor") for one in row.rewards],
        "parts": msgspec.to_builtins(row.parts),
        "published_ms": row.published_ms,
    }


def _bare(one: Any, *amounts: str) -> dict[str, Any]:
    """As it is kept in sight."""
    return {name: value for name, value in msgspec.to_builtins(one).items() if name not in amounts}


# --- calibrations, vetoes, appeals ----------------------------------------------------------------------------------

_TABLES: Mapping[type[Decided], Table] = {
    CalibrationRow: score_calibrations,
    VetoRow: score_vetoes,
    AppealRow: score_appeals,
}


async def calibrations(
    connection: AsyncConnection, scope: Scope, period: str | None = None, narrow: Narrow = ALL
) -> list[CalibrationRow]:
    """Of people in scope, newest first."""
    where = [] if period is None else [score_calibrations.c.period == period]
    return [CalibrationRow(*row) for row in await _rows(connection, score_calibrations, scope, narrow, where)]


async def vetoes(
    connection: AsyncConnection, scope: Scope, period: str | None = None, narrow: Narrow = ALL
) -> list[VetoRow]:
    """Of people in scope, newest first."""
    where = [] if period is None else [score_vetoes.c.period == period]
    return [VetoRow(*row) for row in await _rows(connection, score_vetoes, scope, narrow, where)]


async def appeals(
    connection: AsyncConnection, scope: Scope, period: str | None = None, narrow: Narrow = ALL
) -> list[AppealRow]:
    """Of people in scope, newest first."""
    where = [] if period is None else [score_appeals.c.period == period]
    return [AppealRow(*row) for row in await _rows(connection, score_appeals, scope, narrow, where)]


async def appeals_filed(
    connection: AsyncConnection, scope: Scope, since_ms: WallMs, before_ms: WallMs
) -> list[AppealRow]:
    """Of people in scope, filed at ``since_ms`` or later and before ``before_ms``, whatever became of them."""
    where = [score_appeals.c.filed_ms >= since_ms, score_appeals.c.filed_ms < before_ms]
    return [AppealRow(*row) for row in await _rows(connection, score_appeals, scope, ALL, where)]


async def appeals_decided(
    connection: AsyncConnection, scope: Scope, since_ms: WallMs, before_ms: WallMs
) -> list[AppealRow]:
    """Of people in scope, decided for good at ``since_ms`` or later and before ``before_ms``."""
    when = [score_appeals.c.decided_ms >= since_ms, score_appeals.c.decided_ms < before_ms]
    where = [*when, score_appeals.c.state.in_(("upheld", "changed", "refused"))]
    return [AppealRow(*row) for row in await _rows(connection, score_appeals, scope, ALL, where)]


async def calibrations_of(connection: AsyncConnection, employee: str, period: str) -> list[CalibrationRow]:
    """Of one card, newest first; for engines."""
    where = [score_calibrations.c.employee == employee, score_calibrations.c.period == period]
    return [CalibrationRow(*row) for row in await _rows(connection, score_calibrations, Scope.system(), ALL, where)]


async def vetoes_of(connection: AsyncConnection, employee: str, period: str) -> list[VetoRow]:
    """Of one card, newest first; for engines."""
    where = [score_vetoes.c.employee == employee, score_vetoes.c.period == period]
    return [VetoRow(*row) for row in await _rows(connection, score_vetoes, Scope.system(), ALL, where)]


async def calibration(connection: AsyncConnection, scope: Scope, number: int) -> CalibrationRow | None:
    """One of somebody in scope."""
    rows = await _rows(connection, score_calibrations, scope, ALL, [score_calibrations.c.id == number])
    return CalibrationRow(*rows[0]) if rows else None


async def veto(connection: AsyncConnection, scope: Scope, number: int) -> VetoRow | None:
    """One of somebody in scope."""
    rows = await _rows(connection, score_vetoes, scope, ALL, [score_vetoes.c.id == number])
    return VetoRow(*rows[0]) if rows else None


async def appeal(connection: AsyncConnection, scope: Scope, number: int) -> AppealRow | None:
    """One of somebody in scope."""
    rows = await _rows(connection, score_appeals, scope, ALL, [score_appeals.c.id == number])
    return AppealRow(*rows[0]) if rows else None


async def add(connection: AsyncConnection, kind: type[Decided], values: Mapping[str, Any]) -> int:
    """Store a new one; its number."""
    table = _TABLES[kind]
    made = await connection.execute(table.insert().values(note="", **values).returning(table.c.id))
    return int(made.scalar_one())


async def decide(
    connection: AsyncConnection, row: Decided, state: str, *, actor: str | None, at_ms: WallMs | None, note: str = ""
) -> None:
    """Note what became of one."""
    table = _TABLES[type(row)]
    values = {"state": state, "decided_by": actor, "decided_ms": at_ms, "note": note}
    await connection.execute(update(table).where(table.c.id == row.id).values(values))


async def _rows(
    connection: AsyncConnection, table: Table, scope: Scope, narrow: Narrow, where: Sequence[ColumnElement[bool]]
) -> list[tuple[Any, ...]]:
    joined = table.join(employees, employees.c.id == table.c.employee)
    wanted = select(table, employees.c.name, employees.c.department).select_from(joined)
    wanted = wanted.where(*where, *narrowed(scope, narrow)).order_by(table.c.id.desc())
    return [tuple(row) for row in await connection.execute(wanted)]


# --- adjustments ----------------------------------------------------------------------------------------------------


async def adjustments(
    connection: AsyncConnection,
    scope: Scope,
    narrow: Narrow = ALL,
    *,
    posted_to: str | None = None,
    of: str | None = None,
    people: Collection[str] | None = None,
    pay: bool = True,
) -> list[PeriodAdjustment]:
    """Adjustments posted to a period, or of a closed one, by person; a person's in the order they were posted.

    Without ``pay`` money stays closed and is 0.
    """
    table = score_adjustments.c
    joined = score_adjustments.join(employees, employees.c.id == table.employee)
    wanted = select(score_adjustments, employees.c.name, employees.c.department).select_from(joined)
    if posted_to is not None:
        wanted = wanted.where(table.posted_to == posted_to)
    if of is not None:
        wanted = wanted.where(table.period == of)
    if people is not None:
        wanted = wanted.where(table.employee.in_(sorted(people)))
    order = (employees.c.name, table.employee, table.period, table.posted_to, table.part, table.indicator)
    rows = (await connection.execute(wanted.where(*narrowed(scope, narrow)).order_by(*order))).all()
    opener = await opener_for(connection, (row.sealed for row in rows)) if pay else None
    return [_adjustment(row, opener) for row in rows]


async def replace_adjustments(
    connection: AsyncConnection, employee: str, period: str, posted_to: str, rows: Sequence[PeriodAdjustment]
) -> None:
    """Store what a closed card would say now, in place of what was posted to the same open period before."""
    table = score_adjustments.c
    same = (table.employee == employee, table.period == period, table.posted_to == posted_to)
    await connection.execute(delete(score_adjustments).where(*same))
    if rows:
        money = [(_place(row), (row.money_minor, row.before.money_minor, row.after.money_minor)) for row in rows]
        sealed = await seal_pay(connection, score_adjustments, money)
        own = [field.name for field in fields(PeriodAdjustment) if field.name in score_adjustments.c]
        values = [
            {name: getattr(row, name) for name in own}
            | {"before": _bare(row.before, "money_minor"), "after": _bare(row.after, "money_minor")}
            | {"total_centi": row.total, "sealed": one}
            for row, one in zip(rows, sealed, strict=True)
        ]
        await connection.execute(score_adjustments.insert(), values)


def _place(row: Any) -> tuple[Any, ...]:
    return row.employee, row.period, row.indicator, row.part, row.posted_to


def _adjustment(row: Row[Any], opener: Opener | None) -> PeriodAdjustment:
    money = (0, 0, 0) if opener is None else opener.open(score_adjustments, _place(row), row.sealed, 3)
    return PeriodAdjustment(
        employee=row.employee,
        period=row.period,
        indicator=row.indicator,
        part=row.part,
        posted_to=row.posted_to,
        cause=row.cause,
        numerator=row.numerator,
        denominator=row.denominator,
        sample=row.sample,
        no_score=row.no_score,
        before=SideRow(**row.before, money_minor=money[1]),
        after=SideRow(**row.after, money_minor=money[2]),
        total=row.total_centi,
        money_minor=money[0],
        computed_ms=row.computed_ms,
        name=row.name,
        department=row.department,
    )
