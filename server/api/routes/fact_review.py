"""Rows of business systems that wait for a person."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from server.api.context import CallerDep, Context, ContextDep
from server.api.guards import FactReviewer
from server.api.paging import Page
from server.api.routes.reports import sent
from server.api.views.base import Id
from server.api.views.fact_review import (
    AlikeView,
    DeclineProposalBody,
    FixBody,
    OverviewView,
    PatchBody,
    ProposalsView,
    ProposalView,
    ReviewDoneView,
    ReviewedView,
    ReviewerView,
    WaitingAssignBody,
    WaitingDecideBody,
    WaitingFactsView,
    WaitingFactView,
    WaitingFaultView,
    WaitingReasonView,
    WaitingReasonWordsView,
)
from server.facts.codes import SOFT, WORDS, Code
from server.services import accounts, fact_decisions, fact_review, fact_review_file
from server.services.accounts import Caller
from server.services.act import Act
from server.services.fact_decisions import ALONE, Decided, Decision
from server.services.fact_review_file import Language
from server.store import log_queries, proposal_queries, review_queries
from server.store.log_queries import Entry
from server.store.review_queries import Wanted

router = APIRouter(prefix="/api/waiting-facts", tags=["waiting facts"])


class About(BaseModel):
    """Which rows."""

    model_config = ConfigDict(frozen=True)

    state: Literal["open", "fixed", "accepted", "rejected", "superseded"] | None = "open"
    source: Id | None = None
    fact: Id | None = None
    code: Code | None = None
    assignee: Id | None = None
    """A login; ``-`` for rows that are nobody's task."""

    def wanted(self) -> Wanted:
        """For the store."""
        return Wanted(self.state, self.source, self.fact, self.code, self.assignee)


class AskedRows(About, Page):
    """Which page of them."""


class AskedFile(About):
    """In which language the headings and reasons are."""

    language: Language = "zh-CN"


@router.get("")
async def waiting_facts(
    viewer: FactReviewer, context: ContextDep, asked: Annotated[AskedRows, Query()]
) -> WaitingFactsView:
    """Rows in scope that wait, or that were decided about, newest first."""
    async with context.db.reading() as connection:
        total, rows = await review_queries.rows(
            connection, viewer.scope, asked.wanted(), limit=asked.limit, offset=asked.offset
        )
    return WaitingFactsView(total=total, rows=[WaitingFactView.model_validate(row) for row in rows])


@router.get("/overview")
async def waiting_facts_overview(
    viewer: FactReviewer, context: ContextDep, asked: Annotated[About, Query()]
) -> OverviewView:
    """How many rows in scope wait for each reason, and whose task they can be."""
    async with context.db.reading() as connection:
        found = await review_queries.reasons(connection, viewer.scope, asked.wanted())
        people = await accounts.holders(connection, "facts.review")
    return OverviewView(
        reasons=[WaitingReasonView.model_validate(one) for one in found],
        words=[
            WaitingReasonWordsView(code=code, name_zh=zh, name_en=en, soft=code in SOFT)
            for code, (zh, en) in WORDS.items()
        ],
        reviewers=[ReviewerView(login=one.login, name=one.name) for one in people],
        alone=ALONE,
    )


@router.get("/file", response_class=StreamingResponse)
async def waiting_facts_file(
    viewer: FactReviewer, context: ContextDep, caller: CallerDep, asked: Annotated[AskedFile, Query()]
) -> StreamingResponse:
    """These rows as CSV, pay masked; the operation log keeps who took it."""
    file = await fact_review_file.csv_file(context.db, viewer.scope, asked.wanted(), asked.language)
    detail = asked.model_dump(exclude_none=True)
    async with context.db.writing() as connection:
        await log_queries.append(connection, Act(viewer, caller).entry("facts.export", asked.source or "", **detail))
    return sent(file, "waiting-rows.csv", "waiting-rows")


@router.post("/{number}/try")
async def try_waiting_fact(
    viewer: FactReviewer, context: ContextDep, caller: CallerDep, number: int, body: PatchBody
) -> ReviewedView:
    """A row as it came, beside what it becomes with these values; nothing is stored."""
    async with context.db.reading() as connection:
        found = await fact_review.show(connection, viewer.scope, number, body.patch, caller.at_ms)
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
        rows=[row.id for row in found.rows[: fact_review.MOST_TOGETHER]],
    )


@router.post("/fix")
async def fix_waiting_facts(
    viewer: FactReviewer, context: ContextDep, caller: CallerDep, body: FixBody
) -> ReviewDoneView:
    """Send rows through the pipeline again with these values; nothing is changed when one still does not fit."""
    return await _decided(context, Act(viewer, caller), body.rows, Decision("fix", body.note, body.patch))


@router.post("/accept")
async def accept_waiting_facts(
    viewer: FactReviewer, context: ContextDep, caller: CallerDep, body: WaitingDecideBody
) -> ReviewDoneView:
    """Take rows as they are, though a number is out of range or a time lies ahead; for nothing else."""
    return await _decided(context, Act(viewer, caller), body.rows, Decision("accept", body.note))


@router.post("/refuse")
async def refuse_waiting_facts(
    viewer: FactReviewer, context: ContextDep, caller: CallerDep, body: WaitingDecideBody
) -> ReviewDoneView:
    """These rows are none: they are kept, and wait no longer."""
    return await _decided(context, Act(viewer, caller), body.rows, Decision("refuse", body.note))


@router.post("/assign", status_code=204)
async def assign_waiting_facts(
    viewer: FactReviewer, context: ContextDep, caller: CallerDep, body: WaitingAssignBody
) -> None:
    """Make rows somebody's task, or nobody's."""
    entry = _entry(viewer.login, "facts.assign", caller)
    await fact_review.assign(context.db, viewer.scope, body.rows, body.login, entry)


@router.get("/proposals")
async def waiting_proposals(viewer: FactReviewer, context: ContextDep) -> ProposalsView:
    """Decisions about rows in scope that wait for a second person."""
    async with context.db.reading() as connection:
        found = await proposal_queries.waiting(connection, viewer.scope)
    return ProposalsView(
        rows=[
            ProposalView(
                id=one.id,
                kind=one.kind,
                source=one.source,
                fact=one.fact,
                rows=one.rows,
                patch=dict(one.patch),
                note=one.note,
                proposed_by=one.proposed_by,
                proposed_ms=one.proposed_ms,
                own=fact_decisions.is_own(one, viewer.login, viewer.employee),
            )
            for one in found
        ]
    )


@router.post("/proposals/{number}/confirm")
async def confirm_proposal(viewer: FactReviewer, context: ContextDep, caller: CallerDep, number: int) -> ReviewDoneView:
    """Carry out what another person proposed."""
    entry = _entry(viewer.login, "facts.confirm", caller)
    counts = await fact_decisions.confirm(context.db, viewer.scope, number, entry)
    return _view(Decided(counts))


@router.post("/proposals/{number}/decline", status_code=204)
async def decline_proposal(
    viewer: FactReviewer, context: ContextDep, caller: CallerDep, number: int, body: DeclineProposalBody
) -> None:
    """Refuse what another person proposed; its rows wait on."""
    entry = _entry(viewer.login, "facts.decline", caller)
    await fact_decisions.decline(context.db, viewer.scope, number, body.note, entry)


async def _decided(context: Context, act: Act, rows: list[int], decision: Decision) -> ReviewDoneView:
    entry = _entry(act.login, f"facts.{decision.kind}", act.caller)
    return _view(await fact_decisions.decide(context.db, act.scope, rows, decision, entry))


def _view(done: Decided) -> ReviewDoneView:
    counts = done.counts
    return ReviewDoneView(
        added=counts.added, changed=counts.changed, unchanged=counts.unchanged, proposal=done.proposal
    )


def _entry(actor: str, action: str, caller: Caller) -> Entry:
    return Entry(caller.at_ms, actor, action, "", "done", caller.ip, caller.request_id)
