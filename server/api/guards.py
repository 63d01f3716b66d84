"""Who may call a route. Every route depends on exactly one guard; the inventory test walks them all."""

from collections.abc import Iterator
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends as DependsMarker

from server.access.clients import Client, ClientPermission
from server.access.errors import ForbiddenError, NotFoundError, SignInError
from server.access.roles import Permission
from server.access.viewer import Viewer
from server.api.context import CallerDep, Context, ContextDep
from server.services.accounts import viewer_of
from server.services.clients import client_of

COOKIE = "__Host-muster"


class Public:
    """Anybody may call it, signed in or not."""

    declares: Final = "public"

    async def __call__(self) -> None:
        """Nothing to check."""


class SignedIn:
    """Any signed-in user may call it."""

    declares: Final = "signed in"

    async def __call__(self, request: Request, context: ContextDep) -> Viewer:
        """The viewer; SignInError without a live session."""
        return await viewer_by_cookie(request, context)


class Requires:
    """Only users whose role has the permission may call it."""

    def __init__(self, permission: Permission) -> None:
        self.declares = permission

    async def __call__(self, request: Request, context: ContextDep) -> Viewer:
        """The viewer; ForbiddenError without the permission."""
        viewer = await viewer_by_cookie(request, context)
        if not viewer.may(self.declares):
            raise ForbiddenError(f"{viewer.login} ({viewer.role}) lacks {self.declares}")
        return viewer


class Signed:
    """Only who knows a source's secret may call it: the service checks the signature over the body as it came."""

    declares: Final = "signature"

    async def __call__(self) -> None:
        """Nothing to check before the body is read."""


class Machine:
    """Only programs whose token has the permission may call it; a session of a person is none."""

    def __init__(self, permission: ClientPermission) -> None:
        self._permission: Final = permission
        self.declares = f"client {permission}"

    async def __call__(self, request: Request, context: ContextDep, caller: CallerDep) -> Client:
        """The program; SignInError without a good bearer token, ForbiddenError without the permission."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else None
        return await client_of(context.db, bearer, self._permission, caller)


def requires(permission: Permission) -> DependsMarker:
    """For a route that asks only whether the viewer may, not who it is."""
    marker: DependsMarker = Depends(Requires(permission))
    return marker


async def viewer_by_cookie(request: Request, context: Context) -> Viewer:
    """Who the session cookie belongs to; SignInError when it is missing or dead."""
    token = request.cookies.get(COOKIE)
    viewer = await viewer_of(context.db, token, context.clocks.wall_ms()) if token else None
    if viewer is None:
        raise SignInError("no live session")
    return viewer


def whom(viewer: Viewer, employee: str, *, others: Permission) -> str:
    """Id of the employee asked for, ``me`` resolved; ForbiddenError when the role may not ask about others."""
    about = viewer.employee if employee == "me" else employee
    if about is None:
        raise NotFoundError(f"{viewer.login} is not an employee")
    if not viewer.may_see(about, others):
        raise ForbiddenError(f"{viewer.login} ({viewer.role}) lacks {others}")
    return about


def guards_of(dependant: Dependant) -> Iterator[str]:
    """What the guards of a route declare, however deep they sit."""
    if isinstance(dependant.call, Public | SignedIn | Requires | Machine | Signed):
        yield dependant.call.declares
    for below in dependant.dependencies:
        yield from guards_of(below)


public = Depends(Public())
signed = Depends(Signed())
SignedInDep = Annotated[Viewer, Depends(SignedIn())]
OwnReader = Annotated[Viewer, Depends(Requires("me.read"))]
ScoresReader = Annotated[Viewer, Depends(Requires("scores.read"))]
SchemeReader = Annotated[Viewer, Depends(Requires("schemes.read"))]
SchemeWriter = Annotated[Viewer, Depends(Requires("schemes.write"))]
ScoreJudge = Annotated[Viewer, Depends(Requires("scores.judge"))]
ScoreCloser = Annotated[Viewer, Depends(Requires("scores.close"))]
TodayReader = Annotated[Viewer, Depends(Requires("today.read"))]
PeopleReader = Annotated[Viewer, Depends(Requires("people.read"))]
PeopleMapper = Annotated[Viewer, Depends(Requires("people.map"))]
PeopleWriter = Annotated[Viewer, Depends(Requires("people.write"))]
OwnAsker = Annotated[Viewer, Depends(Requires("me.request"))]
RosterReader = Annotated[Viewer, Depends(Requires("rosters.read"))]
RosterWriter = Annotated[Viewer, Depends(Requires("rosters.write"))]
ShiftWriter = Annotated[Viewer, Depends(Requires("shifts.write"))]
CalendarWriter = Annotated[Viewer, Depends(Requires("calendar.write"))]
RequestReader = Annotated[Viewer, Depends(Requires("requests.read"))]
RequestDecider = Annotated[Viewer, Depends(Requires("requests.decide"))]
RequestSettings = Annotated[Viewer, Depends(Requires("requests.settings"))]
ExceptionDecider = Annotated[Viewer, Depends(Requires("exceptions.decide"))]
MonthReader = Annotated[Viewer, Depends(Requires("months.read"))]
MonthCloser = Annotated[Viewer, Depends(Requires("months.close"))]
ReportReader = Annotated[Viewer, Depends(Requires("reports.read"))]
NoticeWriter = Annotated[Viewer, Depends(Requires("notices.write"))]
ClientWriter = Annotated[Viewer, Depends(Requires("clients.write"))]
ContractReader = Annotated[Viewer, Depends(Requires("contracts.read"))]
ContractWriter = Annotated[Viewer, Depends(Requires("contracts.write"))]
FactReviewer = Annotated[Viewer, Depends(Requires("facts.review"))]
SourceWriter = Annotated[Viewer, Depends(Requires("sources.write"))]
ShadowReader = Annotated[Viewer, Depends(Requires("shadow"))]
PayrollReader = Annotated[Client, Depends(Machine("payroll.read"))]
