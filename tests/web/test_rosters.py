"""Planning in the browser: a week with a conflict, warnings, copies, files, and the settings beside it."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from muster.sample.people import Person
from tests.web.company import ZONE, Company
from tests.web.conftest import Language, Visits
from tests.web.looks import assert_whole, in_both_languages, ready

SCREENS: dict[str, tuple[str, str, Callable[[Page], None] | None]] = {
    "roster-week": ("hr", "/rosters?from={week}&department=customer_service", None),
    "roster-month": ("manager", "/rosters?view=month&from={month}&count=shift", None),
    "roster-import": ("manager", "/rosters?tab=import", None),
    "roster-copy": ("hr", "/rosters?from={week}", lambda page: page.locator(".actions button").nth(1).click()),
    "shifts": ("hr", "/shifts", None),
    "shift-form": ("hr", "/shifts", lambda page: page.get_by_role("row").nth(2).get_by_role("button").first.click()),
    "patterns": ("hr", "/shifts?tab=patterns", None),
    "groups": ("hr", "/shifts?tab=groups", None),
    "group-members": (
        "hr",
        "/shifts?tab=groups",
        lambda page: page.get_by_role("row").nth(1).get_by_role("button").first.click(),
    ),
    "policies": ("hr", "/shifts?tab=policies", None),
}


def monday(weeks: int) -> date:
    """Monday of the week that many weeks ahead."""
    today = datetime.now(ZONE).date()
    return today - timedelta(days=today.weekday()) + timedelta(weeks=weeks)


def cell(page: Page, person: Person, weekday: int) -> Locator:
    """The cell of a person, 0 for Monday."""
    return page.get_by_role("row").filter(has_text=person.id).get_by_role("gridcell").nth(weekday)


def plan(page: Page, person: Person, weekday: int, keys: str) -> None:
    """Type into a cell."""
    cell(page, person, weekday).click()
    for key in keys.split():
        page.keyboard.press(key)


@in_both_languages
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_whole_reachable_and_quiet(screen: str, language: Language, visits: Visits, company: Company) -> None:
    role, path, act = SCREENS[screen]
    path = path.format(week=company.day - timedelta(days=company.day.weekday()), month=company.day.replace(day=1))
    visit = visits.open(role, path, language=language)
    if "import" not in screen:
        ready(visit.page)
    if act is not None:
        act(visit.page)
        expect(visit.page.get_by_role("dialog")).to_be_visible()
    assert_whole(visit, screen, language)


@pytest.mark.parametrize(("role", "week"), [("hr", 2), ("manager", 3)])
def test_a_week_with_a_conflict_is_shown_refused_mended_and_saved(
    role: str, week: int, visits: Visits, company: Company
) -> None:
    someone = company.department[0]
    page = visits.open(role, f"/rosters?from={monday(week)}&q={someone.id}").page
    for weekday in range(5):
        plan(page, someone, weekday, "d")
    bar = page.get_by_role("region", name="处改动尚未保存")
    expect(bar).to_contain_text("没有冲突")
    plan(page, someone, 1, "Enter")
    page.get_by_role("dialog").get_by_role("checkbox").last.check()
    page.get_by_role("dialog").get_by_role("checkbox", name="晚班").check()
    page.get_by_role("button", name="确定").click()
    expect(bar).to_contain_text("处冲突")
    expect(bar.get_by_role("button", name="保存")).to_be_disabled()
    expect(cell(page, someone, 1)).to_contain_text("重叠")
    plan(page, someone, 1, "Delete d")
    expect(bar).to_contain_text("没有冲突")
    bar.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 5 处排班")).to_be_visible()
    expect(bar).to_have_count(0)
    page.reload()
    expect(cell(page, someone, 4)).to_contain_text("白班")


def test_legal_warnings_have_to_be_confirmed(visits: Visits, company: Company) -> None:
    someone = company.department[1]
    page = visits.open("manager", f"/rosters?from={monday(2)}&q={someone.id}").page
    cell(page, someone, 0).click()
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("d")
    bar = page.get_by_role("region", name="处改动尚未保存")
    expect(bar).to_contain_text("法规提醒")
    expect(bar.get_by_role("button", name="保存")).to_be_disabled()
    bar.get_by_role("button", name="查看检查结果").click()
    expect(page.get_by_role("dialog")).to_contain_text("连续 7 天没有完整的 24 小时休息")
    page.keyboard.press("Escape")
    bar.get_by_role("checkbox", name="仍然保存").check()
    bar.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 7 处排班")).to_be_visible()


def test_codes_fill_undo_and_discard_work_from_the_keyboard(visits: Visits, company: Company) -> None:
    someone = company.department[2]
    page = visits.open("hr", f"/rosters?from={monday(4)}&q={someone.id}").page
    plan(page, someone, 0, "n Shift+ArrowRight Shift+ArrowRight Control+r")
    expect(cell(page, someone, 2)).to_contain_text("夜班")
    page.keyboard.press("Control+z")
    expect(cell(page, someone, 2)).to_contain_text("休息")
    page.get_by_role("button", name="放弃改动").click()
    expect(cell(page, someone, 0)).to_contain_text("休息")


def test_a_week_is_copied_after_a_preview(visits: Visits, company: Company) -> None:
    someone = company.department[3]
    page = visits.open("hr", f"/rosters?from={monday(5)}&q={someone.id}").page
    plan(page, someone, 2, "e")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 1 处排班")).to_be_visible()
    cell(page, someone, 2).click()
    page.get_by_role("button", name="复制班表").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("范围").select_option("selected")
    drawer.get_by_label("向后复制几次").fill("2")
    drawer.get_by_role("button", name="预览").click()
    expect(drawer).to_contain_text("将改动 1 人共 2 个班次日")
    drawer.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 2 处排班")).to_be_visible()
    page.goto(f"/rosters?from={monday(7)}&q={someone.id}")
    expect(cell(page, someone, 2)).to_contain_text("早班")


def test_a_file_with_an_unknown_person_is_refused_by_row(visits: Visits, company: Company) -> None:
    someone = company.department[4]
    month = monday(6)
    text = f"{month:%Y年%m月}排班表\n工号,姓名,{month.day}\n{someone.id},{someone.name},D\nX-404,无名氏,D\n"
    page = visits.open("manager", "/rosters?tab=import").page
    file = {"name": "roster.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("main")).to_contain_text("没有员工“X-404”，或不在您的管理范围。")
    expect(page.get_by_role("button", name="写入")).to_be_disabled()


def test_a_manager_sees_only_own_people_and_no_settings(visits: Visits, company: Company) -> None:
    page = visits.open("manager", f"/rosters?from={monday(1)}").page
    ready(page)
    expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", str(len(company.department) + 2))
    page.goto("/shifts")
    expect(page.get_by_role("heading", level=1, name="您没有查看这一页的权限")).to_be_attached()


def test_what_others_plan_appears_on_the_open_board(visits: Visits, company: Company) -> None:
    someone = company.department[5]
    address = f"/rosters?from={monday(8)}&q={someone.id}"
    watching, planning = visits.open("hr", address).page, visits.open("manager", address).page
    ready(watching)
    plan(planning, someone, 3, "f")
    planning.get_by_role("button", name="保存").click()
    expect(cell(watching, someone, 3)).to_contain_text("弹性班")


def test_rules_are_previewed_before_they_are_published(visits: Visits) -> None:
    page = visits.open("hr", "/shifts?tab=policies&group=days").page
    page.get_by_label("迟到宽限").fill("5")
    page.get_by_role("button", name="预览").click()
    expect(page.get_by_role("table", name="与前一版本的差别")).to_contain_text("5 分钟")
    page.get_by_role("button", name="发布").click()
    expect(page.get_by_text("规则已发布")).to_be_visible()
    expect(page.get_by_role("button", name="撤回")).to_be_visible()
    page.get_by_label("迟到宽限").fill("-5")
    page.get_by_role("button", name="预览").click()
    expect(page.get_by_label("迟到宽限")).to_have_accessible_description("数值超出范围")
    page.get_by_role("button", name="撤回").click()
    expect(page.get_by_text("版本已撤回")).to_be_visible()


def test_a_shift_is_checked_while_it_is_typed(visits: Visits) -> None:
    page = visits.open("hr", "/shifts").page
    page.get_by_role("button", name="新增班次").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("编号").fill("short")
    drawer.get_by_label("代码").fill("D")
    drawer.get_by_label("中文名称").fill("短班")
    expect(drawer).to_contain_text("代码“D”已被班次 day 使用。")
    expect(drawer.get_by_role("button", name="保存")).to_be_disabled()
    drawer.get_by_label("代码").fill("短")
    drawer.get_by_label("上班", exact=True).fill("14:00")
    expect(drawer).to_contain_text("休息 12:00-13:00 不在 14:00–18:00 之内。")
    drawer.get_by_role("button", name="删除这段休息").click()
    drawer.get_by_role("button", name="保存").click()
    expect(page.get_by_text("班次“短班”已保存")).to_be_visible()
