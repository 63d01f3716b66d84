"""Shift library, patterns, attendance groups, policies."""

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field

from server.api.views.base import Id, View

Name = Annotated[str, Field(min_length=1, max_length=200)]
NewId = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]([^\x00-\x1f/]{0,62}[^\s\x00-\x1f/])?$")]
"""An id in an address: no slash, no space at its ends."""
Wall = Annotated[str, Field(min_length=1, max_length=5)]
"""HH:MM; what is no time is answered by a problem, not by a shape."""


Pair = Annotated[list[Wall], Field(min_length=2, max_length=2)]
"""Start and end of a break."""


class FlexView(View):
    """A flexible shift: it starts when the person comes, between two times, and lasts ``span_min`` minutes (AR-18)."""

    earliest: Wall
    latest: Wall
    span_min: int


class ShiftBody(View):
    """A shift; an end at or before the start is on the next day. A flexible one takes both from ``flex``."""

    id: NewId
    name_zh: Name
    name_en: Name
    start: Wall = "00:00"
    end: Wall = "00:00"
    breaks: Annotated[list[Pair], Field(max_length=12, default_factory=list)]
    flex: FlexView | None = None
    code: Annotated[str, Field(max_length=20)] | None = None
    """One to four characters for narrow boards; none: the id."""


class ShiftView(View):
    """A shift of the library."""

    id: str
    name_zh: str
    name_en: str
    start: str
    end: str
    breaks: list[list[str]]
    flex: FlexView | None
    code: str
    """What stands on boards."""
    retired: bool
    net_min: int
    """Scheduled minutes without breaks."""
    colour: int
    """Place in the row of colours, the same on boards and in workbooks."""


class ShiftUsageView(ShiftView):
    """A shift and how often it is planned."""

    days: int
    first_on: dt.date | None
    last_on: dt.date | None


class ShiftsView(View):
    """The library, in order of start."""

    shifts: list[ShiftUsageView]
    version: int


class ProblemView(View):
    """What is wrong with which field."""

    field: str
    code: str
    params: dict[str, str | int]


class ShiftCheckView(View):
    """What saving a shift would touch."""

    problems: list[ProblemView]
    people: int
    days: int
    """Employee-days on which it is planned; 0 when nobody's minutes change."""
    closed: list[str]
    """Closed months in which it is planned: its times can not change then."""
    overlaps: int
    """Employee-days on which it would overlap with other shifts."""
    copy_id: str
    """A free id for a copy."""


class RetireBody(View):
    """Take a shift out of what can be planned, or back in."""

    retired: bool


class PatternBody(View):
    """A pattern: seven days from Monday, or the days of a cycle."""

    id: NewId
    name_zh: Name
    name_en: Name
    kind: Literal["weekly", "cycle"]
    days: Annotated[list[Annotated[list[Id], Field(max_length=6)]], Field(max_length=366)]
    """Shift ids of each day; none: a day off."""
    by_calendar: bool = False
    """Rest and statutory days are free, adjusted workdays are planned like a Monday."""


class PatternView(PatternBody):
    """A pattern and who plans by it."""

    groups: list[str]


class PatternsView(View):
    """All patterns."""

    patterns: list[PatternView]


class LayOutBody(View):
    """Show a pattern on the calendar."""

    pattern: PatternBody
    anchor_on: dt.date
    first: dt.date
    last: dt.date
    site: Id | None = None


class LaidOutDay(View):
    """Shifts of a date."""

    date: dt.date
    shifts: list[str]


class LaidOutView(View):
    """A pattern on the calendar."""

    days: list[LaidOutDay]


class GroupBody(View):
    """An attendance group; ``anchor_on`` is the first day of a cycle."""

    id: NewId
    name_zh: Name
    name_en: Name
    pattern: Id | None = None
    anchor_on: dt.date | None = None


class AttendanceGroupView(GroupBody):
    """A group, how many in scope are in it today, and how far it is planned."""

    people: int
    planned_until: dt.date | None


class GroupsView(View):
    """All groups."""

    groups: list[AttendanceGroupView]
    version: int


class MemberView(View):
    """Somebody's time in a group; ``to_on`` is inclusive."""

    employee: str
    name: str
    department: str
    from_on: dt.date
    to_on: dt.date | None


class MembersView(View):
    """Everybody in scope who is, was or will be in a group."""

    members: list[MemberView]


class JoinBody(View):
    """Take people into a group, out of the one they were in."""

    people: Annotated[list[Id], Field(min_length=1, max_length=2_000)]
    from_on: dt.date
    to_on: dt.date | None = None


class LeaveGroupBody(View):
    """Let people be in a group until a date, that day included."""

    people: Annotated[list[Id], Field(min_length=1, max_length=2_000)]
    last: dt.date


class TouchedView(View):
    """How many employee-days are computed again."""

    days: int


class PolicyBody(View):
    """Settings of a group, or of the company when it is empty, from a date on."""

    group: Annotated[str, Field(max_length=200)] = ""
    from_on: dt.date
    settings: dict[str, Any]
    """Only those that differ from what is above: the company's policy, and above that the defaults."""


class WithdrawBody(View):
    """Take a version back."""

    group: Annotated[str, Field(max_length=200)] = ""
    from_on: dt.date


class PolicyVersionView(View):
    """A published version."""

    group: str
    from_on: dt.date
    settings: dict[str, Any]
    actor: str
    published_ms: int


class PoliciesView(View):
    """Every version, by group and date, and what holds where nothing is set."""

    versions: list[PolicyVersionView]
    defaults: dict[str, Any]


class SettingChangeView(View):
    """A setting before and after; none is what is above."""

    name: str
    before: Any
    after: Any


class PolicyPreviewView(View):
    """What publishing would change."""

    changes: list[SettingChangeView]
    people: int
    days: int
    until: dt.date | None
    """The next version begins then."""
    closed: list[str]
    """Closed months it would reach into: it has to begin later."""
