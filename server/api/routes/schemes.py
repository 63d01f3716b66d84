"""Schemes of weights: what is in force, drafts, versions, previews, definitions."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from server.access.errors import ForbiddenError
from server.access.viewer import Viewer
from server.api.answers import schemes
from server.api.answers.scheme_items import read_changes
from server.api.context import CallerDep, ContextDep
from server.api.guards import SchemeReader, SchemeWriter, requires
from server.api.views.base import Id
from server.api.views.schemes import (
    SchemeDefinitionView,
    SchemeDraftBody,
    SchemeDraftDetailView,
    SchemeDraftsView,
    SchemeEffectView,
    SchemeFileView,
    SchemePreviewBody,
    SchemePreviewView,
    SchemePublishedView,
    SchemeRollBackBody,
    SchemeSavedView,
    SchemeStepBody,
    SchemesView,
    SchemeTrialBody,
    SchemeTrialView,
)
from server.scoring.rules import Change
from server.services import schemes as service
from server.services.act import Act
from server.services.schemes import Author

router = APIRouter(prefix="/api/schemes", tags=["schemes"])

_RAW = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
Number = Annotated[int, Path(ge=1, le=2_147_483_647)]


@router.get("")
async def scheme_overview(viewer: SchemeReader, context: ContextDep) -> SchemesView:
    """Weights, seasons and changes of people in force, as far as they are about the viewer's people."""
    return await schemes.overview(context, viewer)


@router.get("/versions")
async def scheme_versions(viewer: SchemeReader, context: ContextDep) -> SchemeDraftsView:
    """Versions that were published, the newest first."""
    return await schemes.drafts(context, viewer, ["published"])


@router.get("/versions/{version}")
async def scheme_version(version: Number, viewer: SchemeReader, context: ContextDep) -> SchemeDraftDetailView:
    """What a version changed."""
    return await schemes.version(context, viewer, version)


@router.get("/versions/{version}/effect")
async def scheme_effect(version: Number, viewer: SchemeReader, context: ContextDep) -> SchemeEffectView:
    """Scores of the four weeks before and after a version came into force."""
    return await schemes.effect(context, viewer, version)


@router.post("/rollback")
async def scheme_roll_back(
    body: SchemeRollBackBody, viewer: SchemeWriter, context: ContextDep, caller: CallerDep
) -> SchemeSavedView:
    """A draft that lets everything be from a day on as it was in a version."""
    author = Author.of(Act(viewer, caller))
    return SchemeSavedView(id=await service.roll_back(context.db, body.version, body.day, body.title, author))


@router.get("/drafts")
async def scheme_drafts(viewer: SchemeWriter, context: ContextDep) -> SchemeDraftsView:
    """Drafts that are written, handed in or were refused, the newest first."""
    return await schemes.drafts(context, viewer, ["draft", "submitted", "rejected"])


@router.post("/drafts")
async def add_scheme_draft(
    body: SchemeDraftBody, viewer: SchemeWriter, context: ContextDep, caller: CallerDep
) -> SchemeSavedView:
    """Keep a draft; refused with field and reason when it can not come into force."""
    changes = _allowed(viewer, read_changes(body.changes))
    number = await service.save(context.db, body.title, changes, Author.of(Act(viewer, caller)))
    return SchemeSavedView(id=number)


@router.get("/drafts/{draft}")
async def scheme_draft(draft: Number, viewer: SchemeWriter, context: ContextDep) -> SchemeDraftDetailView:
    """A draft with each line beside what it replaces."""
    return await schemes.draft(context, viewer, draft)


@router.put("/drafts/{draft}")
async def change_scheme_draft(
    draft: Number, body: SchemeDraftBody, *, viewer: SchemeWriter, context: ContextDep, caller: CallerDep
) -> SchemeSavedView:
    """Write a draft anew."""
    changes, author = _allowed(viewer, read_changes(body.changes)), Author.of(Act(viewer, caller))
    return SchemeSavedView(id=await service.save(context.db, body.title, changes, author, draft, body.revision))


@router.get("/drafts/{draft}/preview")
async def scheme_draft_preview(
    draft: Number,
    *,
    viewer: SchemeWriter,
    context: ContextDep,
    caller: CallerDep,
    period: Annotated[str | None, Query(pattern=MONTH)] = None,
) -> SchemePreviewView:
    """What scores would be by a draft; nothing of it is stored."""
    return await schemes.preview_of(context, Act(viewer, caller), draft, period)


@router.post("/drafts/{draft}/submit")
async def submit_scheme_draft(
    draft: Number, body: SchemeStepBody, *, viewer: SchemeWriter, context: ContextDep, caller: CallerDep
) -> SchemeDraftDetailView:
    """Hand a draft in."""
    await service.submit(context.db, draft, body.revision, Author.of(Act(viewer, caller)))
    return await schemes.draft(context, viewer, draft)


@router.post("/drafts/{draft}/publish")
async def publish_scheme_draft(
    draft: Number, body: SchemeStepBody, *, viewer: SchemeWriter, context: ContextDep, caller: CallerDep
) -> SchemePublishedView:
    """Put what another person handed in in force as the next version."""
    author = Author.of(Act(viewer, caller))
    version, scorecards = await service.publish(context.db, draft, body.revision, author)
    return SchemePublishedView(version=version, scorecards=scorecards)


@router.post("/drafts/{draft}/reject")
async def reject_scheme_draft(
    draft: Number, body: SchemeStepBody, *, viewer: SchemeWriter, context: ContextDep, caller: CallerDep
) -> SchemeDraftDetailView:
    """Refuse what another person handed in, with the reason."""
    await service.reject(context.db, draft, body.revision, body.note, Author.of(Act(viewer, caller)))
    return await schemes.draft(context, viewer, draft)


@router.post("/drafts/{draft}/withdraw")
async def withdraw_scheme_draft(
    draft: Number, body: SchemeStepBody, *, viewer: SchemeWriter, context: ContextDep, caller: CallerDep
) -> SchemeDraftDetailView:
    """Take back a draft that nobody has decided about."""
    await service.withdraw(context.db, draft, body.revision, Author.of(Act(viewer, caller)))
    return await schemes.draft(context, viewer, draft)


@router.post("/preview")
async def scheme_preview(
    body: SchemePreviewBody, viewer: SchemeReader, context: ContextDep, caller: CallerDep
) -> SchemePreviewView:
    """What scores of people in scope would be by these lines; nothing of it is stored."""
    return await schemes.preview(context, Act(viewer, caller), body.changes, body.period, body.day)


@router.get("/indicators/{indicator}")
async def scheme_definition(indicator: Id, _viewer: SchemeReader, context: ContextDep) -> SchemeDefinitionView:
    """The newest definition of an indicator."""
    return await schemes.definition(context, indicator)


@router.post("/indicators/try")
async def try_scheme_definition(body: SchemeTrialBody, viewer: SchemeWriter, context: ContextDep) -> SchemeTrialView:
    """What a definition would observe in a period; nothing is written."""
    return await schemes.try_definition(context, viewer, body)


@router.post("/indicators/read", dependencies=[requires("admin")], openapi_extra=_RAW)
async def read_scheme_definitions(request: Request, context: ContextDep) -> SchemeFileView:
    """Definitions of a TOML file as the body, each with what keeps it out of a draft; nothing is written."""
    return await schemes.read_file(context, await request.body())


def _allowed(viewer: Viewer, changes: list[Change]) -> list[Change]:
    """Definitions of indicators are an administrator's."""
    if not viewer.may("admin") and any(one.kind == "indicator" for one in changes):
        raise ForbiddenError(f"{viewer.login} ({viewer.role}) may not define indicators")
    return changes
