"""Where programs push rows and vendors call: signed, never by session."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response

from server.api.context import CallerDep, ContextDep
from server.api.guards import signed
from server.api.views.base import ErrorView
from server.api.views.ingest import AcceptedView, BatchBody
from server.connectors.push.hooks import ANSWERS, HookCall, Vendor
from server.connectors.push.signature import Stamp
from server.services import hooks, push
from server.services.push import PushCall
from server.services.sync_worker import secrets_of
from shared.clock import WallMs

router = APIRouter(prefix="/api/v1", tags=["ingest"], dependencies=[signed])

SourcePath = Annotated[str, Path(pattern=r"^[a-z0-9_]{1,60}$", description="Name of the source, as in its file.")]
FactPath = Annotated[str, Path(pattern=r"^[a-z_]{1,60}$", description="Fact of the rows, such as sales_order.")]
_REFUSALS = {
    401: "The signature is wrong, the time is more than 300 s off, or the nonce was used: not said which.",
    404: "The source sends no such fact.",
    409: "The Idempotency-Key came before, with another body.",
    413: "More than 1,000 rows, or more than 5 MB.",
    415: "The body is no JSON, or packed otherwise than by gzip.",
    422: "JSON, but not of the form.",
    429: "More calls a minute than the source's limits allow; Retry-After says when to call again.",
}
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": BatchBody.model_json_schema()}}}
}


@router.post(
    "/ingest/{source}/{fact}",
    status_code=202,
    response_model=AcceptedView,
    responses={status: {"model": ErrorView, "description": text} for status, text in _REFUSALS.items()},
    openapi_extra=_BODY,
)
async def push_rows(
    *,
    request: Request,
    context: ContextDep,
    caller: CallerDep,
    source: SourcePath,
    fact: FactPath,
    x_source: Annotated[str, Header(description="The source once more.")] = "",
    x_timestamp: Annotated[str, Header(description="Seconds since 1970.")] = "",
    x_nonce: Annotated[str, Header(description="8 to 64 letters, digits and dashes, never used before.")] = "",
    x_signature: Annotated[
        str, Header(description="v1=hex of HMAC-SHA256(secret, timestamp.nonce.body); v2= with HMAC-SM3.")
    ] = "",
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> dict[str, Any]:
    """Take rows of a fact. One bad row never fails the others: it waits in quarantine, and the answer says why."""
    call = PushCall(
        source=source if x_source in ("", source) else "",
        fact=fact,
        stamp=Stamp(x_timestamp, x_nonce, x_signature),
        body=await request.body(),
        encoding=request.headers.get("content-encoding", "").strip().lower(),
        key=idempotency_key,
    )
    return dict(await push.accept(context.db, call, secrets_of(context.config), caller.at_ms))


@router.post("/hooks/{vendor}/{source}")
async def take_hook(
    request: Request, context: ContextDep, caller: CallerDep, vendor: Vendor, source: SourcePath
) -> Response:
    """Take a vendor's call, and answer as the vendor wants it; the rows in it are worked on a moment later."""
    secrets = secrets_of(context.config)
    await hooks.receive(context.db, source, await _call(request, vendor, caller.at_ms), secrets, caller.at_ms)
    answer = ANSWERS[vendor]
    return Response(answer.body, media_type=answer.media_type)


@router.get("/hooks/{vendor}/{source}")
async def echo_hook(
    request: Request, context: ContextDep, caller: CallerDep, vendor: Vendor, source: SourcePath
) -> Response:
    """Answer WeCom's question whether the address is ours."""
    call = await _call(request, vendor, caller.at_ms)
    text = await hooks.echo(context.db, source, call, secrets_of(context.config))
    return Response(text, media_type="text/plain")


async def _call(request: Request, vendor: Vendor, at_ms: WallMs) -> HookCall:
    return HookCall(vendor, await request.body(), dict(request.headers), dict(request.query_params), at_ms / 1000)
