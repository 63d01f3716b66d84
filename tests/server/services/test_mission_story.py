"""The case that Muster was made for, as docs/mission-story.md tells it: its numbers are read from there."""

import json
import random
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlalchemy import update

from server.scoring.catalogue import default_catalogue
from server.scoring.numbers import MICRO, decimal_text
from server.scoring.scorecard import grade
from server.services.sources import put_source
from server.store import link_queries
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.score_queries import ScorecardRow
from server.store.source_tables import source_streams
from tests.server.services.scheme_world import NOW, SYSTEM, card, order, prepare, publish, season
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import day, put
from tests.server.services.world import at, load

STORY = (Path(__file__).parents[3] / "docs/mission-story.md").read_text(encoding="utf-8")
TABLE = {
    name: tuple(rest.split(" | ")) for name, rest in re.findall(r"^\| `(\w+)` \| (.+) \|$", STORY, flags=re.MULTILINE)
}
"""Value and points in March, value and points in April."""
AGENTS = {
    "departments": [{"id": "customer_service", "name_zh": "客服部", "name_en": "Customer service"}],
    "employees": [
        {"id": "c1", "name": "c1", "department": "customer_service", "site": "d1", "position": "agent"}
        | {"joined_on": "2026-01-01"}
    ],
}
DESK = SYSTEM.replace("source: system", "source: desk").replace("[shipment, damage_report, complaint, ", "[ticket, ")
FOUND_EARLY = ("sorting_scan", "loading_scan", "transit", "refusal", "complaint")


async def a_month(db: Database, month: str, *, early: int, returned: int, cost_minor: int, solved: int) -> None:
    """1,000 parcels of which some broke, ten orders, 200 tickets. Which parcels they are differs from run to run."""
    chosen = random.Random(month)
    late = set(chosen.sample(range(1_000), 30))
    broken = chosen.sample(range(1_000), early + returned)
    parcels = [
        {
            "source_key": f"{month}-{n}",
            "tracking_no": f"{month}-{n}",
            "status": "delivered",
            "employee_key": "e1",
            "site_key": "d1",
            "cost_minor": 600,
            "promised_at": moment(f"{month}-10 18:00"),
            "delivered_at": moment(f"{month}-10 {'19' if n in late else '17'}:00"),
        }
        for n in range(1_000)
    ]
    points = [chosen.choice(FOUND_EARLY) for _ in range(early)] + ["return_inspection"] * returned
    reports = [damage(month, n, number, point) for number, (n, point) in enumerate(zip(broken, points, strict=True))]
    # The same parcel twice: what the sorting hall reported is found again when the goods come back.
    reports.append(damage(month, broken[0], len(reports), "return_inspection"))
    complaints = [
        {
            "source_key": f"{month}-c{n}",
            "tracking_no": f"{month}-{n}",
            "responsibility": "logistics",
            "occurred_on": day(f"{month}-12"),
        }
        for n in range(5)
    ]
    await put(db, "shipment", *parcels, source="system")
    await put(db, "damage_report", *reports, source="system")
    await put(db, "complaint", *complaints, source="system")
    for number in range(10):
        await order(db, f"{month}-{number}", f"{month}-{10 + number} 12:00", cost_minor)
    tickets = [
        {"source_key": f"{month}-t{n}", "employee_key": "c1", "created_at": moment(f"{month}-05 09:00")}
        | ({"status": "solved", "solved_at": moment(f"{month}-06 09:00")} if n < solved else {"status": "open"})
        for n in range(200)
    ]
    await put(db, "ticket", *tickets, source="desk")


def damage(month: str, parcel: int, number: int, point: str) -> dict[str, Any]:
    return {
        "source_key": f"{month}-r{number}",
        "tracking_no": f"{month}-{parcel}",
        "point": point,
        "responsibility": "logistics",
        "occurred_on": day(f"{month}-11"),
        "confirmed_on": day(f"{month}-12"),
    }


async def company(db: Database) -> None:
    await prepare(db)
    await load(db, json.dumps(AGENTS).encode())
    await put_source(db, DESK, "desk.yaml", Entry(at(NOW), "test", "test", ""))
    async with db.writing() as connection:
        await connection.execute(update(source_streams).values(last_ok_ms=at(NOW)))
        await link_queries.put_link(connection, LinkRow("desk", "c1", day("2026-01-01"), None, "c1"))


def shown(found: ScorecardRow) -> Mapping[str, tuple[str, str]]:
    """Value and points of each indicator as the page has them."""
    return {
        row.indicator: (
            decimal_text(Fraction(row.lineage.value), 2),
            decimal_text(Fraction(row.points, MICRO)),
        )
        for row in found.scores
        if row.lineage.value is not None and row.points is not None
    }


async def test_the_story_is_what_the_product_computes(db: Database) -> None:
    await company(db)
    await a_month(db, "2026-03", early=18, returned=12, cost_minor=82_000, solved=140)
    await publish(db, season("packaging_fix", "2026-04-01", "2026-04-30"))
    await a_month(db, "2026-04", early=9, returned=6, cost_minor=77_000, solved=170)
    people = {"log": "e1", "biz": "s1", "cs": "c1"}
    assert set(TABLE) == {
        "log_on_time_delivery_rate",
        "log_damage_rate",
        "biz_gross_margin_rate",
        "cs_resolution_rate",
    }
    for indicator, told in TABLE.items():
        person = people[indicator.split("_")[0]]
        march, april = [shown(await card(db, person, month))[indicator] for month in ("2026-03", "2026-04")]
        assert (*march, *april) == told, indicator

    [sentence] = re.findall(r"from ([\d.]+) \((\w)\) to ([\d.]+) \((\w)\)", STORY)
    totals = [(await card(db, "e1", month)).total for month in ("2026-03", "2026-04")]
    assert None not in totals
    assert [f"{total / 100:.2f}" for total in totals if total is not None] == [sentence[0], sentence[2]]
    assert [grade(total) for total in totals if total is not None] == [sentence[1], sentence[3]]


async def test_damage_that_was_counted_by_hand_is_beside_what_is_scored(db: Database) -> None:
    await company(db)
    await a_month(db, "2026-03", early=18, returned=12, cost_minor=82_000, solved=140)
    [score] = [one for one in (await card(db, "e1", "2026-03")).scores if one.indicator == "log_damage_rate"]
    by_hand, counted = re.findall(r"\| damage rate \| ([\d.]+) % \| ([\d.]+) % \|", STORY)[0]
    assert decimal_text(Fraction(score.lineage.beside["without_returns"])) == by_hand
    assert decimal_text(Fraction(score.lineage.value or "0")) == counted
    assert (score.lineage.numerator, score.lineage.denominator) == (30, 1_000)


async def test_the_wait_of_most_customers_is_beside_the_median(db: Database) -> None:
    """1 to 100 seconds: the median is 50.5, and nine of ten were answered within 90 (KS-1: nearest rank)."""
    await company(db)
    tickets = [
        {"source_key": f"t{n}", "employee_key": "c1", "status": "open", "first_reply_seconds": n}
        | {"created_at": moment("2026-03-05 09:00")}
        for n in range(1, 101)
    ]
    await put(db, "ticket", *tickets, source="desk")
    [score] = [one for one in (await card(db, "c1", "2026-03")).scores if one.indicator == "cs_first_response_seconds"]
    assert (Fraction(score.lineage.value or "0"), score.lineage.beside) == (Fraction(101, 2), {"p90": "90/1"})


def test_pairs_are_those_that_are_won_at_each_others_cost() -> None:
    pairs = {frozenset((one.id, one.pair)) for one in default_catalogue().indicators if one.pair is not None}
    assert pairs == {
        frozenset(("log_on_time_delivery_rate", "log_damage_rate")),
        frozenset(("cs_first_response_seconds", "cs_resolution_rate")),
        frozenset(("biz_sales_amount", "biz_gross_margin_rate")),
    }
