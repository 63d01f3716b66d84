"""How far the log of one terminal is stored: beside the terminal's own new flags, which another client may take off."""

import struct
from typing import NamedTuple

from shared.errors import DataError

_LAYOUT = struct.Struct(">BBQQ")
VERSION = 1


class Place(NamedTuple):
    """``stored`` records from the start of the log are stored; ``base`` were in the logs before it was cleared."""

    stored: int = 0
    base: int = 0
    complete: bool = False
    """The whole log was read once; until then the flags say nothing."""

    def encode(self) -> bytes:
        """The place as bytes."""
        return _LAYOUT.pack(VERSION, self.complete, self.stored, self.base)

    @classmethod
    def decode(cls, value: bytes | None) -> "Place":
        """The place in these bytes, the start for None; DataError for anything else."""
        if value is None:
            return cls()
        try:
            version, complete, stored, base = _LAYOUT.unpack(value)
        except struct.error as error:
            raise DataError(f"a place of {len(value)} bytes, expected {_LAYOUT.size}", "cursor") from error
        if version != VERSION:
            raise DataError(f"a place of version {version}, expected {VERSION}", "cursor")
        return cls(stored, base, bool(complete))
