"""Around every request: an id, headers on the answer, no calls from other sites, no big bodies, no bare errors.

Plain ASGI that buffers nothing, so streams pass through as they are.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import structlog

from server.api.views.base import ErrorView
from shared.errors import DataError

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_HEADER: Final = b"x-muster"
"""A page of another site can not send it without asking us first, and we never say yes."""
LARGEST_BODY: Final = 64 * 1024
LARGEST_FILE: Final = 10 * 1024 * 1024
LARGEST_HISTORY: Final = 128 * 1024 * 1024
HISTORY: Final = "/api/file-imports"
"""Years of an old system come in one file; longer ones are brought by ``muster history import``."""
FILES: Final = re.compile(
    r"/api/imports|/api/source-check|/api/score-targets/file(/check)?|/api/requests/[^/]{1,20}/files"
)
"""Where files come in, as they are; the route reads them after it knows who sends them."""
SIGNED: Final = re.compile(r"/api/v1/(ingest|hooks)/[^/]{1,60}/[^/]{1,60}")
"""Where programs and vendors call: the signature over the body says who it is, and no cookie is looked at."""
LARGEST_SIGNED: Final = 5_000_000

KEPT: Final = frozenset({"type", "method", "scheme", "path"})
"""What stays of a request while its stream is sent by what the route left in ``scope["state"]["afterwards"]``: routing,
parsing and dependencies of one request are 10 kB, and thousands of streams are open for hours."""

CSP: Final = (
    "default-src 'self'; script-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
HEADERS: Final = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"geolocation=(self), camera=(self)"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
HSTS: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
NO_STORE: Final = (b"cache-control", b"no-store")

log = structlog.get_logger("server.api")


class Hardening:
    """Wraps the application."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        headers: dict[bytes, bytes] = dict(scope["headers"])
        largest = largest_body(scope["method"], scope["path"])
        answer = _Answer(send, request_id, over_tls=scope["scheme"] == "https")
        signed = SIGNED.fullmatch(scope["path"]) is not None
        if scope["method"] not in SAFE_METHODS and not signed and comes_from_elsewhere(headers):
            await answer.refuse(403, "cross_site")
        elif int(headers.get(b"content-length", b"0")) > largest:  # a number: the HTTP parser saw to it
            await answer.refuse(413, "too_large")
        else:
            try:
                await self._app(scope, _limited(receive, largest), answer.send)
                afterwards = scope["state"].pop("afterwards", None)
                if afterwards is not None:
                    for name in scope.keys() - KEPT:
                        del scope[name]
                    await afterwards(receive, answer.send)
            except Exception:
                if answer.began:
                    raise
                log.exception("request_failed", request_id=request_id, path=scope["path"])
                await answer.refuse(500, "internal")


class _Answer:
    """The way out: adds the headers to whatever starts an answer."""

    def __init__(self, send: Send, request_id: str, *, over_tls: bool) -> None:
        self._send = send
        self._request_id = request_id
        self._over_tls = over_tls
        self.began = False

    async def send(self, message: Message) -> None:
        """Pass on a message of the answer."""
        if message["type"] == "http.response.start":
            self.began = True
            headers = list(message.get("headers", ()))
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append(NO_STORE)
            headers += [*HEADERS, (b"x-request-id", self._request_id.encode())]
            if self._over_tls:
                headers.append(HSTS)
            message = {**message, "headers": headers}
        await self._send(message)

    async def refuse(self, status: int, code: str) -> None:
        """Answer with an error of our own."""
        body = ErrorView(code=code, request_id=self._request_id).model_dump_json().encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def comes_from_elsewhere(headers: MutableMapping[bytes, bytes]) -> bool:
    """Whether a request that changes something lacks our header, or a browser says that another site made it."""
    if headers.get(OWN_HEADER) != b"1":
        return True
    if headers.get(b"sec-fetch-site", b"same-origin") != b"same-origin":
        return True
    origin = headers.get(b"origin")
    # The host only: behind a proxy that ends TLS we do not always know the scheme.
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get(b"host", b"").lower()


def largest_body(method: str, path: str) -> int:
    """Bytes that the body of such a request may have."""
    if method == "POST" and SIGNED.fullmatch(path):
        return LARGEST_SIGNED
    if method == "POST" and path == HISTORY:
        return LARGEST_HISTORY
    return LARGEST_FILE if method == "POST" and FILES.fullmatch(path) else LARGEST_BODY


def _limited(receive: Receive, largest: int) -> Receive:
    """A body without a length ends where it grows too large."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > largest:
            raise DataError(f"body is larger than {largest} bytes", "too_large")
        return message

    return limited
