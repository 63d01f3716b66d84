"""Gateways, terminals, alarms."""

from typing import Literal

from server.api.views.base import NameView, View


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
