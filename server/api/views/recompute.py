"""Computing results again."""

import datetime as dt
from typing import Annotated

from pydantic import Field

from server.api.views.base import Id, View


class RecomputeBody(View):
    """Dates, both inclusive, at most 366; of everybody, of a department with those below, or of some people."""

    first: dt.date
    last: dt.date
    department: Id | None = None
    employees: Annotated[tuple[Id, ...], Field(max_length=1_000)] = ()


class RecomputeAskedView(View):
    """What waits now because of the question."""

    people: int
    days: int
    """Employee-days."""


class RecomputeView(View):
    """How far computing is."""

    waiting: int
    """Employee-days still to be computed, whoever asked for them."""
