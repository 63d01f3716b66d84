"""What somebody asks for, looked at before it is stored: minutes, balance, warnings, who will decide."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.calendar import PLAIN
from server.attendance.closing import refuse_closed
from server.attendance.facts import Shift
from server.attendance.policy import DEFAULT
from server.requests.approvers import Approvers, Concerned
from server.requests.balance import Cover
from server.requests.chain import DEFAULT_CHAINS, LAST_RESORT, Kind, Step, check_steps, laid_out
from server.requests.leave_types import LeaveType
from server.requests.span import covered, date_of_punch, dates_of_span, instant, local_dates, midnights
from server.rosters.edit import Swap
from server.services import rosters
from server.services.leave import CORRECTION_SETTINGS, cover_of, leave_types
from server.store import (
    approval_queries,
    asked_queries,
    attendance_queries,
    calendar_queries,
    roster_queries,
    shift_queries,
)
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


async def draft(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    """Look at a request; DataError with a code for each thing that does not fit."""
    made = await _MAKERS[ask.kind](connection, asking, ask)
    person = asking.person
    for day in made.dates:
        if day < person.joined_on or (person.left_on is not None and day > person.left_on):
            raise DataError(f"{day}: {person.id} is not employed then; choose other dates", "not_employed")
    refuse_closed(made.dates, asking.closed)
    made.values["detail"] = {**made.values.get("detail", {}), **({"by_hr": True} if asking.by_hr else {})}
    if made.days:
        made.values["detail"]["days"] = {day.isoformat(): minutes for day, minutes in made.days.items()}
    office = await approval_queries.approvers_at(connection, asking.now_ms)
    made.chain = await chain_for(connection, office, ask.kind, made.values["minutes"], concerned(person, ask.other))
    if not made.chain and made.values["detail"].get("file_needed"):
        made.chain = (LAST_RESORT,)  # somebody has to see the document
    return made


async def chain_for(
    connection: AsyncConnection, office: Approvers, kind: Kind, minutes: int, about: Concerned
) -> tuple[Step, ...]:
    """Steps that a request takes, by the company's settings."""
    row = (await approval_queries.chain_rows(connection)).get(kind)
    steps = DEFAULT_CHAINS[kind] if row is None else read_steps(kind, row.steps)
    chain = laid_out(steps, minutes, lambda role: bool(office.asked(role, about)))
    if kind == "swap" and not office.asked("other", about):
        raise DataError("the other employee has no account to agree with: ask HR to plan the swap", "no_account")
    return chain


def read_steps(kind: Kind, rows: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Stored steps as values; DataError ``bad_chain``."""
    steps = tuple(Step(**row) for row in rows)
    check_steps(kind, steps)
    return steps


def concerned(person: AskerRow, other: str | None) -> Concerned:
    """Whom a request is about, for the rules of approval."""
    return Concerned(person.id, person.department, other)


# --- kinds ----------------------------------------------------------------------------------------------------------


async def _leave(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    leave = (await leave_types(connection)).get(ask.leave_type or "")
    if leave is None or leave.retired:
        raise DataError(f"leave type {ask.leave_type!r}: there is none; choose one of the list", "no_leave_type")
    start, end = _span(asking, ask)
    shifts = await shifts_around(connection, asking.person, asking.zone, start, end)
    days = covered(shifts, start, end, asking.zone, leave.unit_min)
    if not days:
        raise DataError(
            "no shift is planned in that time: nothing to take leave from; have the roster planned first", "no_shift"
        )
    await _refuse_overlap(connection, asking, start, end)
    made = Draft(_values(ask, start, end, sum(days.values())), tuple(days), days)
    made.values["leave_type"] = leave.id
    if leave.balance != "none":
        made.cover = await cover_of(connection, asking.person.id, leave, days)
        refuse_uncovered(leave, made.cover)
    if leave.file_from_min is not None and made.values["minutes"] >= leave.file_from_min:
        made.values["detail"] = {"file_needed": True}
        made.warnings.append("file_needed")
    return made


async def _away(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    """A trip or a field visit: counts as worked, so it needs no balance; without shifts it says so."""
    start, end = _span(asking, ask)
    shifts = await shifts_around(connection, asking.person, asking.zone, start, end)
    days = covered(shifts, start, end, asking.zone)
    await _refuse_overlap(connection, asking, start, end)
    dates = dates_of_span(shifts, start, end, asking.zone)
    made = Draft(_values(ask, start, end, sum(days.values())), dates, days)
    made.values["detail"] = {"place": ask.place} if ask.place else {}
    if not days:
        made.warnings.append("no_shift")
    return made


async def _correction(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    at = instant(ask.start, asking.zone)
    if at > asking.now_ms:
        raise DataError(f"{ask.start} is in the future: only what happened can be corrected", "in_future")
    if not ask.reason.strip():
        raise DataError("a correction needs a reason: say what happened", "reason_missing")
    shifts = await shifts_around(connection, asking.person, asking.zone, at, at + 1)
    day = date_of_punch(shifts, at, asking.zone)
    made = Draft(_values(ask, at, at, 0), (day,))
    made.values["direction"] = ask.direction
    await _limit_corrections(connection, asking, made, day, at)
    return made


async def _overtime(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    start, end = _span(asking, ask)
    if end - start > LONGEST_OVERTIME_MS:
        raise DataError("overtime of more than 24 hours: ask for each day on its own", "too_long")
    if await asked_queries.overlapping(connection, asking.person.id, ("overtime",), start, end):
        raise DataError("overtime was asked for in that time already: withdraw it first", "overlap")
    minutes = (end - start) // 60_000
    dates = local_dates(start, end, asking.zone)
    shifts = await shifts_around(connection, asking.person, asking.zone, start, end)
    made = Draft(_values(ask, start, end, minutes), dates)
    made.values["to_comp"] = ask.to_comp
    calendar = (await calendar_queries.calendars_of_sites(connection)).get(asking.person.site, PLAIN)
    has_shift = any(shift.date in dates for shift in shifts)
    if ask.to_comp and any(calendar.type_of(day) == "statutory" for day in dates):
        made.warnings.append("comp_not_allowed")  # AR-27: class 3.0 is paid
    elif ask.to_comp and has_shift:
        made.warnings.append("comp_only_rest_day")  # AR-27: no effect on class 1.5
    if has_shift and minutes > DEFAULT.day_ot_limit_min:
        made.warnings.append("ot_limit_day")
    first = midnights(dates[0].replace(day=1), asking.zone)[0]
    following = midnights((dates[0].replace(day=28) + 4 * DAY).replace(day=1), asking.zone)[0]
    others = await asked_queries.overlapping(connection, asking.person.id, ("overtime",), first, following)
    if minutes + sum(row.minutes for row in others) > DEFAULT.month_ot_limit_min:
        made.warnings.append("ot_limit_month")  # AR-30
    return made


async def _swap(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    person, day = asking.person, ask.date
    other = None if ask.other is None else await asked_queries.asker(connection, Scope.system(), ask.other)
    if day is None or other is None or other.id == person.id or other.department != person.department:
        raise DataError("a swap needs a date and another employee of the department", "bad_swap")
    other_day = ask.other_date or day
    edit = Swap(person.id, other.id, day, other_day)
    found = await rosters.checked(connection, Scope.system(), [edit], asking.closed)
    if not found.differences:
        raise DataError("both have the same shifts then: nothing to swap", "same_shifts")
    conflicts = [one for one in found.findings if one.level == "conflict"]
    if conflicts:
        raise DataError(
            f"{conflicts[0].employee} on {conflicts[0].date}: {conflicts[0].code}; choose other dates",
            "roster_conflict",
            {"employee": conflicts[0].employee, "date": str(conflicts[0].date), "why": conflicts[0].code},
        )
    first, last = sorted((day, other_day))
    start, end = midnights(first, asking.zone)[0], midnights(last, asking.zone)[1]
    if await asked_queries.overlapping(connection, person.id, ("swap",), start, end):
        raise DataError("a swap was asked for on that date already: withdraw it first", "overlap")
    made = Draft(_values(ask, start, end, 0), (first, last) if first != last else (first,))
    made.values |= {"other": other.id, "detail": {"date": str(day), "other_date": str(other_day)}}
    made.warnings += sorted({one.code for one in found.findings})
    return made


async def _leave_end(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    leave = None if ask.about is None else await asked_queries.request_row(connection, Scope.system(), ask.about)
    if leave is None or leave.employee != asking.person.id or leave.kind not in ABSENCES or leave.state != "approved":
        raise DataError("there is no approved leave of that number: choose one of the list", "no_leave")
    if await asked_queries.endings_of(connection, leave.id):
        raise DataError("its end was asked for already: wait for the decision", "overlap")
    start = instant(ask.start, asking.zone) if ask.start else leave.from_ms
    if not leave.from_ms <= start < leave.to_ms:
        raise DataError("the new end has to lie inside the leave", "bad_span")
    kept = await rest_of(connection, asking.person, leave, start)
    before = days_of(leave)
    back = {day: minutes - kept.get(day, 0) for day, minutes in before.items() if minutes > kept.get(day, 0)}
    shifts = await shifts_around(connection, asking.person, asking.zone, start, leave.to_ms)
    dates = tuple(back) or dates_of_span(shifts, start, leave.to_ms, asking.zone)
    made = Draft(_values(ask, start, leave.to_ms, sum(back.values())), dates, back)
    made.values["about"] = leave.id
    return made


_MAKERS = {
    "leave": _leave,
    "trip": _away,
    "field": _away,
    "correction": _correction,
    "overtime": _overtime,
    "swap": _swap,
    "leave_end": _leave_end,
}


# --- parts ----------------------------------------------------------------------------------------------------------


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


def _span(asking: Asking, ask: Ask) -> tuple[WallMs, WallMs]:
    start, end = instant(ask.start, asking.zone), instant(ask.end, asking.zone)
    if end <= start:
        raise DataError(f"{ask.end} is not after {ask.start}: turn them round", "bad_span")
    if end - start > LONGEST_DAYS * 86_400_000:
        raise DataError(f"longer than {LONGEST_DAYS} days: ask for a part of it", "too_long")
    return start, end


def _values(ask: Ask, start: WallMs, end: WallMs, minutes: int) -> dict[str, Any]:
    return {
        "kind": ask.kind,
        "from_ms": start,
        "to_ms": end,
        "minutes": minutes,
        "to_comp": False,
        "reason": ask.reason.strip(),
        "detail": {},
    }


async def _refuse_overlap(connection: AsyncConnection, asking: Asking, start: WallMs, end: WallMs) -> None:
    found = await asked_queries.overlapping(connection, asking.person.id, ABSENCES, start, end)
    if found:
        raise DataError(
            f"request {found[0].id} covers part of that time: withdraw or end it first",
            "overlap",
            {"request": str(found[0].id)},
        )


async def _limit_corrections(
    connection: AsyncConnection, asking: Asking, made: Draft, day: dt.date, at: WallMs
) -> None:
    """Quota and time limit: employees are refused, HR is told."""
    limits, near = await _corrections_of_month(connection, asking.person, day)
    if any(row.from_ms == at for row in near):
        raise DataError("a correction of that minute was asked for already", "overlap")
    month = f"{day:%Y-%m}"
    used = _used(near, day)
    made.values["detail"] = {"date": str(day)}
    today = from_ms(asking.now_ms).astimezone(asking.zone).date()
    if used >= limits["per_month"]:
        text = f"{used} corrections in {month} already, {limits['per_month']} are allowed: ask HR to enter it"
        _limit(asking, made, "correction_quota", text, {"used": str(used), "most": str(limits["per_month"])})
    if (today - day).days > limits["within_days"]:
        text = f"{day} is more than {limits['within_days']} days ago: ask HR to enter it"
        _limit(asking, made, "correction_too_late", text, {"days": str(limits["within_days"])})


async def corrections_left(
    connection: AsyncConnection, person: AskerRow, now_ms: WallMs
) -> tuple[Mapping[str, int], int]:
    """Limits of corrections, and how many of this month the employee has asked for."""
    today = from_ms(now_ms).astimezone(ZoneInfo(person.zone)).date()
    limits, near = await _corrections_of_month(connection, person, today)
    return limits, _used(near, today)


async def _corrections_of_month(
    connection: AsyncConnection, person: AskerRow, day: dt.date
) -> tuple[Mapping[str, int], list[RequestRow]]:
    """Limits, and corrections in and around the month; near its ends they may be of a shift of another month."""
    row = (await approval_queries.chain_rows(connection)).get("correction")
    limits = {**CORRECTION_SETTINGS, **(row.settings if row is not None else {})}
    first, zone = day.replace(day=1), ZoneInfo(person.zone)
    following = (first + 31 * DAY).replace(day=1)
    span = midnights(first - DAY, zone)[0], midnights(following + DAY, zone)[1]
    return limits, await asked_queries.corrections_between(connection, person.id, *span)


def _used(near: Sequence[RequestRow], day: dt.date) -> int:
    """Corrections of the month of that date that count: those of the employee."""
    month = f"{day:%Y-%m}"
    return sum(one.detail.get("date", "").startswith(month) and not one.detail.get("by_hr") for one in near)


def _limit(asking: Asking, made: Draft, code: str, text: str, parameters: Mapping[str, str]) -> None:
    if not asking.by_hr:
        raise DataError(text, code, parameters)
    made.warnings.append(code)
    made.values["detail"] = {**made.values["detail"], "beyond_quota": True}
