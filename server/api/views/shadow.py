"""A month beside that of another system."""

import datetime as dt

from server.api.views.base import NameView, View
from server.reports.shadow import Fate, Field, Reason, Verdict


class ShadowMonthView(View):
    """A month that the other system has days of."""

    month: str
    people: int
    days: int


class ShadowMonthsView(View):
    """Months to compare, newest first, and what words may stand for."""

    months: list[ShadowMonthView]
    statuses: list[str]


class ShadowReasonView(View):
    """How many days differ for a reason under a rule."""

    reason: Reason
    rule: str | None
    days: int


class ShadowDepartmentView(View):
    """How many days of a department agree."""

    department: str
    days: int
    same: int


class ShadowDifferenceView(View):
    """A figure or word that differs, as text; minutes are whole."""

    field: Field
    theirs: str
    ours: str


class ShadowSideView(View):
    """What one system says; times in minutes after midnight of the date, beyond 1440 on the next day."""

    status: str | None
    said: str
    first_min: int | None
    last_min: int | None
    shift: str


class ShadowRowView(View):
    """An employee-day that differs."""

    employee: str
    name: str
    department: str
    date: dt.date
    verdict: Verdict
    reason: Reason | None
    rule: str | None
    theirs: ShadowSideView | None
    ours: ShadowSideView | None
    differences: list[ShadowDifferenceView]


class ShadowView(View):
    """A month compared: figures over everything that was asked for, and a page of days."""

    month: str
    people: int
    days: int
    same: int
    reasons: list[ShadowReasonView]
    by_department: list[ShadowDepartmentView]
    total: int
    """Rows with the chosen reason and text."""
    rows: list[ShadowRowView]
    departments: list[NameView]


class ShadowPunchView(View):
    """A punch of ours near the date, and what became of it."""

    minute: int
    fate: Fate
    rule: str


class ShadowDayView(View):
    """Both sides of a day, with our punches and rules."""

    row: ShadowRowView
    minutes: dict[str, int]
    """What the other system tells."""
    punches: list[ShadowPunchView]
    flags: list[str]
    rules: list[str]
    our_minutes: dict[str, int]
    """Those that are not 0."""
