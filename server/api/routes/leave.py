"""Kinds of leave, balances and grants."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Path, Query

from server.api.answers import leave as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import OwnAsker, RequestReader, RequestSettings, whom
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.leave import (
    BalancesView,
    GrantBody,
    GrantedListView,
    LeaveTypeBody,
    LeaveTypesView,
    PeopleBalancesView,
)
from server.services import leave

router = APIRouter(prefix="/api", tags=["leave"])


@router.get("/leave-types")
async def leave_types(_viewer: OwnAsker, context: ContextDep) -> LeaveTypesView:
    """All kinds of leave, retired ones too: old requests name them."""
    return await answers.types(context)


@router.put("/leave-types/{number}", status_code=204)
async def put_leave_type(
    number: Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}$")],
    body: LeaveTypeBody,
    viewer: RequestSettings,
    context: ContextDep,
    caller: CallerDep,
) -> None:
    """Add or change a kind of leave."""
    await leave.save_type(context.db, viewer.login, answers.type_of(number, body), caller)


@router.get("/balances")
async def balances_of_many(
    *,
    viewer: RequestReader,
    context: ContextDep,
    caller: CallerDep,
    department: Id | None = None,
    q: Annotated[str, Query(max_length=100)] = "",
    date: dt.date | None = None,
    page: PageDep,
) -> PeopleBalancesView:
    """What people in scope have left on a date, today without one; those employed then, by department and name."""
    scope, now_ms = viewer.scope, caller.at_ms
    return await answers.balances_of_many(context, scope, department, q.strip(), now_ms, day=date, page=page)


@router.get("/balances/{employee}")
async def balances(
    viewer: OwnAsker, context: ContextDep, caller: CallerDep, employee: Id, date: dt.date | None = None
) -> BalancesView:
    """Balances of a person on a date, with ledger and leave taken; ``me`` works, others need ``requests.read``."""
    about = whom(viewer, employee, others="requests.read")
    return await answers.balances(context, viewer.scope, about, date, caller.at_ms)


@router.post("/leave-grants")
async def grant_leave(
    body: GrantBody, viewer: RequestSettings, context: ContextDep, caller: CallerDep
) -> GrantedListView:
    """Give minutes to people, or see first what that would do."""
    return await answers.grant(context, viewer, body, caller)
