"""Bytes of LLRP to messages, and reports to tags; no I/O. The dialogue that sets a reader up is sllurp's.

Source: protocols/scan-devices.md of the specification; EPCglobal LLRP 1.0.1.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.scans.frames import Noise
from shared.clock import EPOCH
from shared.errors import DataError

HEADER = struct.Struct(">HII")
MESSAGE_LIMIT = 1024 * 1024
VERSION = 1
CLOSE_CONNECTION, RO_ACCESS_REPORT, KEEPALIVE, READER_EVENT, KEEPALIVE_ACK = 14, 61, 62, 63, 72
_TAG_REPORT, _EPC_DATA, _EVENT_DATA, _ATTEMPT = 240, 241, 246, 256
_ANTENNA, _FIRST_UTC, _LAST_UTC, _EPC_96 = 1, 2, 4, 13
_TV_SIZES = {1: 2, 2: 8, 3: 8, 4: 8, 5: 8, 6: 1, 7: 2, 8: 2, 9: 4, 10: 2, 11: 2, 12: 2, 13: 12, 14: 2, 15: 2}
_TV_SIZES |= {16: 4, 17: 2, 18: 4, 19: 2, 20: 2}
_EPC_BYTES = 62
_LAST_US = 7_258_118_400_000_000
"""2200-01-01 in microseconds."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``raw`` is all of it."""

    kind: int
    number: int
    body: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag of a report, as the reader grouped its reads."""

    epc: str
    """Hexadecimal digits in lower case."""
    antenna: int
    first: datetime | None
    """In UTC; None when the reader has no clock."""
    last: datetime | None


class MessageDecoder:
    """Cuts a byte stream into messages; DataError when it is none, after which the connection is of no use."""

    def __init__(self) -> None:
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Messages that this chunk completes."""
        self._tail += chunk
        while len(self._tail) >= HEADER.size:
            head, size, number = HEADER.unpack_from(self._tail)
            if not HEADER.size <= size <= MESSAGE_LIMIT or head >> 10 & 7 not in (1, 2):
                raise DataError(f"no LLRP message: {bytes(self._tail[:16]).hex()}", code="bad_frame")
            if len(self._tail) < size:
                return
            raw = bytes(self._tail[:size])
            del self._tail[:size]
            yield Message(head & 0x3FF, number, raw[HEADER.size :], raw)


def encode(kind: int, number: int, body: bytes = b"") -> bytes:
    """Bytes of a message."""
    return HEADER.pack(VERSION << 10 | kind, HEADER.size + len(body), number) + body


def parameters(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each parameter; DataError when the rest can not be cut."""
    place = 0
    while place < len(body):
        if body[place] & 0x80:
            kind = body[place] & 0x7F
            size, skip = _TV_SIZES.get(kind, -1) + 1, 1
        else:
            if place + 4 > len(body):
                raise DataError("a parameter is cut off", code="bad_report")
            kind, size = struct.unpack_from(">HH", body, place)
            kind, skip = kind & 0x3FF, 4
        if size < skip or (size == 0 and skip == 1) or place + size > len(body):
            raise DataError(f"parameter {kind} of {size} bytes", code="bad_report")
        yield kind, body[place + skip : place + size]
        place += size


def tags_of(message: Message) -> list[Tag | Noise]:
    """Tags of a report; what can not be read is noise."""
    found: list[Tag | Noise] = []
    try:
        for kind, value in parameters(message.body):
            if kind == _TAG_REPORT:
                found.append(_tag(value))
    except DataError as error:
        found.append(Noise(error.code, message.raw))
    return found


def _tag(value: bytes) -> Tag | Noise:
    epc, antenna = "", 0
    first: datetime | None = None
    last: datetime | None = None
    try:
        for kind, data in parameters(value):
            if kind == _EPC_96:
                epc = data.hex()
            elif kind == _EPC_DATA and len(data) >= 2:
                size = (int.from_bytes(data[:2], "big") + 7) // 8
                epc = data[2 : 2 + min(size, _EPC_BYTES)].hex()
            elif kind == _ANTENNA:
                antenna = int.from_bytes(data, "big")
            elif kind == _FIRST_UTC:
                first = _time(data)
            elif kind == _LAST_UTC:
                last = _time(data)
    except DataError as error:
        return Noise(error.code, value)
    return Tag(epc, antenna, first, last) if epc else Noise("bad_report", value)


def _time(data: bytes) -> datetime:
    microseconds = int.from_bytes(data, "big")
    if microseconds >= _LAST_US:
        raise DataError("a time after 2199", code="bad_time")
    return EPOCH + timedelta(microseconds=microseconds)


def attempt_of(message: Message) -> int | None:
    """Status of a connection attempt: 0 success, 1 to 3 somebody else is connected, 4 other; None for other events."""
    if message.kind != READER_EVENT:
        return None
    for kind, value in parameters(message.body):
        if kind == _EVENT_DATA:
            for inner, data in parameters(value):
                if inner == _ATTEMPT and len(data) >= 2:
                    return int.from_bytes(data[:2], "big")
    return None
