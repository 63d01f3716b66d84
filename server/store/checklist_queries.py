"""What a month still needs before it can be closed; each question about people or the company takes the scope."""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.months import Month, month_of, month_span
from server.attendance.record import DayRecord
from server.store.closing_tables import held_decisions
from server.store.fleet_queries import GatewayRow, TerminalRow, gateway_rows, terminal_rows
from server.store.request_tables import requests
from server.store.result_queries import minutes_of
from server.store.scope_filter import ALL, Narrow, narrowed, visible
from server.store.tables import (
    attendance_days,
    employees,
    feed,
    punches,
    roster,
    terminals,
    touched_days,
)
from shared.clock import WallMs

_IDS = 5_000
"""Ids of one statement: PostgreSQL takes at most 32,767 values."""


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record and whose it is."""

    employee: str
    name: str
    department: str
    site: str
    shift: str | None
    record: DayRecord


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """An employee as lists name them."""

    name: str
    department: str


@dataclass(frozen=True, slots=True)
class PlannedDays:
    """Between which dates of a month a person was employed, and on how many of them a shift was planned."""

    employee: str
    name: str
    department: str
    site: str
    first: dt.date
    last: dt.date
    planned: int


# --- records --------------------------------------------------------------------------------------------------------


async def months_with_records(connection: AsyncConnection, scope: Scope) -> list[Month]:
    """Months in which somebody in scope has a record, newest first."""
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee)
    span = select(func.min(attendance_days.c.date), func.max(attendance_days.c.date)).select_from(joined)
    first, last = (await connection.execute(span.where(visible(scope)))).one()
    found: list[Month] = []
    day = last
    while first is not None and day is not None and day >= first.replace(day=1):
        found.append(month_of(day))
        day = day.replace(day=1) - dt.timedelta(days=1)
    return found


async def pending_rows(
    connection: AsyncConnection, scope: Scope, first: dt.date, last: dt.date, narrow: Narrow = ALL
) -> list[RecordRow]:
    """Records with minutes pending, or of shifts that are not over, by date and name."""
    pending = or_(attendance_days.c.pending_min > 0, attendance_days.c.status == "not_yet")
    return await _records(connection, attendance_days.c.date.between(first, last), pending, *narrowed(scope, narrow))


async def _records(connection: AsyncConnection, *conditions: ColumnElement[bool]) -> list[RecordRow]:
    row = attendance_days.c
    columns: list[ColumnElement[Any]] = [employees.c.name, employees.c.department, employees.c.site, *row]
    joined = attendance_days.join(employees, employees.c.id == row.employee)
    wanted = select(*columns).select_from(joined).where(*conditions)
    rows = await connection.execute(wanted.order_by(row.date, employees.c.name, row.employee, row.part))
    return [_record(row) for row in rows]


async def waiting_days(connection: AsyncConnection, scope: Scope, month: Month) -> int:
    """Employee-days of the month that wait to be computed."""
    joined = touched_days.join(employees, employees.c.id == touched_days.c.employee)
    wanted = select(func.count()).select_from(joined).where(touched_days.c.date.between(*month_span(month)))
    return await connection.scalar(wanted.where(visible(scope))) or 0


async def unidentified_before(connection: AsyncConnection, watermark: int, before_ms: WallMs) -> bool:
    """Whether events behind the identity step's watermark happened before that instant; for the closing itself."""
    waiting = select(feed.c.id).where(feed.c.id > watermark, feed.c.at_min_ms < before_ms)
    return await connection.scalar(waiting.limit(1)) is not None


async def month_of_records(connection: AsyncConnection, scope: Scope, month: Month) -> tuple[int, int]:
    """How many people have how many records in the month."""
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee)
    counts = select(func.count(attendance_days.c.employee.distinct()), func.count()).select_from(joined)
    inside = attendance_days.c.date.between(*month_span(month))
    people, records = (await connection.execute(counts.where(inside, visible(scope)))).one()
    return people, records


# --- requests -------------------------------------------------------------------------------------------------------


async def open_requests(connection: AsyncConnection, scope: Scope, from_ms: WallMs, to_ms: WallMs) -> int:
    """Requests of people in scope that touch the span and wait for a decision."""
    joined = requests.join(employees, employees.c.id == requests.c.employee)
    wanted = select(func.count()).select_from(joined).where(*_waiting(from_ms, to_ms), visible(scope))
    return await connection.scalar(wanted) or 0


async def people_with_open_requests(
    connection: AsyncConnection, scope: Scope, from_ms: WallMs, to_ms: WallMs
) -> dict[str, list[tuple[WallMs, WallMs]]]:
    """Spans of the same requests, by employee."""
    joined = requests.join(employees, employees.c.id == requests.c.employee)
    wanted = select(requests.c.employee, requests.c.from_ms, requests.c.to_ms).select_from(joined)
    found: dict[str, list[tuple[WallMs, WallMs]]] = {}
    for row in await connection.execute(wanted.where(*_waiting(from_ms, to_ms), visible(scope))):
        found.setdefault(row.employee, []).append((row.from_ms, row.to_ms))
    return found


# --- punches --------------------------------------------------------------------------------------------------------


async def held_count(connection: AsyncConnection, scope: Scope, from_ms: WallMs, to_ms: WallMs) -> int:
    """Held punches of people in scope that claim the span, or came in it, and that nobody has decided upon."""
    joined = punches.join(employees, employees.c.id == punches.c.employee)
    decided = exists().where(held_decisions.c.punch == punches.c.id)
    claims, came = (column.between(from_ms, to_ms - 1) for column in (punches.c.at_ms, punches.c.received_ms))
    wanted = select(func.count()).select_from(joined)
    wanted = wanted.where(punches.c.held.is_not(None), or_(claims, came), ~decided, visible(scope))
    return await connection.scalar(wanted) or 0


async def unmatched_users(connection: AsyncConnection, scope: Scope, from_ms: WallMs, to_ms: WallMs) -> int:
    """Terminal users nobody is mapped to who punched in the span; in no department, so only everyone sees them."""
    if not scope.everyone:
        return 0
    joined = punches.join(terminals, terminals.c.serial == punches.c.terminal)
    users = select(terminals.c.user_group, punches.c.user_code).select_from(joined).distinct()
    users = users.where(punches.c.employee.is_(None), punches.c.at_ms.between(from_ms, to_ms - 1))
    return await connection.scalar(select(func.count()).select_from(users.subquery())) or 0


# --- terminals ------------------------------------------------------------------------------------------------------


async def terminals_behind(connection: AsyncConnection, scope: Scope, until_ms: WallMs) -> list[TerminalRow]:
    """Terminals in use that may still hold punches of before ``until_ms``; of the company, so only everyone asks."""
    if not scope.everyone:
        return []
    gateways = {row.id: row for row in await gateway_rows(connection)}
    rows = [row for row in await terminal_rows(connection) if row.kind == "terminal" and row.gateway is not None]
    return [row for row in rows if not _synced(row, gateways.get(row.gateway or ""), until_ms)]


# --- plans ----------------------------------------------------------------------------------------------------------


async def planned_days(
    connection: AsyncConnection, scope: Scope, month: Month, narrow: Narrow = ALL
) -> list[PlannedDays]:
    """Everybody in scope who was employed in the month."""
    first, last = month_span(month)
    row = employees.c
    of_month = select(roster.c.employee, func.count(roster.c.date.distinct()).label("planned"))
    dates = of_month.where(roster.c.date.between(first, last)).group_by(roster.c.employee).subquery()
    columns: list[ColumnElement[Any]] = [row.id, row.name, row.department, row.site, row.joined_on, row.left_on]
    wanted = select(*columns, func.coalesce(dates.c.planned, 0).label("planned")).select_from(
        employees.outerjoin(dates, dates.c.employee == row.id)
    )
    employed = and_(row.joined_on <= last, or_(row.left_on.is_(None), row.left_on >= first))
    wanted = wanted.where(employed, *narrowed(scope, narrow)).order_by(row.name, row.id)
    return [
        PlannedDays(
            found.id,
            found.name,
            found.department,
            found.site,
            max(found.joined_on, first),
            min(found.left_on or last, last),
            found.planned,
        )
        for found in await connection.execute(wanted)
    ]


async def named_people(connection: AsyncConnection, scope: Scope, wanted: Collection[str]) -> dict[str, NamedPerson]:
    """Name and department of those of these employees who are in scope."""
    columns = (employees.c.id, employees.c.name, employees.c.department)
    found: dict[str, NamedPerson] = {}
    ordered = sorted(wanted)
    for start in range(0, len(ordered), _IDS):
        of_ids = employees.c.id.in_(ordered[start : start + _IDS])
        for row in await connection.execute(select(*columns).where(of_ids, visible(scope))):
            found[row.id] = NamedPerson(row.name, row.department)
    return found


# --- parts ----------------------------------------------------------------------------------------------------------


def _waiting(from_ms: WallMs, to_ms: WallMs) -> Iterable[ColumnElement[bool]]:
    return (requests.c.state == "pending", requests.c.from_ms < to_ms, requests.c.to_ms >= from_ms)


def _synced(row: TerminalRow, gateway: GatewayRow | None, until_ms: WallMs) -> bool:
    """Whether both the terminal was read and its gateway told everything after that instant."""
    if gateway is None or gateway.last_seen_ms is None or gateway.last_seen_ms < until_ms:
        return False
    oldest = gateway.health.oldest_unacked_ms if gateway.health else None
    if oldest is not None and oldest < until_ms:
        return False
    contact_ms = row.health.last_contact_ms if row.health else None
    return max(contact_ms or 0, row.last_event_ms or 0) >= until_ms


def _record(row: Row[Any]) -> RecordRow:
    record = DayRecord(row.date, row.part, row.shift, row.status, minutes_of(row), row.first_ms, row.last_ms)
    return RecordRow(row.employee, row.name, row.department, row.site, row.shift, record)
