"""A Hanvon face terminal (FaceID text protocol over TCP), from the device's side, with the page's fault switches.

Shares no code with the gateway: an emulator with the driver's codec would prove nothing.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

FACE_DATA = "Rk9SLVRFU1RTLU9OTFk" * 40
"""One of the 18 templates of a person; a marker that must never leave the driver."""
PHOTO = "UEhPVE8tT0YtU09NRUJPRFk" * 60


@dataclass(slots=True)
class HanvonUser:
    """Somebody enrolled; ``faces`` templates come with every look at him."""

    number: str
    name: str = ""
    card: str = "0X0"
    faces: int = 18


@dataclass(frozen=True, slots=True)
class HanvonRecord:
    """One row of the log; ``text`` replaces its time to make an impossible one."""

    user: str
    at: datetime
    status: int | None
    card_type: str | None
    text: str | None = None


@dataclass(slots=True)
class HanvonFaults:
    """Faults that are still to happen; each number counts down to 0."""

    busy: int = 0
    """Requests that are refused with device busy."""
    silent: int = 0
    """Requests that get no answer."""
    garbage: int = 0
    """Answers that are replaced by noise."""
    truncated: int = 0
    """Answers that stop in the middle, with the connection cut."""
    stalled: int = 0
    """Answers that stop in the middle, with the connection left open."""
    wait: int = 0
    """Answers that come after a Wait and ``wait_s``."""
    doubled: int = 0
    """Answers whose rows come twice."""
    lying: int = 0
    """Changes of users that are confirmed and not made."""


class HanvonTerminal:
    """One terminal. ``start`` opens the port (0 picks one, then ``port`` says which), ``stop`` closes it."""

    def __init__(
        self,
        serial: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        users: Sequence[HanvonUser | str] = (),
        key: str = "",
        counters: bool = True,
        padded: bool = False,
        encoding: str = "gbk",
        edition: str = "3.006.089",
        log_capacity: int = 100_000,
        faceless: bool = True,
        photos: bool = False,
        row_kind: str | None = "face",
        wait_s: float = 0.0,
        pieces: int = 0,
        piece_delay_s: float = 0.0,
        quotes: str = '""',
        zone: str | tzinfo = "Asia/Shanghai",
        now: Callable[[tzinfo], datetime] = datetime.now,
    ) -> None:
        self.serial, self.host, self.port, self.key = serial, host, port, key
        self.counters, self.padded, self.encoding, self.edition = counters, padded, encoding, edition
        self.log_capacity, self.faceless, self.photos, self.row_kind = log_capacity, faceless, photos, row_kind
        self.wait_s, self.pieces, self.piece_delay_s, self.quotes = wait_s, pieces, piece_delay_s, quotes
        self.zone = ZoneInfo(zone) if isinstance(zone, str) else zone
        self._now = now
        self.clock_offset = timedelta(0)
        self.users: dict[str, HanvonUser] = {}
        for user in users:
            person = HanvonUser(user, f"User {user}") if isinstance(user, str) else user
            self.users[person.number] = person
        self.log: list[HanvonRecord] = []
        self.emitted = 0
        """Punches that went into the log."""
        self.requests: list[str] = []
        self.refused_clients = 0
        self.faults = HanvonFaults()
        self._server: asyncio.Server | None = None
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a second ``start`` after ``stop`` is a reboot on the same port."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and the connection; the log stays."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    # People and their punches

    def punch(
        self,
        user: str,
        at: datetime | None = None,
        verify: int = 0,  # noqa: ARG002 these terminals know only faces; the parameter is that of all emulators
        state: int | None = 1,
        card_type: str | None = None,
    ) -> None:
        """Log a punch at the terminal's naive wall time (None: its clock now)."""
        self.emitted += 1
        self.log.append(HanvonRecord(user, (at or self.now()).replace(microsecond=0), state, card_type))

    def punch_at_impossible_time(self, user: str, text: str) -> None:
        """Log a row whose time is this text."""
        self.log.append(HanvonRecord(user, self.now(), 1, None, text))

    def clear_log(self) -> None:
        """What an administrator does at the terminal."""
        self.log.clear()

    def now(self) -> datetime:
        """The terminal's naive wall clock."""
        return self._now(self.zone).replace(tzinfo=None) + self.clock_offset

    def set_clock(self, wall: datetime) -> None:
        """Turn the terminal's clock to this naive wall time."""
        self.clock_offset += wall - self.now()

    # One connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._busy:
            self.refused_clients += 1
            writer.close()
            return
        self._busy = True
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        received = b""
        try:
            while piece := await reader.read(65536):
                received += piece
                text = _xor(received, self.key).decode(self.encoding, "replace").strip()
                if text.endswith(")") and text.count('"') % 2 == 0:
                    received = b""
                    await self._receive(writer, text)
                elif not re.match(r"\w*(\(|\Z)", text):  # written with another key
                    received = b""
                    await self._send(writer, self._failed("unknown command").encode())
                elif len(received) > 65536:
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._busy = False
            if task is not None:
                self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _receive(self, writer: asyncio.StreamWriter, text: str) -> None:
        self.requests.append(text)
        faults = self.faults
        if faults.silent:
            faults.silent -= 1
            return
        answer = self._answer(text)
        if faults.wait:
            faults.wait -= 1
            await self._send(writer, f'Wait(wait_time="{max(round(self.wait_s), 1)}")'.encode())
            await asyncio.sleep(self.wait_s)
        data = answer.encode(self.encoding, "replace")
        if faults.garbage:
            faults.garbage -= 1
            writer.write(bytes(byte ^ 0xA5 for byte in data))
        elif faults.truncated or faults.stalled:
            await self._send(writer, data[: len(data) // 2])
            if faults.truncated:
                faults.truncated -= 1
                writer.transport.abort()
            else:
                faults.stalled -= 1
        else:
            await self._send(writer, data)

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        data = _xor(data, self.key)
        step = self.pieces or len(data)
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            await writer.drain()
            if self.piece_delay_s:
                await asyncio.sleep(self.piece_delay_s)

    # Answers

    def _answer(self, text: str) -> str:
        command, _, rest = text.partition("(")
        if self.faults.busy:
            self.faults.busy -= 1
            return self._failed("device busy")
        values = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', rest))
        handlers: dict[str, Callable[[], str]] = {
            "DetectDevice": lambda: self._return([]),
            "GetDeviceInfo": self._device_info,
            "GetMAC_SN": lambda: self._return([("mac", "00:0E:E3:01:02:03"), ("sn", self.serial)]),
            "GetRecord": lambda: self._records(values),
            "GetEmployeeID": self._employee_numbers,
            "GetEmployee": lambda: self._employee(values.get("id", "")),
            "SetEmployee": lambda: self._add_employee(values),
            "SetNameTable": lambda: self._rename(values),
            "SetDeviceInfo": lambda: self._set_device_info(values),
        }
        handler = handlers.get(command)
        return self._failed("unknown command") if handler is None else handler()

    def _pairs(self, pairs: Sequence[tuple[str, str]]) -> str:
        left, right = self.quotes[0], self.quotes[1]
        return " ".join(f"{key}={left}{value}{right}" for key, value in pairs)

    def _return(self, pairs: Sequence[tuple[str, str]], rows: Sequence[str] = ()) -> str:
        head = self._pairs([("result", "success"), *pairs])
        return "Return(" + "\r\n".join([head, *rows]) + ")"

    def _failed(self, reason: str) -> str:
        return f"Return({self._pairs([('result', 'failed'), ('reason', reason)])})"

    def _time(self, at: datetime) -> str:
        if self.padded:
            return f"{at:%Y-%m-%d %H:%M:%S}"
        return f"{at.year}-{at.month}-{at.day} {at.hour}:{at.minute}:{at.second}"

    def _device_info(self) -> str:
        pairs = [("dev_id", self.serial), ("time", self._time(self.now())), ("volume", "5"), ("edition", self.edition)]
        if self.counters:
            numbers = {
                "max_managernum": 10,
                "managernum": 1,
                "max_faceregist": 3000,
                "real_faceregist": len(self.users),
                "max_facerecord": self.log_capacity,
                "real_facerecord": len(self.log),
                "max_photorecord": 100,
                "real_photorecord": 4294967,
            }
            pairs += [(key, str(number)) for key, number in numbers.items()]
        return self._return(pairs)

    def _records(self, values: dict[str, str]) -> str:
        first, last = _bound(values.get("start_time")), _bound(values.get("end_time"))
        chosen = [
            record
            for record in self.log
            if (first is None or record.at >= first) and (last is None or record.at <= last)
        ]
        if self.faults.doubled and chosen:
            self.faults.doubled -= 1
            chosen += chosen
        return self._return([("dev_id", self.serial), ("total", "0")], [self._row(record) for record in chosen])

    def _row(self, record: HanvonRecord) -> str:
        person = self.users.get(record.user)
        name = person.name if person is not None else f"User {record.user}"
        pairs = [("time", record.text or self._time(record.at)), ("id", record.user), ("name", name), ("workcode", "0")]
        if record.status is not None:
            pairs.append(("status", str(record.status)))
        pairs += [("authority", "0X55"), ("card_src", "from_door"), ("card_src", "from_check")]
        if self.row_kind is not None:
            pairs.append(("type", self.row_kind))
        if record.card_type is not None:
            pairs.append(("card_type", record.card_type))
        if self.photos:
            pairs.append(("photo", PHOTO))
        return self._pairs(pairs)

    def _employee_numbers(self) -> str:
        return self._return([("total", str(len(self.users))), *(("id", number) for number in self.users)])

    def _employee(self, number: str) -> str:
        person = self.users.get(number)
        if person is None:
            return self._failed("unknown id")
        pairs = [("id", number), ("name", person.name), ("calid", "110101199003070000"), ("card_num", person.card)]
        pairs += [("authority", "0X0"), ("check_type", "face"), ("opendoor_type", "face")]
        return self._return([*pairs, *[("face_data", FACE_DATA)] * person.faces])

    def _add_employee(self, values: dict[str, str]) -> str:
        if self.faults.lying:
            self.faults.lying -= 1
        elif self.faceless:
            faces = 1 if "face_data" in values else 0
            self.users[values["id"]] = HanvonUser(
                values["id"], values.get("name", ""), values.get("card_num") or "0X0", faces
            )
        return self._return([])

    def _rename(self, values: dict[str, str]) -> str:
        for number, name in values.items():
            if number not in self.users:
                return self._failed("unknown id")
            if not self.faults.lying:
                self.users[number].name = name
        return self._return([])

    def _set_device_info(self, values: dict[str, str]) -> str:
        wall = _bound(values.get("time"))
        if wall is None or values.get("week") != str(wall.isoweekday()):
            return self._failed("bad parameter")
        self.set_clock(wall)
        return self._return([])


def _bound(text: str | None) -> datetime | None:
    if not text:
        return None
    year, month, day, hour, minute, second = map(int, re.findall(r"\d+", text))
    if hour == 24:
        return datetime(year, month, day) + timedelta(days=1)  # noqa: DTZ001 a terminal's clock has no zone
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001


def _xor(data: bytes, key: str) -> bytes:
    """The page's cipher, byte by byte."""
    if not key:
        return data
    table = [(ord(key[n]) if n < len(key) else 0) + (2**n >> 1) for n in range(8)]
    return bytes(byte ^ table[n % 8] for n, byte in enumerate(data))
