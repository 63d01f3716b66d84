"""What all kinds of requests need before they are stored: times, shifts, what is there already."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.facts import Shift
from server.requests.approvers import Concerned
from server.requests.balance import Cover
from server.requests.chain import Kind, Step
from server.requests.leave_types import LeaveType
from server.requests.span import covered, instant
from server.services import rosters
from server.services.leave import leave_types
from server.store import asked_queries, attendance_queries, roster_queries, shift_queries
from server.store.asked_queries import AskerRow, RequestRow
from shared.clock import WallMs, from_ms
from shared.errors import DataError

DAY = dt.timedelta(days=1)
LONGEST_DAYS = 400
LONGEST_OVERTIME_MS = 24 * 3_600_000
ABSENCES = ("leave", "trip", "field")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as somebody put it; times are local text of the employee's site."""

    kind: Kind
    reason: str = ""
    start: str = ""
    """Of a correction the instant, of a leave_end the new end (empty: the leave is not taken at all)."""
    end: str = ""
    leave_type: str | None = None
    direction: int | None = None
    to_comp: bool = False
    about: int | None = None
    other: str | None = None
    date: dt.date | None = None
    """Of a swap: whose shift the asker gives away; ``other_date`` is that of the other, None for the same."""
    other_date: dt.date | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for whom, and when."""

    person: AskerRow
    by_hr: bool
    """By HR: limits for employees are told as warnings."""
    now_ms: WallMs
    closed: Collection[str]

    @property
    def zone(self) -> ZoneInfo:
        """Zone of the employee's site."""
        return ZoneInfo(self.person.zone)


@dataclass(slots=True)
class Draft:
    """What would be stored, and what there is to say about it."""

    values: dict[str, Any]
    dates: tuple[dt.date, ...]
    """Attendance dates that it is about."""
    days: Mapping[dt.date, int] = field(default_factory=dict)
    """Minutes by attendance date."""
    cover: Cover | None = None
    warnings: list[str] = field(default_factory=list)
    chain: tuple[Step, ...] = ()


def concerned(person: AskerRow, other: str | None) -> Concerned:
    """Whom a request is about, for the rules of approval."""
    return Concerned(person.id, person.department, other)


def refuse_uncovered(leave: LeaveType, cover: Cover) -> None:
    """DataError ``leave_no_balance`` when minutes are missing."""
    if cover.short:
        raise DataError(
            f"{leave.id}: {cover.needed} minutes are needed, {cover.needed - cover.short} are left; ask for less",
            "leave_no_balance",
            {
                "leave_type": leave.id,
                "needed": str(cover.needed),
                "left": str(cover.needed - cover.short),
                "short": str(cover.short),
            },
        )


async def shifts_around(
    connection: AsyncConnection, person: AskerRow, zone: ZoneInfo, start: WallMs, end: WallMs
) -> list[Shift]:
    """Shifts that may reach into a span: as planned, and by the group's pattern after the last planned date."""
    first, last = from_ms(start).astimezone(zone).date() - DAY, from_ms(end).astimezone(zone).date() + DAY
    planned = (await attendance_queries.planned(connection, [person.id], first, last)).get(person.id, [])
    until = await asked_queries.planned_until(connection, person.id)
    beyond = first if until is None else max(first, until + DAY)
    if beyond > last:
        return planned
    people = await roster_queries.people_by_id(connection, Scope.system(), {person.id})
    laid = await rosters.laid_out(connection, people, beyond, last)
    library = await shift_queries.library(connection) if any(laid.values()) else {}
    return [*planned, *(Shift(day, library[one].plan) for (_, day), shifts in laid.items() for one in shifts)]


async def rest_of(connection: AsyncConnection, person: AskerRow, leave: RequestRow, end: WallMs) -> dict[dt.date, int]:
    """Minutes by date of an absence that ends at ``end``."""
    if end <= leave.from_ms:
        return {}
    zone = ZoneInfo(person.zone)
    kind = (await leave_types(connection)).get(leave.leave_type or "")
    shifts = await shifts_around(connection, person, zone, leave.from_ms, end)
    return covered(shifts, leave.from_ms, end, zone, 1 if kind is None else kind.unit_min)


def days_of(row: RequestRow) -> dict[dt.date, int]:
    """Minutes by attendance date as they were when it was asked for."""
    return {dt.date.fromisoformat(day): minutes for day, minutes in row.detail.get("days", {}).items()}


def span_of(asking: Asking, ask: Ask) -> tuple[WallMs, WallMs]:
    """Both instants; DataError ``bad_time``, ``no_such_time``, ``bad_span``, ``too_long``."""
    start, end = instant(ask.start, asking.zone), instant(ask.end, asking.zone)
    if end <= start:
        raise DataError(f"{ask.end} is not after {ask.start}: turn them round", "bad_span")
    if end - start > LONGEST_DAYS * 86_400_000:
        raise DataError(f"longer than {LONGEST_DAYS} days: ask for a part of it", "too_long")
    return start, end


def values_of(ask: Ask, start: WallMs, end: WallMs, minutes: int) -> dict[str, Any]:
    """What every kind stores."""
    return {
        "kind": ask.kind,
        "from_ms": start,
        "to_ms": end,
        "minutes": minutes,
        "to_comp": False,
        "reason": ask.reason.strip(),
        "detail": {},
    }


async def refuse_overlap(connection: AsyncConnection, asking: Asking, start: WallMs, end: WallMs) -> None:
    """DataError ``overlap`` when the person is away then by another request."""
    found = await asked_queries.overlapping(connection, asking.person.id, ABSENCES, start, end)
    if found:
        raise DataError(
            f"request {found[0].id} covers part of that time: withdraw or end it first",
            "overlap",
            {"request": str(found[0].id)},
        )
