"""Business systems in a browser: IT sees which is fresh and which is not, and has one read now."""

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Language, Visits
from tests.web.installation import Installation
from tests.web.looks import assert_whole, in_both_languages, problems, ready
from tests.web.seed_sources import add_sources

FIRST_RUN_MS = 30_000


@pytest.fixture(scope="module", autouse=True)
def _sources(server: Installation, tmp_path_factory: pytest.TempPathFactory) -> None:
    add_sources(server, tmp_path_factory.mktemp("sources"))


def test_it_sees_how_each_source_does_and_why_one_can_not(visits: Visits) -> None:
    visit = visits.open("it", "/sources")
    page = visit.page
    good = page.get_by_role("row").filter(has_text="进销存")
    expect(good.get_by_text("正常")).to_be_visible(timeout=FIRST_RUN_MS)
    broken = page.get_by_role("row").filter(has_text="旧账")
    expect(broken.get_by_text("no such table")).to_be_visible(timeout=FIRST_RUN_MS)
    assert problems(page) == []
    assert visit.errors == []


def test_it_reads_one_now_and_sees_the_run(visits: Visits) -> None:
    page = visits.open("it", "/sources").page
    row = page.get_by_role("row").filter(has_text="进销存")
    expect(row.get_by_text("正常")).to_be_visible(timeout=FIRST_RUN_MS)
    row.get_by_role("link", name="查看 进销存").click()
    drawer = page.get_by_role("dialog")
    runs = drawer.get_by_role("table", name="运行记录").get_by_role("row")
    expect(runs.nth(1)).to_be_visible()
    before = runs.count()
    drawer.get_by_role("button", name="立即读取").click()
    expect(runs).to_have_count(before + 1, timeout=FIRST_RUN_MS)
    assert problems(page) == []
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_it_has_the_kept_rows_mapped_again(visits: Visits) -> None:
    page = visits.open("it", "/sources").page
    row = page.get_by_role("row").filter(has_text="进销存")
    expect(row.get_by_text("正常")).to_be_visible(timeout=FIRST_RUN_MS)
    row.get_by_role("link", name="查看 进销存").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("region", name="数据流").get_by_text("数据截至").first).to_be_visible()
    runs = drawer.get_by_role("table", name="运行记录")
    expect(runs.get_by_text("重放")).to_have_count(0)
    drawer.get_by_role("button", name="重放").click()
    expect(runs.get_by_text("重放").first).to_be_visible(timeout=FIRST_RUN_MS)
    assert problems(page) == []


@pytest.mark.parametrize("role", ["hr", "manager", "employee"])
def test_others_find_no_sources(role: str, visits: Visits) -> None:
    page = visits.open(role, "/sources").page
    expect(page.get_by_text("您没有查看这一页的权限").first).to_be_visible()
    expect(page.get_by_role("link", name="数据源")).to_have_count(0)


@in_both_languages
def test_the_page_with_sources_is_whole(language: Language, visits: Visits) -> None:
    visit = visits.open("it", "/sources", language=language)
    ready(visit.page)
    expect(visit.page.get_by_role("row").nth(2)).to_be_visible()
    assert_whole(visit, "sources", language)

