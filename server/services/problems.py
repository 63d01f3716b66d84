"""Refusals that name every field at fault."""

from collections.abc import Sequence

from server.rosters.shift import Problem
from shared.errors import DataError


class UnusableError(DataError):
    """Nothing was saved: what was told makes no sense; ``parameters`` hold a code for each field."""

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        facts = "; ".join(f"{one.field}: {one.code} {one.params or ''}".strip() for one in problems)
        super().__init__(f"{what}: {facts}", "unusable", {one.field: one.code for one in problems})
        self.problems = tuple(problems)


def refuse_problems(what: str, problems: Sequence[Problem]) -> None:
    """UnusableError when there are any."""
    if problems:
        raise UnusableError(what, problems)
