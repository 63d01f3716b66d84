"""The shift library and patterns. They are the company's, so nobody's scope narrows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.facts import Flex, ShiftPlan
from server.rosters.pattern import Pattern
from server.rosters.shift import LibraryShift
from server.store.attendance_queries import EmployeeDay
from server.store.roster_tables import attendance_groups, patterns
from server.store.tables import roster, shifts
from server.store.upsert import insert_into


@dataclass(frozen=True, slots=True)
class PatternRow:
    """A pattern with its names."""

    id: str
    name_zh: str
    name_en: str
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Usage:
    """How often a shift is planned."""

    days: int
    first: date
    last: date


async def library(connection: AsyncConnection) -> dict[str, LibraryShift]:
    """Every shift by id, in order of start."""
    rows = await connection.execute(select(shifts).order_by(shifts.c.start, shifts.c.id))
    return {row.id: _shift(row) for row in rows}


async def usage(connection: AsyncConnection) -> dict[str, Usage]:
    """How often each shift that is planned at all is planned."""
    columns = [
        func.count().label("days"),
        func.min(roster.c.date).label("first"),
        func.max(roster.c.date).label("last"),
    ]
    rows = await connection.execute(select(roster.c.shift, *columns).group_by(roster.c.shift))
    return {row.shift: Usage(row.days, row.first, row.last) for row in rows}


async def days_on(connection: AsyncConnection, shift: str) -> list[EmployeeDay]:
    """Employee-days on which the shift is planned."""
    rows = await connection.execute(select(roster.c.employee, roster.c.date).where(roster.c.shift == shift))
    return [(row.employee, row.date) for row in rows]


async def put_shift(connection: AsyncConnection, shift: LibraryShift) -> None:
    """Add a shift, or change the one of that id."""
    plan = shift.plan
    values = {
        "id": plan.id,
        "name_zh": shift.name_zh,
        "name_en": shift.name_en,
        "start": plan.start,
        "end": plan.end,
        "breaks": [list(pair) for pair in plan.breaks],
        "flex": _flex_json(plan.flex),
        "code": shift.code,
        "retired": shift.retired,
    }
    statement = insert_into(connection, shifts).values(values)
    changed = {name: statement.excluded[name] for name in values if name != "id"}
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


async def pattern_rows(connection: AsyncConnection) -> dict[str, PatternRow]:
    """Every pattern by id."""
    rows = await connection.execute(select(patterns).order_by(patterns.c.id))
    return {row.id: _pattern(row) for row in rows}


async def put_pattern(connection: AsyncConnection, row: PatternRow) -> None:
    """Add a pattern, or change the one of that id."""
    values = {
        "id": row.id,
        "name_zh": row.name_zh,
        "name_en": row.name_en,
        "kind": row.pattern.kind,
        "days": [list(day) for day in row.pattern.days],
        "by_calendar": row.pattern.by_calendar,
    }
    statement = insert_into(connection, patterns).values(values)
    changed = {name: statement.excluded[name] for name in values if name != "id"}
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


async def drop_pattern(connection: AsyncConnection, pattern: str) -> bool:
    """Delete a pattern that no group uses; whether it is gone."""
    used = select(attendance_groups.c.pattern).where(attendance_groups.c.pattern == pattern)
    gone = await connection.execute(delete(patterns).where(patterns.c.id == pattern, ~used.exists()))
    return gone.rowcount > 0


def _shift(row: Row[Any]) -> LibraryShift:
    breaks = tuple((start, end) for start, end in row.breaks)
    flex = Flex(row.flex["earliest"], row.flex["latest"], row.flex["span_min"]) if row.flex else None
    plan = ShiftPlan(row.id, row.start, row.end, breaks, flex)
    return LibraryShift(plan, row.name_zh, row.name_en, row.code, row.retired)


def _flex_json(flex: Flex | None) -> dict[str, str | int] | None:
    if flex is None:
        return None
    return {"earliest": flex.earliest, "latest": flex.latest, "span_min": flex.span_min}


def _pattern(row: Row[Any]) -> PatternRow:
    days: Sequence[Sequence[str]] = row.days
    pattern = Pattern(row.kind, tuple(tuple(day) for day in days), row.by_calendar)
    return PatternRow(row.id, row.name_zh, row.name_en, pattern)
