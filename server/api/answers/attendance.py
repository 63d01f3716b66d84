"""A day of many, a day of one."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers import around_day
from server.api.answers.names import names
from server.api.context import Context
from server.api.views.attendance import DayRecordView, MyDayView, PunchView, TodayRowView, TodayView
from server.api.views.base import NameView
from server.store import change_queries, page_queries, people_queries, user_queries
from server.store.page_queries import BY_URGENCY, DayRow, PersonRow
from server.store.scope_filter import Narrow
from shared.clock import WallMs, from_ms

NEWEST_PUNCHES = 50


@dataclass(frozen=True, slots=True)
class TodayQuestion:
    """What the viewer asked for; None for the newest date, all departments, all sites."""

    date: dt.date | None = None
    department: str | None = None
    site: str | None = None


async def today(context: Context, viewer: Viewer, question: TodayQuestion) -> TodayView:
    """A day at a glance."""
    scope = viewer.scope
    async with context.db.reading() as connection:
        zone = await zone_of(connection, viewer, context.config.zone)
        newest = await page_queries.newest_result_date(connection, scope) or _local_date(context.clocks.wall_ms(), zone)
        day = question.date or newest
        narrow = await _narrow(connection, question)
        planned = await page_queries.planned_people(connection, scope, day, narrow)
        rows = list(_people(await page_queries.day_rows(connection, scope, day, narrow), planned))
        punches = await page_queries.newest_punches(connection, scope, day, zone, narrow, limit=NEWEST_PUNCHES)
        return TodayView(
            date=day,
            zone=zone.key,
            newest_date=newest,
            scheduled=len(planned),
            counts=Counter(row.status for row in rows),
            departments=names(await people_queries.department_names(connection, scope)),
            sites=names(await people_queries.site_names(connection, scope)),
            rows=rows,
            punches=[PunchView.model_validate(punch) for punch in punches],
            version=await change_queries.newest_change(connection, f"day:{day}"),
        )


async def day_of(context: Context, scope: Scope, employee: str, date: dt.date | None) -> MyDayView:
    """One person's day, the newest without a date; NotFoundError outside the scope."""
    async with context.db.reading() as connection:
        person = await page_queries.person(connection, scope, employee)
        if person is None:
            raise NotFoundError(f"employee {employee!r} is not in scope")
        zone = ZoneInfo(person.zone)
        day = date or await page_queries.newest_result_date(connection, scope, employee)
        day = day or _local_date(context.clocks.wall_ms(), zone)
        records = await page_queries.records_of(connection, scope, employee, day)
        explained = {punch for row in records for fate in ("used", "merged") for punch in row.explain.get(fate, ())}
        punches = await page_queries.punches_of(connection, scope, employee, day, zone, also=explained)
        before, after = await page_queries.record_dates_around(connection, scope, employee, day)
        return MyDayView(
            employee=employee,
            name=person.name,
            date=day,
            zone=zone.key,
            records=[_record(row) for row in records],
            punches=[PunchView.model_validate(punch) for punch in punches],
            **await around_day.around(connection, scope, person, day, records),
            previous_date=before,
            next_date=after,
            version=await change_queries.newest_change(connection, f"employee:{employee}"),
        )


async def zone_of(connection: AsyncConnection, viewer: Viewer, default: ZoneInfo) -> ZoneInfo:
    """Zone of the viewer's own site; the default for a viewer without one."""
    if viewer.employee is None:
        return default
    person = await page_queries.person(connection, Scope(employee=viewer.employee), viewer.employee)
    return default if person is None else ZoneInfo(person.zone)


async def _narrow(connection: AsyncConnection, question: TodayQuestion) -> Narrow:
    if question.department is None:
        return Narrow(site=question.site)
    parents = await user_queries.department_parents(connection)
    return Narrow(with_those_below({question.department}, parents), question.site)


def _people(records: Iterable[DayRow], planned: Iterable[PersonRow]) -> Iterator[TodayRowView]:
    """One row for each person with a record or a shift, by department and name."""
    of_person = {employee: list(rows) for employee, rows in groupby(records, key=lambda row: row.employee)}
    found = {employee: _person(rows) for employee, rows in of_person.items()}
    found |= {person.id: _not_yet(person) for person in planned if person.id not in found}
    yield from sorted(found.values(), key=lambda row: (row.department, row.name, row.employee))


def _person(rows: list[DayRow]) -> TodayRowView:
    first = rows[0]
    return TodayRowView(
        employee=first.employee,
        name=first.name,
        department=first.department,
        site=first.site,
        status=max((row.status for row in rows), key=BY_URGENCY.index),
        first_ms=min((row.first_ms for row in rows if row.first_ms is not None), default=None),
        last_ms=max((row.last_ms for row in rows if row.last_ms is not None), default=None),
        late_min=sum(row.late_min for row in rows),
        early_min=sum(row.early_min for row in rows),
        worked_min=sum(row.worked_min for row in rows),
        flags=sorted({flag for row in rows for flag in row.flags}),
    )


def _not_yet(person: PersonRow) -> TodayRowView:
    return TodayRowView(
        employee=person.id,
        name=person.name,
        department=person.department,
        site=person.site,
        status="not_yet",
        first_ms=None,
        last_ms=None,
        late_min=0,
        early_min=0,
        worked_min=0,
        flags=[],
    )


def _record(row: DayRow) -> DayRecordView:
    shift = row.shift
    return DayRecordView(
        date=row.date,
        shift=None if shift is None else NameView(id=shift.id, name_zh=shift.name_zh, name_en=shift.name_en),
        shift_start=None if shift is None else shift.start,
        shift_end=None if shift is None else shift.end,
        status=row.status,
        required_min=row.required_min,
        worked_min=row.worked_min,
        late_min=row.late_min,
        early_min=row.early_min,
        gap_min=row.gap_min,
        absent_min=row.absent_min,
        pending_min=row.pending_min,
        exempt_min=row.exempt_min,
        leave_min=row.leave_min,
        holiday_work_min=row.holiday_work_min,
        ot_15_min=row.ot_15_min,
        ot_20_min=row.ot_20_min,
        ot_30_min=row.ot_30_min,
        comp_min=row.comp_min,
        extra_min=row.extra_min,
        trip_min=row.trip_min,
        leaves=dict(row.leaves),
        day_type=row.day_type,
        system=row.system,
        first_ms=row.first_ms,
        last_ms=row.last_ms,
        flags=list(row.flags),
        rules=list(row.explain.get("rules", ())),
        corrections=[-punch for punch in row.explain.get("used", ()) if punch < 0],
        rule_version=row.rule_version,
        computed_ms=row.computed_ms,
    )


def _local_date(at_ms: WallMs, zone: ZoneInfo) -> dt.date:
    return from_ms(at_ms).astimezone(zone).date()
