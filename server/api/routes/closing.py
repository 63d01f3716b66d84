"""Months: checklist, decisions, confirmation, closing, opening again, adjustments."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from server.access.viewer import Viewer
from server.api.answers import closing as answers
from server.api.answers.narrowing import narrow_to
from server.api.context import CallerDep, Context, ContextDep
from server.api.guards import ExceptionDecider, MonthCloser, MonthReader, OwnAsker, whom
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.closing import (
    AdjustmentsView,
    AnswerBody,
    AskBody,
    CloseBody,
    ConfirmationState,
    ConfirmationsView,
    CountView,
    DefaultBody,
    ManualBody,
    MonthDetailView,
    MonthsView,
    OutcomeView,
    OwnConfirmationView,
    PendingListView,
    ReasonBody,
    RecordBody,
    RecordsBody,
)
from server.services import closing, confirming, decisions
from server.services.act import Act
from server.services.decisions import Which
from server.store.closing_queries import RecordId

router = APIRouter(prefix="/api", tags=["closing"])

MonthPath = Annotated[str, Path(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]


# --- looking --------------------------------------------------------------------------------------------------------


@router.get("/months")
async def months(viewer: MonthReader, context: ContextDep) -> MonthsView:
    """Months with records in scope and how each stands, newest first."""
    return await answers.months(context, viewer)


@router.get("/months/{month}")
async def month(viewer: MonthReader, context: ContextDep, month: MonthPath) -> MonthDetailView:
    """A month's checklist for the people in scope, its closings, who has confirmed."""
    return await answers.month(context, viewer, month)


@router.get("/months/{month}/pending")
async def month_pending(
    *,
    viewer: MonthReader,
    context: ContextDep,
    month: MonthPath,
    department: Id | None = None,
    undecided: bool = False,
    page: PageDep,
) -> PendingListView:
    """Records with pending minutes by date and name; ``undecided`` leaves out those with a decision that stands."""
    return await answers.pending(context, viewer, month, department, undecided=undecided, page=page)


@router.get("/months/{month}/adjustments")
async def month_adjustments(
    *,
    viewer: MonthReader,
    context: ContextDep,
    month: MonthPath,
    department: Id | None = None,
    by: Literal["posted", "of"] = "posted",
    page: PageDep,
) -> AdjustmentsView:
    """Adjustments posted to the month, or ``of`` its own records, each with what came late."""
    return await answers.adjustments(context, viewer, month, department, posted=by == "posted", page=page)


# --- deciding -------------------------------------------------------------------------------------------------------


@router.post("/decisions/preview")
async def preview_decisions(body: DefaultBody, viewer: ExceptionDecider, context: ContextDep) -> OutcomeView:
    """What the default decision would come to; nothing is stored."""
    return OutcomeView.model_validate(await decisions.preview_default(context.db, viewer, await _which(context, body)))


@router.post("/decisions/default")
async def decide_default(
    body: DefaultBody, viewer: ExceptionDecider, context: ContextDep, caller: CallerDep
) -> OutcomeView:
    """The default decision (AR-35) for these records in scope."""
    which = await _which(context, body)
    act = Act(viewer, caller)
    done = await decisions.decide_default(context.db, act, which, expected=body.expected, note=body.note)
    return OutcomeView.model_validate(done)


@router.post("/decisions/manual")
async def decide_manually(
    body: ManualBody, viewer: ExceptionDecider, context: ContextDep, caller: CallerDep
) -> OutcomeView:
    """So many of the pending minutes of each record are absence, with a reason."""
    splits = {_record(one): one.absent_min for one in body.records}
    return OutcomeView.model_validate(
        await decisions.decide_manually(context.db, Act(viewer, caller), splits, body.note)
    )


@router.post("/decisions/withdraw")
async def withdraw_decisions(
    body: RecordsBody, viewer: ExceptionDecider, context: ContextDep, caller: CallerDep
) -> CountView:
    """Take decisions back; the records are pending again."""
    records = [_record(one) for one in body.records]
    return CountView(count=await decisions.withdraw(context.db, Act(viewer, caller), records))


# --- confirming -----------------------------------------------------------------------------------------------------


@router.get("/months/{month}/confirmations")
async def month_confirmations(
    *,
    viewer: MonthReader,
    context: ContextDep,
    month: MonthPath,
    department: Id | None = None,
    state: ConfirmationState | None = None,
    page: PageDep,
) -> ConfirmationsView:
    """Who in scope has confirmed, those that need somebody first."""
    return await answers.confirmations(context, viewer, month, department, state=state, page=page)


@router.post("/months/{month}/confirmations/ask")
async def ask_confirmations(
    body: AskBody, viewer: ExceptionDecider, context: ContextDep, caller: CallerDep, month: MonthPath
) -> CountView:
    """Ask people in scope to confirm the month, or remind those who have not."""
    async with context.db.reading() as connection:
        narrow = await narrow_to(connection, body.department)
    act = Act(viewer, caller)
    asked = await confirming.ask(context.db, act, month, narrow=narrow, people=body.people, again=body.again)
    return CountView(count=asked)


@router.get("/me/months/{month}/confirmation")
async def own_confirmation(viewer: OwnAsker, context: ContextDep, month: MonthPath) -> OwnConfirmationView:
    """One's own month in sums, and what one said of it."""
    return await answers.own_confirmation(context, _own(viewer), month)


@router.post("/me/months/{month}/confirmation")
async def answer_confirmation(
    body: AnswerBody, viewer: OwnAsker, context: ContextDep, caller: CallerDep, month: MonthPath
) -> OwnConfirmationView:
    """Confirm one's month, or object to it; ``sums`` are the numbers that were shown."""
    act = Act(viewer, caller)
    await confirming.answer(context.db, act, month, body.answer, body.comment, shown=body.sums)
    return await answers.own_confirmation(context, _own(viewer), month)


# --- closing --------------------------------------------------------------------------------------------------------


@router.post("/months/{month}/close")
async def close(
    body: CloseBody, viewer: MonthCloser, context: ContextDep, caller: CallerDep, month: MonthPath
) -> MonthDetailView:
    """Close the month for the whole company: ``not_ready`` and ``not_accepted`` say that something is left."""
    zone = context.config.zone
    await closing.close_month(context.db, Act(viewer, caller), month, zone, accepted=body.accepted)
    return await answers.month(context, viewer, month)


@router.post("/months/{month}/reopen/ask")
async def ask_reopening(
    body: ReasonBody, viewer: MonthCloser, context: ContextDep, caller: CallerDep, month: MonthPath
) -> MonthDetailView:
    """Ask for a closed month to be opened again; another person has to do it."""
    await closing.ask_reopening(context.db, Act(viewer, caller), month, body.reason)
    return await answers.month(context, viewer, month)


@router.post("/months/{month}/reopen/withdraw")
async def withdraw_reopening(
    viewer: MonthCloser, context: ContextDep, caller: CallerDep, month: MonthPath
) -> MonthDetailView:
    """Take back or refuse what was asked; the month stays closed."""
    await closing.withdraw_reopening(context.db, Act(viewer, caller), month)
    return await answers.month(context, viewer, month)


@router.post("/months/{month}/reopen")
async def reopen(viewer: MonthCloser, context: ContextDep, caller: CallerDep, month: MonthPath) -> MonthDetailView:
    """Open a month that somebody else asked for; ``same_person`` for who asked."""
    await closing.reopen(context.db, Act(viewer, caller), month)
    return await answers.month(context, viewer, month)


def _own(viewer: Viewer) -> str:
    return whom(viewer, "me", others="me.request")


def _record(body: RecordBody) -> RecordId:
    return body.employee, body.date, body.part


async def _which(context: Context, body: DefaultBody) -> Which:
    async with context.db.reading() as connection:
        narrow = await narrow_to(connection, body.department)
    return Which(body.month, narrow, tuple(_record(one) for one in body.records))
