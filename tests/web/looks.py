"""What holds for every page: whole at each width, in both languages and themes, no barriers, errors or strangers."""

import re
from pathlib import Path
from typing import get_args

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.conftest import Language, Theme, Visit

SCREENSHOTS = Path(__file__).parent / "screenshots"
DESK, PHONE, NARROWEST = 1280, 390, 320
HEIGHT = 844
HAN = re.compile(r"[\u4e00-\u9fff]{2}")
_PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

in_both_languages = pytest.mark.parametrize("language", get_args(Language))


def ready(page: Page) -> None:
    """All views of the page have their data."""
    expect(page.locator("[data-ready=true]").first).to_be_visible()
    expect(page.locator("[data-ready=false]")).to_have_count(0)


def problems(page: Page) -> list[str]:
    """What axe calls serious or critical, with the elements concerned."""
    found = Axe().run(page).response["violations"]
    return [
        f"{item['id']}: {[node['html'][:120] for node in item['nodes']]}"
        for item in found
        if item["impact"] in ("serious", "critical")
    ]


def assert_whole(visit: Visit, name: str, language: Language) -> None:
    """One heading, words of the language, nothing cut off, no barriers, nothing wrong; pictures in ``SCREENSHOTS``.

    The page is made narrower step by step, as a window is; each language sees each width in one of the themes.
    """
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.locator("html")).to_have_attribute("lang", language)
    if language == "zh-CN":
        assert HAN.search(page.get_by_role("main").inner_text())
    SCREENSHOTS.mkdir(exist_ok=True)
    for width in (DESK, PHONE):
        _resize(page, width)
        theme: Theme = "light" if (language == "zh-CN") == (width == DESK) else "dark"
        page.emulate_media(color_scheme=theme)
        assert problems(page) == []
        for shown in get_args(Theme):
            page.emulate_media(color_scheme=shown)
            page.screenshot(path=SCREENSHOTS / f"{name}-{language}-{width}-{shown}.png", full_page=True)
    _resize(page, NARROWEST)
    assert visit.errors == []
    assert visit.strangers == []


def _resize(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.evaluate(_PAINTED)
    expect(page.locator("[data-ready=false]")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for content in page.locator("dialog .content").all():
        assert content.evaluate("e => e.scrollWidth <= e.clientWidth"), f"cut off in a drawer at {width}"
