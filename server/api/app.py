"""The HTTP application: routes, guards, headers, errors, pages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from server.api.context import Context, Live
from server.api.errors import handle_errors
from server.api.hardening import Hardening
from server.api.pages import load_pages, serve_pages
from server.api.routes import (
    approvals,
    attendance,
    calendars,
    closing,
    contracts,
    devices,
    document,
    exceptions,
    fact_review,
    file_imports,
    grid,
    health,
    identity_links,
    imports,
    ingest,
    leave,
    live,
    logs,
    notices,
    payroll,
    people,
    people_edit,
    recompute,
    reports,
    requests,
    rosters,
    schemes,
    score_periods,
    score_rewards,
    score_targets,
    scores,
    session,
    shadow,
    shifts,
    sources,
    trends,
)
from server.api.views.base import ErrorView
from server.config import ServerConfig
from server.services.passwords import Passwords
from server.store.database import Database
from shared.clock import Clocks, system_clocks

SUBJECTS = (
    session, attendance, grid, exceptions, requests, approvals, leave, rosters, shifts, calendars, closing, reports,
    notices, payroll, recompute, shadow, scores, score_periods, score_rewards, score_targets, schemes, devices,
    people, people_edit, contracts, imports, file_imports, fact_review, ingest, identity_links, sources, trends, logs,
    health, live, document,
)  # fmt: skip


def create_app(db: Database, config: ServerConfig, clocks: Clocks | None = None, hub: Live | None = None) -> FastAPI:
    """Every route over this database; without a hub ``/live`` answers 503."""
    app = FastAPI(
        title="Muster",
        version="1",
        openapi_url=None,  # administrators only: see routes/document.py
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_following(hub),
        generate_unique_id_function=_operation_id,
        responses={"default": {"model": ErrorView, "description": "What went wrong, as a code."}},
    )
    app.state.context = Context(db, config, clocks or system_clocks(), Passwords(), hub)
    app.add_middleware(Hardening)
    handle_errors(app)
    for subject in SUBJECTS:
        app.include_router(subject.router)
    serve_pages(app, load_pages())
    return app


def _following(hub: Live | None) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """A lifespan in which the hub follows the database."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(hub.run()) if hub else None
        yield
        if following is not None:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following

    return lifespan


def _operation_id(route: APIRoute) -> str:
    return route.name
