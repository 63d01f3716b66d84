"""A real browser on a real server: one seeded database, one signed-in context for each role."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from tests.web.company import PASSWORD, Company, make_company, make_empty
from tests.web.installation import Installation

CHROMIUM = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""The browser, if it can be without what only its windows need: that takes a fifth off these tests."""
STATIC = Path(__file__).parents[2] / "server/static"
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
WAIT_MS = 10_000

Language = Literal["zh-CN", "en"]
Theme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; not longer than a module, because its event loop keeps asynchronous tests from running."""
    if CHROMIUM is None or not Path(CHROMIUM).exists():
        pytest.skip(f"no browser ({CHROMIUM or 'chromium'}): install chromium, or set CHROMIUM_PATH")
    if not (STATIC / "index.html").is_file():
        pytest.skip("the pages are not built: run `make web`")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return make_company(tmp_path_factory.mktemp("company"))


@pytest.fixture(scope="session")
def server(company: Company) -> Iterator[Installation]:
    installation = Installation(company.database.parent)
    installation.start()
    yield installation
    installation.server.stop()


@pytest.fixture
def empty_server(tmp_path: Path) -> Iterator[Installation]:
    make_empty(tmp_path)
    installation = Installation(tmp_path)
    installation.start()
    yield installation
    installation.server.stop()


@dataclass
class Visit:
    """A page in a context of its own, and everything that went wrong in it."""

    page: Page
    host: str
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self.host:
            self.strangers.append(url)


class Visits:
    """Opens pages for a role; a role signs in once for all tests."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._states: dict[str, StorageState] = {}
        self._contexts: list[BrowserContext] = []

    def open(
        self,
        role: str | None,
        path: str,
        *,
        language: Language = "zh-CN",
        width: int = 1280,
        theme: Theme = "light",
        zone: str = "Asia/Shanghai",
    ) -> Visit:
        """A new window at ``path``, signed in as the account of this name."""
        context = self._browser.new_context(
            base_url=self._url,
            locale=language,
            viewport={"width": width, "height": 844},
            color_scheme=theme,
            timezone_id=zone,
            reduced_motion="reduce",
            storage_state=None if role is None else self._state(role),
        )
        self._contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        visit = Visit(context.new_page(), urlsplit(self._url).netloc)
        visit.page.goto(path)
        return visit

    def forget(self, role: str) -> None:
        """Sign in again the next time."""
        self._states.pop(role, None)

    def close(self) -> None:
        """Close every window of the test."""
        while self._contexts:
            self._contexts.pop().close()

    def _state(self, role: str) -> StorageState:
        if role not in self._states:
            context = self._browser.new_context(base_url=self._url)
            answer = context.request.post(
                "/api/login",
                data={"login": role, "password": PASSWORD},
                headers={"X-Muster": "1", "Origin": self._url},
            )
            assert answer.ok, answer.text()
            self._states[role] = context.storage_state()
            context.close()
        return self._states[role]


@pytest.fixture(scope="module")
def _visits(browser: Browser, server: Installation) -> Visits:
    return Visits(browser, server.url)


@pytest.fixture
def visits(_visits: Visits) -> Iterator[Visits]:
    yield _visits
    _visits.close()


@pytest.fixture
def visits_to(browser: Browser) -> Iterator[Callable[[Installation], Visits]]:
    """Pages of another server than the one all tests share."""
    made: list[Visits] = []

    def visits_to(installation: Installation) -> Visits:
        made.append(Visits(browser, installation.url))
        return made[-1]

    yield visits_to
    for visits in made:
        visits.close()
