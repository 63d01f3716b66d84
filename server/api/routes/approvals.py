"""Deciding requests, taking them back, talking about them; chains and delegations."""

from fastapi import APIRouter

from server.access.errors import NotFoundError
from server.api.answers import approvals as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import OwnAsker, RequestDecider, RequestSettings
from server.api.paging import PageDep
from server.api.routes.requests import Kinds
from server.api.views.approvals import (
    CancelBody,
    ChainBody,
    ChainsView,
    CommentBody,
    ConsentBody,
    DecideBody,
    DecidedManyView,
    DecideManyBody,
    DelegationBody,
    DelegationsView,
    InboxView,
    StateView,
)
from server.api.views.requests import AskedView, Kind
from server.services import approvals, requests

router = APIRouter(prefix="/api", tags=["approvals"])


@router.get("/approvals")
async def inbox(
    *,
    viewer: OwnAsker,
    context: ContextDep,
    caller: CallerDep,
    kind: Kinds = [],  # noqa: B006  (the framework copies it)
    page: PageDep,
) -> InboxView:
    """What waits for the viewer, oldest first; for employees without an office the swaps they are asked to agree to."""
    return await answers.inbox(context, viewer, page, kind, caller.at_ms)


@router.post("/approvals/decide")
async def decide_many(
    body: DecideManyBody, viewer: RequestDecider, context: ContextDep, caller: CallerDep
) -> DecidedManyView:
    """One decision about many requests; each is decided on its own."""
    asked = [(one.id, one.step) for one in body.requests]
    done = await approvals.decide_many(context.db, viewer, asked, body.decision, caller, comment=body.comment)
    return answers.decided_views(done)


@router.post("/requests/{number}/decide")
async def decide(
    body: DecideBody, viewer: RequestDecider, context: ContextDep, caller: CallerDep, number: int
) -> StateView:
    """Approve, refuse or hand over the step that waits."""
    state = await approvals.decide(
        context.db, viewer, number, body.decision, caller, step=body.step, comment=body.comment
    )
    return StateView(state=state)


@router.post("/requests/{number}/consent")
async def consent(
    body: ConsentBody, viewer: OwnAsker, context: ContextDep, caller: CallerDep, number: int
) -> StateView:
    """Agree to a swap, or not, as the other employee."""
    state = await approvals.consent(context.db, viewer, number, caller, agree=body.agree, comment=body.comment)
    return StateView(state=state)


@router.post("/requests/{number}/withdraw", status_code=204)
async def withdraw(viewer: OwnAsker, context: ContextDep, caller: CallerDep, number: int) -> None:
    """Take back what waits."""
    await requests.withdraw(context.db, viewer, number, caller)


@router.post("/requests/{number}/cancel", status_code=204)
async def cancel(body: CancelBody, viewer: OwnAsker, context: ContextDep, caller: CallerDep, number: int) -> None:
    """Take back what was approved: HR in an open month, the employee before it begins."""
    await requests.cancel(context.db, viewer, number, body.comment, caller)


@router.post("/requests/{number}/comment", status_code=204)
async def comment(body: CommentBody, viewer: OwnAsker, context: ContextDep, caller: CallerDep, number: int) -> None:
    """Ask or answer something while it waits."""
    await requests.comment_on(context.db, viewer, number, body.comment, caller)


# --- settings -------------------------------------------------------------------------------------------------------


@router.get("/approval-chains")
async def approval_chains(_viewer: RequestSettings, context: ContextDep) -> ChainsView:
    """Who decides what, by kind."""
    return await answers.chains(context)


@router.put("/approval-chains/{kind}", status_code=204)
async def put_approval_chain(
    kind: Kind, body: ChainBody, viewer: RequestSettings, context: ContextDep, caller: CallerDep
) -> None:
    """Change a chain; what was asked before keeps its own."""
    steps, settings = answers.steps_of(body), answers.settings_of(body)
    await approvals.save_chain(context.db, viewer.login, kind, steps, caller, settings=settings)


@router.get("/delegations")
async def delegations(viewer: RequestDecider, context: ContextDep, caller: CallerDep) -> DelegationsView:
    """Who acts for the viewer and for whom the viewer acts."""
    return await answers.delegations(context, viewer, caller.at_ms)


@router.post("/delegations", status_code=201)
async def delegate(body: DelegationBody, viewer: RequestDecider, context: ContextDep, caller: CallerDep) -> AskedView:
    """Let another act for the viewer."""
    number = await approvals.delegate(context.db, viewer, body.to, (body.from_ms, body.to_ms), caller)
    return AskedView(id=number)


@router.post("/delegations/{number}/end", status_code=204)
async def end_delegation(viewer: RequestDecider, context: ContextDep, caller: CallerDep, number: int) -> None:
    """End a delegation that the viewer gave."""
    if not await approvals.end_delegation(context.db, viewer, number, caller):
        raise NotFoundError(f"delegation {number}")
