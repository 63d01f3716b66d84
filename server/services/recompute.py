"""Computing again what was computed before: a range of dates on demand, or what older rules gave (AR-33)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from server.access.departments import with_those_below
from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.months import month_of
from server.attendance.record import RULE_VERSION
from server.store import attendance_queries, closing_queries, log_queries, result_queries, sweep_queries, user_queries
from server.store.attendance_queries import EmployeeDay
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.scope_filter import ALL, Narrow
from shared.clock import WallMs
from shared.errors import DataError

MOST_DAYS = 366
"""Dates of one question."""
PORTION = 10_000
"""Employee-days touched in one transaction; what was touched stays so when the rest is not."""


@dataclass(frozen=True, slots=True)
class Range:
    """Dates, both inclusive, of everybody in scope, of a department with those below, or of some people."""

    first: date
    last: date
    department: str | None = None
    people: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= (self.last - self.first).days < MOST_DAYS:
            raise DataError(
                f"{self.first} to {self.last}: expected at most {MOST_DAYS} days in order of time", "bad_range"
            )


@dataclass(frozen=True, slots=True)
class Asked:
    """How many people and employee-days wait now because of a question."""

    people: int
    days: int


async def ask_again(db: Database, scope: Scope, wanted: Range, entry: Entry) -> Asked:
    """Touch every employee-day of the range; the worker, or whoever computes, does the rest.

    It can be broken off and repeated: touching a day that waits already changes nothing. ``entry`` is for the operation
    log. NotFoundError for a person or department that is not there or not in scope.
    """
    people = await _people(db, scope, wanted)
    dates = [wanted.first + timedelta(days=n) for n in range((wanted.last - wanted.first).days + 1)]
    days = [(employee, day) for employee in people for day in dates]
    for start in range(0, len(days), PORTION):
        async with db.writing() as connection:
            await attendance_queries.touch_days(connection, days[start : start + PORTION])
    async with db.writing() as connection:
        await log_queries.append(connection, entry)
    return Asked(len(people), len(days))


async def touch_outdated(db: Database, now_ms: WallMs) -> int:
    """Touch every day of an open month whose record an older rule version gave; how many. Once for each version."""
    name, touched, after = f"rules:{RULE_VERSION}", 0, None
    async with db.reading() as connection:
        if await sweep_queries.swept_until(connection, name) is not None:
            return 0
        closed = await closing_queries.closed_months(connection)
    while True:
        async with db.reading() as connection:
            page = await result_queries.outdated_days(connection, after)
        if not page:
            break
        after = page[-1]
        touched += await _touch(db, [day for day in page if month_of(day[1]) not in closed])
    async with db.writing() as connection:
        await sweep_queries.set_swept(connection, name, now_ms)
    return touched


async def _touch(db: Database, days: Collection[EmployeeDay]) -> int:
    async with db.writing() as connection:
        await attendance_queries.touch_days(connection, days)
    return len(days)


async def _people(db: Database, scope: Scope, wanted: Range) -> list[str]:
    async with db.reading() as connection:
        narrow = ALL
        if wanted.department is not None:
            parents = await user_queries.department_parents(connection)
            if wanted.department not in parents:
                raise NotFoundError(f"department {wanted.department!r} is not there")
            narrow = Narrow(with_those_below({wanted.department}, parents))
        found = await result_queries.people_in(connection, scope, narrow)
    if missing := sorted(set(wanted.people) - set(found)):
        raise NotFoundError(f"employee {missing[0]!r} is not in scope")
    return sorted(set(wanted.people)) if wanted.people else found
