"""What needs a person, and what persons do about it."""

import datetime as dt
from typing import Literal

from pydantic import Field

from server.api.views.attendance import Status
from server.api.views.base import Id, NameView, View
from server.api.views.closing import DecisionView, Note

ExceptionKind = Literal[
    "missing_in", "missing_out", "absent", "held", "late", "early",
    "mid_gap", "punch_during_leave", "ot_unapproved", "ot_limit_day", "outside_window", "orphan_punch",
]  # fmt: skip
SuggestedAction = Literal[
    "ask", "decide", "correct", "release", "request_overtime", "check_leave", "check_roster", "look"
]


class HeldPunchView(View):
    """A punch that AR-3 or AR-4 holds."""

    id: int
    terminal: str
    at_ms: int
    """As the terminal said."""
    received_ms: int
    drift_ms: int | None
    held: str
    """The rule that holds it."""
    suggested_ms: int | None
    """When it probably happened; None when nobody can tell."""


class AskedView(View):
    """What the employee was asked about the day."""

    note: str
    asked_by: str
    asked_ms: int


class ExceptionView(View):
    """A record or a held punch that needs somebody."""

    kinds: list[ExceptionKind]
    """What matters most first."""
    employee: str
    name: str
    department: str
    site: str
    zone: str
    date: dt.date
    part: int | None
    """None for a held punch."""
    shift: NameView | None
    status: Status | None
    first_ms: int | None
    last_ms: int | None
    pending_min: int
    late_min: int
    early_min: int
    gap_min: int
    absent_min: int
    flags: list[str]
    suggested: SuggestedAction
    decision: DecisionView | None
    asked: AskedView | None
    requested: bool
    """A request that touches the day waits for its approver."""
    closed: bool
    """The month is closed: nothing can be decided any more."""
    punch: HeldPunchView | None


class ExceptionsView(View):
    """A page of what needs somebody, newest date first."""

    first: dt.date
    last: dt.date
    counts: dict[str, int]
    """By kind, of the whole span."""
    total: int
    rows: list[ExceptionView]
    departments: list[NameView]
    sites: list[NameView]
    version: int


class HeldBody(View):
    """One held punch, and when it really was."""

    punch: int
    at_ms: int | None = None
    """None: the suggested time."""


class HeldDecisionBody(View):
    """What to do with held punches."""

    outcome: Literal["release", "dismiss"]
    punches: list[HeldBody] = Field(min_length=1, max_length=500)
    note: Note


class DayBody(View):
    """One day of one employee."""

    employee: Id
    date: dt.date


class QuestionBody(View):
    """Days to ask employees about."""

    days: list[DayBody] = Field(min_length=1, max_length=500)
    note: Note


class OwnQuestionView(View):
    """What one was asked about a day."""

    date: dt.date
    note: str
    asked_by: str
    asked_ms: int


class OwnQuestionsView(View):
    """What one was asked lately, newest first."""

    rows: list[OwnQuestionView]
