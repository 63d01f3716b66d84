"""Planning who works when: looked at before it is saved, saved whole or not at all."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.calendar import PLAIN
from server.attendance.touch import dates_near_roster
from server.rosters.change import (
    NOTHING,
    Changes,
    Difference,
    EmployeeDay,
    Origin,
    Plan,
    copied,
    differences,
    from_pattern,
    swapped,
)
from server.rosters.check import AROUND, Finding, Person, check, worst
from server.rosters.edit import CopyDays, Edit, FillPattern, SetShifts, Swap, people_of, span_of
from server.rosters.membership import group_on
from server.rosters.pattern import Shifts, lay_out
from server.services.accounts import Caller
from server.services.journal import journal
from server.store import (
    attendance_queries,
    calendar_queries,
    closing_queries,
    group_queries,
    log_queries,
    roster_queries,
    shift_queries,
)
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.roster_queries import PlannedPerson
from shared.clock import WallMs
from shared.errors import DataError

TOPIC = "roster"
MOST_DAYS = 50_000
"""Employee-days of one change set."""


class RosterRefusedError(DataError):
    """The change set is not saved: ``roster_conflict``, or ``roster_warning`` when nobody accepted the warnings."""

    def __init__(self, code: str, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__(
            f"{len(findings)} findings, the first for {first.employee} on {first.date}: {first.code}; "
            "check the change set, mend it or accept the warnings, and save again",
            code,
            {f"{one.employee} {one.date}": one.code for one in findings[:100]},
        )
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a change set would do, and what speaks against it."""

    differences: list[Difference]
    findings: list[Finding]
    names: Mapping[str, str] = field(default_factory=dict)
    """Of the people in it."""
    before: Plan = field(default_factory=dict)
    """What is planned for the days that change."""


# --- change sets ----------------------------------------------------------------------------------------------------


async def check_edits(db: Database, scope: Scope, edits: Sequence[Edit]) -> Checked:
    """What the edits would do, one after the other; nothing is stored. NotFoundError for people out of scope."""
    async with db.reading() as connection:
        closed = await closing_queries.closed_months(connection)
        return await checked(connection, scope, edits, closed)


async def save_edits(
    db: Database, actor: str, scope: Scope, edits: Sequence[Edit], *, accept_warnings: bool, caller: Caller
) -> Checked:
    """Store what the edits do; RosterRefusedError for conflicts, or for warnings that are not accepted."""
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        found = await checked(connection, scope, edits, closed)
        refuse(found.findings, accept_warnings=accept_warnings)
        await _note_planned(connection, edits)
        if found.differences:
            for origin, days in _by_origin(found, edits).items():
                await roster_queries.replace_days(connection, days, origin)
            await follow(connection, ((one.employee, one.date) for one in found.differences))
            await journal(connection, caller, actor, "roster.save", "roster", **told(found))
            await note_changes(connection, topics(found.differences), caller.at_ms)
    return found


async def _note_planned(connection: AsyncConnection, edits: Sequence[Edit]) -> None:
    for edit in edits:
        if isinstance(edit, FillPattern):
            for group in edit.groups:
                await group_queries.set_planned_until(connection, group, edit.last)


async def checked(connection: AsyncConnection, scope: Scope, edits: Sequence[Edit], closed: Collection[str]) -> Checked:
    """The same within a transaction; ``closed`` are the months that are."""
    wanted = {person for edit in edits for person in people_of(edit)}
    people = await roster_queries.people_by_id(connection, scope, wanted)
    if missing := sorted(wanted - set(people)):
        raise NotFoundError(f"not in scope: {', '.join(missing[:5])}")
    if not wanted:
        return Checked([], [])
    first, last = span_of(edits)
    plan = await roster_queries.plan_of(connection, wanted, first - AROUND, last + AROUND)
    changes: Changes = {}
    for edit in edits:
        now = dict(plan) | {key: replace(NOTHING, shifts=shifts, origin="manual") for key, shifts in changes.items()}
        changes |= await _changes_of(connection, edit, now, people)
        if len(changes) > MOST_DAYS:
            raise DataError(f"more than {MOST_DAYS} employee-days: save a shorter span or fewer people", "too_many")
    return await findings_of(connection, people, plan, changes, closed)


async def findings_of(
    connection: AsyncConnection,
    people: Mapping[str, PlannedPerson],
    plan: Plan,
    changes: Mapping[EmployeeDay, Shifts],
    closed: Collection[str],
) -> Checked:
    """Differences and findings of a change set; ``plan`` reaches ``AROUND`` beyond its dates."""
    library = await shift_queries.library(connection)
    contracts = await roster_queries.contracts_of(connection, people)
    calendars = await calendar_queries.calendars_of_sites(connection)
    found: list[Finding] = []
    before, after = _by_person(plan), _by_person(plan)
    for (employee, day), shifts in changes.items():
        after.setdefault(employee, {})[day] = shifts
    for employee in sorted({employee for employee, _ in changes}):
        person = people[employee]
        about = Person(
            person.id,
            person.joined_on,
            person.left_on,
            contracts.get(employee, ()),
            calendars.get(person.site, PLAIN),
        )
        found += check(about, before.get(employee, {}), after.get(employee, {}), library, closed=closed)
    differ = differences(plan, changes)
    old = {key: plan[key] for one in differ if (key := (one.employee, one.date)) in plan}
    return Checked(differ, found, {one.employee: people[one.employee].name for one in differ}, old)


def refuse(findings: Sequence[Finding], *, accept_warnings: bool) -> None:
    """RosterRefusedError unless the findings may be saved."""
    level = worst(findings)
    if level == "conflict":
        raise RosterRefusedError("roster_conflict", [one for one in findings if one.level == "conflict"])
    if level == "warning" and not accept_warnings:
        raise RosterRefusedError("roster_warning", [one for one in findings if one.level == "warning"])


def planners(scope: Scope) -> Scope:
    """Whom a viewer of this scope may plan: not oneself, unless one's department is."""
    return Scope(scope.everyone, scope.departments, None)


# --- swaps ----------------------------------------------------------------------------------------------------------


async def swap(
    connection: AsyncConnection,
    a: str,
    b: str,
    date: date,
    now_ms: WallMs,
    *,
    other_date: date | None = None,
    actor: str = "system",
) -> set[str]:
    """Let two people work each other's shifts, within the transaction that approves it; the topics that changed.

    ``date`` is that of ``a``'s shift, ``other_date`` that of ``b``'s, None for the same. Days are touched and the
    operation log is written; the caller notes the topics, last. RosterRefusedError ``roster_conflict`` when either
    would be planned twice or a month is closed; warnings keep nothing. NotFoundError for unknown people.
    """
    closed = await closing_queries.hold_closed_months(connection)
    found = await checked(connection, Scope.system(), [Swap(a, b, date, other_date or date)], closed)
    refuse(found.findings, accept_warnings=True)
    days = {(one.employee, one.date): one.after for one in found.differences}
    await roster_queries.replace_days(connection, days, "swap")
    await follow(connection, days)
    swapped_with = {"with": b, "date": date.isoformat(), "other_date": (other_date or date).isoformat()}
    await log_queries.append(connection, Entry(now_ms, actor, "roster.swap", a, detail=swapped_with))
    return topics(found.differences)


# --- what follows from a change -------------------------------------------------------------------------------------


async def follow(connection: AsyncConnection, days: Iterable[EmployeeDay]) -> None:
    """Have the results around these employee-days computed again."""
    near = {(employee, other) for employee, day in days for other in dates_near_roster(day)}
    await attendance_queries.touch_days(connection, near)


def topics(changed: Iterable[Difference]) -> set[str]:
    """What pages follow that show any of it."""
    return {TOPIC} | {f"employee:{one.employee}" for one in changed}


def told(found: Checked) -> dict[str, str | int]:
    """Facts for the operation log."""
    days = [one.date for one in found.differences]
    return {
        "days": len(days),
        "people": len({one.employee for one in found.differences}),
        "first": min(days).isoformat(),
        "last": max(days).isoformat(),
        "warnings": sum(one.level == "warning" for one in found.findings),
    }


# --- parts ----------------------------------------------------------------------------------------------------------


async def _changes_of(
    connection: AsyncConnection, edit: Edit, plan: Plan, people: Mapping[str, PlannedPerson]
) -> Changes:
    match edit:
        case SetShifts():
            return {(person, day): edit.shifts for person in edit.people for day in edit.dates}
        case CopyDays():
            return _employed(copied(plan, edit.people, edit.first, edit.last, weeks=edit.weeks, over=edit.over), people)
        case Swap():
            return swapped(plan, (edit.a, edit.a_on), (edit.b, edit.b_on))
        case FillPattern():
            laid = await laid_out(connection, {name: people[name] for name in edit.people}, edit.first, edit.last)
            origins: tuple[Origin, ...] = ("pattern", "manual", "import", "swap") if edit.over else ("pattern",)
            return from_pattern(plan, laid, over=origins)


async def laid_out(
    connection: AsyncConnection,
    people: Mapping[str, PlannedPerson],
    first: date,
    last: date,
    *,
    only: str | None = None,
) -> Changes:
    """What the patterns of these people's groups say for the dates on which they are employed and in a group.

    ``only`` leaves other groups aside.
    """
    groups = {row.id: row for row in await group_queries.group_rows(connection)}
    patterns = await shift_queries.pattern_rows(connection)
    calendars = await calendar_queries.calendars_of_sites(connection)
    members = await group_queries.memberships(connection, people)
    laid: dict[tuple[str, str], dict[date, Shifts]] = {}
    found: Changes = {}
    for employee, person in people.items():
        for day in _days(first, last):
            group = groups.get(group_on(members.get(employee, ()), day) or "")
            if group is None or only not in (None, group.id) or group.pattern is None or not _works(person, day):
                continue
            key = group.id, person.site
            if key not in laid:
                calendar = calendars.get(person.site, PLAIN)
                pattern = patterns[group.pattern].pattern
                laid[key] = lay_out(pattern, group.anchor_on or first, calendar, first, last)
            found[employee, day] = laid[key][day]
    return found


def _by_origin(found: Checked, edits: Sequence[Edit]) -> dict[Origin, Changes]:
    """Only a change set that is nothing but a pattern or a swap is known as one."""
    origin: Origin = "manual"
    if all(isinstance(edit, FillPattern) for edit in edits):
        origin = "pattern"
    elif all(isinstance(edit, Swap) for edit in edits):
        origin = "swap"
    return {origin: {(one.employee, one.date): one.after for one in found.differences}}


def _by_person(plan: Plan) -> dict[str, dict[date, Shifts]]:
    found: dict[str, dict[date, Shifts]] = {}
    for (employee, day), cell in plan.items():
        found.setdefault(employee, {})[day] = cell.shifts
    return found


def _employed(changes: Changes, people: Mapping[str, PlannedPerson]) -> Changes:
    """Who leaves meanwhile is not planned any further."""
    return {key: shifts for key, shifts in changes.items() if not shifts or _works(people[key[0]], key[1])}


def _works(person: PlannedPerson, day: date) -> bool:
    return person.joined_on <= day and (person.left_on is None or day <= person.left_on)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))
