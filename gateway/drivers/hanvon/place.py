"""How far the log of one Hanvon terminal is stored: it has no numbers and no flags, only times."""

import struct
from typing import NamedTuple

from shared.clock import DeviceSeconds, WallMs
from shared.errors import DataError

_LAYOUT = struct.Struct(">Bqq")
VERSION = 1


class Place(NamedTuple):
    """Punches up to ``until`` are stored, by the terminal's clock; all were read at ``full_ms``."""

    until: DeviceSeconds | None = None
    full_ms: WallMs = 0

    def encode(self) -> bytes:
        """The place as bytes."""
        return _LAYOUT.pack(VERSION, -1 if self.until is None else self.until, self.full_ms)

    @classmethod
    def decode(cls, value: bytes | None) -> "Place":
        """The place in these bytes, the start for None; DataError for anything else."""
        if value is None:
            return cls()
        try:
            version, until, full_ms = _LAYOUT.unpack(value)
        except struct.error as error:
            raise DataError(f"a place of {len(value)} bytes, expected {_LAYOUT.size}", "cursor") from error
        if version != VERSION:
            raise DataError(f"a place of version {version}, expected {VERSION}", "cursor")
        return cls(None if until < 0 else until, full_ms)
