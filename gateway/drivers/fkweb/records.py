"""Log and user structures of the FK web protocol, by the library that the terminal names; no I/O.

Source: protocols/fkweb.md of the specification, grade A (the vendor's own server).
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.transports.source import wall_second
from shared.clock import DeviceSeconds
from shared.errors import DataError

ABSENT = -1
"""Stands in ``raw_codes`` for a code that is missing, or that is no number."""
RECORDS_LIMIT = 400_000
"""Records of one answer; the largest terminals keep 200,000."""
USER_LIMIT = 64
BIG = 0x10000000
"""A verify code from here on names its factors in nibbles from the top."""
KEYED = 0x01000000
"""An in-out code from here on has a function key in its top byte."""
_LIBRARY = re.compile(r"HS\d{3}")


@dataclass(frozen=True, slots=True)
class Row:
    """One punch as the terminal wrote it."""

    user: str
    at: DeviceSeconds
    verify: int
    inout: int

    @property
    def method_code(self) -> int:
        """What a profile maps: the small code itself, or the first factor of a big one with the others left out."""
        return self.verify & 0xF0000000 if self.verify >= BIG else self.verify

    @property
    def direction_codes(self) -> tuple[int, ...]:
        """What a profile maps, the better first: the function key, then the in-out bits; a small code as it is."""
        if self.inout < KEYED:
            return (self.inout,)
        return (self.inout & 0x0F000000, self.inout & 0xF0000000)


@dataclass(frozen=True, slots=True)
class Bad:
    """What can not be a punch."""

    reason: str
    raw: bytes


Record: TypeAlias = Row | Bad


@dataclass(frozen=True, slots=True)
class Log:
    """Records of a log, oldest first."""

    rows: tuple[Record, ...]
    empty: int
    """Slots that the terminal marks as not valid."""


@dataclass(frozen=True, slots=True)
class _Layout:
    size: int
    read: Callable[[bytes], Record | None]
    """None for a slot that is not valid."""


def is_user(text: str) -> bool:
    """Whether that can be a user number."""
    return 0 < len(text) <= USER_LIMIT and text.strip() != "" and text.isprintable()


def _row(user: str, at: DeviceSeconds | None, verify: int, inout: int, raw: bytes) -> Record:
    if at is None:
        return Bad("bad_time", raw)
    if not is_user(user):
        return Bad("bad_user", raw)
    return Row(user, at, verify, inout)


def _packed(value: int, second: int) -> tuple[bool, DeviceSeconds | None]:
    """Whether a packed time is valid, and the time: valid 2 bits, year-1900 10, month 4, day 5, hour 5, minute 6."""
    year, month, day = value >> 2 & 0x3FF, value >> 12 & 0xF, value >> 16 & 0x1F
    hour, minute = value >> 21 & 0x1F, value >> 26 & 0x3F
    return value & 3 != 0, wall_second((1900 + year, month, day), (hour, minute, second))


def _old_time(value: int, second: int) -> DeviceSeconds | None:
    """Year 12 bits, month 4, day 5, hour 5, minute 6; a year below 1900 is counted from 1900 (WitEasy M68)."""
    year, month, day = value & 0xFFF, value >> 12 & 0xF, value >> 16 & 0x1F
    full = year + 1900 if year < 1900 else year
    return wall_second((full, month, day), (value >> 21 & 0x1F, value >> 26 & 0x3F, second))


def _hs100(raw: bytes) -> Record | None:
    valid, mode, second, user, when = struct.unpack("<BHBII", raw)
    return _row(str(user), _old_time(when, second), mode & 0x3F, mode >> 6 & 3, raw) if valid else None


def _hs101(raw: bytes) -> Record | None:
    user, _version, inout, verify, second, when = struct.unpack("<IBBBBI", raw)
    valid, at = _packed(when, second)
    return _row(str(user), at, verify, inout, raw) if valid else None


def _hs102(raw: bytes) -> Record | None:
    return _text_user(raw, 16)


def _hs103(raw: bytes) -> Record | None:
    return _text_user(raw, 32)


def _text_user(raw: bytes, width: int) -> Record | None:
    name = raw[:width].partition(b"\0")[0]
    second, when, inout, verify = struct.unpack_from("<BIII", raw, width + 3)
    valid, at = _packed(when, second)
    try:
        user = name.decode()
    except UnicodeDecodeError:
        return Bad("bad_user", raw) if valid else None
    return _row(user, at, verify, inout, raw) if valid else None


def _hs105(raw: bytes) -> Record | None:
    user, _version, _reserved, _work, second, when, inout, verify = struct.unpack("<IBBBBIII", raw)
    valid, at = _packed(when, second)
    return _row(str(user), at, verify, inout, raw) if valid else None


def _hs200(raw: bytes) -> Record | None:
    valid, second, mode, user, when = struct.unpack("<BBHII", raw)
    return _row(str(user), _old_time(when, second), mode & 0x3F, mode >> 6 & 0x1F, raw) if valid else None


_LOGS = {
    "HS100": _Layout(12, _hs100),
    "HS101": _Layout(12, _hs101),
    "HS102": _Layout(32, _hs102),
    "HS103": _Layout(48, _hs103),
    "HS104": _Layout(12, _hs101),
    "HS105": _Layout(20, _hs105),
    "HS200": _Layout(12, _hs200),
}
_USERS = {"HS100": (8, 4, 8), "HS101": (8, 0, 4), "HS104": (8, 0, 4), "HS105": (8, 0, 4)}
"""Size of a user entry, begin and end of the number in it."""
_TEXT_USERS = {"HS102": (20, 16), "HS103": (36, 32)}
"""Size of a user entry, and of the text that begins it."""
LIBRARIES = frozenset(_LOGS)


def library_of(text: str) -> str | None:
    """``HS102`` of ``FKDataHS102``; None for a library whose structures nobody has published, such as M50."""
    found = _LIBRARY.search(text)
    return found[0] if found and found[0] in LIBRARIES else None


def decode_log(library: str | None, size: int, data: bytes) -> Log:
    """All records; DataError when the terminal's size is not that of its library, or when bytes are left over."""
    layout = _LOGS.get(library or "")
    if layout is None:
        raise DataError(f"log of library {library}, expected one of {sorted(LIBRARIES)}", code="unknown_layout")
    if size != layout.size:
        raise DataError(f"log records of {size} bytes, expected {layout.size} for {library}", code="unknown_layout")
    if len(data) % size or len(data) // size > RECORDS_LIMIT:
        raise DataError(f"log of {len(data)} bytes does not hold records of {size}", code="bad_length")
    found = [layout.read(data[n : n + size]) for n in range(0, len(data), size)]
    rows = tuple(row for row in found if row is not None)
    return Log(rows, len(found) - len(rows))


def decode_users(library: str | None, size: int, data: bytes) -> frozenset[str]:
    """Numbers of everybody enrolled; privileges and what they enrolled with are left out."""
    if (numbered := _USERS.get(library or "")) is not None:
        expected, begin, end = numbered
    elif (texts := _TEXT_USERS.get(library or "")) is not None:
        expected, begin, end = texts[0], 0, texts[1]
    else:
        raise DataError(f"users of library {library} have no known layout", code="unknown_layout")
    if size != expected or len(data) % size or len(data) // size > RECORDS_LIMIT:
        raise DataError(f"user list of {len(data)} bytes, expected entries of {expected}", code="unknown_layout")
    entries = (data[n + begin : n + end] for n in range(0, len(data), size))
    if numbered is not None:
        return frozenset(str(int.from_bytes(entry, "little")) for entry in entries)
    return frozenset(entry.partition(b"\0")[0].decode("utf-8", "replace") for entry in entries)
