"""A viewer's scope as a condition: whoever selects people adds it."""

from sqlalchemy import ColumnElement, false, or_, true

from server.access.scope import Scope
from server.store.tables import employees


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
