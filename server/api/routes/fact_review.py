"""Rows of business systems that wait for a person."""

from typing import Annotated

from fastapi import APIRouter, Query

from server.api.context import CallerDep, ContextDep
from server.api.guards import FactReviewer
from server.api.paging import PageDep
from server.api.views.fact_review import (
    AlikeView,
    FixBody,
    FixedView,
    PatchBody,
    RefuseBody,
    ReviewedView,
    WaitingFactsView,
    WaitingFactView,
    WaitingFaultView,
)
from server.services import fact_review
from server.services.accounts import Caller
from server.services.fact_review import Decision
from server.store import review_queries
from server.store.log_queries import Entry
from server.store.review_queries import Wanted

router = APIRouter(prefix="/api/waiting-facts", tags=["waiting facts"])


@router.get("")
async def waiting_facts(
    *,
    viewer: FactReviewer,
    context: ContextDep,
    page: PageDep,
    state: Annotated[str | None, Query(pattern="^(open|fixed|accepted|rejected|superseded)$")] = "open",
    source: str | None = None,
    fact: str | None = None,
) -> WaitingFactsView:
    """Rows in scope that wait, or that were decided about, newest first."""
    async with context.db.reading() as connection:
        total, rows = await review_queries.rows(
            connection, viewer.scope, Wanted(state, source, fact), limit=page.limit, offset=page.offset
        )
    return WaitingFactsView(total=total, rows=[WaitingFactView.model_validate(row) for row in rows])


@router.post("/{number}/try")
async def try_waiting_fact(viewer: FactReviewer, context: ContextDep, number: int, body: PatchBody) -> ReviewedView:
    """A row as it came, beside what it becomes with these values; nothing is stored."""
    async with context.db.reading() as connection:
        found = await fact_review.show(connection, viewer.scope, number, body.patch)
    return ReviewedView(
        row=WaitingFactView.model_validate(found.row),
        raw=found.raw,
        mapped=None if found.mapped is None else dict(found.mapped),
        faults=[WaitingFaultView.model_validate(fault) for fault in found.faults],
    )


@router.get("/{number}/alike")
async def alike_waiting_facts(
    viewer: FactReviewer, context: ContextDep, number: int, field: Annotated[str, Query(max_length=60)]
) -> AlikeView:
    """Rows that wait for the same reason in that field, to be counted before they are decided about together."""
    async with context.db.reading() as connection:
        found = await fact_review.alike(connection, viewer.scope, number, field)
    return AlikeView(
        field=found.field,
        code=found.code,
        value=found.value,
        total=len(found.rows),
        rows=[row.id for row in found.rows[: fact_review.MOST_AT_ONCE]],
    )


@router.post("/fix")
async def fix_waiting_facts(viewer: FactReviewer, context: ContextDep, caller: CallerDep, body: FixBody) -> FixedView:
    """Send rows through the pipeline again with these values; nothing is changed when one still does not fit."""
    decision = Decision(_entry(viewer.login, "facts.fix", caller), body.note, body.patch)
    counts = await fact_review.fix(context.db, viewer.scope, body.rows, decision)
    return FixedView(added=counts.added, changed=counts.changed, unchanged=counts.unchanged)


@router.post("/refuse", status_code=204)
async def refuse_waiting_facts(viewer: FactReviewer, context: ContextDep, caller: CallerDep, body: RefuseBody) -> None:
    """These rows are none: they are kept, and wait no longer."""
    decision = Decision(_entry(viewer.login, "facts.refuse", caller), body.note)
    await fact_review.refuse(context.db, viewer.scope, body.rows, decision)


def _entry(actor: str, action: str, caller: Caller) -> Entry:
    return Entry(caller.at_ms, actor, action, "", "done", caller.ip, caller.request_id)
