"""Quarantine and the operation log."""

from typing import Literal

from server.api.views.base import View


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
