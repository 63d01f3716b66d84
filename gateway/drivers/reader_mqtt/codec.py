"""Messages of publishing RFID readers to tag reads; no I/O.

Source: protocols/scan-devices.md of the specification (Zebra IoT Connector B-, Impinj C).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec

from gateway.scans.frames import Noise
from shared.errors import DataError

TAGS_LIMIT = 5000
"""Reads of one message."""
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){1,62}")
_OFFSET = re.compile(r"([+-]\d{2})(\d{2})$")


@dataclass(frozen=True, slots=True)
class Tag:
    """One read of one tag, as the reader grouped it."""

    epc: str
    """Hexadecimal digits in lower case."""
    antenna: int
    wall: datetime | None
    """With its offset; None when the reader gives no time."""
    number: int | None = None
    """The reader's own number of the event."""


class ZebraData(msgspec.Struct, frozen=True, kw_only=True):
    """What the IoT Connector tells of a tag."""

    id_hex: str = msgspec.field(name="idHex")
    antenna: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    event_num: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = msgspec.field(name="eventNum", default=None)


class ZebraMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the IoT Connector; further fields are ignored."""

    data: ZebraData
    timestamp: str | None = None


class ImpinjTag(msgspec.Struct, frozen=True, kw_only=True):
    """What the Impinj IoT interface tells of a tag."""

    epc_hex: str = msgspec.field(name="epcHex")
    antenna_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = msgspec.field(name="antennaPort", default=0)


class ImpinjMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the Impinj IoT interface."""

    tag: ImpinjTag = msgspec.field(name="tagInventoryEvent")
    timestamp: str | None = None


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """Enough to tell a heartbeat or a status from a tag."""

    event_type: str | None = msgspec.field(name="eventType", default=None)
    type: str | None = None


Piece: TypeAlias = Tag | Noise


def tags_of(payload: bytes) -> list[Piece]:
    """Tags of one object or an array, bad ones as noise; status messages say nothing. DataError for no JSON at all."""
    try:
        if payload.lstrip()[:1] == b"[":
            parts = msgspec.json.decode(payload, type=Annotated[list[msgspec.Raw], msgspec.Meta(max_length=TAGS_LIMIT)])
        else:
            parts = [msgspec.json.decode(payload, type=msgspec.Raw)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"message: {str(error)[:200]}", code="bad_json") from error
    found: list[Piece] = []
    for part in parts:
        piece = _tag(bytes(part))
        if piece is not None:
            found.append(piece)
    return found


def _tag(raw: bytes) -> Piece | None:
    try:
        if b'"idHex"' in raw:
            zebra = msgspec.json.decode(raw, type=ZebraMessage)
            return _piece(zebra.data.id_hex, zebra.data.antenna, zebra.timestamp, zebra.data.event_num, raw)
        if b'"tagInventoryEvent"' in raw:
            impinj = msgspec.json.decode(raw, type=ImpinjMessage)
            return _piece(impinj.tag.epc_hex, impinj.tag.antenna_port, impinj.timestamp, None, raw)
        other = msgspec.json.decode(raw, type=Other)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Noise("bad_tag", raw)
    return None if other.event_type or other.type else Noise("bad_tag", raw)


def _piece(epc: str, antenna: int, timestamp: str | None, number: int | None, raw: bytes) -> Piece:
    if not _HEX.fullmatch(epc):
        return Noise("bad_tag", raw)
    if timestamp is None:
        return Tag(epc.lower(), antenna, None, number)
    try:
        wall = datetime.fromisoformat(_OFFSET.sub(r"\1:\2", timestamp))
    except ValueError:
        return Noise("bad_time", raw)
    if wall.tzinfo is None or not 1970 <= wall.year < 2200:
        return Noise("bad_time", raw)
    return Tag(epc.lower(), antenna, wall, number)
