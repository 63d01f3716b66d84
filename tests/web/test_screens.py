"""Every screen, in both languages, on a phone and on a desk, in light and dark."""

import pytest
from playwright.sync_api import expect

from tests.web.company import Company
from tests.web.conftest import Language, Visits
from tests.web.looks import SCREENSHOTS, assert_whole, in_both_languages, problems, ready

SCREENS = {
    "today": ("hr", "/today"),
    "today-drawer": ("hr", "/today?person={absent}"),
    "day": ("employee", "/me/day"),
    "score": ("employee", "/me/score"),
    "other-score": ("manager", "/people/{agent}/score"),
    "scores": ("hr", "/scores"),
    "devices": ("it", "/devices"),
    "people": ("hr", "/people"),
    "unmatched": ("hr", "/people/unmatched"),
    "contracts": ("hr", "/contracts"),
    "quarantine": ("it", "/admin/quarantine"),
    "operations": ("administrator", "/admin/operations"),
}


@in_both_languages
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_whole_reachable_and_quiet(screen: str, language: Language, visits: Visits, company: Company) -> None:
    role, path = SCREENS[screen]
    places = {"absent": company.unexplained()[-1].id, "agent": company.department[0].id}
    visit = visits.open(role, path.format(**places), language=language)
    ready(visit.page)
    assert_whole(visit, screen, language)


def test_login_page_speaks_to_everybody(visits: Visits) -> None:
    titles: dict[Language, str] = {"zh-CN": "登录", "en": "Sign in"}
    for language, title in titles.items():
        page = visits.open(None, "/login", language=language, width=390).page
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        assert problems(page) == []
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"login-{language}-390-light.png")
