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
    holiday_work_min: int
    ot_15_min: int
    ot_20_min: int
    ot_30_min: int
    """Holiday work included (AR-28)."""
    comp_min: int
    """Class 2.0, banked as compensatory leave."""
    extra_min: int
    """Beyond the shift under comprehensive hours (AR-31)."""
    trip_min: int
    leaves: dict[str, int]
    """Minutes of leave by leave type."""
    day_type: Literal["workday", "restday", "statutory"]
    system: Literal["standard", "comprehensive", "untimed"]
    first_ms: int | None
    last_ms: int | None
    flags: list[str]
    rules: list[str]
    """Ids of the rules applied, such as AR-5."""
    corrections: list[int]
    """Ids of the requests whose correction punches the record uses."""
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


class DayRequestView(View):
    """Something that was asked for and touches the day."""

    id: int
    kind: str
    """leave, correction, overtime, trip, field, swap, leave_end"""
    leave_type: NameView | None
    from_ms: int
    to_ms: int
    """Of a correction the same instant."""
    direction: str | None
    """Of a correction: in or out."""
    to_comp: bool
    reason: str
    state: str
    """pending, approved, refused, withdrawn, cancelled"""
    created_ms: int
    decided_ms: int | None


class DayDecisionView(View):
    """What pay makes of the pending minutes of a record (AR-35)."""

    part: int
    worked_min: int
    absent_min: int
    how: str
    """default or manual"""
    note: str
    actor: str
    at_ms: int
    stands: bool
    """False since the record became another."""


class DayVersionView(View):
    """What a record said until it was replaced."""

    part: int
    status: Status
    minutes: dict[str, int]
    """Those that were not 0, by name: worked, late, ot_15 ..."""
    computed_ms: int
    replaced_ms: int


class DayAdjustmentView(View):
    """How a record of a closed month would differ by now (AR-34)."""

    part: int
    posted_to: str
    status_from: Status | None
    status_to: Status | None
    delta: dict[str, int]
    """By name: worked, late, ot_15 ..."""
    computed_ms: int


class MyDayView(View):
    """One person's day with its explanation."""

    employee: str
    name: str
    date: dt.date
    zone: str
    records: list[DayRecordView]
    punches: list[PunchView]
    requests: list[DayRequestView]
    """Newest first; withdrawn ones are left out."""
    decisions: list[DayDecisionView]
    versions: list[DayVersionView]
    """Newest first."""
    adjustments: list[DayAdjustmentView]
    closed: bool
    """Whether the month is closed: facts for it can not be changed."""
    previous_date: dt.date | None
    next_date: dt.date | None
    version: int
