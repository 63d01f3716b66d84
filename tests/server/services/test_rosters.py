"""Planning on both databases: looked at first, saved whole or not at all."""

from datetime import date

import pytest
from sqlalchemy import select

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.rosters.edit import CopyDays, SetShifts, Swap
from server.services import rosters
from server.services.accounts import Caller
from server.services.rosters import RosterRefusedError
from server.store import closing_tables, tables
from server.store.database import Database
from tests.server.services.world import at, load

EVERYONE = Scope(everyone=True)
CALLER = Caller("10.0.0.1", "r1", at("2026-03-01 12:00"))
MON, TUE = date(2026, 3, 2), date(2026, 3, 3)


async def planned(db: Database, employee: str) -> dict[str, tuple[str, str]]:
    """Shift and origin by date."""
    async with db.reading() as connection:
        wanted = select(tables.roster).where(tables.roster.c.employee == employee)
        return {str(row.date): (row.shift, row.origin) for row in await connection.execute(wanted)}


async def touched(db: Database) -> set[tuple[str, str]]:
    async with db.reading() as connection:
        return {(row.employee, str(row.date)) for row in await connection.execute(select(tables.touched_days))}


async def test_a_saved_change_is_planned_and_its_days_are_computed_again(db: Database) -> None:
    await load(db)
    edits = [SetShifts(("e1",), (date(2026, 3, 6),), ("night",))]
    looked = await rosters.check_edits(db, EVERYONE, edits)
    assert [(one.before, one.after) for one in looked.differences] == [((), ("night",))]
    assert "2026-03-06" not in await planned(db, "e1")
    await rosters.save_edits(db, "hr", EVERYONE, edits, accept_warnings=False, caller=CALLER)
    assert (await planned(db, "e1"))["2026-03-06"] == ("night", "manual")
    assert {("e1", f"2026-03-0{day}") for day in (5, 6, 7, 8)} <= await touched(db)


async def test_a_conflict_anywhere_keeps_everything_from_being_saved(db: Database) -> None:
    await load(db)
    edits = [SetShifts(("e1",), (date(2026, 3, 6),), ("day",)), SetShifts(("e2",), (date(2025, 12, 31),), ("day",))]
    with pytest.raises(RosterRefusedError) as refused:
        await rosters.save_edits(db, "hr", EVERYONE, edits, accept_warnings=True, caller=CALLER)
    assert (refused.value.code, refused.value.parameters) == ("roster_conflict", {"e2 2025-12-31": "not_employed"})
    assert "2026-03-06" not in await planned(db, "e1")


async def test_warnings_are_saved_by_who_accepts_them_only(db: Database) -> None:
    await load(db)
    week = tuple(date(2026, 3, day) for day in range(2, 9))
    edits = [SetShifts(("e1",), week, ("day",))]
    with pytest.raises(RosterRefusedError) as refused:
        await rosters.save_edits(db, "hr", EVERYONE, edits, accept_warnings=False, caller=CALLER)
    assert refused.value.code == "roster_warning"
    await rosters.save_edits(db, "hr", EVERYONE, edits, accept_warnings=True, caller=CALLER)
    assert len(await planned(db, "e1")) == 7


async def test_people_out_of_scope_can_not_be_planned(db: Database) -> None:
    await load(db)
    with pytest.raises(NotFoundError):
        await rosters.check_edits(db, Scope(departments=frozenset({"ops"})), [SetShifts(("e2",), (TUE,), ())])


async def test_a_copied_week_follows_week_by_week(db: Database) -> None:
    await load(db)
    copy = CopyDays(("e1",), MON, date(2026, 3, 8), weeks=2)
    await rosters.save_edits(db, "hr", EVERYONE, [copy], accept_warnings=False, caller=CALLER)
    dates = {"2026-03-02", "2026-03-03", "2026-03-09", "2026-03-10", "2026-03-16", "2026-03-17"}
    assert set(await planned(db, "e1")) == dates


async def test_a_swap_exchanges_the_shifts_of_a_date(db: Database) -> None:
    await load(db)
    async with db.writing() as connection:
        changed = await rosters.swap(connection, "e1", "e2", MON, at("2026-03-01 13:00"))
    assert changed == {"roster", "employee:e1", "employee:e2"}
    assert (await planned(db, "e1"))["2026-03-02"] == ("night", "swap")
    assert (await planned(db, "e2"))["2026-03-02"] == ("day", "swap")


async def test_a_swap_that_would_plan_somebody_twice_is_refused(db: Database) -> None:
    await load(db)
    give = SetShifts(("e2",), (TUE,), ("day",))
    await rosters.save_edits(db, "hr", EVERYONE, [give], accept_warnings=True, caller=CALLER)
    async with db.writing() as connection:
        with pytest.raises(RosterRefusedError) as refused:  # e1 works the day shift on Tuesday too
            await rosters.swap(connection, "e1", "e2", MON, at("2026-03-01 13:00"), other_date=TUE)
    assert refused.value.parameters == {"e1 2026-03-03": "shift_twice"}


async def test_a_closed_month_is_not_planned_any_more(db: Database) -> None:
    await load(db)
    row = {"month": "2026-03", "closed_ms": 1, "closed_by": "hr", "summary": {}}
    async with db.writing() as connection:
        await connection.execute(closing_tables.closings.insert().values(row))
    looked = await rosters.check_edits(db, EVERYONE, [Swap("e1", "e2", MON, MON)])
    assert {one.code for one in looked.findings} == {"month_closed"}
