"""Signed JSON of custom devices to values; docs/reference/custom-events.schema.json is made from these classes.

A message is refused as a whole when it is not signed, not fresh or no message at all. One entry that can not be read
leaves the others alone. Fields that are none of these are dropped unread: nobody's photo gets further than here.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias, TypeVar

import msgspec

from shared.clock import CLOCK_SUSPECT_BEFORE_S, WallMs, device_seconds, to_ms
from shared.errors import DataError
from shared.punch import Direction, Flag, Method, Punch
from shared.scan import Scan, ScanKind
from shared.wire import MAX_SEQ

ENTRIES = 500
"""Punches and scans of one message together: they are stored in one transaction."""
FRESH_MS = 300_000
"""How far ``sent`` may be from the gateway's clock, both ways: an older message is a copy of somebody's."""
KEY_BYTES = 16
"""A shorter key could be guessed."""
_PLAIN = r"^[^\u0000-\u001f\u007f]+$"
_YEARS = range(2000, 2200)

Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ, description="The device's own number of this event.")]
Time = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339 with the offset of the device's zone.")]
User = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=_PLAIN, description="Number of the person.")]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=512, pattern=_PLAIN, description="What was read.")]
DirectionName: TypeAlias = Literal["in", "out", "break_out", "break_in", "overtime_in", "overtime_out"]
MethodName: TypeAlias = Literal["face", "finger", "card", "password", "pin", "palm", "iris", "qr", "remote"]
KindName: TypeAlias = Literal[
    "inbound",
    "sort",
    "load",
    "out_for_delivery",
    "delivered",
    "refused",
    "damaged",
    "returned",
    "return_inspected",
]


class PunchEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One person at one instant."""

    number: Number
    user: User
    at: Time
    direction: DirectionName | None = None
    method: MethodName | None = None


class ScanEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One read of a code; ``kind`` defaults to that of the station."""

    number: Number
    code: Code
    at: Time
    kind: KindName | None = None


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """A message; without punches and scans it only says that the device is alive."""

    device: Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="As `serial`, else `name`.")]
    sent: Annotated[datetime, msgspec.Meta(tz=True, description="The device's clock as it signs the message.")]
    punches: list[PunchEntry] = []
    scans: list[ScanEntry] = []


class _Envelope(msgspec.Struct, frozen=True):
    """``Events`` whose entries are not read yet."""

    device: str
    sent: Annotated[datetime, msgspec.Meta(tz=True)]
    punches: list[msgspec.Raw] = []
    scans: list[msgspec.Raw] = []


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An entry that can not be an event: where it stands, why, and its bytes."""

    place: str
    """Such as ``punches[2]``."""
    code: str
    text: str
    raw: bytes
    """Its known fields."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a device said."""

    device: str
    sent_ms: WallMs
    punches: tuple[PunchEntry, ...]
    scans: tuple[ScanEntry, ...]
    bad: tuple[BadEntry, ...]


_FIELDS = frozenset({*PunchEntry.__struct_fields__, *ScanEntry.__struct_fields__})
_FIELD_BYTES = 1024
_Entry = TypeVar("_Entry", PunchEntry, ScanEntry)
_envelope = msgspec.json.Decoder(_Envelope)
_punch = msgspec.json.Decoder(PunchEntry)
_scan = msgspec.json.Decoder(ScanEntry)


def signature(key: bytes, body: bytes) -> str:
    """HMAC-SHA256 in lower-case hexadecimal."""
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def is_signed(key: bytes, body: bytes, claimed: str) -> bool:
    """Whether that is the signature of the body, compared in constant time."""
    return hmac.compare_digest(signature(key, body).encode(), claimed.strip().lower().encode())


def read_message(body: bytes) -> Message:
    """The message; DataError ``bad_json`` or ``too_many`` when none of it can be used."""
    try:
        envelope = _envelope.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise DataError(str(error)[:200], code="bad_json") from error
    if len(envelope.punches) + len(envelope.scans) > ENTRIES:
        raise DataError(f"more than {ENTRIES} punches and scans; send them in parts", code="too_many")
    punches = list(_entries("punches", envelope.punches, _punch))
    scans = list(_entries("scans", envelope.scans, _scan))
    return Message(
        envelope.device,
        to_ms(envelope.sent),
        tuple(one for one in punches if isinstance(one, PunchEntry)),
        tuple(one for one in scans if isinstance(one, ScanEntry)),
        tuple(one for one in (*punches, *scans) if isinstance(one, BadEntry)),
    )


def _entries(
    name: str, raws: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[_Entry]
) -> Iterator[_Entry | BadEntry]:
    for index, raw in enumerate(raws):
        place = f"{name}[{index}]"
        try:
            entry = decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            yield BadEntry(place, "bad_entry", str(error)[:200], _kept(raw))
            continue
        if entry.at.year in _YEARS:
            yield entry
        else:
            years = f"{_YEARS.start} to {_YEARS.stop - 1}"
            yield BadEntry(place, "bad_time", f"year {entry.at.year}, expected {years}", _kept(raw))


def _kept(raw: msgspec.Raw) -> bytes:
    """What may be kept of a bad entry: fields that we know, as long as they are short."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return b""
    return msgspec.json.encode({k: v for k, v in fields.items() if k in _FIELDS and len(bytes(v)) <= _FIELD_BYTES})


def punch_of(entry: PunchEntry, device: str, drift_ms: int | None, seen_ms: int) -> Punch:
    """The event; the wall second is that of the device's own zone."""
    second, offset = device_seconds(entry.at.replace(tzinfo=None)), entry.at.utcoffset() or timedelta()
    offset_s = int(offset.total_seconds())
    return Punch(
        terminal=device,
        user=entry.user,
        at_device=second,
        utc_offset_s=offset_s,
        at=(second - offset_s) * 1000,
        direction=Direction[entry.direction.upper()] if entry.direction else Direction.UNKNOWN,
        method=Method[entry.method.upper()] if entry.method else Method.UNKNOWN,
        native_seq=entry.number,
        drift_ms=drift_ms,
        seen_ms=seen_ms,
        flags=Flag.CLOCK_SUSPECT if second < CLOCK_SUSPECT_BEFORE_S else Flag(0),
    )


def scan_of(entry: ScanEntry, device: str, kind: ScanKind, seen_ms: int) -> Scan:
    """The event; ``kind`` is the station's, where the device says none."""
    at_ms = to_ms(entry.at)
    return Scan(
        station=device,
        code=entry.code,
        symbology="",
        kind=ScanKind[entry.kind.upper()] if entry.kind else kind,
        at=at_ms,
        native_seq=entry.number,
        seen_ms=seen_ms,
        flags=Flag.CLOCK_SUSPECT if at_ms < CLOCK_SUSPECT_BEFORE_S * 1000 else Flag(0),
    )


def json_schema() -> bytes:
    """The published schema of a message, for editors and validators."""
    schema = msgspec.json.schema(Events)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Muster custom device events",
    } | schema
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"
