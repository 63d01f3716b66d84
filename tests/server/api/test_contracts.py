"""Labour contracts: who sees them, pay for a reason only, entries by hand, reminders, indicators of posts."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from server.crypto.masters import new_line, read_masters
from server.services import keys
from server.services.notice_text import Told, message
from server.store import log_queries, tables
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.people_tables import contracts
from server.store.scope_filter import ALL, Narrow
from tests.server.api.company import DAY, NOW_MS, World, make_world
from tests.server.api.test_grid import add

PAY = 1_234_567
BODY = {
    "employee": "e2",
    "starts_on": "2025-03-01",
    "ends_on": "2026-03-20",
    "kind": "fixed_term",
    "position": "courier",
    "duties": "派送包裹，轻拿轻放",
    "pay_grade": "P3",
    "pay_minor": PAY,
}
KEY = "e2|2025-03-01"
MASTERS = read_masters(new_line({}))


@pytest.fixture
async def office(migrated_url: str) -> AsyncIterator[World]:
    """The company with keys, on both databases."""
    db = Database(migrated_url, lambda: MASTERS)
    made = await make_world(db)
    await keys.ensure_keys(db, "intl", Entry(NOW_MS, "cli", "keys.init", ""))
    yield made
    await db.close()


async def put(world: World, role: str = "hr", **more: Any) -> httpx.Response:
    return await world.post(role, "/api/contracts", {**BODY, **more})


async def listed(world: World, query: str = "", role: str = "hr") -> dict[str, Any]:
    answer = await world.get(role, f"/api/contracts{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def one(world: World, key: str = KEY, source: str = "manual") -> httpx.Response:
    async with world.client("hr") as client:
        return await client.get("/api/contracts/one", params={"source": source, "key": key})


async def pay(world: World, role: str = "hr", reason: str = "pay review 2026", key: str = KEY) -> httpx.Response:
    return await world.post(role, "/api/contracts/pay", {"source": "manual", "key": key, "reason": reason})


async def test_a_contract_by_hand_is_listed_without_pay(office: World) -> None:
    assert (await put(office)).json() == {"key": KEY}
    found = await listed(office)
    [row] = found["rows"]
    assert (row["name"], row["standing"], row["days_left"], row["has_pay"]) == ("Li Lei", "expiring", 18, True)
    detail = await one(office)
    assert detail.json()["duties"] == BODY["duties"]
    for text in (str(found), detail.text):
        assert str(PAY) not in text
        assert "pay_minor" not in text


async def test_pay_is_given_for_a_reason_and_each_read_is_logged(office: World) -> None:
    await put(office)
    answer = await pay(office)
    assert answer.json() == {"pay_minor": PAY, "pay_min_minor": None, "pay_max_minor": None}
    log = (await one(office)).json()["log"]
    assert [(row["action"], row["actor"], row["reason"]) for row in log] == [
        ("contract.pay", "hr", "pay review 2026"),
        ("contract.put", "hr", None),
    ]
    async with office.db.reading() as connection:
        entries = (await connection.execute(select(tables.operation_log))).all()
        assert await log_queries.first_broken_entry(connection) is None
    assert str(PAY) not in repr(entries)


async def test_pay_is_not_given_without_a_reason(office: World) -> None:
    await put(office)
    for reason in ("", "  ", "ab", " a ", "two\nlines here"):
        assert (await pay(office, reason=reason)).status_code == 422, reason
    assert len((await one(office)).json()["log"]) == 1


async def test_contracts_are_for_hr_only(office: World) -> None:
    await put(office)
    for role in ("manager", "employee", "it", "facilities"):
        assert (await office.get(role, "/api/contracts")).status_code == 403, role
        assert (await office.get(role, f"/api/contracts/one?source=manual&key={KEY}")).status_code == 403, role
        assert (await pay(office, role)).status_code == 403, role
        assert (await put(office, role)).status_code == 403, role
        assert (await office.get(role, "/api/post-indicators")).status_code == 403, role


async def test_a_change_by_hand_keeps_the_pay_that_it_does_not_tell(office: World) -> None:
    await put(office)
    await put(office, ends_on="2027-03-20", pay_minor=None, keep_pay=True)
    [row] = (await listed(office))["rows"]
    assert (row["ends_on"], row["standing"]) == ("2027-03-20", "active")
    assert (await pay(office)).json()["pay_minor"] == PAY
    await put(office, pay_minor=None)
    assert (await pay(office)).json()["pay_minor"] is None


async def test_a_contract_by_hand_can_be_taken_back(office: World) -> None:
    await put(office)
    assert (await office.post("hr", "/api/contracts/remove", {"key": KEY})).status_code == 204
    assert (await listed(office))["total"] == 0
    assert (await office.post("hr", "/api/contracts/remove", {"key": KEY})).status_code == 404
    assert (await pay(office)).status_code == 404
    await put(office)
    assert (await listed(office))["total"] == 1


async def test_what_is_no_contract_is_refused(office: World) -> None:
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"employee": "nobody"}, 404, "not_found"),
        ({"ends_on": "2025-02-28"}, 422, "contract_ends_first"),
        ({"pay_minor": -1}, 422, "invalid"),
        ({"duties": "x" * 2001}, 422, "invalid"),
    ]
    for more, status, code in wrong:
        answer = await put(office, **more)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await listed(office))["total"] == 0


async def test_without_keys_pay_is_refused_and_the_rest_is_taken(any_world: World) -> None:
    answer = await put(any_world)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_keys")
    assert (await put(any_world, pay_minor=None)).status_code == 201
    found = await listed(any_world)
    assert (found["total"], found["keys"], found["rows"][0]["has_pay"]) == (1, False, False)


async def test_a_lost_master_key_is_told_and_the_list_stays(migrated_url: str) -> None:
    masters = dict(MASTERS)
    db = Database(migrated_url, lambda: masters)
    world = await make_world(db)
    await keys.ensure_keys(db, "sm", Entry(NOW_MS, "cli", "keys.init", ""))
    await put(world)
    masters.clear()
    found = await listed(world)
    assert (found["total"], found["keys"]) == (1, False)
    for answer in (await pay(world), await put(world, keep_pay=True), await put(world, employee="e1")):
        assert (answer.status_code, answer.json()["code"]) == (422, "no_keys")
    await db.close()


async def test_what_ends_is_first_and_counted(office: World) -> None:
    await put(office, ends_on=None)
    await put(office, employee="e1", ends_on="2026-02-01")
    await put(office, employee="e3", ends_on="2026-03-25")
    await put(office, employee="e4", starts_on="2026-04-01", ends_on="2027-03-31")
    same = {"kind": "fixed_term", "work_system": "standard", "to_on": dt.date(2025, 12, 31)}
    await add(office, contracts, employee="e3", from_on=dt.date(2024, 1, 1), **same)
    found = await listed(office)
    assert [(row["employee"], row["source"], row["standing"]) for row in found["rows"]] == [
        ("e1", "manual", "expired"),
        ("e3", "manual", "expiring"),
        ("e2", "manual", "active"),
        ("e4", "manual", "coming"),
        ("e3", "people", "ended"),
    ]
    assert found["counts"] == {"expired": 1, "expiring": 1, "active": 1, "coming": 1, "ended": 1, "probation": 0}
    assert [row["employee"] for row in (await listed(office, "?standing=expiring"))["rows"]] == ["e3"]
    assert [row["employee"] for row in (await listed(office, "?q=wang"))["rows"]] == ["e1"]
    assert [row["employee"] for row in (await listed(office, "?department=ops"))["rows"]] == ["e1", "e2"]
    assert [row["employee"] for row in (await listed(office, "?limit=1&offset=1"))["rows"]] == ["e3"]


async def test_reminders_are_the_company_s(office: World) -> None:
    await put(office, ends_on="2026-05-01")
    assert (await listed(office))["counts"]["expiring"] == 0
    async with office.client("hr") as client:
        body = {"expiry_days": 60, "probation_days": 10}
        assert (await client.put("/api/contracts/reminders", json=body)).status_code == 204
        assert (await client.put("/api/contracts/reminders", json={**body, "expiry_days": 0})).status_code == 422
    found = await listed(office)
    assert (found["counts"]["expiring"], found["reminders"]) == (1, body)


async def test_the_workbench_and_notices_tell_of_ends_and_probations(office: World) -> None:
    await put(office)
    await put(office, employee="e3", ends_on="2026-02-01")
    values = {"source": "hr", "source_key": "1", "employee_key": "e2", "employee": "e2", "joined_on": DAY}
    kept = {"payload_hash": bytes(16), "first_seen_ms": 1, "changed_ms": 1, "run": 1, "deleted": False}
    await add(office, FACT_TABLES["employment"], **values, **kept, probation_ends_on=DAY + dt.timedelta(7))
    answer = await office.get("hr", "/api/workbench")
    todo = {row["kind"]: (row["count"], row["names"]) for row in answer.json()["todo"]}
    assert todo["contracts"] == (2, ["Zhao Min", "Li Lei"])
    assert todo["probation"] == (1, ["Li Lei"])
    config = office.app.state.context.config
    told = await message(office.db, config, Told("contracts", NOW_MS, "en", ALL))
    assert told.text.splitlines() == ["Ran out without a new one: 1", "End soon: 1", "Probation ends soon: 1"]
    narrow = Narrow(frozenset({"fin"}))
    told = await message(office.db, config, Told("contracts", NOW_MS, "zh-CN", narrow))
    assert told.text.splitlines() == ["已到期未续签: 1", "即将到期: 0", "试用期即将结束: 0"]
    assert "Li Lei" not in told.text


async def test_duties_suggest_indicators_and_a_person_accepts(office: World) -> None:
    await put(office)
    await put(office, employee="e1", position="Night Guard", duties="巡逻")
    found = (await office.get("hr", "/api/post-indicators")).json()
    posts = {row["id"]: row for row in found["rows"]}
    courier = posts["courier"]
    assert (courier["people"], courier["duties"], courier["accepted"]) == (1, [BODY["duties"]], [])
    assert [(row["indicator"], row["found"]) for row in courier["suggested"]] == [
        ("log_on_time_delivery_rate", ["派送"]),
        ("log_damage_rate", ["轻拿轻放"]),
    ]
    assert posts["Night Guard"]["suggested"] == []
    assert len(found["indicators"]) == 49
    async with office.client("hr") as client:
        body = {"post": "courier", "indicators": ["log_damage_rate", "log_on_time_delivery_rate"]}
        assert (await client.put("/api/post-indicators", json=body)).status_code == 204
        wrong = await client.put("/api/post-indicators", json={**body, "indicators": ["no_such"]})
        assert wrong.json()["code"] == "unknown_indicator"
        assert (await client.put("/api/post-indicators", json={**body, "post": "pilot"})).status_code == 404
    rows = (await office.get("hr", "/api/post-indicators")).json()["rows"]
    assert {row["id"]: row["accepted"] for row in rows}["courier"] == body["indicators"]
    answer = await office.post("hr", "/api/post-indicators/suggest", {"duties": "Recruit staff"})
    assert [row["indicator"] for row in answer.json()["rows"]] == ["hr_recruitment_completion_rate"]
