"""A server that goes away and comes back: the open page says so, and goes on by itself."""

from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path

from playwright.sync_api import expect

from tests.web.company import make_company
from tests.web.conftest import Visits
from tests.web.installation import Installation


def test_the_stream_resumes_after_a_restart_and_nothing_in_between_is_missing(
    tmp_path: Path, visits_to: Callable[[Installation], Visits]
) -> None:
    company = make_company(tmp_path)
    installation = Installation(tmp_path)
    installation.start()
    try:
        page = visits_to(installation).open("hr", "/today").page
        expect(page.get_by_text("实时", exact=True)).to_be_visible()
        installation.server.stop()
        expect(page.get_by_text("离线，数据为")).to_be_visible()
        person = company.unexplained()[0]
        company.punch(person, datetime.combine(company.day, time(17, 41, 8)))
        installation.start()
        expect(page.get_by_text("实时", exact=True)).to_be_visible(timeout=20_000)
        expect(page.get_by_role("region", name="打卡动态").get_by_text("17:41:08")).to_be_visible()
        company.punch(person, datetime.combine(company.day, time(18, 2, 9)))
        expect(page.get_by_role("region", name="打卡动态").get_by_text("18:02:09")).to_be_visible()
    finally:
        installation.server.stop()
