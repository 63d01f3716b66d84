"""An Anviz terminal (TC_B over TCP), from the device's side, with every fault switch that the protocol page lists.

Shares no code with the gateway: an emulator with the driver's codec would prove nothing.
"""

import asyncio
import contextlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

START_OF_TIME = datetime(2000, 1, 2)  # noqa: DTZ001 a terminal's clock has no zone
OK, FAIL, FULL, EMPTY, NO_USER, LOCKED = 0, 1, 4, 5, 6, 15
ADMIN_PASSWORD = b"\x6f\x12\x34"
"""Of the terminal's menu; comes with every answer to 30 and must go no further."""
UserSize: TypeAlias = Literal[27, 30, 40]


@dataclass(slots=True)
class AnvizUser:
    """Somebody enrolled. ``password`` and ``fingers`` must survive whatever a client writes."""

    number: int
    name: str = ""
    card: int = 0
    password: int | None = None
    fingers: int = 0


@dataclass(slots=True)
class AnvizRecord:
    """One row of the log; ``new`` is the flag that a client takes off."""

    user: int
    seconds: int
    backup: int
    kind: int
    work_code: int
    new: bool = True

    def encode(self) -> bytes:
        """The 14 bytes."""
        head = self.user.to_bytes(5, "big") + struct.pack(">I", self.seconds & 0xFFFFFFFF)
        return head + bytes((self.backup, self.kind)) + self.work_code.to_bytes(3, "big")


@dataclass(slots=True)
class AnvizFaults:
    """Faults that are still to happen; each number counts down to 0."""

    wrong_crc: int = 0
    """Answers whose CRC does not fit."""
    silent: int = 0
    """Requests that get no answer."""
    garbage: int = 0
    """Answers that are replaced by noise."""
    truncated: int = 0
    """Answers that stop in the middle, with the connection cut."""
    doubled: int = 0
    """Answers that come a second time, in front of the next one."""
    hang_up_on_block: int = 0
    """Block reads in which the terminal goes away; the number says at which block."""
    interleaved: int = 0
    """Answers that have a push glued in front."""
    heartbeats: int = 0
    """Answers that have a heartbeat glued in front."""
    lose_push: int = 0
    """Punches that are logged and not pushed."""
    stale_new: int = 0
    """Counter reads in which the new counter is one behind."""
    extended: int = 0
    """Blocks whose records are longer than anybody knows."""


@dataclass(eq=False, slots=True)
class _Client:
    writer: asyncio.StreamWriter
    logged_in: bool
    cursor: list[AnvizRecord] = field(default_factory=list)
    block: bytes = b""
    people: list[AnvizUser] = field(default_factory=list)


class AnvizTerminal:
    """One terminal. ``start`` opens the port (0 picks one, then ``port`` says which), ``stop`` closes it."""

    def __init__(
        self,
        serial: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        users: Sequence[AnvizUser | int] = (),
        device_id: int = 7,
        model: str = "C2-Pro",
        firmware: str = "C2P_0210",
        user_size: UserSize = 40,
        login: tuple[str, str] | None = None,
        realtime: bool = True,
        push_takes_flag: bool = False,
        log_capacity: int = 100_000,
        rolls: bool = False,
        user_capacity: int = 3000,
        zone: str | tzinfo = "Asia/Shanghai",
        pieces: int = 0,
        piece_delay_s: float = 0.0,
        unknown: Sequence[int] = (),
        now: Callable[[tzinfo], datetime] = datetime.now,
    ) -> None:
        self.serial, self.host, self.port = serial, host, port
        self.device_id, self.model, self.firmware = device_id, model, firmware
        self.user_size, self.login, self.realtime = user_size, login, realtime
        self.push_takes_flag = push_takes_flag
        self.log_capacity, self.rolls, self.user_capacity = log_capacity, rolls, user_capacity
        self.zone = ZoneInfo(zone) if isinstance(zone, str) else zone
        self.pieces, self.piece_delay_s = pieces, piece_delay_s
        self.unknown = set(unknown)
        self._now = now
        self.clock_offset = timedelta(0)
        self.users: dict[int, AnvizUser] = {}
        for user in users:
            person = AnvizUser(user, f"User {user}") if isinstance(user, int) else user
            self.users[person.number] = person
        self.log: list[AnvizRecord] = []
        self.emitted = 0
        """Punches that went into the log."""
        self.refused = 0
        """Punches that found the log full."""
        self.requests: list[tuple[int, bytes]] = []
        self.pongs = 0
        self.sessions = 0
        self.faults = AnvizFaults()
        self._server: asyncio.Server | None = None
        self._client: _Client | None = None
        self._copy = b""
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a second ``start`` after ``stop`` is a reboot on the same port."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and the connection; log and flags stay."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    @property
    def new(self) -> int:
        """Records with the new flag."""
        return sum(record.new for record in self.log)

    # People and their punches

    def punch(
        self, user: str | int, at: datetime | None = None, verify: int = 1, state: int = 0, work_code: int = 0
    ) -> None:
        """Log a punch at the terminal's naive wall time (None: its clock now) and push it in real-time mode."""
        wall = at or self.now()
        seconds = (wall - START_OF_TIME) // timedelta(seconds=1)
        record = AnvizRecord(int(user), seconds, verify, state, work_code)
        if len(self.log) >= self.log_capacity:
            if not self.rolls:
                self.refused += 1
                return
            del self.log[0]
        self.emitted += 1
        self.log.append(record)
        self._push(record)

    def repeat_last(self) -> None:
        """Log and push the newest record a second time, as some firmware does."""
        last = self.log[-1]
        self.log.append(AnvizRecord(last.user, last.seconds, last.backup, last.kind, last.work_code))
        self._push(self.log[-1])

    def tell_user_added(self, user: int) -> None:
        """Push that somebody was enrolled at the keypad: looks like a punch, with a work code that no punch has."""
        self._push(AnvizRecord(user, (self.now() - START_OF_TIME) // timedelta(seconds=1), 0, 0, 0xFF0000))

    def clear_log(self) -> None:
        """What an administrator or a factory reset does."""
        self.log.clear()

    def take_flags(self) -> None:
        """What another client does that clears all new flags."""
        for record in self.log:
            record.new = False

    def _push(self, record: AnvizRecord) -> None:
        client = self._client
        if not self.realtime or client is None or not client.logged_in:
            return
        if self.faults.lose_push:
            self.faults.lose_push -= 1
            return
        if self.push_takes_flag:
            record.new = False
        client.writer.write(self._answer_frame(0x5F, OK, record.encode()))

    # Clock

    def now(self) -> datetime:
        """The terminal's naive wall clock."""
        return self._now(self.zone).replace(tzinfo=None) + self.clock_offset

    def set_clock(self, wall: datetime) -> None:
        """Turn the terminal's clock to this naive wall time."""
        self.clock_offset += wall - self.now()

    # One connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        if self._client is not None:  # one client at a time: the second is not even told so
            writer.close()
            if task is not None:
                self._tasks.discard(task)
            return
        client = self._client = _Client(writer, self.login is None)
        self.sessions += 1
        try:
            while True:
                head = await reader.readexactly(8)
                rest = await reader.readexactly(int.from_bytes(head[6:8], "big") + 2)
                frame = head + rest
                if head[0] == 0xA5 and frame[-2:] == struct.pack("<H", crc(frame[:-2])):
                    await self._receive(client, head[5], frame[8:-2], int.from_bytes(head[1:5], "big"))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._client = None
            if task is not None:
                self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _receive(self, client: _Client, command: int, data: bytes, device: int) -> None:
        self.requests.append((command, data))
        if device not in (0, self.device_id):
            return
        if command == 0xFF:
            self.pongs += 1
            return
        if self.faults.silent:
            self.faults.silent -= 1
            return
        if command == 0x40 and self.faults.hang_up_on_block:
            self.faults.hang_up_on_block -= 1
            if not self.faults.hang_up_on_block:
                client.writer.transport.abort()
                return
        result, answer = self._answer(client, command, data)
        await self._send(client, self._answer_frame(command, result, answer))

    async def _send(self, client: _Client, frame: bytes) -> None:
        faults, writer = self.faults, client.writer
        if faults.interleaved and self.log:
            faults.interleaved -= 1
            frame = self._answer_frame(0x5F, OK, self.log[-1].encode()) + frame
        if faults.heartbeats:
            faults.heartbeats -= 1
            beat = struct.pack(">BIBH", 0xA5, self.device_id, 0x7F, 0)
            frame = beat + struct.pack("<H", crc(beat)) + frame
        if faults.garbage:
            faults.garbage -= 1
            frame = bytes(byte ^ 0x5A for byte in frame)
        elif faults.wrong_crc:
            faults.wrong_crc -= 1
            frame = frame[:-1] + bytes((frame[-1] ^ 0xFF,))
        elif faults.truncated:
            faults.truncated -= 1
            writer.write(frame[: len(frame) // 2])
            await writer.drain()
            writer.close()
            return
        elif faults.doubled:
            faults.doubled -= 1
            frame, self._copy = self._copy + frame, frame
        step = self.pieces or len(frame)
        for start in range(0, len(frame), step):
            writer.write(frame[start : start + step])
            await writer.drain()
            if self.piece_delay_s:
                await asyncio.sleep(self.piece_delay_s)

    def _answer_frame(self, command: int, result: int, data: bytes) -> bytes:
        head = struct.pack(">BIBBH", 0xA5, self.device_id, command + 0x80, result, len(data)) + data
        return head + struct.pack("<H", crc(head))

    # Answers

    def _answer(self, client: _Client, command: int, data: bytes) -> tuple[int, bytes]:
        if command == 0x04:
            return self._log_in(client, data), b""
        if not client.logged_in:
            return LOCKED, b""
        handlers: dict[int, Callable[[], tuple[int, bytes]]] = {
            0x39: lambda: self._take_clock(data),
            0x40: lambda: self._block(client, data),
            0x42: lambda: self._people(client, command, data),
            0x43: lambda: (self._take_people(command, data), b""),
            0x4E: lambda: self._clear(data),
            0x72: lambda: self._people(client, command, data),
            0x73: lambda: (self._take_people(command, data), b""),
            0x24: lambda: (OK, self.serial.encode().ljust(16, b"\0")),
            0x30: lambda: (OK, self._config()),
            0x32: lambda: (OK, bytes((1, 0, 0, 0, int(self.realtime))) + bytes(10)),
            0x38: lambda: (OK, self._clock()),
            0x3C: lambda: (OK, self._counters()),
            0x46: lambda: (OK, struct.pack(">I", self.device_id)),
            0x48: lambda: (OK, self.model.encode().ljust(8, b"\0")[:8]),
            0x5D: lambda: (OK, b"".join(n.to_bytes(3, "big") for n in (self.user_capacity, 3000, self.log_capacity))),
        }
        handler = handlers.get(command)
        return (FAIL, b"") if handler is None or command in self.unknown else handler()

    def _config(self) -> bytes:
        """Firmware, the administrator's password with its length, and ten settings."""
        return self.firmware.encode().ljust(8, b"\0")[:8] + ADMIN_PASSWORD + bytes(7)

    def _clock(self) -> bytes:
        now = self.now()
        return bytes((now.year - 2000, now.month, now.day, now.hour, now.minute, now.second))

    def _take_clock(self, data: bytes) -> tuple[int, bytes]:
        year, month, day, hour, minute, second = data
        self.set_clock(datetime(2000 + year, month, day, hour, minute, second))  # noqa: DTZ001 it has no zone
        return OK, b""

    def _log_in(self, client: _Client, data: bytes) -> int:
        if self.login is not None:
            user, password = (part.encode().ljust(12, b"\0") for part in self.login)
            client.logged_in = data == user + password
        return OK if client.logged_in else FAIL

    def _counters(self) -> bytes:
        new = self.new
        if self.faults.stale_new and new:
            self.faults.stale_new -= 1
            new -= 1
        people = self.users.values()
        passwords = sum(user.password is not None for user in people)
        cards = sum(user.card > 0 for user in people)
        fingers = sum(user.fingers.bit_count() for user in people)
        return b"".join(n.to_bytes(3, "big") for n in (len(people), fingers, passwords, cards, len(self.log), new))

    def _block(self, client: _Client, data: bytes) -> tuple[int, bytes]:
        mode, count = data[0], min(data[1], 25)
        if mode == 0x10:
            return OK, client.block
        if mode in (1, 2):
            client.cursor = [record for record in self.log if mode == 1 or record.new]
        rows, client.cursor = client.cursor[:count], client.cursor[count:]
        if not rows:
            return EMPTY, b""
        tail = b""
        if self.faults.extended:
            self.faults.extended -= 1
            tail = b"\x24\x7b"
        client.block = bytes((len(rows),)) + b"".join(row.encode() + tail for row in rows)
        return OK, client.block

    def _clear(self, data: bytes) -> tuple[int, bytes]:
        kind, count = data[0], int.from_bytes(data[1:4], "big")
        flagged = [record for record in self.log if record.new]
        if kind == 0:
            cleared = len(self.log)
            self.log.clear()
            return OK, cleared.to_bytes(3, "big")
        for record in (taken := flagged if kind == 1 else flagged[:count]):
            record.new = False
        return OK, len(taken).to_bytes(3, "big")

    # Users

    def _people(self, client: _Client, command: int, data: bytes) -> tuple[int, bytes]:
        if (command == 0x42) != (self.user_size == 27):
            return FAIL, b""
        mode, count = data[0], min(data[1], 8 if self.user_size == 40 else 12)
        if mode == 1:
            client.people = list(self.users.values())
        rows, client.people = client.people[:count], client.people[count:]
        return OK, bytes((len(rows),)) + b"".join(map(self._user_row, rows))

    def _user_row(self, user: AnvizUser) -> bytes:
        password = b"\xff\xff\xff" if user.password is None else (0x600000 | user.password).to_bytes(3, "big")
        width = 3 if self.user_size == 27 else 4
        card = user.card.to_bytes(width, "big") if user.card else b"\xff" * width
        name = user.name.encode("utf-16-be" if self.user_size == 40 else "ascii")
        room = 20 if self.user_size == 40 else 10
        row = user.number.to_bytes(5, "big") + password + card + name[:room].ljust(room, b"\0")
        row += bytes((1, 2, 6)) + struct.pack(">H", user.fingers)
        return row.ljust(self.user_size, b"\0")

    def _take_people(self, command: int, data: bytes) -> int:
        if (command == 0x43) != (self.user_size == 27) or len(data) != 1 + data[0] * self.user_size:
            return FAIL
        for at in range(1, len(data), self.user_size):
            row = data[at : at + self.user_size]
            width, room = (3, 10) if self.user_size == 27 else (4, 10) if self.user_size == 30 else (4, 20)
            number = int.from_bytes(row[:5], "big")
            if number not in self.users and len(self.users) >= self.user_capacity:
                return FULL
            card, name = row[8 : 8 + width], row[8 + width : 8 + width + room]
            self.users[number] = AnvizUser(
                number,
                name.decode("utf-16-be" if self.user_size == 40 else "ascii").split("\0")[0],
                0 if card == b"\xff" * width else int.from_bytes(card, "big"),
                None if row[5:8] == b"\xff\xff\xff" else int.from_bytes(row[5:8], "big") & 0x0FFFFF,
                struct.unpack_from(">H", row, 8 + width + room + 3)[0],
            )
        return OK


def crc(data: bytes) -> int:
    """The frame's check value, bit by bit as the document describes it."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0x8408 if value & 1 else value >> 1
    return value
