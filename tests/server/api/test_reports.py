"""Reports: columns, sums, scope, files that say what the page says."""

import csv
import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from server.access.roles import ROLES, permissions_of
from server.reports.columns import REPORTS, columns_of
from server.reports.words import CODES
from server.store import tables
from tests.server.api.company import World
from tests.server.api.seed_month import MONTH, seed_month

COUNTS = {"month": 4, "daily": 10, "exceptions": 4, "overtime": 3, "leave": 2, "adjustments": 1}


@pytest.fixture
async def month(world: World) -> World:
    await seed_month(world.db)
    return world


@pytest.fixture
async def any_month(any_world: World) -> World:
    """The same on both databases."""
    await seed_month(any_world.db)
    return any_world


async def report(world: World, name: str, role: str = "hr", **asked: Any) -> Any:
    query = "&".join(f"{key}={value}" for key, value in {"month": MONTH, **asked}.items())
    answer = await world.get(role, f"/api/reports/{name}?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def file(world: World, name: str, role: str = "hr", **asked: Any) -> Any:
    query = "&".join(f"{key}={value}" for key, value in {"month": MONTH, **asked}.items())
    answer = await world.get(role, f"/api/reports/{name}/file?{query}")
    assert answer.status_code == 200, answer.text
    return answer


def by_column(view: Any) -> list[dict[str, Any]]:
    ids = [column["id"] for column in view["columns"]]
    return [dict(zip(ids, row, strict=True)) for row in view["rows"]]


def sums(view: Any) -> dict[str, Any]:
    return dict(zip([column["id"] for column in view["columns"]], view["sums"], strict=True))


# --- rows -----------------------------------------------------------------------------------------------------------


async def test_a_month_has_a_row_for_everybody_and_sums_by_department(month: World) -> None:
    view = await report(month, "month")
    rows = {row["employee"]: row for row in by_column(view)}
    assert (rows["e1"]["required_days"], rows["e1"]["leave:annual"], rows["e1"]["comp_left_min"]) == ("2.50", 240, 780)
    assert (rows["e2"]["late_times"], rows["e2"]["pending_min"], rows["e2"]["decisions"]) == (1, 480, 1)
    assert (rows["e3"]["adjusted_worked_min"], rows["e3"]["closing"], rows["e3"]["confirmation"]) == (480, "open", None)
    assert rows["e1"]["confirmation"] == "confirmed"
    assert (sums(view)["worked_days"], sums(view)["late_min"], sums(view)["name"]) == ("5.00", 10, None)
    groups = {group["id"]: group for group in view["groups"]}
    assert {id_: group["people"] for id_, group in groups.items()} == {"fin": 2, "ops": 1, "ops-north": 1}
    assert view["closed_ms"] is None


@pytest.mark.parametrize("name", REPORTS)
async def test_every_report_has_the_rows_it_is_about(any_month: World, name: str) -> None:
    view = await report(any_month, name)
    assert (view["total"], len(view["rows"])) == (COUNTS[name], COUNTS[name])
    assert [column["id"] for column in view["columns"] if not column["id"].startswith("leave:")] == [
        column.id
        for column in columns_of(name)  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize("name", REPORTS)
async def test_pages_together_are_the_whole_and_sums_are_of_the_whole(month: World, name: str) -> None:
    whole = await report(month, name)
    pages = [await report(month, name, limit=1, offset=offset) for offset in range(COUNTS[name])]
    assert [page["rows"][0] for page in pages] == whole["rows"]
    assert all(page["sums"] == whole["sums"] for page in pages)


@pytest.mark.parametrize("name", REPORTS)
async def test_sums_are_what_adding_the_rows_gives(any_month: World, name: str) -> None:
    view = await report(any_month, name)
    added = {
        column["id"]: sum(float(row[column["id"]] or 0) for row in by_column(view))
        for column in view["columns"]
        if column["summed"]
    }
    shown = {id_: float(value) for id_, value in sums(view).items() if value is not None}
    assert {id_: value for id_, value in shown.items() if value} == {id_: v for id_, v in added.items() if v}


async def test_exceptions_are_what_somebody_should_look_at(month: World) -> None:
    rows = by_column(await report(month, "exceptions"))
    assert [(row["employee"], row["date"], row["status"], row["decision"]) for row in rows] == [
        ("e3", "2026-03-02", "absent", None),
        ("e2", "2026-03-02", "late", None),
        ("e2", "2026-03-03", "missing_out", "default"),
        ("e2", "2026-03-04", "missing_in", None),
    ]
    assert rows[1]["first"] == "09:10"


async def test_the_leave_ledger_tells_what_was_taken_and_earned(month: World) -> None:
    rows = by_column(await report(month, "leave"))
    assert [(row["date"], row["leave_type"], row["entry"], row["minutes"]) for row in rows] == [
        ("2026-03-03", "annual", "taken", -240),
        ("2026-03-07", "comp", "earned", 180),
    ]
    opening = by_column(await report(month, "leave", month="2026-01"))
    assert [(row["entry"], row["minutes"]) for row in opening] == [("opening", 600)]


async def test_a_month_can_be_sorted_by_a_column(month: World) -> None:
    rows = by_column(await report(month, "month", sort="ot_15_min", descending="true"))
    assert rows[0]["employee"] == "e2"
    rows = by_column(await report(month, "daily", sort="date", descending="true"))
    assert rows[0]["date"] == "2026-03-08"
    answer = await month.get("hr", f"/api/reports/month?month={MONTH}&sort=salary")
    assert (answer.status_code, answer.json()["code"]) == (422, "sort")


@pytest.mark.parametrize("asked", ["2026-13", "2026-3", "", "1800-01"])
async def test_a_month_that_does_not_exist_is_refused(world: World, asked: str) -> None:
    answer = await world.get("hr", f"/api/reports/month?month={asked}")
    assert (answer.status_code, answer.json()["fields"]) == (422, {"query.month": "string_pattern_mismatch"})


async def test_an_unknown_report_is_refused(world: World) -> None:
    assert (await world.get("hr", f"/api/reports/salaries?month={MONTH}")).status_code == 422


# --- scope ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", ["/api/reports/month", "/api/reports/month/file"])
async def test_only_roles_with_the_permission_get_reports(world: World, role: Any, path: str) -> None:
    answer = await world.get(role, f"{path}?month={MONTH}")
    assert answer.status_code == (200 if "reports.read" in permissions_of(role) else 403)
    assert (await world.get(None, f"{path}?month={MONTH}")).status_code == 401


@pytest.mark.parametrize("name", REPORTS)
async def test_a_manager_sees_the_own_departments_only(any_month: World, name: str) -> None:
    seen = {row["employee"] for row in by_column(await report(any_month, name, "manager"))}
    everybody = {row["employee"] for row in by_column(await report(any_month, name))}
    assert seen == everybody & {"e1", "e2"}
    for asked in ({"department": "fin"}, {"site": "d2"}):
        assert by_column(await report(any_month, name, "manager", **asked)) == []
    text = (await file(any_month, name, "manager", format="csv")).text
    assert "Zhao Min" not in text
    assert "fin" not in text


async def test_a_manager_is_told_of_no_other_department(month: World) -> None:
    view = await report(month, "month", "manager")
    assert {each["id"] for each in view["names"]["department"]} == {"ops", "ops-north"}
    assert {group["id"] for group in view["groups"]} == {"ops", "ops-north"}


async def test_a_department_is_asked_for_with_those_below(month: World) -> None:
    seen = {row["employee"] for row in by_column(await report(month, "month", department="ops"))}
    assert seen == {"e1", "e2"}


# --- files ----------------------------------------------------------------------------------------------------------


def cells(view: Any) -> list[list[Any]]:
    """What a workbook holds of the JSON answer: hours for minutes, words for codes."""
    words = {column: {each["id"]: each["name_zh"] for each in known} for column, known in view["names"].items()}

    def cell(value: Any, column: dict[str, Any]) -> Any:
        if value in (None, [], ""):
            return ""
        read: dict[str, Callable[[], Any]] = {
            "hours": lambda: pytest.approx(value / 60),
            **dict.fromkeys(("days", "minutes", "count"), lambda: pytest.approx(float(value))),
            "date": lambda: date.fromisoformat(value),
            "name": lambda: words[column["id"]].get(value, value),
            "code": lambda: CODES[value][0],
            "codes": lambda: "、".join(CODES[code][0] for code in value),
        }
        return read.get(column["kind"], lambda: value)()

    return [[cell(value, column) for value, column in zip(row, view["columns"], strict=True)] for row in view["rows"]]


@pytest.mark.parametrize("name", REPORTS)
async def test_a_workbook_says_what_the_page_says(month: World, name: str) -> None:
    view = await report(month, name)
    answer = await file(month, name)
    assert answer.headers["content-type"].endswith("spreadsheetml.sheet")
    assert f'filename="{name}-{MONTH}.xlsx"' in answer.headers["content-disposition"]
    assert "filename*=UTF-8''%E" in answer.headers["content-disposition"]
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    assert book.sheet_names == [MONTH, "说明"]
    title, facts, added, headings, *rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert str(title[0]).endswith(MONTH)
    assert "时区: Asia/Shanghai" in str(facts[0])
    assert "生成时间: 2026-03-02 20:00" in str(facts[0])
    assert "封账状态: 未封账" in str(facts[0])
    assert headings == [column["zh"] for column in view["columns"]]
    assert rows == cells(view)
    [expected] = cells({**view, "rows": [view["sums"]]})
    assert [value if column["summed"] else "" for value, column in zip(added, view["columns"], strict=True)] == expected
    legend = book.get_sheet_by_index(1).to_python()
    assert [line[0] for line in legend[1 : 1 + len(headings)]] == headings


async def test_a_workbook_of_a_closed_month_says_since_when(month: World) -> None:
    answer = await file(month, "month", month="2026-02", language="en")
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    facts = book.get_sheet_by_index(0).to_python(skip_empty_area=False)[1][0]
    assert "Closing: closed, 2026-03-01 10:00" in str(facts)


async def test_a_month_has_the_position_by_id_and_by_name(month: World) -> None:
    await month.post("hr", "/api/positions", {"id": "courier", "name_zh": "骑手", "name_en": "Rider"})
    for language, heads, name in (
        ("zh-CN", ("岗位", "岗位名称"), "骑手"),
        ("en", ("Position", "Position name"), "Rider"),
    ):
        answer = await file(month, "month", format="csv", language=language, bom="false")
        head, first, *_ = csv.reader(io.StringIO(answer.text, newline=""))
        assert tuple(first[head.index(one)] for one in heads) == ("courier", name)


@pytest.mark.parametrize(("bom", "begins"), [("true", b"\xef\xbb\xbf\xe5"), ("false", "工号".encode())])
async def test_csv_is_utf8_with_a_mark_for_excel_if_asked(month: World, bom: str, begins: bytes) -> None:
    assert (await file(month, "month", format="csv", bom=bom)).content.startswith(begins)


@pytest.mark.parametrize("name", REPORTS)
async def test_csv_says_what_the_page_says(month: World, name: str) -> None:
    view = await report(month, name)
    answer = await file(month, name, format="csv", language="en", bom="false")
    headings, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert headings == [column["en"] for column in view["columns"]]
    assert [row[0] for row in rows] == [row[0] for row in view["rows"]]
    number = next((at for at, column in enumerate(view["columns"]) if column["kind"] == "hours"), None)
    if number is not None:
        assert [float(row[number]) for row in rows] == [
            pytest.approx(row[number] / 60, abs=0.005) for row in view["rows"]
        ]


async def test_no_text_becomes_a_formula(month: World) -> None:
    bad = '=HYPERLINK("http://evil.test",A1)'
    async with month.db.writing() as connection:
        await connection.execute(tables.employees.update().where(tables.employees.c.id == "e1").values(name=bad))
        await connection.execute(tables.employees.update().where(tables.employees.c.id == "e2").values(name="＝1+1"))
    rows = list(csv.reader(io.StringIO((await file(month, "month", format="csv")).text)))
    assert {row[1] for row in rows} >= {f"'{bad}", "'＝1+1"}
    sheet = CalamineWorkbook.from_filelike(io.BytesIO((await file(month, "month")).content)).get_sheet_by_index(0)
    assert bad in [row[1] for row in sheet.to_python(skip_empty_area=False)]


async def test_who_took_a_file_is_in_the_operation_log(month: World) -> None:
    await file(month, "daily", "manager", format="csv")
    async with month.db.reading() as connection:
        row = (await connection.execute(select(tables.operation_log))).one()
    assert (row.actor, row.action, row.object, row.detail["format"]) == ("boss", "report.export", "daily", "csv")
