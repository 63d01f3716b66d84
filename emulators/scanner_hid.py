"""A barcode scanner that acts as a keyboard, played as raw input events written into a file or a named pipe."""

import os
import struct
from pathlib import Path

_EVENT = struct.Struct("@llHHi")
_SHIFT, _CTRL, _ENTER, _RIGHT_BRACKET = 42, 29, 28, 27
_ROWS = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (57, " ", " "),
)


class HidScanner:
    """One scanner with the US layout; ``device`` is the path that the gateway opens."""

    def __init__(self, path: Path, *, end: int = _ENTER) -> None:
        self.emitted = 0
        self._path = path
        self._end = end
        self._seconds = 0

    @property
    def device(self) -> str:
        """Path of the events."""
        return str(self._path)

    async def start(self) -> None:
        """Make the file."""
        self._path.touch()

    async def stop(self) -> None:
        """Unplug."""
        self._path.unlink(missing_ok=True)

    def scan(self, code: str) -> None:
        """Type a code and Enter; GS as Ctrl+]."""
        self.write(b"".join(self.type(char) for char in code) + self.stroke(self._end))
        self.emitted += 1

    def write(self, events: bytes) -> None:
        """Append raw events, as the kernel would deliver them."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, events)
        finally:
            os.close(descriptor)

    def type(self, char: str) -> bytes:
        """The events of one character."""
        if char == "\x1d":
            return self.key(_CTRL, 1) + self.stroke(_RIGHT_BRACKET) + self.key(_CTRL, 0)
        for first, plain, shifted in _ROWS:
            if char in plain:
                return self.stroke(first + plain.index(char))
            if char in shifted:
                return self.key(_SHIFT, 1) + self.stroke(first + shifted.index(char)) + self.key(_SHIFT, 0)
        raise ValueError(f"{char!r} is on no key of the US layout")

    def stroke(self, code: int) -> bytes:
        """A key down and up again."""
        return self.key(code, 1) + self.key(code, 0)

    def key(self, code: int, value: int) -> bytes:
        """Scan code, key and end of report, as keyboards send them."""
        self._seconds += 1
        events = ((4, 4, 0x70000 + code), (1, code, value), (0, 0, 0))
        return b"".join(_EVENT.pack(self._seconds, 0, *event) for event in events)
