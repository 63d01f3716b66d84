"""Rows of a source on both databases: each once, the newest wins, what does not fit waits."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from server.connectors.mapping import map_rows
from server.connectors.source_file import Source, read_source
from server.services.fact_store import Arrival, Counts, delete_unseen, store_page
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.source_tables import fact_quarantine, identity_links
from server.store.tables import departments, employees, sites
from shared.errors import DataError

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW_MS = 1_780_000_000_000
SOURCE = read_source(
    """
source: shop
kind: webhook
push: {secrets: ["${secret:shop}"]}
timezone: Asia/Shanghai
streams:
  - fact: sales_order
    key: id
    map:
      order_no: id
      status: {path: status, values: {open: open, done: fulfilled}}
      currency: {const: CNY}
      amount_gross_minor: {path: total, as: money_minor}
      order_date: {path: day, as: date}
      employee_key: seller
      source_updated_at: {path: changed, as: datetime}
""",
    "shop.yaml",
)
ORDERS = FACT_TABLES["sales_order"]


def arrival(run: int = 1, *, source: Source = SOURCE, replaces: bool = True) -> Arrival:
    return Arrival(source.source, source.streams[0], SHANGHAI, run, NOW_MS + run, replaces)


def order(key: str, total: str = "10.00", changed: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": key, "status": "open", "total": total, "day": "2026-05-04", "changed": changed, **more}


async def put(db: Database, rows: Sequence[Any], run: int = 1, *, replaces: bool = True) -> Counts:
    async with db.writing() as connection:
        return await store_page(connection, arrival(run, replaces=replaces), map_rows(SOURCE, SOURCE.streams[0], rows))


async def stored(db: Database) -> dict[str, int]:
    async with db.reading() as connection:
        which = select(ORDERS.c.source_key, ORDERS.c.amount_gross_minor).where(ORDERS.c.deleted.is_(False))
        return dict((await connection.execute(which)).all())


async def waiting(db: Database) -> list[tuple[str | None, list[str], str]]:
    async with db.reading() as connection:
        table = fact_quarantine
        rows = await connection.execute(select(table.c.source_key, table.c.codes, table.c.state).order_by(table.c.id))
        return [(row.source_key, row.codes, row.state) for row in rows]


async def test_a_row_that_comes_again_unchanged_is_not_written(db: Database) -> None:
    assert await put(db, [order("1"), order("2")]) == Counts(added=2)
    assert await put(db, [order("1"), order("2", "12.50"), order("3")], run=2) == Counts(
        added=1, changed=1, unchanged=1
    )
    async with db.reading() as connection:
        runs = dict((await connection.execute(select(ORDERS.c.source_key, ORDERS.c.run))).all())
        firsts = dict((await connection.execute(select(ORDERS.c.source_key, ORDERS.c.first_seen_ms))).all())
    assert runs == {"1": 1, "2": 2, "3": 2}
    assert firsts == {"1": NOW_MS + 1, "2": NOW_MS + 1, "3": NOW_MS + 2}


async def test_an_older_row_never_replaces_a_newer_one(db: Database) -> None:
    await put(db, [order("1", "20.00", "2026-05-05T10:00:00Z")])
    await put(db, [order("1", "10.00", "2026-05-05T09:59:59Z")])
    assert await stored(db) == {"1": 2_000}
    await put(db, [order("1", "30.00", "2026-05-05T10:00:00Z")])
    assert await stored(db) == {"1": 3_000}


async def test_a_bad_row_waits_once_and_is_superseded_when_the_source_mends_it(db: Database) -> None:
    bad = order("7", "ten", phone="13800000000")
    assert await put(db, [bad, order("8")]) == Counts(added=1, waiting=1)
    await put(db, [bad], run=2)
    assert await waiting(db) == [("7", ["bad_number"], "open")]
    async with db.reading() as connection:
        row = (await connection.execute(select(fact_quarantine))).one()
    assert (row.first_seen_ms, row.last_seen_ms, row.run, row.row_no) == (NOW_MS + 1, NOW_MS + 2, 2, 1)
    assert "13800000000" not in str(row.raw), "contact details are not kept"
    await put(db, [order("7", "10")], run=3)
    assert await waiting(db) == [("7", ["bad_number"], "superseded")]
    assert await stored(db) == {"7": 1_000, "8": 1_000}


async def test_rows_without_a_key_wait_each_for_itself(db: Database) -> None:
    await put(db, [order(""), order("", "11.00"), order("", "11.00")])
    assert await waiting(db) == [(None, ["missing_key", "missing_field"], "open")] * 2


async def test_in_a_file_a_stored_key_with_other_values_is_a_conflict(db: Database) -> None:
    await put(db, [order("1")])
    counts = await put(db, [order("1"), order("1", "11.00"), order("2")], run=2, replaces=False)
    assert counts == Counts(added=1, unchanged=1, waiting=1)
    assert await stored(db) == {"1": 1_000, "2": 1_000}
    assert await waiting(db) == [("1", ["conflict"], "open")]


async def test_what_a_complete_pass_did_not_show_is_deleted_and_may_come_back(db: Database) -> None:
    await put(db, [order(str(number)) for number in range(10)])
    seen = {str(number) for number in range(8)}
    async with db.writing() as connection:
        assert await delete_unseen(connection, arrival(2), seen) == Counts(deleted=2)
    assert set(await stored(db)) == seen
    assert await put(db, [order("9")], run=3) == Counts(changed=1)
    assert set(await stored(db)) == {*seen, "9"}


async def test_more_than_a_fifth_is_deleted_only_with_a_yes(db: Database) -> None:
    await put(db, [order(str(number)) for number in range(10)])
    async with db.writing() as connection:
        with pytest.raises(DataError, match="3 of 10 rows are gone") as refused:
            await delete_unseen(connection, arrival(2), {str(number) for number in range(7)})
        assert refused.value.code == "many_deleted"
        assert await delete_unseen(connection, arrival(2), set(), confirmed=True) == Counts(deleted=10)
    assert await stored(db) == {}


async def test_a_row_is_of_the_person_whose_id_it_was_on_its_day(db: Database) -> None:
    async with db.writing() as connection:
        await connection.execute(insert(sites).values(id="s", name_zh="s", name_en="s", zone="Asia/Shanghai"))
        await connection.execute(insert(departments).values(id="d", name_zh="d", name_en="d"))
        for person in ("old", "new"):
            joined = dt.date(2020, 1, 1)
            values = {"id": person, "name": person, "department": "d", "site": "s", "position": "", "joined_on": joined}
            await connection.execute(insert(employees).values(values))
        for start, end, person in (
            (dt.date(2026, 1, 1), dt.date(2026, 5, 3), "old"),
            (dt.date(2026, 5, 4), None, "new"),
        ):
            link = {"source": "shop", "employee_key": "u1", "valid_from": start, "valid_to": end, "employee": person}
            await connection.execute(insert(identity_links).values(link))
    await put(db, [order("1", day="2026-05-03", seller="u1"), order("2", seller="u1"), order("3", seller="u2")])
    async with db.reading() as connection:
        found = dict((await connection.execute(select(ORDERS.c.source_key, ORDERS.c.employee))).all())
    assert found == {"1": "old", "2": "new", "3": None}


versions = st.tuples(st.integers(0, 3), st.integers(0, 20)).map(
    lambda one: order(f"k{one[0]}", f"{one[1]}.00", f"2026-05-05T10:00:{one[1]:02}Z")
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(versions, max_size=12), st.integers(0, 12), st.randoms(use_true_random=False))
async def test_order_repeats_and_cuts_never_change_what_is_stored(
    db: Database, rows: list[dict[str, Any]], cut: int, random: Any
) -> None:
    newest: dict[str, int] = {}
    for row in rows:
        newest[row["id"]] = max(newest.get(row["id"], 0), int(float(row["total"]) * 100))
    async with db.writing() as connection:
        await connection.execute(ORDERS.delete())
    shuffled = [*rows, *rows[::2]]
    random.shuffle(shuffled)
    for part in (shuffled[:cut], shuffled[cut:], shuffled):
        await put(db, part)
    assert await stored(db) == newest
