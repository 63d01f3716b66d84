"""Calendars, their editions, and which site goes by which. No row here is about a person, so none takes a scope."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.calendar import PLAIN, Calendar, DayType
from server.calendars.edition import Day, Edition
from server.store.calendar_tables import calendar_editions, calendars
from server.store.tables import attendance_days, employees, sites
from server.store.upsert import insert_into
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """A calendar; ``company`` is that of every site that names none."""

    id: str
    country: str
    name_zh: str
    name_en: str
    company: bool


@dataclass(frozen=True, slots=True)
class EditionRow:
    """A published edition; the highest number of a year is in force."""

    calendar: str
    year: int
    edition: int
    days: tuple[Day, ...]
    local_rule: str | None
    source: str
    actor: str
    published_ms: WallMs


# --- what the engine is given ---------------------------------------------------------------------------------------


async def calendars_of_sites(connection: AsyncConnection) -> dict[str, Calendar]:
    """Calendar of each site: the editions in force of all years in one; Monday to Friday where there is none."""
    merged = await merged_calendars(connection)
    company = await connection.scalar(select(calendars.c.id).where(calendars.c.company))
    rows = await connection.execute(select(sites.c.id, sites.c.calendar))
    return {row.id: merged.get(row.calendar or company or "", PLAIN) for row in rows}


async def merged_calendars(connection: AsyncConnection) -> dict[str, Calendar]:
    """Each calendar with editions, by id: those in force of all years in one, its version naming them."""
    table = calendar_editions.c
    wanted = select(table.calendar, table.year, table.edition, table.days).where(_in_force())
    days: dict[str, dict[dt.date, DayType]] = {}
    names: dict[str, list[str]] = {}
    for row in await connection.execute(wanted.order_by(table.calendar, table.year)):
        days.setdefault(row.calendar, {}).update((day.date, day.type) for day in _days(row.days))
        names.setdefault(row.calendar, [row.calendar]).append(f"{row.year}-{row.edition}")
    return {calendar: Calendar(exceptions, " ".join(names[calendar])) for calendar, exceptions in days.items()}


# --- calendars ------------------------------------------------------------------------------------------------------


async def calendar_rows(connection: AsyncConnection) -> list[CalendarRow]:
    """All calendars, the company's first, then by id."""
    rows = await connection.execute(select(calendars).order_by(calendars.c.company.desc(), calendars.c.id))
    return [CalendarRow(*row) for row in rows]


async def add_calendar(connection: AsyncConnection, row: CalendarRow) -> bool:
    """Whether it is new; one that is there stays as it is."""
    values = {"id": row.id, "country": row.country, "name_zh": row.name_zh, "name_en": row.name_en}
    statement = insert_into(connection, calendars).values(**values, company=row.company).on_conflict_do_nothing()
    return (await connection.execute(statement)).rowcount == 1


async def hold_calendar(connection: AsyncConnection, calendar: str) -> None:
    """Nobody else publishes an edition of it before this transaction ends."""
    await connection.execute(select(calendars.c.id).where(calendars.c.id == calendar).with_for_update())


async def make_company(connection: AsyncConnection, calendar: str) -> None:
    """Let every site that names none go by it."""
    await connection.execute(update(calendars).where(calendars.c.company).values(company=False))
    await connection.execute(update(calendars).where(calendars.c.id == calendar).values(company=True))


async def calendars_by_site(connection: AsyncConnection) -> dict[str, str | None]:
    """The calendar that each site names; None where it goes by the company's."""
    return {row.id: row.calendar for row in await connection.execute(select(sites.c.id, sites.c.calendar))}


async def set_site_calendar(connection: AsyncConnection, site: str, calendar: str | None) -> bool:
    """Whether there is such a site; it goes by that calendar from now on."""
    done = await connection.execute(update(sites).where(sites.c.id == site).values(calendar=calendar))
    return done.rowcount == 1


# --- editions -------------------------------------------------------------------------------------------------------


async def edition_rows(connection: AsyncConnection, calendar: str, year: int | None = None) -> list[EditionRow]:
    """Editions of a calendar, of one year or of all, newest first within a year."""
    table = calendar_editions.c
    wanted = select(calendar_editions).where(table.calendar == calendar)
    if year is not None:
        wanted = wanted.where(table.year == year)
    rows = await connection.execute(wanted.order_by(table.year, table.edition.desc()))
    return [_edition(row) for row in rows]


async def edition_in_force(connection: AsyncConnection, calendar: str, year: int) -> EditionRow | None:
    """The newest edition of the year; None before the first."""
    table = calendar_editions.c
    wanted = select(calendar_editions).where(table.calendar == calendar, table.year == year)
    row = (await connection.execute(wanted.order_by(table.edition.desc()).limit(1))).first()
    return _edition(row) if row is not None else None


async def add_edition(connection: AsyncConnection, edition: Edition, *, number: int, actor: str, at_ms: WallMs) -> None:
    """Keep an edition under that number; the primary key refuses two under one."""
    days = [
        {"date": day.date.isoformat(), "type": day.type, "name_zh": day.name_zh, "name_en": day.name_en}
        for day in sorted(edition.days, key=lambda day: day.date)
    ]
    values = {"calendar": edition.calendar, "year": edition.year, "edition": number, "days": days}
    told = {"local_rule": edition.local_rule, "source": edition.source, "actor": actor, "published_ms": at_ms}
    await connection.execute(calendar_editions.insert().values(**values, **told))


async def years_published(connection: AsyncConnection) -> dict[str, frozenset[int]]:
    """Years that each calendar has an edition of."""
    table = calendar_editions.c
    found: dict[str, set[int]] = {}
    for row in await connection.execute(select(table.calendar, table.year).distinct()):
        found.setdefault(row.calendar, set()).add(row.year)
    return {calendar: frozenset(years) for calendar, years in found.items()}


# --- whom a change touches ------------------------------------------------------------------------------------------


async def days_of_sites(
    connection: AsyncConnection, at_sites: Iterable[str], dates: Sequence[dt.date]
) -> list[tuple[str, dt.date]]:
    """Employee-days of these dates at these sites: whoever was employed then, planned or not."""
    if not dates:
        return []
    wanted = select(employees.c.id, employees.c.joined_on, employees.c.left_on)
    rows = await connection.execute(wanted.where(employees.c.site.in_(sorted(at_sites))).order_by(employees.c.id))
    return [
        (row.id, day)
        for row in rows
        for day in dates
        if row.joined_on <= day and (row.left_on is None or day <= row.left_on)
    ]


async def results_of_sites(
    connection: AsyncConnection, at_sites: Iterable[str], dates: Sequence[dt.date]
) -> list[tuple[str, dt.date]]:
    """Employee-days of these dates at these sites that have a result."""
    if not dates:
        return []
    day = attendance_days.c
    wanted = select(day.employee, day.date).select_from(attendance_days.join(employees)).distinct()
    rows = await connection.execute(wanted.where(day.date.in_(dates), employees.c.site.in_(sorted(at_sites))))
    return [(row.employee, row.date) for row in rows]


def _in_force() -> ColumnElement[bool]:
    later = calendar_editions.alias("later")
    same = and_(later.c.calendar == calendar_editions.c.calendar, later.c.year == calendar_editions.c.year)
    newest = select(func.max(later.c.edition)).where(same).scalar_subquery()
    return calendar_editions.c.edition == newest


def _days(stored: Iterable[Mapping[str, str]]) -> tuple[Day, ...]:
    return tuple(
        Day(dt.date.fromisoformat(day["date"]), _TYPES[day["type"]], day["name_zh"], day["name_en"]) for day in stored
    )


def _edition(row: Row[Any]) -> EditionRow:
    told = (row.local_rule, row.source, row.actor, row.published_ms)
    return EditionRow(row.calendar, row.year, row.edition, _days(row.days), *told)


_TYPES: Mapping[str, DayType] = {"workday": "workday", "restday": "restday", "statutory": "statutory"}
