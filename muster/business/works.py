"""Design tasks, each for a page of the site, as the design department's Redmine has them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from muster.business.rows import Span, at

SIZES = (("S", "2.0"), ("M", "4.0"), ("L", "8.0"))


@dataclass(frozen=True, slots=True)
class Work:
    """A task; ``decided`` is None while it is open."""

    number: int
    designer: str
    created: datetime
    brief: datetime
    reviewed: datetime | None
    passed: bool
    decided: datetime | None
    size: str
    standard_days: str
    page: str


def make_works(span: Span) -> list[Work]:
    """Two tasks on each working day."""
    pick = span.pick("works")
    designers = span.of("design")
    made: list[Work] = []
    for day in span.days():
        if day.weekday() > 4:
            continue
        for _ in range(2):
            size, standard = pick.choice(SIZES)
            takes = max(1, round(float(standard) * pick.uniform(0.7, 1.25)))
            end = _working_days_later(day, takes)
            over = end <= span.last
            made.append(
                Work(
                    number=1000 + len(made),
                    designer=designers[len(made) % len(designers)],
                    created=at(day, 9),
                    brief=at(day, 10),
                    reviewed=at(end, 14) if over else None,
                    passed=pick.random() < 0.82,
                    decided=at(end, 16) if over else None,
                    size=size,
                    standard_days=standard,
                    page=f"/p/{len(made) % 40}",
                )
            )
    return made


def _working_days_later(day: date, number: int) -> date:
    while number:
        day += timedelta(days=1)
        number -= day.weekday() < 5
    return day
