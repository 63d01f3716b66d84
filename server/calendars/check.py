"""What is wrong with an edition, and what is only odd; every finding is a code with its date and parameters."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from server.attendance.calendar import Calendar
from server.calendars.edition import Day, Edition
from server.calendars.legal import COUNTRY, legal_days, legal_number

FIRST_YEAR, LAST_YEAR = 2008, 2099
"""Years that editions are of: the present regulation begins with the one, the tables of the moon end with the other."""
MOST_DAYS = 200
LONGEST_TEXT = 200

_WEEK = Calendar()


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding; ``code`` and ``parameters`` are worded by the page."""

    code: str
    date: dt.date | None = None
    parameters: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """Problems keep an edition from being published, warnings do not."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def check(edition: Edition, country: str) -> Checked:
    """What is wrong with an edition of a calendar of that country; only China's have a number to hold."""
    problems = [*_shape(edition), *_dates(edition)]
    if country == COUNTRY and FIRST_YEAR <= edition.year <= LAST_YEAR:
        problems += _legal(edition)
    return Checked(tuple(problems), tuple(_odd(edition, country)))


def _shape(edition: Edition) -> Iterator[Problem]:
    if not FIRST_YEAR <= edition.year <= LAST_YEAR:
        yield Problem("year_out_of_range", None, {"first": FIRST_YEAR, "last": LAST_YEAR})
    if not edition.source.strip():
        yield Problem("source_missing")
    if len(edition.days) > MOST_DAYS:
        yield Problem("too_many_days", None, {"days": len(edition.days), "most": MOST_DAYS})
    texts = [edition.source, edition.local_rule or "", *(name for day in edition.days for name in _names(day))]
    if any(len(text) > LONGEST_TEXT for text in texts):
        yield Problem("text_too_long", None, {"most": LONGEST_TEXT})


def _dates(edition: Edition) -> Iterator[Problem]:
    times = Counter(day.date for day in edition.days)
    for date, number in sorted(times.items()):
        if date.year != edition.year:
            yield Problem("other_year", date, {"year": edition.year})
        if number > 1:
            yield Problem("date_repeated", date, {"times": number})


def _legal(edition: Edition) -> Iterator[Problem]:
    """The legal days of the year, each on its date; more only where a local rule is named."""
    legal = {day.date: day for day in legal_days(edition.year)}
    listed = {day.date for day in edition.days if day.type == "statutory" and day.date.year == edition.year}
    expected = legal_number(edition.year)
    # When two holidays fall on one date, the notice says whether and where the lost day is given.
    spare = max(0, expected - len(legal))
    missing, further = sorted(legal.keys() - listed), sorted(listed - legal.keys())
    if len(listed) < len(legal):
        yield Problem("legal_days_too_few", None, {"days": len(listed), "expected": expected})
    for date in missing:
        yield Problem("legal_day_missing", date, {"name_zh": legal[date].name_zh, "name_en": legal[date].name_en})
    if (edition.local_rule or "").strip() or len(further) <= spare:
        return
    if len(listed) > len(legal) + spare:
        yield Problem("legal_days_too_many", None, {"days": len(listed), "expected": expected})
    for date in further:
        yield Problem("not_a_legal_day", date)


def _odd(edition: Edition, country: str) -> Iterator[Problem]:
    rests, works = 0, 0
    for day in sorted(edition.days, key=lambda day: day.date):
        usual = _WEEK.type_of(day.date)
        if day.type == usual:
            yield Problem("as_usual", day.date, {"type": day.type})
        rests += day.type == "restday" and usual == "workday"
        works += day.type == "workday" and usual == "restday"
    if country == COUNTRY and not rests and not works:
        yield Problem("no_adjusted_days")


def _names(day: Day) -> tuple[str, str]:
    return day.name_zh, day.name_en
