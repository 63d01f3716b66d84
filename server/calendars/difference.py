"""What an edition changes against the one in force."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal, TypeAlias

from server.attendance.calendar import Calendar, DayType, changed_dates
from server.calendars.edition import Day, Edition

Change: TypeAlias = Literal["type", "name"]


@dataclass(frozen=True, slots=True)
class DayChange:
    """A date that becomes another kind of day, or only gets another name."""

    date: dt.date
    change: Change
    type_from: DayType
    type_to: DayType
    name_from_zh: str
    name_from_en: str
    name_to_zh: str
    name_to_en: str


@dataclass(frozen=True, slots=True)
class YearCounts:
    """How many days of each kind a year has."""

    legal: int
    workdays: int
    restdays: int
    moved_work: int
    """Workdays on weekends."""
    moved_rest: int
    """Rest days on weekdays."""


def differences(before: Edition | None, after: Edition) -> list[DayChange]:
    """Dates that differ, in order; without an edition before, from Monday to Friday."""
    old, new = _by_date(before), _by_date(after)
    was, will = _calendar(before), _calendar(after)
    found = []
    for date in sorted({*old, *new}):
        left, right = old.get(date) or Day(date, was.type_of(date)), new.get(date) or Day(date, will.type_of(date))
        kinds = was.type_of(date), will.type_of(date)
        names = left.name_zh, left.name_en, right.name_zh, right.name_en
        if kinds[0] != kinds[1]:
            found.append(DayChange(date, "type", *kinds, *names))
        elif names[:2] != names[2:]:
            found.append(DayChange(date, "name", *kinds, *names))
    return found


def changed_types(before: Edition | None, after: Edition) -> tuple[dt.date, ...]:
    """Dates that become another kind of day: only those touch results."""
    return changed_dates(_calendar(before), _calendar(after))


def counts(edition: Edition) -> YearCounts:
    """Days of each kind in the edition's year."""
    calendar, week = edition.as_calendar(), Calendar()
    first = dt.date(edition.year, 1, 1)
    dates = [first + dt.timedelta(days=number) for number in range((dt.date(edition.year, 12, 31) - first).days + 1)]
    kinds = [(calendar.type_of(date), week.type_of(date)) for date in dates]
    return YearCounts(
        legal=sum(kind == "statutory" for kind, _ in kinds),
        workdays=sum(kind == "workday" for kind, _ in kinds),
        restdays=sum(kind == "restday" for kind, _ in kinds),
        moved_work=kinds.count(("workday", "restday")),
        moved_rest=kinds.count(("restday", "workday")),
    )


def _by_date(edition: Edition | None) -> dict[dt.date, Day]:
    return {day.date: day for day in edition.days} if edition is not None else {}


def _calendar(edition: Edition | None) -> Calendar:
    return edition.as_calendar() if edition is not None else Calendar()
