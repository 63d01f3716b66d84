"""A ZK terminal that pushes over HTTP (ADMS / iclock), attendance and security dialect, from the device's side.

Like the firmware it repeats what was not answered with 200 and ``OK``, honours the stamps that the server returns and
runs the commands it is given; its faults (duplicate batches, short rows, unknown tables) are asked for by a test.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import quote, urlencode

STAMP_BASE = 100_000
"""Above 9999, which servers send to a terminal they have never seen."""
POWER_LOSS = datetime(2000, 1, 1)  # noqa: DTZ001  # a terminal's clock has no zone


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; status 0 stands for no answer at all."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def ok(self) -> bool:
        """The only answer after which a terminal forgets rows: 200 with ``OK``."""
        return self.status == 200 and self.text.lstrip().upper().startswith("OK")


@dataclass(frozen=True, slots=True)
class LoggedPunch:
    """One line of the terminal's log."""

    user: str
    at: datetime
    verify: int
    state: int


class AdmsTerminal:
    """One terminal with a log; ``run`` lives until ``stop``.

    ``columns`` is the width of an ATTLOG row (2 to 16), ``batch`` the rows of one POST (1 to 1,000),
    ``error_delay_s`` the pause after a failure where a test does not want the server's 60 s.
    """

    def __init__(
        self,
        serial: str,
        host: str = "127.0.0.1",
        port: int = 8081,
        *,
        dialect: Literal["att", "acc"] = "att",
        pushver: str | None = "2.4.1",
        prefix: str = "/iclock/",
        suffix: str = "",
        columns: int = 6,
        trailing_tab: bool = False,
        batch: int = 100,
        send_twice: bool = False,
        poll_s: float = 1.0,
        error_delay_s: float | None = 1.0,
        timeout_s: float = 30.0,
    ) -> None:
        self.serial = serial
        self.host = host
        self.port = port
        self.dialect = dialect
        self.log: list[LoggedPunch] = []
        self.position = 0
        """Punches before this place of the log were acknowledged, or lie before the server's stamp."""
        self.acknowledged = 0
        """Punches that the server has acknowledged at least once."""
        self.posts = 0
        self.people: dict[str, tuple[str, str]] = {}
        """Name and card by number."""
        self.user_capacity = 3000
        self.commands: list[str] = []
        """Every command received, without its id."""
        self.clock: datetime | None = None
        """What the last Date header set the clock to, in UTC; None before."""
        self._pushver = pushver
        self._prefix = prefix
        self._suffix = suffix
        self._columns = columns
        self._trailing_tab = trailing_tab
        self._batch = batch
        self._send_twice = send_twice
        self._poll_s = poll_s
        self._error_delay_s = error_delay_s
        self._server_delay_s = 30.0
        self._timeout_s = timeout_s
        self._greeted = False
        self._registry_code = ""
        self._woken = asyncio.Event()
        self._stopping = False
        self._lost_power_at: datetime | None = None
        self._without_clock = False

    @property
    def emitted(self) -> int:
        """Punches in the log."""
        return len(self.log)

    def punch(self, user: str, at: datetime, verify: int = 1, state: int = 0) -> None:
        """Append a punch at that naive local time; it is sent as soon as the server takes it."""
        if self._without_clock:
            self._lost_power_at = self._lost_power_at or at
            at = POWER_LOSS + (at - self._lost_power_at)
        self.log.append(LoggedPunch(user, at, verify, state))
        self._woken.set()

    def lose_power(self) -> None:
        """The clock restarts at 2000-01-01 and stays so until the server's Date header sets it."""
        self._without_clock, self._lost_power_at = True, None
        self._greeted = False

    async def run(self) -> None:
        """Greet, push, ask for commands, until ``stop``; a failure waits and starts over."""
        self._stopping = False
        while not self._stopping:
            if not await self._turn():
                await self._wait(self._server_delay_s if self._error_delay_s is None else self._error_delay_s)
            elif self.position >= len(self.log):
                await self._wait(self._poll_s)

    async def stop(self) -> None:
        """End ``run`` after the request it is in."""
        self._stopping = True
        self._woken.set()

    async def _turn(self) -> bool:
        """One round of everything that is due; False when the server failed."""
        if not self._greeted:
            self._greeted = await (self._greet_attendance() if self.dialect == "att" else self._greet_security())
            if not self._greeted:
                return False
        return await self._push() and await self._ask()

    async def _wait(self, delay_s: float) -> None:
        self._woken.clear()
        if self._stopping:
            return
        try:
            await asyncio.wait_for(self._woken.wait(), delay_s)
        except TimeoutError:
            return

    # Handshakes

    async def _greet_attendance(self) -> bool:
        query = {"options": "all", "language": "83"}
        if self._pushver:
            query["pushver"] = self._pushver
        answer = await self.request("GET", "cdata", query)
        if answer.status != 200 or not answer.text.startswith(f"GET OPTION FROM: {self.serial}"):
            return False
        options = _options(answer.text)
        first_generation = self._pushver is None or self._pushver.startswith("1.")
        self._seek(options.get("Stamp" if first_generation else "ATTLOGStamp", "None"))
        self._server_delay_s = float(options.get("ErrorDelay", "30"))
        return True

    async def _greet_security(self) -> bool:
        query = {"options": "all", "pushver": self._pushver or "3.1.2", "DeviceType": "acc", "PushOptionsFlag": "1"}
        answer = await self.request("GET", "cdata", query)
        if answer.status != 200:
            return False
        if "registry=ok" not in answer.text:
            facts = f"DeviceType=acc,~DeviceName=SenseFace,FirmVer=ZAM180-NF-Ver1.2.3,~SerialNumber={self.serial}"
            answer = await self.request("POST", "registry", {}, facts.encode())
            if not answer.text.startswith("RegistryCode="):
                return False
        self._registry_code = _options(answer.text).get("RegistryCode", "")
        answer = await self.request("POST", "push", {}, b"")
        options = _options(answer.text)
        self._server_delay_s = float(options.get("ErrorDelay", "30"))
        return answer.status == 200 and "PushProtVer" in options

    def _seek(self, stamp: str) -> None:
        """Go to the place in the log that the server's stamp names; ``None`` and 0 mean all of it."""
        if stamp.isdigit():
            self.position = min(max(int(stamp) - STAMP_BASE, 0), len(self.log))
        else:
            self.position = 0

    # Punches

    async def _push(self) -> bool:
        while self.position < len(self.log) and not self._stopping:
            upto = min(self.position + self._batch, len(self.log))
            answer = await self.send(self.position, upto)
            if answer.ok and self._send_twice:
                answer = await self.send(self.position, upto)
            if not answer.ok:
                return False
            self.position = upto
            self.acknowledged = max(self.acknowledged, upto)
        return True

    async def send(self, first: int, upto: int) -> Answer:
        """One POST with these punches of the log."""
        self.posts += 1
        if self.dialect == "acc":
            body = "".join(self._event_row(n) for n in range(first, upto))
            return await self.upload("rtlog", body.encode())
        body = "".join(map(self._punch_row, self.log[first:upto]))
        return await self.upload("ATTLOG", body.encode(), Stamp=str(STAMP_BASE + upto))

    def _punch_row(self, punch: LoggedPunch) -> str:
        fields = [punch.user, f"{punch.at:%Y-%m-%d %H:%M:%S}", str(punch.state), str(punch.verify), "0", "0"]
        fields = (fields + [""] * 10)[: self._columns]
        return "\t".join(fields) + ("\t" if self._trailing_tab else "") + "\n"

    def _event_row(self, number: int) -> str:
        punch = self.log[number]
        return (
            f"time={punch.at:%Y-%m-%d %H:%M:%S}\tpin={punch.user}\tcardno=0\teventaddr=1\tevent=0"
            f"\tinoutstatus={punch.state}\tverifytype={punch.verify}\tindex={number + 1}\tsitecode=0\tlinkid=0\r\n"
        )

    async def upload(self, table: str, body: bytes, **query: str) -> Answer:
        """POST any table, known to the server or not."""
        return await self.request("POST", "cdata", {"table": table, **query}, body)

    # Commands

    async def _ask(self) -> bool:
        answer = await self.request("GET", "getrequest", {})
        if answer.status != 200:
            return False
        for line in answer.text.splitlines():
            if line.startswith("C:"):
                number, _, command = line[2:].partition(":")
                await self._execute(number, command)
        return True

    async def _execute(self, number: str, command: str) -> None:
        self.commands.append(command)
        word = command.split(" ", maxsplit=1)[0]
        body, code = "", 0
        if word == "INFO":
            body = f"~DeviceName=SenseFace 2A\nFWVersion=Ver 8.0.4\nUserCount=12\nTransactionCount={len(self.log)}\n"
        elif word == "CHECK":
            self._greeted = False
        elif word == "CLEAR":
            self.log.clear()
        elif command.startswith("DATA QUERY USERINFO"):
            rows = "".join(
                f"USER PIN={number}\tName={name}\tPri=0\tPasswd=SECRET-PASSWORD\tCard={card}\tGrp=1\tTZ=1\n"
                for number, (name, card) in self.people.items()
            )
            rows += "FP PIN=1\tFID=0\tSize=14\tValid=1\tTMP=FINGER-TEMPLATE\n"
            if not (await self.upload("OPERLOG", rows.encode(), OpStamp="9999")).ok:
                return
        elif command.startswith("DATA UPDATE USERINFO"):
            code = self._write(_fields(command))
        elif word != "REBOOT":
            code = -22
        await self.request("POST", "devicecmd", {}, f"ID={number}&Return={code}&CMD={word}\n{body}".encode())

    def _write(self, fields: dict[str, str]) -> int:
        number = fields.get("PIN", "")
        if number not in self.people and len(self.people) >= self.user_capacity:
            return -1001
        name, card = self.people.get(number, ("", ""))
        self.people[number] = (fields.get("Name", name), fields.get("Card", card))
        return 0

    # HTTP as a small firmware speaks it

    async def request(self, method: str, call: str, query: dict[str, str], body: bytes = b"") -> Answer:
        """One request on a connection of its own; status 0 when there was no complete answer in time."""
        target = f"{self._prefix}{call}{self._suffix}?{urlencode({'SN': self.serial, **query}, quote_via=quote)}"
        head = f"{method} {target} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nUser-Agent: iClock Proxy/1.09\r\n"
        if method == "POST":
            head += f"Content-Length: {len(body)}\r\n"
        if self._registry_code:
            head += f"Cookie: token={self._registry_code}\r\n"
        answer = await self.exchange(head.encode() + b"\r\n" + body)
        self._set_clock(answer.headers.get("date", ""))
        return answer

    async def exchange(self, raw: bytes) -> Answer:
        """Send these bytes as they are and read the answer until the server closes."""
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    writer.write(raw)
                    await writer.drain()
                    return await _read_answer(reader)
                finally:
                    writer.close()
        except (OSError, EOFError, TimeoutError, LookupError, ValueError):
            return Answer(0)

    def _set_clock(self, date: str) -> None:
        try:
            self.clock = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007  # GMT by its name
        except ValueError:
            return
        self._without_clock = False


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    lines = ["HTTP/1.1 100 Continue"]
    while " 100 " in lines[0]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(lines[0].split(" ")[1]), headers, body.decode())


def _fields(command: str) -> dict[str, str]:
    """``DATA UPDATE USERINFO`` and its fields, which a TAB separates."""
    parts = command.split(" ", maxsplit=3)[3].split("\t")
    return {name: value for name, _, value in (part.partition("=") for part in parts)}


def _options(text: str) -> dict[str, str]:
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in text.splitlines())}
