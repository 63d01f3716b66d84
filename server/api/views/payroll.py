"""Figures for payroll programs; ``/api/v1`` only ever gains fields."""

import datetime as dt

from pydantic import Field

from server.api.views.base import NameView, View


class PayrollAdjustmentView(View):
    """How a record of a closed month would differ now; pay the difference with this month."""

    date: dt.date
    part: int
    status_from: str | None
    status_to: str | None
    delta: dict[str, int]
    """Difference of every changed number in minutes, such as ``{"worked": 480, "pending": -480}``."""


class PayrollRowView(View):
    """One person's month; ``*_min`` are minutes, days decimal text with two places."""

    employee: str
    name: str
    department: str
    position: str
    position_name: NameView
    site: str
    scheduled_days: int
    required_days: str
    worked_days: str
    absent_days: str
    leave_days: str
    trip_days: str
    required_min: int
    worked_min: int
    holiday_work_min: int
    late_times: int
    late_min: int
    early_times: int
    early_min: int
    missing_punches: int
    gap_min: int
    absent_min: int
    pending_min: int
    exempt_min: int
    leave_min: int
    leaves: dict[str, int]
    """Minutes by leave type."""
    trip_min: int
    ot_15_min: int
    ot_20_min: int
    ot_30_min: int
    comp_earned_min: int
    comp_used_min: int
    comp_left_min: int
    corrections: int
    decisions: int
    flags: list[str]
    confirmation: str | None
    adjustments: list[PayrollAdjustmentView]


class PayrollMonthView(View):
    """Some people of a month, by id."""

    month: str
    closed: bool
    closed_ms: int | None
    version: int
    """Equal on all pages of one state: begin again when it changes between two."""
    total: int
    rows: list[PayrollRowView]


class ClientView(View):
    """A program that fetches figures."""

    id: int
    name: str
    permissions: list[str]
    created_ms: int
    expires_ms: int
    revoked_ms: int | None
    seen_ms: int | None


class ClientsView(View):
    """All of them by name."""

    rows: list[ClientView]


class NewClientBody(View):
    """A program to be let in."""

    name: str = Field(min_length=1, max_length=100)
    permissions: list[str] = Field(max_length=10)
    days: int


class TokenView(View):
    """The token of a new client: it is not kept and can not be shown again."""

    token: str
