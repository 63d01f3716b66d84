"""A day of many, a day of one."""

import datetime as dt
from typing import Literal

from server.api.views.base import NameView, View

Status = Literal[
    "normal", "late", "early", "late_early", "missing_in", "missing_out", "absent", "leave", "untimed",
    "off", "rest_ot", "holiday_ot", "not_yet",
]  # fmt: skip  # fmt: skip


class PunchView(View):
    """One punch as the engine saw it."""

    id: int
    at_ms: int
    """Zone applied, as the terminal said."""
    true_ms: int | None
    """After clock correction (AR-3); None while held."""
    received_ms: int
    terminal: str
    terminal_name: str
    site: str | None
    direction: str
    method: str
    employee: str | None
    employee_name: str | None
    user_code: str
    fate: Literal["used", "merged", "ignored", "held", "open"]
    """``open``: not computed yet."""
    held: str | None
    """Rule that holds it: AR-3 or AR-4."""
    sources: int
    """Reports of this punch, repeats included."""


class DayRecordView(View):
    """One record of the attendance engine; minutes satisfy AR-21."""

    date: dt.date
    shift: NameView | None
    shift_start: str | None
    """HH:MM local."""
    shift_end: str | None
    status: Status
    required_min: int
    worked_min: int
    late_min: int
    early_min: int
    gap_min: int
    absent_min: int
    pending_min: int
    exempt_min: int
    leave_min: int
    first_ms: int | None
    last_ms: int | None
    flags: list[str]
    rules: list[str]
    """Ids of the rules applied, such as AR-5."""
    rule_version: str
    computed_ms: int


class TodayRowView(View):
    """One person on one day."""

    employee: str
    name: str
    department: str
    site: str
    status: Status
    first_ms: int | None
    last_ms: int | None
    late_min: int
    early_min: int
    worked_min: int
    flags: list[str]


class TodayView(View):
    """A day at a glance, within the viewer's scope."""

    date: dt.date
    zone: str
    newest_date: dt.date
    """Newest day with results."""
    scheduled: int
    counts: dict[str, int]
    """By status."""
    departments: list[NameView]
    sites: list[NameView]
    rows: list[TodayRowView]
    """All people in scope that are scheduled or punched, by department and name."""
    punches: list[PunchView]
    """Newest first, at most 50."""
    version: int
    """Compare with the ``version`` of live frames."""


class MyDayView(View):
    """One person's day with its explanation."""

    employee: str
    name: str
    date: dt.date
    zone: str
    records: list[DayRecordView]
    punches: list[PunchView]
    previous_date: dt.date | None
    next_date: dt.date | None
    version: int
