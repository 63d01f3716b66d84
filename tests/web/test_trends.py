"""Trends and correlations: lines with their forecasts, the heatmap, what the words say, and who may look."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from shared.clock import system_clocks
from tests.web.company import ZONE, Company
from tests.web.conftest import Language, Visits
from tests.web.installation import Installation
from tests.web.looks import assert_whole, in_both_languages, problems, ready
from tests.web.seed_trends import add_trends

SERVICE = "/trends?level=department&unit=customer_service&steps=30"
CHOSEN = "&indicators=cs_first_response_seconds,cs_avg_handle_time"


@pytest.fixture(scope="module", autouse=True)
def _weeks(company: Company, server: Installation) -> None:
    del server  # it has prepared the database
    add_trends(company, datetime.fromtimestamp(system_clocks().wall_ms() / 1000, UTC).astimezone(ZONE).date())


@in_both_languages
def test_trends_are_whole_reachable_and_quiet(language: Language, visits: Visits) -> None:
    visit = visits.open("hr", SERVICE, language=language)
    ready(visit.page)
    assert_whole(visit, "trends", language)


def test_ks18_a_line_tells_its_forecast_with_interval_and_number_of_values(visits: Visits) -> None:
    visit = visits.open("hr", SERVICE + CHOSEN)
    page = visit.page
    ready(page)
    card = page.get_by_role("article", name="响应时间")
    expect(card.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile("预测 .*，95% 区间 .* 至 .*，依据 30 个已定值")
    )
    card.get_by_text("查看数据表").click()
    rows = card.get_by_role("row")
    expect(rows).to_have_count(1 + 4 + 30)
    expect(rows.nth(1)).to_contain_text("预测")
    expect(rows.nth(5)).to_contain_text("已定")
    assert visit.errors == []


def test_ks18_a_cell_says_r_n_p_and_delay_on_focus_and_hatches_what_is_weak(visits: Visits) -> None:
    visit = visits.open("hr", SERVICE + CHOSEN + ",cs_satisfaction_score")
    page = visit.page
    ready(page)
    table = page.get_by_role("table", name="哪些指标随之变动")
    cell = table.get_by_role("button", name="“平均处理时长”晚 2 周随“响应时间”变动; r = 1.00，n = 27，校正后 p < 0.001")
    cell.focus()
    expect(page.get_by_text("r = 1.00，n = 27").first).to_be_visible()
    weak = table.get_by_role("button", name=re.compile("看不出随之变动"))
    expect(weak).to_have_count(2)
    hatched = "getComputedStyle(e).backgroundImage.includes('repeating-linear-gradient')"
    assert weak.first.evaluate(f"e => {hatched}")
    assert not cell.evaluate(f"e => {hatched}")
    expect(page.get_by_text("随之变动不等于因果")).to_be_visible()
    page.get_by_role("region", name="哪些指标随之变动").locator("summary").click()
    expect(page.get_by_role("table", name="查看全部配对").get_by_role("row")).to_have_count(4)
    assert problems(page) == []
    assert visit.errors == []


def test_a_library_indicator_is_suggested_with_its_reason(visits: Visits) -> None:
    page = visits.open("hr", "/trends?level=department&unit=logistics&steps=30").page
    ready(page)
    suggested = page.get_by_role("region", name="值得一看的备选指标")
    expect(suggested.get_by_role("listitem")).to_have_count(1)
    expect(suggested).to_contain_text("路线规划")
    expect(suggested).to_contain_text(
        re.compile(r"权重为 0；随权重最高的“准时送达率”变动：r = 0.[89]\d，n = 29，校正后 p < 0.001")
    )


def test_what_is_chosen_is_in_the_address_and_the_back_key_works(visits: Visits) -> None:
    page = visits.open("hr", SERVICE).page
    ready(page)
    filters = page.get_by_role("search")
    filters.get_by_label(re.compile("^按")).select_option("month")
    expect(page).to_have_url(re.compile("grain=month"))
    filters.get_by_text("指标:").click()
    filters.get_by_role("checkbox", name=re.compile("平均处理时长")).check()
    filters.get_by_role("button", name="显示").click()
    expect(page).to_have_url(re.compile("indicators=cs_avg_handle_time"))
    ready(page)
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_text("至少选两项指标才能比较")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("article")).not_to_have_count(1)


def test_the_last_day_of_the_lines_is_chosen_and_taken_back(visits: Visits) -> None:
    visit = visits.open("hr", SERVICE.replace("steps=30", "steps=6") + CHOSEN)
    page = visit.page
    ready(page)
    newest = page.get_by_role("img").first.get_attribute("aria-label")
    day = page.get_by_role("search").get_by_label("截至（不填为昨天）")
    last = datetime.fromtimestamp(system_clocks().wall_ms() / 1000, UTC).astimezone(ZONE).date() - timedelta(days=28)
    day.fill(last.isoformat())
    expect(page).to_have_url(re.compile(f"last={last}"))
    ready(page)
    expect(page.get_by_role("img").first).not_to_have_attribute("aria-label", newest or "")
    day.fill("")
    expect(page).not_to_have_url(re.compile("last="))
    ready(page)
    expect(page.get_by_role("img").first).to_have_attribute("aria-label", newest or "")
    assert visit.errors == []


def test_a_persons_own_rows_are_reached_from_their_score(visits: Visits, company: Company) -> None:
    person = company.department[0]
    page = visits.open("manager", f"/people/{person.id}/score").page
    page.get_by_role("navigation", name="个人页面").get_by_role("link", name="趋势与相关").click()
    ready(page)
    expect(page.get_by_role("search").get_by_label("看谁的数据")).to_have_value(f"person:{person.id}")


def test_fewer_than_eight_shared_values_are_said_to_be_too_few(visits: Visits) -> None:
    page = visits.open("hr", f"{SERVICE.replace('steps=30', 'steps=6')}{CHOSEN}").page
    ready(page)
    expect(page.get_by_role("button", name=re.compile("共同数值只有 5 个，至少要 8 个"))).to_be_visible()
    expect(page.get_by_text("已定的数值不足 12 个，不作预测").first).to_be_visible()


def test_a_department_without_data_says_what_to_do(visits: Visits) -> None:
    page = visits.open("hr", "/trends?level=department&unit=finance").page
    ready(page)
    expect(page.get_by_text("换一个范围或部门").first).to_be_visible()


def test_a_manager_chooses_among_own_departments_alone(visits: Visits) -> None:
    page = visits.open("manager", "/trends").page
    ready(page)
    options = page.get_by_role("search").get_by_label("看谁的数据").get_by_role("option")
    expect(options).to_have_count(1)
    page.goto("/trends?level=department&unit=logistics")
    expect(page.get_by_text("没有找到").first).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(0)


@pytest.mark.parametrize("role", ["employee", "it"])
def test_others_find_no_trends(role: str, visits: Visits) -> None:
    page = visits.open(role, "/trends").page
    expect(page.get_by_text("您没有查看这一页的权限").first).to_be_visible()
    expect(page.get_by_role("link", name="趋势与相关")).to_have_count(0)
