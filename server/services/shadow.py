"""A month of another system compared with ours, day by day."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.months import month_of, month_span
from server.attendance.record import DayRecord
from server.reports.shadow import Compared, Ours, Reason, Theirs, TheirStatus, compare
from server.reports.shadow_ours import our_day
from server.reports.shadow_shift import KnownShift, known_shift
from server.reports.shadow_words import STATUSES
from server.store import result_queries, shadow_queries
from server.store.attendance_queries import EmployeeDay
from server.store.scope_filter import ALL, Narrow
from server.store.shadow_queries import PersonRow, PunchRow, ShadowRow

_DAY = dt.timedelta(days=1)
_DAY_MS = 86_400_000
_EPOCH = dt.date(1970, 1, 1)
_BEFORE, _BEHIND = 2, 3
"""UTC days around a local date in which punches near it lie."""


@dataclass(frozen=True, slots=True)
class ComparedDay:
    """An employee-day with both sides."""

    person: PersonRow
    date: dt.date
    theirs: ShadowRow | None
    ours: Ours | None
    compared: Compared


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many days differ for a reason; days of one reason may stand under several rules."""

    reason: Reason
    rule: str | None
    days: int


@dataclass(frozen=True, slots=True)
class DepartmentCount:
    """How many days of a department were compared, and how many agree."""

    department: str
    days: int
    same: int


@dataclass(frozen=True, slots=True)
class ShadowSummary:
    """A month in figures."""

    people: int
    days: int
    same: int
    reasons: tuple[ReasonCount, ...]
    """Most frequent first."""
    departments: tuple[DepartmentCount, ...]
    """By id."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Everything about the people of the file."""

    people: Sequence[PersonRow]
    theirs: Mapping[EmployeeDay, ShadowRow]
    records: Mapping[EmployeeDay, Sequence[DayRecord]]
    planned: Mapping[EmployeeDay, Sequence[str]]
    punches: Mapping[tuple[str, int], Sequence[PunchRow]]
    """By employee and day of the instant, counted in UTC."""
    library: Mapping[str, KnownShift]


async def compare_month(
    connection: AsyncConnection, scope: Scope, month: str, narrow: Narrow = ALL
) -> list[ComparedDay]:
    """Every day from the first to the last that the file has, of everybody in it; by department, name and date."""
    return await _compare(connection, scope, month_span(month), narrow)


async def compare_day(connection: AsyncConnection, scope: Scope, employee: str, date: dt.date) -> ComparedDay:
    """One day; NotFoundError when the file has nobody of that id in the month, or nobody in scope."""
    first, last = month_span(month_of(date))
    days = await _compare(connection, scope, (first, last), ALL, only=employee)
    found = next((day for day in days if day.date == date), None)
    if found is None:
        raise NotFoundError(f"no day {date} of {employee!r} to compare")
    return found


def summary(days: Iterable[ComparedDay]) -> ShadowSummary:
    """Counts by reason and department."""
    reasons: dict[tuple[Reason, str | None], int] = {}
    departments: dict[str, tuple[int, int]] = {}
    listed = list(days)
    for day in listed:
        same = day.compared.verdict == "same"
        total, agreed = departments.get(day.person.department, (0, 0))
        departments[day.person.department] = (total + 1, agreed + same)
        if day.compared.reason is not None:
            key = (day.compared.reason, day.compared.rule)
            reasons[key] = reasons.get(key, 0) + 1
    counted = sorted(reasons.items(), key=lambda item: (-item[1], item[0][0], item[0][1] or ""))
    return ShadowSummary(
        people=len({day.person.id for day in listed}),
        days=len(listed),
        same=sum(day.compared.verdict == "same" for day in listed),
        reasons=tuple(ReasonCount(reason, rule, number) for (reason, rule), number in counted),
        departments=tuple(DepartmentCount(name, *departments[name]) for name in sorted(departments)),
    )


async def _compare(
    connection: AsyncConnection,
    scope: Scope,
    span: tuple[dt.date, dt.date],
    narrow: Narrow,
    *,
    only: str | None = None,
) -> list[ComparedDay]:
    loaded = await _load(connection, scope, span, narrow)
    if not loaded.theirs:
        return []
    dates = [date for _, date in loaded.theirs]
    first, last = min(dates), max(dates)
    tells_times = any(row.first_min is not None or row.last_min is not None for row in loaded.theirs.values())
    found = []
    for person in loaded.people:
        if only is not None and person.id != only:
            continue
        zone = ZoneInfo(person.zone)
        for number in range((last - first).days + 1):
            date = first + number * _DAY
            row, mine = loaded.theirs.get((person.id, date)), _ours(loaded, person, date, zone)
            if row is None and mine is None:
                continue
            compared = compare(
                _theirs(row) if row is not None else None,
                mine,
                library=loaded.library.values(),
                tells_times=tells_times,
            )
            found.append(ComparedDay(person, date, row, mine, compared))
    return found


async def _load(connection: AsyncConnection, scope: Scope, span: tuple[dt.date, dt.date], narrow: Narrow) -> _Loaded:
    people = await shadow_queries.people(connection, scope, *span, narrow)
    rows = await shadow_queries.shadow_rows(connection, scope, *span, narrow)
    stored = await result_queries.stored_records(connection, scope, [person.id for person in people], *span)
    records: dict[EmployeeDay, list[DayRecord]] = {}
    for employee, of_person in stored.items():
        for record in of_person:
            records.setdefault((employee, record.date), []).append(record)
    library = await shadow_queries.all_shifts(connection)
    by_day: dict[tuple[str, int], list[PunchRow]] = {}
    for employee, punches in (await shadow_queries.punches_of(connection, scope, *span, narrow)).items():
        for punch in punches:
            by_day.setdefault((employee, punch.at_ms // _DAY_MS), []).append(punch)
    return _Loaded(
        people,
        {(row.employee, row.date): row for row in rows},
        records,
        await shadow_queries.planned(connection, scope, *span, narrow),
        by_day,
        {row.id: known_shift(row.id, (row.code, row.name_zh, row.name_en), row.start, row.end) for row in library},
    )


def _ours(loaded: _Loaded, person: PersonRow, date: dt.date, zone: ZoneInfo) -> Ours | None:
    """None where we have no record, no shift and no punch of the date itself."""
    records = loaded.records.get((person.id, date), ())
    planned = {*loaded.planned.get((person.id, date), ()), *(record.shift for record in records if record.shift)}
    utc_day = (date - _EPOCH).days
    near = [
        (punch.id, punch.true_ms if punch.true_ms is not None else punch.at_ms, punch.held)
        for number in range(utc_day - _BEFORE, utc_day + _BEHIND + 1)
        for punch in loaded.punches.get((person.id, number), ())
    ]
    day = our_day(date, records, [loaded.library[shift] for shift in sorted(planned)], near, zone)
    return day if records or planned or day.punches else None


def _theirs(row: ShadowRow) -> Theirs:
    status: TheirStatus | None = next((status for status in STATUSES if status == row.status), None)
    return Theirs(status, row.said, row.minutes, row.first_min, row.last_min, row.shift)
