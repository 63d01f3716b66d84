"""One barcode or RFID read at a station."""

from enum import IntEnum

import msgspec

from shared.clock import MonotonicMs, WallMs
from shared.punch import Flag


class ScanKind(IntEnum):
    """What a read at this station means for the parcel."""

    UNKNOWN = 0
    INBOUND = 1
    SORT = 2
    LOAD = 3
    OUT_FOR_DELIVERY = 4
    DELIVERED = 5
    REFUSED = 6
    DAMAGED = 7
    RETURNED = 8
    RETURN_INSPECTED = 9


class Scan(msgspec.Struct, array_like=True, frozen=True, tag="s1"):
    """A scan as accepted by a gateway; encoded once and never changed (new fields only at the end)."""

    station: str
    """Serial number of the scanner, or its configured name where it has none."""
    code: str
    """The code without frame characters and AIM identifier."""
    symbology: str
    """AIM identifier such as ``]C1``; empty when the scanner sends none."""
    kind: ScanKind
    at: WallMs
    """UTC; the device's time where it keeps one, else the gateway's."""
    operator: str | None = None
    native_seq: int | None = None
    """The source's own number of this read; only such scans have a business key."""
    seen_ms: MonotonicMs = 0
    """Gateway monotonic milliseconds since the stream began."""
    flags: Flag = Flag(0)


class Damaged(msgspec.Struct, array_like=True, frozen=True, tag="x1"):
    """What can not be an event: sent under a seq of its own so that it is seen, never dropped."""

    source: str
    """Serial or configured name of the terminal or scanner; empty when unknown."""
    reason: str
    """Stable code such as ``noise``, ``bad_time``, ``digest``."""
    raw: bytes
    at: WallMs
    """When the gateway met it."""
    seen_ms: MonotonicMs = 0
    """Gateway monotonic milliseconds since the stream began."""


DAMAGED_RAW_LIMIT = 16 * 1024
"""Bytes kept of a damaged row; one row must fit a message."""
