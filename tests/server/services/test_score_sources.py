"""Scores from business systems: they follow rows, and a source that is away takes points from nobody (KS-3)."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from server.access.scope import Scope
from server.scoring.target import Target
from server.services.scoring import score_touched
from server.services.sources import put_source
from server.services.targets import set_targets
from server.store import link_queries, score_queries
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.source_tables import source_streams
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import day, put
from tests.server.services.world import at, load

COMPANY = {
    "departments": [{"id": "customer_service", "name_zh": "客服", "name_en": "Service"}],
    "employees": [
        {
            "id": "e1",
            "name": "Fang",
            "department": "customer_service",
            "site": "d1",
            "position": "cs_agent",
            "joined_on": "2026-01-01",
        }
    ],
}
DESK = """
source: desk
kind: webhook
timezone: Asia/Shanghai
push: {secrets: ["${env:X}"], facts: [ticket, complaint]}
"""
NOON = "2026-03-20 12:00"


@pytest.fixture
async def desk(db: Database) -> Database:
    """Service with a desk that was heard of at noon, and 20 rated tickets of e1."""
    await load(db)
    await load(db, json.dumps(COMPANY).encode())
    await put_source(db, DESK, "desk.yaml", entry())
    await heard(db, NOON)
    tickets = [ticket(str(number)) for number in range(20)]
    await put(db, "ticket", *tickets, source="desk")
    return db


def entry() -> Entry:
    return Entry(at(NOON), "test", "test", "")


def ticket(key: str, **more: Any) -> dict[str, Any]:
    made = {"source_key": key, "created_at": moment("2026-03-10 10:00"), "status": "solved", "csat": 4.6}
    solved = {
        "solved_at": moment("2026-03-10 10:08"),
        "first_solved_at": moment("2026-03-10 10:08"),
        "handle_seconds": 480,
    }
    return {**made, **solved, "first_reply_business_seconds": 30, "org_key": "customer_service", **more}


async def heard(db: Database, text: str) -> None:
    async with db.writing() as connection:
        await connection.execute(update(source_streams).values(last_ok_ms=at(text)))


async def scored(db: Database, now: str) -> dict[str, tuple[int | None, str | None]]:
    await score_touched(db, at(now))
    async with db.reading() as connection:
        card = await score_queries.scorecard(connection, Scope.system(), "e1", "2026-03")
    assert card is not None
    return {score.indicator: (score.points, score.no_score) for score in card.scores}


async def test_tickets_become_scores(desk: Database) -> None:
    found = await scored(desk, NOON)
    assert found["cs_satisfaction_score"] == (100_000_000, None)
    assert found["cs_first_response_seconds"] == (100_000_000, None)
    assert found["cs_avg_handle_time"] == (100_000_000, None)
    assert found["cs_resolution_rate"] == (120_000_000, None)
    assert found["cs_repeat_complaint_rate"] == (None, "no_denominator")


async def test_a_row_that_comes_later_changes_the_score(desk: Database) -> None:
    await scored(desk, NOON)
    await put(
        desk,
        "ticket",
        ticket("late", csat=None, first_reply_business_seconds=10_000, handle_seconds=None),
        source="desk",
    )
    await put(desk, "ticket", ticket("0", csat=1.0), source="desk")
    found = await scored(desk, NOON)
    assert found["cs_satisfaction_score"][0] is not None
    assert found["cs_satisfaction_score"][0] < 100_000_000


async def test_a_source_that_is_away_takes_points_from_nobody_and_gives_them_back(desk: Database) -> None:
    before = await scored(desk, NOON)
    away = await scored(desk, "2026-03-27 12:00")
    assert {reason for _, reason in away.values()} == {"source_late"}
    async with desk.reading() as connection:
        card = await score_queries.scorecard(connection, Scope.system(), "e1", "2026-03")
    assert card is not None
    assert (card.status, card.total) == ("insufficient_data", None)
    await heard(desk, "2026-03-27 12:00")
    assert await scored(desk, "2026-03-27 12:01") == before


async def test_a_fact_that_no_system_tells_of_gives_no_score(db: Database) -> None:
    await load(db)
    await load(db, json.dumps(COMPANY).encode())
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [("e1", "2026-03")])
    assert {reason for _, reason in (await scored(db, NOON)).values()} == {"source_missing"}


async def test_a_targets_own_unit_comes_first(desk: Database) -> None:
    """5 is what a person has to reach, 4.7 their department, 4.6 everybody by the definition."""
    found = []
    for unit, target in (("customer_service", "4.7"), ("e1", "5")):
        await set_targets(
            desk, Scope.system(), [Target("cs_satisfaction_score", unit, day("2026-03-01"), target)], entry()
        )
        await scored(desk, NOON)
        async with desk.reading() as connection:
            card = await score_queries.scorecard(connection, Scope.system(), "e1", "2026-03")
        assert card is not None
        found.append(next(s.lineage.target for s in card.scores if s.indicator == "cs_satisfaction_score"))
    assert found == ["4.7", "5"]


SELLERS = {
    "departments": [{"id": "business", "name_zh": "业务", "name_en": "Business"}],
    "employees": [
        {
            "id": one,
            "name": one,
            "department": "business",
            "site": "d1",
            "position": "sales_rep",
            "joined_on": "2026-01-01",
        }
        for one in ("e1", "e2")
    ],
}
SHOP = """
source: shop
kind: webhook
timezone: Asia/Shanghai
push: {secrets: ["${env:X}"], facts: [sales_order]}
"""


async def test_what_others_sold_is_nobody_elses_sales_but_their_margin_stands_for_who_has_none(db: Database) -> None:
    await load(db)
    await load(db, json.dumps(SELLERS).encode())
    await put_source(db, SHOP, "shop.yaml", entry())
    await heard(db, NOON)
    await set_targets(db, Scope.system(), [Target("biz_sales_amount", "", day("2026-01-01"), "1000")], entry())
    async with db.writing() as connection:
        await link_queries.put_link(connection, LinkRow("shop", "k", day("2026-01-01"), None, "e1"))
    order = {"source_key": "1", "order_no": "1", "status": "open", "currency": "CNY", "amount_gross_minor": 120_000}
    order |= {
        "amount_net_minor": 100_000,
        "cost_minor": 80_000,
        "paid_at": moment("2026-03-10 10:00"),
        "employee_key": "k",
    }
    await put(db, "sales_order", order, source="shop")
    await score_touched(db, at(NOON))
    found = {}
    async with db.reading() as connection:
        for one in ("e1", "e2"):
            card = await score_queries.scorecard(connection, Scope.system(), one, "2026-03")
            assert card is not None
            scores = {score.indicator: score for score in card.scores}
            margin, sales = scores["biz_gross_margin_rate"], scores["biz_sales_amount"]
            found[one] = sales.points, sales.no_score, margin.points, margin.lineage.query.level
    assert found == {
        "e1": (100_000_000, None, 100_000_000, "person"),
        "e2": (None, "no_denominator", 100_000_000, "department"),
    }
