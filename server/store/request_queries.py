"""Requests as facts: what the attendance engine is given, for everybody.

What a person may see of them is asked elsewhere, with a scope.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.facts import Absence, OvertimeRequest, Punch
from server.store.request_tables import requests
from shared.clock import WallMs
from shared.punch import Direction

_PEOPLE = 5_000
"""People of one statement: PostgreSQL takes at most 32,767 values."""
_DIRECTIONS = {direction.value: direction for direction in Direction}


async def absences(
    connection: AsyncConnection, people: Collection[str], from_ms: WallMs, to_ms: WallMs
) -> dict[str, list[Absence]]:
    """Leave, trips and field visits that were approved and reach into ``from_ms <= t <= to_ms``; cancelled ones too."""
    found: dict[str, list[Absence]] = {}
    for row in await _decided(connection, people, ("leave", "trip", "field"), from_ms, to_ms):
        absence = Absence(
            "leave" if row.kind == "leave" else "trip",
            row.from_ms,
            row.to_ms,
            known_ms=row.decided_ms,
            cancelled_ms=row.cancelled_ms,
            type=row.leave_type or "",
        )
        found.setdefault(row.employee, []).append(absence)
    return found


async def overtime_requests(
    connection: AsyncConnection, people: Collection[str], from_ms: WallMs, to_ms: WallMs
) -> dict[str, list[OvertimeRequest]]:
    """Overtime that was approved and reaches into ``from_ms <= t <= to_ms``; cancelled too."""
    found: dict[str, list[OvertimeRequest]] = {}
    for row in await _decided(connection, people, ("overtime",), from_ms, to_ms):
        request = OvertimeRequest(row.from_ms, row.to_ms, row.to_comp, row.decided_ms, row.cancelled_ms)
        found.setdefault(row.employee, []).append(request)
    return found


async def corrections(
    connection: AsyncConnection, people: Collection[str], from_ms: WallMs, to_ms: WallMs
) -> dict[str, list[Punch]]:
    """Corrections with ``from_ms <= at <= to_ms``, approved or still waiting; a punch's id is minus the request's.

    One that was cancelled is left out: corrections of closed months can not be.
    """
    found: dict[str, list[Punch]] = {}
    standing = (requests.c.kind == "correction") & requests.c.state.in_(("approved", "pending"))
    for row in await _reaching(connection, people, from_ms, to_ms, standing):
        approved = row.state == "approved"
        punch = Punch(
            -row.id,
            row.from_ms,
            row.from_ms,
            _DIRECTIONS.get(row.direction, Direction.UNKNOWN),
            correction=True,
            standing="approved" if approved else "pending",
            known_ms=row.decided_ms if approved else row.created_ms,
        )
        found.setdefault(row.employee, []).append(punch)
    return found


async def _decided(
    connection: AsyncConnection, people: Collection[str], kinds: Sequence[str], from_ms: WallMs, to_ms: WallMs
) -> list[Row[Any]]:
    """Approved at some time: a cancelled one counts in months that were closed before."""
    taken_back = requests.c.decided_ms.is_not(None) & requests.c.cancelled_ms.is_not(None)
    ever = or_(requests.c.state == "approved", (requests.c.state == "cancelled") & taken_back)
    return await _reaching(connection, people, from_ms, to_ms, requests.c.kind.in_(kinds) & ever)


async def _reaching(
    connection: AsyncConnection, people: Collection[str], from_ms: WallMs, to_ms: WallMs, which: ColumnElement[bool]
) -> list[Row[Any]]:
    """Rows in order of time, so that equal facts come in equal order."""
    wanted = select(*_FACTS).where(which, requests.c.from_ms <= to_ms, requests.c.to_ms >= from_ms)
    wanted = wanted.order_by(requests.c.from_ms, requests.c.id)
    ordered = sorted(people)
    found: list[Row[Any]] = []
    for start in range(0, len(ordered), _PEOPLE):
        some = wanted.where(requests.c.employee.in_(ordered[start : start + _PEOPLE]))
        found += (await connection.execute(some)).all()
    return found


_FACTS = [
    requests.c[name]
    for name in (
        *("id", "kind", "employee", "leave_type", "from_ms", "to_ms", "direction", "to_comp"),
        *("state", "created_ms", "decided_ms", "cancelled_ms"),
    )
]
