"""What every route gets at: database, settings, clocks, password hashing, live streams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from fastapi.responses import Response

from server.access.topics import Topic
from server.access.viewer import Viewer
from server.config import ServerConfig
from server.services.accounts import Caller
from server.services.passwords import Passwords
from server.store.database import Database
from shared.clock import Clocks, WallMs


class Live(Protocol):
    """The hub of live frames, as the routes see it."""

    def stream(self, viewer: Viewer, topics: Sequence[Topic], zone: ZoneInfo) -> Response:
        """A response that sends frames of these topics until the viewer leaves or loses the right to them.

        ``zone`` says which punches are of a day.
        """
        ...

    async def run(self) -> None:
        """Follow the database for the life of the process."""
        ...

    def close(self) -> None:
        """End every stream, so that the process can."""
        ...

    @property
    def looked_ms(self) -> WallMs | None:
        """When the hub last looked for changes; None before the first time."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """Built once, by ``create_app``."""

    db: Database
    config: ServerConfig
    clocks: Clocks
    passwords: Passwords
    live: Live | None


def _context(request: Request) -> Context:
    context = request.app.state.context
    assert isinstance(context, Context)  # noqa: S101  (set by create_app; the framework keeps it untyped)
    return context


ContextDep = Annotated[Context, Depends(_context)]


def _caller(request: Request, context: ContextDep) -> Caller:
    ip = request.client.host if request.client else "unknown"
    return Caller(ip, request.state.request_id, context.clocks.wall_ms())


CallerDep = Annotated[Caller, Depends(_caller)]
