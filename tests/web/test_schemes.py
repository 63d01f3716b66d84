"""Weights on pages: written by HR, published by a second person, seen by managers in scope, by employees not at all.

Days lie years ahead, so that the scores of other tests stay as they are.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.definition_text import LINES, TARGET, definition
from tests.web.company import MANAGED
from tests.web.conftest import Language, Visits
from tests.web.looks import PHONE, assert_whole, in_both_languages, ready

COURIERS = "/schemes?department=logistics&position=courier"
ON_TIME, DAMAGE, COST, COMPLAINTS = "准时送达率", "破损率", "单位配送成本", "用户投诉率"


def number(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.get_by_role("spinbutton", name=f"{name}的权重 %")


def give(page: Page, name: str, weight: int) -> None:
    field = number(page, name)
    field.fill(str(weight))
    field.press("Tab")


def weights(page: Page) -> list[int]:
    return [int(number(page, name).input_value()) for name in (ON_TIME, DAMAGE, COST, COMPLAINTS)]


def write(visits: Visits, title: str, starts: str) -> None:
    """HR gives couriers 60 and 40, and hands the draft in."""
    page = visits.open("hr", COURIERS).page
    ready(page)
    page.get_by_role("button", name="调整权重").click()
    for name in (COST, COMPLAINTS):
        give(page, name, 0)
        page.get_by_role("button", name=f"锁定{name}").click()
    give(page, ON_TIME, 60)
    page.get_by_label("生效日期").fill(starts)
    page.get_by_label("草稿标题").fill(title)
    expect(page.get_by_role("region", name="试算预览").get_by_text("模拟结果")).to_be_visible()
    page.get_by_role("button", name="保存草稿").click()
    hand_in(page, title)


def hand_in(page: Page, title: str) -> None:
    page.get_by_role("button", name=f"查看“{title}”").click()
    page.get_by_role("button", name="提交审批").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("需要另一个人审批")).to_be_visible()
    expect(drawer.get_by_role("button", name="发布")).to_have_count(0)


def publish(visits: Visits, title: str) -> None:
    page = visits.open("administrator", "/schemes?tab=drafts").page
    ready(page)
    page.get_by_role("button", name=f"查看“{title}”").click()
    page.get_by_role("dialog").get_by_role("button", name="发布").click()
    expect(page.get_by_text("已发布第")).to_be_visible()


def test_weights_stay_at_100_by_slider_number_and_keyboard(visits: Visits) -> None:
    visit = visits.open("hr", COURIERS)
    page = visit.page
    ready(page)
    page.get_by_role("button", name="调整权重").click()
    assert weights(page) == [40, 30, 10, 20]
    preview = page.get_by_role("region", name="试算预览")
    expect(preview.get_by_text("还没有改动")).to_be_visible()
    page.get_by_role("button", name=f"锁定{DAMAGE}").press("Enter")
    slider = page.get_by_role("slider", name=f"{ON_TIME}的权重")
    slider.focus()
    slider.press("ArrowRight")
    assert weights(page)[:2] == [41, 30]
    assert sum(weights(page)) == 100
    expect(preview.get_by_text("数据源从未同步")).to_be_visible()
    for name in (COST, COMPLAINTS):
        give(page, name, 0)
    assert sum(weights(page)) == 100
    give(page, ON_TIME, 99)
    assert weights(page)[:2] == [70, 30], "a locked weight stays"
    expect(page.get_by_text("100%", exact=True)).to_be_visible()
    assert visit.errors == [] or all("422" in error for error in visit.errors)


def test_a_template_lets_safety_come_first(visits: Visits) -> None:
    page = visits.open("hr", COURIERS).page
    ready(page)
    page.get_by_role("button", name="调整权重").click()
    page.get_by_label("模板").select_option("courier_safety_first")
    assert weights(page) == [30, 40, 10, 20]


def test_hr_writes_and_a_second_person_publishes(visits: Visits) -> None:
    write(visits, "配送员新权重", "2031-01-01")
    publish(visits, "配送员新权重")
    page = visits.open("hr", "/schemes?tab=versions").page
    ready(page)
    page.get_by_role("button", name="查看“配送员新权重”").click()
    row = page.get_by_role("dialog").get_by_role("row", name=ON_TIME)
    expect(row.get_by_role("cell")).to_have_text(["40%", "60%"])
    page.keyboard.press("Escape")
    page.get_by_role("button", name="回退到出厂默认").click()
    page.get_by_label("生效日期").fill("2031-06-01")
    page.get_by_role("dialog").get_by_role("button", name="保存草稿").click()
    expect(page.get_by_role("button", name="查看“回退到出厂默认”")).to_be_visible()


def test_drafts_and_versions_of_others_appear_without_a_reload(visits: Visits) -> None:
    drafts, versions = (visits.open("hr", f"/schemes?tab={tab}").page for tab in ("drafts", "versions"))
    for page in (drafts, versions):
        ready(page)
        expect(page.get_by_text("实时")).to_be_visible()
    write(visits, "别人写的草稿", "2031-03-01")
    expect(drafts.get_by_role("listitem").filter(has_text="别人写的草稿")).to_contain_text("待审批")
    publish(visits, "别人写的草稿")
    expect(versions.get_by_role("listitem").filter(has_text="别人写的草稿")).to_be_visible()
    expect(drafts.get_by_role("listitem").filter(has_text="别人写的草稿")).to_have_count(0)


def test_a_second_person_refuses_with_a_reason(visits: Visits) -> None:
    write(visits, "太早的权重", "2032-01-01")
    page = visits.open("administrator", "/schemes?tab=drafts").page
    ready(page)
    page.get_by_role("button", name="查看“太早的权重”").click()
    page.get_by_role("button", name="驳回").click()
    expect(page.get_by_role("alert")).to_contain_text("请写明驳回原因")
    page.get_by_label("驳回原因").fill("等到春节以后")
    page.get_by_role("button", name="驳回").click()
    expect(page.get_by_text("驳回原因: 等到春节以后")).to_be_visible()


def test_a_season_is_added_published_shown_and_ended(visits: Visits) -> None:
    page = visits.open("hr", "/schemes?tab=seasons&year=2030").page
    ready(page)
    expect(page.get_by_text("这一年没有季节或专项")).to_be_visible()
    page.get_by_role("button", name="添加季节或专项").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("combobox", name="部门").select_option("logistics")
    drawer.get_by_label("模板").select_option("mega_promo_logistics")
    drawer.get_by_label("第一天").fill("2030-11-01")
    drawer.get_by_label("最后一天").fill("2030-11-15")
    drawer.get_by_label("草稿标题").fill("双十一")
    expect(drawer.get_by_text("模拟结果")).to_be_visible()
    drawer.get_by_role("button", name="保存草稿").click()
    hand_in(page, "双十一")
    publish(visits, "双十一")
    page = visits.open("hr", "/schemes?tab=seasons&year=2030").page
    ready(page)
    page.get_by_role("button", name="大促（双11/618）").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("最后一天").fill("2030-11-12")
    drawer.get_by_label("草稿标题").first.fill("提前结束双十一")
    drawer.get_by_role("button", name="保存草稿").first.click()
    expect(page.get_by_role("button", name="查看“提前结束双十一”")).to_be_visible()


def test_an_administrator_tries_a_definition_on_real_data(visits: Visits) -> None:
    page = visits.open("administrator", "/schemes?tab=indicators").page
    ready(page)
    page.get_by_role("combobox", name="指标").first.select_option("att_punctuality_rate")
    page.get_by_label("另存为新指标").fill("att_own_rate")
    page.get_by_label("目标").fill("90")
    page.get_by_role("button", name="用真实数据试算").click()
    table = page.get_by_role("table", name="用真实数据试算")
    expect(table.get_by_role("row").nth(1)).to_be_visible()
    page.get_by_label("曲线").fill("80 0\n80 100")
    page.get_by_role("button", name="用真实数据试算").click()
    expect(page.get_by_role("alert")).to_contain_text("曲线的点")


@in_both_languages
def test_an_administrator_brings_definitions_in_a_file(language: Language, visits: Visits, tmp_path: Path) -> None:
    """The second has a number where its target is text; put right, both are one draft."""
    zh = language == "zh-CN"
    names = [f"own_{language[:2]}_{one}" for one in ("first", "second")]
    file = tmp_path / f"{language}.toml"
    visit = visits.open("administrator", "/schemes?tab=indicators", language=language)
    page = visit.page
    ready(page)

    def choose() -> None:
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="选择定义文件" if zh else "Choose a file of definitions").click()
        chooser.value.set_files(file)

    first, second = (definition(name, starts="2030-03-01") for name in names)
    file.write_text(first + definition(names[1], target="95", starts="2030-03-01"), encoding="utf-8")
    choose()
    found = page.get_by_role("list", name=file.name)
    wrong = found.get_by_role("listitem").filter(has_text=names[1])
    expect(wrong).to_contain_text(f"第 {LINES + TARGET} 行" if zh else f"line {LINES + TARGET}")
    expect(wrong).to_contain_text("字段 target" if zh else "Field target")
    right = found.get_by_role("listitem").filter(has_text=names[0])
    expect(right).to_contain_text("可以存入草稿" if zh else "fits a draft")
    expect(page.get_by_text("2 个定义中有 1 个有误" if zh else "1 of 2 definitions are wrong")).to_be_visible()
    keep = page.get_by_role("button", name="保存草稿" if zh else "Save draft")
    expect(keep).to_have_count(0)
    assert_whole(visit, "schemes-file-wrong", language)

    file.write_text(first + "[[indicator\n", encoding="utf-8")
    choose()
    expect(page.get_by_role("alert")).to_contain_text(f"第 {LINES + 1} 行" if zh else f"Line {LINES + 1}")

    file.write_text(first + second, encoding="utf-8")
    choose()
    found.get_by_role("button", name=names[1]).click()
    expect(page.get_by_label("另存为新指标" if zh else "As a new indicator")).to_have_value(names[1])
    expect(page.get_by_label("生效日期" if zh else "Starts on").last).to_have_value("2030-03-01")
    page.get_by_label("草稿标题" if zh else "Title of the draft").first.fill(f"file {language}")
    keep.first.click()
    page.get_by_role("button", name=f"file {language}").click()
    drawer = page.get_by_role("dialog")
    for name in names:
        expect(drawer.get_by_text(name).first).to_be_visible()


def test_a_manager_sees_own_weights_and_writes_none(visits: Visits) -> None:
    visit = visits.open("manager", "/schemes")
    page = visit.page
    ready(page)
    options = page.get_by_role("combobox", name="部门").first.locator("option")
    assert [options.nth(n).get_attribute("value") for n in range(options.count())] == [MANAGED]
    expect(page.get_by_text("修改由人力资源部负责")).to_be_visible()
    expect(page.get_by_role("button", name="调整权重")).to_have_count(0)
    expect(page.get_by_role("link", name="草稿与审批")).to_have_count(0)
    page.goto(page.url.split("?")[0] + "?tab=versions")
    ready(page)
    expect(page.get_by_text("配送员新权重")).to_have_count(0)
    assert visit.errors == []


@pytest.mark.parametrize("role", ["employee", "it"])
def test_others_find_no_weights(role: str, visits: Visits) -> None:
    page = visits.open(role, "/schemes").page
    expect(page.get_by_role("link", name="权重方案")).to_have_count(0)
    expect(page.get_by_role("button", name="调整权重")).to_have_count(0)


def test_the_editor_works_on_a_phone(visits: Visits) -> None:
    page = visits.open("hr", COURIERS, width=PHONE).page
    ready(page)
    page.get_by_role("button", name="调整权重").click()
    give(page, ON_TIME, 50)
    assert sum(weights(page)) == 100
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider == 0


@pytest.mark.parametrize("tab", ["weights", "seasons", "drafts", "versions", "indicators"])
@in_both_languages
def test_every_view_of_weights_is_whole(language: Language, tab: str, visits: Visits) -> None:
    visit = visits.open("administrator", f"/schemes?tab={tab}&department=logistics", language=language)
    ready(visit.page)
    assert_whole(visit, f"schemes-{tab}", language)
