"""Every night a full run has to find the live scorecards again, and says so when it does not (REL-27)."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, update

from server.access.scope import Scope
from server.config import ServerConfig
from server.services import verifying
from server.services.scoring import score_touched
from server.services.verifying import Verified, verify
from server.store import fleet_queries, score_queries, sweep_queries
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.source_tables import identity_links
from server.store.tables import scorecards, scores, touched_scores
from shared.clock import Clocks
from shared.errors import DataError
from tests.server.services import scheme_world as world
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import day
from tests.server.services.test_attributes import put as put_facts
from tests.server.services.world import at

NOW = world.NOW
PERIOD = "2026-04"
SALES = "biz_sales_amount"


def clocks(now: str = NOW) -> Clocks:
    return Clocks(wall_ms=lambda: at(now), mono_ms=lambda: at(now))


async def alarms(db: Database) -> list[tuple[str, Any]]:
    async with db.reading() as connection:
        rows = await fleet_queries.open_alarms(connection)
    return [(row.subject, dict(row.detail)) for row in rows if row.kind == verifying.ALARM]


async def scored(db: Database) -> None:
    """A month of parcels and orders, with its live scorecards."""
    await world.prepare(db)
    await world.parcels(db, PERIOD)
    await world.order(db, "o1", "2026-04-03 10:00", 80_000)
    await world.order(db, "o2", "2026-04-09 10:00", 70_000, "s2")
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [(person, PERIOD) for person in ("e1", "s1", "s2")])
    await score_touched(db, at(NOW))


def folder_of(by: str, tmp_path: Path) -> Path | None:
    return tmp_path if by == "lake" else None


@pytest.mark.parametrize("by", ["lake", "database"])
async def test_live_scores_that_are_right_raise_nothing(db: Database, tmp_path: Path, by: str) -> None:
    await scored(db)
    done = []
    found = await verify(db, PERIOD, clocks(), folder_of(by, tmp_path), lambda *told: done.append(told))
    assert (found.by, found.differences, done[-1]) == (by, (), (found.cards, found.cards))
    assert found.cards >= 3
    assert await alarms(db) == []


@pytest.mark.parametrize("by", ["lake", "database"])
async def test_a_wrong_live_score_is_told_until_it_is_right(db: Database, tmp_path: Path, by: str) -> None:
    await scored(db)
    async with db.writing() as connection:
        await connection.execute(
            update(scores)
            .where(scores.c.employee == "e1", scores.c.score_micro.is_not(None))
            .values(score_micro=scores.c.score_micro + 1)
        )
        await connection.execute(update(scorecards).where(scorecards.c.employee == "s1").values(total_centi=1))
    found = await verify(db, PERIOD, clocks(), folder_of(by, tmp_path))
    wrong = {(one.employee, one.indicator) for one in found.differences}
    assert ("e1", "log_on_time_delivery_rate") in wrong
    assert ("s1", "") in wrong
    assert {employee for employee, _ in wrong} == {"e1", "s1"}
    assert await alarms(db) == [(PERIOD, {"cards": found.cards, "differ": 2})]
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [("e1", PERIOD), ("s1", PERIOD)])
    assert (await verify(db, PERIOD, clocks(), folder_of(by, tmp_path))).differences == ()
    assert await alarms(db) == []


async def test_a_row_that_no_touch_told_of_is_found(db: Database, tmp_path: Path) -> None:
    """Somebody changes a row past the server: the live scorecard can not know, the full run does."""
    await scored(db)
    orders = FACT_TABLES["sales_order"]
    async with db.writing() as connection:
        await connection.execute(delete(orders).where(orders.c.source_key == "o1"))
    found = await verify(db, PERIOD, clocks(), tmp_path)
    assert SALES in {one.indicator for one in found.differences if one.employee == "s1"}
    assert {one.employee for one in found.differences} == {"s1"}


async def test_a_month_that_went_on_is_compared_as_it_was_computed(db: Database, tmp_path: Path) -> None:
    """An order dated the day after the card was computed counts from then on; the card was right all the same."""
    await scored(db)
    await world.order(db, "ahead", "2026-05-20 10:00", 10_000)
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [("s1", "2026-05")])
    await score_touched(db, at(NOW))
    later = "2026-05-25 12:00"
    async with db.reading() as connection, db.writing() as other:
        card = await score_queries.scorecard(connection, Scope.system(), "s1", "2026-05")
        await other.execute(delete(touched_scores))
    assert card is not None
    assert next(row for row in card.scores if row.indicator == SALES).sample == 0
    found = await verify(db, "2026-05", clocks(later), tmp_path)
    assert [one for one in found.differences if one.employee == "s1" and one.indicator == SALES] == []


async def test_cards_that_wait_are_no_differences(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scored(db)
    async with db.writing() as connection:
        await connection.execute(update(scorecards).where(scorecards.c.employee == "s1").values(total_centi=1))
        await connection.execute(insert(touched_scores).values(employee="s1", period=PERIOD, mark=1))

    async def busy(*_: object) -> None:
        pass

    monkeypatch.setattr(verifying, "_settle", busy)
    found = await verify(db, PERIOD, clocks(), tmp_path)
    assert "s1" not in {one.employee for one in found.differences}


async def test_every_night_once(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await scored(db)
    asked: list[str] = []

    async def noted(_db: object, period: str, *_: object) -> Verified:
        asked.append(period)
        return Verified(period, "lake", 0, ())

    monkeypatch.setattr(verifying, "verify", noted)
    config = ServerConfig(data=tmp_path)
    for now, expected in (
        ("2026-05-05 12:00", 0),  # the first night is still to come
        ("2026-05-06 02:59", 0),
        ("2026-05-06 03:00", 1),
        ("2026-05-06 23:00", 1),
        ("2026-05-07 03:10", 2),
    ):
        await verifying.run_if_due(db, config, clocks(now))
        assert asked.count(PERIOD) == expected, now
    async with db.reading() as connection:
        assert await sweep_queries.swept_until(connection, verifying.SWEEP) == at("2026-05-07 03:10")


async def test_a_text_that_is_no_period_is_refused(db: Database) -> None:
    with pytest.raises(DataError, match="2026-13"):
        await verify(db, "2026-13", clocks(), None)


WHAT = st.sampled_from(("order", "refund", "gone", "parcel", "compute"))
STEPS = st.lists(st.tuples(WHAT, st.integers(0, 5), st.integers(1, 28), st.sampled_from(("s1", "s2"))), max_size=14)


@settings(
    max_examples=10, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
async def test_rel27_scoring_equivalence(db: Database, tmp_path: Path, steps: list[tuple[str, int, int, str]]) -> None:
    """Whatever comes in whatever order, computed as often as may be: the live scores are those of a full run."""
    async with db.writing() as connection:
        for table in ("sales_order", "refund", "shipment"):
            await connection.execute(delete(FACT_TABLES[table]))
        for own in (scores, scorecards, touched_scores):
            await connection.execute(delete(own))
        there = await connection.scalar(select(func.count()).select_from(identity_links))
    if not there:
        await world.prepare(db)
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [(person, PERIOD) for person in ("e1", "s1", "s2")])
    for what, number, on, person in steps:
        when = f"2026-04-{on:02}"
        if what == "order":
            await world.order(db, f"o{number}", f"{when} 10:00", 1_000 * on, person)
        elif what == "refund":
            row = {"source_key": f"r{number}", "order_key": f"o{number}", "refunded_on": day(when)}
            row |= {"amount_net_minor": 50 * on, "full": on % 2 == 0, "employee_key": person}
            await put_facts(db, "refund", row, source="system")
        elif what == "gone":
            await world.order(db, f"o{number}", f"2026-03-{on:02} 10:00", 1_000 * on, person)
        elif what == "parcel":
            row = {"source_key": f"p{number}", "tracking_no": f"p{number}", "status": "delivered", "employee_key": "e1"}
            row |= {"promised_at": moment("2026-04-10 18:00"), "delivered_at": moment(f"{when} 17:00")}
            await put_facts(db, "shipment", row, source="system")
        else:
            await score_touched(db, at(NOW))
    await score_touched(db, at(NOW))
    for folder in (tmp_path, None):
        found = await verify(db, PERIOD, clocks(), folder)
        assert (found.differences, found.cards) == ((), 3)
