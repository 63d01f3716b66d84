"""Contracts in a browser: HR enters one, sees pay for a reason only, and takes over what duties suggest."""

import datetime as dt

import pytest
from playwright.sync_api import Page, expect

from tests.web.company import Company
from tests.web.conftest import Language, Visits
from tests.web.installation import Installation
from tests.web.looks import assert_whole, in_both_languages, problems, ready
from tests.web.seed_contracts import make_keys

DUTIES = "负责包裹派送，轻拿轻放"


@pytest.fixture(scope="module", autouse=True)
def _keys(server: Installation) -> None:
    make_keys(server)


def enter(page: Page, employee: str, ends_on: dt.date, pay: str = "8000.50") -> None:
    """A contract by hand."""
    page.get_by_role("button", name="新增合同").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("工号").fill(employee)
    drawer.get_by_label("开始日期").fill("2025-01-01")
    drawer.get_by_label("结束日期").fill(ends_on.isoformat())
    drawer.get_by_label("岗位", exact=True).fill("courier")
    drawer.get_by_label("岗位职责").fill(DUTIES)
    drawer.get_by_label("月基本工资（元）").fill(pay)
    drawer.get_by_role("button", name="保存").click()


def test_hr_enters_a_contract_and_sees_its_pay_for_a_reason(visits: Visits, company: Company) -> None:
    person = company.people[0]
    visit = visits.open("hr", "/contracts")
    page = visit.page
    ready(page)
    enter(page, person.id, company.day + dt.timedelta(days=10), "8,000.5.0")
    expect(page.get_by_text("金额请写成 8000 或 8000.50。")).to_be_visible()
    page.get_by_role("dialog").get_by_label("月基本工资（元）").fill("8,000.50")
    page.get_by_role("dialog").get_by_role("button", name="保存").click()
    row = page.get_by_role("row").filter(has_text=person.id)
    expect(row).to_contain_text("即将到期")
    expect(row).to_contain_text("***")
    page.get_by_role("link", name=f"查看{person.name}").first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text(DUTIES)).to_be_visible()
    assert "8,000.50" not in page.content()
    assert problems(page) == []
    drawer.get_by_role("button", name="查看工资").click()
    show = drawer.get_by_role("button", name="记录并查看")
    expect(show).to_be_disabled()
    drawer.get_by_label("查看理由").fill("年度调薪")
    show.click()
    expect(drawer.get_by_text("8,000.50")).to_be_visible()
    expect(drawer.get_by_role("region", name="查看与修改记录")).to_contain_text("年度调薪")
    assert problems(page) == []
    drawer.get_by_role("button", name="隐藏").click()
    expect(drawer.get_by_text("8,000.50")).to_have_count(0)
    drawer.get_by_role("button", name="修改").click()
    drawer.get_by_label("结束日期").fill("2099-12-31")
    drawer.get_by_role("button", name="保存").click()
    expect(drawer.get_by_text("履行中")).to_be_visible()
    drawer.get_by_role("button", name="查看工资").click()
    drawer.get_by_label("查看理由").fill("确认未变")
    drawer.get_by_role("button", name="记录并查看").click()
    expect(drawer.get_by_text("8,000.50")).to_be_visible()
    drawer.get_by_role("button", name="撤销").click()
    page.get_by_role("dialog").last.get_by_role("button", name="撤销").click()
    expect(row).to_have_count(0)
    assert visit.errors == []


def test_duties_suggest_indicators_that_hr_accepts(visits: Visits, company: Company) -> None:
    visit = visits.open("hr", "/contracts")
    page = visit.page
    ready(page)
    enter(page, company.people[1].id, company.day + dt.timedelta(days=400))
    expect(page.get_by_role("row").filter(has_text=company.people[1].id)).to_be_visible()
    page.get_by_role("link", name="岗位-指标").click()
    ready(page)
    page.get_by_role("row").filter(has_text="准时送达率").get_by_role("link").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("职责中提到：派送")).to_be_visible()
    drawer.get_by_role("checkbox", name="破损率").check()
    assert problems(page) == []
    drawer.get_by_role("button", name="保存 1 个指标").click()
    expect(page.get_by_role("row").filter(has_text="破损率").last).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("row").filter(has_text="破损率").get_by_role("link").click()
    expect(page.get_by_role("dialog").get_by_role("checkbox", name="破损率")).to_be_checked()
    drawer.get_by_label("试一段职责").fill("报税与开票")
    drawer.get_by_role("button", name="给出建议").click()
    expect(drawer.get_by_text("职责中提到：报税、开票")).to_be_visible()
    assert visit.errors == []


def test_hr_says_how_far_ahead_ends_are_told(visits: Visits) -> None:
    page = visits.open("hr", "/contracts").page
    page.get_by_role("button", name="提醒设置").click()
    page.get_by_label("合同到期前几天提醒").fill("45")
    page.get_by_role("dialog").get_by_role("button", name="保存").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="提醒设置").click()
    expect(page.get_by_label("合同到期前几天提醒")).to_have_value("45")


@pytest.mark.parametrize("role", ["manager", "employee", "it"])
def test_others_find_no_contracts(role: str, visits: Visits) -> None:
    page = visits.open(role, "/contracts").page
    expect(page.get_by_role("navigation").first).to_be_visible()
    expect(page.get_by_role("link", name="劳动合同", exact=True)).to_have_count(0)
    expect(page.get_by_role("table")).to_have_count(0)


@in_both_languages
@pytest.mark.parametrize("screen", ["contracts/posts", "contracts-new"])
def test_screen_is_whole_reachable_and_quiet(screen: str, language: Language, visits: Visits) -> None:
    visit = visits.open("hr", "/contracts" if screen == "contracts-new" else f"/{screen}", language=language)
    ready(visit.page)
    if screen == "contracts-new":
        visit.page.get_by_role("button", name="新增合同" if language == "zh-CN" else "Add contract").click()
    assert_whole(visit, screen.replace("/", "-"), language)
