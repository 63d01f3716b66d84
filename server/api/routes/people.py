"""Employees, and whose number on a terminal it is."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from server.api.context import ContextDep
from server.api.guards import PeopleMapper, PeopleReader
from server.api.paging import Limit, Offset
from server.api.views import AssignBody, AssignedView, EmployeesView, Id, UnmatchedListView

router = APIRouter(prefix="/api", tags=["people"])


@router.get("/employees")
async def employees(
    viewer: PeopleReader,
    context: ContextDep,
    q: Annotated[str, Query(max_length=100)] = "",
    department: Id | None = None,
    site: Id | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> EmployeesView:
    """Employees in scope by name; ``q`` is a part of name or id."""
    raise NotImplementedError


@router.get("/unmatched")
async def unmatched(viewer: PeopleMapper, context: ContextDep) -> UnmatchedListView:
    """Terminal users nobody is mapped to; their punches wait."""
    raise NotImplementedError


@router.post("/unmatched/assign")
async def assign(body: AssignBody, request: Request, viewer: PeopleMapper, context: ContextDep) -> AssignedView:
    """Map a terminal user to an employee; past punches follow."""
    raise NotImplementedError
