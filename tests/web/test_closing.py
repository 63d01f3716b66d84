"""HR takes a month from exceptions to closed; an administrator opens it again; managers keep to their scope."""

import re
from collections.abc import Callable, Iterator
from datetime import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Language, Visits
from tests.web.installation import Installation, running
from tests.web.looks import assert_whole, in_both_languages, ready
from tests.web.seed_closing import PastMonth, make_past_month

SCREENS = {
    "exceptions": ("hr", "/exceptions?first={first}&last={last}"),
    "exceptions-held": ("hr", "/exceptions?first={first}&last={last}&kind=held"),
    "exceptions-evidence": ("hr", "/exceptions?first={first}&last={last}&open=c1|{first}|0"),
    "exceptions-team": ("manager", "/exceptions?first={first}&last={last}"),
    "closing": ("hr", "/closing?month={month}"),
    "closing-pending": ("hr", "/closing?month={month}&tab=pending"),
    "closing-confirm": ("hr", "/closing?month={month}&tab=confirm"),
    "closing-adjustments": ("hr", "/closing?month={month}&tab=adjustments"),
    "closing-team": ("manager", "/closing?month={month}"),
}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PastMonth, Installation]]:
    """One that tests only look at."""
    folder = tmp_path_factory.mktemp("past")
    month = make_past_month(folder)
    with running(folder) as installation:
        yield month, installation


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[PastMonth, Installation]]:
    """One of the test's own, to be changed."""
    month = make_past_month(tmp_path)
    with running(tmp_path) as installation:
        yield month, installation


def path_of(screen: str, month: PastMonth) -> tuple[str, str]:
    role, path = SCREENS[screen]
    return role, path.format(month=month.month, first=month.days[0], last=month.days[-1])


def accept_all(page: Page) -> None:
    """Every notice of the dialog."""
    for box in page.get_by_role("dialog").get_by_role("checkbox").all():
        box.check()


@in_both_languages
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_whole_reachable_and_quiet(
    screen: str,
    language: Language,
    past: tuple[PastMonth, Installation],
    visits_to: Callable[[Installation], Visits],
) -> None:
    month, installation = past
    role, path = path_of(screen, month)
    visit = visits_to(installation).open(role, path, language=language)
    ready(visit.page)
    assert_whole(visit, screen, language)


def test_hr_closes_a_month_and_an_administrator_opens_it_again(
    own: tuple[PastMonth, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    month, installation = own
    visits = visits_to(installation)
    visit = visits.open("hr", f"/closing?month={month.month}")
    page = visit.page
    ready(page)
    expect(page.get_by_role("button", name="封账")).to_be_disabled()

    # The clock that was wrong: its punch is released at the time worked out.
    page.get_by_text("1 次打卡因时钟异常暂停").locator("..").get_by_role("link", name="去处理").click()
    page.get_by_role("checkbox", name=re.compile("选择 陈晨")).check()
    page.get_by_role("button", name="确认时间").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("实际时间")).to_have_value(f"{month.days[4]}T18:01")
    dialog.get_by_role("button", name="确认时间").click()
    expect(dialog.get_by_text("请写明原因。")).to_be_visible()
    dialog.get_by_label("说明").fill("终端快了两小时")
    dialog.get_by_role("button", name="确认时间").click()
    expect(page.get_by_text("已计入 1 次打卡")).to_be_visible()

    # What is left gets the default decision, after its preview.
    page.goto(f"/closing?month={month.month}&tab=pending")
    expect(page.get_by_role("row").filter(has_text="陈晨")).to_have_count(0, timeout=15_000)
    page.get_by_role("button", name="默认处理全部 3 条").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("将处理 2 人的 3 条记录")).to_be_visible()
    expect(dialog.get_by_text("12 小时", exact=True)).to_have_count(2)
    dialog.get_by_role("button", name="确认处理").click()
    expect(page.get_by_text("已处理 3 条记录")).to_be_visible()
    expect(page.get_by_text("必须处理的都已完成，可以封账")).to_be_visible()

    # Every notice is accepted, then the month is closed.
    page.get_by_role("button", name="封账").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="封账")).to_be_disabled()
    accept_all(page)
    dialog.get_by_role("button", name="封账").click()
    expect(page.get_by_text(re.compile("由 hr 于 .* 封账"))).to_be_visible()

    # A punch that comes now changes nothing there and is adjusted where it belongs.
    month.late_punch("c1", month.days[0], time(18, 2))
    page.goto(f"/closing?month={month.month}&tab=adjustments&by=of")
    ready(page)
    expect(page.get_by_role("row").filter(has_text="王芳")).to_contain_text("出勤 +4 小时", timeout=15_000)
    expect(page.get_by_role("row").filter(has_text="王芳")).to_contain_text("缺下班卡 → 正常")

    # Who asks can not open.
    page.get_by_role("button", name="申请解封").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("解封需要两个人")).to_be_visible()
    dialog.get_by_label("解封原因").fill("王芳的下班卡要计入当月")
    dialog.get_by_role("button", name="提交申请").click()
    expect(page.get_by_text("您提出了申请，需要另一位有权限的同事打开。")).to_be_visible()
    expect(page.get_by_role("button", name="同意并打开")).to_have_count(0)
    assert visit.errors == []

    # Another person opens; the page of the first follows.
    other = visits.open("administrator", f"/closing?month={month.month}").page
    ready(other)
    expect(other.get_by_text("王芳的下班卡要计入当月")).to_be_visible()
    other.get_by_role("button", name="同意并打开").click()
    expect(other.get_by_text(re.compile("已打开，正在重新计算"))).to_be_visible()
    expect(page.get_by_role("button", name="封账")).to_be_visible(timeout=15_000)


def test_a_manager_decides_for_the_own_people_and_can_not_close(
    own: tuple[PastMonth, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    month, installation = own
    page = visits_to(installation).open("manager", f"/closing?month={month.month}&tab=pending").page
    ready(page)
    rows = page.get_by_role("table", name="待定记录").get_by_role("row")
    expect(rows).to_have_count(4)
    expect(page.get_by_text("陈晨")).to_have_count(0)
    expect(page.get_by_role("button", name="封账")).to_have_count(0)
    page.get_by_role("checkbox", name=re.compile("选择 王芳")).check()
    page.get_by_role("button", name="人工处理").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="确认处理").click()
    expect(dialog.get_by_text("请写明原因。")).to_be_visible()
    dialog.get_by_label("说明").fill("当天外出，主管证明")
    dialog.get_by_role("button", name="确认处理").click()
    expect(rows).to_have_count(3)


def test_people_are_asked_to_confirm_and_answer_from_their_phone(
    own: tuple[PastMonth, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    """The page of the employee is another one; what it calls is answered here at the width of a phone."""
    month, installation = own
    visits = visits_to(installation)
    page = visits.open("hr", f"/closing?month={month.month}&tab=confirm").page
    ready(page)
    page.get_by_role("button", name="请 6 人确认").click()
    expect(page.get_by_text("已请 6 人确认")).to_be_visible()
    phone = visits.open("employee", "/me/month", width=390).page
    path = f"{installation.url}/api/me/months/{month.month}/confirmation"
    own_month = phone.request.get(path).json()
    assert (own_month["state"], own_month["name"]) == ("asked", "王芳")
    said = phone.request.post(
        path,
        data={"answer": "objected", "comment": "第一天我六点才走", "sums": own_month["sums"]},
        headers={"X-Muster": "1", "Origin": installation.url},
    )
    assert said.ok, said.text()
    row = page.get_by_role("row").filter(has_text="王芳")
    expect(row).to_contain_text("有异议", timeout=15_000)
    expect(row).to_contain_text("第一天我六点才走")


def test_employees_are_asked_about_days_and_the_list_says_so(
    own: tuple[PastMonth, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    month, installation = own
    first, last = month.days[0], month.days[-1]
    page = visits_to(installation).open("hr", f"/exceptions?first={first}&last={last}&kind=absent").page
    ready(page)
    page.get_by_role("checkbox", name=re.compile("选择 赵敏")).check()
    page.get_by_role("button", name="询问员工").click()
    page.get_by_role("dialog").get_by_role("button", name="发送").click()
    expect(page.get_by_text("已询问 1 个人日")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="赵敏")).to_contain_text("hr 于")
    page.get_by_role("button", name=re.compile("查看证据：赵敏")).click()
    expect(page.get_by_role("dialog")).to_contain_text("请说明当天的情况")
