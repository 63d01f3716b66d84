"""Databases and the lake count like plain Python, bit for bit, every part of every indicator that ships."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Date, Double, Select, Table, delete, func, insert, literal_column, select

from server.scoring.catalogue import default_catalogue
from server.scoring.family import check_parts, parts_of
from server.scoring.indicator import Level
from server.scoring.part import Part, ReadPart, read_part
from server.scoring.plain import When, count
from server.scoring.small_groups import heads_of
from server.scoring.window import Days, days_of
from server.store import counting, lake_files, lake_writing
from server.store.counted_facts import DERIVED, shapes
from server.store.counted_pass import COMPANY
from server.store.counted_rows import counted_rows, units_of
from server.store.counting_executor import Asked, OnDatabase
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.lake_counting import OnLake
from server.store.lake_writing import write_lake
from server.store.sql_terms import at_share
from server.store.tables import departments, employees, sites

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 6, 20, 3, tzinfo=UTC)
WHEN = When(days_of("2026-06"), SHANGHAI, int(NOW.timestamp() * 1000))
PERIODS = (WHEN, When(days_of("2026-Q2"), SHANGHAI, WHEN.cut_ms))
VIEWS = {"fact": "funnel_event", "date": "occurred_at", "times": 3, "per_month": True}
ANSWERS = {"fact": "survey_response", "date": "submitted_at", "times": 3, "per_month": True}
OWN = tuple(
    msgspec.convert(part, Part)
    for part in (
        {**VIEWS, "distinct": ["visitor_key"], "first": True},
        {**VIEWS, "distinct": ["visitor_key"], "days": 2, "also": {**VIEWS, "distinct": ["visitor_key"]}},
        {**VIEWS, "distinct": ["visitor_key"], "days": 2},
        {**VIEWS, "sum": ["dwell_seconds"], "percentile": 90},
        {**VIEWS, "sum": ["dwell_seconds", "-dwell_seconds"]},
        {**VIEWS, "distinct": ["channel"], "sum": ["dwell_seconds"], "stock": "change"},
        {**ANSWERS, "rating": ["value", "scale_min", "scale_max"]},
        {"fact": "complaint", "date": "occurred_on", "where": ["occurred_on > period.first"]},
    )
)
"""What an administrator may write and no indicator that ships does."""
PEOPLE = ("ann", "bob", "cid")
ONE_OF: Mapping[Level, str] = {"person": "ann", "site": "south", "department": "sales", "company": COMPANY}
LEVELS: tuple[Level, ...] = ("person", "site", "department", "company")
COUNTED = [
    indicator
    for indicator in default_catalogue().indicators
    if not any(part.fact in DERIVED or part.fact == "attendance_day" for part in parts_of(indicator))
]


def test_every_field_of_every_indicator_is_there() -> None:
    indicators = default_catalogue().indicators
    for indicator in indicators:
        check_parts(indicator, shapes())
    assert len({indicator.id for indicator in indicators}) == 49


async def people(db: Database) -> None:
    async with db.writing() as connection:
        await connection.execute(
            insert(sites), [{"id": s, "name_zh": s, "name_en": s, "zone": "Asia/Shanghai"} for s in ("north", "south")]
        )
        tree = {"top": None, "sales": "top", "east": "sales", "care": "top"}
        for name, parent in tree.items():
            await connection.execute(insert(departments).values(id=name, parent=parent, name_zh=name, name_en=name))
        for name, department, site in (("ann", "east", "north"), ("bob", "sales", "south"), ("cid", "care", "south")):
            values = {"id": name, "name": name, "department": department, "site": site, "position": ""}
            await connection.execute(insert(employees).values(**values, joined_on=date(2020, 1, 1)))


WORDS: Mapping[str, tuple[str, ...]] = {
    "employee": PEOPLE,
    "org_key": ("east", "care", "south", "elsewhere"),
    "site_key": ("north", "south"),
    "period": ("2026-05", "2026-06"),
    "cost_class": ("delivery_carrier", "delivery_fleet", "other"),
    "account_class": ("current_asset", "current_liability", "revenue"),
    "purpose": ("employee_satisfaction", "user_feedback", "collaboration"),
    "kind": ("page_view", "product_view", "cart", "order", "paid", "invited"),
}
INSTANTS = [
    int((datetime(2026, 5, 31, 15, tzinfo=UTC) + timedelta(hours=hours)).timestamp() * 1000)
    for hours in (-24 * 40, -24 * 20, -1, 0, 1, 2, 24 * 3, 24 * 10, 24 * 19 + 11, 24 * 19 + 13, 24 * 30)
]
DAYS = [date(2026, 5, 31) + timedelta(days=days) for days in (-40, -20, 0, 1, 2, 10, 19, 20, 30)]


_BY_TYPE: Mapping[Any, Any] = {Boolean: (True, False), Date: DAYS, Double: (1.0, 2.5, 3.125, 4.6, 5.0)}


def value(name: str, column: Any, choose: Any) -> Any:
    if column.nullable and choose(st.integers(0, 4)) == 0:
        return None
    return choose(_values(name, column))


def _values(name: str, column: Any) -> st.SearchStrategy[Any]:
    if name in ("owner", "touched_by", "designer", "subject", "trainer", "recruiter") or name.endswith("_courier"):
        return st.sampled_from(PEOPLE)
    if name == "status":
        return st.sampled_from(("open", "deleted", "cancelled", "solved", "inbound", "delivered"))
    if isinstance(column.type, BigInteger):
        return st.sampled_from(INSTANTS) if name.endswith("_ms") else st.integers(0, 2_500)
    for kind, values in _BY_TYPE.items():
        if isinstance(column.type, kind):
            return st.sampled_from(values)
    return st.sampled_from(WORDS.get(name, ("k1", "k2", "k3")))


def made(table: Table, number: int, choose: Any) -> dict[str, Any]:
    row = {name: value(name, column, choose) for name, column in table.c.items()}
    fixed = {"source_key": f"{number:02}", "source": "s", "payload_hash": b"", "run": 1, "deleted": number % 7 == 6}
    sealed = {"sealed": b""} if "sealed" in row else {}
    return {**row, **fixed, **sealed}


FACTS_COUNTED = sorted({part.fact for indicator in COUNTED for part in parts_of(indicator)})


async def drawn(db: Database, fact: str, data: st.DataObject, number: int) -> list[ReadPart]:
    """Only so many rows of a fact in the database, and every part that counts them."""
    async with db.writing() as connection:
        for table in (FACT_TABLES[fact], employees, departments, sites):
            await connection.execute(delete(table))
    await people(db)
    async with db.writing() as connection:
        await connection.execute(
            insert(FACT_TABLES[fact]), [made(FACT_TABLES[fact], n, data.draw) for n in range(number)]
        )
    shipped = (part for indicator in COUNTED for part in parts_of(indicator))
    behind = (heads for indicator in COUNTED for heads in heads_of(indicator))
    wanted = {part for part in (*shipped, *OWN, *behind) if part.fact == fact}
    return [read_part(part, shapes()) for part in sorted(wanted, key=repr)]


async def lake_of(fact: str, db: Database, folder: Path) -> OnLake:
    """A lake of this fact: to look through the others, which have no rows, takes a fifth of an example."""
    with patch.object(lake_writing, "facts_in_lake", lambda: (fact,)):
        await write_lake(db, folder)
    return OnLake(folder)


@pytest.mark.parametrize("fact", FACTS_COUNTED)
@settings(
    max_examples=8, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_databases_and_the_lake_count_like_plain_python(
    db: Database, fact: str, data: st.DataObject, tmp_path: Path
) -> None:
    parts = await drawn(db, fact, data, data.draw(st.integers(1, 12)))
    level, when = data.draw(st.sampled_from(LEVELS)), data.draw(st.sampled_from(PERIODS))
    lake = await lake_of(fact, db, tmp_path)
    async with db.reading() as connection:
        await lake.know_units(connection)
        of_all = await counting.count(OnDatabase(connection), parts, level, None, when)
        of_one = await counting.count(OnDatabase(connection), parts, level, [ONE_OF[level]], when)
        on_lake = await counting.count(lake, parts, level, None, when)
        plain, units = await counted_rows(connection, fact, when), await units_of(connection, level)
    lake.close()
    for part in parts:
        expected = {unit: counted for unit, counted in count(part, plain, units, when).items() if counted.rows}
        assert of_all[part.part] == expected, part.part
        assert on_lake[part.part] == expected, part.part
        assert of_one[part.part] == {one: n for one, n in expected.items() if one == ONE_OF[level]}, part.part


MANY = st.one_of(
    st.lists(st.sampled_from(["2026-04", "2026-05", "2026-06", "2026-07"]), min_size=2, unique=True).map(
        lambda months: [days_of(month) for month in months]
    ),
    st.sampled_from([["2026-Q1", "2026-Q2"], ["2025-12", "2026-01", "2026-05"]]).map(lambda of: [*map(days_of, of)]),
    st.sampled_from([[1, 2, 3], [1, 3, 19], [20, 21]]).map(
        lambda of: [Days(date(2026, 6, day), date(2026, 6, day)) for day in of]
    ),
)
"""Periods that follow each other, that leave gaps, and that are parts of a month."""


@pytest.mark.parametrize("fact", FACTS_COUNTED)
@settings(
    max_examples=6, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_many_periods_together_count_like_each_alone(
    db: Database, fact: str, data: st.DataObject, tmp_path: Path
) -> None:
    parts = await drawn(db, fact, data, data.draw(st.integers(4, 20)))
    level, whens = data.draw(st.sampled_from(LEVELS)), [When(days, SHANGHAI, WHEN.cut_ms) for days in data.draw(MANY)]
    lake = await lake_of(fact, db, tmp_path)
    async with db.reading() as connection:
        await lake.know_units(connection)
        on_database = await counting.count_each(OnDatabase(connection), parts, level, None, whens)
        few = st.sampled_from((1, 9, 1_000_000))  # rows of which keys and values are held at once
        with patch.multiple(lake_files, KEYS=data.draw(few), VALUES=data.draw(few)):
            on_lake = await counting.count_each(lake, parts, level, None, whens)
        of_one = await counting.count_each(OnDatabase(connection), parts, level, [ONE_OF[level]], whens)
        units = await units_of(connection, level)
        plain = {when: await counted_rows(connection, fact, when) for when in whens}
    lake.close()
    assert on_database.keys() == on_lake.keys() == of_one.keys() == set(whens)
    for when, part in product(whens, parts):
        expected = {unit: counted for unit, counted in count(part, plain[when], units, when).items() if counted.rows}
        assert on_database[when][part.part] == expected, (when, part.part)
        assert on_lake[when][part.part] == expected, (when, part.part)
        assert of_one[when][part.part] == {one: n for one, n in expected.items() if one == ONE_OF[level]}, part.part


async def test_a_year_takes_as_many_statements_as_a_month_where_rows_count_once(db: Database) -> None:
    sales = next(one for one in COUNTED if one.id == "biz_sales_amount")
    parts = [read_part(part, shapes()) for part in parts_of(sales)]
    whens = [When(days_of(f"2026-{month:02}"), SHANGHAI, WHEN.cut_ms) for month in range(1, 13)]
    async with db.reading() as connection:
        one, year = Counting(connection), Counting(connection)
        await counting.count(one, parts, "person", None, whens[0])
        await counting.count_each(year, parts, "person", None, whens)
    assert len(one.asked) == len(year.asked) > 0


@dataclass(frozen=True, slots=True)
class Counting(OnDatabase):
    """Keeps what it was asked."""

    asked: list[Select[Any]] = field(default_factory=list)

    def rows(self, asked: Sequence[Asked]) -> AsyncIterator[tuple[Asked, Sequence[Any]]]:
        self.asked.extend(way(own) for way, own in asked)
        return OnDatabase.rows(self, asked)


async def test_parcels_promised_for_an_instant_and_for_a_day_add_up(db: Database) -> None:
    table, noon = FACT_TABLES["shipment"], int(datetime(2026, 6, 10, 4, tzinfo=UTC).timestamp() * 1000)
    instant: dict[str, object] = {"promised_at_ms": noon}
    day: dict[str, object] = {"promised_on": date(2026, 6, 10)}
    told: dict[str, object] = {
        "source": "s",
        "employee": "ann",
        "status": "delivered",
        "delivered_at_ms": noon + 1,
        "payload_hash": b"",
    }
    told |= {"first_seen_ms": 1, "changed_ms": 1, "run": 1, "deleted": False}
    await people(db)
    async with db.writing() as connection:
        for number, promise in enumerate((instant, day, {**instant, **day})):
            await connection.execute(insert(table).values(**told, **promise, source_key=f"{number}"))
    rate = next(one for one in COUNTED if one.id == "log_on_time_delivery_rate")
    parts = [read_part(part, shapes()) for part in parts_of(rate)]
    async with db.reading() as connection:
        found = await counting.count(OnDatabase(connection), parts, "person", ["ann"], WHEN)
    # Late by a millisecond after an instant; by the day, in time.
    assert sorted(counted["ann"].rows for counted in found.values()) == [1, 3]


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_postgresql_finds_nine_tenths_and_the_middle_by_rank_for_any_number_of_values(db: Database) -> None:
    number, value = func.generate_series(1, 400).alias("number"), func.generate_series(1, 400).alias("value")
    at = [at_share(value.column, literal_column(share)) for share in ("0.5", "0.9")]
    asked = select(number.column, *at).where(value.column <= number.column).group_by(number.column)
    async with db.reading() as connection:
        found = {n: ranks for n, *ranks in await connection.execute(asked)}
    assert found == {n: [(n + 1) // 2, (9 * n + 9) // 10] for n in range(1, 401)}
