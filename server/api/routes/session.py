"""Sign in, sign out, who am I."""

from fastapi import APIRouter, Request, Response

from server.api.context import ContextDep
from server.api.guards import COOKIE, SignedInDep, public
from server.api.views import LoginBody, MeView

router = APIRouter(prefix="/api", tags=["session"])


@router.post("/login", dependencies=[public])
async def login(body: LoginBody, request: Request, response: Response, context: ContextDep) -> MeView:
    """Sign in: sets the session cookie and says what the menu may show."""
    raise NotImplementedError


@router.post("/logout", status_code=204)
async def logout(response: Response, request: Request, viewer: SignedInDep, context: ContextDep) -> None:
    """End this session."""
    raise NotImplementedError


@router.get("/me")
async def me(viewer: SignedInDep, context: ContextDep) -> MeView:
    """Who is signed in and what the menu may show."""
    raise NotImplementedError
