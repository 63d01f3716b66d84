"""Bytes of the ZK standalone protocol to values and back (zk4370.md); only DataError leaves this module.

Multi-byte numbers are little-endian. Times are the terminal's wall clock, ``DeviceSeconds``.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import NamedTuple, TypeAlias

from shared.clock import DeviceSeconds, device_seconds
from shared.errors import DataError

TOP = b"\x50\x50\x82\x7d"
TOP_ENCRYPTED = b"\x50\x50\x83\x7c"
TOP_SIZE = HEADER_SIZE = 8
PACKET_LIMIT = 1024 * 1024
"""Longest payload believed; a client never asks for more than 0xFFC0 bytes at once."""

CONNECT, EXIT, GET_VERSION, AUTH = 1000, 1001, 1100, 1102
OPTIONS, PUT_OPTION, PUT_USER, COUNTERS, GET_TIME = 11, 12, 8, 50, 201
READ_BUFFERED, READ_CHUNK = 1503, 1504
PREPARE_DATA = 1500
DATA = 1501
OK = 2000
UNAUTHORISED = 2005
EVENT = 500
EVENT_ATTENDANCE = 1
"""Session field of a realtime packet that carries a punch, and the mask that asks for it."""
LOG, USERS = 13, 9
"""Tables in READ_BUFFERED."""

SHORT, MEDIUM, LONG = 8, 16, 40
"""Sizes of a log record; longer ones begin like LONG."""

Bytes: TypeAlias = bytes | memoryview


class Packet(NamedTuple):
    """A checked payload; ``session`` holds the event code in a realtime packet."""

    command: int
    session: int
    reply: int
    data: bytes


class LogRow(NamedTuple):
    """One punch as the terminal wrote it; ``work_code`` only in records of 16 bytes."""

    user: str
    at: DeviceSeconds
    verify: int
    state: int
    work_code: int | None = None


class BadRow(NamedTuple):
    """A record that is no punch: ``bad_time``, ``no_user`` or ``short_record``, with its bytes."""

    reason: str
    raw: bytes


class User(NamedTuple):
    """A person enrolled at the terminal. Password, card and templates are not taken over."""

    uid: int
    user: str
    name: str


class Member(NamedTuple):
    """A person enrolled, and the bytes of the record: they hold a password and go nowhere but back to the terminal."""

    uid: int
    user: str
    name: str
    card: int
    enabled: bool
    record: bytes


class Counters(NamedTuple):
    """Rows in use and room for them; a capacity of 0 means that the terminal does not tell."""

    users: int
    user_capacity: int
    log: int
    log_capacity: int


# Frames


def checksum(payload: Bytes) -> int:
    """One's complement of the one's complement sum of little-endian words; the checksum field must hold 0."""
    # Carries folded into 16 bits are a remainder by 65535; only a sum of nothing folds to 0.
    total = int.from_bytes(payload, "little")
    folded = total % 0xFFFF or (0xFFFF if total else 0)
    return ~folded & 0xFFFF


def encode_packet(command: int, session: int, reply: int, data: bytes = b"") -> bytes:
    """A payload with its checksum: a UDP datagram, or what follows the top over TCP."""
    blank = struct.pack("<4H", command, 0, session, reply) + data
    return blank[:2] + struct.pack("<H", checksum(blank)) + blank[4:]


def decode_packet(payload: bytes) -> Packet:
    """The packet in a payload; DataError ``short_packet`` or ``checksum``."""
    if len(payload) < HEADER_SIZE:
        raise DataError(f"a packet of {len(payload)} bytes, expected at least {HEADER_SIZE}", "short_packet")
    command, sent, session, reply = struct.unpack_from("<4H", payload)
    if sent != checksum(payload[:2] + b"\0\0" + payload[4:]):
        raise DataError(f"checksum {sent:#06x} does not fit the packet of command {command}", "checksum")
    return Packet(command, session, reply, payload[HEADER_SIZE:])


def encode_frame(payload: bytes) -> bytes:
    """A payload as it goes over TCP."""
    return TOP + struct.pack("<I", len(payload)) + payload


class FrameDecoder:
    """Cuts a TCP stream into payloads; an unfinished tail waits for the next feed."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """Payloads completed by this chunk. DataError ``encrypted``, ``frame`` or ``oversize``: the stream is lost."""
        self._rest += chunk
        payloads = []
        at = 0
        while len(self._rest) - at >= TOP_SIZE:
            length = self._length(at)
            end = at + TOP_SIZE + length
            if len(self._rest) < end:
                break
            payloads.append(bytes(self._rest[at + TOP_SIZE : end]))
            at = end
        del self._rest[:at]
        return payloads

    def _length(self, at: int) -> int:
        top = bytes(self._rest[at : at + 4])
        length: int = struct.unpack_from("<I", self._rest, at + 4)[0]
        if top == TOP_ENCRYPTED:
            raise DataError("the terminal speaks the encrypted variant of the protocol", "encrypted")
        if top != TOP:
            raise DataError(f"expected a packet ({TOP.hex()}), got {top.hex()}", "frame")
        if length > PACKET_LIMIT:
            raise DataError(f"a packet of {length} bytes, expected at most {PACKET_LIMIT}", "oversize")
        return length


def scramble_key(key: int, session: int, ticks: int = 50) -> bytes:
    """Data of AUTH: the communication key (0 to 999999) mixed with the session number."""
    reversed_bits = int(f"{key & 0xFFFFFFFF:032b}"[::-1], 2)
    mixed = (reversed_bits + session & 0xFFFFFFFF) ^ int.from_bytes(b"ZKSO", "little")
    low, high = mixed & 0xFFFF, mixed >> 16
    a, b, _, d = struct.pack("<HH", high, low)
    return bytes((a ^ ticks, b ^ ticks, ticks, d ^ ticks))


# Time


class _Midnights(dict[int, DeviceSeconds]):
    """Midnight of an encoded day, in which every month counts 31; far below 0 where the calendar has no such day."""

    def __missing__(self, days: int) -> DeviceSeconds:
        try:
            midnight = device_seconds(datetime(2000 + days // 372, days // 31 % 12 + 1, days % 31 + 1, tzinfo=UTC))
        except ValueError:
            midnight = -(1 << 40)
        self[days] = midnight
        return midnight


_midnights = _Midnights()
"""At most 49,711 days fit into an encoded time."""


def decode_time(encoded: int) -> DeviceSeconds | None:
    """Wall clock of an encoded time; None for a day that does not exist, as after a battery loss."""
    days, second = divmod(encoded, 86400)
    at = _midnights[days] + second
    return at if at >= 0 else None


def encode_time(at: DeviceSeconds) -> int:
    """The encoded time of a wall clock between 2000 and 2099."""
    days, second = divmod(at, 86400)
    day = date.fromordinal(date(1970, 1, 1).toordinal() + days)
    return (day.year % 100 * 372 + (day.month - 1) * 31 + day.day - 1) * 86400 + second


def decode_clock(data: bytes) -> DeviceSeconds | None:
    """Wall clock in the answer to GET_TIME; None for an impossible one. DataError ``short_clock``."""
    if len(data) < 4:
        raise DataError(f"a clock of {len(data)} bytes, expected 4", "short_clock")
    encoded: int = struct.unpack_from("<I", data)[0]
    return decode_time(encoded)


# Facts about the terminal


def decode_counters(data: bytes) -> Counters:
    """Counters in the answer to GET_FREE_SIZES (80 bytes, 92 with face). DataError ``short_counters``."""
    if len(data) < 80:
        raise DataError(f"counters of {len(data)} bytes, expected 80 or 92", "short_counters")
    words = struct.unpack_from("<20I", data)
    return Counters(users=words[4], user_capacity=words[15], log=words[8], log_capacity=words[16])


def decode_option(data: bytes, name: str) -> str | None:
    """Value in the answer ``name=value`` to OPTIONS_RRQ; None for another name, an empty value or what is not ASCII."""
    text = data.split(b"\0", 1)[0]  # some firmware pads with garbage after the NUL
    key, separator, value = text.partition(b"=")
    if not separator or key != name.encode() or not value.isascii():
        return None
    plain = value.decode().strip()
    return plain if plain and plain.isprintable() else None


def decode_text(data: bytes) -> str | None:
    """Text up to the NUL, such as the firmware version; None when it is empty or not ASCII."""
    text = data.split(b"\0", 1)[0]
    plain = text.decode().strip() if text.isascii() else ""
    return plain if plain and plain.isprintable() else None


# Tables


def split_table(block: bytes) -> memoryview:
    """Records of a bulk answer, whose first four bytes are their total size. DataError ``short_table``."""
    if len(block) < 4:
        raise DataError(f"a table of {len(block)} bytes, expected its size in the first four", "short_table")
    total: int = struct.unpack_from("<I", block)[0]
    if len(block) - 4 < total:
        raise DataError(f"{len(block) - 4} bytes of a table of {total}", "short_table")
    return memoryview(block)[4 : 4 + total]


def record_size(total: int, count: int) -> int | None:
    """Size of a log record when ``count`` of them fill ``total`` bytes; None when the two do not explain each other."""
    if count <= 0 or total % count:
        return None
    size = total // count
    return size if size in (SHORT, MEDIUM) or size >= LONG else None


def decode_log(records: Bytes, size: int, users: Mapping[int, str] | None = None) -> list[LogRow | BadRow]:
    """Log records in order; ``users`` (uid to user id) is needed for records of 8 bytes. DataError ``log_layout``.

    What is left over at the end becomes a BadRow.
    """
    view = memoryview(records)
    whole = len(view) - len(view) % size if size > 0 else 0
    body, midnights = view[:whole], _midnights
    if size == SHORT:
        names = _UserIds(users or {})
        rows = [
            _row((names[uid], midnights[encoded // 86400] + encoded % 86400, verify, state, None))
            for uid, verify, encoded, state in struct.iter_unpack("<HBIB", body)
        ]
    elif size == MEDIUM:
        rows = [
            _row((str(user), midnights[encoded // 86400] + encoded % 86400, verify, state, work_code))
            for user, encoded, verify, state, work_code in struct.iter_unpack("<IIBB2xI", body)
        ]
    elif LONG <= size <= PACKET_LIMIT:
        texts = _UserTexts()
        rows = [
            _row((texts[text], midnights[encoded // 86400] + encoded % 86400, verify, state, None))
            for text, verify, encoded, state in struct.iter_unpack(f"<2x24sBIB{size - 32}x", body)
        ]
    else:
        raise DataError(f"log records of {size} bytes, expected {SHORT}, {MEDIUM}, {LONG} or more", "log_layout")
    judged: list[LogRow | BadRow] = [
        row if row[1] >= 0 and row[0] else _bad_row(row, view[index * size : (index + 1) * size])
        for index, row in enumerate(rows)
    ]
    if whole < len(view):
        judged.append(BadRow("short_record", bytes(view[whole:])))
    return judged


_row: Callable[[tuple[str, int, int, int, int | None]], LogRow] = partial(tuple.__new__, LogRow)
"""LogRow's own constructor takes twice as long."""


def _bad_row(row: LogRow, record: memoryview) -> BadRow:
    return BadRow("bad_time" if row.at < 0 else "no_user", bytes(record))


class _UserTexts(dict[bytes, str]):
    """User field of 24 bytes to user id, each decoded once."""

    def __missing__(self, field: bytes) -> str:
        self[field] = user = _text(field)
        return user


class _UserIds(dict[int, str]):
    """uid to user id; somebody deleted keeps the uid as number, marked where another person has that number by now."""

    def __init__(self, users: Mapping[int, str]) -> None:
        super().__init__(users)
        self._taken = set(users.values())

    def __missing__(self, uid: int) -> str:
        number = str(uid)
        self[uid] = user = f"uid:{number}" if number in self._taken else number
        return user


def decode_users(records: Bytes, size: int, encoding: str = "utf-8") -> list[User]:
    """People enrolled, from records of 28 or 72 bytes; ``encoding`` is that of names. DataError ``user_layout``."""
    view = memoryview(records)
    if size not in (28, 72) or len(view) % size:
        raise DataError(f"{len(view)} bytes of users in records of {size}, expected 28 or 72 each", "user_layout")
    layout = "<Hx5x8s8xI" if size == 28 else "<Hx8x24s13x24s"
    rows: Iterable[tuple[int, bytes, int | bytes]] = struct.iter_unpack(layout, view)
    return [
        User(uid, str(user) if isinstance(user, int) else _text(user), _text(name, encoding))
        for uid, name, user in rows
    ]


class UserLayout(NamedTuple):
    """Where things are in a user record; the password is between privilege and name."""

    name: slice
    card: slice
    user: slice


USER_LAYOUTS = {
    28: UserLayout(slice(8, 16), slice(16, 20), slice(24, 28)),
    72: UserLayout(slice(11, 35), slice(35, 39), slice(48, 72)),
}
PRIVILEGE, DISABLED = 2, 1
"""Offset of the byte in both layouts, and its bit of somebody who may not punch."""


def decode_members(records: Bytes, size: int, encoding: str = "utf-8") -> list[Member]:
    """People enrolled, each with the whole record. DataError ``user_layout``."""
    plain = bytes(records)
    people = decode_users(plain, size, encoding)
    layout = USER_LAYOUTS[size]
    members = []
    for index, person in enumerate(people):
        record = plain[index * size : (index + 1) * size]
        card = int.from_bytes(record[layout.card], "little")
        members.append(Member(*person, card, not record[PRIVILEGE] & DISABLED, record))
    return members


def new_user(uid: int, user: str, size: int) -> bytes:
    """The record of somebody without name, card, password and rights. DataError ``user_number``."""
    layout = USER_LAYOUTS[size]
    record = bytearray(size)
    record[:2] = struct.pack("<H", uid)
    if size == 28:
        if not (user.isascii() and user.isdecimal() and 0 < int(user) < 1 << 32):
            raise DataError(f"user number {user!r}: this terminal takes 1 to {(1 << 32) - 1}", "user_number")
        record[layout.user] = struct.pack("<I", int(user))
    else:
        text = user.encode()
        if not user.isprintable() or not 0 < len(text) < 24:
            raise DataError(f"user number {user!r}: this terminal takes 1 to 23 bytes of text", "user_number")
        record[39] = 1  # group
        record[layout.user] = text.ljust(24, b"\0")
    return bytes(record)


def with_name_and_card(record: bytes, name: str, card: int, *, enabled: bool, encoding: str = "utf-8") -> bytes:
    """The record with another name, card and right to punch; the rest as it was. DataError ``user_name``, ``card``."""
    layout = USER_LAYOUTS[len(record)]
    room = layout.name.stop - layout.name.start
    try:
        text = name.encode(encoding)
    except UnicodeEncodeError as error:
        raise DataError(f"name {name!r} can not be written in {encoding}", "user_name") from error
    if len(text) > room or not (name.isprintable() or not name):
        raise DataError(f"name {name!r} has {len(text)} bytes, this terminal has room for {room}", "user_name")
    if not 0 <= card < 1 << 32:
        raise DataError(f"card {card}: this terminal takes 0 to {(1 << 32) - 1}", "card")
    changed = bytearray(record)
    changed[layout.name] = text.ljust(room, b"\0")
    changed[layout.card] = struct.pack("<I", card)
    changed[PRIVILEGE] = record[PRIVILEGE] & ~DISABLED if enabled else record[PRIVILEGE] | DISABLED
    return bytes(changed)


def _text(field: bytes, encoding: str = "utf-8") -> str:
    """Text up to the NUL, garbage after it left out; bytes that are no text stay visible as escapes."""
    return field.split(b"\0", 1)[0].decode(encoding, errors="backslashreplace")


# Realtime

_EVENTS = {
    size: struct.Struct(layout)
    for size, layout in {
        10: "<HBB6s",
        12: "<IBB6s",
        14: "<HBB6s4x",
        32: "<24sBB6s",
        36: "<24sBB6s4x",
        37: "<24sBB6s5x",
        52: "<24sBB6s20x",
    }.items()
}


def decode_event(data: bytes) -> LogRow:
    """The punch in a realtime packet. DataError ``event_layout``, ``bad_time`` or ``no_user``."""
    layout = _EVENTS.get(len(data))
    if layout is None:
        raise DataError(f"a realtime punch of {len(data)} bytes, expected one of {sorted(_EVENTS)}", "event_layout")
    user, verify, state, (year, month, day, hour, minute, second) = layout.unpack(data)
    name = _text(user) if isinstance(user, bytes) else str(user)
    if not name:
        raise DataError("a realtime punch without user", "no_user")
    try:
        at = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise DataError(f"a realtime punch at an impossible time: {error}", "bad_time") from error
    return LogRow(name, device_seconds(at), verify, state)
