"""Participation in campaigns is provisional until the last of them has ended."""

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from server.access.scope import Scope
from server.scoring.catalogue import default_catalogue
from server.scoring.window import days_of
from server.services.endings import endings, endings_each
from server.services.score_periods import check
from server.services.scoring import score_touched
from server.services.sources import put_source
from server.services.trend_basis import Wanted
from server.services.trends import series_of
from server.store import link_queries, score_queries
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from tests.server.services.period_world import heard
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import day, keep_only, put
from tests.server.services.world import at, load

RATE, JANUARY = "ops_campaign_participation_rate", "2026-01"
COMPANY = {
    "departments": [{"id": "operations", "name_zh": "运营", "name_en": "Operations"}],
    "employees": [
        {
            "id": "lin",
            "name": "Lin",
            "department": "operations",
            "site": "d1",
            "position": "clerk",
            "joined_on": "2025-01-01",
        }
    ],
}
SOURCE = """
source: campaigns
kind: webhook
timezone: Asia/Shanghai
push: {secrets: ["${env:X}"], facts: [campaign_event]}
"""
NOW = "2026-02-10 09:00"


def invited(key: str, campaign: str, when: str, ends: str | None) -> dict[str, Any]:
    row = {"source_key": key, "campaign": campaign, "user_key": key, "kind": "invited", "employee_key": "lin"}
    return row | {"occurred_at": moment(when), "ends_on": None if ends is None else day(ends)}


@pytest.fixture
async def campaigns(db: Database) -> Database:
    """Of January one that ends with it, one in March, and one that nobody knows the end of; of February one more."""
    await load(db)
    await load(db, json.dumps(COMPANY).encode())
    await put_source(db, SOURCE, "campaigns.yaml", Entry(at(NOW), "test", "test", ""))
    await heard(db, NOW)
    async with db.writing() as connection:
        await link_queries.put_link(connection, LinkRow("campaigns", "lin", day("2025-01-01"), None, "lin"))
    rows = (
        invited("u1", "new-year", "2026-01-05 10:00", "2026-01-31"),
        invited("u2", "spring", "2026-01-31 23:59", "2026-03-05"),
        invited("u3", "open", "2026-01-20 10:00", None),
        invited("u4", "summer", "2026-02-01 00:00", "2026-08-31"),
    )
    await put(db, "campaign_event", *rows, source="campaigns")
    return db


async def ends(db: Database) -> dict[str, dt.date]:
    async with db.reading() as connection:
        zone = ZoneInfo("Asia/Shanghai")
        return await endings(connection, default_catalogue().indicators, days_of(JANUARY), zone)


async def test_the_latest_end_of_the_rows_of_a_period(campaigns: Database) -> None:
    assert await ends(campaigns) == {RATE: day("2026-03-05")}
    await keep_only(campaigns, "campaign_event", {"u1", "u3", "u4"}, source="campaigns")
    assert await ends(campaigns) == {RATE: day("2026-01-31")}
    await keep_only(campaigns, "campaign_event", {"u3", "u4"}, source="campaigns")
    assert await ends(campaigns) == {}


async def test_a_period_waits_for_the_end_of_its_campaigns(campaigns: Database) -> None:
    async with campaigns.writing() as connection:
        await score_queries.touch_scores(connection, [("lin", JANUARY)])
    await score_touched(campaigns, at(NOW))
    found = {}
    for now in ("2026-03-05 23:59", "2026-03-06 00:00"):
        await heard(campaigns, now)
        async with campaigns.reading() as connection:
            checked = await check(connection, Scope.system(), JANUARY, at(now), "operations")
        found[now] = {one.indicator: one.final_on for one in checked.not_final}.get(RATE)
    assert found == {"2026-03-05 23:59": day("2026-03-06"), "2026-03-06 00:00": None}


async def test_steps_of_a_trend_wait_for_the_end_of_their_own_campaigns(campaigns: Database) -> None:
    """By weeks from before the new year; that of 26 January has one to 5 March and one to the end of August."""
    final = {}
    for grain, now in (("month", "2026-03-05 23:59"), ("month", "2026-03-06 00:00"), ("week", "2026-03-06 00:00")):
        await heard(campaigns, now)
        async with campaigns.reading() as connection:
            wanted = Wanted("department", "operations", grain, 8, indicators=(RATE,))  # type: ignore[arg-type]
            [series] = (await series_of(connection, Scope.system(), wanted, at(now))).series
        final[grain, now] = {str(one.span.first): one.final for one in series.points if one.value is not None}
    assert final == {
        ("month", "2026-03-05 23:59"): {"2026-01-01": False, "2026-02-01": False},
        ("month", "2026-03-06 00:00"): {"2026-01-01": True, "2026-02-01": False},
        ("week", "2026-03-06 00:00"): {"2026-01-05": True, "2026-01-19": True, "2026-01-26": False},
    }


async def test_ends_of_steps_are_told_apart_across_a_year(campaigns: Database) -> None:
    await put(campaigns, "campaign_event", invited("u0", "old", "2025-12-31 10:00", "2026-01-02"), source="campaigns")
    steps = [days_of(month) for month in ("2025-11", "2025-12", "2026-01", "2026-02")]
    async with campaigns.reading() as connection:
        found = await endings_each(connection, default_catalogue().indicators, steps, ZoneInfo("Asia/Shanghai"))
    assert found == {
        (RATE, steps[1]): day("2026-01-02"),
        (RATE, steps[2]): day("2026-03-05"),
        (RATE, steps[3]): day("2026-08-31"),
    }
