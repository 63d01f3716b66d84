"""The start page of HR and managers, and the rule sandbox."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from server.access.scope import Scope
from server.store import contract_queries, tables, workbench_queries
from server.store.people_tables import contracts
from tests.server.api.company import DAY, NOW_MS, World
from tests.server.api.test_grid import add, result

EXAMPLES = Path(__file__).parents[1] / "attendance/attendance_examples.json"


async def bench(world: World, role: str = "hr") -> dict[str, Any]:
    answer = await world.get(role, "/api/workbench")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def todo(found: dict[str, Any]) -> dict[str, int]:
    return {row["kind"]: row["count"] for row in found["todo"]}


# --- workbench ------------------------------------------------------------------------------------------------------


async def test_the_workbench_counts_the_day_and_what_is_to_do(any_world: World) -> None:
    found = await bench(any_world)
    assert (found["date"], found["is_today"], found["scheduled"]) == (str(DAY), True, 4)
    assert found["counts"] == {"normal": 1, "late": 1, "absent": 1, "not_yet": 1}
    assert found["trend"] == [{"date": str(DAY), "scheduled": 3, "attended": 2}]
    counted = todo(found)
    assert counted["unmatched"] == 1
    assert (counted["gateways"], counted["contracts"], counted["approvals"]) == (1, 0, 0)
    assert counted["exceptions"] >= 1, "somebody was absent"


async def test_a_manager_finds_only_what_is_theirs_to_see_to(any_world: World) -> None:
    found = await bench(any_world, "manager")
    assert found["counts"] == {"normal": 1, "late": 1}
    assert found["trend"] == [{"date": str(DAY), "scheduled": 2, "attended": 2}]
    assert set(todo(found)) == {"exceptions", "approvals", "month"}
    assert [row["site"]["id"] for row in found["sites"]] == ["d1"]
    assert todo(found)["exceptions"] == 0


@pytest.mark.parametrize(("role", "status"), [("employee", 403), ("it", 403), ("facilities", 403), (None, 401)])
async def test_the_workbench_is_for_who_sees_others(world: World, role: str | None, status: int) -> None:
    assert (await world.get(role, "/api/workbench")).status_code == status


async def test_contracts_that_end_soon_are_named_unless_another_follows(any_world: World) -> None:
    same = {"kind": "fixed_term", "work_system": "standard", "from_on": dt.date(2025, 1, 1)}
    for employee, to_on in (("e1", DAY + dt.timedelta(30)), ("e2", DAY + dt.timedelta(31)), ("e3", DAY), ("e4", DAY)):
        await add(any_world, contracts, employee=employee, to_on=to_on, **same)
    await add(any_world, contracts, **{**same, "employee": "e4", "from_on": DAY + dt.timedelta(1), "to_on": None})
    [row] = [row for row in (await bench(any_world))["todo"] if row["kind"] == "contracts"]
    assert (row["count"], row["names"]) == (2, ["Zhao Min", "Wang Fang"])
    async with any_world.db.writing() as connection:
        await connection.execute(update(tables.employees).values(left_on=DAY))
    assert todo(await bench(any_world))["contracts"] == 0


async def test_a_month_that_is_over_waits_to_be_closed(any_world: World) -> None:
    assert todo(await bench(any_world))["month"] == 0, "it is still running"
    await add(any_world, tables.attendance_days, **result("e1", dt.date(2026, 1, 31)))
    [row] = [row for row in (await bench(any_world))["todo"] if row["kind"] == "month"]
    assert row["month"] == "2026-01"


async def test_the_trend_has_the_last_fourteen_dates_with_shifts(any_world: World) -> None:
    days = [DAY - dt.timedelta(days=n) for n in range(1, 25) if (DAY - dt.timedelta(days=n)).weekday() < 5]
    async with any_world.db.writing() as connection:
        rows = [result("e1", day) for day in days] + [result("e2", day, status="leave") for day in days]
        await connection.execute(insert(tables.attendance_days), rows)
    trend = (await bench(any_world))["trend"]
    assert [row["date"] for row in trend] == [str(day) for day in [*days[:13][::-1], DAY]]
    assert {(row["scheduled"], row["attended"]) for row in trend[:-1]} == {(2, 1)}


async def test_sites_tell_how_fresh_they_are(any_world: World) -> None:
    async with any_world.db.writing() as connection:
        await connection.execute(update(tables.gateways).values(last_seen_ms=NOW_MS - 89_000))
        await connection.execute(update(tables.terminals).values(last_event_ms=NOW_MS - 5_000))
    [first, second] = (await bench(any_world))["sites"]
    assert (first["last_punch_ms"], first["last_contact_ms"], first["silent"]) == (
        NOW_MS - 5000,
        NOW_MS - 89_000,
        False,
    )
    assert (second["last_punch_ms"], second["last_contact_ms"], second["silent"]) == (None, None, False)


async def test_each_question_of_the_workbench_keeps_to_the_scope(any_world: World) -> None:
    same = {"kind": "fixed_term", "work_system": "standard", "from_on": dt.date(2025, 1, 1), "to_on": DAY}
    await add(any_world, contracts, employee="e3", **same)
    async with any_world.db.reading() as connection:
        for scope, expected in ((Scope(departments=frozenset({"ops"})), (1, 0, 1)), (Scope(), (0, 0, 0))):
            attended = await workbench_queries.attended(connection, scope, DAY, 14)
            ending = await contract_queries.basic_rows(connection, scope)
            zones = await workbench_queries.site_zones(connection, scope)
            assert (len(attended), len(ending), len(zones)) == expected


# --- sandbox --------------------------------------------------------------------------------------------------------


async def tried(world: World, text: str, role: str = "hr") -> Any:
    return await world.post(role, "/api/sandbox", {"text": text})


async def test_the_sandbox_agrees_with_every_worked_example(world: World) -> None:
    cases = json.loads(EXAMPLES.read_text())["cases"]
    assert len(cases) == 66
    for start in range(0, len(cases), 5):
        answer = await tried(world, json.dumps(cases[start : start + 5]))
        assert answer.status_code == 200, answer.text
        for case in answer.json()["cases"]:
            assert case["differences"] == [], case["id"]


async def test_the_sandbox_says_what_differs_and_why(world: World) -> None:
    case = {
        "id": "X", "shifts": [{"date": "2026-03-02", "start": "09:00", "end": "18:00", "breaks": [["12:00", "13:00"]]}],
        "punches": ["2026-03-02T09:10:00", "2026-03-02T18:00:00"],
        "expect": {"days": [{"date": "2026-03-02", "status": "normal", "required_min": 480, "worked_min": 480}]},
    }  # fmt: skip
    [found] = (await tried(world, json.dumps(case))).json()["cases"]
    assert found["days"][0]["minutes"] == {"required": 480, "worked": 470, "late": 10}
    assert {"AR-14", "AR-15"} <= set(found["days"][0]["rules"])
    assert found["spans"] == [
        {"kind": "shift", "start": "2026-03-02T09:00:00+08:00", "end": "2026-03-02T18:00:00+08:00"}
    ]
    assert [punch["at"] for punch in found["punches"]] == ["2026-03-02T09:10:00+08:00", "2026-03-02T18:00:00+08:00"]
    told = {row["where"]: (row["expected"], row["found"]) for row in found["differences"]}
    assert told["days[0].status"] == ('"normal"', '"late"')
    assert told["days[0].late_min"] == ("0", "10")


def case(**values: Any) -> str:
    return json.dumps({"id": "x", **values})


def shift(date: str) -> list[dict[str, str]]:
    return [{"date": date, "start": "22:00", "end": "06:00"}]


MANY = [f"2026-03-02T10:{n // 60:02}:{n % 60:02}" for n in range(401)]
CLOSED = [{"month": f"2026-0{n}", "at": "2026-09-01T00:00:00"} for n in range(1, 5)]


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("", "bad_json", None),
        ("{", "bad_json", None),
        ("[" * 30_000, "bad_json", None),
        ('{"cases": 7}', "bad_json", None),
        ('{"shifts": []}', "bad_case", "id"),
        (case(shifts=shift("2026-02-30")), "bad_case", "shifts[0].date"),
        (case(punches=["25 o'clock"]), "bad_case", "punches[0]"),
        (case(tz="Asia/Nowhere"), "bad_case", "tz"),
        (case(tz="../../etc/passwd"), "bad_case", "tz"),
        (case(policy={"late_grace": 5}), "bad_case", "policy.late_grace"),
        (case(shifts=shift("9999-12-31")), "bad_case", "date"),
        (case(shifts=[{"date": "0001-01-01", "start": "00:00", "end": "06:00"}]), "bad_case", "date"),
        (json.dumps([{"id": str(n)} for n in range(21)]), "sandbox_large", None),
        (case(punches=MANY), "sandbox_large", None),
        (case(closed=CLOSED), "sandbox_large", None),
    ],
)
async def test_a_bad_case_is_refused_with_its_field(world: World, text: str, code: str, field: str | None) -> None:
    answer = await tried(world, text)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert answer.json()["parameters"].get("field") == field


@pytest.mark.parametrize("role", ["manager", "employee", "it"])
async def test_the_sandbox_is_for_who_sets_rules(world: World, role: str) -> None:
    assert (await tried(world, "[]", role)).status_code == 403
    assert (await world.post(None, "/api/sandbox", {"text": "[]"})).status_code == 401
