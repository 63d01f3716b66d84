"""What the generators share: time in Shanghai, days, and rows under the names of docs/reference/facts.md."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from muster.sample.people import Person

Fields: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = list[dict[str, Any]]
ZONE = ZoneInfo("Asia/Shanghai")
WHOLE_MONTHS = 3
"""So many months before the running one are told whole, a quarter and what repurchase looks back on."""
THINNED = 0.5
"""Of what there is most of, as much is told in older months: a year takes no longer to read than it has to."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days of the history, both inclusive, and who was there."""

    first: date
    last: date
    people: Sequence[Person]
    seed: int

    def days(self) -> Iterator[date]:
        """Every day of it."""
        for number in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=number)

    def months(self) -> Iterator[date]:
        """First day of each month of it."""
        day = self.first.replace(day=1)
        while day <= self.last:
            yield day
            day = (day + timedelta(days=32)).replace(day=1)

    @property
    def whole_from(self) -> date:
        """First day that is told whole."""
        return months_before(self.last, WHOLE_MONTHS)

    def share(self, number: int, day: date) -> int:
        """How many of ``number`` are told of that day."""
        return number if day >= self.whole_from else round(number * THINNED)

    def of(self, department: str, position: str | None = None) -> list[str]:
        """Ids of the people of a department, or of one post in it."""
        return [
            one.id
            for one in self.people
            if one.department == department and (position is None or one.position == position)
        ]

    def pick(self, what: str) -> random.Random:
        """A generator of its own for each subject, so that more of one changes no other."""
        return random.Random(f"{self.seed} {what}")  # noqa: S311  (a made-up company)


def at(day: date, hour: float) -> datetime:
    """An instant of that local day."""
    return datetime.combine(day, time(), ZONE) + timedelta(seconds=int(hour * 3600))


def z(moment: datetime) -> str:
    """ISO 8601 in UTC, as rows that are pushed have it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def months_before(day: date, number: int) -> date:
    """First day of the month so many months before that of ``day``."""
    month = day.year * 12 + day.month - 1 - number
    return date(month // 12, month % 12 + 1, 1)


def month_end(first: date) -> date:
    """Last day of the month that begins on ``first``."""
    return (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def busy(day: date) -> float:
    """How much more there is to do than on a plain day: weekends less, 618 and 11.11 more."""
    week = (1.0, 1.0, 1.0, 1.05, 1.15, 0.85, 0.8)[day.weekday()]
    season = 1.6 if (day.month, day.day) in ((6, 17), (6, 18), (11, 10), (11, 11), (11, 12)) else 1.0
    return week * season
