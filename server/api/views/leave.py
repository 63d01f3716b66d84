"""Kinds of leave, balances and grants; amounts are minutes."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from server.api.views.base import Id, View

Balance = Literal["none", "granted", "annual", "comp"]
TakenState = Literal["pending", "approved"]


class LeaveTypeView(View):
    """A kind of leave."""

    id: str
    name_zh: str
    name_en: str
    paid: bool
    balance: Balance
    unit_min: int
    file_from_min: int | None
    carry_until: str | None = None
    carry_most_min: int | None = None
    expires_months: int | None = None
    retired: bool


class LeaveTypeBody(View):
    """A kind of leave as it shall be."""

    name_zh: Annotated[str, Field(min_length=1, max_length=40)]
    name_en: Annotated[str, Field(min_length=1, max_length=60)]
    paid: bool
    balance: Balance
    unit_min: int
    file_from_min: int | None = None
    carry_until: str | None = None
    carry_most_min: int | None = None
    expires_months: int | None = None
    retired: bool = False


class LeaveTypesView(View):
    """All kinds of leave."""

    rows: list[LeaveTypeView]


class LedgerView(View):
    """A row of the ledger."""

    id: int
    kind: str
    """grant | accrual | carried | lapsed | paid_out | opening"""
    minutes: int
    from_on: dt.date
    until_on: dt.date | None
    key: str
    note: str
    actor: str
    at_ms: int


class TakenView(View):
    """Leave out of a balance."""

    id: int
    state: TakenState
    start_ms: int
    end_ms: int
    minutes: int


class BankedView(View):
    """Overtime that became time off; negative: adjusted after its month was closed."""

    date: dt.date
    minutes: int


class BalanceView(View):
    """Balance of a type on a date, in minutes."""

    type: str
    given_min: int
    used_min: int
    asked_min: int
    left_min: int
    ends_on: dt.date | None
    ending_min: int
    """Minutes that lapse on ``ends_on``."""
    ledger: list[LedgerView]
    taken: list[TakenView]
    banked: list[BankedView]


class BalancesView(View):
    """Balances of a person."""

    employee: str
    name: str
    zone: str
    date: dt.date
    types: list[LeaveTypeView]
    balances: list[BalanceView]
    version: int


class PersonBalancesView(View):
    """What one person has, minutes by leave type."""

    employee: str
    name: str
    department: str
    left: dict[str, int]
    """What can be asked for on the date."""
    given: dict[str, int]


class PeopleBalancesView(View):
    """A page of people with their balances."""

    total: int
    date: dt.date
    types: list[LeaveTypeView]
    """Those with a balance that are not retired."""
    rows: list[PersonBalancesView]
    version: int


class GrantBody(View):
    """Minutes for ``employees``, or for everybody employed on ``from_on`` in ``department`` with those below."""

    employees: Annotated[list[Id], Field(max_length=5000)] | None = None
    department: Id | None = None
    leave_type: Id
    kind: Literal["grant", "opening", "paid_out", "lapsed"] = "grant"
    minutes: int
    from_on: dt.date
    until_on: dt.date | None = None
    key: Annotated[str, Field(min_length=1, max_length=80)]
    """What it is for; a person gets it once for each type."""
    note: Annotated[str, Field(max_length=200)] = ""
    preview: bool = True


class GrantedView(View):
    """A person's balance on ``from_on`` without and with the grant."""

    employee: str
    name: str
    before_min: int
    after_min: int
    repeated: bool
    """Had it before: nothing is added."""


class GrantedListView(View):
    """What a grant does or did."""

    stored: bool
    rows: list[GrantedView]
