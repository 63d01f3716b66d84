"""Records and punches that need a person, and what persons did about them. Each question takes the viewer's scope."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, and_, cast, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.exceptions import STATUS_KINDS, Limits
from server.attendance.record import DayRecord
from server.store.closing_tables import day_questions, held_decisions
from server.store.result_queries import minutes_of
from server.store.scope_filter import ALL, Narrow, narrowed, visible
from server.store.tables import attendance_days, employees, punches, shifts, sites, terminals
from server.store.upsert import insert_into
from shared.clock import WallMs

_IDS = 5_000
"""Ids of one statement."""


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """A record that may need somebody; why is for ``server.attendance.exceptions`` to say."""

    name: str
    department: str
    site: str
    zone: str
    shift_zh: str | None
    shift_en: str | None
    employee: str
    record: DayRecord


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A punch that AR-3 or AR-4 holds and nobody has decided upon."""

    punch: int
    employee: str
    name: str
    department: str
    site: str
    zone: str
    terminal: str
    terminal_name: str
    at_ms: WallMs
    received_ms: WallMs
    drift_ms: int | None
    flags: int
    held: str


@dataclass(frozen=True, slots=True)
class HeldDecision:
    """What becomes of a held punch; ``true_ms`` is None for a dismissed one."""

    punch: int
    held: str
    true_ms: WallMs | None


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """What an employee was asked about a day."""

    employee: str
    date: dt.date
    note: str
    asked_by: str
    asked_ms: WallMs


# --- records --------------------------------------------------------------------------------------------------------


async def exception_rows(
    connection: AsyncConnection, scope: Scope, first: dt.date, last: dt.date, narrow: Narrow = ALL, *, limits: Limits
) -> list[ExceptionRow]:
    """Records with a status, flag or lateness that may need somebody, newest date first, then by name."""
    row = attendance_days.c
    worth = or_(
        row.status.in_(STATUS_KINDS),
        row.late_min >= max(limits.late_min, 1),
        row.early_min >= max(limits.early_min, 1),
        cast(row.flags, Text) != "[]",
    )
    wanted = _records(scope, narrow).where(row.date.between(first, last), worth)
    rows = await connection.execute(wanted.order_by(row.date.desc(), employees.c.name, row.employee, row.part))
    return [_exception(found) for found in rows]


async def records_by_id(
    connection: AsyncConnection, scope: Scope, records: Collection[tuple[str, dt.date, int]]
) -> dict[tuple[str, dt.date, int], ExceptionRow]:
    """Those of these records, by employee, date and part, that are in scope."""
    if not records:
        return {}
    people, dates = {record[0] for record in records}, {record[1] for record in records}
    near = (attendance_days.c.employee.in_(sorted(people)), attendance_days.c.date.between(min(dates), max(dates)))
    rows = [_exception(row) for row in await connection.execute(_records(scope, ALL).where(*near))]
    found = {(row.employee, row.record.date, row.record.part): row for row in rows}
    return {record: found[record] for record in records if record in found}


# --- held punches ---------------------------------------------------------------------------------------------------


async def held_rows(
    connection: AsyncConnection, scope: Scope, from_ms: WallMs, to_ms: WallMs, narrow: Narrow = ALL
) -> list[HeldRow]:
    """Held punches of people in scope that claim the span, or came in it, newest arrival first."""
    claims, came = (column.between(from_ms, to_ms - 1) for column in (punches.c.at_ms, punches.c.received_ms))
    wanted = _held().where(or_(claims, came), *narrowed(scope, narrow))
    rows = await connection.execute(wanted.order_by(punches.c.received_ms.desc(), punches.c.id.desc()))
    return [HeldRow(*row) for row in rows]


async def held_by_id(connection: AsyncConnection, scope: Scope, ids: Collection[int]) -> dict[int, HeldRow]:
    """Those of these punches that are held, undecided and of people in scope; nobody else decides until the commit."""
    wanted = _held().where(punches.c.id.in_(sorted(ids)[:_IDS]), visible(scope))
    rows = await connection.execute(wanted.order_by(punches.c.id).with_for_update(of=punches))
    return {row.id: HeldRow(*row) for row in rows}


async def decide_held(
    connection: AsyncConnection, decisions: Sequence[HeldDecision], *, actor: str, note: str, at_ms: WallMs
) -> None:
    """Keep what was decided; a released punch gets its time and is held no more. What the terminal said stays."""
    outcome = {True: "dismissed", False: "released"}
    rows = [
        {
            "punch": one.punch,
            "outcome": outcome[one.true_ms is None],
            "held": one.held,
            "true_ms": one.true_ms,
            "note": note,
            "actor": actor,
            "at_ms": at_ms,
        }
        for one in decisions
    ]
    await connection.execute(held_decisions.insert(), rows)
    for one in decisions:
        if one.true_ms is not None:
            released = update(punches).where(punches.c.id == one.punch)
            await connection.execute(released.values(true_ms=one.true_ms, held=None))


# --- questions ------------------------------------------------------------------------------------------------------


async def questions_between(
    connection: AsyncConnection, scope: Scope, first: dt.date, last: dt.date
) -> dict[tuple[str, dt.date], QuestionRow]:
    """What people in scope were asked about days of the span, newest first."""
    joined = day_questions.join(employees, employees.c.id == day_questions.c.employee)
    wanted = select(day_questions).select_from(joined).where(day_questions.c.date.between(first, last), visible(scope))
    rows = await connection.execute(wanted.order_by(day_questions.c.date.desc()))
    return {(row.employee, row.date): QuestionRow(*row) for row in rows}


async def put_questions(connection: AsyncConnection, rows: Sequence[QuestionRow]) -> None:
    """Ask, in place of what was asked about the same day before."""
    names = [column.name for column in day_questions.c]
    values = [{name: getattr(row, name) for name in names} for row in rows]
    statement = insert_into(connection, day_questions).values(values)
    changed = {name: statement.excluded[name] for name in names[2:]}
    await connection.execute(statement.on_conflict_do_update(index_elements=["employee", "date"], set_=changed))


# --- parts ----------------------------------------------------------------------------------------------------------


def _records(scope: Scope, narrow: Narrow) -> Select[Any]:
    row = attendance_days.c
    joined = attendance_days.join(employees, employees.c.id == row.employee).join(sites)
    joined = joined.outerjoin(shifts, shifts.c.id == row.shift)
    columns: list[ColumnElement[Any]] = [employees.c.name, employees.c.department, employees.c.site, sites.c.zone]
    columns += [shifts.c.name_zh.label("shift_zh"), shifts.c.name_en.label("shift_en")]
    kept = [column for column in row if column.name not in ("explain", "rule_version", "computed_ms")]
    return select(*columns, *kept).select_from(joined).where(*narrowed(scope, narrow))


def _exception(row: Row[Any]) -> ExceptionRow:
    record = DayRecord(
        row.date, row.part, row.shift, row.status, minutes_of(row), row.first_ms, row.last_ms, tuple(row.flags)
    )
    names = (row.shift_zh, row.shift_en)
    return ExceptionRow(row.name, row.department, row.site, row.zone, *names, row.employee, record)


def _held() -> Select[Any]:
    row = punches.c
    joined = punches.join(employees, employees.c.id == row.employee).join(sites, sites.c.id == employees.c.site)
    joined = joined.outerjoin(terminals, terminals.c.serial == row.terminal)
    columns: list[ColumnElement[Any]] = [row.id, row.employee, employees.c.name, employees.c.department]
    columns += [employees.c.site, sites.c.zone, row.terminal]
    columns += [
        func.coalesce(terminals.c.name, row.terminal),
        row.at_ms,
        row.received_ms,
        row.drift_ms,
        row.flags,
        row.held,
    ]
    decided = exists().where(held_decisions.c.punch == row.id)
    return select(*columns).select_from(joined).where(and_(row.held.is_not(None), ~decided))
