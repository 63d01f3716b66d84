"""Scores: the rows they are computed from, what they came to, and who may see both.

A number and the list of rows behind it come from one statement, so that they can not disagree.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Integer, Row, Select, and_, case, delete, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.record import UNFINISHED
from server.scoring.lineage import Lineage
from server.scoring.scorecard import Observed
from server.store.scope_filter import visible
from server.store.tables import (
    attendance_days,
    employees,
    followers,
    scans,
    scorecards,
    scores,
    shipments,
    sites,
    touched_scores,
)
from server.store.upsert import insert_into
from shared.clock import WallMs

ROWS = 5_000
"""Rows of one statement: PostgreSQL takes at most 32,767 values."""

Card: TypeAlias = tuple[str, str]
"""Employee and period (YYYY-MM)."""


@dataclass(frozen=True, slots=True)
class TouchedCard:
    """A scorecard to be computed, and the touch that asked for it."""

    employee: str
    period: str
    mark: int


@dataclass(frozen=True, slots=True)
class Post:
    """What decides a person's weights, and where their days begin."""

    position: str
    joined_on: date
    left_on: date | None
    zone: str


@dataclass(frozen=True, slots=True)
class Span:
    """The rows of a period: dates, both inclusive, and instants ``from_ms <= due < to_ms``, at most up to the cut."""

    first: date
    last: date
    from_ms: WallMs
    to_ms: WallMs
    cut_ms: WallMs


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One stored indicator score; ``points`` in millionths, None with a reason in ``no_score``."""

    indicator: str
    sample: int
    points: int | None
    no_score: str | None
    lineage: Lineage
    computed_ms: WallMs


@dataclass(frozen=True, slots=True)
class ScorecardRow:
    """One stored scorecard; ``total`` in hundredths of a point, None while data is insufficient."""

    employee: str
    name: str
    department: str
    period: str
    periods: tuple[str, ...]
    """Periods with scores, newest first."""
    status: str
    total: int | None
    coverage: tuple[int, int]
    computed_ms: WallMs
    scores: tuple[ScoreRow, ...]
    """Heaviest first."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row behind a number."""

    kind: str
    """``attendance_day`` or ``shipment``."""
    key: str
    """Date, or tracking number."""
    at_ms: WallMs | None
    """Due instant of a parcel."""
    counts: bool
    """In the numerator."""
    status: str
    """Of a day, or ``on_time``, ``delivered_late``, ``late``."""
    delivered_ms: WallMs | None
    refs: tuple[int, ...]
    """Ids of the punches or scans behind it."""


# --- asking for scores ----------------------------------------------------------------------------------------------


async def touch_scores(connection: AsyncConnection, pairs: Iterable[Card]) -> None:
    """Ask for the scores of these (employee, YYYY-MM) to be computed again.

    Comes after ``touch_days`` and before ``note_changes``; row order and marks are as there.
    """
    wanted = sorted(set(pairs))
    mark = secrets.randbits(62)
    for start in range(0, len(wanted), ROWS):
        rows = [{"employee": e, "period": p, "mark": mark} for e, p in wanted[start : start + ROWS]]
        statement = insert_into(connection, touched_scores).values(rows)
        changed = {"mark": statement.excluded.mark}
        await connection.execute(statement.on_conflict_do_update(index_elements=["employee", "period"], set_=changed))


async def touched(connection: AsyncConnection, limit: int) -> list[TouchedCard]:
    """Scorecards that wait, by period and employee."""
    first = select(touched_scores).order_by(touched_scores.c.period, touched_scores.c.employee).limit(limit)
    return [TouchedCard(row.employee, row.period, row.mark) for row in await connection.execute(first)]


async def claim(connection: AsyncConnection, computed: Sequence[TouchedCard]) -> set[Card]:
    """Those cards whose touch is still the one that was computed: they wait no more. Others are not to be stored."""
    key = tuple_(touched_scores.c.employee, touched_scores.c.period, touched_scores.c.mark)
    same = key.in_([(row.employee, row.period, row.mark) for row in computed])
    in_order = select(touched_scores.c.employee, touched_scores.c.period).where(same)
    in_order = in_order.order_by(touched_scores.c.employee, touched_scores.c.period).with_for_update()
    cards = {(row.employee, row.period) for row in await connection.execute(in_order)}
    await connection.execute(delete(touched_scores).where(same))
    return cards


# --- what is counted ------------------------------------------------------------------------------------------------


async def posts(connection: AsyncConnection, people: Collection[str]) -> dict[str, Post]:
    """Post of each of these people."""
    columns = [employees.c[name] for name in ("id", "position", "joined_on", "left_on")]
    wanted = select(*columns, sites.c.zone).select_from(employees.join(sites))
    rows = await connection.execute(wanted.where(employees.c.id.in_(sorted(people))))
    return {row.id: Post(row.position, row.joined_on, row.left_on, row.zone) for row in rows}


async def observed(connection: AsyncConnection, fact: str, people: Collection[str], span: Span) -> dict[str, Observed]:
    """Counted rows of a fact for each of these people who has any."""
    rows = _FACTS[fact](people, span).subquery()
    counted = select(rows.c.employee, func.sum(rows.c.counts).label("good"), func.count().label("number"))
    found = await connection.execute(counted.group_by(rows.c.employee))
    return {row.employee: Observed(int(row.good), row.number, row.number) for row in found}


async def watermarks(connection: AsyncConnection) -> dict[str, int]:
    """How far each follower of the feed has come."""
    wanted = select(followers.c.name, followers.c.feed_id).where(followers.c.name.not_like("sweep:%"))
    return {row.name: row.feed_id for row in await connection.execute(wanted)}


def _days(people: Collection[str], span: Span) -> Select[Any]:
    """Finished dates with required minutes, one row a date; it counts when every record is normal."""
    day = attendance_days.c
    running = (day.status == "not_yet") | and_(day.pending_min > 0, day.status.in_(sorted(UNFINISHED)))
    wrong = case((day.status != "normal", day.status))
    return (
        select(
            day.employee,
            day.date.label("day"),
            case((func.count(wrong) == 0, 1), else_=0).cast(Integer).label("counts"),
            func.coalesce(func.min(wrong), literal("normal")).label("status"),
        )
        .where(day.employee.in_(sorted(people)), day.date.between(span.first, span.last))
        .group_by(day.employee, day.date)
        .having(func.sum(day.required_min) > 0, func.sum(case((running, 1), else_=0)) == 0)
    )


def _parcels(people: Collection[str], span: Span) -> Select[Any]:
    """Parcels due up to the cut; not those cancelled before they were picked up or excused by force majeure."""
    parcel = shipments.c
    in_time = and_(parcel.delivered_at_ms.is_not(None), parcel.delivered_at_ms <= parcel.due_ms)
    never_went = and_(
        parcel.cancelled_at_ms.is_not(None),
        parcel.picked_up_at_ms.is_(None) | (parcel.cancelled_at_ms < parcel.picked_up_at_ms),
    )
    due = (parcel.due_ms >= span.from_ms, parcel.due_ms < span.to_ms, parcel.due_ms <= span.cut_ms)
    return select(
        parcel.courier.label("employee"),
        parcel.tracking_no,
        parcel.due_ms,
        parcel.delivered_at_ms,
        case((in_time, 1), else_=0).cast(Integer).label("counts"),
    ).where(parcel.courier.in_(sorted(people)), *due, ~never_went, parcel.force_majeure.is_(False))


_FACTS = {"attendance_day": _days, "shipment": _parcels}


# --- results --------------------------------------------------------------------------------------------------------


async def replace_cards(
    connection: AsyncConnection,
    cards: Collection[Card],
    totals: Mapping[Card, tuple[str, int | None, tuple[int, int]]],
    rows: Mapping[Card, Sequence[ScoreRow]],
    at_ms: WallMs,
) -> None:
    """Store scores and totals (status, hundredths of a point, coverage) of these cards in place of the former ones."""
    for table in (scores, scorecards):
        key = tuple_(table.c.employee, table.c.period)
        await connection.execute(delete(table).where(key.in_(sorted(cards))))
    kept = [card for card in sorted(cards) if card in totals]
    if not kept:
        return
    values = [_values(card, row) for card in kept for row in rows[card]]
    if values:
        await connection.execute(scores.insert(), values)
    heads = []
    for employee, period in kept:
        status, centi, (part, whole) = totals[employee, period]
        head: dict[str, Any] = {"employee": employee, "period": period, "status": status, "total_centi": centi}
        heads.append(head | {"coverage_num": part, "coverage_den": whole, "computed_ms": at_ms})
    await connection.execute(scorecards.insert(), heads)


# --- who may see them -----------------------------------------------------------------------------------------------


async def scorecard(
    connection: AsyncConnection, scope: Scope, employee: str, period: str | None = None
) -> ScorecardRow | None:
    """A person's scorecard of a period (YYYY-MM), the newest without one; None when there is none in scope."""
    joined = scorecards.join(employees, employees.c.id == scorecards.c.employee)
    mine = (scorecards.c.employee == employee, visible(scope))
    periods = select(scorecards.c.period).select_from(joined).where(*mine).order_by(scorecards.c.period.desc())
    known = tuple(await connection.scalars(periods))
    if not known or (period is not None and period not in known):
        return None
    wanted = period or known[0]
    head = select(scorecards, employees.c.name, employees.c.department).select_from(joined)
    card = (await connection.execute(head.where(*mine, scorecards.c.period == wanted))).one()
    found = await connection.execute(select(scores).where(scores.c.employee == employee, scores.c.period == wanted))
    rows = sorted((_score(row) for row in found), key=lambda row: (-row.lineage.weight[0], row.indicator))
    return ScorecardRow(
        employee=employee,
        name=card.name,
        department=card.department,
        period=wanted,
        periods=known,
        status=card.status,
        total=card.total_centi,
        coverage=(card.coverage_num, card.coverage_den),
        computed_ms=card.computed_ms,
        scores=tuple(rows),
    )


async def source_rows(
    connection: AsyncConnection,
    scope: Scope,
    employee: str,
    period: str,
    indicator: str,
    *,
    limit: int,
    offset: int = 0,
) -> tuple[int, list[SourceRow]] | None:
    """How many rows a score was counted from, and a page of them in order of time; None without such a score in scope.

    They are selected again as the score's lineage says: what changed since has touched the score, which follows.
    """
    joined = scores.join(employees, employees.c.id == scores.c.employee).join(sites, sites.c.id == employees.c.site)
    mine = (scores.c.employee == employee, scores.c.period == period, scores.c.indicator == indicator)
    stored = select(scores.c.lineage).select_from(joined).where(*mine, visible(scope))
    kept = await connection.scalar(stored)
    if kept is None:
        return None
    query = msgspec.convert(kept, Lineage).query
    span = Span(query.first, query.last, query.from_ms, query.to_ms, query.cut_ms)
    statement = _FACTS[query.fact]({employee}, span)
    total = await connection.scalar(select(func.count()).select_from(statement.subquery()))
    if query.fact == "shipment":
        page = statement.order_by(shipments.c.due_ms, shipments.c.tracking_no).limit(limit).offset(offset)
        return total or 0, await _parcel_rows(connection, (await connection.execute(page)).all())
    page = statement.order_by(attendance_days.c.date).limit(limit).offset(offset)
    return total or 0, await _day_rows(connection, employee, (await connection.execute(page)).all())


async def _parcel_rows(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[SourceRow]:
    numbers = [row.tracking_no for row in rows]
    found = await connection.execute(select(scans.c.code, scans.c.id).where(scans.c.code.in_(numbers)))
    refs: dict[str, list[int]] = {}
    for scan in found:
        refs.setdefault(scan.code, []).append(scan.id)
    return [
        SourceRow(
            kind="shipment",
            key=row.tracking_no,
            at_ms=row.due_ms,
            counts=bool(row.counts),
            status="on_time" if row.counts else "late" if row.delivered_at_ms is None else "delivered_late",
            delivered_ms=row.delivered_at_ms,
            refs=tuple(sorted(refs.get(row.tracking_no, ()))),
        )
        for row in rows
    ]


async def _day_rows(connection: AsyncConnection, employee: str, rows: Sequence[Row[Any]]) -> list[SourceRow]:
    days = [row.day for row in rows]
    columns = (attendance_days.c.date, attendance_days.c.explain)
    mine = (attendance_days.c.employee == employee, attendance_days.c.date.in_(days))
    refs: dict[date, list[int]] = {}
    for record in await connection.execute(select(*columns).where(*mine)):
        refs.setdefault(record.date, []).extend(record.explain["used"])
    return [
        SourceRow(
            kind="attendance_day",
            key=row.day.isoformat(),
            at_ms=None,
            counts=bool(row.counts),
            status=row.status,
            delivered_ms=None,
            refs=tuple(sorted(refs.get(row.day, ()))),
        )
        for row in rows
    ]


def _values(card: Card, row: ScoreRow) -> dict[str, Any]:
    return {
        "employee": card[0],
        "period": card[1],
        "indicator": row.indicator,
        "value_num": row.lineage.numerator,
        "value_den": row.lineage.denominator,
        "sample": row.sample,
        "score_micro": row.points,
        "no_score": row.no_score,
        "lineage": msgspec.to_builtins(row.lineage),
        "computed_ms": row.computed_ms,
    }


def _score(row: Row[Any]) -> ScoreRow:
    lineage = msgspec.convert(row.lineage, Lineage)
    return ScoreRow(row.indicator, row.sample, row.score_micro, row.no_score, lineage, row.computed_ms)
