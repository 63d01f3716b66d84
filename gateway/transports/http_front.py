"""The small HTTP server that old terminal firmware needs.

Written by hand because the libraries of this field refuse what terminals send: HTTP/1.1 without Host, blanks in the
target, a body without length. One request a connection, an exact Date, always a Content-Length, always closed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from shared.clock import WallMs, from_ms
from shared.errors import DataError, RetryableError

HEAD_LIMIT = 16 * 1024
BODY_LIMIT = 1024 * 1024
"""Bytes of a body that is read; 1,000 rows of 16 columns are 200 KiB."""
DRAIN_LIMIT = 64 * 1024 * 1024
"""Bytes of a body that is thrown away unread, such as a picture."""
CONNECTIONS = 64
HEAD_TIMEOUT_S = 15.0
REQUEST_TIMEOUT_S = 60.0
SILENCE_S = 2.0
"""Ends a body without length when its last row is complete."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Head:
    """Request line and the few headers that matter."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """By lower-case name, as sent; underscores stay."""
    length: int | None
    chunked: bool
    expects: bool
    """The client waits for ``100 Continue`` before it sends the body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer; ``headers`` beside those that every answer has."""

    status: int
    body: str | bytes
    kind: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


def parse_head(raw: bytes) -> Head:
    """Request line and headers, as loosely as terminals write them; DataError when there is no request in it."""
    lines = raw.decode("utf-8", "surrogateescape").split("\n")
    method, _, rest = lines[0].strip().partition(" ")
    target, _, version = rest.strip().rpartition(" ")
    if not target or not version.upper().startswith("HTTP/1."):
        raise DataError(f"request line {lines[0][:80]!r}: expected <method> <path> HTTP/1.x", code="bad_request")
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    path, _, query = target.partition("?")
    length = headers.get("content-length")
    if length is not None and not (length.isascii() and length.isdigit() and len(length) <= 12):
        raise DataError(f"Content-Length {length[:20]!r}: expected a number of bytes", code="bad_request")
    return Head(
        method=method.upper(),
        path=path,
        query=query,
        headers=headers,
        length=int(length) if length is not None else None,
        chunked="chunked" in headers.get("transfer-encoding", "").lower(),
        expects=headers.get("expect", "").lower() == "100-continue",
    )


class Body:
    """The body of one request, to be read or thrown away; reading may be left out."""

    def __init__(self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._head = head
        self._reader = reader
        self._writer = writer

    async def read(self, limit: int = BODY_LIMIT) -> bytes:
        """All of it; DataError ``too_large`` beyond ``limit`` bytes, ``cut_off`` when the client gave up."""
        found = bytearray()
        async for piece in self._pieces(limit):
            found += piece
        return bytes(found)

    def pieces(self, limit: int = DRAIN_LIMIT) -> AsyncIterator[bytes]:
        """It as it comes, for bodies most of which is thrown away; errors as of ``read``."""
        return self._pieces(limit)

    async def drain(self) -> int:
        """Throw it away unread; the number of lines it had."""
        lines, last = 0, b"\n"
        async for piece in self._pieces(DRAIN_LIMIT):
            lines, last = lines + piece.count(b"\n"), piece
        return lines + (not last.endswith(b"\n"))

    async def _pieces(self, limit: int) -> AsyncIterator[bytes]:
        if self._head.method not in ("POST", "PUT"):
            return
        if self._head.expects:
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._head.chunked:
            pieces = self._chunks(limit)
        elif self._head.length is not None:
            pieces = self._counted(self._head.length, limit)
        else:
            pieces = self._until_silence()
        size = 0
        async for piece in pieces:
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            yield piece

    async def _counted(self, length: int, limit: int) -> AsyncIterator[bytes]:
        if length > limit:
            raise _too_large(limit)
        while length:
            piece = await self._reader.read(min(length, 65_536))
            if not piece:
                raise DataError(f"body ended {length} bytes early", code="cut_off")
            length -= len(piece)
            yield piece

    async def _chunks(self, limit: int) -> AsyncIterator[bytes]:
        while True:
            size = (await self._reader.readline()).partition(b";")[0].strip()
            if not size or len(size) > 8 or size.strip(b"0123456789abcdefABCDEF"):
                raise DataError(f"chunk size {size[:20]!r}: expected a hexadecimal number", code="cut_off")
            if int(size, 16) == 0:
                return
            async for piece in self._counted(int(size, 16), limit):
                yield piece
            await self._reader.readline()

    async def _until_silence(self) -> AsyncIterator[bytes]:
        """No length at all: the end is where the client closes, or falls silent after a complete row."""
        last = b"\n"
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    piece = await self._reader.read(65_536)
            except TimeoutError:
                if last.endswith(b"\n"):
                    return
                continue
            if not piece:
                return
            last = piece
            yield piece


Handler: TypeAlias = Callable[[Head, Body], Awaitable[Answer]]


class HttpFront:
    """Serves ``handler``; an error that it raises is answered with 500, so that the terminal repeats."""

    def __init__(
        self, handler: Handler, wall_ms: Callable[[], WallMs], on_error: Callable[[Exception], None] = lambda _: None
    ) -> None:
        self._handler = handler
        self._wall_ms = wall_ms
        self._on_error = on_error
        self._serving: set[asyncio.Task[None]] = set()
        self._closed = False

    def close(self) -> None:
        """End what is under way: a terminal that got no answer sends again."""
        self._closed = True
        for task in self._serving:
            task.cancel()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        task = asyncio.current_task()
        if task is None or self._closed or len(self._serving) >= CONNECTIONS:
            writer.close()
            return
        self._serving.add(task)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                answer = await self._answer(reader, writer)
                if answer is not None:
                    writer.write(self._encode(answer))
                    await writer.drain()
        except (OSError, TimeoutError):
            pass  # the terminal is gone and will ask again
        except asyncio.CancelledError:
            pass  # by close(), at the end of the program: asyncio 3.11 would report the task as failed
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer | None:
        """The answer; None when there is nobody to answer to."""
        try:
            async with asyncio.timeout(HEAD_TIMEOUT_S):
                raw = await _read_head(reader)
            head = parse_head(raw)
            body = Body(head, reader, writer)
            return await self._handler(head, body)
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            return Answer(400, "request head too long")
        except TimeoutError:
            return Answer(408, "too slow")
        except DataError as error:
            return Answer(413 if error.code == "too_large" else 400, error.code)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  # outer edge of a request: one bad terminal must not end the others
            self._on_error(error)
            return Answer(500, "error")

    def _encode(self, answer: Answer) -> bytes:
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        further = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        head = (
            f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\n"
            f"Date: {http_date(self._wall_ms())}\r\n"
            f"Content-Type: {answer.kind}\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"{further}"
            "Cache-Control: no-store\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + body


@asynccontextmanager
async def listening(front: HttpFront, host: str, port: int) -> AsyncIterator[None]:
    """An open port as long as the block runs; RetryableError when it is taken."""
    try:
        server = await asyncio.start_server(front.serve, host, port)
    except OSError as error:
        raise RetryableError(f"can not listen on {host}:{port}: {error.strerror or error}") from error
    try:
        yield
    finally:
        loop = asyncio.get_running_loop()
        for listener in server.sockets:
            loop.remove_reader(listener.fileno())
        for _ in range(
            3
        ):  # connections being accepted arrive: asyncio 3.11 leaks them when the server closes under them
            await asyncio.sleep(0)
        server.close()  # without waiting: since Python 3.12 that would last as long as the slowest terminal
        front.close()


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    """Up to the empty line, with bare LF too."""
    found = bytearray()
    while True:
        line = await reader.readuntil(b"\n")
        found += line
        if len(found) > HEAD_LIMIT:
            raise asyncio.LimitOverrunError("head", len(found))
        if not line.strip() and found.strip():
            return bytes(found.strip())


def http_date(at_ms: WallMs) -> str:
    """Date header in GMT, whatever the locale; terminals set their clock by it."""
    at = from_ms(at_ms)
    return f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at:%Y %H:%M:%S} GMT"


def _too_large(limit: int) -> DataError:
    return DataError(f"body is larger than {limit} bytes", code="too_large")
