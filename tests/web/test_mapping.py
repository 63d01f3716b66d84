"""What a map makes of saved replies, in a browser: rows as they came beside what becomes of them."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Language, Visits
from tests.web.looks import assert_whole, in_both_languages, problems

RECORDED = Path(__file__).parents[1] / "server/connectors/presets"
CHECK_MS = 20_000


def result(page: Page) -> Page:
    page.get_by_role("button", name="检查", exact=True).click()
    expect(page.get_by_role("button", name="检查", exact=True)).to_be_enabled(timeout=CHECK_MS)
    return page


def test_a_recorded_reply_becomes_the_rows_that_were_written_by_hand(visits: Visits) -> None:
    visit = visits.open("it", "/sources")
    page = visit.page
    page.get_by_role("link", name="映射检查").click()
    page.get_by_role("combobox", name="预设").select_option("shop_woocommerce")
    page.locator("input[type=file]").set_input_files(RECORDED / "shop_woocommerce/sales_order.json")
    result(page)
    expected = json.loads((RECORDED / "shop_woocommerce/sales_order.rows.json").read_text())["rows"]
    articles = page.get_by_role("article")
    expect(articles).to_have_count(len(expected))
    for number, row in enumerate(expected):
        expect(articles.nth(number).get_by_role("heading", name="成为 销售订单")).to_be_visible()
        for value in (row["source_key"], *row["fields"].values()):
            expect(articles.nth(number)).to_contain_text(str(value))
    assert problems(page) == []
    assert visit.errors == []


def test_rows_that_would_wait_say_why_and_a_cut_reply_is_no_use(visits: Visits) -> None:
    page = visits.open("it", "/sources/check?map=shop_woocommerce").page
    page.get_by_role("combobox", name="数据流").select_option("sales_order")
    orders = json.loads((RECORDED / "shop_woocommerce/sales_order.json").read_text())
    orders[0]["total"] = "many"
    page.get_by_label("或粘贴一段回复").fill(json.dumps(orders))
    page.get_by_role("button", name="加入样本").click()
    page.get_by_label("或粘贴一段回复").fill(json.dumps(orders)[:-40])
    page.get_by_role("button", name="加入样本").click()
    result(page)
    waiting = page.get_by_role("article").filter(has_text="需要人工处理")
    expect(waiting).to_have_count(1)
    expect(waiting).to_contain_text("数字无法识别 many")
    unusable = page.get_by_role("alert", name="不可用的回复")
    expect(unusable).to_contain_text("粘贴 2")
    expect(unusable).to_contain_text("进度不前移")
    page.get_by_label("只看有问题的行").check()
    expect(page.get_by_role("article")).to_have_count(1)
    page.get_by_role("button", name="移除 粘贴 2").click()
    result(page)
    expect(unusable).to_have_count(0)
    assert problems(page) == []


def test_a_preset_is_copied_changed_and_its_faults_are_at_their_lines(visits: Visits) -> None:
    page = visits.open("it", "/sources/check?map=shop_woocommerce").page
    page.locator("input[type=file]").set_input_files(RECORDED / "shop_woocommerce/sales_order.json")
    page.get_by_role("button", name="复制预设来修改").click()
    text = page.get_by_label("映射文件", exact=True)
    copied = text.input_value()
    line = next(n for n, one in enumerate(copied.splitlines(), 1) if one.strip().startswith("order_no:"))
    text.fill(copied.replace("order_no:", "order_number:", 1))
    result(page)
    expect(page.get_by_role("alert", name="映射有误")).to_contain_text(f"第 {line} 行")
    text.fill(copied)
    result(page)
    expect(page.get_by_role("article").first).to_contain_text("可以入库")
    expect(page.get_by_role("link", name="下载映射文件")).to_be_visible()


CONTRACTS = """
source: pay
kind: file
timezone: Asia/Shanghai
streams:
  - fact: labour_contract
    call: {files: "*.csv"}
    every: 1d
    key: no
    map:
      employee_key: who
      starts_on: {path: from, as: date}
      kind: {const: open}
      pay_minor: {path: pay, as: money_minor}
"""


def test_pay_is_never_shown(visits: Visits) -> None:
    page = visits.open("it", "/sources/check?map=own").page
    page.get_by_label("映射文件", exact=True).fill(CONTRACTS)
    page.get_by_label("或粘贴一段回复").fill("no,who,from,pay\nC1,e1,2026-03-01,8765.40\nC2,e2,soon,8765.40\n")
    page.get_by_role("button", name="加入样本").click()
    result(page)
    articles = page.get_by_role("article")
    expect(articles).to_have_count(2)
    expect(articles.first).to_contain_text("***")
    expect(articles.first).to_contain_text("可能含工资，不显示原始内容。")
    assert "8765" not in page.get_by_role("region", name="结果").inner_text()
    assert "876540" not in page.get_by_role("region", name="结果").inner_text()


@pytest.mark.parametrize("role", ["hr", "manager", "employee"])
def test_others_check_no_maps(role: str, visits: Visits) -> None:
    page = visits.open(role, "/sources/check").page
    expect(page.get_by_text("您没有查看这一页的权限").first).to_be_visible()


@in_both_languages
def test_the_page_of_maps_is_whole(language: Language, visits: Visits) -> None:
    visit = visits.open("it", "/sources/check?map=shop_woocommerce", language=language)
    page = visit.page
    page.locator("input[type=file]").set_input_files(RECORDED / "shop_woocommerce/sales_order.json")
    page.get_by_role("button", name="检查" if language == "zh-CN" else "Check", exact=True).click()
    expect(page.get_by_role("article").first).to_be_visible(timeout=CHECK_MS)
    assert_whole(visit, "mapping", language)
