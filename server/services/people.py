"""Whose number on a terminal it is."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.touch import touched_dates
from server.services.accounts import Caller
from server.store import identity_queries, log_queries, page_queries, people_queries
from server.store.attendance_queries import touch_days
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import WallMs
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class Assigned:
    """How many punches followed, and how many days are computed again."""

    punches: int
    days: int


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
    async with db.writing() as connection:
        await identity_queries.hold_watermark(connection)  # a punch that is just being added would stay unmatched
        person = await page_queries.person(connection, scope, employee)
        if person is None:
            raise NotFoundError(f"employee {employee!r} is not in scope")
        await people_queries.map_user(connection, user_group, user_code, employee)
        owner = await people_queries.employee_of_user(connection, Scope.system(), user_group, user_code)
        if owner != employee:
            raise DataError(f"number {user_group}/{user_code} belongs to {owner}", "number_taken")
        instants = await people_queries.give_punches(connection, user_group, user_code, employee, now_ms)
        zone = ZoneInfo(person.zone)
        days = {day for true_ms in instants if true_ms is not None for day in touched_dates(true_ms, zone)}
        await touch_days(connection, ((employee, day) for day in days))
        entry = Entry(
            now_ms,
            actor,
            "people.assign",
            f"{user_group}/{user_code}",
            ip=caller.ip if caller else None,
            request_id=caller.request_id if caller else None,
            detail={"employee": employee, "punches": len(instants), "days": len(days)},
        )
        await log_queries.append(connection, entry)
        await note_changes(connection, ["unmatched", f"employee:{employee}"], now_ms)
    return Assigned(len(instants), len(days))
