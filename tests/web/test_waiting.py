"""Rows that wait, in a browser: side by side, put right together, accepted, decided by two; and whose ids are."""

import pytest
from playwright.sync_api import expect

from tests.web.company import Company
from tests.web.conftest import Language, Visits
from tests.web.installation import Installation
from tests.web.looks import assert_whole, in_both_languages, problems, ready
from tests.web.seed_waiting import add_waiting

FIRST_RUN_MS = 60_000


@pytest.fixture(scope="module", autouse=True)
def _waiting(server: Installation, company: Company, tmp_path_factory: pytest.TempPathFactory) -> None:
    add_waiting(server, tmp_path_factory.mktemp("shop"), company.me.id)


@in_both_languages
def test_the_pages_are_whole(language: Language, visits: Visits) -> None:
    visit = visits.open("hr", "/waiting?source=shop", language=language)
    rows = visit.page.get_by_role("table").get_by_role("row")
    for _ in range(FIRST_RUN_MS // 5_000):  # the server reads a new system within seconds
        visit.page.reload()
        ready(visit.page)
        if rows.count() == 6:
            break
        visit.page.wait_for_timeout(3_000)
    expect(rows).to_have_count(6)
    assert_whole(visit, "waiting", language)
    visit.page.set_viewport_size({"width": 1280, "height": 844})
    rows.get_by_role("link").last.click()
    ready(visit.page)
    expect(visit.page.get_by_role("checkbox")).to_have_count(2)
    assert_whole(visit, "waiting-row", language)
    visit = visits.open("hr", "/waiting/people", language=language)
    ready(visit.page)
    assert_whole(visit, "waiting-people", language)


def test_rows_with_the_same_fault_are_counted_tried_and_put_right_together(visits: Visits) -> None:
    visit = visits.open("hr", "/waiting?source=shop&code=unknown_value")
    page = visit.page
    page.get_by_role("link", name="处理 1").click()
    expect(page.get_by_text("同样的问题共 3 行")).to_be_visible()
    fix = page.get_by_role("button", name="更正并入库")
    expect(fix).to_be_disabled()
    page.get_by_label("status 的正确值").fill("parked too")
    expect(page.get_by_text("还有问题")).to_be_visible()
    page.get_by_label("status 的正确值").fill("open")
    expect(page.get_by_text("可以入库")).to_be_visible()
    page.get_by_label("一并处理这 3 行").check()
    assert problems(page) == []
    fix.click()
    expect(page.get_by_text("已处理：新增 3 行")).to_be_visible()
    expect(page.get_by_text("没有待处理的行")).to_be_visible()
    assert visit.errors == []


def test_a_date_ahead_is_accepted_with_a_reason(visits: Visits) -> None:
    page = visits.open("hr", "/waiting?source=shop&code=future_date").page
    page.get_by_role("link", name="处理 4").click()
    page.get_by_label("负责人").select_option("周敏")
    expect(page.get_by_text("负责人已更改")).to_be_visible()
    accept = page.get_by_role("button", name="照原样接受")
    accept.click()
    expect(page.get_by_text("请写明原因")).to_be_visible()
    page.get_by_label("说明").fill("paid ahead")
    accept.click()
    expect(page.get_by_text("已处理：新增 1 行")).to_be_visible()


def test_a_contract_waits_for_somebody_else(visits: Visits) -> None:
    page = visits.open("hr", "/waiting?source=shop&fact=labour_contract").page
    page.get_by_role("link", name="处理 1").click()
    expect(page.get_by_text("可能含工资，不显示原始内容")).to_be_visible()
    page.get_by_label("starts_on 的正确值").fill("2026-03-01")
    page.get_by_role("button", name="更正并入库").click()
    expect(page.get_by_text("您自己的提议，须由他人确认")).to_be_visible()
    expect(page.get_by_role("button", name="确认")).to_have_count(0)
    other = visits.open("administrator", "/waiting").page
    other.get_by_role("region", name="等待第二人确认").get_by_role("button", name="确认").click()
    expect(other.get_by_text("已处理：新增 1 行")).to_be_visible()


def test_an_id_is_linked_to_whom_it_may_be(company: Company, visits: Visits) -> None:
    page = visits.open("hr", "/waiting/people").page
    page.get_by_role("button", name=f"{company.me.id} 是 {company.me.name}").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("工号")).to_have_value(company.me.id)
    dialog.get_by_label("从哪天起").fill("2025-01-01")
    dialog.get_by_role("button", name="匹配").click()
    expect(page.get_by_text("行归到此人")).to_be_visible()
    linked = page.get_by_role("table", name="已匹配的编号").get_by_role("row").filter(has_text="2025/01/01")
    expect(linked.filter(has_text=company.me.name)).to_be_visible()
