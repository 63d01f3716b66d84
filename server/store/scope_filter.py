"""A viewer's scope as a condition: whoever selects people adds it."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, or_, true

from server.access.scope import Scope
from server.store.tables import employees


@dataclass(frozen=True, slots=True)
class Narrow:
    """What the viewer asked to see only, inside the scope; None for all of it."""

    departments: frozenset[str] | None = None
    site: str | None = None


ALL = Narrow()


def visible(scope: Scope) -> ColumnElement[bool]:
    """Holds for those rows of ``employees`` that the viewer may see; for none when the scope is empty."""
    if scope.everyone:
        return true()
    allowed: list[ColumnElement[bool]] = []
    if scope.departments:
        allowed.append(employees.c.department.in_(sorted(scope.departments)))
    if scope.employee is not None:
        allowed.append(employees.c.id == scope.employee)
    return or_(*allowed) if allowed else false()


def narrowed(scope: Scope, narrow: Narrow) -> list[ColumnElement[bool]]:
    """Hold for the ``employees`` in scope that were asked for."""
    conditions = [visible(scope)]
    if narrow.departments is not None:
        conditions.append(employees.c.department.in_(sorted(narrow.departments)))
    if narrow.site is not None:
        conditions.append(employees.c.site == narrow.site)
    return conditions
