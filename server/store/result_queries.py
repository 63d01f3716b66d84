"""Day records as stored: written by the engine for everybody, read back whole by whoever sums them up.

A record is only written when it says something else than before; one that was finished and then said something else is
kept as a version. Records of closed months are never written: what they would say now are adjustments.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, Text, bindparam, cast, delete, func, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.closing import Adjustment
from server.attendance.record import MINUTES, RULE_VERSION, DayRecord, Explanation, Minutes, numbers_of, told
from server.store.attendance_queries import EmployeeDay
from server.store.closing_tables import adjustments
from server.store.scope_filter import ALL, Narrow, narrowed, visible
from server.store.tables import attendance_days, day_versions, employees
from shared.clock import WallMs

_ROWS = 5_000
"""People of one statement: PostgreSQL takes at most 32,767 values."""
_PAGE = 5_000
_MINUTE_COLUMNS = tuple(f"{name}_min" for name in MINUTES)
_MINUTES = attrgetter(*_MINUTE_COLUMNS)

Values: TypeAlias = dict[str, Any]
"""A row by column name."""


@dataclass(frozen=True, slots=True)
class DayVersion:
    """What a record said until it was replaced; ``minutes`` are those that were not 0."""

    part: int
    status: str
    minutes: Mapping[str, int]
    computed_ms: WallMs
    replaced_ms: WallMs


# --- writing --------------------------------------------------------------------------------------------------------


async def replace_days(
    connection: AsyncConnection,
    days: Collection[EmployeeDay],
    records: Mapping[EmployeeDay, Sequence[DayRecord]],
    at_ms: WallMs,
) -> set[EmployeeDay]:
    """Store the records of these employee-days in place of the former; the days that say something else now."""
    if not days:
        return set()
    old: dict[EmployeeDay, list[Row[Any]]] = {}
    for row in await _rows_near(connection, _COMPARED, days):
        old.setdefault((row.employee, row.date), []).append(row)
    changed: set[EmployeeDay] = set()
    rows: list[Values] = []
    versions: list[Values] = []
    for day in sorted(days):
        former, new = old.get(day, ()), records.get(day, ())
        if len(former) == len(new) and all(map(_same, former, new)):
            continue
        changed.add(day)
        rows += [_values(day[0], record, at_ms) for record in new]
        versions += _versions(former, new, at_ms)
    gone = sorted(day for day in changed if day in old)
    if gone:
        which = attendance_days.c.employee == bindparam("e"), attendance_days.c.date == bindparam("d")
        await connection.execute(delete(attendance_days).where(*which), [{"e": e, "d": d} for e, d in gone])
    if rows:
        await connection.execute(attendance_days.insert(), rows)
    if versions:
        await connection.execute(day_versions.insert(), versions)
    return changed


async def replace_adjustments(
    connection: AsyncConnection,
    days: Collection[EmployeeDay],
    wanted: Mapping[EmployeeDay, Sequence[Adjustment]],
    at_ms: WallMs,
) -> set[tuple[EmployeeDay, str]]:
    """Store the adjustments of these employee-days in place of the former; which changed, with the month posted to."""
    if not days:
        return set()
    now = {
        (employee, a.date, a.part, a.posted_to): (a.status_from, a.status_to, dict(a.delta))
        for (employee, _), found in wanted.items()
        for a in found
    }
    there = {
        (employee, a.date, a.part, a.posted_to): (a.status_from, a.status_to, dict(a.delta))
        for (employee, _), found in (await posted_adjustments(connection, days)).items()
        for a in found
    }
    changed = sorted(key for key in {*now, *there} if now.get(key) != there.get(key))
    gone = [dict(zip("edpm", key, strict=True)) for key in changed if key in there]
    if gone:
        row = adjustments.c
        same = (row.employee == bindparam("e"), row.date == bindparam("d"), row.part == bindparam("p"))
        await connection.execute(delete(adjustments).where(*same, row.posted_to == bindparam("m")), gone)
    rows = [_adjustment_values(key, now[key], at_ms) for key in changed if key in now]
    if rows:
        await connection.execute(adjustments.insert(), rows)
    return {((employee, day), posted_to) for employee, day, _, posted_to in changed}


async def drop_adjustments(
    connection: AsyncConnection, first: date, last: date, *, but_posted_to: Collection[str]
) -> list[str]:
    """Remove the adjustments of records between two dates, but those posted to these months; the months concerned."""
    row = adjustments.c
    gone = delete(adjustments).where(row.date.between(first, last), row.posted_to.not_in(sorted(but_posted_to)))
    return sorted(set(await connection.scalars(gone.returning(row.posted_to))))


# --- reading, for the engine ----------------------------------------------------------------------------------------


async def locked_records(
    connection: AsyncConnection, days: Collection[EmployeeDay]
) -> dict[EmployeeDay, list[DayRecord]]:
    """Stored records of these employee-days, by part."""
    found: dict[EmployeeDay, list[DayRecord]] = {}
    for row in await _rows_near(connection, attendance_days.c, days):
        found.setdefault((row.employee, row.date), []).append(_record(row))
    return found


async def posted_adjustments(
    connection: AsyncConnection, days: Collection[EmployeeDay]
) -> dict[EmployeeDay, list[Adjustment]]:
    """Stored adjustments of these employee-days."""
    found: dict[EmployeeDay, list[Adjustment]] = {}
    if not days:
        return found
    row = adjustments.c
    dates = [day for _, day in days]
    near = row.employee.in_(sorted({employee for employee, _ in days})), row.date.between(min(dates), max(dates))
    for a in await connection.execute(select(adjustments).where(*near)):
        if (a.employee, a.date) in days:
            adjustment = Adjustment(a.date, a.part, a.posted_to, a.status_from, a.status_to, a.delta)
            found.setdefault((a.employee, a.date), []).append(adjustment)
    return found


async def adjusted_days(connection: AsyncConnection, first: date, last: date) -> list[EmployeeDay]:
    """Employee-days between two dates that have adjustments."""
    wanted = select(adjustments.c.employee, adjustments.c.date).where(adjustments.c.date.between(first, last))
    return [(row.employee, row.date) for row in await connection.execute(wanted.distinct())]


async def outdated_days(connection: AsyncConnection, after: EmployeeDay | None) -> list[EmployeeDay]:
    """Employee-days with a record of an older rule version, a page of them behind ``after``, in order."""
    key = tuple_(attendance_days.c.employee, attendance_days.c.date)
    wanted = select(attendance_days.c.employee, attendance_days.c.date).distinct()
    wanted = wanted.where(attendance_days.c.rule_version != RULE_VERSION)
    if after is not None:
        wanted = wanted.where(key > tuple_(*after))
    rows = await connection.execute(wanted.order_by(attendance_days.c.employee, attendance_days.c.date).limit(_PAGE))
    return [(row.employee, row.date) for row in rows]


async def days_changed_since(connection: AsyncConnection, first: date, last: date, since_ms: WallMs) -> int:
    """How many employee-days between two dates say something else since then."""
    day, version = attendance_days.c, day_versions.c
    new = select(day.employee, day.date).where(day.date.between(first, last), day.computed_ms >= since_ms)
    gone = select(version.employee, version.date).where(
        version.date.between(first, last), version.replaced_ms >= since_ms
    )
    return await connection.scalar(select(func.count()).select_from(union(new, gone).subquery())) or 0


# --- reading, for people --------------------------------------------------------------------------------------------


async def people_in(connection: AsyncConnection, scope: Scope, narrow: Narrow = ALL) -> list[str]:
    """Ids of the employees in scope that were asked for, in order."""
    wanted = select(employees.c.id).where(*narrowed(scope, narrow)).order_by(employees.c.id)
    return list(await connection.scalars(wanted))


async def stored_records(
    connection: AsyncConnection, scope: Scope, people: Collection[str] | None, first: date, last: date
) -> dict[str, list[DayRecord]]:
    """Records with ``first <= date <= last`` of those of these people who are in scope, None for all; in order."""
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee)
    wanted = select(attendance_days).select_from(joined)
    wanted = wanted.where(visible(scope), attendance_days.c.date.between(first, last))
    wanted = wanted.order_by(attendance_days.c.employee, attendance_days.c.date, attendance_days.c.part)
    asked = None if people is None else sorted(people)
    found: dict[str, list[DayRecord]] = {}
    for start in range(0, 1 if asked is None else len(asked), _ROWS):
        some = wanted if asked is None else wanted.where(employees.c.id.in_(asked[start : start + _ROWS]))
        for row in await connection.execute(some):
            found.setdefault(row.employee, []).append(_record(row))
    return found


async def versions_of(connection: AsyncConnection, scope: Scope, employee: str, day: date) -> list[DayVersion]:
    """What the records of somebody's day said before, newest first; nothing outside the scope."""
    version = day_versions.c
    columns = (version.part, version.status, version.minutes, version.computed_ms, version.replaced_ms)
    joined = day_versions.join(employees, employees.c.id == version.employee)
    wanted = select(*columns).select_from(joined).where(version.employee == employee, version.date == day)
    rows = await connection.execute(wanted.where(visible(scope)).order_by(version.id.desc()))
    return [DayVersion(*row) for row in rows]


# --- parts ----------------------------------------------------------------------------------------------------------


async def _rows_near(
    connection: AsyncConnection, columns: Iterable[ColumnElement[Any]], days: Collection[EmployeeDay]
) -> list[Row[Any]]:
    """Stored rows of these employee-days, by part."""
    if not days:
        return []
    day = attendance_days.c
    people, dates = sorted({employee for employee, _ in days}), [date_ for _, date_ in days]
    wanted = select(*columns).where(day.employee.in_(people), day.date.between(min(dates), max(dates)))
    wanted_days = set(days)
    rows = await connection.execute(wanted.order_by(day.employee, day.date, day.part))
    return [row for row in rows if (row.employee, row.date) in wanted_days]


def _values(employee: str, record: DayRecord, at_ms: WallMs) -> Values:
    minutes, why = record.minutes, record.explanation
    return {
        "employee": employee,
        "date": record.date,
        "part": record.part,
        "shift": record.shift,
        "status": record.status,
        **dict(zip(_MINUTE_COLUMNS, numbers_of(minutes), strict=True)),
        "first_ms": record.first_ms,
        "last_ms": record.last_ms,
        "flags": list(record.flags),
        "explain": {
            "used": list(why.used),
            "merged": list(why.merged),
            "held": list(why.held),
            "ignored": list(why.ignored),
            "rules": list(why.rules),
        },
        "rule_version": RULE_VERSION,
        "computed_ms": at_ms,
        "trip_min": record.trip_min,
        "leaves": dict(record.leaves),
        "day_type": record.day_type,
        "system": record.system,
    }


_JSON = ("flags", "explain", "leaves")
_COMPARED = [cast(column, Text).label(column.name) if column.name in _JSON else column for column in attendance_days.c]
"""All columns; lists and objects as the text that they are stored as, which is quicker to compare than to read."""


def _same(row: Row[Any], record: DayRecord) -> bool:
    """Whether a stored record says all that this one says."""
    if row.status != record.status or _MINUTES(row) != numbers_of(record.minutes):
        return False
    values = _values(row.employee, record, row.computed_ms)
    return all((json.dumps(value) if name in _JSON else value) == getattr(row, name) for name, value in values.items())


def _versions(former: Iterable[Row[Any]], records: Iterable[DayRecord], at_ms: WallMs) -> list[Values]:
    """Former records that were finished and say something else now, in status or minutes."""
    now = {record.part: (record.status, record.minutes) for record in records}
    return [
        {
            "employee": row.employee,
            "date": row.date,
            "part": row.part,
            "status": row.status,
            "minutes": told(minutes),
            "computed_ms": row.computed_ms,
            "replaced_ms": at_ms,
        }
        for row in former
        if now.get(row.part) != (row.status, minutes := minutes_of(row)) and not _running(row)
    ]


def _running(row: Row[Any]) -> bool:
    record: DayRecord = DayRecord(row.date, row.part, row.shift, row.status, Minutes(pending=row.pending_min))
    return not record.finished


def minutes_of(row: Row[Any]) -> Minutes:
    """The minutes of a row of ``attendance_days``."""
    return Minutes(*_MINUTES(row))


def _record(row: Row[Any]) -> DayRecord:
    why = row.explain
    return DayRecord(
        row.date,
        row.part,
        row.shift,
        row.status,
        minutes_of(row),
        row.first_ms,
        row.last_ms,
        tuple(row.flags),
        Explanation(*(tuple(why.get(name, ())) for name in ("used", "merged", "held", "ignored", "rules"))),
        tuple(sorted(row.leaves.items())),
        row.trip_min,
        row.day_type,
        row.system,
    )


def _adjustment_values(
    key: tuple[str, date, int, str], value: tuple[str | None, str | None, dict[str, int]], at_ms: WallMs
) -> Values:
    employee, day, part, posted_to = key
    status_from, status_to, delta = value
    return {
        "employee": employee,
        "date": day,
        "part": part,
        "posted_to": posted_to,
        "status_from": status_from,
        "status_to": status_to,
        "delta": delta,
        "computed_ms": at_ms,
    }
