"""What somebody asks for, looked at before it is stored: minutes, balance, warnings, who will decide."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.calendar import PLAIN
from server.attendance.closing import refuse_closed
from server.requests.approvers import Approvers, Concerned
from server.requests.chain import DEFAULT_CHAINS, LAST_RESORT, Kind, Step, check_steps, laid_out
from server.requests.span import covered, date_of_overtime, dates_of_span, instant, local_dates, midnights
from server.rosters.edit import Swap
from server.services import rosters
from server.services.leave import cover_of, leave_types
from server.services.request_corrections import correction
from server.services.request_parts import (
    ABSENCES,
    DAY,
    LONGEST_OVERTIME_MS,
    Ask,
    Asking,
    Draft,
    concerned,
    days_of,
    refuse_overlap,
    refuse_uncovered,
    rest_of,
    shifts_around,
    span_of,
    values_of,
)
from server.store import approval_queries, asked_queries, calendar_queries, policy_queries
from shared.errors import DataError


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


# --- kinds ----------------------------------------------------------------------------------------------------------


async def _leave(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    leave = (await leave_types(connection)).get(ask.leave_type or "")
    if leave is None or leave.retired:
        raise DataError(f"leave type {ask.leave_type!r}: there is none; choose one of the list", "no_leave_type")
    start, end = span_of(asking, ask)
    shifts = await shifts_around(connection, asking.person, asking.zone, start, end)
    days = covered(shifts, start, end, asking.zone, leave.unit_min)
    if not days:
        raise DataError(
            "no shift is planned in that time: nothing to take leave from; have the roster planned first", "no_shift"
        )
    await refuse_overlap(connection, asking, start, end)
    made = Draft(values_of(ask, start, end, sum(days.values())), tuple(days), days)
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
    start, end = span_of(asking, ask)
    shifts = await shifts_around(connection, asking.person, asking.zone, start, end)
    days = covered(shifts, start, end, asking.zone)
    await refuse_overlap(connection, asking, start, end)
    dates = dates_of_span(shifts, start, end, asking.zone)
    made = Draft(values_of(ask, start, end, sum(days.values())), dates, days)
    made.values["detail"] = {"place": ask.place} if ask.place else {}
    if not days:
        made.warnings.append("no_shift")
    return made


async def _overtime(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    start, end = span_of(asking, ask)
    if end - start > LONGEST_OVERTIME_MS:
        raise DataError("overtime of more than 24 hours: ask for each day on its own", "too_long")
    if await asked_queries.overlapping(connection, asking.person.id, ("overtime",), start, end):
        raise DataError("overtime was asked for in that time already: withdraw it first", "overlap")
    minutes = (end - start) // 60_000
    dates = local_dates(start, end, asking.zone)
    shifts = await shifts_around(connection, asking.person, asking.zone, start, end)
    day, has_shift = date_of_overtime(shifts, start, end, asking.zone)
    made = Draft(values_of(ask, start, end, minutes), (day,))
    made.values["to_comp"] = ask.to_comp
    calendar = (await calendar_queries.calendars_of_sites(connection)).get(asking.person.site, PLAIN)
    if ask.to_comp and any(calendar.type_of(day) == "statutory" for day in dates):
        made.warnings.append("comp_not_allowed")  # AR-27: class 3.0 is paid
    elif ask.to_comp and has_shift:
        made.warnings.append("comp_only_rest_day")  # AR-27: no effect on class 1.5
    policy = (await policy_queries.policies_for(connection, [asking.person.id], day, day))[asking.person.id].on(day)
    if has_shift and minutes > policy.day_ot_limit_min:
        made.warnings.append("ot_limit_day")
    first = midnights(dates[0].replace(day=1), asking.zone)[0]
    following = midnights((dates[0].replace(day=28) + 4 * DAY).replace(day=1), asking.zone)[0]
    others = await asked_queries.overlapping(connection, asking.person.id, ("overtime",), first, following)
    if minutes + sum(row.minutes for row in others) > policy.month_ot_limit_min:
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
    made = Draft(values_of(ask, start, end, 0), (first, last) if first != last else (first,))
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
    made = Draft(values_of(ask, start, leave.to_ms, sum(back.values())), dates, back)
    made.values["about"] = leave.id
    return made


_MAKERS = {
    "leave": _leave,
    "trip": _away,
    "field": _away,
    "correction": correction,
    "overtime": _overtime,
    "swap": _swap,
    "leave_end": _leave_end,
}
