"""Planning over HTTP: what is refused and why, and that managers plan their own departments only."""

import datetime as dt
from typing import Any

import pytest

from server.store import closing_tables
from tests.server.api.company import World

WEEK = [f"2026-03-{day:02}" for day in range(9, 16)]
NIGHT = {"id": "N", "name_zh": "夜班", "name_en": "Night", "start": "22:00", "end": "06:00"}
LATE = {"id": "L", "name_zh": "晚班", "name_en": "Late", "start": "13:00", "end": "21:00", "code": "晚"}


def plan(shifts: list[str], *dates: str, people: tuple[str, ...] = ("e2",)) -> dict[str, Any]:
    return {"kind": "set", "people": list(people), "dates": list(dates), "shifts": shifts}


async def save(world: World, role: str, *edits: dict[str, Any], accept: bool = False) -> tuple[int, dict[str, Any]]:
    answer = await world.post(role, "/api/rosters", {"edits": list(edits), "accept_warnings": accept})
    return answer.status_code, answer.json()


async def cells(world: World, role: str, employee: str, first: str, last: str) -> list[list[str]]:
    board = (await world.get(role, f"/api/rosters?first={first}&last={last}")).json()
    [row] = [row for row in board["people"] if row["id"] == employee]
    return [cell["shifts"] for cell in row["cells"]]


async def add_shifts(world: World) -> None:
    for body in (NIGHT, LATE):
        assert (await world.post("hr", "/api/shifts", body)).status_code == 200


async def close(world: World, month: str) -> None:
    async with world.db.writing() as connection:
        row = {"month": month, "closed_ms": 1, "closed_by": "hr", "summary": {}}
        await connection.execute(closing_tables.closings.insert().values(row))


# --- rosters --------------------------------------------------------------------------------------------------------


async def test_the_board_shows_the_people_in_scope_with_their_shifts(any_world: World) -> None:
    board = (await any_world.get("manager", "/api/rosters?first=2026-03-02&last=2026-03-08")).json()
    assert {row["id"]: row["cells"][0] for row in board["people"]} == {
        "e1": {"shifts": ["D"], "origin": "manual"},
        "e2": {"shifts": ["D"], "origin": "manual"},
    }
    assert [day["coverage"] for day in board["days"]][:2] == [{"D": 2}, {}]
    assert (board["total"], board["days"][5]["types"]) == (2, {"d1": "restday"})
    assert (await any_world.get("hr", "/api/rosters?first=2026-03-02&last=2026-03-08")).json()["total"] == 4


async def test_without_dates_the_board_is_of_the_present_week(world: World) -> None:
    board = (await world.get("hr", "/api/rosters")).json()
    assert (board["first"], board["last"], board["today"]) == ("2026-03-02", "2026-03-08", "2026-03-02")


async def test_a_conflict_is_shown_then_refused_and_the_mended_plan_is_saved(any_world: World) -> None:
    await add_shifts(any_world)
    clash = plan(["D", "L"], "2026-03-09")
    looked = (await any_world.post("manager", "/api/rosters/check", {"edits": [clash]})).json()
    assert (looked["level"], looked["counts"]) == ("conflict", {"overlap": 1})
    assert looked["findings"][0]["params"]["other_date"] == "2026-03-09"
    status, refused = await save(any_world, "manager", clash, accept=True)
    assert (status, refused["code"]) == (422, "roster_conflict")
    assert refused["parameters"] == {"e2 2026-03-09": "overlap"}
    assert (await save(any_world, "manager", clash, plan(["L"], "2026-03-09")))[0] == 200
    assert await cells(any_world, "manager", "e2", "2026-03-09", "2026-03-10") == [["L"], []]


async def test_warnings_of_the_law_have_to_be_accepted(world: World) -> None:
    status, refused = await save(world, "hr", plan(["D"], *WEEK))
    assert (status, refused["code"]) == (422, "roster_warning")
    status, saved = await save(world, "hr", plan(["D"], *WEEK), accept=True)
    assert (status, saved["level"], saved["days"]) == (200, "warning", 7)
    assert {"no_weekly_rest", "week_over_44h"} <= set(saved["counts"])


@pytest.mark.parametrize(
    "edit",
    [
        plan(["D"], "2026-03-09", people=("e3",)),
        plan(["D"], "2026-03-09", people=("e2", "e4")),
        {"kind": "copy", "who": {"people": ["e3"]}, "first": "2026-03-02", "last": "2026-03-08"},
        {"kind": "swap", "a": "e2", "b": "e3", "a_on": "2026-03-02", "b_on": "2026-03-02"},
        {"kind": "fill", "who": {"people": ["e999"]}, "first": "2026-03-02", "last": "2026-03-08"},
    ],
)
async def test_a_manager_plans_nobody_of_another_department(world: World, edit: dict[str, Any]) -> None:
    assert (await world.post("manager", "/api/rosters/check", {"edits": [edit]})).status_code == 404
    assert (await save(world, "manager", edit))[0] == 404
    assert await cells(world, "hr", "e4", "2026-03-09", "2026-03-09") == [[]]


async def test_all_in_scope_are_only_the_managers_own(world: World) -> None:
    copy = {"kind": "copy", "who": {}, "first": "2026-03-02", "last": "2026-03-08", "weeks": 1}
    assert (await save(world, "manager", copy, accept=True))[1]["people"] == 2
    assert await cells(world, "hr", "e3", "2026-03-09", "2026-03-09") == [[]]
    assert await cells(world, "hr", "e2", "2026-03-09", "2026-03-09") == [["D"]]


async def test_a_closed_month_can_not_be_planned(any_world: World) -> None:
    await close(any_world, "2026-03")
    status, refused = await save(any_world, "hr", plan([], "2026-03-02"))
    assert (status, refused["parameters"]) == (422, {"e2 2026-03-02": "month_closed"})


@pytest.mark.parametrize(("role", "status"), [("employee", 403), ("it", 403), (None, 401)])
async def test_others_neither_see_nor_plan(world: World, role: str | None, status: int) -> None:
    assert (await world.get(role, "/api/rosters")).status_code == status
    body = {"edits": [plan(["D"], "2026-03-09")]}
    assert (await world.post(role, "/api/rosters", body)).status_code == status
    assert (await world.post(role, "/api/rosters/check", body)).status_code == status


# --- shifts and patterns --------------------------------------------------------------------------------------------


async def test_a_shift_is_added_checked_and_retired(any_world: World) -> None:
    await add_shifts(any_world)
    assert (await any_world.post("hr", "/api/shifts", NIGHT)).json()["code"] == "shift_exists"
    rows = {row["id"]: row for row in (await any_world.get("manager", "/api/shifts")).json()["shifts"]}
    assert (rows["L"]["code"], rows["L"]["net_min"], rows["D"]["days"]) == ("晚", 480, 4)
    assert (await any_world.post("hr", "/api/shifts/L/retire", {"retired": True})).status_code == 204
    assert (await save(any_world, "hr", plan(["L"], "2026-03-09")))[1]["parameters"] == {
        "e2 2026-03-09": "retired_shift"
    }


async def test_a_senseless_shift_is_refused_with_the_field(world: World) -> None:
    body = {**LATE, "breaks": [["09:00", "10:00"]]}
    refused = (await world.post("hr", "/api/shifts", body)).json()
    assert (refused["code"], refused["parameters"]) == ("unusable", {"breaks": "break_outside"})
    assert (await world.post("hr", "/api/shifts", {**LATE, "code": "D"})).json()["parameters"] == {"code": "code_taken"}


async def test_times_of_a_shift_in_a_closed_month_stay(any_world: World) -> None:
    await close(any_world, "2026-03")
    later = {"id": "D", "name_zh": "白班", "name_en": "Day", "start": "09:30", "end": "18:30"}
    looked = (await any_world.post("hr", "/api/shifts/check", later)).json()
    assert (looked["closed"], looked["days"], looked["copy_id"]) == (["2026-03"], 4, "D-2")
    refused = (await any_world.post("hr", "/api/shifts/D", later)).json()
    assert (refused["code"], refused["parameters"]) == ("shift_in_closed_month", {"months": "2026-03", "copy": "D-2"})
    renamed = {**later, "start": "09:00", "end": "18:00", "name_en": "Day shift"}
    assert (await any_world.post("hr", "/api/shifts/D", renamed)).status_code == 200


async def test_other_times_of_a_planned_shift_compute_its_days_again(any_world: World) -> None:
    later = {"id": "D", "name_zh": "白班", "name_en": "Day", "start": "09:30", "end": "18:30"}
    assert (await any_world.post("hr", "/api/shifts/D", later)).json()["days"] == 4
    rows = (await any_world.get("hr", "/api/shifts")).json()["shifts"]
    assert (rows[0]["start"], rows[0]["flex"]) == ("09:30", None)


async def test_a_pattern_is_laid_out_for_a_group_and_later_members_follow(any_world: World) -> None:
    week = {"id": "week", "name_zh": "标准周", "name_en": "Week", "kind": "weekly", "days": [["D"]] * 5 + [[], []]}
    assert (await any_world.post("hr", "/api/patterns", week)).status_code == 204
    group = {"id": "g", "name_zh": "一组", "name_en": "Group", "pattern": "week"}
    assert (await any_world.post("hr", "/api/attendance-groups", group)).status_code == 204
    members = {"people": ["e1", "e2"], "from_on": "2026-03-01"}
    assert (await any_world.post("hr", "/api/attendance-groups/g/members", members)).status_code == 200
    fill = {"kind": "fill", "who": {"group": "g"}, "first": "2026-03-09", "last": "2026-03-22"}
    assert (await save(any_world, "hr", fill, accept=True))[1]["days"] == 20
    joined = {"people": ["e3"], "from_on": "2026-03-16"}
    assert (await any_world.post("hr", "/api/attendance-groups/g/members", joined)).status_code == 200
    assert await cells(any_world, "hr", "e3", "2026-03-15", "2026-03-22") == [[]] + [["D"]] * 5 + [[], []]
    [shown] = (await any_world.get("manager", "/api/attendance-groups")).json()["groups"]
    assert (shown["planned_until"], shown["people"]) == ("2026-03-22", 2)
    seen = (await any_world.get("manager", "/api/attendance-groups/g/members")).json()["members"]
    assert [row["employee"] for row in seen] == ["e2", "e1"]
    assert (await any_world.post("hr", "/api/patterns/week/drop")).json()["code"] == "pattern_used"


async def test_a_pattern_leaves_alone_what_people_have_planned(world: World) -> None:
    await add_shifts(world)
    week = {"id": "week", "name_zh": "周", "name_en": "Week", "kind": "weekly", "days": [["D"]] * 5 + [[], []]}
    await world.post("hr", "/api/patterns", week)
    await world.post("hr", "/api/attendance-groups", {"id": "g", "name_zh": "组", "name_en": "G", "pattern": "week"})
    await world.post("hr", "/api/attendance-groups/g/members", {"people": ["e2"], "from_on": "2026-03-01"})
    assert (await save(world, "hr", plan(["L"], "2026-03-10")))[0] == 200
    fill: dict[str, Any] = {"kind": "fill", "who": {"group": "g"}, "first": "2026-03-09", "last": "2026-03-11"}
    assert (await save(world, "hr", fill, accept=True))[0] == 200
    assert await cells(world, "hr", "e2", "2026-03-09", "2026-03-11") == [["D"], ["L"], ["D"]]
    assert (await save(world, "hr", {**fill, "over": True}, accept=True))[0] == 200
    assert await cells(world, "hr", "e2", "2026-03-09", "2026-03-11") == [["D"]] * 3


async def test_a_pattern_on_the_calendar_is_shown_before_it_is_saved(world: World) -> None:
    cycle = {"id": "c", "name_zh": "倒班", "name_en": "Cycle", "kind": "cycle", "days": [["D"], [], []]}
    body = {"pattern": cycle, "anchor_on": "2026-03-02", "first": "2026-03-01", "last": "2026-03-05"}
    laid = (await world.post("hr", "/api/patterns/layout", body)).json()["days"]
    assert [day["shifts"] for day in laid] == [[], ["D"], [], [], ["D"]]
    unknown = {**cycle, "days": [["X"]]}
    assert (await world.post("hr", "/api/patterns", unknown)).json()["parameters"] == {"days": "unknown_shift"}
    refused = await world.post(
        "hr", "/api/attendance-groups", {"id": "g", "name_zh": "g", "name_en": "g", "pattern": "c"}
    )
    assert refused.json()["parameters"] == {"pattern": "unknown_pattern"}


# --- groups and policies --------------------------------------------------------------------------------------------


async def with_group(world: World) -> None:
    await world.post("hr", "/api/attendance-groups", {"id": "g", "name_zh": "组", "name_en": "Group"})
    await world.post("hr", "/api/attendance-groups/g/members", {"people": ["e1", "e2"], "from_on": "2026-03-01"})


async def test_a_policy_is_looked_at_published_and_taken_back(any_world: World) -> None:
    await with_group(any_world)
    body: dict[str, Any] = {"group": "g", "from_on": "2026-03-01", "settings": {"late_grace_min": 5}}
    looked = (await any_world.post("hr", "/api/policies/check", body)).json()
    assert looked["changes"] == [{"name": "late_grace_min", "before": None, "after": 5}]
    assert (looked["people"], looked["days"], looked["closed"]) == (2, 2, [])
    assert (await any_world.post("hr", "/api/policies", body)).status_code == 200
    listed = (await any_world.get("hr", "/api/policies")).json()
    assert [(row["group"], row["settings"]) for row in listed["versions"]] == [("g", {"late_grace_min": 5})]
    assert listed["defaults"]["window_before_min"] == 120
    taken = {"group": "g", "from_on": "2026-03-01"}
    assert (await any_world.post("hr", "/api/policies/withdraw", taken)).json() == {"days": 2}
    assert (await any_world.post("hr", "/api/policies/withdraw", taken)).status_code == 404


async def test_settings_that_make_no_policy_are_refused_by_name(world: World) -> None:
    body = {"from_on": "2026-03-01", "settings": {"late_grace_min": -1, "colour": "red"}}
    for path in ("/api/policies/check", "/api/policies"):
        refused = (await world.post("hr", path, body)).json()
        assert refused["code"] == "policy_settings"
        assert refused["parameters"] == {"late_grace_min": "range", "colour": "unknown"}


async def test_a_closed_month_keeps_its_policy_and_its_groups(any_world: World) -> None:
    await with_group(any_world)
    await close(any_world, "2026-03")
    body = {"group": "g", "from_on": "2026-03-15", "settings": {"late_grace_min": 5}}
    assert (await any_world.post("hr", "/api/policies/check", body)).json()["closed"] == ["2026-03"]
    assert (await any_world.post("hr", "/api/policies", body)).json()["code"] == "month_closed"
    assert (await any_world.post("hr", "/api/policies", {**body, "from_on": "2026-04-01"})).status_code == 200
    joining = {"people": ["e3"], "from_on": "2026-03-20"}
    assert (await any_world.post("hr", "/api/attendance-groups/g/members", joining)).json()["code"] == "month_closed"


async def test_people_leave_a_group_on_a_date(any_world: World) -> None:
    await with_group(any_world)
    end = {"people": ["e2"], "last": "2026-03-10"}
    assert (await any_world.post("hr", "/api/attendance-groups/g/members/end", end)).status_code == 200
    rows = (await any_world.get("hr", "/api/attendance-groups/g/members")).json()["members"]
    assert {row["employee"]: row["to_on"] for row in rows} == {"e1": None, "e2": "2026-03-10"}
    assert (await any_world.post("hr", "/api/attendance-groups/g/members/end", end)).status_code == 200
    later = {"people": ["e2"], "last": "2026-04-10"}
    assert (await any_world.post("hr", "/api/attendance-groups/g/members/end", later)).json()["code"] == "not_member"


WRITES = [
    ("/api/shifts", NIGHT),
    ("/api/shifts/check", NIGHT),
    ("/api/shifts/D", NIGHT),
    ("/api/shifts/D/retire", {"retired": True}),
    ("/api/patterns", {"id": "p", "name_zh": "p", "name_en": "p", "kind": "weekly", "days": []}),
    ("/api/patterns/p/drop", None),
    ("/api/attendance-groups", {"id": "g", "name_zh": "g", "name_en": "g"}),
    ("/api/attendance-groups/g/members", {"people": ["e1"], "from_on": str(dt.date(2026, 3, 1))}),
    ("/api/attendance-groups/g/members/end", {"people": ["e1"], "last": "2026-03-01"}),
    ("/api/policies", {"from_on": "2026-03-01", "settings": {}}),
    ("/api/policies/check", {"from_on": "2026-03-01", "settings": {}}),
    ("/api/policies/withdraw", {"from_on": "2026-03-01"}),
]


@pytest.mark.parametrize("role", ["manager", "employee", "it"])
@pytest.mark.parametrize(("path", "body"), WRITES)
async def test_shifts_groups_and_policies_are_hrs(world: World, role: str, path: str, body: object) -> None:
    assert (await world.post(role, path, body)).status_code == 403
