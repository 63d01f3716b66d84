"""A card of somebody who had two posts within the period: each by its own data, and the worked number X12."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Language, Visits
from tests.web.installation import Installation, running
from tests.web.looks import assert_whole, in_both_languages, ready
from tests.web.seed_two_posts import SELLER, TwoPosts, make_two_posts


@dataclass
class Seller:
    """The installation and what is in it."""

    installation: Installation
    posts: TwoPosts


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seller]:
    folder = tmp_path_factory.mktemp("two-posts")
    posts = make_two_posts(folder)
    with running(folder) as installation:
        yield Seller(installation, posts)


@in_both_languages
@pytest.mark.parametrize("role", ["employee", "hr"])
def test_x12_two_posts_are_two_parts_weighed_by_their_days(
    role: str, language: Language, seller: Seller, visits_to: Callable[[Installation], Visits]
) -> None:
    """12 days at 80 and 18 days at 95 are 89.00."""
    zh, path = language == "zh-CN", "/me/score" if role == "employee" else f"/people/{SELLER}/score"
    visit = visits_to(seller.installation).open(role, f"{path}?period={seller.posts.period}", language=language)
    page = visit.page
    ready(page)
    total = page.get_by_role("region", name="总分" if zh else "Total")
    expect(total).to_contain_text("89.00")
    expect(total).to_contain_text("等级 B" if zh else "Grade B")
    why = "（12 天 × 80.00 + 18 天 × 95.00）÷ 30 天" if zh else "(12 days × 80.00 + 18 days × 95.00) ÷ 30 days"
    expect(total).to_contain_text(f"{why} = 89.00")
    for name, days, points, value, key in (
        ("销售代表" if zh else "Sales representative", 12, "80.00", "18%", "as-rep"),
        ("销售主管" if zh else "Sales manager", 18, "95.00", "19.5%", "as-manager"),
    ):
        part = page.get_by_role("region", name=name)
        expect(part.get_by_role("heading", level=2)).to_contain_text(f"{days} 天" if zh else f"{days} days")
        expect(part).to_contain_text(points)
        margin = part.get_by_role("article", name="毛利率" if zh else "Gross margin")
        expect(margin).to_contain_text(value)
        margin.get_by_text("这个数是怎么来的" if zh else "How this number came about").click()
        sources = margin.get_by_role("table", name="来源明细" if zh else "Source rows")
        expect(sources.get_by_role("row").filter(has_text=key)).to_have_count(1)
        expect(sources.get_by_role("row")).to_have_count(2)
    page.keyboard.press("Home")
    assert_whole(visit, f"two-posts-{role}", language)
