"""The work calendar and the parallel run in a browser: refused, previewed, published, compared and explained."""

from datetime import date

import pytest
from playwright.sync_api import FilePayload, Page, expect
from sqlalchemy import create_engine, insert, select

from server.store import tables
from server.store.shadow_tables import shadow_days
from tests.web.company import Company
from tests.web.conftest import Language, Visits
from tests.web.looks import assert_whole, in_both_languages, ready

SCREENS = {
    "calendar": "/calendar?year=2026",
    "calendar-empty": "/calendar?year=2030",
    "shadow": "/shadow",
}
THEIRS = {"off": "rest", "rest_ot": "overtime", "holiday_ot": "overtime", "untimed": "normal", "not_yet": "normal"}


@pytest.fixture(scope="module")
def shadow_day(company: Company) -> date:
    """The old system's results of the newest day: as ours, but three people who are normal are late there."""
    days = tables.attendance_days
    engine = create_engine(f"sqlite:///{company.database}", connect_args={"timeout": 10})
    with engine.begin() as connection:
        found = connection.execute(select(days.c.employee, days.c.status).where(days.c.date == company.day)).all()
        late = sorted(row.employee for row in found if row.status == "normal")[:3]
        rows = [
            {
                "employee": row.employee,
                "date": company.day,
                "status": "late" if row.employee in late else THEIRS.get(row.status, row.status),
                "said": "迟到" if row.employee in late else "",
                "minutes": {"late": 9} if row.employee in late else {},
                "first_min": None,
                "last_min": None,
                "shift": "",
                "loaded_ms": 1,
            }
            for row in found
        ]
        connection.execute(insert(shadow_days), rows)
    engine.dispose()
    return company.day


def as_file(name: str, text: str) -> FilePayload:
    """What a person picks from a folder."""
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


def pick_date(page: Page, name: str, kind: str) -> None:
    """Give a date of the draft another kind."""
    page.get_by_role("button", name=name).first.click()
    page.get_by_label("类型").select_option(label=kind)


def test_hr_is_refused_with_words_then_publishes_and_days_are_computed_again(visits: Visits) -> None:
    visit = visits.open("hr", "/calendar?year=2026")
    page = visit.page
    expect(page.get_by_role("heading", name="现行第 1 版")).to_be_visible()
    page.get_by_role("button", name="编辑", exact=True).click()
    pick_date(page, "5月2日周六 法定节假日 劳动节", "按星期（周一至周五上班）")
    page.get_by_role("button", name="检查").click()
    result = page.get_by_role("status", name="检查结果")
    expect(result).to_contain_text("法定节假日只有 12 天，应为 13 天")
    expect(result).to_contain_text("缺少法定节假日：劳动节")
    expect(page.get_by_role("button", name="发布", exact=True)).to_have_count(0)
    pick_date(page, "5月2日周六", "法定节假日")
    pick_date(page, "5月9日周六 调休上班 劳动节", "按星期（周一至周五上班）")
    page.get_by_role("button", name="检查").click()
    expect(result).to_contain_text("检查通过，可以发布")
    expect(result).to_contain_text("5月9日周六")
    page.get_by_role("button", name="发布", exact=True).click()
    expect(page.get_by_text("第 2 版已发布")).to_be_visible()
    expect(page.get_by_role("heading", name="现行第 2 版")).to_be_visible()
    page.get_by_role("button", name="查看变化").last.click()
    page.get_by_role("button", name="恢复此版").click()
    page.get_by_role("button", name="检查").click()
    page.get_by_role("button", name="发布", exact=True).click()
    expect(page.get_by_role("heading", name="现行第 3 版")).to_be_visible()
    assert visit.errors == []


def test_a_file_fills_the_draft_and_names_rows_that_it_could_not_read(visits: Visits) -> None:
    page = visits.open("hr", "/calendar?year=2027").page
    page.get_by_role("button", name="开始编辑").click()
    text = "日期,类型,名称\n2027-01-01,法定节假日,元旦\n2027-02-30,休息日,春节\n"
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="导入文件").click()
    chooser.value.set_files(as_file("2027.csv", text))
    expect(page.get_by_text("第 3 行: 日期读不出来：2027-02-30")).to_be_visible()
    page.get_by_role("button", name="检查").click()
    expect(page.get_by_role("status", name="检查结果")).to_contain_text("法定节假日只有 1 天，应为 13 天")


def test_another_calendar_is_added_for_a_country(visits: Visits) -> None:
    page = visits.open("hr", "/calendar?year=2026").page
    page.get_by_role("button", name="日历与站点").click()
    drawer = page.get_by_role("dialog", name="日历与站点")
    drawer.get_by_label("国家或地区").select_option("JP")
    drawer.get_by_role("button", name="添加日历").click()
    expect(drawer.get_by_text("0 个站点使用")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="日历", exact=True).select_option(label="日本")
    expect(page.get_by_text("2026 年还没有发布日历")).to_be_visible()


def test_the_comparison_shows_agreement_reasons_and_both_sides(visits: Visits, shadow_day: date) -> None:
    visit = visits.open("hr", f"/shadow?month={shadow_day:%Y-%m}")
    page = visit.page
    expect(page.get_by_role("heading", name="不一致的原因")).to_be_visible()
    bar = page.get_by_role("button", name="迟到早退算法不同").or_(page.get_by_role("button", name="宽限不同")).first
    bar.click()
    assert "reason=" in page.url
    page.get_by_role("button", name="查看").first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("AR-14").first).to_be_visible()
    expect(drawer.get_by_role("heading", name="本系统的打卡")).to_be_visible()
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("link", name="导出 CSV").click()
    assert download.value.suggested_filename == f"parallel-run-{shadow_day:%Y-%m}.csv"
    assert visit.errors == []


def test_unknown_words_are_given_a_meaning_before_anything_is_written(visits: Visits, company: Company) -> None:
    page = visits.open("hr", "/shadow").page
    page.get_by_role("button", name="导入原系统结果").click()
    drawer = page.get_by_role("dialog", name="导入原系统结果")
    text = f"工号,日期,结果\n{company.me.id},{company.day},团建\n"
    with page.expect_file_chooser() as chooser:
        drawer.get_by_role("button", name="选择文件").click()
    chooser.value.set_files(as_file("old.csv", text))
    expect(drawer.get_by_text("这些词是什么意思？")).to_be_visible()
    expect(drawer.get_by_role("button", name="写入")).to_have_count(0)
    drawer.get_by_label("团建 · 出现 1 次").select_option("normal")
    drawer.get_by_role("button", name="检查").click()
    drawer.get_by_role("button", name="写入 1 天").click()
    expect(page.get_by_text("已导入 1 天")).to_be_visible()


@in_both_languages
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_whole_reachable_and_quiet(screen: str, language: Language, visits: Visits, shadow_day: date) -> None:
    visit = visits.open("hr", SCREENS[screen], language=language)
    ready(visit.page)
    assert_whole(visit, screen, language)


@pytest.mark.parametrize("path", ["/calendar", "/shadow"])
def test_a_manager_finds_neither(path: str, visits: Visits) -> None:
    page = visits.open("manager", "/today").page
    ready(page)
    assert page.get_by_role("link", name="工作日历").count() == page.get_by_role("link", name="并行核对").count() == 0
    page.goto(path)
    expect(page.get_by_role("main")).to_contain_text("您没有查看这一页的权限")
