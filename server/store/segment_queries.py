"""Scores of people with several posts in a period, one for each (KS-7)."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
from sqlalchemy import Row, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.scoring.scorecard import Mean
from server.store.json_text import columns_as_text
from server.store.scheme_tables import score_segments
from server.store.scope_filter import visible
from server.store.score_queries import Card, ScoreRow
from server.store.tables import employees


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """What somebody had in one post of a period."""

    first: date
    last: date
    department: str
    position: str
    mean: Mean
    scores: tuple[ScoreRow, ...]
    """Heaviest first."""


async def replace_segments(
    connection: AsyncConnection, cards: Collection[Card], segments: Mapping[Card, Sequence[SegmentRow]]
) -> None:
    """Store the segments of these cards in place of the former ones; a card with one post has none."""
    if not cards:
        return
    key = tuple_(score_segments.c.employee, score_segments.c.period)
    await connection.execute(delete(score_segments).where(key.in_(sorted(cards))))
    rows = [_values(card, number, one) for card in sorted(cards) for number, one in enumerate(segments.get(card, ()))]
    if rows:
        await connection.execute(score_segments.insert(), rows)


async def segments_of(
    connection: AsyncConnection, scope: Scope, period: str, people: Collection[str] | None = None
) -> dict[str, tuple[SegmentRow, ...]]:
    """Segments of a period by person, of everybody in scope or of some of them."""
    joined = score_segments.join(employees, employees.c.id == score_segments.c.employee)
    wanted = select(*columns_as_text(score_segments)).select_from(joined)
    wanted = wanted.where(score_segments.c.period == period, visible(scope))
    if people is not None:
        wanted = wanted.where(score_segments.c.employee.in_(sorted(people)))
    rows = await connection.execute(wanted.order_by(score_segments.c.employee, score_segments.c.number))
    return await asyncio.to_thread(_by_person, rows.all())  # meanwhile people's pages are answered


def _by_person(rows: Iterable[Row[Any]]) -> dict[str, tuple[SegmentRow, ...]]:
    found: dict[str, tuple[SegmentRow, ...]] = {}
    for row in rows:
        found[row.employee] = (*found.get(row.employee, ()), _segment(row))
    return found


def _values(card: Card, number: int, one: SegmentRow) -> dict[str, Any]:
    mean = one.mean
    return {
        "employee": card[0],
        "period": card[1],
        "number": number,
        "from_on": one.first,
        "to_on": one.last,
        "department": one.department,
        "position": one.position,
        "points": None if mean.points is None else _exact(mean.points),
        "coverage": _exact(mean.coverage),
        "scores": msgspec.to_builtins(one.scores),
    }


def _segment(row: Row[Any]) -> SegmentRow:
    mean = Mean(None if row.points is None else Fraction(row.points), Fraction(row.coverage))
    scores = msgspec.json.decode(row.scores, type=tuple[ScoreRow, ...])
    return SegmentRow(row.from_on, row.to_on, row.department, row.position, mean, scores)


def _exact(number: Fraction) -> str:
    return f"{number.numerator}/{number.denominator}"
