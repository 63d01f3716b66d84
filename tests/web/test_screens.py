"""Every screen, in both languages, on a phone and on a desk, in light and dark."""

import re
from pathlib import Path
from typing import get_args

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.company import Company
from tests.web.conftest import Language, Theme, Visits, every_view, theme_at

SCREENSHOTS = Path(__file__).parent / "screenshots"
HAN = re.compile(r"[\u4e00-\u9fff]{2}")

SCREENS = {
    "today": ("hr", "/today"),
    "today-drawer": ("hr", "/today?person={absent}"),
    "day": ("employee", "/me/day"),
    "score": ("employee", "/me/score"),
    "other-score": ("manager", "/people/{agent}/score"),
    "devices": ("it", "/devices"),
    "people": ("hr", "/people"),
    "unmatched": ("hr", "/people/unmatched"),
    "quarantine": ("it", "/admin/quarantine"),
    "operations": ("administrator", "/admin/operations"),
}


def problems(page: Page) -> list[str]:
    """What axe calls serious or critical, with the elements concerned."""
    found = Axe().run(page).response["violations"]
    return [
        f"{item['id']}: {[node['html'][:120] for node in item['nodes']]}"
        for item in found
        if item["impact"] in ("serious", "critical")
    ]


def ready(page: Page) -> None:
    """All views of the page have their data."""
    expect(page.locator("[data-ready=true]").first).to_be_visible()
    expect(page.locator("[data-ready=false]")).to_have_count(0)


@every_view
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_whole_reachable_and_quiet(
    screen: str, language: Language, width: int, visits: Visits, company: Company
) -> None:
    role, path = SCREENS[screen]
    places = {"absent": company.unexplained()[-1].id, "agent": company.department[0].id}
    # Each picture in light and dark; the two alternate, so that both languages and widths are checked in each.
    theme = theme_at(width)
    visit = visits.open(role, path.format(**places), language=language, width=width, theme=theme)
    page = visit.page
    ready(page)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.locator("html")).to_have_attribute("lang", language)
    if language == "zh-CN":
        assert HAN.search(page.get_by_role("main").inner_text())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert problems(page) == []
    SCREENSHOTS.mkdir(exist_ok=True)
    for shown in get_args(Theme):
        page.emulate_media(color_scheme=shown)
        page.screenshot(path=SCREENSHOTS / f"{screen}-{language}-{width}-{shown}.png")
    assert visit.errors == []
    assert visit.strangers == []


@pytest.mark.long
@pytest.mark.parametrize("path", ["/today", "/me/day", "/me/score", "/devices", "/people", "/people/unmatched"])
def test_nothing_is_cut_off_at_320_pixels(path: str, visits: Visits) -> None:
    role = "employee" if path.startswith("/me") else "administrator"
    page = visits.open(role, path, width=320, language="en").page
    ready(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_login_page_speaks_to_everybody(visits: Visits) -> None:
    titles: dict[Language, str] = {"zh-CN": "登录", "en": "Sign in"}
    for language, title in titles.items():
        page = visits.open(None, "/login", language=language, width=390).page
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        assert problems(page) == []
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"login-{language}-390-light.png")
