"""What follows when a request begins or ceases to hold: days are computed again, shifts change hands, leave is cut."""

from collections.abc import Collection
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.closing import refuse_closed
from server.attendance.touch import dates_near_span
from server.requests.span import date_of_overtime, date_of_punch, dates_of_span
from server.services import rosters
from server.services.leave import cover_of_request, leave_types
from server.services.request_parts import days_of, refuse_uncovered, rest_of, shifts_around
from server.store import asked_queries, attendance_queries, policy_queries
from server.store.asked_queries import AskerRow, RequestRow, StepRow
from server.store.attendance_queries import EmployeeDay
from shared.clock import WallMs
from shared.errors import DataError

COUNTS = frozenset({"leave", "trip", "field", "overtime", "correction"})
"""Kinds that the engine is given."""


async def begin(
    connection: AsyncConnection, row: RequestRow, closed: Collection[str], actor: str, now_ms: WallMs
) -> set[str]:
    """Let an approved request hold; the topics that changed beside its own. DataError when it can not hold any more."""
    person = await _person(connection, row)
    await _refuse_closed(connection, row, person, closed)
    if row.detail.get("file_needed") and not await asked_queries.files_of(connection, row.id):
        raise DataError("a document is needed: have it added, then approve", "file_missing")
    match row.kind:
        case "leave":
            leave = (await leave_types(connection))[row.leave_type or ""]
            if leave.balance != "none":
                refuse_uncovered(leave, await cover_of_request(connection, row.employee, leave, row.id, days_of(row)))
        case "swap":
            return await _swap(connection, row, actor, now_ms)
        case "leave_end":
            await _end_leave(connection, row, person, actor, now_ms)
    return set()


async def cease(
    connection: AsyncConnection, row: RequestRow, closed: Collection[str], actor: str, now_ms: WallMs
) -> set[str]:
    """Let an approved request hold no more; the topics that changed beside its own."""
    if row.kind == "leave_end":
        raise DataError("an ended leave stays ended: ask for leave anew", "not_cancellable")
    await _refuse_closed(connection, row, await _person(connection, row), closed)
    return await _swap(connection, row, actor, now_ms, back=True) if row.kind == "swap" else set()


async def touch(connection: AsyncConnection, *rows: RequestRow) -> None:
    """Have the days around requests computed again (AR-33)."""
    widest = (await policy_queries.window_sizes(connection)).widest
    days: set[EmployeeDay] = set()
    for row in rows:
        if row.kind in COUNTS:
            near = dates_near_span(row.from_ms, row.to_ms, ZoneInfo(row.zone), widest)
            days.update((row.employee, day) for day in near)
    await attendance_queries.touch_days(connection, days)


async def _refuse_closed(
    connection: AsyncConnection, row: RequestRow, person: AskerRow, closed: Collection[str]
) -> None:
    """DataError ``month_closed`` when a date that the request is about lies in a closed month."""
    if not closed:
        return
    zone = ZoneInfo(row.zone)
    shifts = await shifts_around(connection, person, zone, row.from_ms, row.to_ms)
    if row.kind == "correction":
        refuse_closed([date_of_punch(shifts, row.from_ms, zone)], closed)
    elif row.kind == "overtime":
        refuse_closed([date_of_overtime(shifts, row.from_ms, row.to_ms, zone)[0]], closed)
    else:
        refuse_closed(dates_of_span(shifts, row.from_ms, row.to_ms, zone), closed)


async def _swap(
    connection: AsyncConnection, row: RequestRow, actor: str, now_ms: WallMs, *, back: bool = False
) -> set[str]:
    """Exchange the shifts, or give them back; RosterRefusedError when somebody would be planned twice."""
    day, other_day = (date.fromisoformat(row.detail[name]) for name in ("date", "other_date"))
    if back:
        day, other_day = other_day, day
    assert row.other is not None  # noqa: S101  (a swap has one)
    return await rosters.swap(connection, row.employee, row.other, day, now_ms, other_date=other_day, actor=actor)


async def _end_leave(
    connection: AsyncConnection, row: RequestRow, person: AskerRow, actor: str, now_ms: WallMs
) -> None:
    """Cancel the leave that it is about; what was taken of it until then is approved leave of its own."""
    leave = await asked_queries.hold_request(connection, row.about or 0)
    if leave is None or leave.state != "approved":
        raise DataError("the leave is not approved any more: refuse this", "no_leave")
    await asked_queries.change_request(connection, leave.id, {"state": "cancelled", "cancelled_ms": now_ms})
    cancelled = StepRow(leave.step, "cancelled", actor, None, f"#{row.id}", now_ms)
    await asked_queries.add_step(connection, leave.id, cancelled)
    await touch(connection, leave)
    if row.from_ms <= leave.from_ms:
        return
    kept = await rest_of(connection, person, leave, row.from_ms)
    detail = {**leave.detail, "days": {day.isoformat(): minutes for day, minutes in kept.items()}, "rest_of": leave.id}
    detail.pop("file_needed", None)
    same = ("kind", "employee", "leave_type", "from_ms", "direction", "to_comp", "other", "reason", "created_by")
    values = {name: getattr(leave, name) for name in same} | {"to_ms": row.from_ms, "minutes": sum(kept.values())}
    values |= {"about": None, "detail": detail, "state": "approved", "chain": [], "step": 0, "step_due_ms": None}
    rest = await asked_queries.add_request(connection, values | {"created_ms": now_ms, "decided_ms": now_ms})
    await asked_queries.add_step(connection, rest, StepRow(0, "approved", actor, None, f"#{row.id}", now_ms))


async def _person(connection: AsyncConnection, row: RequestRow) -> AskerRow:
    person = await asked_queries.asker(connection, Scope.system(), row.employee)
    assert person is not None  # noqa: S101  (the foreign key says so)
    return person
