"""Ids of people in business systems."""

import datetime as dt

from pydantic import Field

from server.api.views.base import Id, View


class UnmatchedIdView(View):
    """An id that rows of a fact name and that is nobody's on their days."""

    source: str
    employee_key: str
    fact: str
    rows: int
    first_ms: int | None
    last_ms: int | None
    suggested: list[str]
    """Employees whose number or name is exactly the id."""
    names: list[str]
    """Theirs, in the same order."""


class UnmatchedIdsView(View):
    """Ids of most rows first."""

    rows: list[UnmatchedIdView]


class LinkBody(View):
    """Whose an id is; both days inclusive, without a last one open."""

    source: Id
    employee_key: Id
    employee: Id
    valid_from: dt.date
    valid_to: dt.date | None = None


class UnlinkBody(View):
    """A link by its id and first day."""

    source: Id
    employee_key: Id
    valid_from: dt.date


class LinkedView(View):
    """What became of stored rows."""

    rows: int = Field(ge=0)
    """Rows that are somebody else's by that."""


class LinkView(View):
    """Whose an id is, on which days; both inclusive, without a last one open."""

    source: str
    employee_key: str
    employee: str
    name: str
    valid_from: dt.date
    valid_to: dt.date | None


class LinksView(View):
    """A page of links, by source, id and first day."""

    total: int
    rows: list[LinkView]


class EndBody(View):
    """A link by its id and first day, and its last day."""

    source: Id
    employee_key: Id
    valid_from: dt.date
    valid_to: dt.date


class CorrectBody(View):
    """Whose an id is from a day on, instead of whose it was."""

    source: Id
    employee_key: Id
    valid_from: dt.date
    employee: Id
