"""Accounts and sessions."""

from server.access.viewer import Viewer
from server.store.database import Database
from shared.clock import WallMs


async def viewer_of(db: Database, token: str, now_ms: WallMs) -> Viewer | None:
    """Who the session token belongs to; None when the session is dead or the account is disabled."""
    raise NotImplementedError
