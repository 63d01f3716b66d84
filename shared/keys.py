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
    match event:
        case Punch(at_device=None):
            return None
        case Punch(terminal=terminal, user=user, at_device=int(second), native_seq=number):
            suspect = second < CLOCK_SUSPECT_BEFORE_S
            return (terminal, user, second, number if suspect and number is not None else -1)
        case Scan(native_seq=int(number), station=station, code=code, at=at):
            return (station, code, at // 1000, number)
        case _:
            return None
