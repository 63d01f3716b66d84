"""Rosters from and to files: the difference first, every bad row named, nothing half-saved, undone in one."""

from typing import Any

import pytest

from server.store import closing_tables
from tests.server.api.company import World

SHEET = "2026年3月排班表\n工号,姓名,2,3,4\ne1,Wang Fang,D,D,休\ne2,Li Lei,休,D,\n"
OPTIONS = {"month": "", "keep_empty": False, "accept_warnings": True}


async def bring(world: World, role: str, data: bytes, name: str = "march.csv") -> tuple[int, dict[str, Any]]:
    async with world.client(role) as client:
        answer = await client.post(f"/api/imports?kind=roster&name={name}", content=data)
    return answer.status_code, answer.json()


async def meaning(world: World, role: str, data: bytes, **options: bool | str) -> tuple[int, dict[str, Any]]:
    _, opened = await bring(world, role, data)
    return opened["file"]["id"], {"mapping": opened["mapping"], "options": {**OPTIONS, **options}}


async def check(world: World, role: str, data: bytes, **options: bool | str) -> dict[str, Any]:
    number, body = await meaning(world, role, data, **options)
    found: dict[str, Any] = (await world.post(role, f"/api/imports/{number}/check", body)).json()
    return found


async def cells(world: World, employee: str) -> list[tuple[list[str], str | None]]:
    board = (await world.get("hr", "/api/rosters?first=2026-03-02&last=2026-03-04")).json()
    [row] = [row for row in board["people"] if row["id"] == employee]
    return [(cell["shifts"], cell["origin"]) for cell in row["cells"]]


async def test_the_difference_is_shown_then_imported_then_undone(any_world: World) -> None:
    number, body = await meaning(any_world, "hr", SHEET.encode())
    looked = (await any_world.post("hr", f"/api/imports/{number}/check", body)).json()
    assert (looked["added"], looked["changed"], looked["same"], looked["problems"]) == (2, 1, 3, [])
    tuesday = {"field": "2026-03-03", "before": "休", "after": "D"}
    assert [(row["row"], row["object"], row["fields"]) for row in looked["changes"]] == [
        (3, "e1", [tuesday]),
        (4, "e2", [{"field": "2026-03-02", "before": "D", "after": "休"}, tuesday]),
    ]
    assert await cells(any_world, "e2") == [(["D"], "manual"), ([], None), ([], None)]
    assert (await any_world.post("hr", f"/api/imports/{number}/apply", body)).status_code == 200
    assert await cells(any_world, "e2") == [([], None), (["D"], "import"), ([], None)]
    assert (await any_world.post("hr", f"/api/imports/{number}/undo")).status_code == 200
    assert await cells(any_world, "e2") == [(["D"], "manual"), ([], None), ([], None)]
    assert await cells(any_world, "e1") == [(["D"], "manual"), ([], None), ([], None)]


async def test_unknown_people_shifts_and_dates_are_named_by_row_and_nothing_is_saved(any_world: World) -> None:
    bad = "排班\n工号,姓名,2,30\ne9,Nobody,D,\ne1,Wang Fang,X,\ne2,Li Lei,D,D\n"
    number, body = await meaning(any_world, "hr", bad.encode(), month="2026-02")
    looked = (await any_world.post("hr", f"/api/imports/{number}/check", body)).json()
    assert [(one["row"], one["field"], one["code"]) for one in looked["problems"]] == [
        (None, "30", "no_such_date"),
        (3, "employee", "unknown_employee"),
        (4, "2026-02-02", "unknown_shift"),
    ]
    refused = await any_world.post("hr", f"/api/imports/{number}/apply", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_rows")
    board = (await any_world.get("hr", "/api/rosters?first=2026-02-02&last=2026-02-02")).json()
    assert board["days"][0]["coverage"] == {}


async def test_conflicts_and_warnings_of_a_file_are_told_by_row(world: World) -> None:
    shift = {"id": "L", "name_zh": "晚班", "name_en": "Late", "start": "13:00", "end": "21:00"}
    await world.post("hr", "/api/shifts", shift)
    clash = "2026年3月\n工号,姓名,9,10\ne1,Wang Fang,D+L,\ne2,Li Lei,D,D\n"
    looked = await check(world, "hr", clash.encode())
    assert [(one["row"], one["field"], one["code"]) for one in looked["problems"]] == [(3, "2026-03-09", "overlap")]
    assert [row["object"] for row in looked["changes"]] == ["e2"]
    looked = await check(world, "hr", clash.encode(), accept_warnings=False)
    assert {one["code"] for one in looked["problems"]} == {"overlap", "day_over_8h"}


async def test_a_manager_imports_only_own_people(any_world: World) -> None:
    foreign = "2026年3月\n工号,姓名,9\ne2,Li Lei,D\ne3,Zhao Min,D\n"
    looked = await check(any_world, "manager", foreign.encode())
    assert [(one["row"], one["code"]) for one in looked["problems"]] == [(4, "unknown_employee")]
    assert (await bring(any_world, "employee", SHEET.encode()))[0] == 403


async def test_a_file_without_a_month_asks_for_one(world: World) -> None:
    plain = "排班表\n工号,姓名,合计\ne2,Li Lei,22\n"
    assert [one["code"] for one in (await check(world, "hr", plain.encode()))["problems"]] == ["no_days"]
    two = "排班表\n工号,姓名,9,10\ne2,Li Lei,D,D\n"
    assert [one["code"] for one in (await check(world, "hr", two.encode()))["problems"]] == ["which_month"]
    assert (await check(world, "hr", two.encode(), month="2026-03"))["added"] == 2
    wrong = await check(world, "hr", two.encode(), month="soon")
    assert [one["code"] for one in wrong["problems"]] == ["no_such_month"]


async def test_what_was_planned_anew_since_keeps_a_file_from_being_undone(world: World) -> None:
    number, body = await meaning(world, "hr", SHEET.encode())
    await world.post("hr", f"/api/imports/{number}/apply", body)
    edit = {"kind": "set", "people": ["e2"], "dates": ["2026-03-03"], "shifts": []}
    await world.post("hr", "/api/rosters", {"edits": [edit]})
    refused = (await world.post("hr", f"/api/imports/{number}/undo")).json()
    assert (refused["code"], refused["parameters"]["date"]) == ("changed_since", "2026-03-03")


async def test_a_closed_month_takes_no_file(world: World) -> None:
    async with world.db.writing() as connection:
        row = {"month": "2026-03", "closed_ms": 1, "closed_by": "hr", "summary": {}}
        await connection.execute(closing_tables.closings.insert().values(row))
    looked = await check(world, "hr", SHEET.encode())
    assert {one["code"] for one in looked["problems"]} == {"month_closed"}
    assert looked["changes"] == []


@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_an_exported_month_reads_back_without_a_change(any_world: World, language: str) -> None:
    answer = await any_world.get("hr", f"/api/rosters/file?month=2026-03&language={language}")
    assert (answer.status_code, answer.content[:2]) == (200, b"PK")
    looked = await check(any_world, "hr", answer.content)
    assert (looked["problems"], looked["added"], looked["changed"], looked["same"]) == ([], 0, 0, 124)


async def test_an_exported_month_holds_only_people_in_scope(world: World) -> None:
    answer = await world.get("manager", "/api/rosters/file?month=2026-03")
    assert (await check(world, "hr", answer.content))["same"] == 62
    assert (await world.get("employee", "/api/rosters/file?month=2026-03")).status_code == 403
