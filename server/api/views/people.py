"""Employees and terminal users."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from server.api.views.base import Id, NameView, View


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


class SuggestionView(View):
    """Whose a number probably is."""

    employee: str
    name: str
    reason: Literal["terminal_name", "id"]
    terminal: str | None
    """The terminal that shows this name for the number."""


class UnmatchedView(View):
    """A terminal user nobody is mapped to; its punches wait."""

    user_group: str
    user_code: str
    terminals: list[str]
    punches: int
    first_ms: int
    last_ms: int
    suggestion: SuggestionView | None


class UnmatchedListView(View):
    """All unmatched terminal users."""

    rows: list[UnmatchedView]
    version: int


class AssignBody(View):
    """Map a terminal user to an employee; past punches follow."""

    user_group: Id
    user_code: Id
    employee: Id


class AssignAllBody(View):
    """Map several terminal users; all or none."""

    rows: Annotated[list[AssignBody], Field(min_length=1, max_length=500)]


class AssignedView(View):
    """What an assignment touched."""

    punches: int
    days: int
