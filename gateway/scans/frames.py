"""Bytes of a scanner to reads; no I/O.

Source: protocols/scan-devices.md of the specification.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from shared.codes.aim import split_aim
from shared.codes.rfid import rdm6300_of_line
from shared.errors import DataError
from shared.scan import ScanKind

FRAME_LIMIT = 4096
"""Bytes of one read; the largest QR code holds 2,953."""
NO_READ = frozenset({"NOREAD", "NO READ", "NO-READ", "NO_READ"})
"""What a fixed scanner sends when a parcel had no legible code."""

_LINE_ENDS = b"\r\n"
_CONTROLS = re.compile(r"[\x00-\x03\x05-\x08\x0b-\x1b\x1f\x7f]")
"""What no code holds: GS, RS, FS and EOT occur in GS1 and ISO 15434 codes, tab and LF in texts."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of one read without prefix and suffix."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that can not be a read."""

    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """One code that a scanner read."""

    code: str
    symbology: str = ""
    """AIM identifier, empty when the scanner sends none."""
    wall: datetime | None = None
    """Local time of a batch scanner, naive or with its offset; None for a live read."""
    number: int | None = None
    """The scanner's own number of this read."""
    kind: ScanKind | None = None
    """What the source says that the read means; None leaves it to the station."""
    operator: str | None = None
    """Who is logged in at the source; None leaves it to the station."""
    station: str | None = None
    """Where one device serves several places, such as antennas; None for the station itself."""


@dataclass(frozen=True, slots=True)
class NoRead:
    """The scanner saw something and read nothing."""


Piece: TypeAlias = Frame | Noise
Found: TypeAlias = Read | NoRead | Noise


class FrameDecoder:
    """Cuts a byte stream into frames; an unfinished tail waits for the next feed, or for ``silence``.

    With an empty ``suffix`` only silence ends a frame.
    """

    def __init__(self, prefix: bytes, suffix: bytes) -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._tail = bytearray()
        self._overlong = False

    @property
    def waiting(self) -> bool:
        """Whether a tail waits for its end."""
        return bool(self._tail)

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Frames and noise that this chunk completes."""
        self._tail += chunk
        if self._suffix:
            *bodies, self._tail = self._tail.split(self._suffix)
            for body in bodies:
                yield from self._end(bytes(body))
        while len(self._tail) >= FRAME_LIMIT + max(len(self._suffix), 1):  # the suffix itself may be cut in two
            piece = bytes(self._tail[:FRAME_LIMIT])
            del self._tail[:FRAME_LIMIT]
            self._overlong = True
            yield Noise("too_long", piece)

    def silence(self) -> Iterator[Piece]:
        """The line has been silent: a tail is a frame where silence ends one, else it will never be finished."""
        if not self._tail:
            return
        body = bytes(self._tail)
        self._tail.clear()
        if self._suffix == b"\r\n" and body.endswith(b"\r"):
            for read in body.split(b"\r"):  # it is set to CR
                yield from self._end(read)
        elif self._suffix:
            self._overlong = False
            if body.strip(_LINE_ENDS):
                yield Noise("unfinished", body)
        else:
            yield from self._end(body)

    def _end(self, body: bytes) -> Iterator[Piece]:
        """A complete frame; the rest of an overlong one is noise too."""
        overlong, self._overlong = self._overlong, False
        if overlong or len(body) > FRAME_LIMIT:
            for start in range(0, len(body), FRAME_LIMIT):
                yield Noise("too_long", body[start : start + FRAME_LIMIT])
            return
        body = body.strip(_LINE_ENDS)  # a scanner set to CR LF where the profile says CR, and the other way round
        if self._prefix:
            before, found, body_after = body.rpartition(self._prefix)
            if not found:
                if body:
                    yield Noise("no_prefix", body)
                return
            if before:
                yield Noise("noise", before)
            body = body_after
        if body:
            yield Frame(body)


def to_text(raw: bytes) -> str | None:
    """UTF-8, else GB18030 as in Chinese QR codes; both lead back to the raw bytes. None when it is neither."""
    for encoding in ("utf-8", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text
    return None


@dataclass(frozen=True, slots=True)
class LineRules:
    """How a frame becomes a read; from the profile."""

    aim: bool = False
    pattern: re.Pattern[str] | None = None
    """Named groups: ``code``, and ``time`` and ``seq`` where a batch scanner sends them."""
    time_format: str = "%Y-%m-%d %H:%M:%S"
    form: Literal["text", "rdm6300"] = "text"
    """``rdm6300``: twelve hexadecimal digits, the last two a checksum."""


def read_of(raw: bytes, rules: LineRules) -> Found:
    """What a frame says."""
    if rules.form == "rdm6300":
        return _card_of(raw)
    text = to_text(raw)
    if text is None:
        return Noise("bad_text", raw)
    if _CONTROLS.search(text):
        return Noise("noise", raw)
    symbology, data = split_aim(text) if rules.aim else ("", text)
    if data.strip().upper() in NO_READ:
        return NoRead()
    if rules.pattern is not None:
        return _line_of(data, symbology, raw, rules.pattern, rules.time_format)
    return Read(data, symbology) if data else Noise("empty", raw)


def _card_of(raw: bytes) -> Found:
    try:
        return Read(rdm6300_of_line(raw).hex)
    except DataError as error:
        return Noise(error.code, raw)


def _line_of(data: str, symbology: str, raw: bytes, pattern: re.Pattern[str], time_format: str) -> Found:
    match = pattern.fullmatch(data)
    if match is None or not match["code"]:
        return Noise("bad_line", raw)
    if match["code"].strip().upper() in NO_READ:
        return NoRead()
    groups = match.groupdict()
    wall, number = None, None
    if time := groups.get("time"):
        wall = _parse_time(time, time_format)
        if wall is None:
            return Noise("bad_time", raw)
    if seq := groups.get("seq"):
        if not (seq.isascii() and seq.isdigit() and len(seq) <= 18):
            return Noise("bad_line", raw)
        number = int(seq)
    return Read(match["code"], symbology, wall, number)


def _parse_time(text: str, time_format: str) -> datetime | None:
    try:
        wall = datetime.strptime(text, time_format)  # noqa: DTZ007  # the zone is the station's and comes later
    except ValueError:
        return None
    return wall if 1970 <= wall.year <= 2199 else None
