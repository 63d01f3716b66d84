"""Asking for leave, corrections, overtime, trips and swaps, and looking at what was asked for."""

import datetime as dt
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers import requests as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import OwnAsker, RequestReader, RequestSettings, whom
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.requests import (
    AskBody,
    AskedView,
    AskForBody,
    CheckView,
    ColleaguesView,
    CountsView,
    FileView,
    Kind,
    OptionsView,
    RequestDetailView,
    RequestsView,
    State,
)
from server.services import requests
from server.services.requests import Upload
from server.store.asked_queries import Wanted

router = APIRouter(prefix="/api", tags=["requests"])

States = Annotated[list[State], Query()]
Kinds = Annotated[list[Kind], Query()]
Month = Annotated[str | None, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]

_RAW = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


# --- one's own ------------------------------------------------------------------------------------------------------


@router.get("/my/requests")
async def my_requests(
    *,
    viewer: OwnAsker,
    context: ContextDep,
    state: States = [],  # noqa: B006  (the framework copies it)
    kind: Kinds = [],  # noqa: B006
    month: Month = None,
    page: PageDep,
) -> RequestsView:
    """The viewer's requests, newest first."""
    from_ms, to_ms = answers.month_or_always(context, month)
    wanted = Wanted(state, kind, whom(viewer, "me", others="requests.read"), from_ms, to_ms)
    return await answers.page_of(context, Scope(employee=viewer.employee), wanted, page)


@router.get("/my/requests/options")
async def my_options(viewer: OwnAsker, context: ContextDep, caller: CallerDep) -> OptionsView:
    """Leave types and limits for the viewer's forms."""
    return await answers.options(context, Scope(employee=viewer.employee), _me(viewer), caller.at_ms)


@router.get("/my/requests/colleagues")
async def my_colleagues(viewer: OwnAsker, context: ContextDep, date: dt.date) -> ColleaguesView:
    """Whom the viewer may swap with on a date."""
    return await answers.colleagues(context, Scope(employee=viewer.employee), _me(viewer), date)


@router.post("/my/requests/check")
async def check_request(body: AskBody, viewer: OwnAsker, context: ContextDep, caller: CallerDep) -> CheckView:
    """What a request would be: minutes, balance, warnings, who decides; nothing is stored."""
    ask = answers.ask_of(body)
    return answers.check_view(await requests.check(context.db, viewer, _me(viewer), ask, caller.at_ms, by_hr=False))


@router.post("/my/requests", status_code=201)
async def ask_request(body: AskBody, viewer: OwnAsker, context: ContextDep, caller: CallerDep) -> AskedView:
    """Ask for something."""
    number = await requests.ask(context.db, viewer, _me(viewer), answers.ask_of(body), caller, by_hr=False)
    return AskedView(id=number)


# --- anybody's in sight ---------------------------------------------------------------------------------------------


@router.get("/requests")
async def team_requests(
    *,
    viewer: RequestReader,
    context: ContextDep,
    state: States = [],  # noqa: B006
    kind: Kinds = [],  # noqa: B006
    department: Id | None = None,
    employee: Id | None = None,
    month: Month = None,
    page: PageDep,
) -> RequestsView:
    """Requests of people in scope, newest first."""
    from_ms, to_ms = answers.month_or_always(context, month)
    narrow = await answers.narrowed_to(context, department)
    return await answers.page_of(context, viewer.scope, Wanted(state, kind, employee, from_ms, to_ms, narrow), page)


@router.get("/requests/counts")
async def request_counts(viewer: OwnAsker, context: ContextDep, caller: CallerDep) -> CountsView:
    """Numbers of badges."""
    return await answers.counts(context, viewer, caller.at_ms)


@router.get("/requests/options")
async def options_of(viewer: RequestSettings, context: ContextDep, caller: CallerDep, employee: Id) -> OptionsView:
    """Leave types and limits for a form that HR fills in for somebody."""
    return await answers.options(context, viewer.scope, employee, caller.at_ms)


@router.post("/requests/check")
async def check_request_for(
    body: AskForBody, viewer: RequestSettings, context: ContextDep, caller: CallerDep
) -> CheckView:
    """What a request that HR enters would be."""
    ask = answers.ask_of(body.request)
    return answers.check_view(await requests.check(context.db, viewer, body.employee, ask, caller.at_ms, by_hr=True))


@router.post("/requests", status_code=201)
async def ask_request_for(
    body: AskForBody, viewer: RequestSettings, context: ContextDep, caller: CallerDep
) -> AskedView:
    """Ask in somebody's name; limits of corrections become warnings."""
    ask = answers.ask_of(body.request)
    return AskedView(id=await requests.ask(context.db, viewer, body.employee, ask, caller, by_hr=True))


@router.get("/requests/{number}")
async def request_detail(viewer: OwnAsker, context: ContextDep, caller: CallerDep, number: int) -> RequestDetailView:
    """A request: one's own, in scope, or waiting for the viewer."""
    return await answers.detail(context, viewer, number, caller.at_ms)


@router.post("/requests/{number}/files", status_code=201, openapi_extra=_RAW)
async def add_request_file(
    request: Request,
    viewer: OwnAsker,
    context: ContextDep,
    caller: CallerDep,
    number: int,
    *,
    name: Annotated[str, Query(min_length=1, max_length=200)],
) -> FileView:
    """Add a document as the body: PDF, JPEG, PNG or WebP up to 10 MiB."""
    upload = Upload(name, await request.body())
    file = await requests.add_file(context.db, viewer, number, upload, caller)
    async with context.db.reading() as connection:
        found = await requests.shown(connection, viewer, number, caller.at_ms)
    return next(FileView.model_validate(one) for one in found.files if one.id == file)


@router.get("/requests/{number}/files/{file}", response_class=Response)
async def request_file(viewer: OwnAsker, context: ContextDep, caller: CallerDep, number: int, file: int) -> Response:
    """A document, to be saved."""
    async with context.db.reading() as connection:
        name, media_type, content = await requests.file_of(connection, viewer, number, file, caller.at_ms)
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"},
    )


def _me(viewer: Viewer) -> str:
    return whom(viewer, "me", others="requests.read")
