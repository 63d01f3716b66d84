"""People by date over HTTP: posts, contracts, numbers, departments, and who may do what to whom."""

import csv
import datetime as dt
import io
from typing import Any

import pytest
from sqlalchemy import select

from server.access.roles import ROLES, Role, permissions_of
from server.services.people_changes import begin_posts
from server.store import tables
from server.store.closing_tables import closings
from server.store.tables import employees, punches, terminal_users, touched_days
from shared.clock import to_ms
from tests.server.api.company import DAY, NOW_MS, ZONE, World

NEW = {
    "id": "e9",
    "name": "孙悟空",
    "department": "ops",
    "site": "d1",
    "position": "courier",
    "joined_on": "2026-03-01",
}
DETAILS = {"name": "Li Lei", "joined_on": "2025-01-01", "left_on": None, "worked_since": None, "email": None}
FIXED: dict[str, Any] = {
    "from_on": "2025-01-01", "to_on": "2026-12-31", "kind": "fixed_term", "work_system": "standard",
    "hours_period": None,
}  # fmt: skip


async def detail(world: World, employee: str = "e2", role: str = "hr") -> dict[str, Any]:
    answer: dict[str, Any] = (await world.get(role, f"/api/employees/{employee}")).json()
    return answer


async def do(world: World, what: str, body: object = None, employee: str = "e2") -> Any:
    return await world.post("hr", f"/api/employees/{employee}/{what}", body)


def post(from_on: str, department: str = "fin", site: str = "d1", position: str = "courier") -> dict[str, str]:
    return {"from_on": from_on, "department": department, "site": site, "position": position}


async def rows(world: World, *columns: Any) -> list[tuple[Any, ...]]:
    async with world.db.reading() as connection:
        return sorted(tuple(row) for row in await connection.execute(select(*columns)))


async def touched(world: World) -> set[tuple[str, dt.date]]:
    return {(row[0], row[1]) for row in await rows(world, touched_days.c.employee, touched_days.c.date)}


async def close(world: World, month: str) -> None:
    async with world.db.writing() as connection:
        values = {"month": month, "closed_ms": NOW_MS, "closed_by": "hr", "summary": {}}
        await connection.execute(closings.insert().values(**values))


# --- one person -----------------------------------------------------------------------------------------------------


async def test_somebody_new_is_there_with_a_first_post(any_world: World) -> None:
    assert (await any_world.post("hr", "/api/employees", NEW)).status_code == 200
    told = await detail(any_world, "e9")
    assert (told["name"], told["today"], told["left_on"], told["contracts"]) == ("孙悟空", "2026-03-02", None, [])
    assert told["posts"] == [post("2026-03-01", "ops")] == [told["post"]]
    assert (await any_world.post("hr", "/api/employees", NEW)).json()["code"] == "id_taken"


@pytest.mark.parametrize("field", ["department", "site", "position"])
async def test_what_is_not_there_is_named(world: World, field: str) -> None:
    told = (await world.post("hr", "/api/employees", {**NEW, field: "nowhere"})).json()
    assert (told["code"], told["parameters"]) == (f"unknown_{field}", {field: "nowhere"})


async def test_a_change_of_post_today_is_in_force_at_once(any_world: World) -> None:
    await do(any_world, "posts", post("2026-03-02"))
    told = await detail(any_world)
    assert [one["from_on"] for one in told["posts"]] == ["2025-01-01", "2026-03-02"]
    assert (await rows(any_world, employees.c.id, employees.c.department))[1] == ("e2", "fin")
    assert (await any_world.get("manager", "/api/employees/e2")).status_code == 404


async def test_a_change_entered_ahead_begins_on_its_day_at_the_site(any_world: World) -> None:
    await do(any_world, "posts", post("2026-03-10"))
    before = to_ms(dt.datetime(2026, 3, 9, 23, 59, tzinfo=ZONE))
    assert (await rows(any_world, employees.c.id, employees.c.department))[1] == ("e2", "ops-north")
    assert await begin_posts(any_world.db, before) == 0
    assert await begin_posts(any_world.db, before + 60_000) == 1
    assert await begin_posts(any_world.db, before + 120_000) == 0
    assert (await rows(any_world, employees.c.id, employees.c.department))[1] == ("e2", "fin")


async def test_a_change_in_the_past_has_its_days_computed_again(any_world: World) -> None:
    done = (await do(any_world, "posts", post("2026-03-01"))).json()
    assert done["days"] == 1
    assert await touched(any_world) == {("e2", DAY)}


async def test_another_zone_reaches_every_day(any_world: World) -> None:
    async with any_world.db.writing() as connection:
        await connection.execute(tables.roster.insert().values(employee="e2", date=dt.date(2026, 2, 1), shift="D"))
    await do(any_world, "posts", post("2026-03-02", "ops-north", "d2"))
    assert await touched(any_world) == {("e2", DAY), ("e2", dt.date(2026, 2, 1))}


async def test_a_change_reaching_into_a_closed_month_is_refused_with_the_month(any_world: World) -> None:
    await close(any_world, "2026-02")
    told = (await do(any_world, "posts", post("2026-02-15"))).json()
    assert (told["code"], told["parameters"]["month"]) == ("month_closed", "2026-02")
    left = (await do(any_world, "details", {**DETAILS, "left_on": "2026-01-31"})).json()
    assert left["code"] == "month_closed"
    assert (await do(any_world, "posts", post("2026-03-01"))).status_code == 200
    late = {**NEW, "joined_on": "2026-02-20"}
    assert (await any_world.post("hr", "/api/employees", late)).status_code == 200, "who is new changes no result"


async def test_a_change_of_post_can_be_taken_back(world: World) -> None:
    before = await detail(world)
    await do(world, "posts", post("2026-03-02"))
    assert (await do(world, "posts/remove", {"from_on": "2026-03-02"})).status_code == 200
    assert await detail(world) == before
    assert (await do(world, "posts/remove", {"from_on": "2025-01-01"})).json()["code"] == "no_such_change"


async def test_details_are_changed_and_make_sense(world: World) -> None:
    told = {**DETAILS, "name": "李雷", "left_on": "2026-03-31", "worked_since": "2015-07-01", "email": "li@example.com"}
    assert (await do(world, "details", told)).status_code == 200
    stored = await detail(world)
    assert {name: stored[name] for name in told} == told
    assert (await do(world, "details", {**told, "left_on": "2024-01-01"})).json()["code"] == "left_before_joined"
    assert (await do(world, "details", {**told, "worked_since": "2025-07-01"})).json()["code"] == "worked_since_late"


async def test_contracts_follow_each_other_and_never_overlap(any_world: World) -> None:
    assert (await do(any_world, "contracts", FIXED)).status_code == 200
    renewal = {**FIXED, "from_on": "2026-12-01", "to_on": None, "kind": "open_ended"}
    assert (await do(any_world, "contracts", renewal)).json()["code"] == "contract_overlap"
    shorter = {**FIXED, "to_on": "2026-11-30", "instead_of": "2025-01-01"}
    assert (await do(any_world, "contracts", shorter)).status_code == 200
    assert (await do(any_world, "contracts", renewal)).status_code == 200
    assert [one["from_on"] for one in (await detail(any_world))["contracts"]] == ["2025-01-01", "2026-12-01"]
    assert (await do(any_world, "contracts/remove", {"from_on": "2026-12-01"})).status_code == 200
    assert len((await detail(any_world))["contracts"]) == 1


async def test_another_work_system_has_its_days_computed_again(any_world: World) -> None:
    await do(any_world, "contracts", FIXED)
    assert await touched(any_world) == set(), "standard hours are what is assumed anyway"
    untimed = {**FIXED, "work_system": "untimed", "instead_of": "2025-01-01"}
    assert (await do(any_world, "contracts", untimed)).json() == {"days": 1}
    assert await touched(any_world) == {("e2", DAY)}


# --- numbers --------------------------------------------------------------------------------------------------------


async def test_a_wrong_number_goes_to_whose_it_is_with_its_punches(any_world: World) -> None:
    move = {"user_group": "g1", "user_code": "2", "to": "e1", "from_on": None}
    assert (await do(any_world, "numbers/move", move)).json()["punches"] == 3
    assert ("g1", "2", "e1") in await rows(any_world, *terminal_users.c)
    owners = await rows(any_world, punches.c.user_code, punches.c.employee)
    assert {owner for code, owner in owners if code == "2"} == {"e1"}
    assert {("e1", DAY), ("e2", DAY)} <= await touched(any_world)


async def test_a_number_is_nobodys_from_a_day_on(any_world: World) -> None:
    move = {"user_group": "g1", "user_code": "2", "to": None, "from_on": "2026-03-03"}
    assert (await do(any_world, "numbers/move", move)).json() == {"punches": 0, "days": 0}
    owners = await rows(any_world, punches.c.user_code, punches.c.employee)
    assert {owner for code, owner in owners if code == "2"} == {"e2"}, "earlier punches stay"
    assert (await detail(any_world))["numbers"] == []
    assert (await do(any_world, "numbers/move", move)).json()["code"] == "number_not_theirs"


async def test_another_number_brings_its_waiting_punches(any_world: World) -> None:
    done = (await do(any_world, "numbers", {"user_group": "g1", "user_code": "77"})).json()
    assert done["punches"] == 2
    assert (await detail(any_world))["numbers"] == [
        {"user_group": "g1", "user_code": "2"}, {"user_group": "g1", "user_code": "77"},
    ]  # fmt: skip
    taken = await do(any_world, "numbers", {"user_group": "g1", "user_code": "1"})
    assert taken.json()["code"] == "number_taken"


async def enrol(world: World, users: list[dict[str, str]]) -> None:
    """What terminal T1 said of who is enrolled."""
    async with world.db.writing() as connection:
        times = {"created_ms": 1, "expires_ms": 2, "sent_ms": 1, "result_ms": 2}
        values = {"id": b"c" * 16, "terminal": "T1", "changes": [], "actor": "it", "message": "", "results": []}
        await connection.execute(tables.commands.insert().values(**values, **times, outcome="done"))
        await connection.execute(tables.command_users.insert().values(command=b"c" * 16, part=1, users=users))


async def test_the_terminals_own_list_suggests_whose_a_number_is(any_world: World) -> None:
    assert (await any_world.get("hr", "/api/unmatched")).json()["rows"][0]["suggestion"] is None
    await enrol(any_world, [{"number": "77", "name": "Zhao Min"}, {"number": "1", "name": "Wang Fang"}])
    [row] = (await any_world.get("hr", "/api/unmatched")).json()["rows"]
    expected = {"employee": "e3", "name": "Zhao Min", "reason": "terminal_name", "terminal": "Door T1"}
    assert row["suggestion"] == expected
    wanted = [{"user_group": "g1", "user_code": "77", "employee": "e3"}]
    done = (await any_world.post("hr", "/api/unmatched/assign-all", {"rows": wanted})).json()
    assert done["punches"] == 2
    assert (await any_world.get("hr", "/api/unmatched")).json()["rows"] == []


async def test_several_numbers_are_assigned_all_or_none(any_world: World) -> None:
    wanted = [
        {"user_group": "g1", "user_code": "77", "employee": "e3"},
        {"user_group": "g1", "user_code": "1", "employee": "e3"},
    ]  # fmt: skip
    refused = await any_world.post("hr", "/api/unmatched/assign-all", {"rows": wanted})
    assert refused.json()["code"] == "number_taken"
    assert len(await rows(any_world, *terminal_users.c)) == 3


# --- departments, positions, sites ----------------------------------------------------------------------------------


async def test_departments_are_added_renamed_moved_and_removed(any_world: World) -> None:
    body = {"name_zh": "华北", "name_en": "North China", "parent": "ops"}
    name = (await any_world.post("hr", "/api/departments", body)).json()["id"]
    assert name == "华北"
    assert (await any_world.post("hr", "/api/departments", body)).json()["code"] == "name_taken"
    moved = {**body, "name_zh": "华北区", "parent": "fin"}
    await any_world.post("hr", f"/api/departments/{name}", moved)
    told = (await any_world.get("hr", "/api/organisation")).json()["departments"]
    assert [(one["parent"], one["name_zh"]) for one in told if one["id"] == name] == [("fin", "华北区")]
    assert {one["id"]: one["people"] for one in told} == {"fin": 2, "ops": 1, "ops-north": 1, "华北": 0}
    assert (await any_world.post("hr", f"/api/departments/{name}/remove")).status_code == 204
    assert (await any_world.post("hr", f"/api/departments/{name}/remove")).status_code == 404


async def test_a_department_never_comes_below_itself(any_world: World) -> None:
    body = {"name_zh": "ops部", "name_en": "Ops", "parent": "ops-north"}
    assert (await any_world.post("hr", "/api/departments/ops", body)).json()["code"] == "department_cycle"


@pytest.mark.parametrize(("name", "code"), [("ops", "department_has_below"), ("fin", "department_used")])
async def test_a_department_in_use_stays(world: World, name: str, code: str) -> None:
    assert (await world.post("hr", f"/api/departments/{name}/remove")).json()["code"] == code


async def test_positions_and_sites_are_named(any_world: World) -> None:
    assert (await any_world.post("hr", "/api/positions", {"name_zh": "司机", "name_en": "Driver"})).json()[
        "id"
    ] == "司机"
    assert (await any_world.post("hr", "/api/positions/courier/remove")).json()["code"] == "position_used"
    assert (await any_world.post("hr", "/api/positions/司机/remove")).status_code == 204
    site = {"id": "d3", "name_zh": "三号站", "name_en": "Depot 3", "zone": "Asia/Nowhere", "calendar": None}
    assert (await any_world.post("hr", "/api/sites", site)).json()["code"] == "bad_zone"
    assert (await any_world.post("hr", "/api/sites", {**site, "zone": "Asia/Shanghai"})).json() == {"id": "d3"}


async def test_another_zone_of_a_site_reaches_the_days_of_its_people(any_world: World) -> None:
    site = {"id": "d1", "name_zh": "一号站", "name_en": "Depot 1", "zone": "Asia/Urumqi", "calendar": None}
    await any_world.post("hr", "/api/sites", site)
    assert {employee for employee, _ in await touched(any_world)} == {"e1", "e2", "e3"}


# --- who may ---------------------------------------------------------------------------------------------------------

WRITES: dict[str, tuple[str, object]] = {
    "/api/employees": ("people.write", NEW),
    "/api/employees/e2/details": ("people.write", DETAILS),
    "/api/employees/e2/posts": ("people.write", post("2026-03-02")),
    "/api/employees/e2/posts/remove": ("people.write", {"from_on": "2026-03-02"}),
    "/api/employees/e2/contracts": ("people.write", FIXED),
    "/api/employees/e2/contracts/remove": ("people.write", {"from_on": "2025-01-01"}),
    "/api/employees/e2/numbers": ("people.map", {"user_group": "g1", "user_code": "55"}),
    "/api/employees/e2/numbers/move": (
        "people.map", {"user_group": "g1", "user_code": "55", "to": None, "from_on": None},
    ),
    "/api/departments": ("people.write", {"name_zh": "新", "name_en": "New", "parent": None}),
    "/api/departments/新": ("people.write", {"name_zh": "旧", "name_en": "Old", "parent": None}),
    "/api/departments/新/remove": ("people.write", None),
    "/api/positions": ("people.write", {"name_zh": "司机", "name_en": "Driver"}),
    "/api/positions/司机/remove": ("people.write", None),
    "/api/sites": (
        "people.write", {"id": "d1", "name_zh": "一", "name_en": "1", "zone": "Asia/Shanghai", "calendar": None},
    ),
    "/api/unmatched/assign-all": (
        "people.map", {"rows": [{"user_group": "g1", "user_code": "77", "employee": "e3"}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
async def test_only_who_may_changes_people(world: World, role: Role) -> None:
    for path, (permission, body) in WRITES.items():
        answer = await world.post(role, path, body)
        assert (answer.status_code == 403) is (permission not in permissions_of(role)), path
        assert answer.status_code in (200, 204, 403), (path, answer.text)
        assert (await world.post(None, path, body)).status_code == 401, path


@pytest.mark.parametrize("path", ["details", "posts", "contracts", "numbers", "numbers/move"])
async def test_an_employee_who_is_not_there_is_not_found(world: World, path: str) -> None:
    body = WRITES[f"/api/employees/e2/{path}"][1]
    assert (await do(world, path, body, "e77")).status_code == 404


@pytest.mark.parametrize("role", ["manager", "hr"])
async def test_sec18_details_lists_and_exports_stay_in_scope(any_world: World, role: str) -> None:
    seen = ["e1", "e2", "e3", "e4"] if role == "hr" else ["e1", "e2"]
    found = [one for one in ("e1", "e2", "e3", "e4") if (await any_world.get(role, f"/api/employees/{one}")).is_success]
    assert found == seen
    told = (await any_world.get(role, "/api/organisation")).json()["departments"]
    assert [one["id"] for one in told] == (["fin", "ops", "ops-north"] if role == "hr" else ["ops", "ops-north"])
    table = (await any_world.get(role, "/api/people/export.csv")).content.decode("utf-8-sig")
    assert sorted(row["工号"] for row in csv.DictReader(io.StringIO(table))) == seen


async def test_what_was_done_is_in_the_operation_log(world: World) -> None:
    await do(world, "posts", post("2026-03-02"))
    log = tables.operation_log
    found = await rows(world, log.c.actor, log.c.action, log.c.object, log.c.ip)
    assert found == [("hr", "people.post", "e2", "10.1.1.1")]
