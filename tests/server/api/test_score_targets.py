"""Targets over HTTP: who sees whose, what is refused and why, files all or nothing, scores that follow."""

import datetime as dt
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select

from server.access.roles import permissions_of
from server.store import tables
from server.store.people_tables import posts
from tests.server.api.company import PEOPLE, World

SALES, CUSTOMERS = "biz_sales_amount", "biz_new_customers"
LIST, FILE, CHECK = "/api/score-targets", "/api/score-targets/file", "/api/score-targets/file/check"
REMOVE = "/api/score-targets/remove"
BODY = {"indicator": SALES, "kind": "employee", "unit": "e1", "starts": "2026-03-01", "target": "50000"}
ROUTES = [
    ("GET", LIST, "schemes.read"),
    ("POST", LIST, "scores.close"),
    ("POST", REMOVE, "scores.close"),
    ("POST", CHECK, "scores.close"),
    ("POST", FILE, "scores.close"),
]
HEADS = "indicator,unit,starts,target\n"
FAULTY = (
    HEADS
    + "no_such,,2026-03-01,5\n"
    + f"{SALES},nobody,2026-02-30,0\n"
    + f"{SALES},ops,2026-03-01,1/2\n"
    + f"{SALES},e1,2026-03-01,1\n"
    + f"{SALES},e1,2026/3/1,2\n"
)


async def told(world: World, role: str, path: str = LIST) -> Any:
    answer = await world.get(role, path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def put(world: World, **other: str) -> Any:
    answer = await world.post("hr", LIST, BODY | other)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def send(world: World, path: str, text: str | bytes, role: str = "hr") -> httpx.Response:
    async with world.client(role) as client:
        data = text.encode() if isinstance(text, str) else text
        return await client.post(path, content=data, headers={"Content-Type": "application/octet-stream"})


async def put_everywhere(world: World) -> None:
    """Targets of everybody, of ops with ops-north below it, of fin, and of a person in each."""
    for kind, unit in (
        ("everybody", ""),
        ("department", "ops"),
        ("department", "ops-north"),
        ("department", "fin"),
        ("employee", "e2"),
        ("employee", "e3"),
    ):
        await put(world, kind=kind, unit=unit)


async def logged(world: World, action: str) -> list[Any]:
    log = tables.operation_log
    async with world.db.reading() as connection:
        return list(await connection.execute(select(log).where(log.c.action == action).order_by(log.c.id)))


async def touched(world: World) -> set[tuple[str, str]]:
    """Cards that wait; they wait no more."""
    table = tables.touched_scores
    async with world.db.writing() as connection:
        found = {(row.employee, row.period) for row in await connection.execute(select(table))}
        await connection.execute(delete(table))
    return found


async def make_cards(world: World, *cards: tuple[str, str]) -> None:
    """Stored scorecards of these people and periods, and nothing that waits."""
    values = {"coverage_num": 0, "coverage_den": 1, "status": "insufficient_data", "computed_ms": 0}
    async with world.db.writing() as connection:
        for employee, period in cards:
            await connection.execute(tables.scorecards.insert().values(employee=employee, period=period, **values))
        await connection.execute(delete(tables.touched_scores))


@pytest.mark.parametrize("role", PEOPLE)
async def test_each_route_asks_for_its_permission(world: World, role: str) -> None:
    for method, path, permission in ROUTES:
        status = (await {"GET": world.get, "POST": world.post}[method](role, path)).status_code
        may = permission in permissions_of(role)  # type: ignore[arg-type]
        assert (status == 403) is not may, (method, path, status)


# --- lists ----------------------------------------------------------------------------------------------------------


async def test_hr_sees_all_with_names_and_who_set_them(any_world: World) -> None:
    await put_everywhere(any_world)
    found = await told(any_world, "hr")
    assert (found["total"], found["may_write"], found["today"]) == (6, True, "2026-03-02")
    assert [(one["kind"], one["unit"]["id"], one["unit"]["name_zh"]) for one in found["rows"]] == [
        ("everybody", "", ""),
        ("department", "fin", "fin部"),
        ("department", "ops", "ops部"),
        ("department", "ops-north", "ops-north部"),
        ("employee", "e2", "Li Lei"),
        ("employee", "e3", "Zhao Min"),
    ]
    row = found["rows"][0]
    assert row["indicator"] == {"id": SALES, "name_zh": "销售额", "name_en": "Sales"}
    assert (row["starts"], row["target"], row["measure"], row["set_by"]) == ("2026-03-01", "50000", "CNY", "hr")
    assert row["holds"] is True
    known = {one["id"]: (one["target"], one["needed"], one["by_target"]) for one in found["indicators"]}
    assert known[SALES] == (None, True, True)
    assert known["log_cost_rate"] == ("8", False, True)
    assert known["att_punctuality_rate"] == ("95", False, False)
    assert [one["id"] for one in found["departments"]] == ["fin", "ops", "ops-north"]


async def test_a_manager_sees_everybodys_and_those_of_the_own_departments_and_people(any_world: World) -> None:
    """The manager's are ops and ops-north, with e1 and e2."""
    await put_everywhere(any_world)
    found = await told(any_world, "manager")
    assert [one["unit"]["id"] for one in found["rows"]] == ["", "ops", "ops-north", "e2"]
    assert (found["total"], found["may_write"]) == (4, False)
    assert [one["id"] for one in found["departments"]] == ["ops", "ops-north"]


async def test_the_one_of_today_holds_and_the_newest_comes_first(any_world: World) -> None:
    for starts in ("2026-01-01", "2026-03-02", "2026-04-01"):
        await put(any_world, starts=starts)
    rows = (await told(any_world, "hr"))["rows"]
    expected = [("2026-04-01", False), ("2026-03-02", True), ("2026-01-01", False)]
    assert [(one["starts"], one["holds"]) for one in rows] == expected


@pytest.mark.parametrize(
    ("query", "units"),
    [
        (f"?indicator={CUSTOMERS}", ["e1"]),
        ("?q=li+L", ["e2"]),
        ("?q=NORTH", ["ops-north"]),
        ("?q=e3", ["e3"]),
        ("?q=%25", []),
        ("?limit=2&offset=1", ["", "fin"]),
    ],
)
async def test_a_list_is_narrowed(any_world: World, query: str, units: list[str]) -> None:
    await put_everywhere(any_world)
    await put(any_world, indicator=CUSTOMERS)
    found = await told(any_world, "hr", LIST + query)
    assert [one["unit"]["id"] for one in found["rows"]] == units
    assert found["total"] == (7 if "limit" in query else len(units))


# --- one ------------------------------------------------------------------------------------------------------------


async def test_a_target_of_the_same_day_is_replaced_and_both_are_logged(any_world: World) -> None:
    await put(any_world)
    await put(any_world, target="60000.5")
    [row] = (await told(any_world, "hr"))["rows"]
    assert row["target"] == "60000.5"
    first, second = await logged(any_world, "scores.targets")
    assert (first.actor, first.object, first.detail["target"]) == ("hr", f"{SALES}/e1", "50000")
    assert second.detail == {"targets": 1, "starts": "2026-03-01", "target": "60000.5"}


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"indicator": "no_such"}, "targets_indicator", "indicator"),
        ({"unit": "nobody"}, "targets_unit", "unit"),
        ({"unit": ""}, "targets_unit", "unit"),
        ({"unit": "ops"}, "targets_unit", "unit"),
        ({"kind": "department"}, "targets_unit", "unit"),
        ({"kind": "everybody"}, "targets_unit", "unit"),
        ({"starts": "1929-12-31"}, "targets_day", "starts"),
        ({"starts": "2200-01-01"}, "targets_day", "starts"),
        ({"target": "0"}, "targets_value", "target"),
        ({"target": "0.00"}, "targets_value", "target"),
        ({"target": "-5"}, "targets_value", "target"),
        ({"target": "1/2"}, "targets_value", "target"),
        ({"target": "1e5"}, "targets_value", "target"),
        ({"target": "much"}, "targets_value", "target"),
        ({"target": ""}, "targets_value", "target"),
    ],
)
async def test_what_does_not_fit_names_its_field_and_nothing_is_kept(
    world: World, wrong: dict[str, str], code: str, field: str
) -> None:
    answer = await world.post("hr", LIST, BODY | wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["parameters"] == {"field": field}
    assert (await told(world, "hr"))["total"] == 0
    assert await logged(world, "scores.targets") == []


async def test_a_day_that_is_none_names_its_field(world: World) -> None:
    answer = await world.post("hr", LIST, BODY | {"starts": "2026-02-30"})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["body.starts"])


# --- scores ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "unit", "cards"),
    [
        ("employee", "e1", {("e1", "2026-03")}),
        ("department", "ops", {("e1", "2026-03"), ("e2", "2026-03"), ("e2", "2026-04")}),
        ("everybody", "", {("e1", "2026-03"), ("e2", "2026-03"), ("e2", "2026-04"), ("e3", "2026-03")}),
    ],
)
async def test_scores_of_its_people_from_its_month_on_are_computed_again(
    any_world: World, kind: str, unit: str, cards: set[tuple[str, str]]
) -> None:
    world = any_world
    await make_cards(
        world, ("e1", "2026-02"), ("e1", "2026-03"), ("e2", "2026-03"), ("e2", "2026-04"), ("e3", "2026-03")
    )
    told_of = await put(world, kind=kind, unit=unit)
    assert await touched(world) == cards
    assert told_of == {"targets": 1, "scorecards": len(cards)}
    key = {name: value for name, value in (BODY | {"unit": unit}).items() if name in ("indicator", "unit", "starts")}
    assert (await world.post("hr", REMOVE, key)).json() == told_of
    assert await touched(world) == cards


async def test_who_left_a_department_follows_its_targets_too(any_world: World) -> None:
    """e1 was in fin until February."""
    world = any_world
    await make_cards(world, ("e1", "2026-01"))
    async with world.db.writing() as connection:
        for department, day in (("fin", dt.date(2025, 1, 1)), ("ops", dt.date(2026, 2, 1))):
            row = {"employee": "e1", "from_on": day, "department": department, "site": "d1", "position": "courier"}
            await connection.execute(posts.insert().values(row))
    await put(world, kind="department", unit="fin", starts="2026-01-01")
    assert await touched(world) == {("e1", "2026-01")}


async def test_a_target_is_taken_back_and_the_one_before_holds_again(any_world: World) -> None:
    await put(any_world, starts="2026-01-01", target="1")
    await put(any_world)
    key = {"indicator": SALES, "unit": "e1", "starts": "2026-03-01"}
    assert (await any_world.post("hr", REMOVE, key)).status_code == 200
    [row] = (await told(any_world, "hr"))["rows"]
    assert (row["target"], row["holds"]) == ("1", True)
    assert (await any_world.post("hr", REMOVE, key)).status_code == 404
    [entry] = await logged(any_world, "scores.target_removed")
    assert (entry.object, entry.detail) == (f"{SALES}/e1", {"starts": "2026-03-01"})


# --- files ----------------------------------------------------------------------------------------------------------


async def test_a_file_is_looked_at_and_then_set(any_world: World) -> None:
    world = any_world
    await make_cards(world, ("e1", "2026-03"), ("e3", "2026-03"))
    await put(world, unit="e1", starts="2026-01-01", target="40000")
    await touched(world)
    file = HEADS + f"{SALES},e1,2026/3/1,60000\n{CUSTOMERS},ops,2026-03-01,12.5\n"
    looked = (await send(world, CHECK, file)).json()
    assert (looked["faults"], looked["scorecards"]) == (0, 1)
    first, second = looked["rows"]
    assert (first["line"], first["indicator"]["name_zh"], first["unit"]["name_zh"]) == (2, "销售额", "Wang Fang")
    assert (first["starts"], first["told"]["target"], first["before"]) == ("2026-03-01", "60000", "40000")
    assert (second["line"], second["unit"]["name_en"], second["before"]) == (3, "Ops", None)
    assert ((await told(world, "hr"))["total"], await touched(world)) == (1, set()), "nothing is stored yet"
    assert (await send(world, FILE, file)).json() == {"targets": 2, "scorecards": 1}
    assert ((await told(world, "hr"))["total"], await touched(world)) == (3, {("e1", "2026-03")})
    *_, entry = await logged(world, "scores.targets")
    assert (entry.actor, entry.object, entry.detail) == ("hr", "", {"targets": 2})


async def test_each_fault_of_a_file_has_its_line_and_field_and_nothing_is_stored(any_world: World) -> None:
    looked = (await send(any_world, CHECK, FAULTY)).json()
    found = {one["line"]: {bad["field"]: bad["code"] for bad in one["faults"]} for one in looked["rows"]}
    assert found == {
        2: {"indicator": "targets_indicator"},
        3: {"unit": "targets_unit", "starts": "targets_day", "target": "targets_value"},
        4: {"target": "targets_value"},
        5: {},
        6: {"starts": "targets_twice"},
    }
    assert (looked["faults"], looked["scorecards"]) == (4, 0)
    assert all(bad["reason"] for one in looked["rows"] for bad in one["faults"])
    refused = await send(any_world, FILE, FAULTY)
    assert (refused.status_code, refused.json()["code"]) == (422, "targets_faults")
    assert refused.json()["fields"] == {
        f"{line}.{field}": code for line, bad in found.items() for field, code in bad.items()
    }
    assert (await told(any_world, "hr"))["total"] == 0
    assert await logged(any_world, "scores.targets") == []


@pytest.mark.parametrize(
    ("file", "code", "field"),
    [
        ("indicator,unit,target\nx,y,1\n", "targets_column", "starts"),
        ("indicator,unit,unit,starts,target\nx,y,y,2026-01-01,1\n", "targets_column", "unit"),
        (HEADS, "targets_lines", None),
        (HEADS + "x,,2026-01-01,1\n" * 10_001, "targets_lines", None),
        ("", "no_rows", None),
        (b"PK\x03\x04 no workbook", "bad_file", None),
    ],
)
async def test_a_file_of_something_else_is_refused(
    world: World, file: str | bytes, code: str, field: str | None
) -> None:
    for path in (CHECK, FILE):
        answer = await send(world, path, file)
        assert (answer.status_code, answer.json()["code"], answer.json()["parameters"].get("field")) == (
            422,
            code,
            field,
        )


async def test_a_file_as_office_software_writes_it_is_read(world: World) -> None:
    """GB18030, a byte order mark, heads in capitals and in another order."""
    for text in (
        f"Unit,Indicator,备注,Target,Starts\ne1,{SALES},目标,70000,2026年3月1日\n".encode("gb18030"),
        f"\ufeffUnit,Indicator,备注,Target,Starts\ne1,{SALES},目标,70000,2026/03/01\n".encode(),
    ):
        [row] = (await send(world, CHECK, text)).json()["rows"]
        assert (row["starts"], row["told"]["target"], row["faults"]) == ("2026-03-01", "70000", [])
