"""Leave types, what people were given, and what they took. Whose it may be is checked by who asks."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.closing_tables import adjustments
from server.store.request_tables import leave_grants, leave_types, requests
from server.store.tables import attendance_days
from server.store.upsert import insert_into
from shared.clock import WallMs

_ROWS = 2_000
"""Rows of one statement: PostgreSQL takes at most 32,767 values."""


@dataclass(frozen=True, slots=True)
class LeaveTypeRow:
    """A kind of leave."""

    id: str
    name_zh: str
    name_en: str
    paid: bool
    balance: str
    """none | granted | annual | comp"""
    unit_min: int
    file_from_min: int | None
    settings: Mapping[str, Any]
    retired: bool


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A row of the ledger; negative minutes were lost."""

    id: int
    employee: str
    leave_type: str
    kind: str
    minutes: int
    from_on: dt.date
    until_on: dt.date | None
    key: str
    note: str
    actor: str
    at_ms: WallMs


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A row to be added to the ledger; ``key`` says what it is for, once per person and type."""

    employee: str
    leave_type: str
    kind: str
    minutes: int
    from_on: dt.date
    until_on: dt.date | None
    key: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TakenRow:
    """Leave that was asked for or approved: minutes by attendance date."""

    id: int
    employee: str
    leave_type: str
    state: str
    from_ms: WallMs
    to_ms: WallMs
    minutes: int
    days: Mapping[dt.date, int]


async def leave_type_rows(connection: AsyncConnection) -> list[LeaveTypeRow]:
    """All leave types, retired ones too, by id."""
    return [LeaveTypeRow(*row) for row in await connection.execute(select(leave_types).order_by(leave_types.c.id))]


async def put_leave_type(connection: AsyncConnection, row: LeaveTypeRow) -> None:
    """Store a leave type in place of the former."""
    values = _type_values(row)
    statement = insert_into(connection, leave_types).values(values)
    changed = {name: value for name, value in values.items() if name != "id"}
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


async def add_missing_types(connection: AsyncConnection, rows: Sequence[LeaveTypeRow]) -> int:
    """Store those that are not there; how many."""
    statement = insert_into(connection, leave_types).values([_type_values(row) for row in rows])
    return (await connection.execute(statement.on_conflict_do_nothing(index_elements=["id"]))).rowcount


async def type_is_used(connection: AsyncConnection, leave_type: str) -> bool:
    """Whether anybody was given or asked for leave of the type."""
    given = select(leave_grants.c.id).where(leave_grants.c.leave_type == leave_type).limit(1)
    asked = select(requests.c.id).where(requests.c.leave_type == leave_type).limit(1)
    return await connection.scalar(given) is not None or await connection.scalar(asked) is not None


async def grant_rows(connection: AsyncConnection, people: Collection[str], types: Collection[str]) -> list[GrantRow]:
    """The ledger of these people and types, by date and number."""
    same = leave_grants.c.leave_type.in_(sorted(types))
    ordered = select(leave_grants).where(same).order_by(leave_grants.c.from_on, leave_grants.c.id)
    return [
        GrantRow(*row)
        for some in _chunks(people)
        for row in await connection.execute(ordered.where(leave_grants.c.employee.in_(some)))
    ]


async def add_grants(connection: AsyncConnection, rows: Sequence[NewGrant], *, actor: str, at_ms: WallMs) -> int:
    """Add rows to the ledger; how many. One with a key that the person has for that type is left as it is."""
    added = 0
    values = [{**asdict(row), "actor": actor, "at_ms": at_ms} for row in rows]
    for start in range(0, len(values), _ROWS):
        statement = insert_into(connection, leave_grants).values(values[start : start + _ROWS])
        keys = ["employee", "leave_type", "key"]
        added += (await connection.execute(statement.on_conflict_do_nothing(index_elements=keys))).rowcount
    return added


async def taken_rows(
    connection: AsyncConnection, people: Collection[str], types: Collection[str], states: Collection[str]
) -> list[TakenRow]:
    """Leave of these types in these states, by beginning."""
    names = ("id", "employee", "leave_type", "state", "from_ms", "to_ms", "minutes", "detail")
    same = (requests.c.leave_type.in_(sorted(types)), requests.c.kind == "leave", requests.c.state.in_(sorted(states)))
    ordered = select(*(requests.c[name] for name in names)).where(*same).order_by(requests.c.from_ms, requests.c.id)
    found = []
    for some in _chunks(people):
        for row in await connection.execute(ordered.where(requests.c.employee.in_(some))):
            days = {dt.date.fromisoformat(day): minutes for day, minutes in row.detail.get("days", {}).items()}
            found.append(
                TakenRow(row.id, row.employee, row.leave_type, row.state, row.from_ms, row.to_ms, row.minutes, days)
            )
    return found


async def banked_minutes(connection: AsyncConnection, people: Collection[str]) -> dict[str, list[tuple[dt.date, int]]]:
    """Minutes banked as compensatory leave by date (AR-27): as computed, then what adjustments made of closed days."""
    found: dict[str, list[tuple[dt.date, int]]] = {}
    day, adjusted = attendance_days.c, adjustments.c
    for some in _chunks(people):
        computed = select(day.employee, day.date, day.comp_min).where(day.employee.in_(some), day.comp_min > 0)
        for row in await connection.execute(computed.order_by(day.date, day.part)):
            found.setdefault(row.employee, []).append((row.date, row.comp_min))
        later = select(adjusted.employee, adjusted.date, adjusted.delta).where(adjusted.employee.in_(some))
        for row in await connection.execute(later.order_by(adjusted.date, adjusted.posted_to)):
            if minutes := row.delta.get("comp", 0):
                found.setdefault(row.employee, []).append((row.date, minutes))
    return found


def _type_values(row: LeaveTypeRow) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in leave_types.c} | {"settings": dict(row.settings)}


def _chunks(people: Collection[str]) -> list[list[str]]:
    ordered = sorted(people)
    return [ordered[start : start + _ROWS] for start in range(0, len(ordered), _ROWS)]
