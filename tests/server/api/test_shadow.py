"""The parallel run over HTTP: another system's month is brought, compared, explained, taken away again."""

import csv
import datetime as dt
import io
from typing import Any
from urllib.parse import quote

import pytest
from python_calamine import CalamineWorkbook

from server.store import tables
from shared.clock import to_ms
from tests.server.api.company import DAY, ZONE, World

# e1 is normal, e2 late by 10, e3 absent with a held punch at 08:59, e4 (Tokyo) has a shift and nothing else.
FILE = """工号,姓名,日期,班次,上班打卡,下班打卡,考勤结果,迟到分钟
e1,王芳,2026-03-02,白班,08:58,18:02,正常,0
e2,李雷,2026-03-02,白班,09:10,18:00,正常,0
e3,赵敏,2026-03-02,白班,08:59,18:00,正常,0
e4,佐藤,2026-03-02,白班,09:00,18:00,正常,0
e1,王芳,2026-03-03,,,,休息,
"""


PUNCHES_OF_E2 = [(550, "used"), (550, "merged"), (1080, "used")]


async def bring(world: World, text: str, **options: str) -> dict[str, Any]:
    """Upload and check; the answer of the check, with the file's number and the meaning of its columns."""
    async with world.client("hr") as client:
        answer = await client.post(f"/api/imports?kind=month_result&name={quote('三月.csv')}", content=text.encode())
    assert answer.status_code == 200, answer.text
    file = answer.json()
    meaning = {"mapping": file["mapping"], "options": options}
    checked = await world.post("hr", f"/api/imports/{file['file']['id']}/check", meaning)
    assert checked.status_code == 200, checked.text
    return {**checked.json(), "id": file["file"]["id"], "meaning": meaning}


async def apply(world: World, text: str = FILE, **options: str) -> int:
    file = await bring(world, text, **options)
    assert file["problems"] == []
    done = await world.post("hr", f"/api/imports/{file['id']}/apply", file["meaning"])
    assert done.status_code == 200, done.text
    number: int = file["id"]
    return number


async def month(world: World, query: str = "", role: str = "hr") -> dict[str, Any]:
    answer = await world.get(role, f"/api/shadow?month=2026-03{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_month_is_brought_compared_and_explained(any_world: World) -> None:
    await apply(any_world)
    found = await month(any_world)
    assert (found["people"], found["days"], found["same"], found["total"]) == (4, 5, 2, 3)
    assert [(row["employee"], row["date"], row["reason"], row["rule"]) for row in found["rows"]] == [
        ("e4", "2026-03-02", "punch_missing_here", None),
        ("e3", "2026-03-02", "held", "AR-3"),
        ("e2", "2026-03-02", "grace", "AR-14"),
    ]
    assert {(reason["reason"], reason["days"]) for reason in found["reasons"]} == {
        ("punch_missing_here", 1),
        ("held", 1),
        ("grace", 1),
    }
    assert [(each["department"], each["days"], each["same"]) for each in found["by_department"]] == [
        ("fin", 2, 0),
        ("ops", 2, 2),
        ("ops-north", 1, 0),
    ]
    months = (await any_world.get("hr", "/api/shadow/months")).json()["months"]
    assert months == [{"month": "2026-03", "people": 4, "days": 5}]


async def test_a_day_shows_both_sides_with_our_punches_and_rules(world: World) -> None:
    await apply(world)
    day = (await world.get("hr", "/api/shadow/days/e2/2026-03-02")).json()
    assert (day["row"]["theirs"]["said"], day["row"]["ours"]["status"]) == ("正常", "late")
    assert (day["row"]["theirs"]["first_min"], day["row"]["ours"]["first_min"]) == (550, 550)
    assert [(punch["minute"], punch["fate"]) for punch in day["punches"]] == [
        (550, "used"),
        (550, "merged"),
        (1080, "used"),
    ]
    assert (day["rules"], day["minutes"], day["our_minutes"]["late"]) == (["AR-5"], {"late": 0}, 10)
    held = (await world.get("hr", "/api/shadow/days/e3/2026-03-02")).json()
    assert [(punch["fate"], punch["rule"]) for punch in held["punches"]] == [("held", "AR-3")]


@pytest.mark.parametrize(
    ("query", "people"),
    [
        ("&reason=grace", ["e2"]),
        ("&reason=grace&rule=AR-19", []),
        ("&department=ops", ["e2"]),
        ("&department=fin", ["e4", "e3"]),
        ("&q=sat", ["e4"]),
        ("&limit=1&offset=1", ["e3"]),
    ],
)
async def test_differences_are_filtered(world: World, query: str, people: list[str]) -> None:
    await apply(world)
    assert [row["employee"] for row in (await month(world, query))["rows"]] == people


async def test_figures_are_of_the_department_that_was_asked_for(world: World) -> None:
    await apply(world)
    found = await month(world, "&department=fin&reason=held")
    assert (found["people"], found["days"], found["same"], found["total"]) == (2, 2, 0, 1)


async def test_days_that_their_file_leaves_out_are_ours_only(world: World) -> None:
    lines = FILE.splitlines()
    await apply(world, "\n".join([lines[0], lines[1], lines[5].replace("e1,王芳", "e2,李雷")]))
    rows = (await month(world))["rows"]
    assert [(row["employee"], row["date"], row["verdict"]) for row in rows] == [("e2", "2026-03-02", "only_ours")]


async def test_a_second_file_replaces_and_its_undo_restores(any_world: World) -> None:
    first = await apply(any_world)
    any_world.time.now_ms += 1000
    second = await apply(any_world, FILE.replace("09:10,18:00,正常,0", "09:10,18:00,迟到,10"))
    assert (await month(any_world))["same"] == 3
    refused = await any_world.post("hr", f"/api/imports/{first}/undo")
    assert (refused.status_code, refused.json()["code"]) == (422, "changed_since")
    assert (await any_world.post("hr", f"/api/imports/{second}/undo")).status_code == 200
    assert (await month(any_world))["same"] == 2
    assert (await any_world.post("hr", f"/api/imports/{first}/undo")).status_code == 200
    assert (await any_world.get("hr", "/api/shadow/months")).json()["months"] == []


async def test_a_file_says_what_is_new_changed_and_the_same(world: World) -> None:
    await apply(world)
    file = await bring(
        world, FILE.replace("09:10,18:00,正常,0", "09:10,18:00,迟到,10") + "e3,赵敏,2026-03-04,,,,休息,\n"
    )
    assert (file["added"], file["changed"], file["same"]) == (1, 1, 4)


async def test_strangers_and_unknown_words_are_refused_with_row_and_word(world: World) -> None:
    text = FILE + "e9,陌生,2026-03-02,,,,正常,\ne1,王芳,2026-03-04,,,,团建,\n"
    file = await bring(world, text)
    assert [(bad["row"], bad["field"], bad["code"], bad["parameters"]) for bad in file["problems"]] == [
        (None, "status", "unknown_word", {"word": "团建", "times": "1"}),
        (7, "employee", "unknown_employee", {"employee": "e9"}),
    ]
    refused = await world.post("hr", f"/api/imports/{file['id']}/apply", file["meaning"])
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_rows")
    assert (await world.get("hr", "/api/shadow/months")).json()["months"] == []
    meaning = {**file["meaning"], "options": {"words": '{"团建": "normal"}', "skip_bad_rows": True}}
    done = await world.post("hr", f"/api/imports/{file['id']}/apply", meaning)
    assert done.status_code == 200, done.text
    assert (await month(world))["people"] == 4


@pytest.mark.parametrize("words", ["nonsense", "[]", '{"x": "dancing"}'])
async def test_words_stand_for_statuses_only(world: World, words: str) -> None:
    file = await bring(world, FILE)
    meaning = {**file["meaning"], "options": {"words": words}}
    answer = await world.post("hr", f"/api/imports/{file['id']}/check", meaning)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_words")


async def test_a_monthly_sheet_needs_to_be_told_its_month(world: World) -> None:
    header = ",".join(["工号", "姓名", *map(str, range(1, 32))])
    sheet = f"{header}\n" + ",".join(["e1", "王芳", "", "√", *[""] * 29]) + "\n"
    file = await bring(world, sheet)
    assert [bad["code"] for bad in file["problems"]] == ["month_missing"]
    await apply(world, sheet, month="2026-03")
    assert ((await month(world))["days"], (await month(world))["same"]) == (1, 1)


async def test_differences_are_taken_as_csv_and_xlsx(world: World) -> None:
    await apply(world, FILE.replace("e2,李雷,2026-03-02,白班", "e2,李雷,2026-03-02,=1+1"))
    answer = await world.get("hr", "/api/shadow/file?month=2026-03&format=csv&language=zh-CN")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:6] == ["工号", "姓名", "部门", "日期", "原因", "规则"]
    assert rows[3][:9] == ["e2", "Li Lei", "ops-north部", "2026-03-02", "宽限不同", "AR-14", "正常", "正常", "迟到"]
    assert (rows[3][9], rows[3][13], rows[3][15]) == ("09:10", "'=1+1", "状态 正常 → 迟到; 迟到分钟 0 → 10")
    answer = await world.get("hr", "/api/shadow/file?month=2026-03&format=xlsx&language=en&reason=held")
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    assert sheet[1][:5] == ["Employee", "Name", "Department", "Date", "Reason"]
    assert [row[:6] for row in sheet[2:]] == [["e3", "Zhao Min", "Fin", DAY, "punch on hold", "AR-3"]]
    log = (await world.get("administrator", "/api/operations")).json()["rows"]
    assert [row["action"] for row in log[:2]] == ["shadow.export", "shadow.export"]


async def test_a_night_shift_is_compared_across_midnight(world: World) -> None:
    night = {"start": "22:00", "end": "06:00", "breaks": []}
    await insert(world, tables.shifts, id="N", name_zh="夜班", name_en="Night", **night)
    date = dt.date(2026, 3, 4)
    await insert(world, tables.roster, employee="e1", date=date, shift="N")
    times = (to_ms(dt.datetime(2026, 3, 4, 21, 55, tzinfo=ZONE)), to_ms(dt.datetime(2026, 3, 5, 6, 5, tzinfo=ZONE)))
    async with world.db.writing() as connection:
        record = (await connection.execute(tables.attendance_days.select().limit(1))).one()._asdict()
        record |= {"date": date, "shift": "N", "first_ms": times[0], "last_ms": times[1]}
        await connection.execute(tables.attendance_days.insert().values(**record))
    await apply(world, "工号,日期,班次,上班打卡,下班打卡,结果,迟到\ne1,2026-03-04,夜班,21:55,06:05,迟到,30\n")
    row = (await month(world))["rows"][0]
    assert (row["reason"], row["ours"]["first_min"], row["ours"]["last_min"]) == ("punch_missing_here", 1315, 1805)
    assert (row["theirs"]["first_min"], row["theirs"]["last_min"]) == (1315, 1805)


async def insert(world: World, table: Any, **values: object) -> None:
    async with world.db.writing() as connection:
        await connection.execute(table.insert().values(**values))


@pytest.mark.parametrize("path", ["/api/shadow/days/e1/2026-05-01", "/api/shadow/days/e9/2026-03-02"])
async def test_days_that_nobody_brought_are_not_there(world: World, path: str) -> None:
    await apply(world)
    assert (await world.get("hr", path)).status_code == 404


@pytest.mark.parametrize("role", ["manager", "employee", "it", "facilities"])
async def test_the_comparison_is_for_hr_and_administrators(world: World, role: str) -> None:
    await apply(world)
    for path in (
        "/api/shadow?month=2026-03",
        "/api/shadow/months",
        "/api/shadow/days/e1/2026-03-02",
        "/api/shadow/file?month=2026-03",
        "/api/imports?kind=month_result",
    ):
        assert (await world.get(role, path)).status_code == 403, path
