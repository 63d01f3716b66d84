"""Facts that came after a month was closed: why its records would say something else by now (AR-34)."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.months import Month, month_of
from server.store.attendance_queries import EmployeeDay
from server.store.closing_tables import held_decisions
from server.store.request_tables import requests
from server.store.scope_filter import visible
from server.store.tables import employees, punches, terminals
from shared.clock import WallMs, from_ms, to_ms

_AROUND = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LateFact:
    """A punch or request that was learned after the closing."""

    kind: str
    """punch, or the kind of the request."""
    at_ms: WallMs
    to_ms: WallMs | None
    known_ms: WallMs
    terminal: str | None


async def late_facts(
    connection: AsyncConnection, scope: Scope, days: Collection[EmployeeDay], closed: Mapping[Month, WallMs]
) -> dict[EmployeeDay, list[LateFact]]:
    """What was learned about each of these employee-days since its month was closed, oldest first."""
    wanted = [(employee, day) for employee, day in sorted(set(days)) if month_of(day) in closed]
    if not wanted:
        return {}
    first, last = min(day for _, day in wanted), max(day for _, day in wanted)
    since = min(closed[month_of(day)] for _, day in wanted)
    span = (_utc(first - _AROUND), _utc(last + 2 * _AROUND))
    people = sorted({employee for employee, _ in wanted})
    facts = [
        *await _punches(connection, scope, people, span, since),
        *await _requests(connection, scope, people, span, since),
    ]
    found: dict[EmployeeDay, list[LateFact]] = {}
    for employee, day in wanted:
        after = closed[month_of(day)]
        own = [fact for of, fact in facts if of == employee and fact.known_ms > after and _near(fact, day)]
        found[employee, day] = sorted(own, key=lambda fact: fact.known_ms)
    return found


async def _punches(
    connection: AsyncConnection, scope: Scope, people: list[str], span: tuple[WallMs, WallMs], since: WallMs
) -> list[tuple[str, LateFact]]:
    known = func.coalesce(held_decisions.c.at_ms, punches.c.learned_ms, punches.c.received_ms)
    at_ms = func.coalesce(punches.c.true_ms, punches.c.at_ms)
    joined = punches.join(employees, employees.c.id == punches.c.employee)
    joined = joined.outerjoin(held_decisions, held_decisions.c.punch == punches.c.id)
    joined = joined.outerjoin(terminals, terminals.c.serial == punches.c.terminal)
    columns = (punches.c.employee, at_ms.label("at"), known.label("known"), terminals.c.name)
    wanted = select(*columns).select_from(joined).where(punches.c.employee.in_(people), known > since)
    rows = await connection.execute(wanted.where(at_ms.between(*span), punches.c.held.is_(None), visible(scope)))
    return [(row.employee, LateFact("punch", row.at, None, row.known, row.name)) for row in rows]


async def _requests(
    connection: AsyncConnection, scope: Scope, people: list[str], span: tuple[WallMs, WallMs], since: WallMs
) -> list[tuple[str, LateFact]]:
    row = requests.c
    joined = requests.join(employees, employees.c.id == row.employee)
    wanted = select(row.employee, row.kind, row.from_ms, row.to_ms, row.decided_ms, row.cancelled_ms)
    wanted = wanted.select_from(joined).where(row.employee.in_(people), row.state.in_(("approved", "cancelled")))
    late = or_(row.decided_ms > since, row.cancelled_ms > since)
    rows = await connection.execute(wanted.where(late, row.from_ms <= span[1], row.to_ms >= span[0], visible(scope)))
    return [
        (found.employee, LateFact(found.kind, found.from_ms, found.to_ms, found.cancelled_ms or found.decided_ms, None))
        for found in rows
    ]


def _near(fact: LateFact, day: dt.date) -> bool:
    """Within a day of the date, which every zone and night shift is."""
    first, last = from_ms(fact.at_ms).date(), from_ms(fact.at_ms if fact.to_ms is None else fact.to_ms).date()
    return first - _AROUND <= day <= last + _AROUND


def _utc(day: dt.date) -> WallMs:
    return to_ms(dt.datetime.combine(day, dt.time(), dt.UTC))
