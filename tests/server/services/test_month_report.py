"""The monthly report is loaded for everybody at once, in scope, and says what the days say."""

from fractions import Fraction
from typing import Any

from sqlalchemy import event

from server.access.scope import Scope
from server.services.month_report import MonthRow, month_rows
from server.store.scope_filter import ALL, Narrow
from tests.server.api.company import World
from tests.server.api.fixtures import any_world, world
from tests.server.api.seed_month import MONTH, seed_month

__all__ = ["any_world", "world"]


async def rows_of(world: World, scope: Scope, narrow: Narrow = ALL, **some: Any) -> dict[str, MonthRow]:
    async with world.db.reading() as connection:
        return {row.person.id: row for row in await month_rows(connection, scope, MONTH, narrow, **some)}


async def test_every_column_comes_from_the_rows_it_is_about(any_world: World) -> None:
    await seed_month(any_world.db)
    rows = await rows_of(any_world, Scope.system())
    first, second, third, fourth = (rows[f"e{number}"].summary for number in (1, 2, 3, 4))
    assert (first.scheduled_days, first.required_days, first.worked_days) == (3, Fraction(5, 2), Fraction(5, 2))
    assert first.leaves == {"annual": 240}
    assert (first.trip_days, first.corrections) == (Fraction(1), 1)
    assert (first.comp_earned_min, first.comp_used_min, first.comp_left_min) == (180, 0, 780)
    assert (second.late_times, second.late_min, second.missing_punches) == (1, 10, 2)
    assert (second.absent_min, second.pending_min, second.decisions, second.corrections) == (240, 480, 1, 0)
    assert (second.ot_15_min, second.worked_days) == (150, Fraction(5, 2))
    assert (third.absent_min, third.ot_30_min, third.adjustments) == (480, 60, 1)
    assert third.adjusted == {"pending": -480, "worked": 480}
    assert (fourth.scheduled_days, fourth.adjustments) == (0, 0)
    assert [row.confirmation for row in rows.values()].count("confirmed") == 1
    assert {row.closing for row in rows.values()} == {"open"}


async def test_rows_come_by_department_and_name(any_world: World) -> None:
    assert list(await rows_of(any_world, Scope.system())) == ["e4", "e3", "e1", "e2"]


async def test_nobody_outside_the_scope_is_in_it(any_world: World) -> None:
    await seed_month(any_world.db)
    assert set(await rows_of(any_world, Scope())) == set()
    assert set(await rows_of(any_world, Scope(employee="e3"))) == {"e3"}
    assert set(await rows_of(any_world, Scope(departments=frozenset({"ops", "ops-north"})))) == {"e1", "e2"}
    narrow = Narrow(departments=frozenset({"fin"}))
    assert set(await rows_of(any_world, Scope(departments=frozenset({"ops"})), narrow)) == set()
    assert set(await rows_of(any_world, Scope.system(), people=["e1", "e3"])) == {"e1", "e3"}


async def test_a_row_is_the_same_whoever_else_is_asked_for(any_world: World) -> None:
    await seed_month(any_world.db)
    everybody = await rows_of(any_world, Scope.system())
    for employee, row in everybody.items():
        assert (await rows_of(any_world, Scope(employee=employee)))[employee] == row


async def test_the_number_of_statements_does_not_grow_with_people(world: World) -> None:
    await seed_month(world.db)
    seen: list[str] = []
    engine = world.db._engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    await rows_of(world, Scope(employee="e1"))
    alone = len(seen)
    await rows_of(world, Scope.system())
    assert len(seen) - alone == alone
