"""Reports and notices in a browser: files open, a manager sees the own department, paper has no shell."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from python_calamine import CalamineWorkbook

from tests.web.company import Company
from tests.web.conftest import Language, Visits
from tests.web.looks import SCREENSHOTS, assert_whole, in_both_languages, ready

SCREENS = {
    "reports": ("hr", "/reports?month={month}"),
    "reports-daily": ("hr", "/reports?month={month}&report=daily"),
    "reports-empty": ("hr", "/reports?month=2019-01&report=overtime"),
    "notices": ("hr", "/notices"),
    "notices-clients": ("hr", "/notices?tab=clients"),
}


def month_of(company: Company) -> str:
    return f"{company.day:%Y-%m}"


@in_both_languages
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_of_reports_is_whole_and_quiet(
    screen: str, language: Language, visits: Visits, company: Company
) -> None:
    role, path = SCREENS[screen]
    visit = visits.open(role, path.format(month=month_of(company)), language=language)
    ready(visit.page)
    assert_whole(visit, screen, language)


def test_hr_takes_the_month_as_a_workbook(visits: Visits, company: Company, tmp_path: Path) -> None:
    page = visits.open("hr", f"/reports?month={month_of(company)}").page
    ready(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载 Excel").click()
    path = tmp_path / waiting.value.suggested_filename
    assert path.name == f"考勤月报-{month_of(company)}.xlsx"
    waiting.value.save_as(path)
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python(skip_empty_area=False)[4:]
    assert {row[0] for row in rows} == {person.id for person in company.people}
    expect(page.get_by_text(f"已下载 {path.name}")).to_be_visible()


def test_a_manager_sees_the_own_department_only(visits: Visits, company: Company) -> None:
    page = visits.open("manager", f"/reports?month={month_of(company)}").page
    ready(page)
    table = page.get_by_role("table", name="考勤月报")
    names = set(table.locator("tbody th").all_inner_texts())
    assert names == {person.name for person in company.department}


def test_a_column_is_chosen_and_sorted_by_and_both_are_in_the_address(visits: Visits, company: Company) -> None:
    page = visits.open("hr", f"/reports?month={month_of(company)}").page
    ready(page)
    page.get_by_role("button", name="迟到（分）", exact=True).click()
    expect(page).to_have_url(re.compile(r"sort=late_min&desc=1"))
    ready(page)
    late = page.get_by_role("columnheader", name="迟到（分）")
    expect(late).to_have_attribute("aria-sort", "descending")
    page.get_by_text("选择列").click()
    page.get_by_role("checkbox", name="岗位名称").check()
    expect(page.get_by_role("columnheader", name="岗位名称")).to_be_visible()
    page.reload()
    ready(page)
    expect(page.get_by_role("columnheader", name="岗位名称")).to_be_visible()


def test_paper_has_all_rows_and_no_shell(visits: Visits, company: Company) -> None:
    visit = visits.open("hr", f"/reports?month={month_of(company)}&report=month")
    page = visit.page
    page.context.add_init_script("window.print = () => { document.documentElement.dataset.printed = 'yes' }")
    page.goto(f"/reports/print?report=month&month={month_of(company)}")
    ready(page)
    expect(page.locator("html")).to_have_attribute("data-printed", "yes")
    assert page.locator("tbody tr").count() == len(company.people) + 1
    assert page.get_by_role("navigation").count() == 0
    page.emulate_media(media="print")
    pdf = page.pdf(prefer_css_page_size=True)
    assert b"/MediaBox [0 0 842" in pdf.replace(b"841.91998", b"842").replace(b"841.92", b"842"), "A4 across"
    page.screenshot(path=SCREENSHOTS / "reports-print.png", full_page=True)
    assert visit.errors == []


def test_hr_sets_up_a_robot_and_a_schedule(visits: Visits) -> None:
    page = visits.open("hr", "/notices").page
    ready(page)
    page.get_by_role("button", name="新增渠道").click()
    page.get_by_label("类型").select_option("dingtalk")
    page.get_by_label("名称").fill("运营群")
    page.get_by_label("Webhook 地址").fill("https://evil.example/robot")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("alert")).to_contain_text("地址不正确")
    page.get_by_label("Webhook 地址").fill("https://oapi.dingtalk.com/robot/send?access_token=0123456789abcdef")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("cell", name="…cdef")).to_be_visible()
    page.get_by_role("link", name="定时发送").click()
    page.get_by_role("button", name="新增定时发送").click()
    page.get_by_label("频率").select_option("week")
    page.get_by_label("日期").select_option("5")
    page.get_by_label("时间").fill("17:30")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("cell", name="每周 周五 17:30")).to_be_visible()
    page.get_by_role("button", name="停用: 今日考勤 17:30").click()
    expect(page.get_by_role("button", name="启用: 今日考勤 17:30")).to_be_visible()


@in_both_languages
def test_hr_lets_those_concerned_be_told_of_appeals(language: Language, visits: Visits) -> None:
    """A channel without recipients takes what happens, which asks for no time and no department."""
    zh = language == "zh-CN"
    visit = visits.open("hr", "/notices", language=language)
    page = visit.page
    ready(page)
    page.get_by_role("button", name="新增渠道" if zh else "Add a channel").click()
    page.get_by_label("类型" if zh else "Kind").select_option("people")
    page.get_by_label("名称" if zh else "Name").fill(f"appeals {language}")
    expect(page.get_by_role("dialog").get_by_text("没有姓名" if zh else "without names")).to_be_visible()
    page.get_by_role("button", name="保存" if zh else "Save").click()
    row = page.get_by_role("row").filter(has_text=f"appeals {language}")
    expect(row).to_contain_text("处理人或当事人" if zh else "those concerned")
    page.get_by_role("link", name="定时发送" if zh else "Schedules").click()
    page.get_by_role("button", name="新增定时发送" if zh else "Add a schedule").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("内容" if zh else "What").select_option("appeal_filed")
    expect(drawer.get_by_label("时间" if zh else "Time")).to_have_count(0)
    expect(drawer.get_by_label("部门" if zh else "Department")).to_have_count(0)
    drawer.get_by_role("combobox", name="渠道" if zh else "Channel").select_option(label=f"appeals {language}")
    assert_whole(visit, "notices-happening", language)
    drawer.get_by_role("button", name="保存" if zh else "Save").click()
    told = page.get_by_role("row").filter(has_text=f"appeals {language}")
    expect(told).to_contain_text("发生时" if zh else "when it happens")
    assert_whole(visit, "notices-schedules", language)


def test_hr_lets_a_program_in_sees_its_token_once_and_revokes_it(visits: Visits) -> None:
    page = visits.open("hr", "/notices?tab=clients").page
    ready(page)
    page.get_by_role("button", name="新增接口程序").click()
    page.get_by_label("名称").fill("薪资")
    page.get_by_role("button", name="保存").click()
    token = page.get_by_test_id("token").inner_text()
    path = "/api/v1/payroll/months/2026-01"
    bearer = {"Authorization": f"Bearer {token}"}
    assert page.request.get(path, headers=bearer).status == 200
    page.get_by_role("button", name="完成").click()
    page.reload()
    ready(page)
    assert token not in page.content()
    page.get_by_role("button", name="吊销: 薪资").click()
    page.get_by_role("dialog").get_by_role("button", name="吊销").click()
    expect(page.get_by_role("cell", name="已吊销")).to_be_visible()
    assert page.request.get(path, headers=bearer).status == 401
