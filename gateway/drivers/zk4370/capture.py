"""What captured packets and dumps of ZK terminals say."""

from collections.abc import Iterator
from datetime import datetime, tzinfo

from gateway.device import Decoded, HealthFact, Trouble
from gateway.drivers.zk4370 import codec
from gateway.drivers.zk4370.codec import Counters, FrameDecoder, LogRow, Packet
from gateway.drivers.zk4370.reader import Reader
from gateway.drivers.zk4370.settings import layout_of
from gateway.profile import Profile
from shared.clock import EPOCH
from shared.errors import DataError

NAMES = {
    codec.CONNECT: "connect",
    codec.EXIT: "exit",
    1002: "enable",
    1003: "disable",
    1013: "refresh",
    codec.GET_VERSION: "version",
    codec.AUTH: "auth",
    codec.COUNTERS: "counters",
    codec.GET_TIME: "clock",
    202: "set_clock",
    codec.OPTIONS: "option",
    codec.PUT_OPTION: "set_option",
    codec.PUT_USER: "put_user",
    codec.EVENT: "events",
    codec.READ_BUFFERED: "read_table",
    codec.READ_CHUNK: "read_chunk",
    1502: "free_buffer",
}
REFUSALS = {2001: "error", 2003: "retry", 2004: "repeat", codec.UNAUTHORISED: "key_wanted", 65535: "unknown_command"}
TABLES = {codec.LOG: "log", codec.USERS: "users"}
OPTIONS = frozenset({"~SerialNumber", "~DeviceName", "~Platform", "~OEMVendor", "~ZKFPVersion", "WorkCode"})
"""Options that are told; what others hold may be a secret."""
SMALLEST_EVENT = 10


def decode_capture(data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> list[Decoded]:
    """What TCP packets of either direction say, or what a dump of the log holds; DataError when it is neither."""
    if data[:4] in (codec.TOP, codec.TOP_ENCRYPTED):
        return _Conversation(profile, zone, terminal).decode(data)
    return [_dump(data, profile, zone, terminal)]


def _dump(data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Decoded:
    """A table as it was read: its size and the records, or the records alone; their size stands in the profile."""
    size = layout_of(profile).log_record or codec.LONG
    announced = int.from_bytes(data[:4], "little")
    records = data[4:] if announced == len(data) - 4 else data
    if not records or len(records) % size:
        raise DataError(
            f"{len(data)} bytes are no packets ({codec.TOP.hex()}) and no log in records of {size}", "frame"
        )
    told = _log(records, size, {}, Reader(terminal, profile, zone))
    if not told.events:
        raise DataError("none of its records is a punch", "frame")
    return told


class _Conversation:
    """Packets in order: answers are understood by the requests before them, where those were captured too."""

    def __init__(self, profile: Profile, zone: tzinfo, terminal: str) -> None:
        self._reader = Reader(terminal, profile, zone)
        self._layout = layout_of(profile)
        self._asked: dict[int, Packet] = {}
        self._counters: Counters | None = None
        self._users: dict[int, str] = {}
        self._table: int | None = None
        self._block = bytearray()

    def decode(self, data: bytes) -> list[Decoded]:
        """What each packet says."""
        told: list[Decoded] = []
        used = 0
        for payload in _payloads(data):
            used += codec.TOP_SIZE + len(payload)
            try:
                told.append(self._packet(codec.decode_packet(payload)))
            except DataError as error:
                told.append(Decoded("broken", problems=(Trouble(error.code, str(error), self._shown(payload)),)))
        if rest := data[used:]:
            told.append(Decoded("rest", problems=(_why_lost(rest, self._shown(rest)),)))
        if self._block:
            text = f"a table ends after {len(self._block)} bytes"
            told.append(Decoded("rest", problems=(Trouble("short_table", text),)))
        return told

    def _shown(self, raw: bytes) -> bytes:
        """Bytes that may be shown: in other tables than the log there are names, passwords and templates."""
        return raw if self._table in (None, codec.LOG) else b""

    def _packet(self, packet: Packet) -> Decoded:
        if packet.command == codec.EVENT and len(packet.data) >= SMALLEST_EVENT:
            return self._event(packet)
        if packet.command in NAMES:
            self._asked[packet.reply] = packet
            if packet.command == codec.READ_BUFFERED and len(packet.data) == 11:
                self._table = int.from_bytes(packet.data[1:3], "little")
                self._block.clear()
            return Decoded(f"request {NAMES[packet.command]}")
        if packet.command in REFUSALS:
            return Decoded("refused", health=(HealthFact(REFUSALS[packet.command]),))
        if packet.command == codec.DATA:
            return self._bulk(packet.data)
        if packet.command == codec.OK:
            return self._answer(packet)
        return Decoded("announcement" if packet.command == codec.PREPARE_DATA else f"command {packet.command}")

    def _event(self, packet: Packet) -> Decoded:
        if packet.session != codec.EVENT_ATTENDANCE:
            return Decoded("event", health=(HealthFact("event", {"number": packet.session}),))
        return Decoded("realtime", (self._reader.punch(codec.decode_event(packet.data), None, 0),))

    def _answer(self, packet: Packet) -> Decoded:
        asked = self._asked.get(packet.reply)
        command = asked.command if asked else None
        if command == codec.COUNTERS or (asked is None and len(packet.data) in (80, 92)):
            self._counters = codec.decode_counters(packet.data)
            return _fact("counters", dict(self._counters._asdict()))
        if command == codec.GET_TIME:
            return self._clock(packet.data)
        if command == codec.GET_VERSION:
            return _fact("version", {"firmware": codec.decode_text(packet.data)})
        name = packet.data.partition(b"=")[0].decode("ascii", "replace")
        if command in (codec.OPTIONS, None) and name in OPTIONS:
            value = codec.decode_option(packet.data, name)
            if name == "~SerialNumber" and value:
                self._reader = Reader(value, self._reader.profile, self._reader.zone)
            return _fact("option", {name.lstrip("~"): value})
        return Decoded(f"answer {NAMES[command]}" if command is not None else "answer")

    @staticmethod
    def _clock(data: bytes) -> Decoded:
        at = codec.decode_clock(data)
        if at is None:
            return Decoded("clock", problems=(Trouble("bad_time", "the clock shows an impossible date", data),))
        return _fact("clock", {"clock": datetime.fromtimestamp(at, EPOCH.tzinfo).replace(tzinfo=None).isoformat()})

    def _bulk(self, data: bytes) -> Decoded:
        """A part of a table; the last one tells all of it."""
        self._block += data
        if len(self._block) < 4 or len(self._block) - 4 < int.from_bytes(self._block[:4], "little"):
            return Decoded("part of a table")
        records = bytes(codec.split_table(bytes(self._block)))
        self._block.clear()
        if self._table == codec.USERS:
            return self._people(records)
        if self._table not in (codec.LOG, None):
            return Decoded(f"table {self._table}")
        count = self._counters.log if self._counters else 0
        size = codec.record_size(len(records), count) or self._layout.log_record or codec.LONG
        return _log(records, size, self._users, self._reader)

    def _people(self, records: bytes) -> Decoded:
        """How many there are; their numbers serve logs that do not name them."""
        count = self._counters.users if self._counters else 0
        size = len(records) // count if count and not len(records) % count else self._layout.user_record or 72
        users = codec.decode_users(records, size)
        self._users = {user.uid: user.user for user in users}
        return _fact("users", {"users": len(users)})


def _payloads(data: bytes) -> Iterator[bytes]:
    """Packets from the start, as far as they follow each other."""
    at = 0
    while data[at : at + 4] == codec.TOP:
        start = at + codec.TOP_SIZE
        at = start + int.from_bytes(data[at + 4 : start], "little")
        if at > len(data):
            return
        yield data[start:at]


def _why_lost(rest: bytes, shown: bytes) -> Trouble:
    try:
        FrameDecoder().feed(rest)
    except DataError as error:
        return Trouble(error.code, str(error), shown)
    return Trouble("cut_off", f"{len(rest)} bytes of a packet that is cut off", shown)


def _log(records: bytes, size: int, users: dict[int, str], reader: Reader) -> Decoded:
    rows = codec.decode_log(records, size, users)
    return Decoded(
        "log",
        tuple(reader.punch(row, None, 0, number) for number, row in enumerate(rows, 1) if isinstance(row, LogRow)),
        problems=tuple(
            Trouble(row.reason, f"record {number} is no punch", row.raw)
            for number, row in enumerate(rows, 1)
            if not isinstance(row, LogRow)
        ),
    )


def _fact(name: str, facts: dict[str, str | int | None]) -> Decoded:
    return Decoded(name, health=(HealthFact(name, facts),))
