"""People by days of a month."""

import datetime as dt
from typing import Literal

from pydantic import Field

from server.api.views.attendance import Status
from server.api.views.base import NameView, View

DayType = Literal["workday", "restday", "statutory"]


class GridCellView(View):
    """A day of a person; thousands are in an answer, so names are short and what is as usual is left out."""

    d: int = Field(ge=1, le=31)
    """Day of the month."""
    s: Status
    """Of several shifts the one that needs somebody most."""
    n: int = 1
    """Records of the day."""
    w: int = 0
    """Minutes worked, holidays included."""
    l: int = 0  # noqa: E741
    """Minutes late."""
    e: int = 0
    """Minutes early."""
    a: int = 0
    """Minutes absent."""
    p: int = 0
    """Minutes pending."""
    v: int = 0
    """Minutes of leave."""
    o: int = 0
    """Minutes of overtime of every class, banked ones included."""
    f: list[str] = Field(default=[])
    """Flags."""
    t: Literal["restday", "statutory"] | None = None
    """None: a workday."""
    k: str = ""
    """Id of the shift, of the first of several; empty for none."""
    i: int | None = None
    """First side, an instant in milliseconds."""
    u: int | None = None
    """Last side, an instant in milliseconds."""
    q: bool = False
    """A decision about the pending minutes stands (AR-35)."""
    j: bool = False
    """Something came after the month was closed: there is an adjustment (AR-34)."""


class GridSumsView(View):
    """Sums of a person's month, with decisions as in the month report; minutes unless it says otherwise."""

    scheduled: int
    """Dates with a shift."""
    required: int
    worked: int
    late_times: int
    late: int
    early_times: int
    early: int
    missing: int
    """Missing punches."""
    absent: int
    leave: int
    pending: int
    ot_15: int
    ot_20: int
    ot_30: int
    comp: int
    """Banked as compensatory leave."""


class GridPersonView(View):
    """One row."""

    id: str
    name: str
    department: str
    site: str
    zone: str
    cells: list[GridCellView]
    """By day; days without shift and without record are left out."""
    sums: GridSumsView


class GridShiftView(View):
    """A shift of a cell."""

    id: str
    name_zh: str
    name_en: str
    code: str
    """Short, for narrow boards."""
    start: str
    """HH:MM local."""
    end: str


class GridDateView(View):
    """A column."""

    date: dt.date
    day_type: DayType
    """By the calendar that most people of the page go by; a cell that has another says so itself."""


class GridView(View):
    """A page of people with all days of a month, within the viewer's scope."""

    month: str
    closed_ms: int | None
    """When the month was closed; None while it is open."""
    dates: list[GridDateView]
    total: int
    """People there are; ``rows`` is a page of them."""
    rows: list[GridPersonView]
    departments: list[NameView]
    sites: list[NameView]
    shifts: list[GridShiftView]
    """Those in the cells."""
    version: int
    """Compare with the ``version`` of frames of ``month:<YYYY-MM>``."""
