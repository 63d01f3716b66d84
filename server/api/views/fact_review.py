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
    """Line of the file, headings among them, else place in the page; from 1."""
    source_key: str | None
    codes: list[str]
    fields: list[WaitingFaultView]
    department: str | None
    state: str
    first_seen_ms: int
    last_seen_ms: int
    assigned_to: str | None
    decided_by: str | None
    decided_ms: int | None
    patch: dict[str, Any] | None
    note: str
    proposal: int | None
    """What is proposed about it, where that takes two people."""


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


class WaitingReasonView(View):
    """How many rows wait for that reason; a row may have several."""

    source: str
    fact: str
    code: str
    rows: int


class WaitingReasonWordsView(View):
    """A reason in words, and whether a person may accept a row in spite of it."""

    code: str
    name_zh: str
    name_en: str
    soft: bool


class ReviewerView(View):
    """Somebody who may review."""

    login: str
    name: str


class OverviewView(View):
    """What there is to do: rows by reason, most first, the words for reasons, and whose task they can be."""

    reasons: list[WaitingReasonView]
    words: list[WaitingReasonWordsView]
    reviewers: list[ReviewerView]
    alone: int
    """More rows at once take two people."""


class FixBody(View):
    """Rows to be put right with the same values."""

    rows: list[int] = Field(min_length=1, max_length=20_000)
    patch: dict[str, Any] = Field({}, max_length=60)
    note: str = Field("", max_length=1_000)


class WaitingDecideBody(View):
    """Rows to be accepted as they are, or refused, and why."""

    rows: list[int] = Field(min_length=1, max_length=20_000)
    note: str = Field(min_length=1, max_length=1_000)


class WaitingAssignBody(View):
    """Rows to be somebody's task; null: nobody's."""

    rows: list[int] = Field(min_length=1, max_length=20_000)
    login: str | None = Field(max_length=200)


class DeclineProposalBody(View):
    """Why a proposal is declined."""

    note: str = Field(min_length=1, max_length=1_000)


class ReviewDoneView(View):
    """What became of rows, or what waits for a second person."""

    added: int
    changed: int
    unchanged: int
    proposal: int | None
    """Nothing is done yet: another person has to confirm it."""


class ProposalView(View):
    """A decision that waits for a second person."""

    id: int
    kind: str
    source: str
    fact: str
    rows: int
    patch: dict[str, Any]
    note: str
    proposed_by: str
    proposed_ms: int
    own: bool
    """By the viewer, who can not decide about it."""


class ProposalsView(View):
    """Those that wait, oldest first."""

    rows: list[ProposalView]
