"""Who works when."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from server.api.answers import rosters as answers
from server.api.answers.rosters import BoardQuestion, FileQuestion
from server.api.context import CallerDep, ContextDep
from server.api.guards import RosterReader, RosterWriter
from server.api.paging import PageDep
from server.api.views.rosters import BoardView, CheckBody, RosterCheckView, SaveBody
from server.services import rosters
from server.services.rosters import planners

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

router = APIRouter(prefix="/api", tags=["rosters"])


@router.get("/rosters")
async def roster_board(
    question: Annotated[BoardQuestion, Query()], viewer: RosterReader, context: ContextDep, page: PageDep
) -> BoardView:
    """A page of people in scope with what is planned for them, at most 62 days."""
    return await answers.board(context, viewer, question, page)


@router.get("/rosters/file", response_class=Response)
async def roster_file(
    question: Annotated[FileQuestion, Query()], viewer: RosterReader, context: ContextDep
) -> Response:
    """A month of everybody in scope as XLSX, in the form that an import reads back."""
    data = await answers.book(context, viewer, question)
    name = quote(f"排班表-{question.month}.xlsx" if question.language == "zh-CN" else f"roster-{question.month}.xlsx")
    disposition = f"attachment; filename=\"roster-{question.month}.xlsx\"; filename*=UTF-8''{name}"
    return Response(data, media_type=XLSX, headers={"Content-Disposition": disposition})


@router.post("/rosters/check")
async def check_roster(body: CheckBody, viewer: RosterWriter, context: ContextDep) -> RosterCheckView:
    """What the changes would do and what speaks against them; nothing is saved."""
    scope = planners(viewer.scope)
    edits = await answers.edits_of(context, scope, body.edits)
    return answers.check_view(await rosters.check_edits(context.db, scope, edits))


@router.post("/rosters")
async def save_roster(body: SaveBody, viewer: RosterWriter, context: ContextDep, caller: CallerDep) -> RosterCheckView:
    """Save the changes, all or none; conflicts are refused, and warnings that are not accepted."""
    scope = planners(viewer.scope)
    edits = await answers.edits_of(context, scope, body.edits)
    accept = body.accept_warnings
    saved = await rosters.save_edits(context.db, viewer.login, scope, edits, accept_warnings=accept, caller=caller)
    return answers.check_view(saved)
