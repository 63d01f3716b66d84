"""Requests as they are asked for and looked at."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from server.api.views.base import Id, NameView, View
from server.api.views.leave import LeaveTypeView

Kind = Literal["leave", "correction", "overtime", "trip", "field", "swap", "leave_end"]
State = Literal["pending", "approved", "refused", "withdrawn", "cancelled"]
Role = Literal["manager", "hr", "other"]
Then = Literal["escalate", "approve", "refuse"]
Local = Annotated[str, Field(min_length=10, max_length=32)]
"""Local time of the employee's site, ``2026-03-02T09:00``; with an offset where a time occurs twice."""
Text = Annotated[str, Field(max_length=500)]

# --- asking ---------------------------------------------------------------------------------------------------------


class LeaveBody(View):
    """Leave of a type."""

    kind: Literal["leave"]
    leave_type: Id
    start: Local
    end: Local
    reason: Text = ""


class CorrectionBody(View):
    """A punch that is missing (补卡)."""

    kind: Literal["correction"]
    at: Local
    direction: Literal["in", "out"] | None = None
    reason: Text


class OvertimeBody(View):
    """Overtime, before or after it; ``to_comp``: to be taken as time off (调休)."""

    kind: Literal["overtime"]
    start: Local
    end: Local
    to_comp: bool = False
    reason: Text = ""


class AwayBody(View):
    """A trip (出差) or work in the field (外勤)."""

    kind: Literal["trip", "field"]
    start: Local
    end: Local
    place: Annotated[str, Field(max_length=100)] = ""
    reason: Text = ""


class SwapBody(View):
    """To work another employee's shift; on two dates each works on the other's date."""

    kind: Literal["swap"]
    other: Id
    date: dt.date
    other_date: dt.date | None = None
    reason: Text = ""


class LeaveEndBody(View):
    """To end an approved leave, trip or field visit early (销假); without ``end`` it is not taken at all."""

    kind: Literal["leave_end"]
    about: int
    end: Local | None = None
    reason: Text = ""


AskBody = Annotated[
    LeaveBody | CorrectionBody | OvertimeBody | AwayBody | SwapBody | LeaveEndBody, Field(discriminator="kind")
]


class AskForBody(View):
    """A request that HR enters for somebody."""

    employee: Id
    request: AskBody


class ApproverView(View):
    """An account that is asked."""

    login: str
    name: str


class ChainStepView(View):
    """A step of a chain, and who is asked as things stand."""

    role: Role
    hours: int
    then: Then
    approvers: list[ApproverView]


class CoverView(View):
    """What a leave takes from its balance, in minutes."""

    needed_min: int
    before_min: int
    after_min: int


class CheckView(View):
    """What a request would be; nothing is stored."""

    minutes: int
    days: dict[dt.date, int]
    """Minutes by attendance date; of leave_end: given back."""
    cover: CoverView | None
    warnings: list[str]
    """``file_needed``, ``no_shift``, ``comp_not_allowed``, ``comp_only_rest_day``, ``ot_limit_day``,
    ``ot_limit_month``, for HR ``correction_quota`` and ``correction_too_late``, codes of roster checks."""
    chain: list[ChainStepView]


class AskedView(View):
    """The number of a new request."""

    id: int


# --- looking --------------------------------------------------------------------------------------------------------


class RequestView(View):
    """A request in a list."""

    id: int
    kind: Kind
    employee: str
    name: str
    department: str
    zone: str
    leave_type: str | None
    start_ms: int
    end_ms: int
    """The same as ``start_ms`` of a correction."""
    minutes: int
    """Scheduled minutes of an absence; length of overtime; given back by a leave_end."""
    direction: Literal["in", "out"] | None
    to_comp: bool
    about: int | None
    other: str | None
    other_name: str | None
    date: dt.date | None
    """Attendance date of a correction; of a swap the asker's."""
    other_date: dt.date | None
    place: str
    by_hr: bool
    beyond_quota: bool
    file_needed: bool
    reason: str
    state: State
    step: int
    steps: int
    """Length of the chain."""
    waits_for: Role | None
    due_ms: int | None
    created_by: str
    created_ms: int
    decided_ms: int | None
    cancelled_ms: int | None


class RequestsView(View):
    """A page of requests."""

    total: int
    rows: list[RequestView]
    version: int


class StepView(View):
    """Something that was decided or said."""

    step: int
    decision: Literal["approved", "refused", "escalated", "asked_back", "commented", "withdrawn", "cancelled"]
    actor: str
    """Login, or ``system``."""
    for_user: str | None
    """Login of the one whose delegate the actor was."""
    comment: str
    """Of ``system``: ``time_out``, and the code of what forbade to approve."""
    at_ms: int


class FileView(View):
    """A document."""

    id: int
    name: str
    media_type: str
    size: int
    actor: str
    at_ms: int


class RequestDetailView(View):
    """A request with its history."""

    request: RequestView
    days: dict[dt.date, int]
    chain: list[ChainStepView]
    history: list[StepView]
    files: list[FileView]
    may: list[Literal["withdraw", "cancel", "decide", "consent", "escalate", "comment", "add_file", "end"]]
    """What the viewer may do now."""
    version: int


class OptionsView(View):
    """What a request form needs to know."""

    employee: str
    name: str
    zone: str
    today: dt.date
    types: list[LeaveTypeView]
    corrections_used: int
    """Of this month, by the employee."""
    corrections_most: int
    corrections_days: int
    """A correction can be asked for so many days back."""


class ColleagueView(View):
    """Somebody one may swap with, and their shifts of that date."""

    id: str
    name: str
    shifts: list[str]


class ColleaguesView(View):
    """Others of the department, one's own shifts, and the names of all those shifts."""

    own: list[str]
    rows: list[ColleagueView]
    shifts: list[NameView]


class CountsView(View):
    """Badges: what waits for the viewer, and what of theirs waits for others."""

    waiting: int
    own_pending: int
