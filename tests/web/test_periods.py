"""A period of scores from calibration to appeal: a manager proposes, HR approves and closes, the employee appeals."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Language, Visits
from tests.web.installation import Installation, running
from tests.web.looks import assert_whole, in_both_languages, ready
from tests.web.seed_closing import PastMonth
from tests.web.seed_periods import make_scored_month

SCREENS = {
    "periods": ("hr", "/periods?period={month}"),
    "periods-cards": ("hr", "/periods?period={month}&tab=cards"),
    "periods-events": ("hr", "/periods?period={month}&tab=events"),
    "periods-appeals": ("hr", "/periods?period={month}&tab=appeals"),
    "periods-adjustments": ("hr", "/periods?period={month}&tab=adjustments"),
    "periods-team": ("manager", "/periods?period={month}&tab=cards"),
}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PastMonth, Installation]]:
    """One that tests only look at."""
    folder = tmp_path_factory.mktemp("scored")
    month = make_scored_month(folder)
    with running(folder) as installation:
        yield month, installation


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[PastMonth, Installation]]:
    """One of the test's own, to be changed."""
    month = make_scored_month(tmp_path)
    with running(tmp_path) as installation:
        yield month, installation


@in_both_languages
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_whole_reachable_and_quiet(
    screen: str,
    language: Language,
    past: tuple[PastMonth, Installation],
    visits_to: Callable[[Installation], Visits],
) -> None:
    month, installation = past
    role, path = SCREENS[screen]
    visit = visits_to(installation).open(role, path.format(month=month.month), language=language)
    ready(visit.page)
    assert_whole(visit, screen, language)


def test_a_manager_sees_the_own_people_and_no_closing(
    past: tuple[PastMonth, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    month, installation = past
    page = visits_to(installation).open("manager", f"/periods?period={month.month}&tab=cards").page
    ready(page)
    table = page.get_by_role("table", name="得分与校准表")
    expect(table.get_by_role("row").filter(has_text="孙悦")).to_have_count(1)
    expect(table.get_by_role("row").filter(has_text="王芳")).to_have_count(0)
    page.get_by_role("link", name="检查清单").click()
    expect(page.get_by_text("由人事封账")).to_be_visible()
    expect(page.get_by_role("button", name="封账并公布")).to_have_count(0)


def test_one_department_is_closed_and_the_other_stays_open(
    own: tuple[PastMonth, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    """c3 to c6 are in delivery, c1 and c2 in customer service."""
    month, installation = own
    page = visits_to(installation).open("hr", f"/periods?period={month.month}").page
    ready(page)
    page.get_by_role("combobox", name="部门").select_option("delivery")
    expect(page.get_by_role("region", name="绩效结算")).to_contain_text("配送部 · 4 人尚未公布")
    page.get_by_role("button", name="封账并公布").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_contain_text("配送部")
    for box in dialog.get_by_role("checkbox").all():
        box.check()
    dialog.get_by_role("button", name="封账并公布").click()
    expect(page.get_by_text("全部已公布，结果不再改动")).to_be_visible()
    expect(page.get_by_role("region", name="绩效结算")).to_contain_text("配送部：hr")
    page.get_by_role("combobox", name="部门").select_option("")
    expect(page.get_by_text("2 人尚未公布")).to_be_visible()
    page.get_by_role("link", name="得分与校准").click()
    ready(page)
    expect(page.get_by_role("row").filter(has_text="孙悦")).to_contain_text("已公布")
    expect(page.get_by_role("row").filter(has_text="王芳")).to_contain_text("未公布")


def test_an_employee_finds_no_periods(
    past: tuple[PastMonth, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    _, installation = past
    page = visits_to(installation).open("employee", "/periods").page
    expect(page.get_by_text("您没有查看这一页的权限").first).to_be_visible()
    expect(page.get_by_role("link", name="绩效结算")).to_have_count(0)
    expect(page.get_by_role("table")).to_have_count(0)


def test_from_a_proposal_to_an_answered_appeal(
    own: tuple[PastMonth, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    """c5 has 120 points; -5 are proposed and approved, 115.00 published, appealed, and set to -2 by two people."""
    month, installation = own
    visits = visits_to(installation)
    manager = visits.open("manager", f"/periods?period={month.month}&tab=cards").page
    propose(manager)
    hr = visits.open("hr", f"/periods?period={month.month}").page
    approve_and_close(hr, month.month)
    employee = visits.open("employee", f"/me/score?period={month.month}").page
    appeal(employee)
    answer(manager, month.month)
    hr.goto(f"/periods?period={month.month}&tab=cards")
    ready(hr)
    row = hr.get_by_role("row").filter(has_text="孙悦")
    row.get_by_role("button", name="同意", exact=True).click()
    expect(row).to_contain_text("第 2 版")
    employee.reload()
    ready(employee)
    result = employee.get_by_role("region", name="公布结果")
    expect(result).to_contain_text("118.00")
    expect(result).to_contain_text("已核对请假")


def propose(manager: Page) -> None:
    """-5 points for c5; -11 are refused on the page, and nobody approves the own proposal."""
    ready(manager)
    manager.get_by_role("button", name="提议校准 孙悦").click()
    dialog = manager.get_by_role("dialog")
    dialog.get_by_label("分数").fill("-11")
    dialog.get_by_role("button", name="提交").click()
    expect(dialog.get_by_text("请填 −10 到 10 之间的数")).to_be_visible()
    dialog.get_by_label("分数").fill("-5")
    dialog.get_by_label("原因").fill("两次漏送未登记")
    dialog.get_by_role("button", name="提交").click()
    expect(manager.get_by_text("已提交，等待第二人审批")).to_be_visible()
    expect(manager.get_by_role("row").filter(has_text="孙悦").get_by_role("button", name="同意")).to_have_count(0)


def approve_and_close(hr: Page, month: str) -> None:
    """Nothing is published while a proposal waits; then everything is, and the file has it."""
    ready(hr)
    expect(hr.get_by_role("button", name="封账并公布")).to_be_disabled()
    hr.goto(f"/periods?period={month}&tab=cards")
    ready(hr)
    hr.get_by_role("row").filter(has_text="孙悦").get_by_role("button", name="同意", exact=True).click()
    expect(hr.get_by_role("row").filter(has_text="孙悦")).to_contain_text("115.00")
    hr.goto(f"/periods?period={month}")
    ready(hr)
    hr.get_by_role("button", name="封账并公布").click()
    dialog = hr.get_by_role("dialog")
    for box in dialog.get_by_role("checkbox").all():
        box.check()
    dialog.get_by_role("button", name="封账并公布").click()
    expect(hr.get_by_text("全部已公布，结果不再改动")).to_be_visible()
    with hr.expect_download() as download:
        hr.get_by_role("button", name="导出 CSV").click()
    assert "孙悦" in Path(download.value.path()).read_text("utf-8-sig")


def appeal(employee: Page) -> None:
    """The own result says its parts, and is appealed."""
    ready(employee)
    result = employee.get_by_role("region", name="公布结果")
    expect(result).to_contain_text("两次漏送未登记")
    expect(result).to_contain_text("115.00")
    result.get_by_role("button", name="申诉").click()
    dialog = employee.get_by_role("dialog")
    dialog.get_by_label("内容").fill("那两天我休假")
    dialog.get_by_role("button", name="提交").click()
    expect(result).to_contain_text("那两天我休假")


def answer(manager: Page, month: str) -> None:
    """-2 instead of -5, which waits for a second person."""
    manager.goto(f"/periods?period={month}&tab=appeals")
    ready(manager)
    manager.get_by_role("button", name="处理").click()
    dialog = manager.get_by_role("dialog")
    dialog.get_by_label("调整").check()
    dialog.get_by_label("分数").fill("-2")
    dialog.get_by_label("说明").fill("已核对请假")
    dialog.get_by_role("button", name="提交").click()
    expect(manager.get_by_role("row").filter(has_text="孙悦")).to_contain_text("等待第二人审批")
