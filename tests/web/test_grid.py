"""The attendance sheet, the workbench and the rule sandbox."""

import re
from datetime import datetime, time

import pytest
from playwright.sync_api import Page, expect

from tests.web.company import Company
from tests.web.conftest import Language, Visits
from tests.web.looks import assert_whole, in_both_languages, ready

LIVE_MS = 2000

SCREENS = {
    "attendance": ("hr", "/attendance"),
    "attendance-grouped": ("manager", "/attendance?group=department"),
    "attendance-drawer": ("hr", "/attendance?person={absent}&date={day}"),
    "workbench": ("hr", "/workbench"),
    "workbench-manager": ("manager", "/workbench"),
    "sandbox": ("hr", "/sandbox"),
}


@in_both_languages
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_whole_reachable_and_quiet(screen: str, language: Language, visits: Visits, company: Company) -> None:
    role, path = SCREENS[screen]
    path = path.format(absent=company.unexplained()[-1].id, day=company.day)
    visit = visits.open(role, path, language=language)
    ready(visit.page)
    assert_whole(visit, screen, language)


# --- attendance -----------------------------------------------------------------------------------------------------


def sheet(page: Page) -> None:
    expect(page.get_by_role("grid")).to_be_visible()
    expect(page.get_by_role("rowheader").first).to_be_visible()


def test_the_keyboard_walks_the_sheet_and_enter_opens_a_day(visits: Visits, company: Company) -> None:
    page = visits.open("hr", "/attendance").page
    sheet(page)
    cells = page.get_by_role("grid").locator("[tabindex='0']")
    expect(cells).to_have_count(1)
    cells.focus()
    page.keyboard.press("Control+Home")
    expect(page.get_by_role("rowheader").first).to_be_focused()
    for _ in range(company.day.day):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tooltip")).to_contain_text("回车或点击查看详情")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("PageDown")
    page.keyboard.press("Control+End")
    rows = int(page.get_by_role("grid").get_attribute("aria-rowcount") or 0)
    last = page.get_by_role("row").filter(has=page.locator(":focus"))
    expect(last).to_have_attribute("aria-rowindex", str(rows))
    page.keyboard.press("Home")
    for _ in range(company.day.day):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", name="打卡记录")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(page.get_by_role("grid").locator("[tabindex='0']")).to_be_focused()


def test_only_the_rows_in_view_are_in_the_page(visits: Visits, company: Company) -> None:
    page = visits.open("hr", "/attendance").page
    sheet(page)
    grid = page.get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", str(len(company.people) + 1))
    assert page.get_by_role("row").count() < len(company.people)


def test_filters_and_order_of_the_sheet_live_in_the_address(visits: Visits, company: Company) -> None:
    page = visits.open("hr", "/attendance").page
    sheet(page)
    page.get_by_role("combobox", name="部门").select_option("客服部")
    page.get_by_role("columnheader", name="迟到").click()
    expect(page.get_by_role("columnheader", name="迟到")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_text(f"共 {len(company.department)} 人")).to_be_visible()
    shared = visits.open("hr", page.url).page
    sheet(shared)
    expect(shared.get_by_role("combobox", name="部门")).to_have_value("customer_service")
    names = {person.name for person in company.department}
    shown = {text.split()[0] for text in shared.get_by_role("rowheader").all_inner_texts()}
    assert shown == names


def test_a_new_punch_changes_the_open_sheet(visits: Visits, company: Company) -> None:
    person = company.unexplained()[1]
    page = visits.open("hr", f"/attendance?q={person.id}&month={company.day:%Y-%m}").page
    sheet(page)
    expect(page.get_by_text("实时", exact=True)).to_be_visible()
    row = page.get_by_role("row").filter(has_text=person.id)
    cell = row.get_by_role("gridcell").nth(company.day.day - 1)
    expect(cell).to_contain_text("未出勤")
    company.punch(person, datetime.combine(company.day, time(17, 58, 7)))
    expect(cell).not_to_contain_text("未出勤", timeout=2 * LIVE_MS)


def test_the_sheet_leaves_as_a_file(visits: Visits, company: Company) -> None:
    page = visits.open("manager", f"/attendance?month={company.day:%Y-%m}").page
    sheet(page)
    with page.expect_download() as arriving:
        page.get_by_role("button", name="导出 CSV").click()
    lines = arriving.value.path().read_text("utf-8-sig").splitlines()
    assert len(lines) == len(company.department) + 1
    assert lines[0].startswith('"工号","姓名","部门"')


def test_a_manager_sees_neither_people_nor_days_of_another_department(visits: Visits, company: Company) -> None:
    outsiders = {person.id for person in company.people} - {person.id for person in company.department}
    page = visits.open("manager", "/attendance").page
    sheet(page)
    told = page.get_by_role("grid").inner_text()
    assert not [outsider for outsider in outsiders if re.search(rf"\b{outsider}\b", told)]
    page.goto(f"/attendance?person={company.people[0].id}&date={company.day}")
    expect(page.get_by_role("dialog").get_by_text("没有找到")).to_be_visible()


def test_a_phone_shows_a_week_of_each_person(visits: Visits, company: Company) -> None:
    page = visits.open("hr", f"/attendance?month={company.day:%Y-%m}", width=390).page
    ready(page)
    expect(page.get_by_role("grid")).to_have_count(0)
    person = company.people[0]
    page.get_by_role("searchbox").fill(person.id)
    day = (
        page.get_by_role("button", name=re.compile(rf"^{person.name}"))
        .filter(has_text=re.compile("正常|迟到|早退|缺|未出勤"))
        .first
    )
    day.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="打卡记录")).to_be_visible()


# --- workbench and sandbox ------------------------------------------------------------------------------------------


def test_hr_starts_on_the_workbench_and_a_task_leads_to_its_page(visits: Visits) -> None:
    page = visits.open("hr", "/").page
    expect(page.get_by_role("heading", level=1, name="工作台")).to_be_visible()
    page.get_by_role("link", name=re.compile("^考勤异常待处理")).click()
    expect(page.get_by_role("heading", level=1, name="异常处理")).to_be_visible()


def test_a_manager_has_no_tasks_of_the_company_on_the_workbench(visits: Visits) -> None:
    page = visits.open("manager", "/workbench").page
    ready(page)
    expect(page.get_by_role("heading", name="待办")).to_be_visible()
    for words in ("未匹配的终端用户", "网关没有响应", "合同到期待处理"):
        expect(page.get_by_role("region", name="待办").get_by_text(words)).to_have_count(0)


def test_a_case_is_computed_and_a_bad_one_says_where_and_what_to_do(visits: Visits) -> None:
    page = visits.open("hr", "/sandbox").page
    result = page.get_by_role("region", name="结果")
    expect(result.get_by_text("迟到 10 分钟")).to_be_visible()
    page.get_by_role("combobox", name="从例子开始").select_option("夜班跨入国庆")
    expect(result.get_by_text("与期望一致")).to_be_visible()
    expect(result.get_by_text("加班 3 倍 6 小时")).to_be_visible()
    case = page.get_by_role("textbox", name="案例")
    case.fill(case.input_value().replace("2026-09-30T21:55:00", "昨晚十点"))
    page.get_by_role("button", name="试算").click()
    trouble = page.get_by_role("alert")
    expect(trouble).to_contain_text("punches[0]")
    expect(trouble).to_contain_text("打卡写成 2026-03-02T08:55:00")
