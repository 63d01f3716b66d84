"""Employees, and whose number on a terminal it is."""

from typing import Annotated

from fastapi import APIRouter, Query

from server.api.answers import people
from server.api.context import CallerDep, ContextDep
from server.api.guards import PeopleMapper, PeopleReader
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.people import AssignAllBody, AssignBody, AssignedView, EmployeesView, UnmatchedListView
from server.services.people import Number, assign_user, assign_users

router = APIRouter(prefix="/api", tags=["people"])


@router.get("/employees")
async def employees(
    *,
    viewer: PeopleReader,
    context: ContextDep,
    q: Annotated[str, Query(max_length=100)] = "",
    department: Id | None = None,
    site: Id | None = None,
    page: PageDep,
) -> EmployeesView:
    """Employees in scope by name; ``q`` is a part of name or id."""
    return await people.employees(context, viewer, q, department, site, page=page)


@router.get("/unmatched")
async def unmatched(viewer: PeopleMapper, context: ContextDep) -> UnmatchedListView:
    """Terminal users nobody is mapped to; their punches wait."""
    return await people.unmatched(context, viewer)


@router.post("/unmatched/assign")
async def assign(body: AssignBody, viewer: PeopleMapper, context: ContextDep, caller: CallerDep) -> AssignedView:
    """Map a terminal user to an employee; past punches follow."""
    done = await assign_user(
        context.db,
        viewer.login,
        body.user_group,
        body.user_code,
        body.employee,
        now_ms=caller.at_ms,
        scope=viewer.scope,
        caller=caller,
    )
    return AssignedView.model_validate(done)


@router.post("/unmatched/assign-all")
async def assign_all(body: AssignAllBody, viewer: PeopleMapper, context: ContextDep, caller: CallerDep) -> AssignedView:
    """Map several terminal users at once, all or none."""
    wanted = [(Number(row.user_group, row.user_code), row.employee) for row in body.rows]
    done = await assign_users(context.db, viewer.login, wanted, now_ms=caller.at_ms, scope=viewer.scope, caller=caller)
    return AssignedView.model_validate(done)
