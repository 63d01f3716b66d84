"""A ZK standalone terminal seen from its own side: port 4370 over TCP or UDP (zk4370.md).

Many run in one process: all of it is asyncio and nothing blocks. It keeps to what the field reports of such
terminals, odd habits included, and shares no line with the driver that it tests.
"""

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

TOP = b"\x50\x50\x82\x7d"
CONNECT, EXIT, ENABLE, DISABLE, RESTART, POWEROFF = 1000, 1001, 1002, 1003, 1004, 1005
REFRESH_DATA, REFRESH_OPTION, GET_VERSION, AUTH = 1013, 1014, 1100, 1102
PREPARE_DATA, DATA, FREE_DATA, READ_BUFFERED, READ_CHUNK = 1500, 1501, 1502, 1503, 1504
WRITE_USER = 8
TEMPLATES, USERS, OPTIONS_READ, OPTIONS_WRITE, LOG, CLEAR_DATA, CLEAR_LOG, OPERATION_LOG = 7, 9, 11, 12, 13, 14, 15, 34
FREE_SIZES, START_VERIFY, START_ENROLL, CANCEL_CAPTURE, STATE, PIN_WIDTH = 50, 60, 61, 62, 64, 69
GET_TIME, SET_TIME, REGISTER_EVENTS = 201, 202, 500
OK, ERROR, UNAUTHORISED, UNKNOWN = 2000, 2001, 2005, 65535
EVENT_ATTENDANCE = 1
PLAINLY_CONFIRMED = {
    *(EXIT, RESTART, POWEROFF, REFRESH_DATA, REFRESH_OPTION, AUTH),
    *(OPTIONS_WRITE, START_VERIFY, START_ENROLL, CANCEL_CAPTURE, STATE),
}
"""Commands whose whole answer is OK."""

RecordSize = Literal[8, 16, 40]
UserSize = Literal[28, 72]
EVENT_FORMATS = {
    10: "<HBB6s",
    12: "<IBB6s",
    14: "<HBB6s4x",
    32: "<24sBB6s",
    36: "<24sBB6s4x",
    37: "<24sBB6s5x",
    52: "<24sBB6s20x",
}
EVENT_SIZE_OF_RECORD = {8: 10, 16: 12, 40: 32}
UDP_DATAGRAM = 1024
FINGER_TEMPLATE = b"TEMPLATE-OF-A-FINGER-"
"""What a test looks for where no template may ever be."""


@dataclass(frozen=True, slots=True)
class ZkUser:
    """A person enrolled at the terminal; ``uid`` is the terminal's own number of the row."""

    uid: int
    user_id: str
    name: str = ""
    privilege: int = 0
    card: int = 0
    password: str = ""


@dataclass(frozen=True, slots=True)
class ZkRecord:
    """One row of the log; ``raw_time`` replaces the encoded time to make an impossible one."""

    user: ZkUser
    at: datetime
    verify: int
    state: int
    work_code: int = 0
    raw_time: int | None = None


@dataclass(slots=True)
class ZkFaults:
    """Faults that are still to happen; each number counts down to 0."""

    drop_mid_chunk: int = 0
    """Answers to READ_CHUNK that end in the middle with the connection cut."""
    wrong_checksum: int = 0
    """Answers with a checksum that does not fit."""
    lose_realtime: int = 0
    """Punches that are logged and not pushed."""
    silent: int = 0
    """Requests that get no answer."""
    garbage: int = 0
    """Answers that are replaced by noise."""
    damage_data: int = 0
    """Packets of a bulk answer in which a bit flips on the way."""
    repeat_data: int = 0
    """Packets of a bulk answer that arrive twice."""


@dataclass(frozen=True, slots=True, eq=False)
class _Peer:
    """One TCP connection or one UDP address."""

    send: Callable[[bytes], None]
    hang_up: Callable[[], None]


@dataclass(slots=True)
class _Session:
    """One client between CONNECT and EXIT."""

    number: int
    peer: _Peer
    last_seen: float
    """Seconds of the event loop's clock."""
    authorised: bool
    buffer: bytes = b""
    mask: int = 0


class ZkTerminal:
    """One terminal. ``start`` opens the port (0 picks one, then ``port`` says which), ``stop`` closes it."""

    def __init__(
        self,
        serial: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        users: Sequence[ZkUser | str] = (),
        key: int = 0,
        record_size: RecordSize = 40,
        record_padding: int = 0,
        user_size: UserSize = 72,
        event_size: int | None = None,
        transport: Literal["tcp", "udp"] = "tcp",
        zone: str | tzinfo = "Asia/Shanghai",
        inline_limit: int = 1000,
        pieces: int = 0,
        piece_delay_s: float = 0.0,
        realtime: bool = True,
        face: bool = True,
        log_capacity: int = 100_000,
        user_capacity: int = 3000,
        second_session: Literal["silent", "kick"] = "silent",
        idle_s: float = 60.0,
        firmware: str = "Ver 6.60 Apr 26 2016",
        options: dict[str, str] | None = None,
        encoding: str = "utf-8",
        now: Callable[[tzinfo], datetime] = datetime.now,
    ) -> None:
        self.serial = serial
        self.host, self.port, self.transport = host, port, transport
        self.key, self.encoding, self.firmware = key, encoding, firmware
        self.record_size, self.record_padding, self.user_size = record_size, record_padding, user_size
        self.event_size = event_size or EVENT_SIZE_OF_RECORD[record_size]
        self.inline_limit, self.pieces, self.piece_delay_s = inline_limit, pieces, piece_delay_s
        self.realtime, self.face = realtime, face
        self.log_capacity, self.user_capacity = log_capacity, user_capacity
        self.second_session, self.idle_s = second_session, idle_s
        self.zone = ZoneInfo(zone) if isinstance(zone, str) else zone
        self._now = now
        self.clock_offset = timedelta(0)
        self.options = {
            "~SerialNumber": serial,
            "~DeviceName": "K40/ID",
            "~Platform": "JZ4725_TFT",
            "MAC": "00:17:61:00:00:01",
            "~ZKFPVersion": "10",
            "~PIN2Width": "9",
            "WorkCode": "0",
        } | (options or {})
        self.users: dict[str, ZkUser] = {}
        for user in users:
            self.enrol(user)
        self.log: deque[ZkRecord] = deque(maxlen=log_capacity)
        self.faults = ZkFaults()
        self.disabled = False
        self.emitted = 0
        """Punches people made here, whatever became of the log since."""
        self.acknowledged = 0
        """Realtime pushes that a client confirmed."""
        self.sessions = 0
        """Sessions opened so far."""
        self.requests: deque[tuple[int, bytes]] = deque(maxlen=10_000)
        """What clients asked for, oldest first: command, data."""
        self._session: _Session | None = None
        self._server: asyncio.Server | None = None
        self._endpoint: asyncio.DatagramTransport | None = None
        self._connections: set[asyncio.Task[None]] = set()

    # Life

    async def start(self) -> None:
        """Open the port."""
        loop = asyncio.get_running_loop()
        if self.transport == "tcp":
            self._server = await asyncio.start_server(self._serve, self.host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        else:
            self._endpoint, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(self.host, self.port)
            )
            self.port = self._endpoint.get_extra_info("sockname")[1]

    async def stop(self) -> None:
        """Close the port and every connection; the log stays, so ``start`` is a reboot."""
        self._session = None
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None

    async def reboot(self) -> None:
        """Lose every connection and come back on the same port, enabled."""
        await self.stop()
        self.disabled = False
        await self.start()

    # People and their punches

    def enrol(self, user: ZkUser | str) -> ZkUser:
        """Add a person; a bare user id gets the next free uid."""
        if isinstance(user, str):
            user = ZkUser(max((known.uid for known in self.users.values()), default=0) + 1, user, f"User {user}")
        self.users[user.user_id] = user
        return user

    def remove(self, user_id: str) -> None:
        """Delete a person; the log keeps the punches."""
        del self.users[user_id]

    def punch(self, user: str, at: datetime | None = None, verify: int = 1, state: int = 0, work_code: int = 0) -> None:
        """Log a punch at the terminal's naive wall time (None: its clock now) and push it to a registered client.

        Somebody unknown is enrolled first: a terminal logs only whom it knows.
        """
        person = self.users.get(user) or self.enrol(user)
        record = ZkRecord(person, at or self.now(), verify, state, work_code)
        self.emitted += 1
        self._append(record)

    def punch_at_impossible_time(self, user: str, raw_time: int) -> None:
        """Log a punch whose encoded time is this number, as after a battery loss; it is not pushed."""
        person = self.users.get(user) or self.enrol(user)
        self.emitted += 1
        self.log.append(ZkRecord(person, self.now(), 1, 0, 0, raw_time))

    def _append(self, record: ZkRecord) -> None:
        self.log.append(record)
        session = self._session
        if not (self.realtime and session and session.mask & EVENT_ATTENDANCE):
            return
        if self.faults.lose_realtime:
            self.faults.lose_realtime -= 1
            return
        session.peer.send(_packet(REGISTER_EVENTS, EVENT_ATTENDANCE, 0, self._event(record)))

    # Faults

    def now(self) -> datetime:
        """The terminal's naive wall clock."""
        return self._now(self.zone).replace(tzinfo=None) + self.clock_offset

    def set_clock(self, wall: datetime) -> None:
        """Turn the terminal's clock to this naive wall time."""
        self.clock_offset += wall - self.now()

    def reset_clock(self) -> None:
        """What a lost battery does: the clock starts again at 2000-01-01."""
        self.set_clock(datetime(2000, 1, 1))  # noqa: DTZ001 a terminal's clock has no zone

    def clear_log(self) -> None:
        """What an administrator does at the keypad."""
        self.log.clear()

    def repeat_last(self) -> None:
        """Log and push the newest row a second time, as some firmware does."""
        self._append(self.log[-1])

    def hang_up(self) -> None:
        """Cut the session's connection without a word."""
        if self._session is not None:
            self._session.peer.hang_up()
            self._session = None

    # One TCP connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
        outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        pump = asyncio.create_task(self._pump(outgoing, writer))
        peer = _Peer(
            lambda payload: outgoing.put_nowait(TOP + struct.pack("<I", len(payload)) + payload),
            writer.transport.abort,
        )
        try:
            while True:
                top = await reader.readexactly(8)
                if top[:4] != TOP:
                    break
                payload = await reader.readexactly(struct.unpack("<I", top[4:])[0])
                had_session = self._has_session(peer)
                self.receive(peer, payload)
                if had_session and not self._has_session(peer):
                    await outgoing.join()
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            pump.cancel()
            if task is not None:
                self._connections.discard(task)
            if self._has_session(peer):
                self._session = None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _pump(self, outgoing: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
        while True:
            packet = await outgoing.get()
            step = self.pieces or len(packet)
            with contextlib.suppress(ConnectionError):
                for start in range(0, len(packet), step):
                    writer.write(packet[start : start + step])
                    await writer.drain()
                    if self.piece_delay_s:
                        await asyncio.sleep(self.piece_delay_s)
            outgoing.task_done()

    # Conversation

    def _has_session(self, peer: _Peer) -> bool:
        return self._session is not None and self._session.peer is peer

    def receive(self, peer: _Peer, payload: bytes) -> None:
        """Answer one request; a damaged one gets no answer."""
        if (
            len(payload) < 8
            or _checksum(payload[:2] + b"\0\0" + payload[4:]) != struct.unpack_from("<H", payload, 2)[0]
        ):
            return
        command, _, session_number, reply = struct.unpack_from("<4H", payload)
        data = payload[8:]
        self.requests.append((command, data))
        if self.faults.silent:
            self.faults.silent -= 1
            return
        if command == CONNECT:
            self._connect(peer, reply)
            return
        session = self._session
        if session is None or session.peer is not peer or session.number != session_number:
            peer.send(_packet(UNAUTHORISED, session_number, reply))
            return
        session.last_seen = asyncio.get_running_loop().time()
        if command == OK:
            self.acknowledged += 1
            return
        try:
            answers = list(self._answer(session, command, data))
        except (struct.error, ValueError):
            answers = [(ERROR, b"")]
        for answer_command, answer_data in answers:
            number = self._state() if command == STATE else session.number
            self._send(session, _packet(answer_command, number, reply, answer_data))
        if command in {EXIT, RESTART, POWEROFF} and session.authorised:
            self._session = None
            if command != EXIT:
                peer.hang_up()

    def _send(self, session: _Session, packet: bytes) -> None:
        if self.faults.garbage:
            self.faults.garbage -= 1
            packet = bytes(byte ^ 0xA5 for byte in packet)
        elif self.faults.wrong_checksum:
            self.faults.wrong_checksum -= 1
            packet = packet[:2] + bytes([packet[2] ^ 0xFF]) + packet[3:]
        elif packet[:2] == DATA.to_bytes(2, "little"):
            packet = self._data_on_the_way(session, packet)
        session.peer.send(packet)

    def _data_on_the_way(self, session: _Session, packet: bytes) -> bytes:
        if self.faults.repeat_data:
            self.faults.repeat_data -= 1
            session.peer.send(packet)
        if self.faults.damage_data:
            self.faults.damage_data -= 1
            packet = packet[:14] + bytes([packet[14] ^ 1]) + packet[15:]  # in the first user id
        return packet

    def _connect(self, peer: _Peer, reply: int) -> None:
        now = asyncio.get_running_loop().time()
        other = self._session
        if other is not None and other.peer is not peer and now - other.last_seen < self.idle_s:
            if self.second_session == "silent":
                return
            other.peer.hang_up()
        self.sessions += 1
        number = (0x1233 + self.sessions) & 0x7FFF
        session = self._session = _Session(number, peer, now, authorised=self.key == 0)
        self._send(session, _packet(OK if session.authorised else UNAUTHORISED, number, reply))

    def _answer(self, session: _Session, command: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Commands and data that answer a request, in order."""
        if command == AUTH:
            session.authorised = data[:4] == _scramble(self.key, session.number)
        if not session.authorised:
            yield UNAUTHORISED, b""
        elif command == READ_BUFFERED:
            yield self._read_buffered(session, data)
        elif command == READ_CHUNK:
            yield from self._read_chunk(session, data)
        elif command == WRITE_USER:
            self._take_user(data)
            yield OK, b""
        elif command == SET_TIME:
            self.set_clock(_decode_time(struct.unpack_from("<I", data)[0]))
            yield OK, b""
        elif command == OPTIONS_READ:
            name = data.split(b"\0")[0].decode(errors="replace")
            value = self.options.get(name)
            yield (ERROR, b"") if value is None else (OK, f"{name}={value}\0".encode())
        elif command in (CLEAR_DATA, CLEAR_LOG):
            self.clear_log()
            yield OK, b""
        elif command == REGISTER_EVENTS:
            session.mask = struct.unpack_from("<I", data)[0]
            yield OK, b""
        else:
            yield self._simple_answer(session, command)

    def _simple_answer(self, session: _Session, command: int) -> tuple[int, bytes]:
        """Answers that do not depend on what came with the request."""
        if command in (ENABLE, DISABLE):
            self.disabled = command == DISABLE
        elif command == FREE_DATA:
            session.buffer = b""
        elif command == GET_VERSION:
            return OK, self.firmware.encode() + b"\0"
        elif command == FREE_SIZES:
            return OK, self._free_sizes()
        elif command == PIN_WIDTH:
            return OK, bytes([int(self.options["~PIN2Width"])])
        elif command == GET_TIME:
            return OK, struct.pack("<I", _encode_time(self.now()))
        elif command not in PLAINLY_CONFIRMED:
            return UNKNOWN, b""
        return OK, b""

    def _state(self) -> int:
        return 4 if self.disabled else 0

    def _read_buffered(self, session: _Session, data: bytes) -> tuple[int, bytes]:
        _, table, _, _ = struct.unpack("<bhii", data)
        rows = self._table(table)
        if rows is None:
            return ERROR, b""
        block = struct.pack("<I", len(rows)) + rows
        if len(block) <= self.inline_limit:
            return DATA, block
        session.buffer = block
        return OK, struct.pack("<xIII", len(block), len(block), sum(block) & 0xFFFFFFFF)

    def _table(self, table: int) -> bytes | None:
        if table == LOG:
            return b"".join(map(self._log_row, self.log))
        if table == USERS:
            return b"".join(map(self._user_row, self.users.values()))
        if table == OPERATION_LOG:
            return b""
        if table == TEMPLATES:
            rows = [(user.uid, FINGER_TEMPLATE + user.user_id.encode()) for user in self.users.values()]
            return b"".join(struct.pack("<HHbb", len(finger) + 6, uid, 0, 1) + finger for uid, finger in rows)
        return None

    def _read_chunk(self, session: _Session, data: bytes) -> Iterator[tuple[int, bytes]]:
        start, size = struct.unpack("<ii", data)
        part = session.buffer[start : start + size]
        if start < 0 or size <= 0 or len(part) != size:
            yield ERROR, b""
            return
        yield PREPARE_DATA, struct.pack("<II", size, UDP_DATAGRAM)
        if self.faults.drop_mid_chunk:
            self.faults.drop_mid_chunk -= 1
            asyncio.get_running_loop().call_later(0.02, self.hang_up)
            yield DATA, part[: size // 2]
            return
        step = UDP_DATAGRAM if self.transport == "udp" else size
        for at in range(0, size, step):
            yield DATA, part[at : at + step]
        yield OK, b""

    # Layouts

    def _log_row(self, record: ZkRecord) -> bytes:
        at = _encode_time(record.at) if record.raw_time is None else record.raw_time
        user = record.user
        if self.record_size == 8:
            return struct.pack("<HBIB", user.uid, record.verify, at, record.state)
        if self.record_size == 16:
            return struct.pack("<IIBB2xI", int(user.user_id), at, record.verify, record.state, record.work_code)
        text = user.user_id.encode()
        row = struct.pack("<H24sBIB8s", user.uid, text, record.verify, at, record.state, b"\0\0\0\0\xff\0\0\0")
        return row + bytes(self.record_padding)

    def _user_row(self, user: ZkUser) -> bytes:
        name, password = user.name.encode(self.encoding), user.password.encode()
        if self.user_size == 28:
            row = (user.uid, user.privilege, password, name, user.card, 0, 1, int(user.user_id))
            return struct.pack("<HB5s8sIxBhI", *row)
        # group 1, no own time zone
        return struct.pack(
            "<HB8s24sIB7xx24s", user.uid, user.privilege, password, name, user.card, 1, user.user_id.encode()
        )

    def _take_user(self, row: bytes) -> None:
        """Add or replace the person with that uid; struct.error or ValueError for another size of record."""
        if self.user_size == 28:
            uid, privilege, password, name, card, _, _, number = struct.unpack("<HB5s8sIxBhI", row)
            user_id = str(number)
        else:
            uid, privilege, password, name, card, _, text = struct.unpack("<HB8s24sIB7xx24s", row)
            user_id = _plain(text, "ascii")
        words = (_plain(name, self.encoding), privilege, card, _plain(password, "ascii"))
        for known in [user.user_id for user in self.users.values() if user.uid == uid]:
            del self.users[known]
        self.users[user_id] = ZkUser(uid, user_id, *words)

    def _event(self, record: ZkRecord) -> bytes:
        layout = EVENT_FORMATS[self.event_size]
        user_id = record.user.user_id
        user = user_id.encode() if self.event_size >= 32 else int(user_id)
        at = record.at
        time6 = bytes((at.year % 100, at.month, at.day, at.hour, at.minute, at.second))
        return struct.pack(layout, user, record.verify, record.state, time6)

    def _free_sizes(self) -> bytes:
        words = [0] * (23 if self.face else 20)
        words[4], words[6], words[8] = len(self.users), len(self.users), len(self.log)
        words[12] = sum(user.privilege > 0 for user in self.users.values())
        words[13] = sum(user.password != "" for user in self.users.values())
        words[14], words[15], words[16] = 3000, self.user_capacity, self.log_capacity
        words[17] = 3000 - len(self.users)
        words[18], words[19] = self.user_capacity - len(self.users), self.log_capacity - len(self.log)
        if self.face:
            words[22] = 400
        return struct.pack(f"<{len(words)}I", *words)


class _Datagrams(asyncio.DatagramProtocol):
    """UDP: a client is an address, and nothing tells when it is gone."""

    def __init__(self, terminal: ZkTerminal) -> None:
        self._terminal = terminal
        self._peers: dict[tuple[str, int], _Peer] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        transport = self._transport
        if transport is None:
            return
        peer = self._peers.setdefault(addr, _Peer(lambda payload: transport.sendto(payload, addr), lambda: None))
        self._terminal.receive(peer, data)


def _plain(field: bytes, encoding: str) -> str:
    return field.split(b"\0")[0].decode(encoding)


def _checksum(payload: bytes) -> int:
    """One's complement of the sum of little-endian words, carries folded in; the checksum field must be 0."""
    padded = payload + b"\0" * (len(payload) % 2)
    total: int = sum(struct.unpack(f"<{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packet(command: int, session: int, reply: int, data: bytes = b"") -> bytes:
    blank = struct.pack("<4H", command, 0, session, reply) + data
    return blank[:2] + struct.pack("<H", _checksum(blank)) + blank[4:]


def _scramble(key: int, session: int, ticks: int = 50) -> bytes:
    """The four bytes that prove knowledge of the communication key in this session."""
    turned = int(f"{key & 0xFFFFFFFF:032b}"[::-1], 2)
    mixed = bytes(a ^ b for a, b in zip(struct.pack("<I", turned + session & 0xFFFFFFFF), b"ZKSO", strict=True))
    swapped = mixed[2:] + mixed[:2]
    return bytes((swapped[0] ^ ticks, swapped[1] ^ ticks, ticks, swapped[3] ^ ticks))


def _encode_time(at: datetime) -> int:
    days = (at.year % 100) * 372 + (at.month - 1) * 31 + at.day - 1
    return days * 86400 + at.hour * 3600 + at.minute * 60 + at.second


def _decode_time(encoded: int) -> datetime:
    days, second = divmod(encoded, 86400)
    return datetime(  # noqa: DTZ001 a terminal's clock has no zone
        2000 + days // 372, days // 31 % 12 + 1, days % 31 + 1, second // 3600, second // 60 % 60, second % 60
    )
