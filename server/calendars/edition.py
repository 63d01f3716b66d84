"""An edition of a calendar: the days of one year that are not as the week says."""

import datetime as dt
from dataclasses import dataclass

from server.attendance.calendar import Calendar, DayType


@dataclass(frozen=True, slots=True)
class Day:
    """A date, what kind of day it is, and the holiday's name, which adjusted workdays carry too."""

    date: dt.date
    type: DayType
    name_zh: str = ""
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class Edition:
    """What is published, or proposed, for a calendar's year; all other dates are as the week says."""

    calendar: str
    year: int
    days: tuple[Day, ...]
    source: str
    """Where it is from, such as the notice of the State Council."""
    local_rule: str | None = None
    """Names what grants more legal days than the 13 of the country."""

    def as_calendar(self) -> Calendar:
        """This year for the engine; a date that is listed twice counts as it is listed last."""
        return Calendar({day.date: day.type for day in self.days})
