"""What the API answers: codes and parameters, never sentences.

Instants are UTC milliseconds (``*_ms``), dates local ``YYYY-MM-DD`` of the site, points exact decimal strings
(``"97.50"``).
"""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.access.roles import Permission, Role

Id = Annotated[str, Field(min_length=1, max_length=200)]
Status = Literal[
    "normal", "late", "early", "late_early", "missing_in", "missing_out", "absent", "leave", "untimed",
    "off", "rest_ot", "holiday_ot", "not_yet",
]  # fmt: skip


class View(BaseModel):
    """Base of all answers: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True, use_attribute_docstrings=True)


class ErrorView(View):
    """Body of every error answer."""

    code: str
    request_id: str
    fields: dict[str, str] = {}


class NameView(View):
    """A bilingual name with its id."""

    id: str
    name_zh: str
    name_en: str


class MeView(View):
    """Who is signed in and what the menu may show."""

    login: str
    name: str
    role: Role
    employee: str | None
    permissions: list[Permission]
    departments: list[NameView]
    """Departments in the viewer's scope."""
    zone: str
    """Zone of the viewer's site, for times on the page."""


class LoginBody(View):
    """Credentials."""

    login: Id
    password: Annotated[str, Field(min_length=1, max_length=128)]


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


class CurvePointView(View):
    """A corner of a curve: value in the indicator's unit, points."""

    value: str
    points: str


class IndicatorScoreView(View):
    """One indicator of one person in one period, with everything that made it."""

    id: str
    name_zh: str
    name_en: str
    unit: str
    better: Literal["up", "down", "zone"]
    weight: str
    """Share in per cent of the set, exact decimal to four places."""
    target: str | None
    value: str | None
    """In the indicator's unit, half up to two decimals."""
    numerator: int | None
    denominator: int | None
    sample: int
    min_sample: int
    points: str | None
    no_score: str | None
    """no_denominator | below_minimum_sample | source_not_synced."""
    curve: list[CurvePointView]
    rule_version: str
    watermark_ms: int | None
    input_hash: str
    """SHA-256 over the inputs, hexadecimal."""
    computed_ms: int


class ScorecardView(View):
    """A person's score in a period."""

    employee: str
    name: str
    department: str
    period: str
    """YYYY-MM."""
    periods: list[str]
    """Periods with scores, newest first."""
    status: Literal["scored", "insufficient_data", "none"]
    total: str | None
    grade: Literal["S", "A", "B", "C", "D"] | None
    coverage_pct: str
    indicators: list[IndicatorScoreView]
    version: int


class SourceRowView(View):
    """One row behind a number: a day record or a parcel."""

    kind: Literal["attendance_day", "shipment"]
    key: str
    """Date, or tracking number."""
    at_ms: int | None
    """Due instant of a parcel."""
    counts: bool
    """In the numerator."""
    status: str
    """Day status, or on_time | late | open | delivered_late."""
    delivered_ms: int | None = None
    refs: list[int] = []
    """Ids of punches or scans behind it."""


class SourceRowsView(View):
    """Source rows of one indicator score."""

    indicator: str
    period: str
    total: int
    rows: list[SourceRowView]


class AlarmView(View):
    """Something that needs a person."""

    id: int
    kind: str
    subject: str
    detail: dict[str, str | int | None]
    raised_ms: int
    last_ms: int
    count: int


class GatewayView(View):
    """A gateway as IT sees it."""

    id: str
    name: str
    site: str | None
    status: Literal["active", "revoked"]
    online: bool
    last_seen_ms: int | None
    backlog: int | None
    oldest_unacked_ms: int | None
    free_bytes: int | None
    quota_used_pct: int | None
    software: str | None
    alarms: list[str]
    attention: bool


class TerminalView(View):
    """A terminal or scanner as IT sees it."""

    serial: str
    name: str
    site: str | None
    profile: str | None
    kind: Literal["terminal", "scanner"]
    gateway: str | None
    state: str
    last_contact_ms: int | None
    last_event_ms: int | None
    drift_ms: int | None
    problem: str | None
    firmware: str | None
    users: int | None
    log_used: int | None
    log_capacity: int | None
    attention: bool


class DevicesView(View):
    """Gateways, terminals and open alarms in scope."""

    sites: list[NameView]
    gateways: list[GatewayView]
    terminals: list[TerminalView]
    alarms: list[AlarmView]
    quarantined: int
    now_ms: int
    version: int


class EmployeeView(View):
    """An employee in the list."""

    id: str
    name: str
    department: str
    site: str
    position: str
    joined_on: dt.date
    left_on: dt.date | None
    user_codes: list[str]
    """Numbers on terminals, as group/number."""


class EmployeesView(View):
    """A page of employees."""

    total: int
    rows: list[EmployeeView]
    departments: list[NameView]
    sites: list[NameView]


class UnmatchedView(View):
    """A terminal user nobody is mapped to; its punches wait."""

    user_group: str
    user_code: str
    terminals: list[str]
    punches: int
    first_ms: int
    last_ms: int


class UnmatchedListView(View):
    """All unmatched terminal users."""

    rows: list[UnmatchedView]
    version: int


class AssignBody(View):
    """Map a terminal user to an employee; past punches follow."""

    user_group: Id
    user_code: Id
    employee: Id


class AssignedView(View):
    """What an assignment touched."""

    punches: int
    days: int


class QuarantineRowView(View):
    """One quarantined message or event."""

    id: int
    gateway: str
    seq: int | None
    code: str
    size: int
    received_ms: int
    state: Literal["open", "released", "dismissed"]


class QuarantineView(View):
    """Newest quarantine rows."""

    total: int
    rows: list[QuarantineRowView]


class OperationView(View):
    """One line of the operation log."""

    id: int
    at_ms: int
    actor: str
    action: str
    object: str
    result: str


class OperationsView(View):
    """Newest operations first."""

    total: int
    rows: list[OperationView]


class HealthView(View):
    """For monitors: no personal data."""

    status: Literal["ok", "degraded"]
    frame_age_ms: int | None
    ingest_age_ms: int | None


class Frame(View):
    """A live frame: says that a topic has a newer version, with the present values of what changes most.

    The first frames of a stream tell each topic's present version; drop a frame older than what the page has.
    """

    topic: str
    version: int
    at_ms: int
    counts: dict[str, int] = {}
    """Topic day:<date>: counts by status."""
    punches: list[PunchView] = []
    """Topic day:<date>: the newest in scope, at most 20: merge by id; knowing none of them, fetch the day again."""
