"""Labour contracts. Pay is never in a list or a detail: it is asked for with a reason, and that is noted."""

import datetime as dt
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from server.api.views.base import Id, NameView, View

Standing = Literal["coming", "active", "expiring", "expired", "ended"]
Word: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
_REASON = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]+[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
"""At least three characters on one line, without the spaces around them."""
Minor: TypeAlias = Annotated[int, Field(ge=0, le=10**13)]


class ContractRowView(View):
    """A contract as it stands today; ``has_pay`` says that there is something under the mask."""

    source: str
    """``manual``: entered by hand; ``people``: the page of people has its dates; else a business system."""
    key: str
    employee: str | None
    name: str
    department: str | None
    starts_on: dt.date
    ends_on: dt.date | None
    kind: str | None
    position: str | None
    has_pay: bool
    standing: Standing
    days_left: int | None
    probation_ends_on: dt.date | None
    probation_soon: bool


class RemindersView(View):
    """How many days ahead ends are spoken of."""

    expiry_days: Annotated[int, Field(ge=1, le=365)]
    probation_days: Annotated[int, Field(ge=1, le=90)]


class ContractListView(View):
    """A page of contracts, what is most urgent first."""

    total: int
    rows: list[ContractRowView]
    counts: dict[str, int]
    """Of all in scope by standing, and ``probation``: people whose probation ends soon."""
    departments: list[NameView]
    reminders: RemindersView
    keys: bool
    """Whether pay can be kept."""
    today: dt.date


class ContractLogView(View):
    """Who has read the pay of a contract, or changed it."""

    at_ms: int
    actor: str
    action: str
    reason: str | None


class ContractDetailView(ContractRowView):
    """One contract with what it says, and its log."""

    duties: str | None
    pay_grade: str | None
    log: list[ContractLogView]


class PayBody(View):
    """Which contract's pay is asked for, and why."""

    source: Id
    key: Id
    reason: Annotated[str, Field(max_length=200, pattern=_REASON)]


class PayView(View):
    """Pay in minor units a month."""

    pay_minor: int | None
    pay_min_minor: int | None
    pay_max_minor: int | None


class ContractBody(View):
    """A contract entered by hand; one of that person and first day is replaced."""

    employee: Id
    starts_on: dt.date
    ends_on: dt.date | None = None
    kind: Word | None = None
    position: Annotated[str, Field(max_length=200)] | None = None
    duties: Annotated[str, Field(max_length=2_000)] | None = None
    pay_grade: Word | None = None
    pay_minor: Minor | None = None
    pay_min_minor: Minor | None = None
    pay_max_minor: Minor | None = None
    keep_pay: bool = False
    """The amounts stay as they are, without being told here."""


class ContractKeyView(View):
    """Key of a contract entered by hand."""

    key: Id


class SuggestionView(View):
    """An indicator and the words of the duties that speak for it."""

    indicator: str
    name_zh: str
    name_en: str
    found: list[str]


class PostDutiesView(NameView):
    """A post, its duties, what they suggest and what was accepted."""

    people: int
    duties: list[str]
    suggested: list[SuggestionView]
    accepted: list[str]


class PostDutiesListView(View):
    """All posts, and the names of all indicators there are."""

    rows: list[PostDutiesView]
    indicators: list[NameView]


class DutiesBody(View):
    """Duties to be looked at; nothing is stored."""

    duties: Annotated[str, Field(max_length=10_000)]


class SuggestionsView(View):
    """What duties suggest."""

    rows: list[SuggestionView]


class AcceptBody(View):
    """Indicators of a post; none takes them back."""

    post: Id
    indicators: Annotated[list[Id], Field(max_length=100)]
