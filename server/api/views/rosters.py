"""Boards of who works when, and sets of changes to them."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from server.api.views.base import Id, NameView, View
from server.api.views.shifts import ShiftView


class CellView(View):
    """An employee-day: shift ids, and how the plan came about."""

    shifts: list[str]
    origin: Literal["manual", "pattern", "import", "swap"] | None


class BoardPersonView(View):
    """A row of the board; ``cells`` are in order of date."""

    id: str
    name: str
    department: str
    site: str
    joined_on: dt.date
    left_on: dt.date | None
    cells: list[CellView]


class BoardDayView(View):
    """A column of the board."""

    date: dt.date
    types: dict[str, Literal["workday", "restday", "statutory"]]
    """Day type by site."""
    closed: bool
    """In a closed month."""
    coverage: dict[str, int]
    """How many in scope are planned, by shift."""


class BoardView(View):
    """Who works when, as far as the viewer may see."""

    first: dt.date
    last: dt.date
    today: dt.date
    total: int
    """People, of whom this is a page."""
    days: list[BoardDayView]
    people: list[BoardPersonView]
    shifts: list[ShiftView]
    departments: list[NameView]
    sites: list[NameView]
    groups: list[NameView]
    version: int


class WhoBody(View):
    """People by id, or all in scope of a department (with those below), site or group; nothing named: all in scope."""

    people: Annotated[list[Id], Field(max_length=2_000)] | None = None
    department: Id | None = None
    site: Id | None = None
    group: Id | None = None


class SetBody(View):
    """Plan these shifts for each of these people on each of these dates; none: a day off."""

    kind: Literal["set"]
    people: Annotated[list[Id], Field(min_length=1, max_length=2_000)]
    dates: Annotated[list[dt.date], Field(min_length=1, max_length=400)]
    shifts: Annotated[list[Id], Field(max_length=6)]


class CopyBody(View):
    """Plan the days ``first`` to ``last`` again in each of the next ``weeks`` spans of that length."""

    kind: Literal["copy"]
    who: WhoBody
    first: dt.date
    last: dt.date
    weeks: Annotated[int, Field(ge=1, le=26)] = 1
    over: bool = True
    """Also where something is planned."""


class FillBody(View):
    """Lay out the pattern of each person's attendance group."""

    kind: Literal["fill"]
    who: WhoBody
    first: dt.date
    last: dt.date
    over: bool = False
    """Also days that people have planned, imported or swapped."""


class SwapShiftsBody(View):
    """Two people work each other's shifts, each on the other's date where there are two."""

    kind: Literal["swap"]
    a: Id
    b: Id
    a_on: dt.date
    b_on: dt.date


EditBody = Annotated[SetBody | CopyBody | FillBody | SwapShiftsBody, Field(discriminator="kind")]


class CheckBody(View):
    """Changes, one after the other."""

    edits: Annotated[list[EditBody], Field(min_length=1, max_length=2_000)]


class SaveBody(CheckBody):
    """The same, to be stored."""

    accept_warnings: bool = False


class DifferenceView(View):
    """An employee-day before and after."""

    employee: str
    name: str
    date: dt.date
    before: list[str]
    after: list[str]


class FindingView(View):
    """What speaks against the plan of an employee-day."""

    employee: str
    name: str
    date: dt.date
    code: str
    level: Literal["conflict", "warning", "advice"]
    params: dict[str, str | int]


class RosterCheckView(View):
    """What a change set does and what speaks against it; of long lists the first rows."""

    days: int
    people: int
    level: Literal["conflict", "warning", "advice"] | None
    """The heaviest of the findings."""
    counts: dict[str, int]
    """Findings by code, all of them."""
    differences: list[DifferenceView]
    findings: list[FindingView]
