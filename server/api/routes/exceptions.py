"""Records and punches that need a decision, alone and in bulk."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query

from server.api.answers import exceptions as answers
from server.api.answers.exceptions import Choice
from server.api.context import CallerDep, ContextDep
from server.api.guards import ExceptionDecider, OwnAsker, whom
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.closing import CountView
from server.api.views.exceptions import (
    ExceptionKind,
    ExceptionsView,
    HeldDecisionBody,
    OwnQuestionsView,
    QuestionBody,
)
from server.attendance.exceptions import Limits
from server.services import exceptions
from server.services.act import Act
from server.services.exceptions import Question

router = APIRouter(prefix="/api", tags=["exceptions"])

Over = Annotated[int, Query(ge=1, le=1_440)]


@router.get("/exceptions")
async def exceptions_list(
    *,
    viewer: ExceptionDecider,
    context: ContextDep,
    first: dt.date,
    last: dt.date,
    kind: ExceptionKind | None = None,
    department: Id | None = None,
    site: Id | None = None,
    q: Annotated[str, Query(max_length=100)] = "",
    late_over: Over = 30,
    early_over: Over = 30,
    undecided: bool = False,
    page: PageDep,
) -> ExceptionsView:
    """What needs somebody between two dates, both included, at most 62 days.

    Lateness and leaving early count from ``late_over`` and ``early_over`` minutes on.
    """
    question = Question(first, last, limits=Limits(late_over, early_over), undecided=undecided)
    return await answers.listed(context, viewer, Choice(question, department, site, kind, q), page)


@router.post("/exceptions/held")
async def decide_held(
    body: HeldDecisionBody, viewer: ExceptionDecider, context: ContextDep, caller: CallerDep
) -> CountView:
    """Release held punches at a time, or dismiss them, with a reason."""
    punches = {one.punch: one.at_ms for one in body.punches}
    act = Act(viewer, caller)
    done = await exceptions.decide_held(context.db, act, punches, body.note, release=body.outcome == "release")
    return CountView(count=done)


@router.post("/exceptions/ask")
async def ask_employees(
    body: QuestionBody, viewer: ExceptionDecider, context: ContextDep, caller: CallerDep
) -> CountView:
    """Ask employees what happened on these days."""
    days = {(one.employee, one.date) for one in body.days}
    return CountView(count=await exceptions.ask(context.db, Act(viewer, caller), days, body.note))


@router.get("/me/questions")
async def own_questions(viewer: OwnAsker, context: ContextDep, first: dt.date, last: dt.date) -> OwnQuestionsView:
    """What one was asked about days of the span, newest first."""
    return await answers.own_questions(context, whom(viewer, "me", others="me.request"), first, last)
