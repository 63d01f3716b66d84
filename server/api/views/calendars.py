"""Calendars, editions, and what publishing would do."""

import datetime as dt
from typing import Annotated

from pydantic import Field

from server.api.views.base import Id, NameView, View
from server.attendance.calendar import DayType
from server.calendars.difference import Change

Text = Annotated[str, Field(max_length=200)]
CalendarId = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Za-z0-9]{1,20})?$")]
Year = Annotated[int, Field(ge=2008, le=2099)]


class CalendarView(View):
    """A calendar and the years it has editions of."""

    id: str
    country: str
    """ISO 3166 alpha-2."""
    name_zh: str
    name_en: str
    company: bool
    """Whether sites that name none go by it."""
    years: list[int]
    sites: int
    """How many sites go by it."""


class SiteCalendarView(NameView):
    """A site and the calendar it names; none: the company's."""

    calendar: str | None


class MissingYearView(View):
    """A year that nobody published an edition of, though sites go by the calendar."""

    calendar: str
    year: int


class CalendarsView(View):
    """All calendars, sites, and what is missing."""

    calendars: list[CalendarView]
    sites: list[SiteCalendarView]
    missing: list[MissingYearView]
    countries: list[str]
    """Countries, and regions such as DE-BW, that days are built in for."""
    version: int


class CalendarDayView(View):
    """A date that is not as the week says."""

    date: dt.date
    type: DayType
    name_zh: Text = ""
    name_en: Text = ""


class CalendarChangeView(View):
    """A date that becomes another kind of day, or gets another name."""

    date: dt.date
    change: Change
    type_from: DayType
    type_to: DayType
    name_from_zh: str
    name_from_en: str
    name_to_zh: str
    name_to_en: str


class YearCountsView(View):
    """Days of each kind in a year; moved ones are workdays on weekends and rest days on weekdays."""

    legal: int
    workdays: int
    restdays: int
    moved_work: int
    moved_rest: int


class CalendarEditionView(View):
    """A published edition and what it changed against the one before."""

    edition: int
    source: str
    local_rule: str | None
    actor: str
    published_ms: int
    days: list[CalendarDayView]
    counts: YearCountsView
    changes: list[CalendarChangeView]


class CalendarProposalView(View):
    """What is built in for the year; not in force before somebody publishes it."""

    days: list[CalendarDayView]
    source: str
    complete: bool
    """Without the yearly notice the adjusted workdays are not known."""


class CalendarYearView(View):
    """A year of a calendar: its editions, the one in force first, and what is built in."""

    calendar: CalendarView
    year: int
    editions: list[CalendarEditionView]
    proposal: CalendarProposalView | None
    legal_days: int | None
    """How many the law of the country gives; none where nobody counts."""
    version: int


class CalendarEditionBody(View):
    """An edition to be looked at or published."""

    days: Annotated[list[CalendarDayView], Field(max_length=400)]
    source: Text
    local_rule: Text | None = None
    based_on: int | None = None
    """Number of the edition in force that the author looked at."""


class CalendarProblemView(View):
    """One finding: a code, its date and parameters."""

    code: str
    date: dt.date | None
    parameters: dict[str, str | int]


class CalendarEffectView(View):
    """What publishing would do; it is refused while there are problems or closed months."""

    problems: list[CalendarProblemView]
    warnings: list[CalendarProblemView]
    replaces: int | None
    counts: YearCountsView
    changes: list[CalendarChangeView]
    people: int
    days: int
    """Employee-days that would be computed again."""
    closed: list[str]


class CalendarPublishedView(View):
    """Under which number it is in force, and what is computed again."""

    edition: int
    people: int
    days: int


class CalendarFileProblemView(View):
    """A row of a file that nothing could be made of."""

    row: int
    field: str
    code: str
    parameters: dict[str, str | int]


class CalendarFileView(View):
    """What a file says, as a draft."""

    days: list[CalendarDayView]
    problems: list[CalendarFileProblemView]


class NewCalendarBody(View):
    """A calendar to be added."""

    id: CalendarId
    name_zh: Annotated[str, Field(min_length=1, max_length=100)]
    name_en: Annotated[str, Field(min_length=1, max_length=100)]


class CompanyCalendarBody(View):
    """The calendar of every site that names none."""

    calendar: Id


class SiteCalendarBody(View):
    """The calendar a site goes by; none: the company's."""

    site: Id
    calendar: Id | None


class CalendarTouchedView(View):
    """How many employee-days are computed again."""

    days: int
