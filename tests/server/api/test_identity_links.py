"""Ids of business systems get their people, and stored rows follow, on both databases (connectors.md section 2)."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from server.access.errors import NotFoundError
from server.connectors.mapping import map_rows
from server.connectors.source_file import Source, read_source
from server.services import fact_people, sources
from server.services.fact_store import Arrival, store_page
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.source_tables import identity_links
from shared.errors import DataError
from tests.server.api.company import World

TEXT = """
source: desk
kind: webhook
timezone: Asia/Shanghai
push: {secrets: ["${env:DESK}"]}
streams:
  - fact: customer_owner
    key: id
    map: {customer_key: {const: c}, valid_from: {path: from, as: date}, employee_key: agent}
  - fact: sales_order
    key: id
    map:
      order_no: id
      status: {const: open}
      currency: {const: CNY}
      amount_gross_minor: {const: 1}
      customer_key: {const: c}
      paid_at: {path: at, as: datetime}
      employee_key: agent
  - fact: training_result
    key: id
    map: {course_key: {const: k}, occurred_at: {path: at, as: datetime}, trainer_key: trainer}
"""
SOURCE: Source = read_source(TEXT, "desk.yaml")
OWNER = [{"id": "c", "from": "2026-01-01", "agent": "boss"}]
ORDERS = [
    {"id": "1", "at": "2026-02-28 23:59:59", "agent": "a"},
    {"id": "2", "at": "2026-03-01 00:00:00", "agent": "a"},
    {"id": "3", "at": "2026-03-01 00:00:00", "agent": "e2"},
    {"id": "4", "at": None, "agent": "a"},
]


async def load(db: Database, stream: int, rows: list[Any], at_ms: int) -> None:
    async with db.writing() as connection:
        arrival = Arrival("desk", SOURCE.streams[stream], SOURCE.zone, 1, at_ms)
        await store_page(connection, arrival, map_rows(SOURCE, SOURCE.streams[stream], rows))


async def whose(db: Database) -> dict[str, tuple[str | None, str | None]]:
    table = FACT_TABLES["sales_order"]
    async with db.reading() as connection:
        rows = await connection.execute(select(table.c.source_key, table.c.employee, table.c.owner))
        return {key: (employee, owner) for key, employee, owner in rows}


@pytest.fixture
async def desk(any_world: World) -> World:
    await sources.put_source(any_world.db, TEXT, "desk.yaml", Entry(1, "it", "source.put", "desk"))
    await load(any_world.db, 1, ORDERS, any_world.time.now_ms)
    await load(any_world.db, 0, OWNER, any_world.time.now_ms)
    return any_world


def body(key: str, employee: str, first: str, last: str | None = None) -> dict[str, Any]:
    return {"source": "desk", "employee_key": key, "employee": employee, "valid_from": first, "valid_to": last}


async def link(world: World, *words: str | None, status: int = 200) -> dict[str, Any]:
    answer = await world.post("hr", "/api/identity-links", body(*words))  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_ids_that_are_nobodys_are_listed_with_whom_they_may_be(desk: World) -> None:
    rows = (await desk.get("hr", "/api/identity-links?source=desk")).json()["rows"]
    assert [(row["employee_key"], row["fact"], row["rows"], row["suggested"]) for row in rows] == [
        ("a", "sales_order", 3, []),
        ("boss", "customer_owner", 1, []),
        ("e2", "sales_order", 1, ["e2"]),
    ]
    await link(desk, "a", "e1", "2020-01-01")
    rows = (await desk.get("hr", "/api/identity-links")).json()["rows"]
    assert [row["employee_key"] for row in rows] == ["boss", "e2"]


async def test_rows_follow_a_link_by_their_days_and_so_does_what_hangs_on_them(desk: World) -> None:
    assert await link(desk, "a", "e1", "2026-03-01") == {"rows": 2}
    assert await whose(desk.db) == {"1": (None, None), "2": ("e1", None), "3": (None, None), "4": ("e1", None)}
    assert await link(desk, "a", "e2", "2020-01-01", "2026-02-28") == {"rows": 1}
    assert await link(desk, "boss", "e3", "2020-01-01") == {"rows": 1}
    assert await whose(desk.db) == {"1": ("e2", "e3"), "2": ("e1", "e3"), "3": (None, "e3"), "4": ("e1", None)}
    gone = {"source": "desk", "employee_key": "boss", "valid_from": "2020-01-01"}
    assert (await desk.post("hr", "/api/identity-links/remove", gone)).json() == {"rows": 1}
    assert {owner for _, owner in (await whose(desk.db)).values()} == {None}
    assert (await desk.post("hr", "/api/identity-links/remove", gone)).status_code == 404


async def test_who_trained_follows_a_link_too(desk: World) -> None:
    await load(desk.db, 2, [{"id": "1", "at": "2026-03-01 09:00:00", "trainer": "t"}], desk.time.now_ms)
    table = FACT_TABLES["training_result"]

    async def trainer() -> str | None:
        async with desk.db.reading() as connection:
            found: str | None = (await connection.execute(select(table.c.trainer))).scalar_one()
        return found

    assert await link(desk, "t", "e1", "2026-03-01") == {"rows": 0}, "the row is not about the trainer"
    assert await trainer() == "e1"
    gone = {"source": "desk", "employee_key": "t", "valid_from": "2026-03-01"}
    await desk.post("hr", "/api/identity-links/remove", gone)
    assert await trainer() is None


async def test_an_id_is_one_persons_on_each_day(desk: World) -> None:
    await link(desk, "a", "e1", "2026-03-01", "2026-03-31")
    for first, last in (("2026-03-31", None), ("2026-02-01", "2026-03-01"), ("2026-02-01", None)):
        assert (await link(desk, "a", "e2", first, last, status=422))["code"] == "overlap"
    assert (await link(desk, "a", "e2", "2026-05-01", "2026-04-30", status=422))["code"] == "days"
    await link(desk, "a", "nobody", "2026-05-01", status=404)
    await link(desk, "a", "e2", "2026-04-01")


async def people(world: World) -> dict[str, str | None]:
    return {key: employee for key, (employee, _) in (await whose(world.db)).items()}


async def days(world: World) -> list[tuple[str, str, str, str | None]]:
    rows = (await world.get("hr", "/api/identity-links/links?source=desk")).json()["rows"]
    return [(row["employee_key"], row["employee"], row["valid_from"], row["valid_to"]) for row in rows]


async def test_a_link_is_ended_and_rows_after_it_are_nobodys(desk: World) -> None:
    await link(desk, "a", "e1", "2026-01-01")
    asked = {"source": "desk", "employee_key": "a", "valid_from": "2026-01-01", "valid_to": "2026-02-28"}
    assert (await desk.post("hr", "/api/identity-links/end", asked)).json() == {"rows": 2}
    assert await days(desk) == [("a", "e1", "2026-01-01", "2026-02-28")]
    assert {key: who for key, (who, _) in (await whose(desk.db)).items()} == {
        "1": "e1",
        "2": None,
        "3": None,
        "4": None,
    }
    for wrong, status in (({"valid_to": "2025-12-31"}, 422), ({"valid_from": "2026-01-02"}, 404)):
        assert (await desk.post("hr", "/api/identity-links/end", {**asked, **wrong})).status_code == status


async def test_a_link_is_corrected_from_a_day_on(desk: World) -> None:
    await link(desk, "a", "e1", "2026-01-01", "2026-12-31")
    asked = {"source": "desk", "employee_key": "a", "valid_from": "2026-03-01", "employee": "e2"}
    assert (await desk.post("hr", "/api/identity-links/correct", asked)).json() == {"rows": 2}
    assert await days(desk) == [("a", "e1", "2026-01-01", "2026-02-28"), ("a", "e2", "2026-03-01", "2026-12-31")]
    assert {key: who for key, (who, _) in (await whose(desk.db)).items()} == {
        "1": "e1",
        "2": "e2",
        "3": None,
        "4": "e2",
    }
    await desk.post("hr", "/api/identity-links/correct", {**asked, "employee": "e3"})
    assert await days(desk) == [("a", "e1", "2026-01-01", "2026-02-28"), ("a", "e3", "2026-03-01", "2026-12-31")]
    answer = await desk.post("hr", "/api/identity-links/correct", {**asked, "valid_from": "2027-01-01"})
    assert answer.json()["code"] == "no_link"


async def test_who_may_not_map_people_sees_no_ids(desk: World) -> None:
    for role in ("manager", "employee", "it"):
        assert (await desk.get(role, "/api/identity-links")).status_code == 403
        assert (await desk.post(role, "/api/identity-links", body("a", "e1", "2026-01-01"))).status_code == 403


SPAN = st.tuples(st.sampled_from(["a", "boss"]), st.sampled_from(["e1", "e2", "e3"]), st.booleans())
SPANS = st.lists(SPAN, max_size=5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans=SPANS)
async def test_rows_end_as_if_they_had_come_after_the_links(desk: World, spans: list[tuple[str, str, bool]]) -> None:
    entry = Entry(1, "hr", "people.link", "")
    for key, employee, early in spans:
        first, last = (dt.date(2020, 1, 1), dt.date(2026, 2, 28)) if early else (dt.date(2026, 3, 1), None)
        try:
            await fact_people.link(desk.db, LinkRow("desk", key, first, last, employee), entry)
        except DataError:
            await fact_people.unlink(desk.db, "desk", key, first, entry)
    grown = await whose(desk.db)
    async with desk.db.writing() as connection:
        for fact in ("sales_order", "customer_owner"):
            await connection.execute(delete(FACT_TABLES[fact]))
    await load(desk.db, 1, ORDERS, desk.time.now_ms)
    await load(desk.db, 0, OWNER, desk.time.now_ms)
    assert await whose(desk.db) == grown
    async with desk.db.reading() as connection:
        left = (await connection.execute(select(identity_links.c.employee_key, identity_links.c.valid_from))).all()
    for key, first in left:
        await fact_people.unlink(desk.db, "desk", key, first, entry)
    with pytest.raises(NotFoundError):
        await fact_people.unlink(desk.db, "desk", "a", dt.date(2020, 1, 1), entry)
