"""The HTTP application: routes, guards, headers, errors, pages."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from server.api.context import Context, Live
from server.api.routes import attendance, devices, health, live, logs, people, scores, session
from server.api.views import ErrorView
from server.config import ServerConfig
from server.services.passwords import Passwords
from server.store.database import Database
from shared.clock import Clocks, system_clocks


def create_app(db: Database, config: ServerConfig, clocks: Clocks | None = None, hub: Live | None = None) -> FastAPI:
    """Every route over this database; without a hub ``/live`` answers 503."""
    app = FastAPI(
        title="Muster",
        version="1",
        openapi_url=None,  # administrators only: see routes/document.py
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        responses={"default": {"model": ErrorView, "description": "What went wrong, as a code."}},
    )
    app.state.context = Context(db, config, clocks or system_clocks(), Passwords(), hub)
    for subject in (session, attendance, scores, devices, people, logs, health, live):
        app.include_router(subject.router)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
