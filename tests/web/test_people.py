"""People in a browser: HR brings a file and takes it back, matches numbers, changes posts; a manager only looks."""

import io

import pytest
import xlsxwriter
from playwright.sync_api import FilePayload, Page, expect

from tests.web.company import MANAGED, Company
from tests.web.conftest import Language, Visits
from tests.web.looks import assert_whole, in_both_languages, problems, ready
from tests.web.seed_people import LISTED, add_listed_number

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def workbook(*rows: list[str]) -> FilePayload:
    """A file as an HR office has it: a title over the header, headings of its own."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        page = book.add_worksheet()
        for number, row in enumerate((["花名册"], ["工号", "姓名", "归属", "职位", "站点", "入职日期"], *rows)):
            page.write_row(number, 0, row)
    return {"name": "花名册.xlsx", "mimeType": XLSX, "buffer": target.getvalue()}


GOOD = ["N9001", "诸葛亮", "运营部", "operator", "余杭仓", "2026年3月2日"]
BAD = ["N9002", "司马懿", "运营部", "operator", "余杭仓", "三月二日"]


def upload(page: Page, file: FilePayload) -> None:
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("heading", name="表格的每一列是什么？")).to_be_visible()


def test_hr_brings_a_file_with_a_bad_row_and_takes_it_back(visits: Visits) -> None:
    visit = visits.open("hr", "/people/import")
    page = visit.page
    upload(page, workbook(GOOD, BAD))
    expect(page.get_by_label("部门", exact=True)).to_have_value("")
    page.get_by_label("部门", exact=True).select_option("归属")
    page.get_by_role("button", name="下一步：检查").click()
    table = page.get_by_role("table", name="有问题的行")
    expect(table.get_by_role("row").nth(1)).to_contain_text("4")
    expect(table).to_contain_text("“三月二日”不是日期")
    commit = page.get_by_role("button", name="确认写入 1 条")
    expect(commit).to_be_disabled()
    page.get_by_role("checkbox", name="跳过有问题的 1 行").check()
    commit.click()
    expect(page.get_by_text("新增 1 条，修改 0 条，跳过 1 行。")).to_be_visible()
    page.goto("/people?q=N9001")
    expect(page.get_by_role("link", name="查看诸葛亮的档案")).to_be_visible()
    page.goto("/people/import")
    page.get_by_role("link", name="花名册.xlsx").first.click()
    page.get_by_role("button", name="撤销这次导入").click()
    page.get_by_role("dialog").get_by_role("button", name="撤销导入").click()
    expect(page.get_by_text("已撤销，恢复为导入前的内容。")).to_be_visible()
    page.goto("/people?q=N9001")
    expect(page.get_by_text("没有符合条件的员工")).to_be_visible()
    assert visit.errors == []


def test_a_file_of_another_kind_is_refused_before_it_is_sent(visits: Visits) -> None:
    page = visits.open("hr", "/people/import").page
    file: FilePayload = {"name": "people.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"}
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("alert")).to_contain_text("只支持 .xlsx、.xls、.csv 文件")


def test_hr_takes_a_suggestion_after_looking_at_it(visits: Visits, company: Company) -> None:
    person = next(one for one in company.people if [p.name for p in company.people].count(one.name) == 1)
    add_listed_number(company, person.name)
    page = visits.open("hr", "/people/unmatched").page
    row = page.get_by_role("row").filter(has_text=LISTED)
    expect(row).to_contain_text(person.name)
    expect(row).to_contain_text("“大门 1”上登记的姓名")
    page.get_by_role("button", name="采纳全部 1 条建议").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(person.id)
    assert problems(page) == []
    dialog.get_by_role("button", name="确认匹配").click()
    expect(page.get_by_text("已匹配 1 个编号，1 条打卡归位")).to_be_visible()
    expect(row).to_have_count(0)


def test_hr_changes_a_post_ahead_adds_a_contract_and_takes_the_change_back(visits: Visits, company: Company) -> None:
    person = company.department[1]
    visit = visits.open("hr", f"/people?q={person.id}")
    page = visit.page
    page.get_by_role("link", name=f"查看{person.name}的档案").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("button", name="调岗 / 调部门").click()
    drawer.get_by_label("生效日期").fill("2099-01-05")
    drawer.get_by_role("combobox", name="部门").select_option(label="财务部")
    drawer.get_by_role("button", name="保存").click()
    expect(drawer.get_by_text("未生效")).to_be_visible()
    drawer.get_by_role("button", name="新增合同").click()
    drawer.get_by_label("生效日期").fill("2026-01-01")
    drawer.get_by_role("button", name="保存").click()
    drawer.get_by_label("结束日期").fill("2099-12-31")
    drawer.get_by_label("工时制").select_option("comprehensive")
    drawer.get_by_label("综合计算周期").select_option("quarter")
    drawer.get_by_role("button", name="保存").click()
    expect(drawer.get_by_text("综合工时制 (按季)")).to_be_visible()
    drawer.get_by_role("button", name="撤回 2099").click()
    page.get_by_role("dialog").last.get_by_role("button", name="确认").click()
    expect(drawer.get_by_text("未生效")).to_have_count(0)
    drawer.get_by_role("button", name="删除 2026").click()
    page.get_by_role("dialog").last.get_by_role("button", name="删除").click()
    expect(drawer.get_by_text("还没有录入合同")).to_be_visible()
    assert visit.errors == []


def test_hr_adds_somebody_and_hears_when_the_id_is_taken(visits: Visits, company: Company) -> None:
    page = visits.open("hr", "/people").page
    page.get_by_role("button", name="新增员工").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("工号").fill(company.people[0].id)
    drawer.get_by_label("姓名").fill("重复")
    drawer.get_by_role("button", name="保存").click()
    expect(drawer.get_by_role("alert")).to_have_text("这个工号或编号已经存在。")


def test_hr_adds_moves_and_removes_a_department(visits: Visits) -> None:
    page = visits.open("hr", "/people/organisation").page
    page.get_by_role("button", name="新增部门").click()
    page.get_by_label("中文名").fill("试点组")
    page.get_by_label("上级部门").select_option(label="财务部")
    page.get_by_role("button", name="保存").click()
    departments = page.get_by_role("region", name="部门")
    expect(departments.get_by_role("listitem").filter(has_text="试点组")).to_contain_text("0 人")
    page.get_by_role("button", name="修改部门：试点组").click()
    page.get_by_role("button", name="删除 试点组").click()
    page.get_by_role("dialog").last.get_by_role("button", name="删除").click()
    expect(departments.get_by_role("listitem").filter(has_text="试点组")).to_have_count(0)


def test_a_manager_sees_only_the_own_people_and_changes_nothing(visits: Visits, company: Company) -> None:
    page = visits.open("manager", "/people").page
    ready(page)
    expect(page.get_by_text(f"{len(company.department)} 人")).to_be_visible()
    expect(page.get_by_role("button", name="新增员工")).to_have_count(0)
    expect(page.get_by_role("link", name="批量导入")).to_have_count(0)
    page.get_by_role("link", name=f"查看{company.department[0].name}的档案").first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("只能查看，修改请联系人事。")).to_be_visible()
    expect(drawer.get_by_role("button", name="修改")).to_have_count(0)
    other = next(one for one in company.people if one.department != MANAGED)
    page.goto(f"/people?person={other.id}")
    expect(page.get_by_role("dialog").get_by_text("没有找到")).to_be_visible()
    page.goto("/people/import")
    expect(page.get_by_role("heading", level=1, name="您没有查看这一页的权限")).to_be_attached()


SCREENS = {
    "people-record": ("hr", "/people?person={agent}"),
    "organisation": ("hr", "/people/organisation"),
    "people-import": ("hr", "/people/import"),
    "people-import-columns": ("hr", "/people/import"),
    "people-import-check": ("hr", "/people/import"),
    "people-record-manager": ("manager", "/people?person={agent}"),
}


@in_both_languages
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_whole_and_reachable(screen: str, language: Language, visits: Visits, company: Company) -> None:
    role, path = SCREENS[screen]
    visit = visits.open(role, path.format(agent=company.department[0].id), language=language)
    page = visit.page
    ready(page)
    if screen.startswith("people-import-"):
        page.locator("input[type=file]").set_input_files(workbook(GOOD, BAD))
        page.get_by_label("部门" if language == "zh-CN" else "Department", exact=True).select_option("归属")
    if screen == "people-import-check":
        page.get_by_role("button", name="下一步：检查" if language == "zh-CN" else "Next: check").click()
        expect(page.get_by_role("checkbox")).to_be_visible()
    assert_whole(visit, screen, language)
