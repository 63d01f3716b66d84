"""Targets of everybody, of departments and of people, each from a day on."""

import datetime as dt
from typing import Annotated

from pydantic import Field

from server.api.views.base import Id, NameView, View
from server.scoring.target import Kind


class ScoreTargetKeyBody(View):
    """Which target."""

    indicator: Id
    unit: Annotated[str, Field(max_length=200)]
    """Id of a department or an employee; empty for everybody."""
    starts: dt.date


class ScoreTargetBody(ScoreTargetKeyBody):
    """A target to be set."""

    kind: Kind
    target: Annotated[str, Field(max_length=40)]
    """A decimal above 0 in the indicator's unit."""


class ScoreTargetIndicatorView(NameView):
    """An indicator that can have targets."""

    unit: str
    target: str | None
    """What its definition has for who has no target."""
    needed: bool
    """Whether who has none gets no score."""
    by_target: bool
    """Whether points follow the target; else it is for progress and rewards alone."""


class ScoreTargetView(View):
    """A target in the list."""

    indicator: NameView
    kind: Kind
    unit: NameView
    """Whose it is; everybody has neither id nor names."""
    starts: dt.date
    target: str
    measure: str
    """Unit of the indicator."""
    set_by: str
    set_ms: int
    holds: bool
    """Whether it is the one of today."""


class ScoreTargetsView(View):
    """A page of targets, and what they can be set for."""

    today: dt.date
    may_write: bool
    total: int
    rows: list[ScoreTargetView]
    indicators: list[ScoreTargetIndicatorView]
    departments: list[NameView]
    """In scope."""


class ScoreTargetsSetView(View):
    """What came of it."""

    targets: int
    scorecards: int
    """Those that are computed again."""


class ScoreTargetFaultView(View):
    """What keeps a line out."""

    field: str
    code: str
    reason: str


class ScoreTargetLineView(View):
    """A line of a file as it was written, and what it would set."""

    line: int
    """From 1, the heads included."""
    indicator: NameView | None
    unit: NameView | None
    """None where there is no such unit; everybody has neither id nor names."""
    told: dict[str, str]
    """By head, as it stands in the file."""
    starts: dt.date | None
    measure: str
    before: str | None
    """Target of the same unit that holds on that day so far."""
    faults: list[ScoreTargetFaultView]


class ScoreTargetFileView(View):
    """A file of targets that was looked at."""

    rows: list[ScoreTargetLineView]
    faults: int
    """Lines with any; then nothing of the file can be set."""
    scorecards: int
    """Those that would be computed again."""
