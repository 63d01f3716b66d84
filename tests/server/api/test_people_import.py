"""Files of people: read, checked by row, applied as of a date, and undone exactly."""

import csv
import datetime as dt
import io
import random
from typing import Any

import pytest
import xlsxwriter
from sqlalchemy import select

from server.store import tables
from server.store.closing_tables import closings
from server.store.people_tables import contracts, positions, posts
from tests.server.api.company import NOW_MS, World

HEADER = ["工号", "姓名", "部门", "岗位", "站点", "入职日期", "离职日期", "参加工作日期", "邮箱", "合同类型",
          "合同开始", "合同结束", "工时制", "考勤号"]  # fmt: skip
NEW = ["e9", "孙悟空", "ops部/ops-north部", "courier", "一号站", "2026年3月2日", "", "2015/7/1", "sun@example.com",
       "固定期限", "2026-03-02", "2029-03-01", "综合工时(季)", "g1/77"]  # fmt: skip
CHANGED = ["e2", "李雷", "fin", "", "", "", "", "", "", "", "", "", "", ""]
SAME = ["e1", "Wang Fang", "ops", "courier", "d1", "2025-01-01", "", "", "", "", "", "", "", "g1/1"]


def table(*rows: list[str]) -> bytes:
    target = io.StringIO()
    csv.writer(target).writerows([HEADER, *rows])
    return target.getvalue().encode("gb18030")


async def bring(world: World, data: bytes) -> tuple[int, dict[str, str]]:
    async with world.client("hr") as client:
        told = (await client.post("/api/imports?kind=people&name=p.csv", content=data)).json()
    return told["file"]["id"], told["mapping"]


async def check(world: World, data: bytes, **options: Any) -> dict[str, Any]:
    number, mapping = await bring(world, data)
    body = {"mapping": mapping, "options": options}
    told: dict[str, Any] = (await world.post("hr", f"/api/imports/{number}/check", body)).json()
    return told


async def apply(world: World, data: bytes, **options: Any) -> tuple[int, dict[str, Any]]:
    number, mapping = await bring(world, data)
    body = {"mapping": mapping, "options": options}
    return number, (await world.post("hr", f"/api/imports/{number}/apply", body)).json()


async def problems(world: World, *rows: list[str], **options: Any) -> list[tuple[int, str, str]]:
    told = await check(world, table(*rows), **options)
    return [(one["row"], one["field"], one["code"]) for one in told["problems"]]


async def everything(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """All that is known about people."""
    kept = (tables.employees, posts, tables.departments, positions, tables.terminal_users)
    columns: dict[str, list[Any]] = {table.name: list(table.c) for table in kept}
    columns["contracts"] = [column for column in contracts.c if column.name != "id"]
    columns["punches"] = [tables.punches.c.id, tables.punches.c.employee]
    async with world.db.reading() as connection:
        return {
            name: sorted((tuple(row) for row in await connection.execute(select(*chosen))), key=repr)
            for name, chosen in columns.items()
        }


def cell(name: str, text: str, row: list[str] = NEW) -> list[str]:
    return [text if heading == name else value for heading, value in zip(HEADER, row, strict=True)]


async def record_posts(world: World) -> None:
    """Everybody's post on record, as a migration writes it."""
    people, names = tables.employees.c, ("department", "site", "position")
    async with world.db.writing() as connection:
        which = select(people.id, people.joined_on, *(people[name] for name in names))
        await connection.execute(posts.insert().from_select(["employee", "from_on", *names], which))


# --- what a file does -----------------------------------------------------------------------------------------------


async def test_a_check_tells_what_is_new_changed_and_the_same(any_world: World) -> None:
    told = await check(any_world, table(NEW, CHANGED, SAME))
    assert (told["added"], told["changed"], told["same"], told["problems"]) == (1, 1, 1, [])
    new, changed = told["changes"]
    assert (new["kind"], new["object"], new["name"]) == ("added", "e9", "孙悟空")
    assert {field["field"]: field["after"] for field in new["fields"]} == {
        "name": "孙悟空", "department": "ops部/ops-north部", "site": "一号站", "position": "配送员",
        "joined_on": "2026-03-02", "worked_since": "2015-07-01", "email": "sun@example.com", "numbers": "g1/77",
        "contract_kind": "fixed_term", "contract_from": "2026-03-02", "contract_to": "2029-03-01",
        "work_system": "comprehensive quarter",
    }  # fmt: skip
    assert {field["field"]: (field["before"], field["after"]) for field in changed["fields"]} == {
        "name": ("Li Lei", "李雷"), "department": ("ops部/ops-north部", "fin部"), "post_from": ("", "2026-03-02"),
    }  # fmt: skip


async def test_what_was_applied_is_there_and_punches_follow(any_world: World) -> None:
    _, told = await apply(any_world, table(NEW, CHANGED, SAME))
    assert told["result"] | {"days": 0} == {
        "added": 1, "changed": 1, "same": 1, "skipped": 0, "punches": 2, "days": 0,
    }  # fmt: skip
    person = (await any_world.get("hr", "/api/employees/e9")).json()
    assert (person["post"]["department"], person["worked_since"]) == ("ops-north", "2015-07-01")
    assert person["contracts"][0]["hours_period"] == "quarter"
    assert (await any_world.get("hr", "/api/unmatched")).json()["rows"] == []
    assert (await any_world.get("hr", "/api/employees/e2")).json()["post"]["department"] == "fin"


async def test_a_change_may_be_dated_ahead_or_back(world: World) -> None:
    await apply(world, table(CHANGED), effective_on="2026-04-01")
    person = (await world.get("hr", "/api/employees/e2")).json()
    assert (person["post"]["department"], person["posts"][-1]["from_on"]) == ("ops-north", "2026-04-01")


async def test_unknown_departments_and_positions_are_made_only_when_asked(any_world: World) -> None:
    rows = [cell("部门", "总部/运营"), cell("部门", "总部/人事", cell("工号", "e10", cell("考勤号", "")))]
    rows = [cell("岗位", "司机", row) for row in rows]
    assert await problems(any_world, *rows) == [
        (2, "department", "unknown_department"), (2, "position", "unknown_position"),
        (3, "department", "unknown_department"), (3, "position", "unknown_position"),
    ]  # fmt: skip
    _, told = await apply(any_world, table(*rows), create_missing=True)
    assert told["state"] == "applied"
    found = (await any_world.get("hr", "/api/organisation")).json()
    tree = {one["name_zh"]: one["parent"] for one in found["departments"]}
    assert (tree["总部"], tree["运营"], tree["人事"]) == (None, "总部", "总部")


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("工号", "", ("id", "empty")),
        ("姓名", "", ("name", "empty")),
        ("部门", "", ("department", "empty")),
        ("部门", "火星", ("department", "unknown_department")),
        ("站点", "d9", ("site", "unknown_site")),
        ("入职日期", "3/2/2026", ("joined_on", "bad_date")),
        ("离职日期", "2026-01-01", ("joined_on", "left_before_joined")),
        ("邮箱", "sun", ("email", "bad_email")),
        ("合同类型", "口头", ("contract_kind", "unknown_word")),
        ("合同结束", "", ("contract_from", "contract_needs_end")),
        ("合同结束", "2026-01-01", ("contract_from", "contract_ends_first")),
        ("工时制", "弹性", ("work_system", "unknown_word")),
        ("考勤号", "g1/1", ("numbers", "number_taken")),
        ("考勤号", "g7/1", ("numbers", "unknown_group")),
    ],
)
async def test_a_bad_row_is_named_with_field_and_reason(
    world: World, field: str, text: str, code: tuple[str, str]
) -> None:
    assert await problems(world, SAME, cell(field, text)) == [(3, *code)]


async def test_somebody_twice_and_a_number_twice_are_named(world: World) -> None:
    assert await problems(world, NEW, cell("考勤号", "")) == [(3, "id", "twice")]
    assert await problems(world, NEW, cell("工号", "e10")) == [(3, "numbers", "number_taken")]


async def test_a_change_into_a_closed_month_is_a_problem_of_its_row(world: World) -> None:
    async with world.db.writing() as connection:
        values = {"month": "2026-02", "closed_ms": NOW_MS, "closed_by": "hr", "summary": {}}
        await connection.execute(closings.insert().values(**values))
    assert await problems(world, CHANGED, effective_on="2026-02-10") == [(2, "effective_on", "month_closed")]
    assert await problems(world, CHANGED, effective_on="2026-03-01") == []


async def test_a_bad_row_leaves_nothing_behind_when_it_is_skipped(world: World) -> None:
    bad = cell("邮箱", "x", cell("工号", "e10", cell("部门", "新部门")))
    late = cell("离职日期", "2020-01-01", cell("工号", "e11", cell("部门", "又一个")))
    _, told = await apply(world, table(NEW, bad, late), create_missing=True, skip_bad_rows=True)
    assert told["result"]["skipped"] == 2
    names = {one["name_zh"] for one in (await world.get("hr", "/api/organisation")).json()["departments"]}
    assert not names & {"新部门", "又一个"}


def workbook(rows: list[list[object]]) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        day, page = book.add_format({"num_format": "yyyy/m/d"}), book.add_worksheet()
        for r, row in enumerate(rows):
            for c, value in enumerate(row):
                page.write_datetime(r, c, value, day) if isinstance(value, dt.date) else page.write(r, c, value)
    return target.getvalue()


async def test_a_workbook_with_a_title_real_dates_and_numbers_reads_alike(world: World) -> None:
    header = ["Employee ID", "Name", "Department", "Position", "Site", "Hire date"]
    rows: list[list[object]] = [["花名册"], [*header], [1007, "孙悟空", "fin", "courier", "d1", dt.date(2026, 3, 2)]]
    told = await check(world, workbook(rows))
    assert [(one["row"], one["object"]) for one in told["changes"]] == [(3, "1007")]
    joined = [field["after"] for field in told["changes"][0]["fields"] if field["field"] == "joined_on"]
    assert joined == ["2026-03-02"]
    rows[2][-1] = 46083
    assert [field["after"] for field in (await check(world, workbook(rows)))["changes"][0]["fields"]
            if field["field"] == "joined_on"] == ["2026-03-02"]  # fmt: skip


async def test_an_export_brought_back_says_nothing_new(any_world: World) -> None:
    await apply(any_world, table(NEW, CHANGED))
    data = (await any_world.get("hr", "/api/people/export.csv")).content
    told = await check(any_world, data)
    assert (told["added"], told["changed"], told["same"], told["problems"]) == (0, 0, 5, [])


# --- undo -----------------------------------------------------------------------------------------------------------


async def test_undoing_leaves_everything_as_it_was(any_world: World) -> None:
    await record_posts(any_world)
    before = await everything(any_world)
    rows = [cell("部门", "总部/运营", cell("岗位", "司机")), CHANGED]
    number, told = await apply(any_world, table(*rows), create_missing=True)
    assert told["state"] == "applied"
    assert await everything(any_world) != before
    assert (await any_world.post("hr", f"/api/imports/{number}/undo")).json()["state"] == "undone"
    assert await everything(any_world) == before


@pytest.mark.parametrize("seed", range(12))
async def test_any_file_is_undone_exactly(world: World, seed: int) -> None:
    dice = random.Random(seed)
    await record_posts(world)
    if dice.random() < 0.5:
        await apply(world, table(CHANGED), effective_on=dice.choice(["2026-01-15", "2026-04-01"]))
    before = await everything(world)
    rows = []
    for employee in dice.sample(["e1", "e2", "e3", "e4", "e9", "e10", "e11"], dice.randint(1, 7)):
        row = dict.fromkeys(HEADER, "")
        fresh = employee not in ("e1", "e2", "e3", "e4")
        choices = {
            "姓名": ["甲", "乙"], "部门": ["ops", "fin部", "总部/人事", "新部门"], "岗位": ["courier", "司机"],
            "站点": ["d1", "二号站"], "入职日期": ["2025-06-01", "2026-03-09"], "离职日期": ["2027-01-01"],
            "参加工作日期": ["2010-01-01"], "邮箱": ["a@example.com"], "考勤号": ["g1/77", f"g1/5{employee[1:]}"],
            "合同开始": ["2026-03-09"], "合同结束": ["2028-01-01"], "工时制": ["不定时", "综合工时(年)"],
        }  # fmt: skip
        for heading, values in choices.items():
            needed = fresh and heading in ("姓名", "部门", "岗位", "站点", "入职日期")
            if needed or dice.random() < 0.4:
                row[heading] = dice.choice(values)
        rows.append([employee, *(row[heading] for heading in HEADER[1:])])
    options = {
        "create_missing": True,
        "skip_bad_rows": True,
        "effective_on": dice.choice(["", "2026-02-20", "2026-05-01"]),
    }
    number, told = await apply(world, table(*rows), **options)
    if told.get("code") == "nothing_to_do":
        return
    assert told["state"] == "applied", told
    answer = await world.post("hr", f"/api/imports/{number}/undo")
    assert answer.json().get("state") == "undone", answer.text
    assert await everything(world) == before


async def test_who_was_changed_since_stops_undoing_and_is_named(any_world: World) -> None:
    number, _ = await apply(any_world, table(NEW, CHANGED))
    body = {"name": "Li", "joined_on": "2025-01-01", "left_on": None, "worked_since": None, "email": None}
    await any_world.post("hr", "/api/employees/e2/details", body)
    told = (await any_world.post("hr", f"/api/imports/{number}/undo")).json()
    assert (told["code"], told["parameters"]) == ("changed_since", {"employee": "e2 李雷"})
    assert (await any_world.get("hr", "/api/employees/e9")).status_code == 200, "nothing is half undone"


async def test_somebody_new_who_was_planned_since_stays(world: World) -> None:
    number, _ = await apply(world, table(NEW))
    async with world.db.writing() as connection:
        await connection.execute(tables.roster.insert().values(employee="e9", date=dt.date(2026, 3, 3), shift="D"))
    told = (await world.post("hr", f"/api/imports/{number}/undo")).json()
    assert told["parameters"] == {"employee": "e9 孙悟空: roster"}
