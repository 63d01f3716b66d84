"""Posts of new media and the followers of its accounts."""

from datetime import timedelta

from muster.business.rows import Rows, Span

DAYS_READ = 5
"""A post is read on the day it appears and so many more."""


def make_posts(span: Span) -> Rows:
    """A row for each post and day on which it was read: running totals, as platforms tell them."""
    pick = span.pick("posts")
    editors = span.of("new_media")
    rows: Rows = []
    for day in span.days():
        for place, editor in enumerate(editors):
            if (day.toordinal() + place) % 2:
                continue
            post, original = f"P{day:%y%m%d}{place}", pick.random() < 0.72
            reads, likes = 0, 0
            for later in range(DAYS_READ):
                stat = day + timedelta(days=later)
                if stat > span.last:
                    break
                more = round(pick.uniform(900, 2_600) / (later + 1) * (1.0 if original else 1.6))
                reads += more
                likes += round(more * pick.uniform(0.04, 0.075) * (1.0 if original else 0.35))
                rows.append(
                    {
                        "source_key": f"wechat|{post}|{stat}",
                        "platform": "wechat",
                        "post_key": post,
                        "stat_date": str(stat),
                        "cumulative": True,
                        "account_key": "MAIN",
                        "title": f"第 {day:%m%d} 期",
                        "published_on": str(day),
                        "original": original,
                        "reads": reads,
                        "likes": likes,
                        "comments": likes // 6,
                        "shares": likes // 4,
                        "favourites": likes // 5,
                        "employee_key": editor,
                    }
                )
    return rows


def make_followers(span: Span) -> dict[str, int]:
    """Followers of the official account, by date."""
    pick = span.pick("followers")
    total, found = 61_000.0, dict[str, int]()
    for day in span.days():
        total *= 1 + pick.uniform(-0.0006, 0.0036)
        found[str(day)] = round(total)
    return found
