"""Takes keys, names, cards, passwords and templates out of packets that are recorded."""

from gateway.drivers.zk4370 import codec
from gateway.drivers.zk4370.capture import OPTIONS
from gateway.drivers.zk4370.codec import FrameDecoder, Packet
from shared.errors import DataError

PLAIN_REQUESTS = frozenset(
    {*(codec.CONNECT, codec.EXIT, codec.GET_VERSION, codec.OPTIONS, codec.COUNTERS, codec.GET_TIME, codec.EVENT)}
    | {*(codec.READ_BUFFERED, codec.READ_CHUNK, codec.OK, 202, 1002, 1003, 1013, 1014, 1502, 60, 61, 62, 64, 69)}
)
"""Requests whose data are no secret."""
PLAIN_ANSWERS = frozenset({codec.COUNTERS, codec.GET_TIME, codec.GET_VERSION, codec.READ_BUFFERED, 64, 69})
"""Requests whose answers are none."""
KEPT_OF_USER = {28: {0, 1, 2, *range(20, 28)}, 72: {0, 1, 2, *range(39, 72)}}
"""Bytes of a user record that stay: the numbers."""


class ZkScrub:
    """One recorded connection; whole packets come out, with zeros where something was."""

    def __init__(self) -> None:
        self._frames = {True: FrameDecoder(), False: FrameDecoder()}
        self._asked: dict[int, Packet] = {}
        self._table: int | None = None
        self._at = 0
        self._users = 0
        self._user_size: int | None = None

    def feed(self, chunk: bytes, *, to_terminal: bool) -> list[bytes]:
        """The packets that this chunk completes, scrubbed; DataError when it is not this protocol."""
        scrubbed = []
        for payload in self._frames[to_terminal].feed(chunk):
            packet = codec.decode_packet(payload)
            data = self._request(packet) if to_terminal else self._answer(packet)
            clean = codec.encode_packet(packet.command, packet.session, packet.reply, data)
            scrubbed.append(codec.encode_frame(clean))
        return scrubbed

    def _request(self, packet: Packet) -> bytes:
        self._asked[packet.reply] = packet
        if packet.command == codec.READ_BUFFERED:
            self._table = int.from_bytes(packet.data[1:3], "little")
            self._at, self._user_size = 0, None
        elif packet.command == codec.READ_CHUNK and len(packet.data) == 8:
            self._at = int.from_bytes(packet.data[:4], "little")
        return packet.data if packet.command in PLAIN_REQUESTS else bytes(len(packet.data))

    def _answer(self, packet: Packet) -> bytes:
        data = packet.data
        asked = self._asked.get(packet.reply)
        if packet.command == codec.EVENT:
            return data if packet.session == codec.EVENT_ATTENDANCE else bytes(len(data))
        if packet.command == codec.DATA:
            return self._bulk(data)
        if packet.command == codec.PREPARE_DATA or asked is None:
            return data if packet.command == codec.PREPARE_DATA else bytes(len(data))
        if asked.command == codec.COUNTERS and packet.command == codec.OK:
            try:
                self._users = codec.decode_counters(data).users
            except DataError:
                return bytes(len(data))
        if asked.command == codec.OPTIONS:
            name, sign, value = data.partition(b"=")
            return data if name.decode("ascii", "replace") in OPTIONS else name + sign + bytes(len(value))
        return data if asked.command in PLAIN_ANSWERS else bytes(len(data))

    def _bulk(self, data: bytes) -> bytes:
        at, self._at = self._at, self._at + len(data)
        if self._table == codec.LOG:
            return data
        if self._table == codec.USERS and at == 0 and len(data) >= 4 and self._users:
            total = int.from_bytes(data[:4], "little")
            size = total // self._users
            self._user_size = size if size in KEPT_OF_USER and size * self._users == total else None
        kept = KEPT_OF_USER.get(self._user_size or 0, set())
        return bytes(
            byte if at + index < 4 or (at + index - 4) % (self._user_size or 1) in kept else 0
            for index, byte in enumerate(data)
        )
