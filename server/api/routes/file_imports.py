"""The migration wizard: files of old systems become facts step by step, and can be taken back until one signs."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request

from server.api.context import CallerDep, ContextDep
from server.api.guards import SourceWriter, requires
from server.api.paging import PageDep
from server.api.views.base import Id, NameView
from server.api.views.file_imports import (
    DryRunView,
    FactFieldView,
    FactKindsView,
    FactKindView,
    FileColumnView,
    FileImportRowView,
    FileImportsView,
    FileImportView,
    MapBody,
    ReconciledView,
    SignBody,
    WorkBody,
)
from server.api.views.sources import MapProblemView
from server.connectors.columns import ColumnMap, as_source_file, suggested_columns
from server.connectors.errors import Problem, SourceFileError
from server.connectors.presets import preset_names, preset_text
from server.connectors.profile import ColumnProfile
from server.facts.catalogue import FACTS
from server.facts.codes import WORDS
from server.facts.field_kinds import choices_of, field_kind
from server.facts.names import NAMES
from server.services import file_imports
from server.services.accounts import Caller
from server.services.file_imports import Brought
from server.store import file_import_queries
from server.store.file_import_queries import FileImport
from server.store.log_queries import Entry
from shared.errors import DataError

router = APIRouter(prefix="/api", tags=["history"])

_RAW = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/fact-kinds", dependencies=[requires("sources.read")])
async def fact_kinds() -> FactKindsView:
    """Every fact with its fields, to be mapped."""
    reasons = [NameView(id=code, name_zh=zh, name_en=en) for code, (zh, en) in WORDS.items()]
    return FactKindsView(rows=[_kind(name) for name in FACTS], reasons=reasons)


@router.post("/file-imports", openapi_extra=_RAW)
async def bring_file(
    *,
    request: Request,
    viewer: SourceWriter,
    context: ContextDep,
    caller: CallerDep,
    fact: Id,
    name: Annotated[str, Query(min_length=1, max_length=200)],
) -> FileImportView:
    """Bring a CSV, XLSX or JSON lines file as the body: its columns and a first guess of what they mean."""
    brought = Brought(name, await request.body(), fact)
    return _view(await file_imports.upload(context.db, brought, _entry(viewer.login, caller)))


@router.get("/file-imports", dependencies=[requires("sources.read")])
async def file_list(context: ContextDep, page: PageDep) -> FileImportsView:
    """Files, newest first, and how far each is."""
    async with context.db.reading() as connection:
        total, rows = await file_import_queries.page(connection, limit=page.limit, offset=page.offset)
    return FileImportsView(total=total, rows=[FileImportRowView.model_validate(row) for row in rows])


@router.get("/file-imports/{number}", dependencies=[requires("sources.read")])
async def file_import(context: ContextDep, number: int) -> FileImportView:
    """A file, its reports, and how far its work is."""
    return _view(await file_imports.find(context.db, number))


@router.post("/file-imports/{number}/map")
async def map_file(
    viewer: SourceWriter, context: ContextDep, caller: CallerDep, number: int, body: MapBody
) -> FileImportView:
    """Say what its columns mean; ``problems`` with lines, and then the map is not taken."""
    file = await file_imports.find(context.db, number)
    text = await asyncio.to_thread(_text, file, body)
    try:
        return _view(await file_imports.put_map(context.db, number, text, body.stream, _entry(viewer.login, caller)))
    except SourceFileError as error:
        return _view(file, error.problems)


@router.post("/file-imports/{number}/work", status_code=202)
async def work_on_file(
    viewer: SourceWriter, context: ContextDep, caller: CallerDep, number: int, body: WorkBody
) -> FileImportView:
    """Have it checked, imported, compared or taken back by the process that runs sources; does not wait for it."""
    return _view(await file_imports.begin(context.db, number, body.work, _entry(viewer.login, caller)))


@router.post("/file-imports/{number}/sign")
async def sign_file(
    viewer: SourceWriter, context: ContextDep, caller: CallerDep, number: int, body: SignBody
) -> FileImportView:
    """Say that what is stored is right: it is not undone any more."""
    return _view(await file_imports.sign(context.db, number, body.note, _entry(viewer.login, caller)))


def _text(file: FileImport, body: MapBody) -> str:
    if body.columns is not None:
        wanted = body.columns
        return as_source_file(
            ColumnMap(
                source=wanted.source,
                fact=file.fact,
                timezone=wanted.timezone,
                key=tuple(wanted.key),
                columns=wanted.columns,
                constants=wanted.constants,
                values=wanted.values,
            )
        )
    if body.preset is not None:
        if body.preset not in preset_names():
            raise DataError(f"no preset {body.preset}", "no_preset")
        return preset_text(body.preset)
    return body.text or ""


def _view(file: FileImport, problems: Sequence[Problem] = ()) -> FileImportView:
    columns = [ColumnProfile(**{**one, "samples": tuple(one["samples"])}) for one in file.profile["columns"]]
    return FileImportView(
        file=FileImportRowView.model_validate(file),
        columns=[FileColumnView.model_validate(one) for one in columns],
        suggested=suggested_columns(file.fact, columns),
        map=file.map,
        report=None if file.report is None else DryRunView.model_validate(file.report),
        reconciled=None if file.reconciled is None else ReconciledView.model_validate(file.reconciled),
        second_person=file_imports.needs_second(file),
        problems=[MapProblemView.model_validate(one) for one in problems],
    )


def _kind(name: str) -> FactKindView:
    kind = FACTS[name]
    fields = [
        FactFieldView(
            name=field,
            kind=field_kind(kind.row, field),
            required=field in kind.required,
            choices=list(choices_of(kind.row, field)),
        )
        for field in kind.row.model_fields
        if field != "source_key"
    ]
    name_zh, name_en = NAMES[name]
    return FactKindView(id=name, name_zh=name_zh, name_en=name_en, key=kind.key, fields=fields)


def _entry(actor: str, caller: Caller) -> Entry:
    return Entry(caller.at_ms, actor, "", "", "done", caller.ip, caller.request_id)
