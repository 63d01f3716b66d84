"""The start page of HR and managers."""

import datetime as dt
from typing import Literal

from server.api.views.base import NameView, View

TodoKind = Literal[
    "exceptions", "approvals", "unmatched", "gateways", "terminals", "calendar", "month", "contracts", "probation"
]


class AttendedView(View):
    """A date with shifts."""

    date: dt.date
    scheduled: int
    attended: int
    """Of these, people who came: all but the absent, on leave, or not there yet."""


class TodoView(View):
    """Something to see to; 0 is done. What the viewer may not see to is left out."""

    kind: TodoKind
    count: int
    names: list[str]
    """At most five of those it is about: people, devices, calendars."""
    month: str | None
    """Of ``exceptions`` the month they are in, of ``month`` the one to close."""
    year: int | None
    """Of ``calendar`` the year that is missing."""


class SiteSyncView(View):
    """How fresh a site's punches are."""

    site: NameView
    zone: str
    last_punch_ms: int | None
    """Newest event of its terminals."""
    last_contact_ms: int | None
    """Newest word of its gateways."""
    silent: bool
    """None of its gateways answers."""


class WorkbenchView(View):
    """Today, what to do, and how fresh it is, within the viewer's scope."""

    date: dt.date
    """Newest date with results."""
    is_today: bool
    scheduled: int
    counts: dict[str, int]
    """By status."""
    trend: list[AttendedView]
    """At most 14 dates with shifts, oldest first."""
    todo: list[TodoView]
    sites: list[SiteSyncView]
    month: str
    """Of ``date``."""
    now_ms: int
    version: int
    """Compare with frames of ``day:<date>``."""
