"""Rows of business systems that wait are put right or refused, on both databases (connectors.md section 5)."""

from typing import Any

import pytest
from sqlalchemy import select, update

from server.connectors.mapping import map_rows
from server.connectors.source_file import Source, read_source
from server.services import sources
from server.services.fact_store import Arrival, Counts, store_page
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.source_tables import fact_quarantine
from server.store.tables import operation_log
from tests.server.api.company import World

TEXT = """
source: desk
kind: webhook
timezone: Asia/Shanghai
push: {secrets: ["${env:DESK}"]}
streams:
  - fact: ticket
    key: id
    map:
      created_at: {path: at, as: datetime}
      status: {path: state, values: {open: open, done: solved}}
      csat: rating
      employee_key: agent
  - fact: sales_order_line
    each: lines
    key: {join: [^.order, no]}
    map: {order_key: ^.order, line_no: no, quantity: {path: n, as: int}}
"""
SOURCE: Source = read_source(TEXT, "desk.yaml")
GOOD = [{"id": str(n), "at": "2026-03-02 10:00:00", "state": "open", "rating": 4} for n in range(20)]
BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"id": "a", "at": "2026-03-02 10:00:00", "state": "parked"}, ["unknown_value"]),
    ({"id": "b", "at": "2026-03-02 10:00:00", "state": "parked"}, ["unknown_value"]),
    ({"id": "c", "at": "soon", "state": "open"}, ["bad_time"]),
    ({"id": None, "at": "2026-03-02 10:00:00", "state": "open"}, ["missing_key"]),
    ({"id": "e", "at": None, "state": "open"}, ["missing_time"]),
    ({"id": "f", "at": "2026-03-02 10:00:00", "state": "open", "rating": 9}, ["out_of_range"]),
    ({"id": "g", "at": "2026-03-02 10:00:00", "state": None, "rating": "x"}, ["missing_field", "bad_number"]),
]


async def load(world: World, rows: list[Any], stream: int = 0) -> Counts:
    async with world.db.writing() as connection:
        arrival = Arrival("desk", SOURCE.streams[stream], SOURCE.zone, 1, world.time.now_ms)
        return await store_page(connection, arrival, map_rows(SOURCE, SOURCE.streams[stream], rows))


@pytest.fixture
async def desk(any_world: World) -> World:
    await sources.put_source(any_world.db, TEXT, "desk.yaml", Entry(1, "it", "source.put", "desk"))
    counts = await load(any_world, [*GOOD, *(row for row, _ in BAD)])
    assert (counts.added, counts.waiting) == (20, 7)
    return any_world


async def waiting(world: World, role: str = "hr", **query: str) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await world.get(role, f"/api/waiting-facts?limit=100&{asked}")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


async def tickets(world: World) -> dict[str, str]:
    table = FACT_TABLES["ticket"]
    async with world.db.reading() as connection:
        return dict((await connection.execute(select(table.c.source_key, table.c.status))).all())


async def test_exactly_the_bad_rows_wait_each_with_its_codes_and_a_fix_brings_them_in_once(desk: World) -> None:
    rows = await waiting(desk)
    assert {(row["source_key"], tuple(sorted(row["codes"]))) for row in rows} == {
        (bad["id"], tuple(sorted(codes))) for bad, codes in BAD
    }
    parked = [row["id"] for row in rows if row["source_key"] in ("a", "b")]
    fixed = await desk.post("hr", "/api/waiting-facts/fix", {"rows": parked, "patch": {"status": "on_hold"}})
    assert fixed.json() == {"added": 2, "changed": 0, "unchanged": 0}
    patches: dict[str | None, dict[str, Any]] = {
        "c": {"created_at": "2026-03-02T02:00:00Z"},
        None: {"source_key": "d"},
        "e": {"created_at": "2026-03-02T02:00:00Z"},
        "f": {"csat": 5},
        "g": {"status": "closed", "csat": None},
    }
    for row in rows:
        if row["id"] not in parked:
            body = {"rows": [row["id"]], "patch": patches[row["source_key"]]}
            assert (await desk.post("hr", "/api/waiting-facts/fix", body)).status_code == 200
    found = await tickets(desk)
    assert len(found) == 27
    assert {key: found[key] for key in "abcdefg"} == {
        **dict.fromkeys("ab", "on_hold"),
        **dict.fromkeys("cdef", "open"),
        "g": "closed",
    }
    again = await load(desk, [row for row, _ in BAD])
    assert (again.added, again.waiting) == (0, 0), "what was decided stays decided until it comes changed"
    assert await waiting(desk) == []
    assert {row["state"] for row in await waiting(desk, state="fixed")} == {"fixed"}


async def test_a_try_shows_what_a_row_becomes_and_stores_nothing(desk: World) -> None:
    [row] = [row for row in await waiting(desk) if row["source_key"] == "g"]
    tried = (await desk.post("hr", f"/api/waiting-facts/{row['id']}/try", {"patch": {"status": "open"}})).json()
    assert (tried["mapped"], tried["faults"]) == (None, [{"field": "csat", "code": "bad_number", "value": "x"}])
    assert tried["raw"] == {"id": "g", "at": "2026-03-02 10:00:00", "state": None, "rating": "x"}
    body = {"patch": {"status": "open", "csat": 3}}
    tried = (await desk.post("hr", f"/api/waiting-facts/{row['id']}/try", body)).json()
    assert (tried["mapped"]["csat"], tried["mapped"]["created_at"]) == (3, "2026-03-02T02:00:00Z")
    assert len(await tickets(desk)) == 20


async def test_rows_with_the_same_fault_are_counted_before_they_are_fixed_together(desk: World) -> None:
    [first] = [row for row in await waiting(desk) if row["source_key"] == "a"]
    alike = (await desk.get("hr", f"/api/waiting-facts/{first['id']}/alike?field=status")).json()
    assert (alike["code"], alike["value"], alike["total"]) == ("unknown_value", "parked", 2)
    assert (await desk.get("hr", f"/api/waiting-facts/{first['id']}/alike?field=csat")).status_code == 422


async def test_one_row_that_still_does_not_fit_holds_all_of_a_decision(desk: World) -> None:
    rows = [row["id"] for row in await waiting(desk) if row["source_key"] in ("a", "c")]
    answer = await desk.post("hr", "/api/waiting-facts/fix", {"rows": rows, "patch": {"status": "open"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "still_wrong")
    assert len(await tickets(desk)) == 20
    answer = await desk.post("hr", "/api/waiting-facts/fix", {"rows": rows, "patch": {"colour": "red"}})
    assert answer.json()["code"] == "unknown_field"


async def test_a_refused_row_is_kept_and_waits_no_longer(desk: World) -> None:
    [row] = [row["id"] for row in await waiting(desk) if row["source_key"] == "c"]
    refuse = {"rows": [row], "note": "test data"}
    assert (await desk.post("hr", "/api/waiting-facts/refuse", refuse)).status_code == 204
    assert (await desk.post("hr", "/api/waiting-facts/refuse", refuse)).json()["code"] == "decided"
    [kept] = await waiting(desk, state="rejected")
    assert (kept["note"], kept["decided_by"]) == ("test data", "hr")
    async with desk.db.reading() as connection:
        which = select(operation_log).where(operation_log.c.action == "facts.refuse")
        entries = (await connection.execute(which)).all()
    assert len(entries) == 1
    assert (await load(desk, [BAD[2][0]])).waiting == 0


async def test_a_source_that_mends_a_row_itself_ends_its_waiting(desk: World) -> None:
    await load(desk, [{"id": "c", "at": "2026-03-02 11:00:00", "state": "done"}])
    assert "c" not in {row["source_key"] for row in await waiting(desk)}
    assert [row["source_key"] for row in await waiting(desk, state="superseded")] == ["c"]


async def test_a_row_of_a_list_keeps_what_is_around_it(desk: World) -> None:
    order = {"order": "o1", "buyer": "x", "lines": [{"no": 1, "n": 2}, {"no": 2, "n": "many"}]}
    assert (await load(desk, [order], stream=1)).waiting == 1
    [row] = await waiting(desk, fact="sales_order_line")
    fixed = await desk.post("hr", "/api/waiting-facts/fix", {"rows": [row["id"]], "patch": {"quantity": 3}})
    assert fixed.json()["added"] == 1, fixed.text
    table = FACT_TABLES["sales_order_line"]
    async with desk.db.reading() as connection:
        keys = set(await connection.scalars(select(table.c.source_key)))
        kept = await connection.scalar(select(fact_quarantine.c.raw).where(fact_quarantine.c.id == row["id"]))
    assert keys == {"o1|1", "o1|2"}
    assert kept == {"no": 2, "n": "many", "^": {"order": "o1", "buyer": "x"}}


async def test_rows_are_shown_and_decided_about_in_the_viewers_scope_only(desk: World) -> None:
    [row] = [row["id"] for row in await waiting(desk) if row["source_key"] == "c"]
    assert await waiting(desk, "manager") == []
    async with desk.db.writing() as connection:
        await connection.execute(update(fact_quarantine).where(fact_quarantine.c.id == row).values(department="fin"))
    assert await waiting(desk, "manager") == [], "the manager has ops"
    for path, body in ((f"/api/waiting-facts/{row}/try", {}), ("/api/waiting-facts/fix", {"rows": [row]})):
        assert (await desk.post("manager", path, body)).status_code == 404
    async with desk.db.writing() as connection:
        await connection.execute(
            update(fact_quarantine).where(fact_quarantine.c.id == row).values(department="ops-north")
        )
    assert [one["id"] for one in await waiting(desk, "manager")] == [row]
    for role in ("employee", "it"):
        assert (await desk.get(role, "/api/waiting-facts")).status_code == 403
