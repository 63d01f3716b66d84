"""Bytes of Anviz's TC_B protocol to values and back (anviz-tcb.md); only DataError leaves this module.

Numbers are big-endian except the CRC. Times are the terminal's wall clock, ``DeviceSeconds``.
"""

import binascii
import struct
from datetime import datetime
from typing import NamedTuple

from shared.clock import DeviceSeconds, device_seconds
from shared.errors import DataError

START = 0xA5
ANSWER = 0x80
"""Added to a command in its answer."""
ANY_DEVICE = 0
DATA_LIMIT = 1024
"""Longest data believed; the document allows 600 bytes."""

LOGIN = 0x04
SERIAL = 0x24
CONFIG_1 = 0x30
CONFIG_2 = 0x32
GET_TIME = 0x38
SET_TIME = 0x39
COUNTERS = 0x3C
RECORDS = 0x40
USERS_OLD, PUT_USERS_OLD = 0x42, 0x43
DEVICE_ID = 0x46
MODEL = 0x48
CLEAR = 0x4E
CAPACITY = 0x5D
PUSH = 0x5F
USERS, PUT_USERS = 0x72, 0x73
HEARTBEAT = 0x7F

SUCCESS, FAIL, FULL, EMPTY, NO_USER, TIME_OUT, USER_EXISTS, LOCKED = 0, 1, 4, 5, 6, 8, 0x0A, 0x0F
MEANINGS = {
    FAIL: "it failed",
    FULL: "it is full",
    EMPTY: "there is nothing",
    NO_USER: "there is no such user",
    TIME_OUT: "it ran out of time",
    USER_EXISTS: "the user exists",
    0x0B: "the finger exists",
    LOCKED: "it is locked",
}

FIRST_ALL, FIRST_NEW, NEXT, AGAIN = 1, 2, 0, 0x10
"""Modes of a block read."""
CLEAR_COUNTED = 2
"""Takes the new flag from the first N; types 0 and 1 delete records and flags of punches made meanwhile: never sent."""

BLOCK = 25
RECORD_SIZE = 14
EPOCH_S = device_seconds(datetime(2000, 1, 2))  # noqa: DTZ001 a terminal's clock has no zone
"""Records count from here; the document prints the 1st, captures and all libraries prove the 2nd."""
DOOR_OPENED = 0x80
STATE_BITS = 0x0F
USER_ADDED = 0xFF0000
"""Work codes from here on in a push say that a user was added at the terminal: no punch."""
U24 = 0xFFFFFF


class Frame(NamedTuple):
    """A checked frame; ``command`` without the answer's bit, ``result`` None in a request."""

    device: int
    command: int
    result: int | None
    data: bytes


class LogRow(NamedTuple):
    """One punch as the terminal wrote it."""

    user: str
    at: DeviceSeconds
    backup: int
    """How the person was recognised: 0 and 1 fingers, 2 password, 3 card; face models use other numbers."""
    kind: int
    """Bit 7: the door opened; low four bits: attendance state."""
    work_code: int

    @property
    def state(self) -> int:
        """Attendance state, 0 to 15."""
        return self.kind & STATE_BITS


class BadRow(NamedTuple):
    """What is no punch: ``no_user`` or ``short_record``, with its bytes; ``records`` says how many it stands for."""

    reason: str
    raw: bytes
    records: int = 1


class Counters(NamedTuple):
    """What the terminal holds."""

    users: int
    fingers: int
    passwords: int
    cards: int
    log: int
    new: int


class Capacity(NamedTuple):
    """What it has room for."""

    users: int
    fingers: int
    log: int


class User(NamedTuple):
    """A person enrolled at the terminal; ``card`` 0 means none."""

    number: int
    name: str
    card: int


class Layout(NamedTuple):
    """Where a user record of one size keeps its parts."""

    size: int
    card: slice
    name: slice
    encoding: str
    read: int
    write: int
    block: int
    """Users in one answer."""


LAYOUTS = {
    layout.size: layout
    for layout in (
        Layout(27, slice(8, 11), slice(11, 21), "ascii", USERS_OLD, PUT_USERS_OLD, 12),
        Layout(30, slice(8, 12), slice(12, 22), "ascii", USERS, PUT_USERS, 12),
        Layout(40, slice(8, 12), slice(12, 32), "utf-16-be", USERS, PUT_USERS, 8),
    )
}

# Frames


def crc16(data: bytes) -> int:
    """CRC of everything from A5 to the end of the data: reflected 0x1021, initial 0xFFFF, no final xor."""
    # binascii has the unreflected one; turning each byte and the result round gives ours, at the speed of C.
    return _turned16(binascii.crc_hqx(data.translate(_TURNED), 0xFFFF))


_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _turned16(value: int) -> int:
    return _TURNED[value & 0xFF] << 8 | _TURNED[value >> 8]


def encode_request(command: int, data: bytes = b"", device: int = ANY_DEVICE) -> bytes:
    """A request as it goes over TCP."""
    head = struct.pack(">BIBH", START, device, command, len(data)) + data
    return head + struct.pack("<H", crc16(head))


class FrameDecoder:
    """Cuts a TCP stream into frames; an unfinished tail waits for the next feed."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[Frame | DataError]:
        """Frames completed by this chunk; one with a wrong CRC is a DataError in its place.

        Raises DataError ``frame`` or ``oversize`` when the stream is lost, but not before what came first is taken.
        """
        self._rest += chunk
        found: list[Frame | DataError] = []
        try:
            while (cut := self._cut()) is not None:
                found.append(cut)
        except DataError:
            if not found:
                raise
        return found

    @property
    def unfinished(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._rest)

    def _cut(self) -> Frame | DataError | None:
        rest = self._rest
        if not rest:
            return None
        if rest[0] != START:
            raise DataError(f"expected a frame (a5), got {bytes(rest[:4]).hex()}", "frame")
        if len(rest) < 8:
            return None
        command = rest[5]
        # A heartbeat is no answer, though some firmware gives it an answer's result byte.
        heads = (9,) if command & ANSWER else (8, 9) if command == HEARTBEAT else (8,)
        broken: DataError | None = None
        for head in heads:
            if len(rest) < head:
                return None
            length = int.from_bytes(rest[head - 2 : head], "big")
            if length > DATA_LIMIT:
                raise DataError(f"a frame of {length} bytes, expected at most {DATA_LIMIT}", "oversize")
            end = head + length + 2
            if len(rest) < end:
                return None
            if crc16(bytes(rest[: end - 2])) == int.from_bytes(rest[end - 2 : end], "little"):
                frame = _frame(bytes(rest[: end - 2]), head)
                del rest[:end]
                return frame
            broken = DataError(f"the CRC does not fit the frame of command {command & 0x7F:#04x}", "checksum")
        del rest[:end]
        return broken


def _frame(raw: bytes, head: int) -> Frame:
    device = int.from_bytes(raw[1:5], "big")
    return Frame(device, raw[5] & 0x7F, raw[6] if head == 9 else None, raw[head:])


# Records


def decode_block(data: bytes) -> tuple[int, list[LogRow | BadRow]]:
    """How many records an answer to ``RECORDS`` holds, and what they say; DataError ``short_block`` when empty.

    A block whose size does not fit its count has a layout that nobody has told us: one BadRow with all its bytes.
    """
    if not data:
        raise DataError("a block without its count", "short_block")
    count = data[0]
    if len(data) != 1 + count * RECORD_SIZE:
        return count, [BadRow("short_record", data, count)]
    return count, [decode_record(data[at : at + RECORD_SIZE]) for at in range(1, len(data), RECORD_SIZE)]


def decode_record(raw: bytes) -> LogRow | BadRow:
    """The punch in 14 bytes."""
    if len(raw) != RECORD_SIZE:
        return BadRow("short_record", raw)
    user = int.from_bytes(raw[:5], "big")
    if user == 0:
        return BadRow("no_user", raw)
    at = EPOCH_S + int.from_bytes(raw[5:9], "big")
    return LogRow(str(user), at, raw[9], raw[10], int.from_bytes(raw[11:14], "big"))


def block_request(mode: int, count: int = BLOCK) -> bytes:
    """Data of a request for a block."""
    return bytes((mode, count))


def clear_request(count: int) -> bytes:
    """Data of CLEAR: take the new flag from exactly the first ``count`` records, which deletes nothing."""
    return bytes((CLEAR_COUNTED,)) + min(count, U24).to_bytes(3, "big")


# What else a terminal tells


def decode_counters(data: bytes) -> Counters:
    """Answer to COUNTERS: six u24 (the document's length 0x22 is a typo)."""
    if len(data) < 18:
        raise DataError(f"counters of {len(data)} bytes, expected 18", "short_counters")
    return Counters(*_u24s(data[:18]))


def decode_capacity(data: bytes) -> Capacity:
    """Answer to CAPACITY: three u24."""
    if len(data) < 9:
        raise DataError(f"capacity of {len(data)} bytes, expected 9", "short_capacity")
    return Capacity(*_u24s(data[:9]))


def _u24s(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 3], "big") for at in range(0, len(data), 3)]


def decode_clock(data: bytes) -> datetime:
    """The naive wall time in an answer to GET_TIME; DataError ``bad_time`` for an impossible one."""
    if len(data) < 6:
        raise DataError(f"a clock of {len(data)} bytes, expected 6", "bad_time")
    year, month, day, hour, minute, second = data[:6]
    try:
        return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 a terminal's clock has no zone
    except ValueError as error:
        raise DataError(f"the clock shows {data[:6].hex()}: {error}", "bad_time") from error


def encode_clock(wall: datetime) -> bytes:
    """Data of SET_TIME; the year from 2000 to 2255."""
    return bytes((wall.year - 2000, wall.month, wall.day, wall.hour, wall.minute, wall.second))


def decode_text(data: bytes) -> str:
    """Serial number or model: ASCII, filled up with NUL or blanks."""
    return "".join(chr(byte) for byte in data.split(b"\0")[0] if 0x20 <= byte < 0x7F).strip()


def firmware_of(config: bytes) -> str:
    """Firmware in an answer to CONFIG_1; the password that follows is left where it is."""
    return decode_text(config[:8])


def realtime_of(config: bytes) -> bool | None:
    """Whether an answer to CONFIG_2 says that punches are pushed as they happen; None when it is too short."""
    return bool(config[4]) if len(config) > 4 else None


def encode_login(user: str, password: str) -> bytes:
    """Data of LOGIN on the iris and ST platforms: two fields of 12 bytes; DataError when they do not fit."""
    fields = user.encode("ascii", "replace"), password.encode("ascii", "replace")
    if any(len(field) > 12 for field in fields):
        raise DataError("user and password have at most 12 characters", "bad_login")
    return b"".join(field.ljust(12, b"\0") for field in fields)


# Users


def decode_users(data: bytes) -> list[bytes]:
    """User records of a block as they are, for ``user_of``; they hold a password and must not be kept.

    DataError ``user_record`` for a size that no layout has.
    """
    if not data:
        raise DataError("a block without its count", "short_block")
    count = data[0]
    if count == 0:
        return []
    size, torn = divmod(len(data) - 1, count)
    if torn or size not in LAYOUTS:
        raise DataError(f"{count} users in {len(data) - 1} bytes, expected records of {sorted(LAYOUTS)}", "user_record")
    return [data[at : at + size] for at in range(1, len(data), size)]


def user_of(record: bytes) -> User:
    """Number, name and card of a user record."""
    layout = layout_of(record)
    card = record[layout.card]
    none = card == b"\xff" * len(card)
    name = record[layout.name].decode(layout.encoding, "replace").split("\0")[0].strip()
    return User(int.from_bytes(record[:5], "big"), name, 0 if none else int.from_bytes(card, "big"))


def layout_of(record: bytes) -> Layout:
    """The layout of a user record by its size."""
    layout = LAYOUTS.get(len(record))
    if layout is None:
        raise DataError(f"a user record of {len(record)} bytes, expected {sorted(LAYOUTS)}", "user_record")
    return layout


def new_user(layout: Layout, number: int) -> bytes:
    """A record of somebody without password, card, name or finger."""
    record = bytearray(layout.size)
    record[:5] = number.to_bytes(5, "big")
    record[5:8] = b"\xff\xff\xff"
    record[layout.card] = b"\xff" * (layout.card.stop - layout.card.start)
    return bytes(record)


def with_name_and_card(record: bytes, name: str, card: int) -> bytes:
    """The record with these; everything else in it stays. DataError ``user_text`` when they do not fit."""
    layout = layout_of(record)
    room, width = layout.name.stop - layout.name.start, layout.card.stop - layout.card.start
    try:
        text = name.encode(layout.encoding)
    except UnicodeEncodeError as error:
        raise DataError(f"this model takes names in ASCII only, not {name!r}", "user_text") from error
    if len(text) > room:
        raise DataError(f"the name {name!r} takes {len(text)} bytes, this model has {room}", "user_text")
    if not 0 <= card < (1 << 8 * width) - 1:
        raise DataError(f"card {card} does not fit the {width} bytes that this model has", "user_text")
    changed = bytearray(record)
    changed[layout.name] = text.ljust(room, b"\0")
    changed[layout.card] = card.to_bytes(width, "big") if card else b"\xff" * width
    return bytes(changed)


# Captures


def pieces_of_capture(data: bytes) -> list[bytes]:
    """The bytes in a capture: as they are, or written as hexadecimal lines, each after an optional > or <.

    Lines that start with # are remarks; DataError ``hex`` for what is neither.
    """
    if data[:1] == bytes((START,)):
        return [data]
    pieces = []
    for line in data.decode("ascii", "replace").splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            pieces.append(bytes.fromhex(text.lstrip("<> ")))
        except ValueError as error:
            raise DataError(f"expected a5... or lines of hexadecimal, got {text[:20]!r}", "hex") from error
    return pieces
