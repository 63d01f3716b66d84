"""Files that people, rosters and results are read from. Each kind has its own permission, asked in the service."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from server.api.answers import imports as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import SignedInDep
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.imports import CheckedView, ImportListView, ImportRowView, ImportView, MappingBody
from server.services import imports

router = APIRouter(prefix="/api", tags=["imports"])

_RAW = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/imports", openapi_extra=_RAW)
async def upload_import(
    request: Request,
    viewer: SignedInDep,
    context: ContextDep,
    caller: CallerDep,
    kind: Id,
    *,
    name: Annotated[str, Query(min_length=1, max_length=200)],
) -> ImportView:
    """Bring a CSV or XLSX file as the body: its columns, first rows, and what they seem to mean."""
    found = imports.kind_for(viewer, kind)
    data = await request.body()
    return answers.opened_view(await imports.upload(context.db, found, imports.who_of(viewer, caller), name, data))


@router.get("/imports")
async def import_list(viewer: SignedInDep, context: ContextDep, kind: Id, page: PageDep) -> ImportListView:
    """Files of a kind, newest first."""
    return await answers.listed(context, viewer, kind, page)


@router.get("/imports/{number}")
async def import_file(viewer: SignedInDep, context: ContextDep, caller: CallerDep, number: int) -> ImportView:
    """A file that was brought before."""
    kind = await imports.kind_of_file(context.db, viewer, number)
    return answers.opened_view(await imports.open_file(context.db, kind, imports.who_of(viewer, caller), number))


@router.post("/imports/{number}/check")
async def check_import(
    viewer: SignedInDep, context: ContextDep, caller: CallerDep, number: int, body: MappingBody
) -> CheckedView:
    """What the file would do; nothing is written."""
    kind = await imports.kind_of_file(context.db, viewer, number)
    who = imports.who_of(viewer, caller)
    return answers.checked_view(
        await imports.check(context.db, kind, who, number, imports.Meaning(body.mapping, body.options))
    )


@router.post("/imports/{number}/apply")
async def apply_import(
    viewer: SignedInDep, context: ContextDep, caller: CallerDep, number: int, body: MappingBody
) -> ImportRowView:
    """Write what the file says, all or nothing."""
    kind = await imports.kind_of_file(context.db, viewer, number)
    who = imports.who_of(viewer, caller)
    return answers.row_view(
        await imports.apply(context.db, kind, who, number, imports.Meaning(body.mapping, body.options))
    )


@router.post("/imports/{number}/undo")
async def undo_import(viewer: SignedInDep, context: ContextDep, caller: CallerDep, number: int) -> ImportRowView:
    """Put back what was there before the file."""
    kind = await imports.kind_of_file(context.db, viewer, number)
    return answers.row_view(await imports.undo(context.db, kind, imports.who_of(viewer, caller), number))
