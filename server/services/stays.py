"""Who was in which post on which days of a period. Each post is scored with its own data and weights (KS-7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from server.people.person import Post as PostOnRecord
from server.scoring.rules import Rules
from server.scoring.scheme import PeriodWeights, Place
from server.scoring.target import EVERYBODY
from server.scoring.window import Days
from server.store.score_queries import Post, upwards


@dataclass(frozen=True, slots=True)
class Stay:
    """A person in one post."""

    employee: str
    post: Post
    days: Days
    """Calendar days in the post, within the person's own."""
    counted: Days
    """Days whose rows count: of the first and last post to the edges of the period."""

    @property
    def place(self) -> Place:
        """What decides the weights."""
        return Place(self.post.position, self.post.departments)

    @property
    def units(self) -> Sequence[str]:
        """Whose targets hold, the nearest first."""
        return (self.employee, *self.post.departments, EVERYBODY)

    def weights(self, rules: Rules) -> PeriodWeights:
        """Mean of the daily weights of these days."""
        return rules.weights(self.employee, self.place, self.days.first, self.days.last)


def stays_of(
    employee: str,
    today: Post,
    record: Sequence[PostOnRecord],
    above: Mapping[str, str | None],
    days: Days,
) -> list[Stay]:
    """Posts of a person in a period by date; none when the person was not here. A move between sites alone is none.

    ``record`` are all posts by date, the first of which holds for the time before it too; without any ``today`` does.
    """
    first, last = max(days.first, today.joined_on), min(days.last, today.left_on or days.last)
    if first > last:
        return []
    posts = [(one.from_on, _post(today, one, above)) for one in record] or [(first, today)]
    starts = [first, *(start for start, _ in posts[1:])]
    ends = [*(start - timedelta(days=1) for start in starts[1:]), last]
    found: list[Stay] = []
    for (_, post), start, end in zip(posts, starts, ends, strict=True):
        here = Days(max(start, first), min(end, last))
        if here.number <= 0:
            continue
        if found and found[-1].place == Place(post.position, post.departments):
            found[-1] = replace(found[-1], post=post, days=Days(found[-1].days.first, here.last))
        else:
            found.append(Stay(employee, post, here, here))
    return _to_the_edges(found, days)


def begun(stays: Iterable[Stay], day: date) -> list[Stay]:
    """Those that have begun by a day; the first one in any case, so that a period ahead has its post."""
    found = list(stays)
    return [stay for number, stay in enumerate(found) if not number or stay.days.first <= day]


def _to_the_edges(stays: Sequence[Stay], days: Days) -> list[Stay]:
    firsts = [days.first, *(after.days.first for _, after in pairwise(stays))]
    lasts = [*(before.days.last for before, _ in pairwise(stays)), days.last]
    return [replace(stay, counted=Days(first, last)) for stay, first, last in zip(stays, firsts, lasts, strict=True)]


def _post(today: Post, one: PostOnRecord, above: Mapping[str, str | None]) -> Post:
    departments = tuple(upwards(one.department, above))
    return replace(today, position=one.position, site=one.site, departments=departments)
