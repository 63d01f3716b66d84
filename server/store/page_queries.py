"""What the pages about attendance show. Each question takes the viewer's scope; nobody outside it is in an answer."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, case, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.store.scope_filter import ALL, Narrow, narrowed, visible
from server.store.tables import attendance_days, employees, punches, roster, shifts, sites, sources, terminals
from shared.clock import WallMs, to_ms
from shared.punch import Direction, Method

Fate: TypeAlias = Literal["used", "merged", "ignored", "held", "open"]

BY_URGENCY = (
    "off", "normal", "leave", "holiday_ot", "rest_ot", "not_yet", "untimed",
    "early", "late", "late_early", "missing_out", "missing_in", "absent",
)  # fmt: skip
"""Of several shifts on one day, the status that comes last here stands for the day."""
_FATES: tuple[Fate, ...] = ("held", "ignored", "merged", "used")
"""Shifts that follow each other look at the same punches: what one of them used is used."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """An employee and the zone of the site."""

    id: str
    name: str
    department: str
    site: str
    zone: str


@dataclass(frozen=True, slots=True)
class ShiftName:
    """A shift and its hours, local ``HH:MM``."""

    id: str
    name_zh: str
    name_en: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class DayRow:
    """One record of one person, as stored."""

    employee: str
    name: str
    department: str
    site: str
    date: dt.date
    shift: ShiftName | None
    status: str
    required_min: int
    worked_min: int
    late_min: int
    early_min: int
    gap_min: int
    absent_min: int
    pending_min: int
    exempt_min: int
    leave_min: int
    holiday_work_min: int
    ot_15_min: int
    ot_20_min: int
    ot_30_min: int
    comp_min: int
    extra_min: int
    trip_min: int
    leaves: Mapping[str, int]
    day_type: str
    system: str
    first_ms: WallMs | None
    last_ms: WallMs | None
    flags: tuple[str, ...]
    explain: Mapping[str, Sequence[Any]]
    """``used``, ``merged``, ``ignored``, ``held``: ids of punches; ``rules``."""
    rule_version: str
    computed_ms: WallMs


@dataclass(frozen=True, slots=True)
class PunchRow:
    """A punch with the names around it; field by field what pages and frames show."""

    id: int
    at_ms: WallMs
    true_ms: WallMs | None
    received_ms: WallMs
    terminal: str
    terminal_name: str
    site: str | None
    direction: str
    method: str
    employee: str | None
    employee_name: str | None
    user_code: str
    fate: Fate
    held: str | None
    sources: int


def local_day(day: dt.date, zone: ZoneInfo) -> tuple[WallMs, WallMs]:
    """First instant of a local date and of the one after it."""
    start, end = (dt.datetime.combine(date, dt.time(), zone) for date in (day, day + dt.timedelta(days=1)))
    return to_ms(start), to_ms(end)


# --- a day of many --------------------------------------------------------------------------------------------------


async def newest_result_date(connection: AsyncConnection, scope: Scope, employee: str | None = None) -> dt.date | None:
    """Newest date on which a shift in scope, or of this employee, came to something; else the newest with a record."""
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee)
    # In this form the index of dates is walked from its end; a maximum over the join would read every record.
    newest = select(attendance_days.c.date).select_from(joined).where(visible(scope))
    newest = newest.order_by(attendance_days.c.date.desc()).limit(1)
    if employee is not None:
        newest = newest.where(attendance_days.c.employee == employee)
    of_shifts = newest.where(attendance_days.c.status.not_in(("off", "not_yet")))
    date: dt.date | None = await connection.scalar(of_shifts) or await connection.scalar(newest)
    return date


async def day_rows(connection: AsyncConnection, scope: Scope, day: dt.date, narrow: Narrow = ALL) -> list[DayRow]:
    """Every record of that date by department, name and shift."""
    which = _records(scope, narrow).where(attendance_days.c.date == day)
    rows = await connection.execute(
        which.order_by(employees.c.department, employees.c.name, employees.c.id, attendance_days.c.part)
    )
    return [_day(row) for row in rows]


async def planned_people(
    connection: AsyncConnection, scope: Scope, day: dt.date, narrow: Narrow = ALL
) -> list[PersonRow]:
    """Who has a shift on that date, by department and name."""
    planned = select(roster.c.employee).where(roster.c.date == day)
    which = _people().where(employees.c.id.in_(planned), *narrowed(scope, narrow))
    rows = await connection.execute(which.order_by(employees.c.department, employees.c.name, employees.c.id))
    return [PersonRow(*row) for row in rows]


async def status_counts(connection: AsyncConnection, scope: Scope, day: dt.date) -> dict[str, int]:
    """How many people have which status on that date; who has a shift but no record yet counts as ``not_yet``."""
    urgency = case({status: rank for rank, status in enumerate(BY_URGENCY)}, value=attendance_days.c.status, else_=0)
    computed = select(attendance_days.c.employee, urgency.label("rank")).where(attendance_days.c.date == day)
    waiting = select(roster.c.employee, literal(BY_URGENCY.index("not_yet")).label("rank")).where(
        roster.c.date == day, roster.c.employee.not_in(select(computed.subquery().c.employee))
    )
    each = union_all(computed, waiting).subquery()
    joined = each.join(employees, employees.c.id == each.c.employee)
    people = select(func.max(each.c.rank).label("rank")).select_from(joined).where(visible(scope))
    of_person = people.group_by(each.c.employee).subquery()
    rows = await connection.execute(select(of_person.c.rank, func.count()).group_by(of_person.c.rank))
    return {BY_URGENCY[rank]: number for rank, number in rows}


async def newest_punches(
    connection: AsyncConnection, scope: Scope, day: dt.date, zone: ZoneInfo, narrow: Narrow = ALL, *, limit: int
) -> list[PunchRow]:
    """The last punches of a local date, newest first; those of nobody yet are in the scope of everyone only."""
    start, end = local_day(day, zone)
    inside = _punches().where(punches.c.at_ms >= start, punches.c.at_ms < end, *narrowed(scope, narrow))
    newest = inside.order_by(punches.c.at_ms.desc(), punches.c.id.desc()).limit(limit)
    rows = (await connection.execute(newest)).all()
    return await _with_fates(connection, scope, rows, day)


# --- a day of one ---------------------------------------------------------------------------------------------------


async def person(connection: AsyncConnection, scope: Scope, employee: str) -> PersonRow | None:
    """An employee; None when there is none, or none in scope."""
    row = (await connection.execute(_people().where(employees.c.id == employee, visible(scope)))).first()
    return None if row is None else PersonRow(*row)


async def records_of(connection: AsyncConnection, scope: Scope, employee: str, day: dt.date) -> list[DayRow]:
    """A person's records of one date, by shift start."""
    which = _records(scope, ALL).where(attendance_days.c.employee == employee, attendance_days.c.date == day)
    return [_day(row) for row in await connection.execute(which.order_by(attendance_days.c.part))]


async def record_dates_around(
    connection: AsyncConnection, scope: Scope, employee: str, day: dt.date
) -> tuple[dt.date | None, dt.date | None]:
    """The dates with records before and after this one."""
    dates = attendance_days.c.date
    around = select(
        func.max(case((dates < day, dates))).label("before"),
        func.min(case((dates > day, dates))).label("after"),
    )
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee)
    row = (await connection.execute(around.select_from(joined).where(employees.c.id == employee, visible(scope)))).one()
    return row.before, row.after


async def punches_of(
    connection: AsyncConnection,
    scope: Scope,
    employee: str,
    day: dt.date,
    zone: ZoneInfo,
    *,
    also: Collection[int] = (),
) -> list[PunchRow]:
    """A person's punches of a local date and those with these ids, oldest first."""
    start, end = local_day(day, zone)
    inside = (punches.c.at_ms >= start) & (punches.c.at_ms < end)
    which = _punches().where(
        punches.c.employee == employee, or_(inside, punches.c.id.in_(sorted(also))), visible(scope)
    )
    rows = (await connection.execute(which.order_by(punches.c.at_ms, punches.c.id))).all()
    return await _with_fates(connection, scope, rows, day)


# --- parts of statements --------------------------------------------------------------------------------------------


def _people() -> Select[Any]:
    columns = (employees.c.id, employees.c.name, employees.c.department, employees.c.site, sites.c.zone)
    return select(*columns).select_from(employees.join(sites, sites.c.id == employees.c.site))


def _records(scope: Scope, narrow: Narrow) -> Select[Any]:
    of_shift = [shifts.c[name].label(f"shift_{name}") for name in ("id", "name_zh", "name_en", "start", "end")]
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee).outerjoin(
        shifts, shifts.c.id == attendance_days.c.shift
    )
    columns = (employees.c.name, employees.c.department, employees.c.site)
    return select(attendance_days, *columns, *of_shift).select_from(joined).where(*narrowed(scope, narrow))


def _punches() -> Select[Any]:
    joined = punches.outerjoin(terminals, terminals.c.serial == punches.c.terminal).outerjoin(
        employees, employees.c.id == punches.c.employee
    )
    reports = select(func.count()).where(sources.c.punch == punches.c.id).scalar_subquery()
    return select(
        punches,
        terminals.c.name.label("terminal_name"),
        terminals.c.site,
        employees.c.name.label("employee_name"),
        reports.label("sources"),
    ).select_from(joined)


async def _with_fates(
    connection: AsyncConnection, scope: Scope, rows: Iterable[Row[Any]], day: dt.date
) -> list[PunchRow]:
    """Punches with what became of them in the records of the dates around."""
    rows = list(rows)
    people = sorted({row.employee for row in rows if row.employee is not None})
    near = (day - dt.timedelta(days=1), day + dt.timedelta(days=1))
    joined = attendance_days.join(employees, employees.c.id == attendance_days.c.employee)
    explained = select(attendance_days.c.explain).select_from(joined)
    explained = explained.where(attendance_days.c.employee.in_(people), attendance_days.c.date.between(*near))
    explanations = (await connection.scalars(explained.where(visible(scope)))).all() if people else []
    fates: dict[int, Fate] = {}
    for fate in _FATES:
        for explanation in explanations:
            fates |= dict.fromkeys(explanation.get(fate, ()), fate)
    return [_punch(row, "held" if row.held else fates.get(row.id, "open")) for row in rows]


def _punch(row: Row[Any], fate: Fate) -> PunchRow:
    return PunchRow(
        id=row.id,
        at_ms=row.at_ms,
        true_ms=row.true_ms,
        received_ms=row.received_ms,
        terminal=row.terminal,
        terminal_name=row.terminal_name or row.terminal,
        site=row.site,
        direction=Direction(row.direction).name.lower(),
        method=Method(row.method).name.lower(),
        employee=row.employee,
        employee_name=row.employee_name,
        user_code=row.user_code,
        fate=fate,
        held=row.held,
        sources=row.sources,
    )


def _day(row: Row[Any]) -> DayRow:
    shift = None
    if row.shift_id is not None:
        shift = ShiftName(row.shift_id, row.shift_name_zh, row.shift_name_en, row.shift_start, row.shift_end)
    return DayRow(
        employee=row.employee,
        name=row.name,
        department=row.department,
        site=row.site,
        date=row.date,
        shift=shift,
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
        leaves=row.leaves,
        day_type=row.day_type,
        system=row.system,
        first_ms=row.first_ms,
        last_ms=row.last_ms,
        flags=tuple(row.flags),
        explain=row.explain,
        rule_version=row.rule_version,
        computed_ms=row.computed_ms,
    )
