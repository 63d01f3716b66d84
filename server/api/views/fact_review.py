"""Rows of business systems that wait, as the review shows them."""

from typing import Any

from pydantic import Field

from server.api.views.base import View


class WaitingFaultView(View):
    """What is wrong with a field: a code, and the value as it came."""

    field: str
    code: str
    value: str


class WaitingFactView(View):
    """A row that waits or waited."""

    id: int
    source: str
    stream: str
    fact: str
    row_no: int
    source_key: str | None
    codes: list[str]
    fields: list[WaitingFaultView]
    state: str
    first_seen_ms: int
    last_seen_ms: int
    decided_by: str | None
    decided_ms: int | None
    patch: dict[str, Any] | None
    note: str


class WaitingFactsView(View):
    """A page of them, newest first."""

    total: int
    rows: list[WaitingFactView]


class ReviewedView(View):
    """A row as it came beside what becomes of it."""

    row: WaitingFactView
    raw: Any
    mapped: dict[str, Any] | None
    """Fields of the fact; null while something is wrong."""
    faults: list[WaitingFaultView]


class AlikeView(View):
    """Rows with the same fault, all of which one decision may concern."""

    field: str
    code: str
    value: str
    total: int
    rows: list[int]
    """Their ids."""


class PatchBody(View):
    """Values to try."""

    patch: dict[str, Any] = Field({}, max_length=60)


class FixBody(View):
    """Rows to be put right with the same values."""

    rows: list[int] = Field(min_length=1, max_length=500)
    patch: dict[str, Any] = Field({}, max_length=60)
    note: str = Field("", max_length=1_000)


class RefuseBody(View):
    """Rows that are none."""

    rows: list[int] = Field(min_length=1, max_length=500)
    note: str = Field(min_length=1, max_length=1_000)


class FixedView(View):
    """What became of rows that were put right."""

    added: int
    changed: int
    unchanged: int
