"""From raw punches to a closed month and its report, by HR, an employee and an administrator, all of it in the page."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from python_calamine import CalamineWorkbook

from muster.sample.people import Person
from tests.web.company import PASSWORD
from tests.web.conftest import Visits
from tests.web.installation import Installation
from tests.web.looks import ready
from tests.web.seed_journey import Demo, at, counted, make_demo

SLOW_MS = 30_000
"""While results are worked out."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Installation]]:
    folder = tmp_path_factory.mktemp("journey")
    made = make_demo(folder)
    installation = Installation(folder)
    installation.start()
    yield made, installation
    installation.server.stop()


@pytest.mark.timeout(300)
def test_hr_takes_the_sample_company_from_raw_punches_to_a_closed_month_and_its_report(
    demo: tuple[Demo, Installation], visits_to: Callable[[Installation], Visits], tmp_path: Path
) -> None:
    company, installation = demo
    visits = visits_to(installation)
    page = signed_in(visits, "hr")
    match_the_newcomer(page, company)
    approve_the_correction(page, company)
    decide_what_is_pending(page, company)
    have_the_month_confirmed(page, visits, company)
    close(page, company)
    compare(downloaded(page, company.month, tmp_path), company)
    bring_a_late_punch(page, company)
    open_again(page, visits, company)


def signed_in(visits: Visits, login: str) -> Page:
    """The first page of an account, by its password."""
    page = visits.open(None, "/workbench").page
    page.get_by_label("用户名").fill(login)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    ready(page)
    return page


def match_the_newcomer(page: Page, company: Demo) -> None:
    """The workbench says what is open; a number that is nobody's gets its owner, and past punches follow."""
    todo = page.get_by_role("region", name="待办")
    for what in ("考勤异常待处理", "未匹配的终端用户", "待月结"):
        expect(todo.get_by_role("link").filter(has_text=what)).to_be_visible()
    expect(todo).to_contain_text(f"先结 {company.month[:4]}年{int(company.month[5:])}月")
    todo.get_by_role("link").filter(has_text="未匹配的终端用户").click()
    newcomer = company.newcomer
    page.get_by_role("button", name=f"为编号 {newcomer.number} 匹配员工").click()
    page.get_by_role("searchbox").fill(newcomer.name)
    page.get_by_role("button", name=f"匹配给{newcomer.name}").click()
    expect(page.get_by_role("status").filter(has_text=f"编号 {newcomer.number} 已匹配给")).to_be_visible()


def approve_the_correction(page: Page, company: Demo) -> None:
    """What its manager left undecided for too long has come to HR."""
    page.goto("/approvals")
    page.get_by_role("checkbox", name=re.compile(f"选择 {company.me.name} 补卡")).check(timeout=SLOW_MS)
    page.get_by_role("button", name="同意", exact=True).click()
    dialog = page.get_by_role("dialog", name="同意 1 件申请")
    dialog.get_by_role("button", name="同意", exact=True).click()
    expect(page.get_by_text("1 件已处理")).to_be_visible()


def decide_what_is_pending(page: Page, company: Demo) -> None:
    """What nobody can explain gets the default decision, in one go."""
    page.goto(f"/closing?month={company.month}")
    ready(page)
    expect(page.get_by_text("班次都已结束")).to_be_visible()
    page.goto(f"/closing?month={company.month}&tab=pending")
    ready(page)
    page.get_by_role("button", name=re.compile(r"默认处理全部 \d+ 条")).click()
    page.get_by_role("dialog").get_by_role("button", name="确认处理").click()
    expect(page.get_by_text(re.compile(r"已处理 \d+ 条记录"))).to_be_visible()
    expect(page.get_by_text("必须处理的都已完成，可以封账")).to_be_visible(timeout=SLOW_MS)


def have_the_month_confirmed(page: Page, visits: Visits, company: Demo) -> None:
    """Everybody is asked; one confirms on the phone, and HR sees it."""
    page.goto(f"/closing?month={company.month}&tab=confirm")
    ready(page)
    page.get_by_role("button", name=re.compile(r"请 \d+ 人确认")).click()
    expect(page.get_by_text(re.compile(r"已请 \d+ 人确认"))).to_be_visible()
    page.goto(f"/closing?month={company.month}&tab=confirm&state=confirmed")
    ready(page)
    phone = visits.open("employee", f"/me/month?month={company.month}", width=390).page
    ready(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.get_by_role("button", name="确认无误").click()
    expect(phone.get_by_text(re.compile("您已于 .* 确认"))).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=company.me.name)).to_be_visible(timeout=SLOW_MS)


def close(page: Page, company: Demo) -> None:
    """Every notice is accepted; afterwards the sheet says that it is locked."""
    page.get_by_role("button", name="封账").click()
    dialog = page.get_by_role("dialog")
    for box in dialog.get_by_role("checkbox").all():
        box.check()
    dialog.get_by_role("button", name="封账").click()
    expect(page.get_by_text(re.compile("由 hr 于 .* 封账"))).to_be_visible(timeout=SLOW_MS)
    page.goto(f"/attendance?month={company.month}")
    ready(page)
    expect(page.get_by_text("已月结", exact=True)).to_be_visible()


def downloaded(page: Page, month: str, folder: Path) -> dict[str, dict[str, object]]:
    """Rows of the month report's first sheet by employee, each by heading."""
    page.goto(f"/reports?month={month}")
    ready(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载 Excel").click()
    path = folder / waiting.value.suggested_filename
    assert path.name == f"考勤月报-{month}.xlsx"
    waiting.value.save_as(path)
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    [begin] = [number for number, row in enumerate(rows) if row[0] == "工号"]
    heads = [str(head) for head in rows[begin]]
    return {str(row[0]): dict(zip(heads, row, strict=True)) for row in rows[begin + 1 :]}


def compare(report: dict[str, dict[str, object]], company: Demo) -> None:
    """Two people of the office, whose punches anybody can count."""
    sure = [(person, sums) for person, sums in by_hand(company) if not sums["one_sided"] and sums["late"]][:2]
    assert len(sure) == 2
    for person, sums in sure:
        told = report[person.id]
        assert told["应出勤（时）"] == len(company.past) * 8
        assert (told["迟到（分）"], told["早退（分）"]) == (sums["late"], sums["early"])
        assert told["旷工（时）"] == pytest.approx(sums["absent"] / 60, abs=0.005)
        assert told["实出勤（时）"] == pytest.approx(sums["worked"] / 60, abs=0.005)
        assert told["封账"] == "已封账"


def by_hand(company: Demo) -> list[tuple[Person, dict[str, int]]]:
    """What the punches of those in offices come to, who asked for nothing and were there all month."""
    office = ("accountant", "recruiter", "sales_rep", "operator")
    return [(person, counted(company, person)) for person in company.ordinary if person.position in office]


def bring_a_late_punch(page: Page, company: Demo) -> None:
    """It leaves the month as it is and is told as an adjustment."""
    person, day = company.forgot_to_leave()
    company.late_punch(person, at(day, 18, 2))
    page.goto(f"/closing?month={company.month}&tab=adjustments&by=of")
    ready(page)
    expect(page.get_by_role("row").filter(has_text=person.name)).to_contain_text("缺下班卡 →", timeout=SLOW_MS)


def open_again(page: Page, visits: Visits, company: Demo) -> None:
    """Whoever asks for it can not do it: that takes a second person."""
    page.get_by_role("button", name="申请解封").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("解封原因").fill("下班卡要计入当月")
    dialog.get_by_role("button", name="提交申请").click()
    expect(page.get_by_text("您提出了申请，需要另一位有权限的同事打开。")).to_be_visible()
    expect(page.get_by_role("button", name="同意并打开")).to_have_count(0)
    other = visits.open("admin", f"/closing?month={company.month}").page
    ready(other)
    other.get_by_role("button", name="同意并打开").click()
    expect(other.get_by_text(re.compile("已打开，正在重新计算"))).to_be_visible()
