"""Business systems: how they do, their runs, running them now, and what a map makes of a saved reply."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from server.access.errors import NotFoundError
from server.api.answers import sources as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import SourceWriter, requires
from server.api.paging import PageDep
from server.api.views.sources import (
    CheckBody,
    CheckedMapView,
    MapProblemView,
    OrderedView,
    OriginView,
    PresetsView,
    PresetTextView,
    PresetView,
    ReplayBody,
    RunBody,
    RunsView,
    SourcesView,
    SourceView,
)
from server.connectors.presets import preset_names, preset_text
from server.connectors.saved import Saved
from server.services import mapping_check, source_orders
from server.services.accounts import Caller
from server.services.source_orders import Asked
from server.services.sources import load_source
from server.store import source_queries
from server.store.log_queries import Entry

router = APIRouter(prefix="/api", tags=["sources"])


def _check_schema() -> dict[str, Any]:
    """Of the body of a check, in one piece: the document knows no schemas of bodies that a route reads itself."""
    schema = CheckBody.model_json_schema()
    schema["properties"]["samples"]["items"] = schema.pop("$defs")["SampleBody"]
    return schema


_CHECK = {"requestBody": {"required": True, "content": {"application/json": {"schema": _check_schema()}}}}


@router.get("/sources", dependencies=[requires("sources.read")])
async def source_list(context: ContextDep) -> SourcesView:
    """Every source: how it does, how fresh it is, when it is due, what went wrong last."""
    now_ms = context.clocks.wall_ms()
    return SourcesView(now_ms=now_ms, rows=await answers.every(context, now_ms))


@router.get("/sources/{source}", dependencies=[requires("sources.read")])
async def source(context: ContextDep, source: str) -> SourceView:
    """One of them, with its streams."""
    return await answers.one(context, source, context.clocks.wall_ms())


@router.get("/sources/{source}/runs", dependencies=[requires("sources.read")])
async def source_runs(
    context: ContextDep, page: PageDep, source: str, stream: Annotated[str | None, Query(max_length=200)] = None
) -> RunsView:
    """Its runs, or those of one stream, newest first."""
    async with context.db.reading() as connection:
        await load_source(connection, source)
        total, rows = await source_queries.runs(connection, source, stream, limit=page.limit, offset=page.offset)
    return RunsView(total=total, rows=[answers.run_view(row) for row in rows])


@router.post("/sources/{source}/run", status_code=202)
async def run_source_now(
    viewer: SourceWriter, context: ContextDep, caller: CallerDep, source: str, body: RunBody
) -> OrderedView:
    """Have it read now by the process that runs sources, as soon as nobody else does; does not wait for it."""
    asked = Asked("whole" if body.whole else "run", viewer.login, caller.at_ms, body.confirmed)
    entry = _entry(viewer.login, "source.run", caller)
    return OrderedView(streams=await source_orders.ask(context.db, source, body.stream, asked, entry))


@router.post("/sources/{source}/replay", status_code=202)
async def replay_source(
    viewer: SourceWriter, context: ContextDep, caller: CallerDep, source: str, body: ReplayBody
) -> OrderedView:
    """Have the kept pages mapped again by the map of today; the system is not asked, and nobody waits."""
    asked = Asked("replay", viewer.login, caller.at_ms)
    entry = _entry(viewer.login, "source.replay", caller)
    return OrderedView(streams=await source_orders.ask(context.db, source, body.stream, asked, entry))


@router.get("/source-presets", dependencies=[requires("sources.read")])
async def source_presets() -> PresetsView:
    """Every preset with its streams."""
    found = await asyncio.to_thread(mapping_check.presets)
    return PresetsView(
        rows=[
            PresetView(
                name=name,
                name_zh=preset.title.zh if preset.title else name,
                name_en=preset.title.en if preset.title else name,
                streams=[stream.id for stream in preset.streams],
            )
            for name, preset in zip(preset_names(), found, strict=True)
        ]
    )


@router.get("/source-presets/{name}", dependencies=[requires("sources.read")])
async def source_preset(name: str) -> PresetTextView:
    """A preset as a file."""
    if name not in preset_names():
        raise NotFoundError(f"preset {name}")
    return PresetTextView(text=preset_text(name))


@router.post("/source-check", dependencies=[requires("sources.read")], openapi_extra=_CHECK)
async def check_source(request: Request) -> CheckedMapView:
    """What a map makes of saved replies: rows, quarantine, errors. Nobody is asked, nothing is stored."""
    body = _read(await request.body())
    replies = [Saved(sample.name, sample.body, sample.stream) for sample in body.samples]
    checked = await asyncio.to_thread(mapping_check.check_map, body.preset, body.source, replies)
    return CheckedMapView(
        **checked.outcome.as_json(),
        origins=[OriginView.model_validate(one) for one in checked.outcome.origins],
        problems=[MapProblemView.model_validate(one) for one in checked.problems],
    )


def _read(raw: bytes) -> CheckBody:
    """Read here, after the guard: a body of this size is not taken from everybody."""
    try:
        return CheckBody.model_validate_json(raw)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from error


def _entry(actor: str, action: str, caller: Caller) -> Entry:
    return Entry(caller.at_ms, actor, action, "", "done", caller.ip, caller.request_id)
