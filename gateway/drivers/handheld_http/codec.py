"""JSON of a handheld to reads, and the proof of who sent it; no I/O. The format is ours: README.md."""

import hashlib
import hmac
from datetime import datetime
from typing import Annotated

import msgspec

from gateway.scans.frames import Found, LineRules, Noise, Read, read_of
from shared.errors import DataError
from shared.scan import ScanKind

SCANS_LIMIT = 500
"""Scans of one request: one commit."""
LABELS = {
    "CODE39": "]A0",
    "CODE128": "]C0",
    "EAN128": "]C1",
    "GS1-128": "]C1",
    "DATAMATRIX": "]d1",
    "UPCA": "]E0",
    "EAN13": "]E0",
    "EAN8": "]E4",
    "CODABAR": "]F0",
    "CODE93": "]G0",
    "I2OF5": "]I0",
    "PDF417": "]L0",
    "QRCODE": "]Q1",
    "AZTEC": "]z0",
}
"""AIM identifier by the name that DataWedge gives, without ``LABEL-TYPE-``."""


class HandheldScan(msgspec.Struct, frozen=True, kw_only=True):
    """One scan as the app sends it; further fields are ignored."""

    seq: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    """The device's own number of this scan, never used twice."""
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    at: str | None = None
    """RFC 3339 with an offset; absent when it was scanned just now."""
    symbology: Annotated[str, msgspec.Meta(max_length=40)] = ""
    """AIM identifier, or DataWedge's label type."""
    kind: str | None = None
    operator: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class HandheldBody(msgspec.Struct, frozen=True, kw_only=True):
    """A request; each scan is looked at by itself, so that a bad one does not keep back the others."""

    scans: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=SCANS_LIMIT)]


def reads_of(body: bytes, rules: LineRules) -> list[Found]:
    """The scans of a request, bad ones as noise; DataError when it is no request at all."""
    try:
        found = msgspec.json.decode(body, type=HandheldBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"body: {str(error)[:200]}", code="bad_json") from error
    return [_read(bytes(raw), rules) for raw in found.scans]


def _read(raw: bytes, rules: LineRules) -> Found:
    try:
        scan = msgspec.json.decode(raw, type=HandheldScan)
        wall = None if scan.at is None else _time(scan.at)
        kind = None if scan.kind is None else ScanKind[scan.kind.upper()]
    except DataError as error:
        return Noise(error.code, raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        return Noise("bad_scan", raw)
    read = read_of(scan.code.encode(), rules)
    if not isinstance(read, Read):
        return Noise(read.reason, raw) if isinstance(read, Noise) else read
    symbology = read.symbology or LABELS.get(scan.symbology.upper().removeprefix("LABEL-TYPE-"), scan.symbology)
    return Read(read.code, symbology, wall, scan.seq, kind, scan.operator)


def _time(text: str) -> datetime:
    try:
        wall = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"at {text[:40]!r}: expected RFC 3339", code="bad_time") from error
    if wall.tzinfo is None or not 1970 < wall.year < 2200:
        raise DataError(f"at {text[:40]!r}: expected an offset", code="bad_time")
    return wall


def signature(key: bytes, device: str, body: bytes) -> str:
    """``sha256=`` and the HMAC of device, line feed, body."""
    text = device.encode() + b"\n" + body
    return f"sha256={hmac.new(key, text, hashlib.sha256).hexdigest()}"


def is_genuine(headers: dict[str, str], key: bytes, device: str, body: bytes) -> bool:
    """Whether the request is signed with the device's key, or carries it as its token."""
    if given := headers.get("x-muster-signature"):
        return hmac.compare_digest(given.encode(), signature(key, device, body).encode())
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), key)
