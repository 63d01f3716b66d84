"""A terminal that pushes in the FK web protocol, from the device's side: polls, blocks, repeats, commands, faults.

Like the firmware it sends a punch until the server says OK, and asks for a command in between.
"""

import asyncio
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

JPEG = b'\xff\xd8\xff\xe0FACE-PICTURE}{"user_id":"9"}\xff\xd9'  # braces: the end of the JSON is not the last one
Fault = Literal["wrong_length", "cut_off", "garbage", "gap"]
"""What becomes of the next request: a length beyond the body, half of it and closed, noise, a block left out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; status 0 stands for no answer at all."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def code(self) -> str:
        """``response_code``, or what the body of the Biomax variant says."""
        text = self.body.decode("latin-1")
        return self.headers.get("response_code") or ("OK" if text in ("OK", "result=OK") else "")


@dataclass(frozen=True, slots=True)
class LoggedPunch:
    """One record of the log."""

    user: str
    at: datetime
    verify: int
    inout: int


def _packed(at: datetime) -> int:
    return 1 | (at.year - 1900) << 2 | at.month << 12 | at.day << 16 | at.hour << 21 | at.minute << 26


def _old(at: datetime, year: int) -> int:
    return year | at.month << 12 | at.day << 16 | at.hour << 21 | at.minute << 26


def _numbered(punch: LoggedPunch) -> bytes:
    return struct.pack("<IBBBBI", int(punch.user), 0, punch.inout, punch.verify, punch.at.second, _packed(punch.at))


def _text_user(width: int) -> Callable[[LoggedPunch], bytes]:
    def pack(punch: LoggedPunch) -> bytes:
        tail = struct.pack("<BBBBIII", 0, 0, 0, punch.at.second, _packed(punch.at), punch.inout, punch.verify)
        return punch.user.encode().ljust(width, b"\0") + tail

    return pack


def _short_year(punch: LoggedPunch) -> bytes:
    mode = punch.verify | punch.inout << 6
    return struct.pack("<BHBII", 1, mode, punch.at.second, int(punch.user), _old(punch.at, punch.at.year - 1900))


RECORDS: dict[str, Callable[[LoggedPunch], bytes]] = {
    "HS100": lambda p: struct.pack(
        "<BHBII", 1, p.verify | p.inout << 6, p.at.second, int(p.user), _old(p.at, p.at.year)
    ),
    "HS101": _numbered,
    "HS104": _numbered,
    "HS102": _text_user(16),
    "HS103": _text_user(32),
    "HS105": lambda p: struct.pack("<IBBBBIII", int(p.user), 0, 0, 0, p.at.second, _packed(p.at), p.inout, p.verify),
    "HS200": lambda p: struct.pack(
        "<BBHII", 1, p.at.second, p.verify | p.inout << 6, int(p.user), _old(p.at, p.at.year)
    ),
    "HS100-short": _short_year,
}


def user_entry(library: str, user: str) -> bytes:
    """One entry of the user list."""
    if library in ("HS102", "HS103"):
        return user.encode().ljust(16 if library == "HS102" else 32, b"\0") + struct.pack("<BBH", 0, 1, 16)
    number = int(user)
    return struct.pack("<BBBBI", 1, 0, 0, 0, number) if library == "HS100" else struct.pack("<IBBH", number, 0, 1, 16)


class FkTerminal:
    """One terminal with a log; ``run`` lives until ``stop``.

    ``live`` False leaves new punches in the log, as a broken link does; ``repeats`` sends each again though it was
    acknowledged (M82 v3.15); ``plain`` is the Biomax variant, ``text`` writes numbers as text.
    """

    def __init__(
        self,
        serial: str,
        host: str = "127.0.0.1",
        port: int = 8081,
        *,
        library: str = "HS102",
        path: str = "/",
        plain: bool = False,
        text: bool = False,
        bare: bool = False,
        inner_length: bool = True,
        picture: bool = False,
        block: int = 1024,
        repeats: int = 0,
        live: bool = True,
        poll_s: float = 1.0,
        timeout_s: float = 30.0,
    ) -> None:
        self.serial, self.host, self.port, self.library = serial, host, port, library
        self.log: list[LoggedPunch] = []
        self.acknowledged = 0
        self.commands: list[tuple[str, str]] = []
        """Code and parameter of every command."""
        self.clock = datetime(2026, 11, 23, 8, 59, 1)  # noqa: DTZ001  # a terminal's clock has no zone
        self.users: list[str] = []
        self.capacity: int | None = None
        """Punches that fit into the log; None on firmware that does not tell."""
        self.live = live
        self.faults: list[Fault] = []
        self.log_faults: list[Fault] = []
        """Of the answers to GET_LOG_DATA."""
        self._path, self._plain, self._text, self._bare = path, plain, text, bare
        self._inner_length, self._picture, self._block, self._repeats = inner_length, picture, block, repeats
        self._poll_s, self._timeout_s = poll_s, timeout_s
        self._sent = 0
        self._stopping = False
        self._woken = asyncio.Event()

    @property
    def emitted(self) -> int:
        """Punches in the log."""
        return len(self.log)

    def punch(self, user: str, at: datetime, verify: int = 0x40000000, inout: int = 0x01000000) -> None:
        """Append a punch at that naive local time; it is sent as soon as the server takes it."""
        self.log.append(LoggedPunch(user, at, verify, inout))
        if not self.live:
            self._sent = len(self.log)
        self._woken.set()

    def reset(self) -> None:
        """Back to the factory: the log is gone."""
        self.log.clear()
        self._sent = 0

    async def run(self) -> None:
        """Push and ask until ``stop``."""
        self._stopping = False
        while not self._stopping:
            sound = await self._push() and await self.ask()
            if not sound or self._sent >= len(self.log):
                self._woken.clear()
                try:
                    await asyncio.wait_for(self._woken.wait(), self._poll_s)
                except TimeoutError:
                    continue

    async def stop(self) -> None:
        """End ``run`` after the request it is in."""
        self._stopping = True
        self._woken.set()

    async def _push(self) -> bool:
        while self._sent < len(self.log) and not self._stopping:
            punch = self.log[self._sent]
            answers = [await self.send("realtime_glog", self.glog(punch)) for _ in range(1 + self._repeats)]
            if answers[-1].code != "OK":
                return False
            self._sent += 1
            self.acknowledged += 1
        return True

    def glog(self, punch: LoggedPunch) -> bytes:
        """Body of a realtime_glog."""
        number: Callable[[int], object] = str if self._text else int
        told: dict[str, object] = {
            "user_id": punch.user,
            "verify_mode": number(punch.verify),
            "io_mode": number(punch.inout),
            "io_time": f"{punch.at:%Y%m%d%H%M%S}",
            "fk_bin_data_lib": f"FKData{self.library}",
            "log_image": "BIN_1" if self._picture else None,
        }
        return self._body(told, JPEG if self._picture else None)

    async def ask(self) -> bool:
        """Ask for a command and run it."""
        info = {"fk_bin_data_lib": f"FKData{self.library}", "firmware": "M82 v3.15.988", "face_data_ver": 30}
        told: dict[str, object] = {
            "fk_name": "gate", "fk_time": f"{self.clock:%Y%m%d%H%M%S}", "fk_info": info,
        }  # fmt: skip
        answer = await self.send("receive_cmd", self._body(told))
        if answer.code == "OK" and answer.headers.get("cmd_code"):
            parameter = answer.body[4:].rstrip(b"\0").decode()
            await self.execute(answer.headers["trans_id"], answer.headers["cmd_code"], parameter)
        return answer.code in ("OK", "ERROR_NO_CMD")

    async def execute(self, number: str, code: str, parameter: str) -> Answer:
        """Run a command and send its result."""
        self.commands.append((code, parameter))
        body = b""
        if code == "GET_LOG_DATA":
            asked = json.loads(parameter)
            rows = [p for p in self.log if asked["begin_time"] <= f"{p.at:%Y%m%d%H%M%S}" <= asked["end_time"]]
            body = self.log_answer(rows)
            self.faults += self.log_faults
            self.log_faults.clear()
        elif code == "GET_USER_ID_LIST":
            data = b"".join(user_entry(self.library, user) for user in self.users)
            size = len(data) // len(self.users) if self.users else 8
            told = {"user_id_count": len(self.users), "one_user_id_size": size, "user_id_array": "BIN_1"}
            body = self._body(told, data)
        elif code == "GET_DEVICE_STATUS":
            counters: dict[str, object] = {"user_count": len(self.users), "total_log_count": len(self.log)}
            body = self._body(counters | ({"total_log_max": self.capacity} if self.capacity else {}))
        elif code == "SET_TIME":
            self.clock = datetime.strptime(json.loads(parameter)["time"], "%Y%m%d%H%M%S")  # noqa: DTZ007
        return await self.send("send_cmd_result", body, {"trans_id": number, "cmd_return_code": "OK"})

    def log_answer(self, rows: list[LoggedPunch]) -> bytes:
        """Body that answers GET_LOG_DATA."""
        record = RECORDS[self.library]
        data = b"".join(map(record, rows))
        size = len(data) // len(rows) if rows else 12
        return self._body({"log_count": len(rows), "one_log_size": size, "log_array": "BIN_1"}, data)

    def _body(self, told: dict[str, object], binary: bytes | None = None) -> bytes:
        raw = json.dumps(told, separators=(",", ":")).encode()
        if self._bare and binary is None:
            return raw
        raw += b"\0"
        head = len(raw).to_bytes(4, "little") + raw
        if binary is None:
            return head
        return head + (len(binary).to_bytes(4, "little") if self._inner_length else b"") + binary

    # HTTP as a small firmware speaks it

    async def send(self, code: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        """One message in as many blocks as it needs; the last answer, or the first that is not OK."""
        parts = [body[n : n + self._block] for n in range(0, len(body), self._block)] or [b""]
        fault = self.faults.pop(0) if self.faults else None
        answer = Answer(0)
        for number, part in enumerate(parts, 1):
            if fault == "gap" and number == 2:
                continue
            block = 0 if number == len(parts) else number
            answer = await self._post(code, part, block, headers or {}, fault)
            if block and answer.code != "OK":
                break
        return answer

    async def _post(self, code: str, part: bytes, block: int, more: dict[str, str], fault: Fault | None) -> Answer:
        if fault == "wrong_length":
            part = b"\xff\xff\x00\x00" + part[4:]
        if fault == "garbage":
            part = bytes(range(256)) * 2
        number = "cmd_id" if self._plain else "trans_id"
        given = {"request_code": code, "dev_id": self.serial, "dev_model": "emulated", "blk_no": str(block)}
        given |= {"blk_len": str(len(part)), number: "RTLogSendAction" if self._plain else "100", **more}
        lines = [f"POST {self._path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in given.items()]
        lines += ["Content-Type: application/octet-stream", f"Content-Length: {len(part)}"]
        raw = "\r\n".join(lines).encode() + b"\r\n\r\n" + part
        return await self.exchange(raw[: len(raw) - len(part) // 2] if fault == "cut_off" else raw)

    async def exchange(self, raw: bytes) -> Answer:
        """Send these bytes as they are and read the answer until the server closes."""
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    writer.write(raw)
                    writer.write_eof()
                    return _parse(await reader.read())
                finally:
                    writer.close()
        except (OSError, EOFError, TimeoutError, LookupError, ValueError):
            return Answer(0)


def _parse(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Answer(int(lines[0].split(" ")[1]), headers, body)
