"""Whose number on a terminal it is: mapped, suggested, corrected, taken away. Punches follow, and their days."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.touch import touched_dates
from server.people.numbers import Suggestion, suggest
from server.services.accounts import Caller
from server.services.import_kind import Who
from server.services.people_changes import entry
from server.store import command_queries, identity_queries, log_queries, page_queries, people_queries
from server.store.attendance_queries import EmployeeDay, touch_days
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.log_queries import Detail
from server.store.page_queries import PersonRow
from shared.clock import WallMs, to_ms
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class Assigned:
    """How many punches followed, and how many days are computed again."""

    punches: int
    days: int


@dataclass(frozen=True, slots=True)
class Number:
    """A number that terminals of a group know somebody by."""

    user_group: str
    user_code: str

    def __str__(self) -> str:
        return f"{self.user_group}/{self.user_code}"


async def assign_user(
    db: Database,
    actor: str,
    user_group: str,
    user_code: str,
    employee: str,
    *,
    now_ms: WallMs,
    scope: Scope,
    caller: Caller | None = None,
) -> Assigned:
    """Map a terminal user to an employee; past punches follow. Safe to repeat.

    NotFoundError for an employee who is not there or not in scope; DataError for a number that is somebody else's.
    """
    wanted = [(Number(user_group, user_code), employee)]
    return await assign_users(db, actor, wanted, now_ms=now_ms, scope=scope, caller=caller)


async def assign_users(
    db: Database,
    actor: str,
    wanted: Sequence[tuple[Number, str]],
    *,
    now_ms: WallMs,
    scope: Scope,
    caller: Caller | None = None,
) -> Assigned:
    """Map several at once, all or none; errors as ``assign_user``."""
    who = Who(actor, scope, now_ms, caller)
    days: set[EmployeeDay] = set()
    punches = 0
    async with db.writing() as connection:
        await identity_queries.hold_watermark(connection)  # a punch that is just being added would stay unmatched
        done: list[tuple[Number, Detail]] = []
        for number, employee in wanted:
            person = await _person(connection, scope, employee)
            found, touched = await give_number(connection, number, person, now_ms)
            days |= touched
            punches += found
            detail: Detail = {"employee": employee, "punches": found, "days": len(touched)}
            done.append((number, detail))
        await touch_days(connection, days)
        for number, detail in done:
            await log_queries.append(connection, entry(who, "people.assign", str(number), detail))
        topics = {"unmatched", "people", *(f"employee:{employee}" for _, employee in wanted)}
        await note_changes(connection, topics, now_ms)
    return Assigned(punches, len(days))


async def give_number(
    connection: AsyncConnection, number: Number, person: PersonRow, now_ms: WallMs
) -> tuple[int, set[EmployeeDay]]:
    """Map a number and give its waiting punches; how many, and the days to touch. DataError ``number_taken``.

    For whoever holds the watermark.
    """
    await people_queries.map_user(connection, number.user_group, number.user_code, person.id)
    owner = await people_queries.employee_of_user(connection, Scope.system(), number.user_group, number.user_code)
    if owner != person.id:
        raise DataError(f"number {number} belongs to {owner}", "number_taken", {"number": str(number)})
    instants = await people_queries.give_punches(connection, number.user_group, number.user_code, person.id, now_ms)
    return len(instants), _days_of(person, instants)


async def take_number(
    connection: AsyncConnection, number: Number, person: PersonRow, now_ms: WallMs
) -> set[EmployeeDay]:
    """Nobody's again, with all its punches; the days to touch. DataError ``changed_since``. As ``give_number``."""
    owner = await people_queries.employee_of_user(connection, Scope.system(), number.user_group, number.user_code)
    if owner != person.id:
        raise DataError(f"number {number} is not of {person.id}", "changed_since", {"number": str(number)})
    await people_queries.map_anew(connection, number.user_group, number.user_code, None)
    pair = (number.user_group, number.user_code)
    return _days_of(person, await people_queries.move_punches(connection, pair, (person.id, None), None, now_ms))


async def move_number(
    db: Database,
    actor: str,
    number: Number,
    employee: str,
    *,
    to: str | None,
    from_on: dt.date | None,
    now_ms: WallMs,
    scope: Scope,
    caller: Caller | None = None,
) -> Assigned:
    """Correct a wrong number: from a local date on, or altogether, it is somebody else's or nobody's.

    Its punches from then on follow, and the days of both are computed again; closed months get adjustments by that.
    Earlier punches stay where they are. NotFoundError, DataError ``number_not_theirs``.
    """
    who = Who(actor, scope, now_ms, caller)
    async with db.writing() as connection:
        await identity_queries.hold_watermark(connection)
        old = await _person(connection, scope, employee)
        new = None if to is None else await _person(connection, scope, to)
        owner = await people_queries.employee_of_user(connection, scope, number.user_group, number.user_code)
        if owner != employee:
            raise DataError(f"number {number} is not of {employee}", "number_not_theirs", {"number": str(number)})
        from_ms = None
        if from_on is not None:
            from_ms = to_ms(dt.datetime.combine(from_on, dt.time(), ZoneInfo(old.zone)))
        await people_queries.map_anew(connection, number.user_group, number.user_code, to)
        pair = (number.user_group, number.user_code)
        instants = await people_queries.move_punches(connection, pair, (employee, to), from_ms, now_ms)
        days = _days_of(old, instants)
        if new is not None:
            days |= _days_of(new, instants)
            waiting = await people_queries.give_punches(connection, *pair, new.id, now_ms)
            instants += waiting
            days |= _days_of(new, waiting)
        await touch_days(connection, days)
        detail: Detail = {
            "from": employee,
            "to": to,
            "since": str(from_on) if from_on else None,
            "punches": len(instants),
        }
        await log_queries.append(connection, entry(who, "people.move_number", str(number), detail))
        topics = ["unmatched", "people", *(f"employee:{one}" for one in (employee, to) if one)]
        await note_changes(connection, topics, now_ms)
    return Assigned(len(instants), len(days))


async def suggestions(connection: AsyncConnection, scope: Scope, numbers: Iterable[Number]) -> dict[Number, Suggestion]:
    """Whose the numbers probably are: by what the terminals' own lists call them, or because they are an id.

    Lists hold people of every department, so only who sees everyone gets suggestions.
    """
    wanted = list(numbers)
    if not scope.everyone or not wanted:
        return {}
    names = await people_queries.names_of_people(connection, scope)
    shown: dict[Number, list[tuple[str, str]]] = {}
    groups = {number.user_group for number in wanted}
    for group, places in (await people_queries.terminals_by_group(connection)).items():
        for serial, terminal in places if group in groups else ():
            listed = await command_queries.newest_list(connection, serial)
            for user in listed[1] if listed else ():
                shown.setdefault(Number(group, user.number), []).append((user.name.strip(), terminal))
    found = {number: suggest(number.user_code, shown.get(number, ()), names) for number in wanted}
    return {number: suggestion for number, suggestion in found.items() if suggestion is not None}


async def _person(connection: AsyncConnection, scope: Scope, employee: str) -> PersonRow:
    person = await page_queries.person(connection, scope, employee)
    if person is None:
        raise NotFoundError(f"employee {employee!r} is not in scope")
    return person


def _days_of(person: PersonRow, instants: Iterable[WallMs | None]) -> set[EmployeeDay]:
    zone = ZoneInfo(person.zone)
    return {(person.id, day) for true_ms in instants if true_ms is not None for day in touched_dates(true_ms, zone)}
