"""Employees, unmatched terminal users, and who is signed in."""

from server.access.departments import with_those_below
from server.access.roles import PERMISSIONS
from server.access.viewer import Viewer
from server.api.answers.attendance import zone_of
from server.api.answers.names import names
from server.api.context import Context
from server.api.paging import Page
from server.api.views.people import EmployeesView, EmployeeView, SuggestionView, UnmatchedListView, UnmatchedView
from server.api.views.session import MeView
from server.services.people import Number, suggestions
from server.store import change_queries, people_queries, user_queries
from server.store.scope_filter import Narrow


async def me(context: Context, viewer: Viewer) -> MeView:
    """Who is signed in and what the menu may show."""
    async with context.db.reading() as connection:
        return MeView(
            login=viewer.login,
            name=viewer.name,
            role=viewer.role,
            employee=viewer.employee,
            permissions=[permission for permission in PERMISSIONS if viewer.may(permission)],
            departments=names(await people_queries.department_names(connection, viewer.scope)),
            zone=(await zone_of(connection, viewer, context.config.zone)).key,
        )


async def employees(
    context: Context, viewer: Viewer, part: str, department: str | None, site: str | None, *, page: Page
) -> EmployeesView:
    """A page of employees in scope."""
    scope = viewer.scope
    async with context.db.reading() as connection:
        below = None
        if department is not None:
            below = with_those_below({department}, await user_queries.department_parents(connection))
        narrow = Narrow(below, site)
        total, rows = await people_queries.employee_rows(
            connection, scope, part.strip(), narrow, limit=page.limit, offset=page.offset
        )
        return EmployeesView(
            total=total,
            rows=[EmployeeView.model_validate(row) for row in rows],
            departments=names(await people_queries.department_names(connection, scope)),
            sites=names(await people_queries.site_names(connection, scope)),
        )


async def unmatched(context: Context, viewer: Viewer) -> UnmatchedListView:
    """Terminal users nobody is mapped to."""
    async with context.db.reading() as connection:
        rows = await people_queries.unmatched_rows(connection, viewer.scope)
        numbers = [Number(row.user_group, row.user_code) for row in rows]
        found = await suggestions(connection, viewer.scope, numbers)
        version = await change_queries.newest_change(connection, "unmatched")
    views = [
        UnmatchedView(
            user_group=row.user_group,
            user_code=row.user_code,
            terminals=list(row.terminals),
            punches=row.punches,
            first_ms=row.first_ms,
            last_ms=row.last_ms,
            suggestion=SuggestionView.model_validate(found[number]) if number in found else None,
        )
        for row, number in zip(rows, numbers, strict=True)
    ]
    return UnmatchedListView(rows=views, version=version)
