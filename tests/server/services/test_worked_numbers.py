"""The worked numbers that begin with rows of business systems come out of the product alike, whatever counts the rows.

Numbers are those of the definitions, section 6. Those of weights, money and wording do not depend on what counts.
"""

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import update

from server.access.scope import Scope
from server.scoring.numbers import decimal_text
from server.scoring.scorecard import grade
from server.scoring.target import Target
from server.services.scoring import Computed, compute_anew
from server.services.sources import put_source
from server.services.targets import set_targets
from server.store import link_queries, post_queries
from server.store.counting_executor import Executor, OnDatabase
from server.store.database import Database
from server.store.lake_counting import OnLake
from server.store.lake_spark import OnSpark
from server.store.lake_writing import write_lake
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.source_tables import source_streams
from tests.server.services.scheme_world import publish, weight_set
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import day, put
from tests.server.services.world import at, load

MONTH, NOW = "2026-03", "2026-06-01 12:00"
FACTS = (
    "shipment, damage_report, complaint, sales_order, ticket, ledger_budget, content_post, refund, ledger_entry, "
    "invoice, audience_day, deal, survey_response, design_task, funnel_event"
)
SYSTEM = f"""
source: system
kind: webhook
timezone: Asia/Shanghai
push: {{secrets: ["${{env:X}}"], facts: [{FACTS}]}}
"""
Rows: TypeAlias = Iterable[tuple[str, Mapping[str, Any]]]
"""Fact and row."""


@dataclass(frozen=True, slots=True)
class Example:
    """What one person did in a month, and the points of an indicator, or the total where none is named."""

    name: str
    department: str
    rows: Callable[[str], Rows]
    expected: str | None
    indicator: str = ""
    position: str = ""
    unit: str = ""
    """A department of one's own below, for what is known of departments only."""
    site: str = "d1"
    month: str = MONTH
    """One without rows of colleagues, where what is not known must not be taken from the department."""
    target: tuple[str, str] | None = None


def parcels(number: int, *, damaged: int = 0, late: int = 0, complaints: int = 0, cost_minor: int = 600) -> Any:
    """So many of March, with damage found on the way."""

    def rows(person: str) -> Rows:
        for n in range(number):
            key = f"{person}-{n}"
            hour = "19" if n < late else "17"
            told = {"status": "delivered", "employee_key": person, "cost_minor": cost_minor, "site_key": SITES[person]}
            times = {"promised_at": moment("2026-03-10 18:00"), "delivered_at": moment(f"2026-03-10 {hour}:00")}
            yield "shipment", {"source_key": key, "tracking_no": key, **told, **times}
        yield from (damage(person, n, "transit") for n in range(damaged))
        for n in range(complaints):
            told = {"tracking_no": f"{person}-{n}", "responsibility": "logistics", "occurred_on": day("2026-03-12")}
            yield "complaint", {"source_key": f"{person}-{n}", **told}

    return rows


def damage(person: str, parcel: int, point: str, responsibility: str = "logistics") -> tuple[str, Mapping[str, Any]]:
    days = {"occurred_on": day("2026-03-11"), "confirmed_on": day("2026-03-12")}
    key = f"{person}-{point}-{parcel}"
    told = {"tracking_no": f"{person}-{parcel}", "point": point, "responsibility": responsibility}
    return "damage_report", {"source_key": key, **told, **days}


def union(person: str) -> Rows:
    """X24: scan 1 to 8, refusal 7 to 10, return inspection 10 to 15, of which 15 is the supplier's."""
    yield from parcels(1_000)(person)
    for point, numbers in (
        ("sorting_scan", range(1, 9)),
        ("refusal", range(7, 11)),
        ("return_inspection", range(10, 15)),
    ):
        yield from (damage(person, n, point) for n in numbers)
    yield damage(person, 15, "return_inspection", "supplier")


def sold(net_minor: int, cost_minor: int | None = None) -> Any:
    def rows(person: str) -> Rows:
        row = {"order_no": person, "status": "open", "currency": "CNY", "amount_gross_minor": net_minor}
        row |= {"amount_net_minor": net_minor, "cost_minor": cost_minor, "employee_key": person}
        yield "sales_order", {"source_key": person, **row, "paid_at": moment("2026-03-15 10:00")}

    return rows


def spent(actual_minor: int) -> Any:
    def rows(person: str) -> Rows:
        row = {"period": MONTH, "account": "6601", "planned_minor": 100_00, "actual_minor": actual_minor}
        yield "ledger_budget", {"source_key": person, "org_key": f"of-{person}", **row}

    return rows


def tickets(number: int, *, solved: int, month: str = MONTH, status: str = "open", **rated: int) -> Any:
    """Ratings are 4 and 5, with 4.6 for a mean of each five; replies are in seconds of service hours."""

    def rows(person: str) -> Rows:
        for n in range(number):
            row: dict[str, Any] = {"source_key": f"{person}-{n}", "employee_key": person, "status": status}
            row |= {"created_at": moment(f"{month}-05 09:00"), "first_reply_business_seconds": rated.get("reply_s")}
            if n < solved:
                row |= {"status": "solved", "solved_at": moment(f"{month}-06 09:00")}
            if rated:
                row |= {"csat": 5 if n % 5 < 3 else 4, "rated_at": moment(f"{month}-06 10:00")}
            yield "ticket", row

    return rows


def posts(*figures: tuple[bool, int, int]) -> Any:
    """Original or not, reads and likes."""

    def rows(person: str) -> Rows:
        for n, (original, reads, likes) in enumerate(figures):
            row = {"platform": "wx", "post_key": f"{person}-{n}", "stat_date": day("2026-03-09"), "cumulative": False}
            row |= {"employee_key": person, "original": original, "reads": reads, "likes": likes}
            yield "content_post", {"source_key": f"{person}-{n}", **row}

    return rows


DAMAGE, SALES, BUDGET = "log_damage_rate", "biz_sales_amount", "fin_budget_execution_rate"
X07 = {"damaged": 6, "late": 6, "complaints": 1}
MILLION = (SALES, "1000000")
EXAMPLES = (
    Example("X01", "logistics", parcels(200, damaged=6), "40.00", DAMAGE),
    Example("X01 after", "logistics", parcels(200, damaged=3), "100.00", DAMAGE),
    Example("X02", "business", sold(100_00, 82_00), "80.00", "biz_gross_margin_rate"),
    Example("X02 after", "business", sold(100_00, 77_00), "112.00", "biz_gross_margin_rate"),
    Example("X03", "customer_service", tickets(200, solved=140), "40.00", "cs_resolution_rate"),
    Example("X03 after", "customer_service", tickets(200, solved=170), "100.00", "cs_resolution_rate"),
    Example("X04 98", "finance", spent(98_00), "100.00", BUDGET, unit="own"),
    Example("X04 80", "finance", spent(80_00), "40.00", BUDGET, unit="own"),
    Example("X04 111", "finance", spent(111_00), "50.00", BUDGET, unit="own"),
    Example("X05", "business", sold(1_350_000_00), "120.00", SALES, target=MILLION),
    Example("X06", "logistics", parcels(10, cost_minor=510), "120.00", "log_unit_delivery_cost", site="d2"),
    Example("X07", "logistics", parcels(200, **X07), "85.00"),
    Example("X08", "logistics", parcels(200, **X07), "82.00", position="courier"),
    Example(
        "X13",
        "customer_service",
        tickets(20, solved=0, month="2026-02", status="deleted", reply_s=30),
        None,
        month="2026-02",
    ),
    Example("X14", "customer_service", tickets(20, solved=17, month="2026-04", reply_s=30), "100.00", month="2026-04"),
    Example("X22", "new_media", posts((True, 10_000, 800), (False, 40_000, 800)), "108.00", "nm_interaction_rate"),
    Example("X23", "new_media", posts((False, 40_000, 800)), "25.00", "nm_interaction_rate"),
    Example("X24", "logistics", union, "102.00", DAMAGE),
    Example("X26", "business", sold(999_950_00), "100.00", position="only_sales", target=MILLION),
    Example("X26 below", "business", sold(999_940_00), "99.99", position="only_sales", target=MILLION),
)
PEOPLE = {example.name: f"p{number}" for number, example in enumerate(EXAMPLES)}
SITES = {PEOPLE[example.name]: example.site for example in EXAMPLES}
GRADES = {"X07": "B", "X08": "C", "X14": "A", "X26": "A", "X26 below": "B"}


async def company(db: Database) -> None:
    """Each example is a person, all of them with their rows."""
    await load(db)
    names = [*dict.fromkeys(example.department for example in EXAMPLES)]
    departments = [{"id": name, "name_zh": name, "name_en": name} for name in names]
    departments += [
        {"id": f"of-{PEOPLE[one.name]}", "parent": one.department, "name_zh": one.name, "name_en": one.name}
        for one in EXAMPLES
        if one.unit
    ]
    employees = [
        {"id": PEOPLE[one.name], "name": one.name, "site": one.site, "position": one.position or "clerk"}
        | {"department": f"of-{PEOPLE[one.name]}" if one.unit else one.department, "joined_on": "2026-01-01"}
        for one in EXAMPLES
    ]
    sites = [{"id": "d2", "name_zh": "二", "name_en": "Depot 2", "zone": "Asia/Shanghai"}]
    await load(db, json.dumps({"departments": departments, "sites": sites, "employees": employees}).encode())
    await put_source(db, SYSTEM, "system.yaml", Entry(at(NOW), "test", "test", ""))
    async with db.writing() as connection:
        await connection.execute(update(source_streams).values(last_ok_ms=at(NOW)))
        for person in PEOPLE.values():
            await link_queries.put_link(connection, LinkRow("system", person, day("2026-01-01"), None, person))
        post = {"id": "only_sales", "name_zh": "只销售", "name_en": "Sales only"}
        await post_queries.put_row(connection, "positions", post)
    await publish(db, weight_set("business", "only_sales", "2026-01-01", biz_sales_amount=100), now=NOW)
    wanted = {PEOPLE[one.name]: one.target for one in EXAMPLES if one.target}
    targets = [Target(name, person, date(2026, 1, 1), target) for person, (name, target) in wanted.items()]
    await set_targets(db, Scope.system(), targets, Entry(at(NOW), "test", "test", ""))
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for example in EXAMPLES:
        for fact, row in example.rows(PEOPLE[example.name]):
            rows.setdefault(fact, []).append(row)
    for fact, of_fact in rows.items():
        await put(db, fact, *of_fact, source="system")


FEW = tuple(one for one in EXAMPLES if one.name in ("X01", "X02", "X03", "X04 98", "X07", "X22", "X24"))
"""One of each kind of count: a statement takes Spark a second."""


async def cards(
    db: Database, way: str, folder: Path, examples: Iterable[Example] = EXAMPLES
) -> Mapping[tuple[str, str], Computed]:
    """All of them, counted in the database, or on the lake by DuckDB or Spark."""
    async with db.reading() as connection:
        executor: Executor = OnDatabase(connection)
        if way != "database":
            await write_lake(db, folder)
            executor = OnLake(folder) if way == "duckdb" else OnSpark(folder)
            await executor.know_units(connection)
        wanted = [(PEOPLE[one.name], one.month) for one in examples]
        return await compute_anew(connection, wanted, at(NOW), executor)


def told(example: Example, found: Computed) -> str | None:
    """Points, or the published total, as people read them."""
    if not example.indicator:
        return None if found.total.centi is None else decimal_text(Fraction(found.total.centi, 100))
    [points] = [row.points for row in found.rows if row.indicator == example.indicator]
    return None if points is None else decimal_text(Fraction(points, 1_000_000))


@pytest.mark.parametrize("way", ["database", "duckdb"])
async def test_worked_numbers_from_rows(db: Database, tmp_path: Path, way: str) -> None:
    await company(db)
    check(await cards(db, way, tmp_path))


@pytest.mark.skipif(
    not (importlib.util.find_spec("pyspark") and shutil.which("java")), reason="not installed: pyspark or java"
)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "examples", [pytest.param(FEW, id="few"), pytest.param(EXAMPLES, marks=pytest.mark.long, id="all")]
)
async def test_worked_numbers_from_rows_by_spark(
    migrated_sqlite: Database, tmp_path: Path, examples: tuple[Example, ...]
) -> None:
    await company(migrated_sqlite)
    check(await cards(migrated_sqlite, "spark", tmp_path, examples), examples)


def check(found: Mapping[tuple[str, str], Computed], examples: Iterable[Example] = EXAMPLES) -> None:
    of = {example.name: found[PEOPLE[example.name], example.month] for example in examples}
    assert {one.name: told(one, of[one.name]) for one in examples} == {one.name: one.expected for one in examples}
    totals = {name: of[name].total.centi for name in GRADES.keys() & of.keys()}
    grades = {name: None if centi is None else grade(centi) for name, centi in totals.items()}
    assert grades == {name: GRADES[name] for name in totals}
    [union_of] = [row.lineage for row in of["X24"].rows if row.indicator == DAMAGE]
    assert (union_of.numerator, union_of.denominator) == (14, 1_000)
    assert union_of.beside["without_returns"] == "1/1"
    if "X13" in of:
        assert of["X13"].total.coverage == Fraction(55, 100)
