"""What reaches the engine through the tables, and what is kept of its answers."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from server.access.scope import Scope
from server.attendance.touch import dates_near_roster
from server.services import attendance
from server.services.attendance import compute_touched
from server.services.recompute import touch_outdated
from server.store import attendance_queries, change_queries, closing_queries, result_queries
from server.store.calendar_tables import calendar_editions, calendars
from server.store.closing_tables import adjustments, closings
from server.store.database import Database
from server.store.people_tables import contracts
from server.store.request_tables import leave_types, requests
from server.store.roster_tables import attendance_groups, group_members, policies
from server.store.tables import attendance_days, followers, shifts
from tests.server.services.world import add_fleet, at, days, load, punch

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
EVERYONE = Scope.system()
LATER = "2026-03-06 00:00"


@pytest.fixture
async def there(db: Database) -> Database:
    """Company and fleet, everything computed before the first shift."""
    await load(db)
    await add_fleet(db)
    await compute_touched(db, at("2026-03-01 12:00"))
    return db


async def add(db: Database, table: Any, **values: Any) -> None:
    async with db.writing() as connection:
        await connection.execute(insert(table).values(values))


async def touch(db: Database, employee: str = "e1", day: date = MONDAY) -> None:
    async with db.writing() as connection:
        await attendance_queries.touch_days(connection, ((employee, near) for near in dates_near_roster(day)))


async def request(db: Database, kind: str, first: str, last: str, **more: Any) -> None:
    """An approved request of e1, its days touched."""
    row = {"kind": kind, "employee": "e1", "from_ms": at(first), "to_ms": at(last), "minutes": 0, "to_comp": False}
    row |= {"detail": {}, "reason": "", "state": "approved", "chain": [], "step": 0, "created_by": "x"}
    await add(db, requests, **row, created_ms=0, decided_ms=0, **more)
    await touch(db)


async def monday(db: Database, now: str = LATER) -> Any:
    """The stored row of e1's Monday, computed now."""
    await compute_touched(db, at(now))
    async with db.reading() as connection:
        found = select(attendance_days).where(attendance_days.c.employee == "e1", attendance_days.c.date == MONDAY)
        return (await connection.execute(found)).one()


async def version_facts(db: Database, scope: Scope = EVERYONE) -> list[tuple[str, dict[str, int]]]:
    async with db.reading() as connection:
        versions = await result_queries.versions_of(connection, scope, "e1", MONDAY)
    return [(version.status, dict(version.minutes)) for version in versions]


# --- facts ----------------------------------------------------------------------------------------------------------


async def test_overtime_leave_and_trips_reach_the_record_by_type(there: Database) -> None:
    async with there.writing() as connection:
        known = set(await connection.scalars(select(leave_types.c.id)))
    if "sick" not in known:
        kind = {"id": "sick", "name_zh": "s", "name_en": "s", "paid": True, "balance": "none", "unit_min": 60}
        await add(there, leave_types, **kind, settings={}, retired=False)
    await request(there, "leave", "2026-03-02 09:00", "2026-03-02 10:00", leave_type="sick")
    await request(there, "trip", "2026-03-02 10:00", "2026-03-02 11:00")
    await request(there, "overtime", "2026-03-02 18:00", "2026-03-02 20:00")
    await punch(there, "1", "2026-03-02 10:55", "2026-03-02 20:10", employee="e1")
    row = await monday(there)
    assert (row.leaves, row.leave_min, row.trip_min, row.ot_15_min) == ({"sick": 60}, 60, 60, 120)
    assert (row.status, row.required_min, row.worked_min, row.system) == ("normal", 420, 420, "standard")
    async with there.reading() as connection:
        records = await result_queries.stored_records(connection, EVERYONE, ["e1"], MONDAY, MONDAY)
    assert (records["e1"][0].minutes.ot_15, records["e1"][0].leaves) == (120, (("sick", 60),))


async def test_the_calendar_of_the_site_says_what_kind_of_day_it_is(there: Database) -> None:
    await add(there, calendars, id="X", country="CN", name_zh="x", name_en="x", company=True)
    told = [{"date": "2026-03-02", "type": "statutory", "name_zh": "x", "name_en": "x"}]
    edition = {"calendar": "X", "year": 2026, "edition": 1, "days": told, "source": "x", "actor": "x"}
    await add(there, calendar_editions, **edition, published_ms=0)
    await punch(there, "1", "2026-03-02 08:55", "2026-03-02 18:10", employee="e1")
    row = await monday(there)
    assert (row.day_type, row.holiday_work_min, row.ot_30_min, row.worked_min) == ("statutory", 480, 480, 0)


async def test_policy_and_contract_of_the_person_hold(there: Database) -> None:
    await add(there, attendance_groups, id="g", name_zh="g", name_en="g")
    await add(there, group_members, employee="e1", from_on=MONDAY, attendance_group="g", to_on=MONDAY)
    settings = {"attendance_group": "g", "from_on": date(2026, 1, 1), "settings": {"late_grace_min": 15}}
    await add(there, policies, **settings, actor="x", published_ms=0)
    contract = {"employee": "e1", "kind": "open_ended", "from_on": TUESDAY, "work_system": "untimed"}
    await add(there, contracts, **contract)
    stamps = [f"2026-03-0{day} {clock}" for day in (2, 3) for clock in ("09:10", "18:00")]
    await punch(there, "1", *stamps, employee="e1")
    await compute_touched(there, at(LATER))
    assert (await days(there, "e1")) == {MONDAY: ("normal", 470, 0), TUESDAY: ("untimed", 470, 0)}


async def test_a_flexible_shift_moves_with_the_person(there: Database) -> None:
    async with there.writing() as connection:
        flex = {"earliest": "08:00", "latest": "10:00", "span_min": 540}
        await connection.execute(update(shifts).where(shifts.c.id == "day").values(flex=flex))
    await punch(there, "1", "2026-03-02 09:40", "2026-03-02 18:40", employee="e1")
    assert (await monday(there)).status == "normal"


async def test_a_window_that_overtime_widened_closes_by_itself(there: Database) -> None:
    await request(there, "overtime", "2026-03-02 18:00", "2026-03-02 23:30")
    await punch(there, "1", "2026-03-02 08:55", employee="e1")
    seen = [(await monday(there, now)).status for now in ("2026-03-02 22:05", "2026-03-03 00:30", "2026-03-03 00:31")]
    assert seen == ["normal", "normal", "missing_out"]


async def test_windows_of_a_policy_close_by_themselves(there: Database) -> None:
    settings = {"attendance_group": "", "from_on": date(2026, 1, 1), "settings": {"window_after_min": 60}}
    await add(there, policies, **settings, actor="x", published_ms=0)
    await punch(there, "1", "2026-03-02 08:55", employee="e1")
    seen = [(await monday(there, now)).status for now in ("2026-03-02 19:00", "2026-03-02 19:01")]
    assert seen == ["normal", "missing_out"]


# --- versions -------------------------------------------------------------------------------------------------------


async def test_a_finished_record_that_says_something_else_is_kept(there: Database) -> None:
    await punch(there, "1", "2026-03-02 08:55", employee="e1")
    for now in ("2026-03-02 09:00", "2026-03-02 18:30", LATER):  # a day that goes on is no version
        await monday(there, now)
    assert await version_facts(there) == []
    await punch(there, "1", "2026-03-02 18:00", employee="e1", received="2026-03-07 10:00")
    assert (await monday(there, "2026-03-07 10:01")).status == "normal"
    assert await version_facts(there) == [("missing_out", {"required": 480, "pending": 480})]
    assert await version_facts(there, Scope(departments=frozenset({"hq"}))) == []


async def test_a_record_that_says_the_same_is_not_written_again(there: Database) -> None:
    await punch(there, "1", "2026-03-02 08:55", "2026-03-02 18:00", employee="e1")
    computed_ms = (await monday(there)).computed_ms
    async with there.reading() as connection:
        newest = await change_queries.newest_change(connection)
    await touch(there)
    assert (await monday(there, "2026-03-08 00:00")).computed_ms == computed_ms
    async with there.reading() as connection:
        assert await change_queries.newest_change(connection) == newest, "and nobody is told"


async def test_what_older_rules_gave_is_computed_once_more(there: Database) -> None:
    await monday(there)
    async with there.writing() as connection:
        await connection.execute(update(attendance_days).values(rule_version="attendance-0"))
    await closed(there, "2026-03")
    assert await touch_outdated(there, at(LATER)) == 0, "a closed month stays"
    async with there.writing() as connection:
        await connection.execute(update(closings).values(reopened_ms=1))
        await connection.execute(delete(followers).where(followers.c.name.contains("rules:")))
    touched = await touch_outdated(there, at(LATER))
    assert touched == len(await days(there, "e1")) + len(await days(there, "e2"))
    assert await touch_outdated(there, at(LATER)) == 0
    assert (await monday(there)).rule_version != "attendance-0"


# --- months that are opened again -----------------------------------------------------------------------------------


async def closed(db: Database, month: str, now: str = LATER) -> None:
    """As the closing service does it."""
    async with db.writing() as connection:
        await closing_queries.add_closing(connection, month, "hr", at(now), {})
        await attendance.settled(connection, month)


async def posted(db: Database) -> list[tuple[str, int]]:
    """Month and worked minutes of each adjustment of e1's Monday."""
    async with db.reading() as connection:
        rows = await connection.execute(select(adjustments).order_by(adjustments.c.posted_to))
        return [(row.posted_to, row.delta.get("worked", 0)) for row in rows if row.date == MONDAY]


async def test_what_was_paid_comes_off_when_a_month_is_opened_and_closed_again(there: Database) -> None:
    await punch(there, "1", "2026-03-02 08:55", employee="e1")
    await monday(there, "2026-04-05 00:00")
    await closed(there, "2026-03", "2026-04-05 00:00")
    await punch(there, "1", "2026-03-02 18:00", employee="e1", received="2026-04-12 10:00")
    assert (await monday(there, "2026-04-12 10:01")).status == "missing_out"
    assert await posted(there) == [("2026-04", 480)]
    await closed(there, "2026-04", "2026-05-05 00:00")
    async with there.writing() as connection:
        (row,) = await closing_queries.closing_rows(connection, "2026-03")
        await closing_queries.set_reopened(connection, row.id, "boss", at("2026-05-06 00:00"))
        still = await closing_queries.closed_months(connection)
        assert await attendance.reopen(connection, "2026-03", still, at("2026-05-06 00:00")) == 2 * 31
    assert (await monday(there, "2026-05-06 00:01")).worked_min == 480
    assert await posted(there) == [("2026-04", 480)], "April was paid"
    await closed(there, "2026-03", "2026-05-07 00:00")
    await monday(there, "2026-05-07 00:01")
    assert await posted(there) == [("2026-04", 480), ("2026-05", -480)]


async def test_opening_a_month_drops_what_nobody_paid_yet(there: Database) -> None:
    await monday(there, "2026-04-05 00:00")
    await closed(there, "2026-03", "2026-04-05 00:00")
    await punch(there, "1", "2026-03-02 08:55", "2026-03-02 18:00", employee="e1", received="2026-04-12 10:00")
    await monday(there, "2026-04-12 10:01")
    assert await posted(there) == [("2026-04", 480)]
    async with there.writing() as connection:
        (row,) = await closing_queries.closing_rows(connection, "2026-03")
        await closing_queries.set_reopened(connection, row.id, "boss", at("2026-04-13 00:00"))
        await attendance.reopen(connection, "2026-03", frozenset(), at("2026-04-13 00:00"))
    assert (await monday(there, "2026-04-13 00:01")).worked_min == 480
    assert await posted(there) == []
