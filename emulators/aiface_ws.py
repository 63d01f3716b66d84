"""A terminal of the Timmy / AiFace kind: a WebSocket client that pushes JSON, written with nothing but sockets.

It repeats what was not acknowledged, sets its clock by every ``cloudtime``, answers questions in pages of 50, and has
the faults of old firmware on request. ``http`` posts the same JSON to /pub/api instead.
"""

import asyncio
import base64
import contextlib
import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

PAGE = 50
USERS_PAGE = 40
PHOTO = "MARKERPHOTO" * 20
TEMPLATE = "MARKERTEMPLATE" * 40


@dataclass(frozen=True, slots=True)
class LoggedRow:
    """One row of its log."""

    user: int | str
    at: datetime
    mode: int = 8
    inout: int = 0
    event: int = 0
    verifymode: int | None = None
    image: bool = False


@dataclass
class Faults:
    """Numbers are how often it happens; False and 0 mean never."""

    comma: bool = False
    """``,]`` at the end of every list, and a blank behind every key."""
    garbage: int = 0
    """Messages that are no JSON, sent before a push."""
    broken: int = 0
    """Pushes that no repair helps."""
    close_after_send: int = 0
    """Hang up right after a push, before the answer."""
    deaf: bool = False
    """Questions are not answered."""
    fragments: int = 0
    """Bytes of a WebSocket frame; 0 sends a message in one."""
    drip_s: float = 0.0
    """Seconds between two bytes of the next message."""
    truncated: int = 0
    """Hang up in the middle of a frame."""
    page_counts_itself: bool = False
    """``count`` is the rows of a page, not all."""
    restarts_pages: bool = False
    """After the last page comes the first again."""
    stuck_page: bool = False
    """Every page is the first."""


@dataclass
class AifaceTerminal:
    """One terminal; ``run`` lives until ``stop``. ``emitted`` is what its log holds, ``acknowledged`` what is past."""

    serial: str
    host: str = "127.0.0.1"
    port: int = 7788
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    top_level: bool = False
    http: bool = False
    repeat_s: float = 0.05
    batch: int = 2
    faults: Faults = field(default_factory=Faults)
    path: str = "/pub/chat"
    pongs: bool = True
    """Answers the pings of a WebSocket."""
    pushes: bool = True
    """Sends rows on its own; else they wait for getnewlog."""

    def __post_init__(self) -> None:
        """Start with an empty log and a right clock."""
        self.log: list[LoggedRow] = []
        self.position = 0
        self.new_from = 0
        """Rows from here on are new to getnewlog."""
        self.sent: list[str] = []
        """Names of messages, as they were sent."""
        self.answers: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.refused = 0
        self.registered = False
        self.connections = 0
        self.clock_offset = timedelta(0)
        self._index = 0
        self._page = 0
        self._woken = asyncio.Event()
        self._stopping = False
        self._writer: asyncio.StreamWriter | None = None
        self._draw = random.Random(1)
        self._one = asyncio.Lock()

    @property
    def emitted(self) -> int:
        """Rows in the log."""
        return len(self.log)

    @property
    def acknowledged(self) -> int:
        """Rows that the server has acknowledged."""
        return self.position

    def punch(self, user: int | str, at: datetime, **how: Any) -> None:
        """A row at that naive local time."""
        self.log.append(LoggedRow(user, at, **how))
        self._woken.set()

    def wall(self) -> datetime:
        """What its clock shows; the emulated world is in Shanghai."""
        return (datetime.now(UTC) + timedelta(hours=8) + self.clock_offset).replace(tzinfo=None)

    def reset_log(self) -> None:
        """Empty the log; indexes begin at 0."""
        self.log.clear()
        self.position = self.new_from = 0

    async def run(self) -> None:
        """Connect, register, push, answer; whatever breaks is begun again."""
        self._stopping = False
        while not self._stopping:
            with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError, asyncio.IncompleteReadError):
                await (self._posting() if self.http else self._connected())
            self.registered = False
            await asyncio.sleep(self.repeat_s)

    async def stop(self) -> None:
        """Hang up and stay silent."""
        self._stopping = True
        self._woken.set()
        if self._writer is not None:
            self._writer.close()

    # Messages

    def registration(self) -> dict[str, Any]:
        """``reg``."""
        facts = {
            "modelname": "tfs30",
            "usersize": 3000,
            "logsize": 100000,
            "useduser": len(self.users),
            "usedlog": len(self.log),
            "usednewlog": len(self.log) - self.position,
            "firmware": "th600w v6.3",
            "time": f"{self.wall():%Y-%m-%d %H:%M:%S}",
            "mac": "00-01-A9-00-00-02",
        }
        said = {"cmd": "reg", "sn": self.serial, "cpusn": "000000001"}
        return {**said, **facts} if self.top_level else {**said, "devinfo": facts}

    def row(self, one: LoggedRow) -> dict[str, Any]:
        """A row as it is sent."""
        said: dict[str, Any] = {
            "enrollid": one.user,
            "name": f"NAME {one.user}",
            "time": f"{one.at:%Y-%m-%d %H:%M:%S}",
            "mode": one.mode,
            "inout": one.inout,
            "event": one.event,
        }
        if one.verifymode is not None:
            said["verifymode"] = one.verifymode
        if one.image:
            said["image"] = PHOTO
        return said

    def batch_message(self) -> dict[str, Any]:
        """The next ``sendlog``."""
        rows = self.log[self.position : self.position + self.batch]
        return {
            "cmd": "sendlog",
            "sn": self.serial,
            "count": len(rows),
            "logindex": self.position,
            "record": [self.row(one) for one in rows],
        }

    def text(self, said: Mapping[str, Any]) -> str:
        """A message as this firmware writes it."""
        text = json.dumps(said)
        if self.faults.comma:
            text = (
                text.replace("]", ",]").replace("[,]", "[]").replace('"cmd":', '"cmd ":').replace('"ret":', '"ret ":')
            )
        return text

    def take(self, answer: dict[str, Any]) -> None:
        """An answer of the server."""
        self.answers.append(answer)
        if cloudtime := answer.get("cloudtime"):
            wall = datetime.strptime(cloudtime, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  # no zone on the wire
            self.clock_offset = wall - (datetime.now(UTC) + timedelta(hours=8)).replace(tzinfo=None)
        if answer.get("ret") == "reg":
            self.registered = answer.get("result") is True
            self.refused += answer.get("result") is False
        if answer.get("ret") == "sendlog" and answer.get("result") is True:
            count, index = answer.get("count"), answer.get("logindex")
            if index == self.position and isinstance(count, int):
                self.position += count

    # WebSocket

    async def _connected(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        self._writer = writer
        self.connections += 1
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(
                f"GET {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in head.split(b"\r\n")[0]:
                return
            hearing = asyncio.create_task(self._hear(reader))
            talking = asyncio.create_task(self._talk())
            try:
                await asyncio.wait({hearing, talking}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                hearing.cancel()
                talking.cancel()
                await asyncio.gather(hearing, talking, return_exceptions=True)
        finally:
            writer.close()

    async def _talk(self) -> None:
        while not self._stopping:
            if not self.registered:
                await self.send(self.registration())
            elif self.pushes and self.position < len(self.log):
                await self._push()
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self.repeat_s)

    async def _push(self) -> None:
        if self.faults.garbage > 0:
            self.faults.garbage -= 1
            await self._send_text(self._draw.choice(["", "{", "\x00\x01", "[1,2", '{"cmd":', "nonsense"]), "garbage")
        text = self.text(self.batch_message())
        if self.faults.broken > 0:
            self.faults.broken -= 1
            text = text.replace('"mode":', '"mode";', 1)
        await self._send_text(text, "sendlog")
        if self.faults.close_after_send > 0:
            self.faults.close_after_send -= 1
            raise EOFError("hung up")

    async def send(self, said: Mapping[str, Any]) -> None:
        """Send a message."""
        await self._send_text(self.text(said), str(said.get("cmd") or said.get("ret")))

    async def _send_text(self, text: str, name: str) -> None:
        async with self._one:
            await self._write(text, name)

    async def _write(self, text: str, name: str) -> None:
        if self._writer is None:
            return
        data = text.encode()
        size = self.faults.fragments or max(len(data), 1)
        parts = [data[n : n + size] for n in range(0, len(data), size)] or [b""]
        frames = b"".join(_frame(1 if n == 0 else 0, part, last=n == len(parts) - 1) for n, part in enumerate(parts))
        if self.faults.truncated > 0 and name == "sendlog":
            self.faults.truncated -= 1
            self._writer.write(frames[: len(frames) // 2])
            await self._writer.drain()
            raise EOFError("power lost")
        if self.faults.drip_s:
            for byte in frames:
                self._writer.write(bytes([byte]))
                await self._writer.drain()
                await asyncio.sleep(self.faults.drip_s)
        else:
            self._writer.write(frames)
            await self._writer.drain()
        self.sent.append(name)

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while True:
            first, second = await reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                size = int.from_bytes(await reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await reader.readexactly(8), "big")
            data = await reader.readexactly(size)
            if first & 0x0F == 8:
                return
            if first & 0x0F == 9 and self.pongs and self._writer is not None:
                async with self._one:
                    self._writer.write(_frame(10, data, last=True))
            if first & 0x0F != 1:
                continue
            said = json.loads(data)
            if "cmd" in said:
                self.asked.append(said)
                if not self.faults.deaf:
                    await self.send(self._answer(said))
            else:
                self.take(said)
                self._woken.set()

    # Questions of the server

    def _answer(self, said: dict[str, Any]) -> dict[str, Any]:
        name = said["cmd"]
        answers = {
            "getnewlog": self._log_page,
            "getalllog": self._log_page,
            "getuserlist": self._user_page,
            "getusername": self._user_name,
            "getuserinfo": self._user_info,
            "setusername": self._set_name,
            "setuserinfo": self._set_info,
            "enableuser": self._enable,
        }
        if name in answers:
            return answers[name](said)
        if name == "gettime":
            return {"ret": "gettime", "time": f"{self.wall():%Y-%m-%d %H:%M:%S}"}
        if name == "settime":
            self.take({"ret": "", "cloudtime": said["cloudtime"]})
            return {"ret": "settime", "result": True}
        if name == "getdevinfo":
            facts = self.registration()
            return {"ret": "getdevinfo", "result": True, "sn": self.serial, **facts.get("devinfo", {})}
        return {"ret": name, "result": False, "reason": 1}

    def _log_page(self, said: dict[str, Any]) -> dict[str, Any]:
        rows = self.log if said["cmd"] == "getalllog" else self.log[self.new_from :]
        self._page = 0 if said.get("stn") or self.faults.stuck_page else self._page + 1
        first = self._page * PAGE
        if first >= len(rows) and self.faults.restarts_pages:
            self._page = first = 0
        found = rows[first : first + PAGE]
        if not found:
            return {"ret": said["cmd"], "result": True, "count": 0, "from": 0, "to": 0, "record": []}
        return {
            "ret": said["cmd"],
            "result": True,
            "count": len(found) if self.faults.page_counts_itself else len(rows),
            "from": 0 if self.faults.page_counts_itself else first,
            "to": len(found) - 1 if self.faults.page_counts_itself else first + len(found) - 1,
            "record": [self.row(one) for one in found],
        }

    def _user_page(self, said: dict[str, Any]) -> dict[str, Any]:
        rows = [
            {"enrollid": _number(user), "admin": str(person.get("admin", 0)), "backupnum": kind, "record": TEMPLATE}
            for user, person in self.users.items()
            for kind in ((11, 0) if person.get("card") else (0,))
        ]
        self._page = 0 if said.get("stn") else self._page + 1
        found = rows[self._page * USERS_PAGE : (self._page + 1) * USERS_PAGE]
        return {"ret": "getuserlist", "result": True, "count": len(found), "from": 0, "to": len(found), "record": found}

    def _user_name(self, said: dict[str, Any]) -> dict[str, Any]:
        person = self.users.get(str(said["enrollid"]))
        if person is None:
            return {"ret": "getusername", "result": False, "reason": 1}
        return {"ret": "getusername", "result": True, "record": person["name"]}

    def _user_info(self, said: dict[str, Any]) -> dict[str, Any]:
        person = self.users.get(str(said["enrollid"]), {})
        if said["backupnum"] != 11 or not person.get("card"):
            return {"ret": "getuserinfo", "result": False, "reason": 1}
        return {"ret": "getuserinfo", "result": True, "enrollid": said["enrollid"], "record": int(person["card"])}

    def _set_name(self, said: dict[str, Any]) -> dict[str, Any]:
        for one in said["record"]:
            self.users.setdefault(str(one["enrollid"]), {})["name"] = one["name"]
        return {"ret": "setusername", "result": True}

    def _set_info(self, said: dict[str, Any]) -> dict[str, Any]:
        person = self.users.setdefault(str(said["enrollid"]), {"name": said["name"]})
        person["card"], person["admin"] = str(said["record"]), said["admin"]
        return {"ret": "setuserinfo", "result": True}

    def _enable(self, said: dict[str, Any]) -> dict[str, Any]:
        person = self.users.get(str(said["enrollid"]))
        if person is None:
            return {"ret": "enableuser", "result": False, "reason": 1}
        person["enabled"] = bool(said["enflag"])
        return {"ret": "enableuser", "result": True}

    # The HTTP twin

    async def _posting(self) -> None:
        while not self._stopping:
            if not self.registered:
                await self.post(self.registration())
            elif self.position < len(self.log):
                await self.post(self.batch_message())
            self._woken.clear()
            if self.position >= len(self.log) or not self.registered:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self.repeat_s)

    async def post(self, said: Mapping[str, Any]) -> int:
        """Post a message to the twin; the status of the answer, 0 for none."""
        body = self.text(said).encode()
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            head = f"POST /pub/api HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            status = int(lines[0].split(" ")[1])
            text = await reader.read()
            self.sent.append(str(said.get("cmd")))
            if status == 200:
                self.take(json.loads(text))
            return status
        finally:
            writer.close()


def _frame(opcode: int, data: bytes, *, last: bool) -> bytes:
    """A masked frame of RFC 6455."""
    mask = os.urandom(4)
    size = len(data)
    if size < 126:
        head = bytes([0x80 * last | opcode, 0x80 | size])
    elif size < 65_536:
        head = bytes([0x80 * last | opcode, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 * last | opcode, 0x80 | 127]) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))


def _number(user: str) -> int | str:
    return int(user) if user.isdigit() else user
