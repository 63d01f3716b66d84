"""The ranking of scores, as HR, a manager and somebody without the right see it."""

import re

import pytest
from playwright.sync_api import expect

from tests.web.company import Company
from tests.web.conftest import Visits
from tests.web.looks import problems, ready
from tests.web.seed_scores import MONTH, add_scores


def test_hr_opens_a_score_from_the_ranking(visits: Visits, company: Company) -> None:
    visit = visits.open("hr", f"/scores?month={company.day:%Y-%m}")
    page = visit.page
    ready(page)
    table = page.get_by_role("table", name="绩效排名表")
    first = table.get_by_role("row").nth(1)
    name = first.get_by_role("link").inner_text()
    expect(first.get_by_role("cell").first).to_have_text("1")
    first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    page.go_back()
    expect(table).to_be_visible()
    assert visit.errors == []


def test_the_bars_count_everybody_in_the_table(visits: Visits) -> None:
    page = visits.open("hr", "/scores").page
    ready(page)
    grades = page.get_by_role("region", name="等级分布")
    bars = grades.get_by_role("listitem")
    texts = [bars.nth(number).get_attribute("aria-label") or "" for number in range(bars.count())]
    without = grades.get_by_text("数据不足")
    if without.count():
        texts.append(without.inner_text().split("·", maxsplit=1)[0])
    total = page.get_by_role("search").get_by_text("共").inner_text()
    assert sum(map(number_in, texts)) == number_in(total)


def number_in(text: str) -> int:
    """The number of people in a text such as ``S 级 3 人``."""
    return int(re.sub(r"\D", "", text))


def test_a_manager_ranks_their_own_department_alone(visits: Visits, company: Company) -> None:
    page = visits.open("manager", "/scores").page
    ready(page)
    rows = page.get_by_role("table", name="绩效排名表").get_by_role("row")
    own = {person.id for person in company.department}
    seen = {rows.nth(number).locator(".note").inner_text() for number in range(1, rows.count())}
    assert seen
    assert seen <= own


@pytest.mark.parametrize("role", ["employee", "it"])
def test_others_find_no_ranking(role: str, visits: Visits) -> None:
    page = visits.open(role, "/scores").page
    expect(page.get_by_text("您没有查看这一页的权限").first).to_be_visible()
    expect(page.get_by_role("link", name="绩效排名")).to_have_count(0)
    expect(page.get_by_role("table")).to_have_count(0)


@pytest.fixture(scope="module")
def told(company: Company) -> str:
    """The month whose scores are those of the story."""
    add_scores(company)
    return MONTH


def test_a_courier_sees_damage_with_and_without_returns_beside_being_on_time(visits: Visits, told: str) -> None:
    visit = visits.open("employee", f"/me/score?period={told}")
    page = visit.page
    ready(page)
    damage = page.get_by_role("article", name="破损率")
    expect(damage).to_contain_text("30 ÷ 1,000 = 3%")
    expect(damage).to_contain_text("不含退货破损：1.8%（仅供核对，不计分）")
    expect(damage).to_contain_text("一起看：准时送达率 97%，100.00 分")
    expect(page.get_by_role("article", name="准时送达率")).to_contain_text("一起看：破损率 3%，40.00 分")
    expect(damage.get_by_text("暂定")).to_have_count(0)
    assert problems(page) == []
    assert visit.errors == []


def test_one_sees_how_ones_score_went_and_opens_a_period(visits: Visits, told: str) -> None:
    visit = visits.open("employee", "/me/score")
    page = visit.page
    ready(page)
    history = page.get_by_role("region", name="历史走势")
    expect(history.get_by_role("img")).to_have_attribute("aria-label", re.compile("2026年3月 76.92 分，"))
    history.get_by_text("查看各期分数").click()
    row = history.get_by_role("row").filter(has_text="2026年3月")
    expect(row).to_contain_text("76.92")
    expect(row).to_contain_text("未关账")
    assert problems(page) == []
    row.get_by_role("link").click()
    expect(page.get_by_role("article", name="破损率")).to_contain_text("30 ÷ 1,000 = 3%")
    assert told in page.url
    assert visit.errors == []
