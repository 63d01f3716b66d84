"""An employee asks on a phone, the manager decides, HR sees the balance; the month is confirmed."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Language, Visits
from tests.web.installation import Installation
from tests.web.looks import assert_whole, in_both_languages, ready
from tests.web.seed_requests import Office, make_office

PHONE = 390
SCREENS = {
    "my-month": ("employee", "/me/month"),
    "my-month-confirm": ("employee", "/me/month?month={month}"),
    "my-month-day": ("employee", "/me/month?day={yesterday}"),
    "my-requests": ("employee", "/me/requests"),
    "my-requests-new": ("employee", "/me/requests?new=leave&date={ahead}"),
    "my-requests-swap": ("employee", "/me/requests?new=swap&date={ahead}"),
    "my-request": ("employee", "/me/requests?id=1"),
    "approvals": ("manager", "/approvals"),
    "approvals-detail": ("manager", "/approvals?id=1"),
    "approvals-all": ("hr", "/approvals?tab=all"),
    "leave-balances": ("hr", "/leave"),
    "leave-ledger": ("hr", "/leave?person=c1"),
    "leave-types": ("hr", "/leave?tab=types"),
    "leave-type": ("hr", "/leave?tab=types&type=annual"),
    "leave-chains": ("hr", "/leave?tab=chains"),
    "leave-chain": ("hr", "/leave?tab=chains&kind=leave"),
}


def office_in(folder: Path) -> tuple[Office, Installation]:
    installation = Installation(folder)
    office = make_office(folder, installation.url)
    installation.start()
    return office, installation


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Office, Installation]]:
    """One that tests only look at, with requests in every state and a month to confirm."""
    office, installation = office_in(tmp_path_factory.mktemp("office"))
    ahead = office.ahead
    office.ask_leave("employee", ahead[3], ahead[4], reason="回家探亲")
    office.ask_leave("lilei", ahead[3], ahead[3])
    office.ask_correction("employee", datetime.combine(office.past[-1], time(18, 5)))
    office.decide("manager", office.ask_leave("employee", ahead[0], ahead[0], "personal"))
    office.decide("manager", office.ask_leave("employee", ahead[1], ahead[1], "sick"), "refused")
    trip = {"kind": "trip", "start": f"{ahead[6]}T09:00", "end": f"{ahead[7]}T18:00", "place": "上海"}
    office.call("lilei", "/api/my/requests", trip)
    office.call("hr", f"/api/months/{office.last_month}/confirmations/ask", {"people": ["c1"]})
    yield office, installation
    office.close()
    installation.server.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Office, Installation]]:
    """One of the test's own, to be changed."""
    office, installation = office_in(tmp_path)
    yield office, installation
    office.close()
    installation.server.stop()


def path_of(screen: str, office: Office) -> tuple[str, str]:
    role, path = SCREENS[screen]
    return role, path.format(month=office.last_month, yesterday=office.past[-1], ahead=office.ahead[8])


@in_both_languages
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_whole_reachable_and_quiet(
    screen: str,
    language: Language,
    shown: tuple[Office, Installation],
    visits_to: Callable[[Installation], Visits],
) -> None:
    office, installation = shown
    role, path = path_of(screen, office)
    visit = visits_to(installation).open(role, path, language=language)
    ready(visit.page)
    assert_whole(visit, screen, language)


def ask_for_leave(page: Page) -> None:
    """Parental leave of the day that the form was opened for."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("假期类型").select_option("parental")
    expect(dialog.get_by_text("申请前余额 8 天")).to_be_visible()
    expect(dialog.get_by_text("申请后余额 7 天")).to_be_visible()
    expect(dialog.get_by_text("何磊")).to_be_visible()
    dialog.get_by_role("button", name="提交申请").click()


def test_leave_goes_from_the_phone_to_the_day_and_the_balance(
    own: tuple[Office, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    office, installation = own
    visits = visits_to(installation)
    day = office.missed
    inbox_visit = visits.open("manager", "/approvals")
    inbox = inbox_visit.page
    expect(inbox.get_by_text("没有等您审批的申请")).to_be_visible()
    stranger = visits.open("other", "/approvals?tab=all").page
    ready(stranger)
    balances = visits.open("hr", "/leave").page
    ready(balances)
    row = balances.get_by_role("row").filter(has_text="王芳")
    expect(row).to_contain_text("8 天")

    visit = visits.open("employee", f"/me/requests?new=leave&date={day}", width=PHONE)
    page = visit.page
    ask_for_leave(page)
    expect(page.get_by_text("申请已提交")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_text("审批中")).to_be_visible()

    # The inbox fills by itself; what one needs to decide is in the drawer.
    expect(inbox.get_by_text("1 件申请等您审批")).to_be_visible(timeout=15_000)
    inbox.get_by_role("button", name="查看王芳的申请").click()
    dialog = inbox.get_by_role("dialog")
    expect(dialog.get_by_text("同部门这几天没有其他人请假或外出")).to_be_visible()
    dialog.get_by_role("button", name="同意", exact=True).click()
    expect(dialog.get_by_text("已通过").first).to_be_visible()
    expect(inbox.get_by_text("没有等您审批的申请")).to_be_visible()

    # The employee's day becomes leave, and HR's table follows.
    expect(page.get_by_role("dialog").get_by_text("已通过")).to_be_visible(timeout=15_000)
    expect(row).to_contain_text("7 天", timeout=15_000)
    month = visits.open("employee", f"/me/month?month={day:%Y-%m}", width=PHONE).page
    cell = month.get_by_role("button", name=re.compile(rf"{day.month}月{day.day}日.*休假"))
    expect(cell).to_be_visible(timeout=20_000)

    # A manager of another department sees nothing of it.
    expect(stranger.get_by_text("王芳")).to_have_count(0)
    assert office.get("other", "/api/requests/1").status_code == 404
    assert [one.errors for one in (visit, inbox_visit)] == [[], []]


def test_a_correction_beyond_the_quota_is_refused_with_words(
    own: tuple[Office, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    office, installation = own
    day = office.past[-1]
    for minute in range(3):
        office.ask_correction("employee", datetime.combine(day, time(19, minute)))
    visit = visits_to(installation).open("employee", f"/me/requests?new=correction&date={day}", width=PHONE)
    dialog = visit.page.get_by_role("dialog")
    expect(dialog.get_by_text("本月补卡次数已用完（每月 3 次）")).to_be_visible()
    expect(dialog.get_by_role("button", name="提交申请")).to_be_disabled()
    expect(dialog.get_by_label("打卡时间")).to_have_attribute("aria-invalid", "true")


def test_a_manager_decides_many_at_once_and_sees_what_failed(
    own: tuple[Office, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    office, installation = own
    # Marriage leave needs a document that nobody has added.
    office.ask_leave("employee", office.ahead[0], office.ahead[0], "marriage")
    office.ask_leave("lilei", office.ahead[1], office.ahead[1])
    page = visits_to(installation).open("manager", "/approvals", width=PHONE).page
    page.get_by_label("选择本页全部").check()
    page.get_by_role("toolbar").get_by_role("button", name="不同意").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="不同意").click()
    expect(dialog.get_by_text("不同意时请写明原因。")).to_be_visible()
    dialog.get_by_role("button", name="返回").click()
    page.get_by_role("toolbar").get_by_role("button", name="同意", exact=True).click()
    dialog.get_by_role("button", name="同意", exact=True).click()
    expect(dialog.get_by_text("1 件已处理")).to_be_visible()
    expect(dialog.get_by_text("还缺证明材料，员工上传后才能同意。")).to_be_visible()
    dialog.get_by_role("button", name="关闭").click()
    expect(page.get_by_text("1 件申请等您审批")).to_be_visible()


def test_the_month_is_confirmed_on_the_phone(
    own: tuple[Office, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    office, installation = own
    page = visits_to(installation).open("employee", "/me/month", width=PHONE).page
    ready(page)
    office.call("hr", f"/api/months/{office.last_month}/confirmations/ask", {"people": ["c1"]})
    page.get_by_role("link", name="去确认").click(timeout=15_000)
    page.get_by_role("button", name="有异议").click()
    page.get_by_role("button", name="提交异议").click()
    expect(page.get_by_text("请写明哪里不对。")).to_be_visible()
    page.get_by_role("button", name="返回").click()
    page.get_by_role("button", name="确认无误").click()
    expect(page.get_by_text(re.compile("您已于 .* 确认"))).to_be_visible()
    seen = office.get("hr", f"/api/months/{office.last_month}/confirmations").json()
    assert seen["progress"]["confirmed"] == 1


def test_hr_grants_leave_after_a_preview_and_changes_a_chain(
    own: tuple[Office, Installation], visits_to: Callable[[Installation], Visits]
) -> None:
    _, installation = own
    page = visits_to(installation).open("hr", "/leave").page
    page.get_by_label("选择 赵敏").check()
    page.get_by_role("button", name="为 1 人发放").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("假期类型").select_option("parental")
    dialog.get_by_label("天数（1 天 = 8 小时，可填 0.5）").fill("2.5")
    dialog.get_by_role("button", name="预览").click()
    expect(dialog.get_by_text("请填写。")).to_be_visible()
    dialog.get_by_label("用途（同一用途每人只发一次）").fill("工龄奖励")
    dialog.get_by_role("button", name="预览").click()
    expect(dialog.get_by_role("row").filter(has_text="赵敏")).to_contain_text("10.5 天")
    dialog.get_by_role("button", name="确认，发给 1 人").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="赵敏")).to_contain_text("10.5 天")
    page.get_by_role("button", name="查看赵敏的台账").click()
    expect(page.get_by_role("dialog").get_by_text("发放 · 工龄奖励")).to_be_visible()

    page.goto("/leave?tab=chains&kind=leave")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("主管 → 3 天以上再由人事")).to_be_visible()
    dialog.get_by_label("从多少天起").nth(1).fill("5")
    expect(dialog.get_by_text("主管 → 5 天以上再由人事")).to_be_visible()
    dialog.get_by_role("button", name="保存").click()
    expect(page.get_by_role("listitem").filter(has_text="5 天以上再由人事")).to_be_visible()


WORDS = (Path(__file__).parents[2] / "web/src/pages/requests/words.ts").read_text()
SERVER = Path(__file__).parents[2] / "server"
SAYING = [*(SERVER / "services").glob("request*.py"), SERVER / "services/approvals.py", SERVER / "services/leave.py"]
SAYING += [*(SERVER / "requests").glob("*.py")]


def test_every_code_of_requests_has_words_in_both_languages() -> None:
    text = "\n".join(path.read_text() for path in SAYING)
    raised = set(re.findall(r'DataError\((?:[^()]|\([^()]*\))*?"([a-z]+(?:_[a-z]+)+)"', text))
    assert {"leave_no_balance", "file_missing", "bad_chain", "not_pending"} <= raised
    for part in WORDS.split("const en: typeof zh"):
        said = set(re.findall(r"^    ([a-z_]+): \(", part, re.MULTILINE))
        assert raised - said == set()


def test_every_warning_of_a_check_has_words() -> None:
    text = "\n".join(path.read_text() for path in SAYING)
    told = set(re.findall(r'warnings\.append\("([a-z_]+)"', text))
    assert "file_needed" in told
    for part in WORDS.split("const en: typeof zh"):
        assert told - set(re.findall(r"^    ([a-z_0-9]+): \"", part, re.MULTILINE)) == set()
