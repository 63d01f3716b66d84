"""Takes secrets and names out of HTTP and WebSocket conversations that are recorded, whatever the family.

Only values of fields that a driver names stay; every other text becomes as many ``x`` and every other number as many
``0``, so that lengths stay what the heads say and a field that nobody thought of gives nothing away.
"""

import re

from gateway.transports.http_messages import HEAD_LIMIT, Message, MessageDecoder
from shared.errors import DataError

FRAME_LIMIT = 16 * 1024 * 1024
"""Bytes of one WebSocket frame."""
_SECRET_HEADER = re.compile(
    rb"(?im)^([^:\r\n]*(?:auth|cookie|session|token|key|secret|sign)[^:\r\n]*:[ \t]*)([^\r\n]*)"
)
_SECRET_QUERY = re.compile(rb"(?i)([?&][^=&\s]*(?:session|token|key|pwd|pass|name|card|login|auth)[^=&\s]*=)([^&\s]*)")
_UPGRADE = re.compile(rb"(?im)^upgrade[ \t]*:[ \t]*websocket")
_BOUNDARY = re.compile(rb'(?i)boundary="?([^\s";]{1,70})')
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|-?\d[\d.eE+-]*+|[{}\[\]:,]', re.DOTALL)
_LITERAL = re.compile(rb"true|false|null|[\s\0]+")
_XML_TOKEN = re.compile(rb"<[^<>]*>|[^<]+|<")
_XML_NAME = re.compile(rb"</?\s*(?:[\w.-]*:)?([\w.-]+)\s*/?>")
_PAIR = re.compile(rb"([^=&;\r\n]*=)([^=&;\r\n]*)")
_INDEX = re.compile(rb"\[\d+\]")


class HttpScrub:
    """One recorded connection of HTTP."""

    def __init__(self, kept: str) -> None:
        self._kept = frozenset(kept.split())
        self._messages = {True: MessageDecoder(), False: MessageDecoder()}

    def feed(self, chunk: bytes, *, to_terminal: bool) -> list[bytes]:
        """The messages that this chunk completes, scrubbed; DataError when it is not HTTP."""
        return [clean_message(message, self._kept) for message in self._messages[to_terminal].feed(chunk)]


class WebSocketScrub:
    """One recorded connection that is HTTP until it becomes a WebSocket; texts come out one a line."""

    def __init__(self, kept: str) -> None:
        self._kept = frozenset(kept.split())
        self._http = HttpScrub(kept)
        self._rest = {True: b"", False: b""}
        self._text = {True: b"", False: b""}
        self._upgraded: dict[bool, bool | None] = {True: None, False: None}

    def feed(self, chunk: bytes, *, to_terminal: bool) -> list[bytes]:
        """The texts that this chunk completes, scrubbed; DataError when it is no WebSocket."""
        rest = self._rest[to_terminal] + chunk
        if self._upgraded[to_terminal] is None:
            head, end, after = rest.partition(b"\r\n\r\n")
            if not end and len(rest) < HEAD_LIMIT:
                self._rest[to_terminal] = rest
                return []
            self._upgraded[to_terminal] = _UPGRADE.search(head) is not None
            chunk, rest = rest, after
        if not self._upgraded[to_terminal]:
            return self._http.feed(chunk, to_terminal=to_terminal)
        found = []
        while (frame := _frame(rest)) is not None:
            size, kind, last, payload = frame
            rest = rest[size:]
            if kind < 8:  # the others close and keep alive
                self._text[to_terminal] += payload
            if kind < 8 and last:
                found.append(clean_body(self._text[to_terminal].strip(), self._kept) + b"\n")
                self._text[to_terminal] = b""
            if len(self._text[to_terminal]) > FRAME_LIMIT:
                raise DataError(f"a text of more than {FRAME_LIMIT} bytes", "oversize")
        self._rest[to_terminal] = rest
        return found


class HttpRecorded:
    """A driver whose terminals speak HTTP: ``kept`` names the fields, in small letters, that are no secret."""

    calls_us = False
    kept = ""
    decodes_heads = False
    """Its ``decode`` wants a request with its head, as that says what the body is."""

    def scrub(self) -> HttpScrub:
        """For one recorded connection."""
        return HttpScrub(self.kept)


def clean_message(message: Message, kept: frozenset[str]) -> bytes:
    """The bytes of that message without what is secret."""
    start = _SECRET_HEADER.sub(_hide_value, _SECRET_QUERY.sub(_hide_value, message.start))
    boundary = _BOUNDARY.search(message.start)
    mark = b"--" + boundary[1] if boundary else None
    return start + (_parts(message.body, mark, kept) if mark else clean_body(message.body, kept))


def clean_body(body: bytes, kept: frozenset[str]) -> bytes:
    """JSON, XML or ``key=value`` without what is secret; anything else is hidden altogether."""
    plain = body.lstrip()
    if plain[:1] in (b"{", b"["):
        return _json(body, kept)
    if plain[:1] == b"<":
        return _xml(body, kept)
    if plain[4:5] == b"{" and len(body) >= 4:  # a length, JSON of that length, pictures
        end = 4 + int.from_bytes(body[:4], "little")
        return body[:4] + _json(body[4:end], kept) + _hidden(body[end:])
    if b"=" in body and not re.search(rb"[\x00-\x08\x0e-\x1f]", body):
        pairs, brace, json = body.partition(b"{")
        return _PAIR.sub(lambda pair: pair[0] if _name(pair[1]) in kept else _hide_value(pair), pairs) + (
            _json(brace + json, kept)
        )
    return _hidden(body)


def _parts(body: bytes, mark: bytes, kept: frozenset[str]) -> bytes:
    """Each part by itself; a picture is no text and is hidden."""
    found = []
    for part in body.split(mark):
        head, end, content = part.partition(b"\r\n\r\n")
        last = content[len(content.removesuffix(b"\r\n")) :]  # it belongs to the boundary behind it
        content = content.removesuffix(last)
        found.append(head + end + clean_body(content, kept) + last if end else part if len(part) < 8 else _hidden(part))
    return mark.join(found)


def _json(text: bytes, kept: frozenset[str]) -> bytes:
    """Token by token, so that broken JSON is scrubbed as well."""
    out, at, key, named = [], 0, "", ""
    for token in _JSON_TOKEN.finditer(text):
        out.append(_between(text[at : token.start()]))
        at, value = token.end(), token[0]
        if value[:1] == b'"' and text[at : at + 20].lstrip()[:1] == b":":
            key = _word(value)
            out.append(value)
            continue
        if value in b"{}[]:,":
            key = "" if value == b"}" else key
            out.append(value)
            continue
        # {"Key": "CardNr", "Value": "..."}: the name of a field is itself a value
        asked = named if key == "value" else key
        named = _word(value) if key == "key" else named
        out.append(value if asked in kept or key == "key" else _hidden(value))
    return b"".join([*out, _between(text[at:])])


def _between(text: bytes) -> bytes:
    """Blanks and literals stay; what is no JSON may be anything."""
    return text if _LITERAL.sub(b"", text) == b"" else _hidden(text)


def _xml(text: bytes, kept: frozenset[str]) -> bytes:
    out, name = [], ""
    for token in _XML_TOKEN.finditer(text):
        value = token[0]
        tag = _XML_NAME.fullmatch(value)
        if tag:
            name = "" if value[1:2] == b"/" else _word(tag[1])
        keep = tag or value.startswith(b"<?xml ") or not value.strip() or name in kept
        out.append(value if keep else _hidden(value))
    return b"".join(out)


def _name(pair: bytes) -> str:
    """The last part of ``records[0].UserID=``."""
    return _word(_INDEX.sub(b"", pair).rstrip(b"=").rpartition(b".")[2])


def _word(text: bytes) -> str:
    return text.strip(b'" \t').decode("ascii", "replace").lower()


def _hide_value(pair: re.Match[bytes]) -> bytes:
    return pair[1] + _hidden(pair[2])


def _hidden(value: bytes) -> bytes:
    """As long as it was; a number stays a number and a quoted text a quoted text."""
    if value[:1] == b'"' and value[-1:] == b'"' and len(value) >= 2:
        return b'"' + b"x" * (len(value) - 2) + b'"'
    if re.fullmatch(rb"-?\d[\d.eE+-]*", value):
        return b"1" + b"0" * (len(value) - 1)
    return b"x" * len(value)


def _frame(data: bytes) -> tuple[int, int, bool, bytes] | None:
    """Size, opcode, whether it ends its message, and payload of the first frame; None when it is not whole."""
    if len(data) < 2:
        return None
    kind, last, masked, length, at = data[0] & 15, bool(data[0] & 128), data[1] & 128, data[1] & 127, 2
    if data[0] & 0x70:
        raise DataError("a compressed WebSocket frame", "frame")
    if length > 125:
        at = 4 if length == 126 else 10
        if len(data) < at:
            return None
        length = int.from_bytes(data[2:at], "big")
    if length > FRAME_LIMIT:
        raise DataError(f"a frame of {length} bytes", "oversize")
    mask, at = (data[at : at + 4], at + 4) if masked else (b"\0\0\0\0", at)
    if len(data) < at + length:
        return None
    payload = data[at : at + length]
    key = (mask * (length // 4 + 1))[:length]
    plain = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
    return at + length, kind, last, plain
