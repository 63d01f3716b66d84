"""Decisions about requests, chains of approval and delegations."""

from typing import Annotated, Literal

from pydantic import Field

from server.api.views.base import Id, View
from server.api.views.requests import ApproverView, Kind, RequestView, Role, State, Text, Then


class DecideBody(View):
    """A decision about the step that the viewer saw."""

    decision: Literal["approved", "refused", "escalated"]
    step: int | None = None
    comment: Text = ""


class OneOfMany(View):
    """A request of a bulk decision."""

    id: int
    step: int | None = None


class DecideManyBody(View):
    """One decision about many requests, each on its own."""

    decision: Literal["approved", "refused"]
    requests: Annotated[list[OneOfMany], Field(min_length=1, max_length=200)]
    comment: Text = ""


class DecidedView(View):
    """What became of a request; with ``code`` it was not decided."""

    id: int
    state: State | None
    code: str | None
    parameters: dict[str, str] | None


class DecidedManyView(View):
    """Results in the order asked."""

    results: list[DecidedView]


class StateView(View):
    """The state after a decision."""

    state: State


class ConsentBody(View):
    """The other employee's answer to a swap."""

    agree: bool
    comment: Text = ""


class CommentBody(View):
    """A question or an answer."""

    comment: Annotated[str, Field(min_length=1, max_length=500)]


class CancelBody(View):
    """Why an approved request is taken back."""

    comment: Text = ""


class WaitingView(View):
    """A request that waits for the viewer."""

    request: RequestView
    for_login: str | None
    """Whose delegate the viewer would decide as."""
    left_min: int | None
    """What is left of the leave type on its first date, everything asked for counted; None without a balance."""


class InboxView(View):
    """What waits for the viewer, oldest first."""

    total: int
    rows: list[WaitingView]
    version: int


class ChainStepBody(View):
    """A step of a chain, asked for requests of at least ``from_min`` minutes."""

    role: Role
    from_min: int = 0
    hours: int
    then: Then


class ChainView(View):
    """The chain of a kind; ``per_month`` and ``within_days`` are of corrections only."""

    kind: Kind
    steps: list[ChainStepBody]
    per_month: int | None = None
    within_days: int | None = None


class ChainBody(View):
    """A chain as it shall be."""

    steps: Annotated[list[ChainStepBody], Field(max_length=6)]
    per_month: int | None = None
    within_days: int | None = None


class ChainsView(View):
    """Chains of all kinds."""

    rows: list[ChainView]


class DelegationBody(View):
    """Let another act for the viewer; instants are UTC milliseconds."""

    to: Id
    from_ms: int
    to_ms: int


class DelegationView(View):
    """Who acts for whom and when."""

    id: int
    given: bool
    """By the viewer, else to the viewer."""
    login: str
    """Of the other one."""
    name: str
    from_ms: int
    to_ms: int


class DelegationsView(View):
    """Delegations of the viewer that are not over, and who can be asked."""

    rows: list[DelegationView]
    candidates: list[ApproverView]
