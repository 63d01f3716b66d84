"""A company whose logistics and business are scored from two systems, and people who write and publish weights."""

import json
from datetime import date
from typing import Any

from sqlalchemy import update

from server.access.scope import Scope
from server.scoring.rules import Change, OwnItem, SeasonItem, SetItem, put
from server.scoring.scheme import WeightSet
from server.scoring.season import Delta, default_seasons
from server.services import schemes
from server.services.schemes import Author
from server.services.scoring import score_touched
from server.services.sources import put_source
from server.store import link_queries, post_queries, score_queries
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.score_queries import ScorecardRow
from server.store.source_tables import source_streams
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import day
from tests.server.services.test_attributes import put as put_facts
from tests.server.services.world import at, load
from tests.support.with_keys import make_keys

NOW = "2026-05-05 12:00"
DEPARTMENTS = ("logistics", "business")
COMPANY = {
    "departments": [{"id": one, "name_zh": one, "name_en": one} for one in DEPARTMENTS],
    "employees": [
        {"id": one, "name": one, "department": place, "site": "d1", "position": post, "joined_on": "2026-01-01"}
        for one, place, post in (
            ("e1", "logistics", "dispatcher"),
            ("e2", "hq", "clerk"),
            ("s1", "business", "seller"),
            ("s2", "business", "seller"),
        )
    ],
}
SYSTEM = """
source: system
kind: webhook
timezone: Asia/Shanghai
push: {secrets: ["${env:X}"], facts: [shipment, damage_report, complaint, ledger_entry, sales_order, refund, invoice]}
"""
SEASONS = {delta.id: delta for delta in default_seasons()}


async def prepare(db: Database) -> None:
    """The company, with a system that was heard of now, and keys."""
    await make_keys(db)
    await load(db)
    await load(db, json.dumps(COMPANY).encode())
    await put_source(db, SYSTEM, "system.yaml", Entry(at(NOW), "test", "test", ""))
    async with db.writing() as connection:
        await connection.execute(update(source_streams).values(last_ok_ms=at(NOW)))
        await post_queries.put_row(connection, "positions", {"id": "leader", "name_zh": "主管", "name_en": "Leader"})
        for one in ("e1", "s1", "s2"):
            await link_queries.put_link(connection, LinkRow("system", one, day("2026-01-01"), None, one))


async def parcels(db: Database, month: str = "2026-03") -> None:
    """200 parcels: 194 on time, 6 damaged, 6.00 each, 1 complaint, all of e1 (X07)."""
    rows = [
        {
            "source_key": f"{month}-{n}",
            "tracking_no": f"{month}-{n}",
            "status": "delivered",
            "employee_key": "e1",
            "site_key": "d1",
            "cost_minor": 600,
            "promised_at": moment(f"{month}-10 18:00"),
            "delivered_at": moment(f"{month}-10 {'17' if n < 194 else '19'}:00"),
        }
        for n in range(200)
    ]
    reports = [
        {
            "source_key": f"{month}-r{n}",
            "tracking_no": f"{month}-{n}",
            "point": "transit",
            "responsibility": "logistics",
            "occurred_on": day(f"{month}-10"),
            "confirmed_on": day(f"{month}-11"),
        }
        for n in range(6)
    ]
    complaint = {
        "source_key": f"{month}-c",
        "tracking_no": f"{month}-0",
        "responsibility": "logistics",
        "occurred_on": day(f"{month}-12"),
    }
    await put_facts(db, "shipment", *rows, source="system")
    await put_facts(db, "damage_report", *reports, source="system")
    await put_facts(db, "complaint", complaint, source="system")


async def order(db: Database, key: str, when: str, cost_minor: int, employee: str = "s1") -> None:
    """Goods sold for 1,000.00."""
    row = {"source_key": key, "order_no": key, "status": "open", "currency": "CNY", "amount_gross_minor": 120_000}
    row |= {"amount_net_minor": 100_000, "cost_minor": cost_minor, "paid_at": moment(when), "employee_key": employee}
    await put_facts(db, "sales_order", row, source="system")


async def card(db: Database, employee: str, period: str, now: str = NOW) -> ScorecardRow:
    """A scorecard, computed first where it waits."""
    async with db.reading() as connection:
        there = await score_queries.scorecard(connection, Scope.system(), employee, period)
    if there is None:
        async with db.writing() as connection:
            await score_queries.touch_scores(connection, [(employee, period)])
    await score_touched(db, at(now))
    async with db.reading() as connection:
        found = await score_queries.scorecard(connection, Scope.system(), employee, period)
    assert found is not None
    return found


def author(login: str = "writer", employee: str | None = None, now: str = NOW) -> Author:
    return Author(login, employee, Entry(at(now), login, "", ""))


def weight_set(department: str | None, position: str | None, starts: str, **weights: int) -> Change:
    one = WeightSet(
        id="own",
        name_zh="自定",
        name_en="Own",
        department=department,
        position=position,
        weights=weights,
        source="test",
        starts=date.fromisoformat(starts),
    )
    return put(SetItem(set=one))


def season(delta: Delta | str, first: str, last: str) -> Change:
    chosen = SEASONS[delta] if isinstance(delta, str) else delta
    return put(SeasonItem(delta=chosen, first=date.fromisoformat(first), last=date.fromisoformat(last)))


def delta(name: str, department: str, **weights: int) -> Delta:
    return Delta(id=name, name_zh=name, name_en=name, department=department, weights=weights, source="test")


def own(employee: str, change: Delta, first: str, last: str) -> Change:
    days = {"first": date.fromisoformat(first), "last": date.fromisoformat(last)}
    return put(OwnItem(employee=employee, delta=change, reason="new here", **days))


async def publish(db: Database, *changes: Change, title: str = "change", **told: Any) -> tuple[int, int]:
    """Written by one person, published by another: version and scorecards that are computed again."""
    number = await schemes.save(db, title, changes, author(**told))
    await schemes.submit(db, number, 1, author(**told))
    return await schemes.publish(db, number, 1, author("second"))
