"""Cuts a captured conversation into HTTP messages; only DataError leaves this module."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.transports.http_front import Head, parse_head
from shared.errors import DataError

HEAD_LIMIT = 16 * 1024
MESSAGE_LIMIT = 16 * 1024 * 1024
_END = re.compile(rb"\r?\n\r?\n")
_START = re.compile(rb"[A-Z]{3,7} \S|HTTP/1\.")


@dataclass(frozen=True, slots=True)
class Message:
    """One request, or one answer of the server (``head`` is None)."""

    head: Head | None
    start: bytes
    """Request or status line and headers, with the empty line that ends them."""
    body: bytes


class MessageDecoder:
    """Whole messages out of a stream; an unfinished one waits for the next feed."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Messages that this chunk completes, one by one. DataError: from there on the stream is lost."""
        self._rest += chunk
        while (message := self._next()) is not None:
            yield message

    @property
    def waiting(self) -> bytes:
        """What no message has taken."""
        return self._rest

    def _next(self) -> Message | None:
        self._rest = self._rest.lstrip(b"\r\n")
        if len(self._rest) >= 8 and not _START.match(self._rest):
            raise DataError(f"{self._rest[:20]!r} begins no HTTP message", "frame")
        end = _END.search(self._rest, 0, HEAD_LIMIT)
        if end is None:
            if len(self._rest) > HEAD_LIMIT:
                raise DataError(f"a head of more than {HEAD_LIMIT} bytes", "frame")
            return None
        start = self._rest[: end.end()]
        request = not start.startswith(b"HTTP/")
        # An answer is read as if its status line were a request line: only the length counts.
        head = parse_head(start[: end.start()] if request else b"GET / HTTP/1.1\n" + start.partition(b"\n")[2].rstrip())
        if head.chunked:
            raise DataError("chunked messages are not read from captures", "chunked")
        length = head.length or 0
        if length > MESSAGE_LIMIT:
            raise DataError(f"a body of {length} bytes, expected at most {MESSAGE_LIMIT}", "oversize")
        if len(self._rest) < end.end() + length:
            return None
        body = self._rest[end.end() : end.end() + length]
        self._rest = self._rest[end.end() + length :]
        return Message(head if request else None, start, body)
