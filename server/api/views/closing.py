"""Months: what keeps them open, what was decided, who confirmed, what came late."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from server.api.views.attendance import Status
from server.api.views.base import Id, NameView, View

MonthText = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Note = Annotated[str, Field(max_length=500)]
CheckCode = Literal[
    "month_not_over", "computing", "running", "pending", "requests", "held",
    "previous_open", "unmatched", "terminals", "no_roster", "calendar", "objected", "unconfirmed",
]  # fmt: skip
ConfirmationState = Literal["not_asked", "asked", "confirmed", "objected", "outdated"]


class CheckItemView(View):
    """One line of the checklist."""

    code: CheckCode
    blocking: bool
    """Whether it must be 0; an advisory one can be accepted."""
    count: int
    names: list[str]
    """Of those few that are not on a page of their own: terminals, calendars, months, people; at most 10."""


class ClosingView(View):
    """One closing of a month."""

    closed_ms: int
    closed_by: str
    people: int
    records: int
    accepted: list[str]
    """Advisory items that were not 0 and were accepted."""
    reopen_reason: str | None
    reopen_asked_by: str | None
    reopen_asked_ms: int | None
    reopened_by: str | None
    reopened_ms: int | None


class MonthView(View):
    """A month in the list."""

    month: str
    state: Literal["open", "closed", "reopen_asked"]
    closed_ms: int | None
    closed_by: str | None


class MonthsView(View):
    """Months with records in scope, newest first."""

    months: list[MonthView]
    current: str
    """The month that it is now."""


class ProgressView(View):
    """How many people have confirmed."""

    people: int
    not_asked: int
    asked: int
    confirmed: int
    objected: int
    outdated: int
    """Confirmed numbers that are others by now."""


class MonthDetailView(View):
    """A month and its way to being closed, for the people in scope."""

    month: str
    state: Literal["open", "closed", "reopen_asked"]
    items: list[CheckItemView]
    ready: bool
    """No blocking item is left; for who sees everyone."""
    decided: int
    """Records with pending minutes and a decision that stands."""
    closing: ClosingView | None
    history: list[ClosingView]
    """Closings that were opened again, newest first."""
    confirmations: ProgressView
    adjustments_of: int
    """What is known by now about the records of this month, posted to others."""
    adjustments_posted: int
    """Of earlier months, posted to this one."""
    may_close: bool
    may_reopen: bool
    """Somebody else asked for it."""
    departments: list[NameView]
    version: int


class DecisionView(View):
    """What pay makes of pending minutes."""

    how: Literal["default", "manual"]
    absent_min: int
    worked_min: int
    note: str
    actor: str
    at_ms: int
    stands: bool
    """Whether the record is still the one that was decided upon."""


class PendingView(View):
    """A record with minutes that nobody has explained."""

    employee: str
    name: str
    department: str
    date: dt.date
    part: int
    shift: str | None
    status: Status
    required_min: int
    pending_min: int
    late_min: int
    first_ms: int | None
    last_ms: int | None
    default_absent_min: int
    """What the default decision would make of it."""
    decision: DecisionView | None


class PendingListView(View):
    """A page of pending records by date and name."""

    total: int
    undecided: int
    rows: list[PendingView]


class RecordBody(View):
    """One record."""

    employee: Id
    date: dt.date
    part: int = Field(0, ge=0, le=100)


class SplitBody(RecordBody):
    """One record, and how much of its pending time is absence."""

    absent_min: int | None = Field(ge=0, le=2_880)
    """Minutes; None for all of them."""


class DefaultBody(View):
    """Which records get the default decision: those named, else all of the month that are undecided."""

    month: MonthText | None = None
    department: Id | None = None
    records: list[RecordBody] = Field(default=[], max_length=500)
    note: Note = ""
    expected: int | None = None
    """How many records were shown; another number is refused."""


class ManualBody(View):
    """Decisions record by record, with a reason."""

    records: list[SplitBody] = Field(min_length=1, max_length=500)
    note: Note


class RecordsBody(View):
    """Records named one by one."""

    records: list[RecordBody] = Field(min_length=1, max_length=500)


class OutcomeView(View):
    """What decisions come to."""

    records: int
    people: int
    pending: int
    absent: int
    worked: int
    by_status: dict[str, int]
    replaced: int


class CountView(View):
    """How many it was done to."""

    count: int


class CloseBody(View):
    """Close a month."""

    accepted: tuple[CheckCode, ...] = ()
    """Advisory items that may stay as they are."""


class ReasonBody(View):
    """Why a closed month should be opened again."""

    reason: Note


class ConfirmationView(View):
    """What an employee said of a month."""

    employee: str
    name: str
    department: str
    state: ConfirmationState
    asked_ms: int | None
    answered_ms: int | None
    comment: str
    sums: dict[str, int]
    """As they are now: minutes and counts by name, those that are not 0."""
    answered_sums: dict[str, int]
    """As they were when it was answered."""


class ConfirmationsView(View):
    """A page of confirmations, those that need somebody first."""

    total: int
    progress: ProgressView
    rows: list[ConfirmationView]


class AskBody(View):
    """Whom to ask to confirm: those named, else everybody in scope or of the department."""

    department: Id | None = None
    people: list[Id] = Field(default=[], max_length=2_000)
    again: bool = False
    """A reminder to those who were asked and have not confirmed."""


class OwnConfirmationView(View):
    """One's own month, to be confirmed."""

    month: str
    employee: str
    name: str
    state: ConfirmationState
    closed: bool
    asked_ms: int | None
    answered_ms: int | None
    comment: str
    sums: dict[str, int]
    answered_sums: dict[str, int]


class AnswerBody(View):
    """Confirm one's month, or object to it."""

    answer: Literal["confirmed", "objected"]
    comment: Note = ""
    """Needed for an objection."""
    sums: dict[str, int]
    """The numbers that were on the screen; others by now are refused."""


class LateFactView(View):
    """A punch or request that came after the closing."""

    kind: str
    """punch, or the kind of the request."""
    at_ms: int
    """When it happened; of a request, its beginning."""
    to_ms: int | None
    known_ms: int
    """When it was received or decided."""
    terminal: str | None


class AdjustmentView(View):
    """What a closed record would say now."""

    employee: str
    name: str
    department: str
    date: dt.date
    part: int
    posted_to: str
    status_from: str | None
    status_to: str | None
    delta: dict[str, int]
    """Difference of every changed number of the record, in minutes, by name."""
    pay: dict[str, int]
    """The same against what was paid: pending minutes count as they were decided about."""
    computed_ms: int
    reasons: list[LateFactView]


class AdjustmentsView(View):
    """A page of adjustments by person and date."""

    total: int
    sums: dict[str, int]
    """Of all of them for pay, by name."""
    rows: list[AdjustmentView]
