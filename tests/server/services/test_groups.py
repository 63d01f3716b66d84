"""Patterns that follow by themselves, and what members of a group inherit, on both databases."""

from datetime import date, timedelta
from typing import Literal

from sqlalchemy import select

from server.config import ServerConfig
from server.rosters.edit import FillPattern, SetShifts
from server.rosters.pattern import Pattern
from server.services import groups, rosters, shifts
from server.services.groups import extend_rosters
from server.store import group_queries, tables
from server.store.database import Database
from server.store.group_queries import GroupRow
from server.store.shift_queries import PatternRow
from tests.server.services.test_rosters import CALLER, EVERYONE, planned
from tests.server.services.world import at, load

WEEK = Pattern("weekly", (("day",),) * 5 + ((), ()))
FIRST, LAST = date(2026, 3, 9), date(2026, 3, 15)


async def with_pattern(db: Database, pattern: Pattern = WEEK, anchor: date | None = None) -> None:
    """e1 is in group ``g``, which is planned until 15 March."""
    await load(db)
    await shifts.save_pattern(db, "hr", PatternRow("p", "规律", "Pattern", pattern), CALLER)
    await groups.save_group(db, "hr", GroupRow("g", "组", "Group", "p", anchor, None), CALLER)
    await groups.join_group(db, "hr", "g", ["e1"], from_on=date(2026, 3, 1), to_on=None, caller=CALLER)
    fill = FillPattern(("e1",), FIRST, LAST, groups=("g",))
    await rosters.save_edits(db, "hr", EVERYONE, [fill], accept_warnings=True, caller=CALLER)


async def until(db: Database) -> date | None:
    async with db.reading() as connection:
        [row] = await group_queries.group_rows(connection)
        return row.planned_until


async def test_a_pattern_is_followed_five_weeks_ahead_once(db: Database) -> None:
    await with_pattern(db)
    now = at("2026-03-10 08:00")
    assert await extend_rosters(db, ServerConfig(), now) == 22  # workdays from 16 March to 14 April
    assert await extend_rosters(db, ServerConfig(), now) == 0
    assert await until(db) == date(2026, 4, 14)
    made = await planned(db, "e1")
    assert (made["2026-03-16"], made["2026-04-14"]) == (("day", "pattern"), ("day", "pattern"))
    assert "2026-03-21" not in made


async def test_what_people_planned_ahead_stays_and_clashes_are_left_free(db: Database) -> None:
    await with_pattern(db)
    early = SetShifts(("e1",), (date(2026, 3, 17),), ("night",))
    await rosters.save_edits(db, "hr", EVERYONE, [early], accept_warnings=True, caller=CALLER)
    await extend_rosters(db, ServerConfig(), at("2026-03-10 08:00"))
    assert (await planned(db, "e1"))["2026-03-17"] == ("night", "manual")


async def test_a_group_that_nobody_laid_out_is_left_alone(db: Database) -> None:
    await load(db)
    await shifts.save_pattern(db, "hr", PatternRow("p", "规律", "Pattern", WEEK), CALLER)
    await groups.save_group(db, "hr", GroupRow("g", "组", "Group", "p", None, None), CALLER)
    await groups.join_group(db, "hr", "g", ["e1"], from_on=date(2026, 3, 1), to_on=None, caller=CALLER)
    assert await extend_rosters(db, ServerConfig(), at("2026-03-10 08:00")) == 0


async def test_a_cycle_goes_on_from_its_anchor_across_extensions(db: Database) -> None:
    cycle = Pattern("cycle", (("day",), ("day",), ("night",), (), ()))
    await with_pattern(db, cycle, anchor=FIRST)
    await extend_rosters(db, ServerConfig(), at("2026-03-10 08:00"))
    made = {day: shift for day, (shift, _) in (await planned(db, "e1")).items() if day >= FIRST.isoformat()}
    expected = {}
    for number in range((date(2026, 4, 14) - FIRST).days + 1):
        shift = ("day", "day", "night", None, None)[number % 5]
        if shift is not None:
            expected[(FIRST + timedelta(days=number)).isoformat()] = shift
    assert made == expected


async def test_joining_a_group_touches_its_days_and_is_in_the_log(db: Database) -> None:
    await with_pattern(db)
    async with db.reading() as connection:
        actions = set(await connection.scalars(select(tables.operation_log.c.action)))
    wanted: set[Literal["pattern.save", "group.save", "group.join", "roster.save"]]
    wanted = {"pattern.save", "group.save", "group.join", "roster.save"}
    assert wanted <= actions
