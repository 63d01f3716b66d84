"""Which reports mean the same event: digests of bytes and business keys of punches and scans."""

import hashlib
from typing import TypeAlias

from shared.clock import CLOCK_SUSPECT_BEFORE_S
from shared.punch import Punch
from shared.scan import Damaged, Scan

BusinessKey: TypeAlias = tuple[str, str, int, int]
"""(source, user or code, device second, native number or -1)."""

Event: TypeAlias = Punch | Scan | Damaged


def digest(body: bytes) -> bytes:
    """SHA-256 of an encoded event, 32 bytes; kept by both sides, never sent."""
    return hashlib.sha256(body).digest()


def business_key(event: Event) -> BusinessKey | None:
    """What is equal for two reports of one event; None when nothing tells two reports apart from two events.

    Punch: terminal, user, device second, and the native number only while the clock is suspect: direction and verify
    code differ between push and pull. Scan: only when the source numbers its reads.
    """
    # Not a match statement: this runs for each event on a small computer, and class patterns take three times as long.
    if isinstance(event, Punch):
        second, number = event.at_device, event.native_seq
        if second is None:
            return None
        suspect = second < CLOCK_SUSPECT_BEFORE_S
        return (event.terminal, event.user, second, number if suspect and number is not None else -1)
    if isinstance(event, Scan) and event.native_seq is not None:
        return (event.station, event.code, event.at // 1000, event.native_seq)
    return None
