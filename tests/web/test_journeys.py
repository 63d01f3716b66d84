"""What people come for: sign in and out, watch a day, read a score, match a number, keep to one's own scope."""

import re
from collections.abc import Callable
from datetime import datetime, time

from playwright.sync_api import Page, Request, Route, expect

from tests.web.company import PASSWORD, STRANGER, Company
from tests.web.conftest import Visits
from tests.web.installation import Installation

LIVE_MS = 2000
"""From the commit of a result to the page (architecture.md section 8)."""


def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    page.get_by_label("用户名").fill(login)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()


def tile(page: Page, group: str) -> int:
    """The figure of a tile of the day."""
    name = page.get_by_role("button", name=f"{group} ").get_attribute("aria-label")
    assert name is not None
    return int(name.split()[1])


def test_signing_in_leads_to_the_page_that_was_asked_for_and_out_again(visits: Visits) -> None:
    page = visits.open(None, "/devices?attention=1").page
    expect(page.get_by_role("heading", level=1, name="登录")).to_be_visible()
    sign_in(page, "it")
    expect(page.get_by_role("heading", level=1, name="终端与网关")).to_be_visible()
    expect(page.get_by_role("checkbox", name="只看需要处理的")).to_be_checked()
    page.get_by_role("button", name="账户：高强").click()
    page.get_by_role("button", name="退出登录").click()
    expect(page.get_by_role("heading", level=1, name="登录")).to_be_visible()
    page.goto("/devices")
    expect(page.get_by_role("heading", level=1, name="登录")).to_be_visible()


def test_a_wrong_password_is_said_in_words_and_not_which_half_was_wrong(visits: Visits) -> None:
    page = visits.open(None, "/login").page
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_label("用户名")).to_have_accessible_description("请输入用户名。")
    sign_in(page, "nobody", "wrong-password-1")
    expect(page.get_by_role("alert")).to_have_text("用户名或密码不正确。")


def test_an_address_of_another_site_is_no_way_out_of_the_login(visits: Visits) -> None:
    page = visits.open(None, "/login?next=//example.com/").page
    sign_in(page, "hr")
    expect(page.get_by_role("heading", level=1, name="工作台")).to_be_visible()


def test_an_expired_session_leads_to_the_login_and_back(visits: Visits, company: Company) -> None:
    page = visits.open("manager", "/people").page
    expect(page.get_by_role("table", name="员工名单")).to_be_visible()
    page.get_by_role("searchbox").fill("何")
    expect(page).to_have_url(re.compile("q="))
    company.end_sessions("manager")
    visits.forget("manager")
    # The page finds out by itself when the server looks at its open streams again.
    expect(page.get_by_text("登录已过期")).to_be_visible(timeout=30_000)
    sign_in(page, "manager")
    expect(page.get_by_role("heading", level=1, name="员工")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("何")


def test_a_new_punch_changes_the_open_page_within_two_seconds(visits: Visits, company: Company) -> None:
    person = company.unexplained()[0]
    page = visits.open("hr", f"/today?q={person.id}").page
    expect(page.get_by_text("实时", exact=True)).to_be_visible()
    before = tile(page, "未出勤")
    company.punch(person, datetime.combine(company.day, time(17, 59, 7)))
    punches = page.get_by_role("region", name="打卡动态")
    expect(punches.get_by_role("listitem").filter(has_text="17:59:07")).to_contain_text(person.name, timeout=LIVE_MS)
    expect(page.get_by_role("button", name=f"未出勤 {before - 1} 人")).to_be_visible(timeout=LIVE_MS)
    row = page.get_by_role("row").filter(has_text=person.name)
    expect(row).not_to_contain_text("未出勤")


def test_filters_live_in_the_address_and_the_back_key_undoes_them(visits: Visits, company: Company) -> None:
    page = visits.open("hr", "/today").page
    page.get_by_role("combobox", name="部门").select_option("客服部")
    page.get_by_role("button", name="正常 ").click()
    expect(page.get_by_role("button", name="正常 ")).to_have_attribute("aria-pressed", "true")
    shared = visits.open("hr", page.url).page
    expect(shared.get_by_role("combobox", name="部门")).to_have_value("customer_service")
    names = {person.name for person in company.department}
    expect(shared.get_by_role("rowheader", name="客服部")).to_be_visible()
    shown = shared.get_by_role("table").get_by_role("button", name="查看").all_inner_texts()
    assert shown
    assert set(shown) <= names
    page.go_back()
    expect(page.get_by_role("combobox", name="状态")).to_have_value("")


def test_another_day_can_be_picked_and_the_newest_found_again(visits: Visits, company: Company) -> None:
    page = visits.open("hr", "/today").page
    picker = page.get_by_label("日期")
    expect(picker).to_have_value(company.day.isoformat())
    page.get_by_role("button", name="前一天").click()
    expect(picker).not_to_have_value(company.day.isoformat())
    page.get_by_role("button", name="最新一天").click()
    expect(picker).to_have_value(company.day.isoformat())


def test_a_persons_day_opens_beside_the_list_and_escape_closes_it(visits: Visits, company: Company) -> None:
    page = visits.open("hr", "/today").page
    name = company.me.name
    opener = page.get_by_role("button", name=f"查看{name}的这一天")
    opener.focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name=f"{name}的一天")
    expect(drawer.get_by_role("heading", name="打卡记录")).to_be_visible()
    expect(drawer.get_by_text("白班 09:00–18:00")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(opener).to_be_focused()


def test_minutes_of_the_own_day_add_up_and_name_their_rules(visits: Visits) -> None:
    page = visits.open("employee", "/me/day", width=390).page
    expect(page.get_by_text("应出勤")).to_be_visible()
    page.get_by_text("怎么得出的").click()
    expect(page.get_by_text("AR-15 工时为在岗且在班次内的净时长")).to_be_visible()


def test_a_score_opens_into_its_source_rows(visits: Visits) -> None:
    page = visits.open("employee", "/me/score", width=390).page
    article = page.get_by_role("article", name="准时送达率")
    article.get_by_text("这个数是怎么来的").click()
    formula = article.get_by_text("÷").first.inner_text()
    total = int(formula.split("÷")[1].split("=")[0])
    rows = article.get_by_role("table", name="来源明细")
    expect(rows).to_be_visible()
    expect(article.get_by_text(f"共 {total} 条")).to_be_visible()
    article.get_by_role("button", name="下一页").click()
    expect(article.get_by_text("第 21–")).to_be_visible()


def test_matching_a_number_brings_its_punches_to_the_employee(visits: Visits, company: Company) -> None:
    page = visits.open("hr", "/people/unmatched").page
    page.get_by_role("button", name=f"为编号 {STRANGER} 匹配员工").click()
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    search.fill(company.people[40].name)
    page.get_by_role("button", name=f"匹配给{company.people[40].name}").click()
    expect(page.get_by_role("status").filter(has_text=f"编号 {STRANGER} 已匹配给")).to_contain_text("补上 2 次打卡")
    expect(page.get_by_text("所有终端用户都已匹配")).to_be_visible()


def test_a_manager_sees_neither_rows_nor_frames_of_another_department(visits: Visits, company: Company) -> None:
    outsiders = {person.name for person in company.people} - {person.name for person in company.department}
    visit = visits.open("manager", "/today")
    page = visit.page
    expect(page.get_by_text("实时", exact=True)).to_be_visible()
    shown = set(page.get_by_role("table").get_by_role("button", name="查看").all_inner_texts())
    assert shown
    assert not shown & outsiders
    outsider = company.people[0]
    insider = company.department[1]
    # The second punch shows that the frame with the first has been and gone.
    company.punch(outsider, datetime.combine(company.day, time(12, 1, 1)))
    company.punch(insider, datetime.combine(company.day, time(12, 2, 2)))
    punches = page.get_by_role("region", name="打卡动态")
    expect(punches.get_by_text("12:02:02")).to_be_visible(timeout=2 * LIVE_MS)
    expect(punches.get_by_text("12:01:01")).to_have_count(0)
    page.goto(f"/people/{outsider.id}/day")
    expect(page.get_by_text("没有找到").first).to_be_visible()
    page.goto("/devices")
    expect(page.get_by_text("您没有查看这一页的权限").first).to_be_visible()


def test_only_what_needs_attention_is_left_and_says_what_to_do(visits: Visits) -> None:
    page = visits.open("it", "/devices").page
    expect(page.get_by_text("快 7 分，已自动修正")).to_be_visible()
    page.get_by_role("checkbox", name="只看需要处理的").check()
    expect(page.get_by_role("button", name="详情：大门 4")).to_be_visible()
    expect(page.get_by_role("button", name="详情：大门 1")).to_have_count(0)
    page.get_by_role("button", name="详情：大门 4").click()
    expect(page.get_by_role("dialog").get_by_text("连不上。检查电源、网线和 IP 地址。")).to_be_visible()


def test_language_and_appearance_change_without_loading_the_page_again(visits: Visits) -> None:
    page = visits.open("it", "/devices").page
    documents: list[Request] = []
    page.on("request", lambda request: documents.append(request) if request.resource_type == "document" else None)
    page.get_by_role("button", name="Switch to English").click()
    expect(page.get_by_role("heading", level=1, name="Terminals and gateways")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="Appearance: system").click()
    page.get_by_role("button", name="Appearance: light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert documents == []
    page.reload()
    expect(page.get_by_role("button", name="Appearance: dark")).to_be_visible()


def test_times_name_their_zone_when_it_is_not_the_viewers(visits: Visits) -> None:
    page = visits.open("employee", "/me/day", zone="Europe/Berlin").page
    expect(page.get_by_text("时间按站点时区显示：Asia/Shanghai")).to_be_visible()


def test_the_keyboard_skips_the_menu(visits: Visits) -> None:
    page = visits.open("hr", "/people").page
    expect(page.get_by_role("table")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_the_menu_of_a_phone_opens_and_leads_on(visits: Visits) -> None:
    page = visits.open("administrator", "/devices", width=390).page
    page.get_by_role("button", name="菜单").click()
    page.get_by_role("dialog").get_by_role("link", name="操作日志").click()
    expect(page.get_by_role("heading", level=1, name="操作日志")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_failing_server_is_shown_with_its_code_and_can_be_tried_again(visits: Visits) -> None:
    # The operation log follows no live topic, so nothing but the button fetches it again.
    page = visits.open("administrator", "/admin/quarantine").page
    broken = True

    def answer(route: Route) -> None:
        if broken:
            route.fulfill(status=500, json={"code": "internal", "request_id": "4711"})
        else:
            route.continue_()

    page.route("**/api/operations**", answer)
    page.get_by_role("link", name="操作日志").click()
    expect(page.get_by_text("代码 internal")).to_be_visible()
    expect(page.get_by_text("请求 4711")).to_be_visible()
    broken = False
    page.get_by_role("button", name="重试").click()
    expect(page.get_by_text("代码 internal")).to_have_count(0)
    expect(page.get_by_role("table")).to_be_visible()


def test_without_network_the_page_keeps_its_data_says_how_old_it_is_and_comes_back_by_itself(visits: Visits) -> None:
    page = visits.open("hr", "/today").page
    expect(page.get_by_role("table")).to_be_visible()
    page.context.set_offline(offline=True)
    page.get_by_role("combobox", name="站点").select_option("余杭仓")
    expect(page.get_by_text("刚才没能更新")).to_be_visible()
    expect(page.get_by_role("table")).to_be_visible()
    page.context.set_offline(offline=False)
    expect(page.get_by_text("刚才没能更新")).to_have_count(0)


def test_a_new_installation_says_what_to_do_on_every_page(
    empty_server: Installation, visits_to: Callable[[Installation], Visits]
) -> None:
    visits = visits_to(empty_server)
    pages = {
        "/today": "这一天没有安排，也没有打卡",
        "/devices": "还没有网关",
        "/people": "还没有员工",
        "/people/unmatched": "所有终端用户都已匹配",
        "/admin/quarantine": "隔离区是空的",
        "/sources": "还没有数据源",
        "/scores": "这个月还没有绩效",
    }
    for path, words in pages.items():
        page = visits.open("administrator", path).page
        expect(page.get_by_text(words)).to_be_visible()


def test_an_unknown_address_is_no_dead_end(visits: Visits) -> None:
    page = visits.open("hr", "/nothing/here").page
    expect(page.get_by_text("没有找到").first).to_be_visible()
    page.get_by_role("link", name="回到首页").click()
    expect(page.get_by_role("heading", level=1, name="工作台")).to_be_visible()
