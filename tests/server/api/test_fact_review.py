"""Rows of business systems that wait are put right or refused, on both databases (connectors.md section 5)."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select, update

from server.connectors.mapping import map_rows
from server.connectors.source_file import Source, read_source
from server.services import sources
from server.services.fact_store import Arrival, Counts, store_page
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.source_tables import fact_quarantine, identity_links
from server.store.tables import operation_log
from shared.clock import from_ms
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
      org_key: team
  - fact: sales_order_line
    each: lines
    key: {join: [^.order, no]}
    map: {order_key: ^.order, line_no: no, quantity: {path: n, as: int}}
  - fact: labour_contract
    key: id
    map: {employee_key: who, starts_on: {path: from, as: date}, kind: kind}
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
        mapped = map_rows(SOURCE, SOURCE.streams[stream], rows, now=from_ms(world.time.now_ms))
        return await store_page(connection, arrival, mapped)


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
    assert fixed.json() == {"added": 2, "changed": 0, "unchanged": 0, "proposal": None}
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
    assert (await desk.post("hr", "/api/waiting-facts/refuse", refuse)).status_code == 200
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


async def by_key(world: World, **query: str) -> dict[str | None, int]:
    return {row["source_key"]: row["id"] for row in await waiting(world, **query)}


async def logged(world: World, like: str) -> list[str]:
    table = operation_log
    async with world.db.reading() as connection:
        which = select(table.c.actor, table.c.action).where(table.c.action.like(like)).order_by(table.c.id)
        return [f"{actor} {action}" for actor, action in await connection.execute(which)]


async def test_only_soft_faults_are_accepted_and_never_a_missing_key(desk: World) -> None:
    ahead = {"id": "h", "at": "2026-03-09 10:00:00", "state": "open", "rating": 9}
    await load(desk, [ahead])
    rows = await by_key(desk)
    for key in (None, "a", "c", "e", "g"):
        answer = await desk.post(
            "hr", "/api/waiting-facts/accept", {"rows": [rows["h"], rows[key]], "note": "so be it"}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "not_soft"), key
    assert "h" not in await tickets(desk)
    body = {"rows": [rows["f"], rows["h"]], "note": "so be it"}
    assert (await desk.post("hr", "/api/waiting-facts/accept", body)).json()["added"] == 2
    table = FACT_TABLES["ticket"]
    async with desk.db.reading() as connection:
        which = select(table.c.source_key, table.c.csat).where(table.c.source_key.in_(["f", "h"]))
        assert dict((await connection.execute(which)).all()) == {"f": 9, "h": 9}
    assert {row["state"] for row in await waiting(desk, state="accepted")} == {"accepted"}
    assert (await load(desk, [ahead])).waiting == 0, "what was accepted stays so until it comes changed"


async def test_what_has_happened_can_not_lie_more_than_a_day_ahead(desk: World) -> None:
    now = "2026-03-02 20:00:00"
    late = [{"id": f"t{n}", "at": at, "state": "open"} for n, at in enumerate((now, "2026-03-03 20:00:00"))]
    assert (await load(desk, late)).added == 2
    assert (await load(desk, [{"id": "t2", "at": "2026-03-03 20:00:01", "state": "open"}])).waiting == 1
    [row] = await waiting(desk, code="future_date")
    assert row["fields"] == [{"field": "created_at", "code": "future_date", "value": "2026-03-03T12:00:01+00:00"}]
    desk.time.now_ms += 1_000
    await load(desk, [{"id": "t2", "at": "2026-03-03 20:00:01", "state": "open"}])
    assert await waiting(desk, code="future_date") == []


async def test_rows_are_found_counted_and_made_somebodys_task(desk: World) -> None:
    assert set(await by_key(desk, code="unknown_value")) == {"a", "b"}
    told = (await desk.get("hr", "/api/waiting-facts/overview?source=desk")).json()
    assert {(one["code"], one["rows"]) for one in told["reasons"]} == {
        ("unknown_value", 2), ("bad_time", 1), ("missing_key", 1), ("missing_time", 1), ("out_of_range", 1),
        ("missing_field", 1), ("bad_number", 1),
    }  # fmt: skip
    assert [one["code"] for one in told["words"] if one["soft"]] == ["out_of_range", "future_date"]
    rows = await by_key(desk)
    assign = {"rows": [rows["a"], rows["b"]], "login": "root"}
    assert (await desk.post("hr", "/api/waiting-facts/assign", assign)).status_code == 204
    assert set(await by_key(desk, assignee="root")) == {"a", "b"}
    assert len(await waiting(desk, assignee="-")) == 5
    for login, code in (("it", "no_reviewer"), ("boss", "beyond_reviewer")):
        answer = await desk.post("hr", "/api/waiting-facts/assign", {**assign, "login": login})
        assert answer.json()["code"] == code
    assert (await desk.get("hr", "/api/waiting-facts?limit=2&offset=6")).json()["rows"][0]["source_key"] == "a"


async def test_a_reviewer_sees_rows_about_their_own_departments(desk: World) -> None:
    async with desk.db.writing() as connection:
        linked = {"source": "desk", "employee": "e2", "valid_from": dt.date(2026, 3, 1), "valid_to": None}
        await connection.execute(identity_links.insert().values(**linked, employee_key="li"))
    bad = {"at": "2026-03-02 10:00:00", "state": "parked"}
    mine = [{**bad, "id": "m1", "agent": "li", "team": "fin"}, {**bad, "id": "m2", "team": "ops"}]
    others = [
        {**bad, "id": "o1", "team": "fin"},
        {**bad, "id": "o2", "agent": "li", "at": "2026-02-28 10:00:00"},
        {**bad, "id": "o3", "agent": "nobody", "team": "shop 7"},
    ]
    await load(desk, [*mine, *others])
    assert set(await by_key(desk, role="manager")) == {"m1", "m2"}


async def test_more_than_500_rows_wait_for_a_second_person(desk: World) -> None:
    await load(desk, [{"id": f"n{n}", "at": "2026-03-02 10:00:00", "state": "lost"} for n in range(501)])
    async with desk.db.reading() as connection:
        which = select(fact_quarantine.c.id).where(fact_quarantine.c.source_key.like("n%"))
        rows = list(await connection.scalars(which))
    answer = await desk.post("hr", "/api/waiting-facts/fix", {"rows": rows, "patch": {"status": "closed"}})
    number = answer.json()["proposal"]
    assert answer.json() == {"added": 0, "changed": 0, "unchanged": 0, "proposal": number}
    assert len(await tickets(desk)) == 20
    one = {"rows": rows[:1], "note": "none"}
    assert (await desk.post("administrator", "/api/waiting-facts/refuse", one)).json()["code"] == "proposed"
    path = f"/api/waiting-facts/proposals/{number}"
    assert (await desk.post("hr", f"{path}/confirm")).json()["code"] == "same_person"
    assert (await desk.post("hr", f"{path}/decline", {"note": "no"})).json()["code"] == "same_person"
    assert (await desk.post("manager", f"{path}/confirm")).status_code == 404, "not all rows are theirs"
    assert (await desk.get("manager", "/api/waiting-facts/proposals")).json() == {"rows": []}
    seen = {
        who: (await desk.get(who, "/api/waiting-facts/proposals")).json()["rows"][0] for who in ("hr", "administrator")
    }
    assert {who: (row["rows"], row["own"]) for who, row in seen.items()} == {
        "hr": (501, True),
        "administrator": (501, False),
    }
    await load(desk, [{"id": "n0", "at": "2026-03-02 11:00:00", "state": "lost"}])
    await load(desk, [{"id": "n1", "at": "2026-03-02 10:00:00", "state": "lost"}])
    assert (await desk.post("administrator", f"{path}/confirm")).json()["added"] == 500, "n0 came changed since"
    assert set(await by_key(desk, code="unknown_value")) == {"a", "b", "n0"}
    assert (await desk.post("administrator", f"{path}/confirm")).json()["code"] == "decided"
    assert await logged(desk, "facts.%") == ["hr facts.propose", "root facts.confirm"]


async def test_rows_that_would_replace_each_other_are_not_decided_together(desk: World) -> None:
    rows = await by_key(desk)
    body = {"rows": [rows["a"], rows["b"]], "patch": {"source_key": "ab", "status": "open"}}
    assert (await desk.post("hr", "/api/waiting-facts/fix", body)).json()["code"] == "same_key"


async def test_a_table_of_waiting_rows_has_no_formulas_and_is_logged(desk: World) -> None:
    await load(desk, [{"id": "=1+1", "at": "2026-03-02 10:00:00", "state": "@x"}])
    answer = await desk.get("hr", "/api/waiting-facts/file?code=unknown_value&language=en")
    lines = answer.text.splitlines()
    assert (len(lines), lines[0][:16]) == (4, "\N{ZERO WIDTH NO-BREAK SPACE}Id,Source,Strea")
    assert ",'=1+1," in lines[3]
    assert "The value is not in the table of values" in lines[3]
    assert await logged(desk, "facts.export") == ["hr facts.export"]


async def test_contracts_wait_for_a_second_person_and_show_no_pay(desk: World) -> None:
    await load(desk, [{"id": "k", "who": "7", "from": "soon", "pay": "12000"}], stream=2)
    [row] = await waiting(desk, fact="labour_contract")
    assert row["fields"] == [{"field": "starts_on", "code": "bad_date", "value": "***"}]
    tried = (await desk.post("hr", f"/api/waiting-facts/{row['id']}/try", {})).json()
    assert (tried["raw"], tried["faults"][0]["value"]) == (None, "***")
    assert "12000" not in (await desk.get("hr", "/api/waiting-facts/file")).text
    typed = {"rows": [row["id"]], "patch": {"starts_on": "2026-03-01", "pay_minor": 1_200_000}}
    assert (await desk.post("hr", "/api/waiting-facts/fix", typed)).json()["code"] == "pay_typed"
    body = {"rows": [row["id"]], "patch": {"starts_on": "2026-03-01"}}
    number = (await desk.post("hr", "/api/waiting-facts/fix", body)).json()["proposal"]
    path = f"/api/waiting-facts/proposals/{number}"
    assert (await desk.post("administrator", f"{path}/decline", {"note": "ask first"})).status_code == 204
    number = (await desk.post("administrator", "/api/waiting-facts/fix", body)).json()["proposal"]
    done = await desk.post("hr", f"/api/waiting-facts/proposals/{number}/confirm")
    assert done.json() == {"added": 1, "changed": 0, "unchanged": 0, "proposal": None}
    assert await logged(desk, "facts.%") == [
        "hr facts.export", "hr facts.propose", "root facts.decline", "root facts.propose", "hr facts.confirm",
    ]  # fmt: skip
