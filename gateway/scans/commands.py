"""Command barcodes: printed texts that tell the gateway what the next scans mean, and who scans.

``MUSTER:KIND:damaged`` changes the kind for a time or a number of scans, ``MUSTER:KIND:station`` changes it back,
``MUSTER:OPERATOR:17`` says who scans from now on, ``MUSTER:OPERATOR:`` that nobody is logged in.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from shared.errors import DataError
from shared.scan import ScanKind

PREFIX = "MUSTER:"
OPERATOR_MS = 12 * 3600 * 1000
"""An operator who forgot to log off is forgotten by the next shift."""
_OPERATOR = re.compile(r"[^\x00-\x1f\x7f]{0,64}")


@dataclass(frozen=True, slots=True)
class SetKind:
    """The next scans are of this kind; None goes back to the station's."""

    kind: ScanKind | None


@dataclass(frozen=True, slots=True)
class SetOperator:
    """Who scans from now on; None when nobody is logged in."""

    operator: str | None


Command: TypeAlias = SetKind | SetOperator


def command_of(code: str) -> Command | None:
    """The command in a code; None for a parcel's code, DataError ``bad_command`` for a command that does not exist."""
    if code[: len(PREFIX)].upper() != PREFIX:
        return None
    word, colon, value = code[len(PREFIX) :].partition(":")
    value = value.strip()
    match word.upper():
        case "KIND" if value.upper() in ScanKind.__members__:
            return SetKind(ScanKind[value.upper()])
        case "KIND" if value.upper() == "STATION":
            return SetKind(None)
        case "OPERATOR" if colon and _OPERATOR.fullmatch(value):
            return SetOperator(value or None)
    raise DataError(f"command barcode {code[:80]!r}: see docs/howto/command-barcodes.md", code="bad_command")


class Orders:
    """What commands have said at one station; times are milliseconds of whatever clock the reads have."""

    def __init__(self, kind: ScanKind, back_after_ms: int, back_after_scans: int) -> None:
        self._station_kind = kind
        self._back_after_ms = back_after_ms
        self._back_after_scans = back_after_scans
        self._kind: ScanKind | None = None
        self._since_ms = 0
        self._scans = 0
        self._operator: str | None = None
        self._operator_since_ms = 0

    def take(self, command: Command, now_ms: int) -> None:
        """Follow a command."""
        match command:
            case SetKind(kind):
                self._kind, self._since_ms, self._scans = kind, now_ms, 0
            case SetOperator(operator):
                self._operator, self._operator_since_ms = operator, now_ms

    def next(self, now_ms: int) -> tuple[ScanKind, str | None]:
        """Kind and operator of a scan at that time, which counts as one."""
        if self._operator is not None and now_ms - self._operator_since_ms >= OPERATOR_MS:
            self._operator = None
        if self._kind is None:
            return self._station_kind, self._operator
        late = self._back_after_ms > 0 and now_ms - self._since_ms >= self._back_after_ms
        used = 0 < self._back_after_scans <= self._scans
        if late or used:
            self._kind = None
            return self._station_kind, self._operator
        self._scans += 1
        return self._kind, self._operator
