"""Linux input events of a keyboard to reads; no I/O.

Source: protocols/scan-devices.md of the specification; linux/input.h and linux/input-event-codes.h.
"""

import struct
from collections.abc import Iterator

from gateway.scans.frames import FRAME_LIMIT, Frame, Noise, Piece

EVENT = struct.Struct("@llHHi")
"""``input_event`` of this machine: seconds, microseconds, type, code, value."""
EV_SYN, EV_KEY = 0, 1
SYN_DROPPED = 3
UP, DOWN = 0, 1

_SHIFT, _CTRL, _ALT = frozenset({42, 54}), frozenset({29, 97}), frozenset({56, 100})
_CAPS, _F8 = 58, 66
_ENDS = frozenset({28, 96, 15})
"""Enter, Enter of the number pad, Tab."""
_IGNORED = frozenset({69, 125, 126, 127})
"""Num lock and the keys with a logo."""
_PAD = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}


def _row(first: int, plain: str, shifted: str) -> dict[int, tuple[str, str]]:
    return {first + n: pair for n, pair in enumerate(zip(plain, shifted, strict=True))}


KEYS = {
    **_row(2, "1234567890-=", "!@#$%^&*()_+"),
    **_row(16, "qwertyuiop[]", "QWERTYUIOP{}"),
    **_row(30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    **_row(43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    57: (" ", " "),
    55: ("*", "*"),
    74: ("-", "-"),
    78: ("+", "+"),
    83: (".", "."),
    98: ("/", "/"),
    **{code: (digit, digit) for code, digit in _PAD.items()},
}
"""Character of a key of the US layout, without and with shift."""
GS = "\x1d"


class KeyDecoder:
    """Turns key strokes into reads, which end with Enter or Tab; an unfinished one waits."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._held: set[int] = set()
        self._caps = False
        self._text: list[str] = []
        self._alt_digits = ""
        self._fault: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether a read has begun."""
        return bool(self._text or self._fault)

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Reads that these events complete."""
        self._bytes += chunk
        whole = len(self._bytes) // EVENT.size * EVENT.size
        events = bytes(self._bytes[:whole])
        del self._bytes[:whole]
        for _, _, kind, code, value in EVENT.iter_unpack(events):
            if kind == EV_SYN and code == SYN_DROPPED:
                self._fault = "dropped"
                self._held.clear()
            elif kind == EV_KEY and value == UP:
                self._up(code)
            elif kind == EV_KEY and value == DOWN:  # 2 is a repeat by a held key, which no scanner means
                yield from self._down(code)

    def silence(self) -> Iterator[Piece]:
        """Nothing came for long: what has begun will never be finished."""
        if self.waiting:
            yield Noise(self._fault or "unfinished", self._take())

    def _up(self, code: int) -> None:
        self._held.discard(code)
        if code in _ALT and self._alt_digits:
            number = int(self._alt_digits)
            self._alt_digits = ""
            self._add(bytes([number]).decode("cp1252", "replace") if number < 256 else chr(number))

    def _down(self, code: int) -> Iterator[Piece]:
        if code in _SHIFT or code in _CTRL or code in _ALT:
            self._held.add(code)
        elif code == _CAPS:
            self._caps = not self._caps
        elif code in _ENDS:
            if self.waiting:
                fault, raw = self._fault, self._take()
                yield Noise(fault, raw) if fault else Frame(raw)
        elif code not in _IGNORED:
            self._character(code)
            if len(self._text) >= FRAME_LIMIT:
                self._fault = "too_long"
                yield Noise("too_long", "".join(self._text).encode("utf-8", "replace"))
                self._text.clear()

    def _character(self, code: int) -> None:
        shift, ctrl, alt = (bool(self._held & keys) for keys in (_SHIFT, _CTRL, _ALT))
        if alt and code in _PAD:
            self._alt_digits = (self._alt_digits + _PAD[code])[-5:].lstrip("0")
        elif code == _F8:
            self._add(GS)
        elif alt or code not in KEYS:
            self._fault = self._fault or "unknown_key"
        else:
            plain, shifted = KEYS[code]
            if ctrl:
                control = ord(plain.upper()) - 64
                if 0 < control < 32:
                    self._add(chr(control))
                else:
                    self._fault = self._fault or "unknown_key"
            else:
                self._add(shifted if shift != (self._caps and plain.isalpha()) else plain)

    def _add(self, text: str) -> None:
        self._text.append(text)

    def _take(self) -> bytes:
        raw = "".join(self._text).encode("utf-8", "replace")
        self._text.clear()
        self._fault = None
        return raw
