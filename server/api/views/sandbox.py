"""Worked cases, tried without storing anything."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from server.api.views.attendance import Status
from server.api.views.base import View


class SandboxBody(View):
    """Cases in the form of section 5 of the rules."""

    text: Annotated[str, Field(max_length=60_000)]
    """JSON: ``{"cases": [...]}``, a list of cases, or one case."""


class SandboxPunchView(View):
    """A punch of the case; ``n`` is its position in it."""

    n: int
    at: str
    """Local time with offset, after clock correction."""
    direction: str
    held: str | None
    correction: bool
    pending: bool
    """Waits for a decision, so it has no effect yet."""


class SandboxSpanView(View):
    """A span of the case in local time."""

    kind: Literal["shift", "leave", "trip", "overtime"]
    start: str
    end: str


class SandboxDayView(View):
    """A record."""

    date: dt.date
    status: Status
    minutes: dict[str, int]
    """Those that are not 0, by name: required, worked, ot_15 ..."""
    flags: list[str]
    first: str | None
    last: str | None
    used: list[int]
    merged: list[int]
    held: list[int]
    ignored: list[int]
    rules: list[str]


class SandboxAdjustmentView(View):
    """What a closed month would say now."""

    date: dt.date
    posted_to: str
    status_from: Status | None
    status_to: Status | None
    delta: dict[str, int]


class SandboxDifferenceView(View):
    """A field that is not as ``expect`` says; both as JSON."""

    where: str
    expected: str
    found: str


class SandboxCaseView(View):
    """What a case comes to."""

    id: str
    zone: str
    spans: list[SandboxSpanView]
    punches: list[SandboxPunchView]
    days: list[SandboxDayView]
    adjustments: list[SandboxAdjustmentView]
    quarantined: int
    period: dict[str, int] | None
    """Sums of the period asked for, in minutes."""
    period_flags: list[str]
    differences: list[SandboxDifferenceView] | None
    """None without ``expect``."""


class SandboxView(View):
    """Answers in the order of the cases."""

    cases: list[SandboxCaseView]
