"""Closed months: which they are, and what was decided, adjusted and confirmed.

Months are the company's, so nobody's scope narrows which of them are closed; what is about people takes the scope.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.closing import Adjustment, Decision, pay_deltas, stands
from server.attendance.months import Month, month_span
from server.attendance.record import DayRecord, Minutes, minutes_from, told
from server.store.closing_tables import adjustments, closings, confirmations, decisions
from server.store.scope_filter import ALL, Narrow, narrowed
from server.store.tables import attendance_days, employees
from server.store.upsert import insert_into
from shared.clock import WallMs

MONTH_LOCK = 7_004
"""Advisory lock on PostgreSQL: shared by whoever relies on a month being open or closed until the commit, alone for
whoever closes or opens one. Take it after the identity step's watermark and before everything else."""

_ROWS = 2_000
"""Rows of one statement: PostgreSQL takes at most 32,767 values."""

RecordId: TypeAlias = tuple[str, dt.date, int]
"""Employee, date and part."""


@dataclass(frozen=True, slots=True)
class ClosingRow:
    """One closing of a month; it holds until the month was opened again."""

    id: int
    month: Month
    closed_ms: WallMs
    closed_by: str
    summary: Mapping[str, Any]
    reopen_reason: str | None
    reopen_asked_by: str | None
    reopen_asked_ms: WallMs | None
    reopened_by: str | None
    reopened_ms: WallMs | None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision and where it came from; whether it stands is for ``server.attendance.closing.stands`` to say."""

    employee: str
    decision: Decision
    how: str
    """default | manual"""
    note: str
    actor: str
    at_ms: WallMs


@dataclass(frozen=True, slots=True)
class AdjustmentRow:
    """What a closed record would say now, posted to an open month."""

    employee: str
    name: str
    department: str
    date: dt.date
    part: int
    posted_to: Month
    status_from: str | None
    status_to: str | None
    delta: Mapping[str, int]
    """Against the record as it was computed (AR-34)."""
    computed_ms: WallMs
    pay: Mapping[str, int]
    """Against what was paid: where pending minutes had been decided about, against the decision."""


@dataclass(frozen=True, slots=True)
class ConfirmationRow:
    """What an employee said of a month."""

    employee: str
    month: Month
    state: str
    """asked | confirmed | objected"""
    asked_ms: WallMs
    asked_by: str
    answered_ms: WallMs | None
    comment: str
    sums: Mapping[str, int]


# --- months ---------------------------------------------------------------------------------------------------------


async def closed_months(connection: AsyncConnection) -> dict[Month, WallMs]:
    """When each month that is closed was closed; for reading only: a writer takes ``hold_closed_months``."""
    closed = select(closings.c.month, closings.c.closed_ms).where(closings.c.reopened_ms.is_(None))
    return {row.month: row.closed_ms for row in await connection.execute(closed)}


async def hold_closed_months(connection: AsyncConnection) -> dict[Month, WallMs]:
    """The same, and no month is closed or opened before this transaction ends; take it early in a transaction.

    For whoever stores results or changes facts: what it sees open stays open, what it sees closed stays closed.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock_shared(MONTH_LOCK)))
    return await closed_months(connection)


async def hold_closing(connection: AsyncConnection) -> dict[Month, WallMs]:
    """The same for whoever closes or opens a month: nobody stores a result before this transaction ends."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(MONTH_LOCK)))
    return await closed_months(connection)


async def closing_rows(connection: AsyncConnection, month: Month | None = None) -> list[ClosingRow]:
    """Every closing, of one month or of all, newest first; those opened again included."""
    wanted = select(closings).order_by(closings.c.id.desc())
    if month is not None:
        wanted = wanted.where(closings.c.month == month)
    return [ClosingRow(*row) for row in await connection.execute(wanted)]


async def add_closing(
    connection: AsyncConnection, month: Month, closed_by: str, closed_ms: WallMs, summary: Mapping[str, Any]
) -> None:
    """The month is closed from now on; an IntegrityError when it is already."""
    row = {"month": month, "closed_by": closed_by, "closed_ms": closed_ms, "summary": dict(summary)}
    await connection.execute(closings.insert().values(row))


async def ask_reopening(
    connection: AsyncConnection, closing: int, reason: str | None, asked_by: str | None, asked_ms: WallMs | None
) -> None:
    """Note who asks for a closed month to be opened again; None takes it back."""
    values = {"reopen_reason": reason, "reopen_asked_by": asked_by, "reopen_asked_ms": asked_ms}
    await connection.execute(update(closings).where(closings.c.id == closing).values(values))


async def set_reopened(connection: AsyncConnection, closing: int, reopened_by: str, reopened_ms: WallMs) -> None:
    """The month is open from now on."""
    values = {"reopened_by": reopened_by, "reopened_ms": reopened_ms}
    await connection.execute(update(closings).where(closings.c.id == closing).values(values))


# --- decisions ------------------------------------------------------------------------------------------------------


async def decisions_between(
    connection: AsyncConnection, scope: Scope, first: dt.date, last: dt.date, narrow: Narrow = ALL
) -> dict[RecordId, DecisionRow]:
    """Decisions about records with ``first <= date <= last``, those that no longer stand included."""
    joined = decisions.join(employees, employees.c.id == decisions.c.employee)
    wanted = select(decisions).select_from(joined).where(decisions.c.date.between(first, last))
    rows = await connection.execute(wanted.where(*narrowed(scope, narrow)))
    return {(row.employee, row.date, row.part): _decision(row) for row in rows}


async def put_decisions(connection: AsyncConnection, rows: Sequence[DecisionRow]) -> None:
    """Store decisions in place of those about the same records."""
    for start in range(0, len(rows), _ROWS):
        statement = insert_into(connection, decisions).values([_stored(row) for row in rows[start : start + _ROWS]])
        keys = ("employee", "date", "part")
        changed = {c.name: statement.excluded[c.name] for c in decisions.c if c.name not in keys}
        await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))


async def drop_decisions(connection: AsyncConnection, records: Iterable[RecordId]) -> int:
    """Withdraw the decisions about these records; how many there were."""
    dropped = 0
    for employee, date, part in sorted(set(records)):
        same = (decisions.c.employee == employee, decisions.c.date == date, decisions.c.part == part)
        dropped += (await connection.execute(delete(decisions).where(*same))).rowcount
    return dropped


# --- adjustments ----------------------------------------------------------------------------------------------------


async def adjustments_posted(
    connection: AsyncConnection, scope: Scope, posted_to: Month, narrow: Narrow = ALL
) -> list[AdjustmentRow]:
    """Adjustments posted to a month, by person and date."""
    return await _adjustments(connection, scope, narrow, posted_to, None)


async def adjustments_of(
    connection: AsyncConnection, scope: Scope, month: Month, narrow: Narrow = ALL
) -> list[AdjustmentRow]:
    """Adjustments of the records of a closed month, by person and date."""
    return await _adjustments(connection, scope, narrow, None, month)


async def _adjustments(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, posted_to: Month | None, of: Month | None
) -> list[AdjustmentRow]:
    row, made, day = adjustments.c, decisions.c, attendance_days.c
    of_record = and_(made.employee == row.employee, made.date == row.date, made.part == row.part)
    same_record = and_(day.employee == row.employee, day.date == row.date, day.part == row.part)
    columns: list[ColumnElement[Any]] = [employees.c.name, employees.c.department, *row]
    columns += [made.status.label("decided_status"), made.minutes, made.absent_min, made.worked_min]
    columns += [day.status.label("record_status"), *(day[f"{name}_min"].label(f"{name}_now") for name in _MINUTES)]
    joined = adjustments.join(employees, employees.c.id == row.employee)
    joined = joined.outerjoin(decisions, of_record).outerjoin(attendance_days, same_record)
    earlier = adjustments.alias("earlier")
    before = and_(
        earlier.c.employee == row.employee,
        earlier.c.date == row.date,
        earlier.c.part == row.part,
        earlier.c.posted_to < row.posted_to,
    )
    columns.append((~exists().where(before)).label("is_first"))
    wanted = select(*columns).select_from(joined)
    if posted_to is not None:
        wanted = wanted.where(row.posted_to == posted_to)
    if of is not None:
        wanted = wanted.where(row.date.between(*month_span(of)))
    wanted = wanted.where(*narrowed(scope, narrow))
    ordered = wanted.order_by(employees.c.name, row.employee, row.date, row.part, row.posted_to)
    return [_adjustment(found) for found in await connection.execute(ordered)]


# --- confirmations --------------------------------------------------------------------------------------------------


async def confirmations_of(
    connection: AsyncConnection, scope: Scope, month: Month, narrow: Narrow = ALL
) -> dict[str, ConfirmationRow]:
    """What the people in scope said of a month, by employee; who was never asked is left out."""
    joined = confirmations.join(employees, employees.c.id == confirmations.c.employee)
    wanted = select(confirmations).select_from(joined).where(confirmations.c.month == month)
    rows = await connection.execute(wanted.where(*narrowed(scope, narrow)))
    return {row.employee: ConfirmationRow(*row) for row in rows}


async def put_confirmations(connection: AsyncConnection, rows: Sequence[ConfirmationRow]) -> None:
    """Store what was asked or answered in place of what is there."""
    names = [column.name for column in confirmations.c]
    for start in range(0, len(rows), _ROWS):
        values = [{name: getattr(row, name) for name in names} for row in rows[start : start + _ROWS]]
        statement = insert_into(connection, confirmations).values(values)
        changed = {name: statement.excluded[name] for name in names[2:]}
        await connection.execute(statement.on_conflict_do_update(index_elements=["employee", "month"], set_=changed))


# --- parts ----------------------------------------------------------------------------------------------------------


_MINUTES = tuple(field.name for field in fields(Minutes))


def _decision(row: Row[Any]) -> DecisionRow:
    record = DayRecord(row.date, row.part, None, row.status, minutes_from(row.minutes))
    made = Decision(record, row.absent_min, row.worked_min)
    return DecisionRow(row.employee, made, row.how, row.note, row.actor, row.at_ms)


def _adjustment(row: Row[Any]) -> AdjustmentRow:
    key = (row.employee, row.name, row.department, row.date, row.part, row.posted_to)
    delta: Mapping[str, int] = row.delta
    one = Adjustment(row.date, row.part, row.posted_to, row.status_from, row.status_to, delta)
    decision = None
    if row.decided_status is not None and row.record_status is not None and row.is_first:
        made = Decision(
            DayRecord(row.date, row.part, None, row.decided_status, minutes_from(row.minutes)),
            row.absent_min,
            row.worked_min,
        )
        locked = Minutes(**{name: getattr(row, f"{name}_now") for name in _MINUTES})
        record = DayRecord(row.date, row.part, None, row.record_status, locked)
        decision = made if stands(made, record) else None
    [pay] = pay_deltas([one], decision)
    return AdjustmentRow(*key, row.status_from, row.status_to, delta, row.computed_ms, pay)


def _stored(row: DecisionRow) -> dict[str, Any]:
    record = row.decision.record
    return {
        "employee": row.employee,
        "date": record.date,
        "part": record.part,
        "status": record.status,
        "minutes": told(record.minutes),
        "absent_min": row.decision.absent,
        "worked_min": row.decision.worked,
        "how": row.how,
        "note": row.note,
        "actor": row.actor,
        "at_ms": row.at_ms,
    }
