"""Targets on pages: set by HR one by one and by a file, read by managers, followed by scores, not there for others."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Language, Visits
from tests.web.installation import Installation, running
from tests.web.looks import assert_whole, in_both_languages, ready
from tests.web.seed_periods import make_scored_month

TARGETS = "/schemes?tab=targets"
PUNCTUAL, SALES = "准点率", "销售额"


@dataclass(frozen=True, slots=True)
class Past:
    """A company whose past month is scored."""

    month: str
    installation: Installation


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    month = make_scored_month(tmp_path)
    with running(tmp_path) as installation:
        yield Past(month.month, installation)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Nothing is set here."""
    folder = tmp_path_factory.mktemp("targets")
    make_scored_month(folder)
    with running(folder) as installation:
        yield installation


def bring(page: Page, *lines: str) -> None:
    """A file of these lines, chosen in the drawer."""
    data = "\r\n".join(("indicator,unit,starts,target", *lines)).encode()
    told = {"name": "目标.csv", "mimeType": "text/csv", "buffer": data}
    page.locator("input[type=file]").set_input_files(told)  # type: ignore[arg-type]


def set_one(page: Page, indicator: str, starts: str, target: str) -> None:
    """For 孙悦, who is c5."""
    page.get_by_role("button", name="设置目标").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("combobox", name="指标").select_option(label=indicator)
    drawer.get_by_label("查找员工").fill("孙悦")
    drawer.get_by_role("combobox", name="员工").select_option(label="孙悦 c5")
    drawer.get_by_label("生效日期").fill(starts)
    drawer.get_by_role("textbox", name="目标").fill(target)
    drawer.get_by_role("button", name="保存").click()


def test_hr_sets_a_target_and_the_score_goes_by_it(past: Past, visits_to: Callable[[Installation], Visits]) -> None:
    visits = visits_to(past.installation)
    score = visits.open("employee", f"/me/score?period={past.month}").page
    card = score.get_by_role("article", name=PUNCTUAL)
    expect(card.get_by_text("目标", exact=True).locator("..")).not_to_contain_text("91.5%")
    page = visits.open("hr", TARGETS).page
    ready(page)
    expect(page.get_by_text("还没有目标")).to_be_visible()
    set_one(page, PUNCTUAL, f"{past.month}-01", "91.5")
    expect(page.get_by_text(re.compile(r"将重新计算 [1-9]\d* 张绩效卡"))).to_be_visible()
    row = page.get_by_role("row").filter(has_text="孙悦")
    expect(row).to_contain_text("91.5%")
    expect(row).to_contain_text("现行")
    expect(row).to_contain_text("hr")
    expect(card.get_by_text("目标", exact=True).locator("..")).to_contain_text("91.5%")
    row.get_by_role("button", name="撤销孙悦").click()
    page.get_by_role("dialog").get_by_role("button", name="撤销目标").click()
    expect(page.get_by_text("还没有目标")).to_be_visible()
    expect(card.get_by_text("目标", exact=True).locator("..")).not_to_contain_text("91.5%")


def test_what_does_not_fit_is_said_beside_its_field(
    shown: Installation, visits_to: Callable[[Installation], Visits]
) -> None:
    page = visits_to(shown).open("hr", TARGETS).page
    ready(page)
    page.get_by_role("button", name="设置目标").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("combobox", name="指标").select_option(label=SALES)
    expect(drawer.get_by_text("没有自己目标的人不评分")).to_be_visible()
    amount = drawer.get_by_label("目标（元）")
    drawer.get_by_role("button", name="保存").click()
    expect(amount).to_have_accessible_description("必填")
    expect(drawer.get_by_role("alert")).to_have_text("必填")
    drawer.get_by_label("对象").select_option("everybody")
    amount.fill("0")
    drawer.get_by_role("button", name="保存").click()
    expect(amount).to_have_accessible_description(re.compile("大于 0"))
    expect(drawer.get_by_role("alert")).to_have_count(0)


@in_both_languages
def test_hr_brings_a_file_which_managers_read(
    language: Language, past: Past, visits_to: Callable[[Installation], Visits]
) -> None:
    """Three lines of which two are wrong, then mended: the manager of delivery sees c5's and everybody's, not c1's."""
    zh, visits = language == "zh-CN", visits_to(past.installation)
    visit = visits.open("hr", TARGETS, language=language)
    page = visit.page
    ready(page)
    assert_whole(visit, "targets-none", language)
    page.get_by_role("button", name="从文件设置" if zh else "From a file").click()
    drawer = page.get_by_role("dialog")
    with page.expect_download() as template:
        drawer.get_by_role("button", name="下载模板" if zh else "Download a template").click()
    lines = template.value.path().read_text("utf-8-sig").splitlines()
    assert lines[0] == '"indicator","unit","starts","target"'
    assert len(lines) == 4
    start = f"{past.month}-01"
    bring(page, f"biz_sales_amount,c5,{start},1200000", f"biz_sales_amount,nobody,{start},0", f"no_such,,{start},5")
    expect(drawer.get_by_text("3 行中有 2 行有错误" if zh else "Lines with faults: 2 of 3")).to_be_visible()
    second = drawer.get_by_role("listitem").filter(has_text="第 3 行" if zh else "line 3")
    expect(second).to_contain_text("“nobody”")
    expect(second).to_contain_text("“0”")
    third = drawer.get_by_role("listitem").filter(has_text="第 4 行" if zh else "line 4")
    expect(third).to_contain_text("“no_such”")
    expect(drawer.get_by_role("button", name=re.compile("个目标|Set [0-9]"))).to_have_count(0)
    assert_whole(visit, "targets-faults", language)
    bring(
        page,
        f"biz_sales_amount,c5,{start},1200000",
        f"biz_sales_amount,c1,{start},800000",
        f"att_punctuality_rate,,{start},97.5",
        "biz_sales_amount,delivery,2099-01-01,90000",
    )
    expect(drawer.get_by_role("listitem").filter(has_text="孙悦")).to_contain_text("1,200,000")
    assert_whole(visit, "targets-file", language)
    drawer.get_by_role("button", name="设置 4 个目标" if zh else "Set 4 targets").click()
    expect(page.get_by_role("row").filter(has_text="王芳")).to_contain_text("800,000")
    expect(page.get_by_role("row").filter(has_text="2099")).to_contain_text("未生效" if zh else "not yet")
    assert_whole(visit, "targets", language)
    page.get_by_role("button", name="设置目标" if zh else "Set a target").click()
    drawer.get_by_role("combobox", name="指标" if zh else "Indicator").select_option("biz_sales_amount")
    assert_whole(visit, "targets-form", language)
    read_by_a_manager(visits, language)


def read_by_a_manager(visits: Visits, language: Language) -> None:
    zh = language == "zh-CN"
    visit = visits.open("manager", TARGETS, language=language)
    page = visit.page
    ready(page)
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(4)
    expect(rows.filter(has_text="孙悦")).to_contain_text("1,200,000")
    expect(rows.filter(has_text="所有人" if zh else "Everybody")).to_contain_text("97.5%")
    expect(page.get_by_text("王芳")).to_have_count(0)
    for name in ("设置", "撤销", "Set", "Take back", "From a file"):
        expect(page.get_by_role("main").get_by_role("button", name=name)).to_have_count(0)
    assert_whole(visit, "targets-team", language)
    page.get_by_label("查找对象" if zh else "Find whose").fill("孙")
    expect(rows).to_have_count(2)
    page.get_by_role("combobox", name="指标" if zh else "Indicator").select_option("att_punctuality_rate")
    expect(page.get_by_text("没有符合条件的目标" if zh else "No target fits")).to_be_visible()


def test_an_employee_finds_no_targets(shown: Installation, visits_to: Callable[[Installation], Visits]) -> None:
    page = visits_to(shown).open("employee", TARGETS).page
    expect(page.get_by_text("您没有查看这一页的权限").first).to_be_visible()
