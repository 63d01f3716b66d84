"""Editions of calendars: looked at, published as the next one, restored by publishing an old one again."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.attendance.calendar import PLAIN, Calendar, changed_dates
from server.attendance.closing import refuse_closed
from server.attendance.months import Month, month_of
from server.attendance.touch import dates_near_calendar
from server.calendars.check import Checked, check
from server.calendars.difference import DayChange, changed_types, differences
from server.calendars.edition import Edition
from server.calendars.proposals import countries, defaults
from server.calendars.read import ReadDays, headings, read_days_sheet, read_rows
from server.config import ServerConfig
from server.services.accounts import Caller
from server.store import attendance_queries, calendar_queries, closing_queries, log_queries
from server.store.calendar_queries import CalendarRow, EditionRow
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.log_queries import Detail, Entry
from shared.clock import WallMs, from_ms
from shared.errors import DataError

TOPIC = "calendar"
WARN_FROM = (12, 1)
"""Month and day from which next year's edition is missed."""
CHINA = ZoneInfo("Asia/Shanghai")

_AHEAD = dt.timedelta(days=1)  # a site east of the server may be a day further


@dataclass(frozen=True, slots=True)
class Effect:
    """What publishing would do."""

    checked: Checked
    replaces: int | None
    """Number of the edition in force; None for the first of the year."""
    changes: list[DayChange]
    people: int
    days: int
    """Employee-days that would be computed again."""
    closed: tuple[Month, ...]
    """Closed months whose results it would change: it is refused while there are any."""


@dataclass(frozen=True, slots=True)
class Published:
    """Under which number, and how many employee-days are computed again."""

    edition: int
    people: int
    days: int


@dataclass(frozen=True, slots=True)
class MissingYear:
    """A calendar that sites go by, and a year that nobody published an edition of."""

    calendar: str
    year: int


# --- looking --------------------------------------------------------------------------------------------------------


async def find_calendar(connection: AsyncConnection, calendar: str) -> CalendarRow:
    """The calendar; NotFoundError when there is none."""
    rows = await calendar_queries.calendar_rows(connection)
    found = next((row for row in rows if row.id == calendar), None)
    if found is None:
        raise NotFoundError(f"calendar {calendar!r} does not exist")
    return found


async def effect_of(connection: AsyncConnection, edition: Edition, now_ms: WallMs) -> Effect:
    """What is wrong with an edition, what it changes and whom it touches."""
    calendar = await find_calendar(connection, edition.calendar)
    before = await calendar_queries.edition_in_force(connection, edition.calendar, edition.year)
    former = as_edition(before) if before is not None else None
    checked = check(edition, calendar.country)
    dates = changed_types(former, edition)
    months = {month_of(day) for day in _judged(dates, former, edition)}
    closed = months & set(await closing_queries.closed_months(connection))
    touched = await _touched(connection, await _sites_of(connection, calendar), dates, now_ms)
    people = len({employee for employee, _ in touched})
    number = before.edition if before is not None else None
    return Effect(checked, number, differences(former, edition), people, len(touched), tuple(sorted(closed)))


async def missing_years(connection: AsyncConnection, now_ms: WallMs) -> list[MissingYear]:
    """Years without an edition of a calendar that sites go by: this one, and from 1 December on the next."""
    today = from_ms(now_ms).astimezone(CHINA).date()
    wanted = [today.year, *([today.year + 1] if (today.month, today.day) >= WARN_FROM else [])]
    published = await calendar_queries.years_published(connection)
    used = [row.id for row in await calendar_queries.calendar_rows(connection) if await _sites_of(connection, row)]
    return [MissingYear(row, year) for row in used for year in wanted if year not in published.get(row, ())]


def as_edition(row: EditionRow) -> Edition:
    """A published edition as it was handed in."""
    return Edition(row.calendar, row.year, row.days, row.source, row.local_rule)


def read_file(data: bytes, country: str) -> ReadDays:
    """Days of a CSV, XLSX or JSON file; DataError ``bad_file``, ``no_rows``, ``columns_missing`` ..."""
    sheet = read_days_sheet(data)
    columns = headings(sheet.header)
    if not {"date", "type"} <= columns.keys():
        raise DataError(
            f"the header {sheet.header} names no date or no type: name columns 日期 and 类型", "columns_missing"
        )
    return read_rows(sheet.rows, columns, country)


# --- changing -------------------------------------------------------------------------------------------------------


async def publish(db: Database, actor: str, edition: Edition, *, based_on: int | None, caller: Caller) -> Published:
    """Put an edition in force; days of open months that it touches are computed again.

    ``based_on`` is the edition that its author looked at. DataError ``calendar_invalid``, ``calendar_changed`` when
    another was published since, ``month_closed``; NotFoundError for an unknown calendar.
    """
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        await calendar_queries.hold_calendar(connection, edition.calendar)
        before = await calendar_queries.edition_in_force(connection, edition.calendar, edition.year)
        if (before.edition if before is not None else None) != based_on:
            raise DataError(
                "somebody published another edition meanwhile: look at what is in force", "calendar_changed"
            )
        done = await publish_next(connection, edition, closed, actor=actor, at_ms=caller.at_ms)
        name = f"{edition.calendar} {edition.year}-{done.edition}"
        detail: Detail = {"source": edition.source, "people": done.people, "days": done.days}
        await log_queries.append(connection, _entry(caller, actor, "calendar.publish", name, detail))
        await note_changes(connection, [TOPIC], caller.at_ms)
    return done


async def publish_next(
    connection: AsyncConnection, edition: Edition, closed: Collection[Month], *, actor: str, at_ms: WallMs
) -> Published:
    """The same within a transaction that holds the closed months and the calendar; log and topics are the caller's."""
    calendar = await find_calendar(connection, edition.calendar)
    before = await calendar_queries.edition_in_force(connection, edition.calendar, edition.year)
    former = as_edition(before) if before is not None else None
    _refuse_invalid(check(edition, calendar.country))
    dates = changed_types(former, edition)
    refuse_closed(_judged(dates, former, edition), closed)
    touched = await _touched(connection, await _sites_of(connection, calendar), dates, at_ms)
    number = (before.edition if before is not None else 0) + 1
    await calendar_queries.add_edition(connection, edition, number=number, actor=actor, at_ms=at_ms)
    await attendance_queries.touch_days(connection, touched)
    return Published(number, len({employee for employee, _ in touched}), len(touched))


async def add_calendar(db: Database, actor: str, row: CalendarRow, *, caller: Caller) -> None:
    """Add a calendar; the first one is the company's. DataError ``calendar_exists`` or ``unknown_country``."""
    if row.country not in countries():
        raise DataError(f"country {row.country!r} is not known: expected two letters such as DE", "unknown_country")
    async with db.writing() as connection:
        first = not await calendar_queries.calendar_rows(connection)
        new = CalendarRow(row.id, row.country, row.name_zh, row.name_en, company=first)
        if not await calendar_queries.add_calendar(connection, new):
            raise DataError(f"calendar {row.id!r} exists: choose another id", "calendar_exists")
        detail: Detail = {"country": row.country}
        await log_queries.append(connection, _entry(caller, actor, "calendar.add", row.id, detail))
        await note_changes(connection, [TOPIC], caller.at_ms)


async def assign_site(db: Database, actor: str, site: str, calendar: str | None, *, caller: Caller) -> int:
    """Let a site go by a calendar, or by the company's; how many employee-days are computed again.

    NotFoundError for an unknown site or calendar, DataError ``month_closed``.
    """
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        if calendar is not None:
            await find_calendar(connection, calendar)
        before = await calendar_queries.calendars_of_sites(connection)
        if not await calendar_queries.set_site_calendar(connection, site, calendar):
            raise NotFoundError(f"site {site!r} does not exist")
        days = await _settle_sites(connection, before, closed, caller.at_ms)
        detail: Detail = {"calendar": calendar, "days": days}
        await log_queries.append(connection, _entry(caller, actor, "calendar.assign", site, detail))
        await note_changes(connection, [TOPIC], caller.at_ms)
    return days


async def make_company(db: Database, actor: str, calendar: str, *, caller: Caller) -> int:
    """Let every site that names no calendar go by this one; answers and errors as ``assign_site``."""
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        await find_calendar(connection, calendar)
        before = await calendar_queries.calendars_of_sites(connection)
        await calendar_queries.make_company(connection, calendar)
        days = await _settle_sites(connection, before, closed, caller.at_ms)
        await log_queries.append(connection, _entry(caller, actor, "calendar.company", calendar, {"days": days}))
        await note_changes(connection, [TOPIC], caller.at_ms)
    return days


async def ensure_defaults(db: Database, _config: ServerConfig, now_ms: WallMs) -> None:
    """Give an installation without any calendar China's, with the years whose notice is built in.

    Only then: what people publish, or leave out, stays as they have it.
    """
    async with db.reading() as connection:
        if await calendar_queries.calendar_rows(connection):
            return
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        row = CalendarRow("CN", "CN", "中国大陆", "Mainland China", company=True)
        if not await calendar_queries.add_calendar(connection, row):
            return
        before = await calendar_queries.calendars_of_sites(connection)
        editions = [edition for edition in defaults(from_ms(now_ms).year + 1) if not _in_closed(edition, closed)]
        for edition in editions:
            await calendar_queries.add_edition(connection, edition, number=1, actor="system", at_ms=now_ms)
        await _settle_sites(connection, before, closed, now_ms)
        detail: Detail = {"years": [str(edition.year) for edition in editions]}
        await log_queries.append(connection, Entry(now_ms, "system", "calendar.defaults", "CN", detail=detail))
        await note_changes(connection, [TOPIC], now_ms)


# --- whom it touches ------------------------------------------------------------------------------------------------


async def _settle_sites(
    connection: AsyncConnection, before: Mapping[str, Calendar], closed: Collection[Month], now_ms: WallMs
) -> int:
    """Touch what differs since sites went by those calendars; DataError ``month_closed``."""
    touched: set[tuple[str, dt.date]] = set()
    for site, calendar in (await calendar_queries.calendars_of_sites(connection)).items():
        dates = changed_dates(before[site], calendar)
        refuse_closed(_near(dates, before[site], calendar), closed)
        touched.update(await _touched(connection, [site], dates, now_ms))
    await attendance_queries.touch_days(connection, touched)
    return len(touched)


async def _touched(
    connection: AsyncConnection, sites: Iterable[str], dates: Sequence[dt.date], now_ms: WallMs
) -> list[tuple[str, dt.date]]:
    """Employee-days whose results may differ: all up to now, later ones only where there is a result already."""
    near = sorted({day for date in dates for day in dates_near_calendar(date)})
    until = from_ms(now_ms).date() + _AHEAD
    there = sorted(sites)
    past = await calendar_queries.days_of_sites(connection, there, [day for day in near if day <= until])
    later = await calendar_queries.results_of_sites(connection, there, [day for day in near if day > until])
    return [*past, *later]


async def _sites_of(connection: AsyncConnection, calendar: CalendarRow) -> list[str]:
    named = await calendar_queries.calendars_by_site(connection)
    return [site for site, name in named.items() if name == calendar.id or (name is None and calendar.company)]


def _in_closed(edition: Edition, closed: Collection[Month]) -> bool:
    dates = _judged(changed_types(None, edition), None, edition)
    return any(month_of(day) in closed for day in dates)


def _judged(dates: Iterable[dt.date], before: Edition | None, after: Edition) -> set[dt.date]:
    return _near(dates, before.as_calendar() if before is not None else PLAIN, after.as_calendar())


def _near(dates: Iterable[dt.date], before: Calendar, after: Calendar) -> set[dt.date]:
    """Dates whose results may become others: minutes after midnight belong to the date before (AR-25)."""
    found = set(dates)
    legal = {day for day in found if "statutory" in (before.type_of(day), after.type_of(day))}
    return found | {near for day in legal for near in dates_near_calendar(day)}


def _refuse_invalid(checked: Checked) -> None:
    if checked.problems:
        first = checked.problems[0]
        said = ", ".join(f"{name}={value}" for name, value in first.parameters.items())
        at = f" on {first.date}" if first.date else ""
        raise DataError(
            f"the edition has {len(checked.problems)} problems, the first {first.code}{at} ({said}): mend them",
            "calendar_invalid",
        )


def _entry(caller: Caller, actor: str, action: str, subject: str, detail: Detail) -> Entry:
    return Entry(caller.at_ms, actor, action, subject, ip=caller.ip, request_id=caller.request_id, detail=detail)
