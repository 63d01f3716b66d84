"""The shift library and patterns: added, changed, retired, and what a change would touch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.attendance.calendar import PLAIN
from server.attendance.months import month_of
from server.rosters.change import EmployeeDay
from server.rosters.check import AROUND, Person, check
from server.rosters.pattern import Shifts, lay_out
from server.rosters.pattern import problems_of as pattern_problems
from server.rosters.shift import LibraryShift, Problem, free_id, problems_of, same_times, straightened
from server.services.accounts import Caller
from server.services.journal import journal
from server.services.problems import refuse_problems
from server.services.rosters import TOPIC, follow
from server.store import calendar_queries, closing_queries, roster_queries, shift_queries
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.shift_queries import PatternRow
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class ShiftCheck:
    """What a change of a shift would touch."""

    problems: list[Problem]
    people: int
    days: int
    """Employee-days on which it is planned; 0 when nobody's minutes change."""
    closed: list[str]
    """Closed months in which it is planned: its times can not change then."""
    overlaps: int
    """Employee-days on which it would overlap with what else is planned."""
    copy_id: str
    """A free id for a copy that takes its place from now on."""


async def check_shift(db: Database, shift: LibraryShift) -> ShiftCheck:
    """What would speak against it, and what it would touch."""
    async with db.reading() as connection:
        return await _check(connection, shift, await closing_queries.closed_months(connection))


async def save_shift(db: Database, actor: str, shift: LibraryShift, *, new: bool, caller: Caller) -> ShiftCheck:
    """Add a shift or change one; days on which it is planned are computed again when its times change.

    UnusableError for what makes no sense, DataError ``shift_exists``, ``shift_in_closed_month``,
    ``shift_would_overlap``, ``shift_in_pattern``; NotFoundError for a change of what is not there.
    """
    shift = straightened(shift)
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        known = await shift_queries.library(connection)
        _refuse_identity(shift, known, new=new)
        found = await _check(connection, shift, closed)
        refuse_problems(f"shift {shift.id}", found.problems)
        _refuse_effects(shift, found)
        if shift.retired:
            await _refuse_used(connection, shift.id)
        await shift_queries.put_shift(connection, shift)
        if found.days:
            await follow(connection, await shift_queries.days_on(connection, shift.id))
        times = {"start": shift.plan.start, "end": shift.plan.end}
        await journal(connection, caller, actor, "shift.save", shift.id, days=found.days, **times)
        await note_changes(connection, [TOPIC], caller.at_ms)
    return found


async def retire_shift(db: Database, actor: str, shift: str, *, retired: bool, caller: Caller) -> None:
    """Take a shift out of what can be planned, or back in; what is planned stays."""
    async with db.reading() as connection:
        known = (await shift_queries.library(connection)).get(shift)
    if known is None:
        raise NotFoundError(f"there is no shift {shift!r}")
    await save_shift(db, actor, replace(known, retired=retired), new=False, caller=caller)


async def save_pattern(db: Database, actor: str, row: PatternRow, caller: Caller) -> None:
    """Add or change a pattern; rosters that were laid out stay until they are laid out again."""
    async with db.writing() as connection:
        await refuse_pattern(connection, row)
        await shift_queries.put_pattern(connection, row)
        await journal(connection, caller, actor, "pattern.save", row.id, days=len(row.pattern.days))
        await note_changes(connection, [TOPIC], caller.at_ms)


async def drop_pattern(db: Database, actor: str, pattern: str, caller: Caller) -> None:
    """Delete a pattern; DataError ``pattern_used`` while a group plans by it, NotFoundError when it is not there."""
    async with db.writing() as connection:
        if pattern not in await shift_queries.pattern_rows(connection):
            raise NotFoundError(f"there is no pattern {pattern!r}")
        if not await shift_queries.drop_pattern(connection, pattern):
            raise DataError(f"groups plan by {pattern}: give them another pattern first", "pattern_used")
        await journal(connection, caller, actor, "pattern.drop", pattern)
        await note_changes(connection, [TOPIC], caller.at_ms)


async def preview_pattern(
    db: Database, row: PatternRow, anchor: date, first: date, last: date, *, site: str | None
) -> dict[date, Shifts]:
    """The pattern laid out by the calendar of a site; UnusableError for one that makes no sense."""
    async with db.reading() as connection:
        await refuse_pattern(connection, row)
        calendars = await calendar_queries.calendars_of_sites(connection)
    calendar = calendars.get(site, PLAIN) if site else next(iter(calendars.values()), PLAIN)
    return lay_out(row.pattern, anchor, calendar, first, last)


async def refuse_pattern(connection: AsyncConnection, row: PatternRow) -> None:
    """UnusableError for a pattern that can not be laid out."""
    library = await shift_queries.library(connection)
    usable = {shift.id for shift in library.values() if not shift.retired}
    refuse_problems(f"pattern {row.id}", pattern_problems(row.pattern, usable))


# --- parts ----------------------------------------------------------------------------------------------------------


def _refuse_identity(shift: LibraryShift, known: Mapping[str, LibraryShift], *, new: bool) -> None:
    if new and shift.id in known:
        raise DataError(f"shift {shift.id} is there: change it, or take another id", "shift_exists")
    if not new and shift.id not in known:
        raise NotFoundError(f"there is no shift {shift.id!r}")


def _refuse_effects(shift: LibraryShift, found: ShiftCheck) -> None:
    if found.days and found.closed:
        raise DataError(
            f"{shift.id} is planned in closed months ({', '.join(found.closed)}): its times can not change any more; "
            f"copy it as {found.copy_id} and plan that from now on",
            "shift_in_closed_month",
            {"months": ", ".join(found.closed), "copy": found.copy_id},
        )
    if found.overlaps:
        raise DataError(
            f"{shift.id} would overlap with other shifts on {found.overlaps} employee-days: mend the roster first",
            "shift_would_overlap",
            {"days": str(found.overlaps)},
        )


async def _refuse_used(connection: AsyncConnection, shift: str) -> None:
    rows = await shift_queries.pattern_rows(connection)
    users = [row.id for row in rows.values() if any(shift in day for day in row.pattern.days)]
    if users:
        raise DataError(
            f"patterns {', '.join(users)} plan {shift}: change them first",
            "shift_in_pattern",
            {"patterns": ", ".join(users)},
        )


async def _check(connection: AsyncConnection, shift: LibraryShift, closed: Collection[str]) -> ShiftCheck:
    shift = straightened(shift)
    library = await shift_queries.library(connection)
    problems = problems_of(shift, library.values())
    copy = free_id(shift.id, library)
    before = library.get(shift.id)
    if problems or before is None or same_times(before.plan, shift.plan):
        return ShiftCheck(problems, 0, 0, [], 0, copy)
    days = await shift_queries.days_on(connection, shift.id)
    months = sorted({month_of(day) for _, day in days} & set(closed))
    overlaps = await _overlaps(connection, days, library | {shift.id: shift}) if days else 0
    return ShiftCheck(problems, len({employee for employee, _ in days}), len(days), months, overlaps, copy)


async def _overlaps(
    connection: AsyncConnection, days: Sequence[EmployeeDay], library: Mapping[str, LibraryShift]
) -> int:
    """How many of these employee-days would overlap with this library."""
    dates = [day for _, day in days]
    plan = await roster_queries.plan_of(
        connection, {employee for employee, _ in days}, min(dates) - AROUND, max(dates) + AROUND
    )
    after: dict[str, dict[date, Shifts]] = {}
    for (employee, day), cell in plan.items():
        after.setdefault(employee, {})[day] = cell.shifts
    asked = set(days)
    before = {e: {d: shifts for d, shifts in those.items() if (e, d) not in asked} for e, those in after.items()}
    found = [
        finding
        for employee, those in after.items()
        for finding in check(Person(employee, date.min), before[employee], those, library)
        if finding.code in ("overlap", "order_unclear")
    ]
    return len({(finding.employee, finding.date) for finding in found})
