"""Parts of a multipart body or stream that may be cut anywhere; pure. Pictures are counted and thrown away unread."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PART_LIMIT = 256 * 1024
"""Bytes of a part that is kept; an event has about 1 KiB."""
HEAD_LIMIT = 8 * 1024
_BOUNDARY = re.compile(r"boundary\s*=\s*(?:\"([^\"]*)\"|([^;,\s]+))", re.IGNORECASE)
_PICTURE_NAME = re.compile(r"(?:file)?name\s*=\s*\"?[^\";]*(?:picture|image|photo|\.jpe?g|\.png)", re.IGNORECASE)
_KEPT = ("json", "xml", "text/")


@dataclass(frozen=True, slots=True)
class Part:
    """One part that is no picture."""

    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def kind(self) -> str:
        """Content type in lower case; empty when the part names none."""
        return self.headers.get("content-type", "").lower()


def boundary_of(content_type: str) -> str:
    """The boundary that a Content-Type names, without dashes in front; empty when it names none."""
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2] or "").lstrip("-") if found else ""


def boundary_in(body: bytes) -> str:
    """The boundary with which a body begins, where no header tells; empty when it begins with none."""
    found = re.match(rb"\s*--+([!-~]{1,70}?)(?:--)?[ \t]*\r?\n", body[:256])
    return found[1].decode("ascii") if found else ""


class MultipartDecoder:
    """Cut a multipart body into parts; an unfinished one waits for the next feed.

    A part with Content-Length is complete with its last byte, any other with the next boundary. A boundary stands at
    the start of a line: the same bytes inside a picture are picture. What is too large to be an event is dropped and
    counted in ``dropped``, as pictures are.
    """

    def __init__(self, boundary: str) -> None:
        name = re.escape(boundary.lstrip("-").encode("utf-8", "replace"))
        self._delimiter = re.compile(rb"(?:\A|\n)-{2,6}" + name + rb"(?:--|[ \t]*\r?\n)")
        self._tail = len(name) + 16
        self._buffer = bytearray()
        self._scanned = 0
        self._headers: dict[str, str] | None = None
        self._inside = False
        self._keep = False
        self._left: int | None = None
        """Bytes of a counted picture still to be thrown away."""
        self.dropped = 0

    def feed(self, data: bytes) -> list[Part]:
        """Parts that are complete now."""
        self._buffer += data
        parts: list[Part] = []
        while self._step(parts):
            pass
        return parts

    def close(self) -> list[Part]:
        """The last part of a body that ended without its closing boundary."""
        if not self._inside or self._headers is None or not self._keep:
            return []
        body = bytes(self._buffer).rstrip(b"\r\n")
        self._inside = False
        return [Part(self._headers, body)] if body else []

    def _step(self, parts: list[Part]) -> bool:
        """One transition; False when more bytes are needed."""
        if not self._inside:
            return self._seek()
        if self._headers is None:
            return self._head()
        if self._left is not None:
            return self._skip()
        if self._keep and (length := _length(self._headers)) is not None:
            return self._counted(length, parts)
        return self._delimited(parts)

    def _seek(self) -> bool:
        found = self._delimiter.search(self._buffer)
        if found is None:
            self._forget()
            return False
        del self._buffer[: found.end()]
        self._inside, self._headers, self._scanned = True, None, 0
        return True

    def _head(self) -> bool:
        if self._buffer[:2] == b"\r\n" or self._buffer[:1] == b"\n":
            raw, end = b"", 2 if self._buffer[:1] == b"\r" else 1
        else:
            found = re.search(rb"\r?\n\r?\n", self._buffer[: HEAD_LIMIT + 4])
            if found is None:
                if len(self._buffer) > HEAD_LIMIT:
                    # All of it goes: looking for a boundary in it again and again would cost quadratic time.
                    del self._buffer[:HEAD_LIMIT]
                    self._inside = False
                    return True
                return False
            raw, end = bytes(self._buffer[: found.start()]), found.end()
        del self._buffer[:end]
        lines = raw.decode("utf-8", "replace").split("\n")
        pairs = (line.partition(":") for line in lines)
        self._headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self._keep = _is_kept(self._headers)
        length = _length(self._headers)
        self._left = length if not self._keep and length is not None else None
        self.dropped += not self._keep
        return True

    def _skip(self) -> bool:
        left = self._left or 0
        taken = min(left, len(self._buffer))
        del self._buffer[:taken]
        self._left = left - taken
        if self._left:
            return False
        self._inside, self._left = False, None
        return True

    def _counted(self, length: int, parts: list[Part]) -> bool:
        # A delimiter inside text means that the length lies: the next part must not be swallowed.
        found = self._delimiter.search(self._buffer, self._scanned, length)
        if found is not None:
            return self._delimited(parts)
        if len(self._buffer) < length:
            self._scanned = max(0, len(self._buffer) - self._tail)
            return False
        if self._headers is not None:
            parts.append(Part(self._headers, bytes(self._buffer[:length])))
        del self._buffer[:length]
        self._inside, self._scanned = False, 0
        return True

    def _delimited(self, parts: list[Part]) -> bool:
        found = self._delimiter.search(self._buffer, self._scanned)
        if found is None:
            if not self._keep:
                self._forget()
            elif len(self._buffer) > PART_LIMIT:
                self._keep = False
                self.dropped += 1
                self._forget()
            else:
                self._scanned = max(0, len(self._buffer) - self._tail)
            return False
        if self._keep and self._headers is not None:
            body = bytes(self._buffer[: found.start()])
            parts.append(Part(self._headers, body.removesuffix(b"\r")))
        del self._buffer[: found.start()]
        self._inside, self._scanned = False, 0
        return True

    def _forget(self) -> None:
        """Keep what may be the beginning of a delimiter."""
        del self._buffer[: max(0, len(self._buffer) - self._tail)]
        self._scanned = 0


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    length = int(text)
    return length if length <= PART_LIMIT or not _is_kept(headers) else None


def _is_kept(headers: Mapping[str, str]) -> bool:
    if _PICTURE_NAME.search(headers.get("content-disposition", "")):
        return False
    kind = headers.get("content-type", "").lower()
    return not kind or any(name in kind for name in _KEPT)
