"""Which edition is in force, and which calendar a site goes by, on both databases."""

import datetime as dt
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.calendar import DayType
from server.calendars.edition import Day, Edition
from server.store import calendar_queries
from server.store.calendar_queries import CalendarRow
from server.store.database import Database
from server.store.tables import sites

NEW_YEAR = dt.date(2026, 1, 1)
SATURDAY = dt.date(2026, 1, 3)


@pytest.fixture
async def db(migrated_url: str) -> AsyncIterator[Database]:
    database = Database(migrated_url)
    async with database.writing() as connection:
        for site, calendar in (("home", None), ("abroad", "DE"), ("far", "XX")):
            values = {"id": site, "name_zh": site, "name_en": site, "zone": "Asia/Shanghai", "calendar": calendar}
            await connection.execute(insert(sites).values(**values))
        for calendar, company in (("CN", True), ("DE", False)):
            await calendar_queries.add_calendar(connection, CalendarRow(calendar, calendar, "", "", company))
    yield database
    await database.close()


async def _publish(connection: AsyncConnection, calendar: str, number: int, days: dict[dt.date, DayType]) -> None:
    listed = tuple(Day(date, kind) for date, kind in days.items())
    year = min(days).year
    await calendar_queries.add_edition(
        connection, Edition(calendar, year, listed, "test"), number=number, actor="hr", at_ms=number
    )


async def test_without_editions_every_site_has_monday_to_friday(db: Database) -> None:
    async with db.reading() as connection:
        found = await calendar_queries.calendars_of_sites(connection)
    assert sorted(found) == ["abroad", "far", "home"]
    assert {calendar.type_of(NEW_YEAR) for calendar in found.values()} == {"workday"}


async def test_the_newest_edition_of_each_year_is_in_force_and_named(db: Database) -> None:
    async with db.writing() as connection:
        await _publish(connection, "CN", 1, {NEW_YEAR: "restday"})
        await _publish(connection, "CN", 2, {NEW_YEAR: "statutory"})
        await _publish(connection, "CN", 1, {dt.date(2025, 1, 1): "statutory"})
        await _publish(connection, "DE", 1, {SATURDAY: "workday"})
        found = await calendar_queries.calendars_of_sites(connection)
    assert found["home"].version == "CN 2025-1 2026-2"
    assert found["home"].type_of(NEW_YEAR) == "statutory"
    assert found["home"].statutory == {NEW_YEAR, dt.date(2025, 1, 1)}


async def test_a_site_that_names_a_calendar_goes_by_that_one(db: Database) -> None:
    async with db.writing() as connection:
        await _publish(connection, "CN", 1, {NEW_YEAR: "statutory"})
        await _publish(connection, "DE", 1, {SATURDAY: "workday"})
        found = await calendar_queries.calendars_of_sites(connection)
    assert (found["abroad"].type_of(SATURDAY), found["abroad"].type_of(NEW_YEAR)) == ("workday", "workday")
    assert found["far"].exceptions == {}  # its calendar has no edition: not the company's holidays


async def test_the_company_has_one_calendar_at_a_time(db: Database) -> None:
    async with db.writing() as connection:
        await calendar_queries.make_company(connection, "DE")
        rows = await calendar_queries.calendar_rows(connection)
    assert [(row.id, row.company) for row in rows] == [("DE", True), ("CN", False)]
