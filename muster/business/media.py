"""Articles of new media, the register of the editors, and the followers of the account."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from muster.business.rows import Span

DAYS_READ = 5
"""An article is read on the day it appears and so many days after, less one."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Of an article since it was sent."""

    day: date
    reads: int
    shares: int
    favourites: int


@dataclass(frozen=True, slots=True)
class Article:
    """One article of a day's message; who wrote it and whether it is original is in the editors' register alone."""

    key: str
    sent: date
    title: str
    editor: str
    original: bool
    totals: tuple[Totals, ...]


def make_articles(span: Span) -> list[Article]:
    """Every editor has one on every second day; before that a longer one on every fourth."""
    pick = span.pick("articles")
    made: list[Article] = []
    for day in span.days():
        every = 2 if day >= span.whole_from else 4
        for place, editor in enumerate(span.of("new_media")):
            if (day.toordinal() + place) % every:
                continue
            original = pick.random() < 0.72
            reads, shares, favourites = 0, 0, 0
            totals = []
            for later in range(DAYS_READ):
                stat = day + timedelta(days=later)
                if stat > span.last:
                    break
                more = round(pick.uniform(900, 2_600) / (later + 1) * every / 2 * (1.0 if original else 1.6))
                liked = more * (1.0 if original else 0.35)
                reads += more
                shares += round(liked * pick.uniform(0.032, 0.05))
                favourites += round(liked * pick.uniform(0.012, 0.024))
                totals.append(Totals(stat, reads, shares, favourites))
            key = f"{2_247_000_000 + day.toordinal()}_{place + 1}"
            made.append(Article(key, day, f"第 {day:%m%d} 期", editor, original, tuple(totals)))
    return made


def by_day(articles: Iterable[Article]) -> dict[date, list[str]]:
    """Their keys by the day on which they were sent."""
    found: dict[date, list[str]] = {}
    for article in articles:
        found.setdefault(article.sent, []).append(article.key)
    return found


def make_followers(span: Span) -> dict[date, int]:
    """Followers of the official account, by date."""
    pick = span.pick("followers")
    total, found = 61_000.0, dict[date, int]()
    for day in span.days():
        total *= 1 + pick.uniform(-0.0006, 0.0036)
        found[day] = round(total)
    return found
