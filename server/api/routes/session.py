"""Sign in, sign out, who am I."""

from fastapi import APIRouter, Request, Response

from server.access.errors import SignInError
from server.api.answers import people
from server.api.context import CallerDep, ContextDep
from server.api.guards import COOKIE, SignedInDep, public
from server.api.views.session import LoginBody, MeView
from server.services import accounts

router = APIRouter(prefix="/api", tags=["session"])


@router.post("/login", dependencies=[public])
async def login(
    body: LoginBody, request: Request, response: Response, context: ContextDep, caller: CallerDep
) -> MeView:
    """Sign in: sets the session cookie and says what the menu may show."""
    former = request.cookies.get(COOKIE)
    token = await accounts.sign_in(
        context.db, context.passwords, body.login, body.password, caller=caller, former=former
    )
    viewer = await accounts.viewer_of(context.db, token, caller.at_ms)
    if viewer is None:
        raise SignInError("the account was closed at this moment")
    response.set_cookie(COOKIE, token, path="/", secure=True, httponly=True, samesite="lax")
    return await people.me(context, viewer)


@router.post("/logout", status_code=204)
async def logout(response: Response, viewer: SignedInDep, context: ContextDep, caller: CallerDep) -> None:
    """End this session."""
    await accounts.sign_out(context.db, viewer, caller)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


@router.get("/me")
async def me(viewer: SignedInDep, context: ContextDep) -> MeView:
    """Who is signed in and what the menu may show."""
    return await people.me(context, viewer)
