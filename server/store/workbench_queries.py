"""What the start page of HR and managers counts. Each question takes the viewer's scope."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.store.scope_filter import visible
from server.store.tables import attendance_days, employees, sites

AWAY = ("absent", "leave", "not_yet")
"""A shift with such a record was not worked, or not yet."""


@dataclass(frozen=True, slots=True)
class AttendedRow:
    """How many people had a shift on a date, and how many of them came."""

    date: dt.date
    scheduled: int
    attended: int


async def attended(connection: AsyncConnection, scope: Scope, last: dt.date, days: int) -> list[AttendedRow]:
    """The newest ``days`` dates with shifts up to ``last``, oldest first; looks back twice as many dates."""
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee)
    came = case((attendance_days.c.status.not_in(AWAY), attendance_days.c.employee))
    counts = select(
        attendance_days.c.date,
        func.count(attendance_days.c.employee.distinct()).label("scheduled"),
        func.count(came.distinct()).label("attended"),
    ).select_from(joined)
    recent = attendance_days.c.date.between(last - dt.timedelta(days=2 * days - 1), last)
    counts = counts.where(recent, attendance_days.c.shift.is_not(None), visible(scope))
    newest = counts.group_by(attendance_days.c.date).order_by(attendance_days.c.date.desc()).limit(days)
    return [AttendedRow(*row) for row in await connection.execute(newest)][::-1]


async def site_zones(connection: AsyncConnection, scope: Scope) -> dict[str, str]:
    """Zone of each site where somebody in scope works; of all sites for everyone."""
    which = select(sites.c.id, sites.c.zone)
    if not scope.everyone:
        which = which.where(sites.c.id.in_(select(employees.c.site).where(visible(scope))))
    return {row.id: row.zone for row in await connection.execute(which)}
