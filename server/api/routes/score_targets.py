"""Targets of everybody, of departments and of people: listed, set one by one or by a file, taken back."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

from server.api.answers import score_targets as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import SchemeReader, ScoreCloser
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.score_targets import (
    ScoreTargetBody,
    ScoreTargetFileView,
    ScoreTargetKeyBody,
    ScoreTargetsSetView,
    ScoreTargetsView,
)
from server.scoring.target import Target
from server.scoring.target_file import read_targets
from server.services import targets
from server.services.act import Act

router = APIRouter(prefix="/api/score-targets", tags=["score targets"])

_RAW = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("")
async def score_targets(
    *,
    viewer: SchemeReader,
    context: ContextDep,
    indicator: Annotated[Id | None, Query()] = None,
    q: Annotated[str, Query(max_length=100)] = "",
    page: PageDep,
) -> ScoreTargetsView:
    """Targets of everybody, and of departments and people in scope, the newest of each first; ``q`` is whose."""
    return await answers.listed(context, viewer, indicator, q.strip(), page)


@router.post("")
async def put_score_target(
    viewer: ScoreCloser, context: ContextDep, caller: CallerDep, body: ScoreTargetBody
) -> ScoreTargetsSetView:
    """Set a target from a day on; one of the same day is replaced."""
    target = Target(body.indicator, body.unit, body.starts, body.target)
    act, starts = Act(viewer, caller), body.starts.isoformat()
    entry = act.entry("scores.targets", _subject(body), targets=1, starts=starts, target=body.target)
    scorecards = await targets.set_targets(context.db, viewer.scope, [target], entry, [body.kind])
    return ScoreTargetsSetView(targets=1, scorecards=scorecards)


@router.post("/remove")
async def remove_score_target(
    viewer: ScoreCloser, context: ContextDep, caller: CallerDep, body: ScoreTargetKeyBody
) -> ScoreTargetsSetView:
    """Take a target back as if it had never been set; the one before it holds on."""
    entry = Act(viewer, caller).entry("scores.target_removed", _subject(body), starts=body.starts.isoformat())
    scorecards = await targets.remove_target(
        context.db, viewer.scope, entry, indicator=body.indicator, unit=body.unit, starts=body.starts
    )
    return ScoreTargetsSetView(targets=1, scorecards=scorecards)


@router.post("/file/check", openapi_extra=_RAW)
async def check_score_targets(request: Request, viewer: ScoreCloser, context: ContextDep) -> ScoreTargetFileView:
    """What a CSV or XLSX file as the body would set, line by line, and its faults; nothing is stored."""
    lines = await asyncio.to_thread(read_targets, await request.body())
    return await answers.checked(context, viewer.scope, lines)


@router.post("/file", openapi_extra=_RAW)
async def put_score_targets(
    request: Request, viewer: ScoreCloser, context: ContextDep, caller: CallerDep
) -> ScoreTargetsSetView:
    """Set the targets of a CSV or XLSX file as the body: all, or none where a line has a fault."""
    lines = await asyncio.to_thread(read_targets, await request.body())
    entry = Act(viewer, caller).entry("scores.targets", "", targets=len(lines))
    scorecards = await targets.set_lines(context.db, viewer.scope, lines, entry)
    return ScoreTargetsSetView(targets=len(lines), scorecards=scorecards)


def _subject(body: ScoreTargetKeyBody) -> str:
    return f"{body.indicator}/{body.unit}"
