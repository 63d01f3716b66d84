"""Rewards in steps on pages: set by HR, read without amounts by a manager, not there for employees."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Language, Visits
from tests.web.installation import Installation, running
from tests.web.looks import assert_whole, in_both_languages, ready
from tests.web.seed_contracts import make_keys
from tests.web.seed_periods import make_scored_month

SCREENS = {
    "rewards": ("hr", "/rewards"),
    "rewards-bases": ("hr", "/rewards?tab=bases"),
    "rewards-settings": ("hr", "/rewards?tab=settings"),
    "rewards-team": ("manager", "/rewards?tab=bases"),
}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Each test reads what it set itself."""
    folder = tmp_path_factory.mktemp("rewards")
    make_scored_month(folder)
    with running(folder) as installation:
        make_keys(installation)
        yield installation


@in_both_languages
def test_steps_and_amounts_are_set_and_read(
    language: Language, company: Installation, visits_to: Callable[[Installation], Visits]
) -> None:
    """Margin at 18 % opens the steps of sales; c5 has 5,000.00, which the manager of c5 does not see."""
    visits = visits_to(company)
    set_rules(visits)
    for screen, (role, path) in SCREENS.items():
        visit = visits.open(role, path, language=language)
        ready(visit.page)
        assert_whole(visit, screen, language)
    manager = visits.open("manager", "/rewards?tab=bases").page
    ready(manager)
    row = manager.get_by_role("row").filter(has_text="孙悦")
    expect(row).to_contain_text("••••")
    expect(manager.get_by_text("5,000.00")).to_have_count(0)
    expect(manager.get_by_role("button", name="设置基数")).to_have_count(0)
    expect(manager.get_by_role("link", name="结算设置")).to_have_count(0)


def set_rules(visits: Visits) -> None:
    page = visits.open("hr", "/rewards").page
    ready(page)
    expect(page.get_by_role("row").filter(has_text="页面转化率")).to_contain_text("出厂默认")
    page.get_by_role("button", name="设置阶梯").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("每超目标（%）").fill("0")
    drawer.get_by_role("button", name="保存").click()
    expect(drawer.get_by_text("请填大于 0 的百分数")).to_be_visible()
    drawer.get_by_label("每超目标（%）").fill("7.5")
    drawer.get_by_role("button", name="添加门槛").click()
    drawer.get_by_role("combobox", name="门槛 1").select_option(label="毛利率")
    drawer.get_by_label("门槛 1 至少").fill("18")
    if drawer.get_by_role("group", name="奖励基数").count():  # the first of two visits
        drawer.get_by_role("combobox", name="岗位").select_option(index=1)
        drawer.get_by_label("基数（元）").fill("1")
    drawer.get_by_role("button", name="保存").click()
    row = page.get_by_role("row").filter(has_text="毛利率 ≥ 18%")
    expect(row).to_contain_text("7.5%")
    page.get_by_role("link", name="奖励基数").click()
    ready(page)
    page.get_by_role("button", name="设置基数").click()
    drawer.get_by_label("发给").select_option("person")
    drawer.get_by_label("查找员工").fill("孙悦")
    drawer.get_by_role("combobox", name="员工").select_option(label="孙悦 c5")
    drawer.get_by_label("基数（元）").fill("5,000.005")
    drawer.get_by_role("button", name="保存").click()
    expect(drawer.get_by_text("最多两位小数")).to_be_visible()
    drawer.get_by_label("基数（元）").fill("5,000")
    drawer.get_by_role("button", name="保存").click()
    expect(page.get_by_role("row").filter(has_text="孙悦")).to_contain_text("5,000.00")


def test_steps_that_would_pay_nobody_are_set_with_a_base_amount(
    company: Installation, visits_to: Callable[[Installation], Visits]
) -> None:
    page = visits_to(company).open("hr", "/rewards").page
    ready(page)
    page.get_by_role("button", name="设置阶梯").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("combobox", name="指标").select_option(label="新客户获取量")
    drawer.get_by_role("button", name="保存").click()
    expect(drawer.get_by_text("必填")).to_be_visible()
    expect(drawer.get_by_text("请填不小于 0 的金额")).to_be_visible()
    drawer.get_by_label("发给").select_option("person")
    drawer.get_by_label("查找员工").fill("孙悦")
    drawer.get_by_role("combobox", name="员工").select_option(label="孙悦 c5")
    drawer.get_by_label("基数（元）").fill("0")
    drawer.get_by_role("button", name="保存").click()
    expect(drawer.get_by_text("请同时设置基数")).to_be_visible()
    drawer.get_by_label("基数（元）").fill("800")
    drawer.get_by_role("button", name="保存").click()
    row = page.get_by_role("row").filter(has_text="新客户获取量")
    expect(row).to_be_visible()
    expect(row).not_to_contain_text("没有基数")


@in_both_languages
def test_a_gate_without_a_target_is_told_of_beside_it(
    language: Language, company: Installation, visits_to: Callable[[Installation], Visits]
) -> None:
    """New customers have a target of nobody; the margin ships with one."""
    zh = language == "zh-CN"
    visit = visits_to(company).open("hr", "/rewards", language=language)
    page = visit.page
    ready(page)
    page.get_by_role("button", name="设置阶梯" if zh else "Set steps").click()
    drawer = page.get_by_role("dialog")
    for number, name in ((1, "毛利率" if zh else "Gross margin"), (2, "新客户获取量" if zh else "New customers")):
        drawer.get_by_role("button", name="添加门槛" if zh else "Add a gate").click()
        drawer.get_by_role("combobox", name=f"门槛 {number}" if zh else f"Gate {number}").select_option(label=name)
    if drawer.get_by_role("group", name="奖励基数" if zh else "Base amount").count():
        drawer.get_by_role("combobox", name="岗位" if zh else "Position").select_option(index=1)
        drawer.get_by_label("基数（元）" if zh else "Base amount (CNY)").fill("1")
    drawer.get_by_role("button", name="保存" if zh else "Save").click()
    gate = drawer.get_by_label("门槛 2 至少" if zh else "Gate 2, at least")
    expect(gate).to_have_accessible_description(re.compile("请先设置目标" if zh else "Set a target first"))
    expect(drawer.get_by_label("门槛 1 至少" if zh else "Gate 1, at least")).not_to_have_attribute(
        "aria-invalid", "true"
    )
    assert all("422" in one for one in visit.errors), "the refusal alone"
    visit.errors.clear()
    assert_whole(visit, "rewards-gate", language)


def test_settings_are_changed_within_their_bounds(
    company: Installation, visits_to: Callable[[Installation], Visits]
) -> None:
    page = visits_to(company).open("hr", "/rewards?tab=settings").page
    ready(page)
    page.get_by_label("申诉期").fill("91")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("请填 1 到 90 之间的整数")).to_be_visible()
    page.get_by_label("申诉期").fill("14")
    page.get_by_label("配送部的周期").select_option("quarter")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存")).to_be_visible()
    page.reload()
    ready(page)
    expect(page.get_by_label("申诉期")).to_have_value("14")
    expect(page.get_by_label("配送部的周期")).to_have_value("quarter")


def test_an_employee_finds_no_rewards(company: Installation, visits_to: Callable[[Installation], Visits]) -> None:
    page = visits_to(company).open("employee", "/rewards").page
    expect(page.get_by_text("您没有查看这一页的权限").first).to_be_visible()
    expect(page.get_by_role("link", name="阶梯奖励")).to_have_count(0)
