"""A Dahua or Intelbras access terminal from the device's side: CGI with digest login, event stream, pushed reports.

Its habits are those of real firmware: ``key=value`` with CRLF or LF, ``records`` or ``Records``, keys that are missing,
pages that end before the search does, CreateTime in UTC or in local time. Faults are asked for by a test.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from emulators.digest_http import DigestLogin, Listeners, Request, Response, TerminalWeb

BOUNDARY = "myboundary"
PICTURE = (
    b"\xff\xd8\xff\xe0FACE-PICTURE--myboundary\r\n--myboundary\r\nContent-Type: text/plain\r\n\r\n"
    b'Code=AccessControl;action=Pulse;index=0;data={"UserID":"FAKE","Status":1,"UTC":1795395541,"RecNo":1}\r\n'
    b"--myboundary--\xff\xd9"
)
"""A picture that tries to be an event."""
Value = str | int


@dataclass
class DahuaTerminal(TerminalWeb):
    """One terminal; ``start`` listens, ``punch`` writes to its log and to open streams."""

    serial: str = "6G0ABCDPAJ00001"
    model: str = "ASI7213X-T1"
    firmware: str = "1.000.0000001.0.R,build:2021-05-20"
    login: DigestLogin = field(default_factory=DigestLogin)
    port: int = 0
    page_size: int = 1024
    newest_first: bool = False
    newline: str = "\r\n"
    array: Literal["records", "Records"] = "records"
    """Documents write ``Records``, devices ``records``."""
    tells_total: bool = False
    """``found`` is the number of rows of the search, not of the page, and ``totalCount`` is written too."""
    time_filter: bool = True
    handles: bool = True
    """Knows factory.create, startFind, doFind."""
    local_time: bool = False
    """CreateTime is local time counted as if it were UTC."""
    real_utc: bool = False
    """CreateTimeRealUTC is written too."""
    missing: frozenset[str] = frozenset()
    """Keys that are left out of records."""
    offset_s: int = 8 * 3600
    heartbeat_s: float = 0.2
    stream_works: bool = True
    authority: bool = True
    """False: the account has no right to search."""
    wall: Callable[[], datetime] = lambda: datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=8)
    """Its clock, naive, in its zone."""
    cut: int = 7

    def __post_init__(self) -> None:
        """The web server below is no dataclass."""
        self.login.realm = f"Login to {self.serial}"
        TerminalWeb.__init__(self, self.login, self.port, cut=self.cut)
        self.log: list[dict[str, Value]] = []
        self.cards: list[dict[str, Value]] = []
        self.number = 8800
        self.card_number = 0
        self.listeners = Listeners()
        self._found: dict[str, list[dict[str, Value]]] = {}
        self._handle = 8000

    # What happens at the door

    def punch(
        self,
        user: str,
        at: datetime,
        method: int = 15,
        *,
        status: int = 1,
        error: int = 0,
        way: str = "Entry",
        attendance: int = 0,
        live: bool = True,
    ) -> dict[str, Value]:
        """Somebody shows a face at that naive local time; written to the log and told to open streams."""
        self.number += 1
        utc = _seconds(at) - self.offset_s
        row: dict[str, Value] = {
            "RecNo": self.number,
            "UserID": user,
            "CardName": "WANG WEI",
            "CardNo": "",
            "CreateTime": utc + self.offset_s if self.local_time else utc,
            "Method": method,
            "Type": way,
            "Status": status,
            "ErrorCode": error,
            "AttendanceState": attendance,
            "Door": 0,
            "ReaderID": 1,
            "URL": "/mnt/appdata1/userpic/SnapShot/FACE-PICTURE.jpg",
            "Password": "SECRET-PASSWORD",
        }
        if self.real_utc:
            row["CreateTimeRealUTC"] = utc
        self.log.append(row)
        if live:
            self.tell(row)
        return row

    def duplicate(self, count: int) -> None:
        """The last rows appear twice in the log, as after a crash of the terminal."""
        self.log += self.log[-count:]

    def factory_reset(self) -> None:
        """The log is empty and numbers begin at 1 again."""
        self.log.clear()
        self.number = 0

    def enrol(self, user: str, name: str, card: str = "", status: int = 0) -> None:
        """A person with a card."""
        self.card_number += 1
        row: dict[str, Value] = {"RecNo": self.card_number, "UserID": user, "CardName": name, "CardNo": card}
        self.cards.append(row | {"CardStatus": status, "Password": "SECRET-PASSWORD", "IsValid": "true"})

    @property
    def emitted(self) -> int:
        """Punches in the log."""
        return sum(1 for row in self.log if row["UserID"] and row["Status"] == 1)

    # Stream and reports

    def tell(self, row: dict[str, Value], *, picture: bool = False) -> None:
        """Write an event to the open streams; its JSON spans lines."""
        data = {key: value for key, value in row.items() if key not in ("CreateTime", "CreateTimeRealUTC")}
        data["UTC"] = row["CreateTime"]
        text = f"Code=AccessControl;action=Pulse;index=0;data={json.dumps(data, indent=3)}"
        part = _part(text.encode(), "text/plain")
        self.listeners.tell(part + (_part(PICTURE, "image/jpeg") if picture else b""))

    def report(self, row: dict[str, Value], form: Literal["json", "lines"] = "json") -> bytes:
        """The body of a pushed report with its picture."""
        if form == "json":
            data = {key: value for key, value in row.items() if key != "CreateTime"} | {"UTC": row["CreateTime"]}
            event = {"Action": "Pulse", "Code": "AccessControl", "Index": 0, "Data": data}
            text = json.dumps({"Events": [event], "Time": "23-11-2026 08:59:01", "SerialNo": self.serial})
        else:
            lines = ["Events[0].EventBaseInfo.Code=AccessControl", "Events[0].EventBaseInfo.Action=Pulse"]
            lines += [f"Events[0].{key}={value}" for key, value in row.items()]
            text = self.newline.join(lines)
        kind = "application/json" if form == "json" else "text/plain"
        return _part(text.encode(), kind) + _part(PICTURE, "image/jpeg") + f"--{BOUNDARY}--\r\n".encode()

    async def push(self, body: bytes, port: int, path: str = "/") -> int:
        """POST a report to a server; its status, 0 for no answer."""
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        head = f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(head.encode() + body)
                await writer.drain()
                line = (await reader.readline()).split()
                return int(line[1]) if len(line) > 1 else 0
            finally:
                writer.close()
        except OSError:
            return 0

    def _events(self) -> AsyncGenerator[bytes, None]:
        return self.listeners.stream(_part(b"Heartbeat", "text/plain"), self.heartbeat_s)

    # CGI

    def refusal(self) -> Response:
        """What a wrong password gets; once locked, a page that says so."""
        if self.login.locked:
            return Response(403, b"Error\r\nAccount is locked!\r\n")
        return Response(401, b"Error\r\nInvalid Authority!\r\n")

    async def respond(self, request: Request) -> Response:
        """Route one logged-in request."""
        script = request.path.removeprefix("/cgi-bin/").removesuffix(".cgi")
        action = request.query.get("action", "")
        if script == "eventManager" and action == "attach" and self.stream_works:
            return Response(kind=f"multipart/x-mixed-replace; boundary={BOUNDARY}", stream=self._events())
        calls: dict[str, Callable[[str, Request], Response]] = {
            "magicBox": self._magic_box,
            "global": self._global,
            "recordFinder": self._record_finder,
            "recordUpdater": self._record_updater,
        }
        call = calls.get(script)
        return call(action, request) if call else Response(501, b"Error\r\nNot Implemented!\r\n")

    def _magic_box(self, action: str, _request: Request) -> Response:
        said = {
            "getSystemInfo": [f"serialNumber={self.serial}", f"deviceType={self.model}", "hardwareVersion=1.00"],
            "getSerialNo": [f"sn={self.serial}"],
            "getSoftwareVersion": [f"version={self.firmware}"],
            "getDeviceType": [f"type={self.model}"],
        }
        return self._lines(said[action]) if action in said else BAD

    def _global(self, action: str, request: Request) -> Response:
        if action == "getCurrentTime":
            return self._lines([f"result={self.wall():%Y-%m-%d %H:%M:%S}"])
        if action != "setCurrentTime":
            return BAD
        shift = datetime.fromisoformat(request.query["time"]) - self.wall()
        old = self.wall
        self.wall = lambda: old() + shift
        return self._lines(["OK"])

    def _record_finder(self, action: str, request: Request) -> Response:
        if not self.authority:
            return Response(200, b"Error: Invalid Authority!\r\n")
        if action == "getQuerySize":
            return self._lines([f"count={len(self.log)}"])
        if action == "find":
            return self._find(request.query)
        return self._by_handle(action, request.query) if self.handles else BAD

    def _by_handle(self, action: str, query: Mapping[str, str]) -> Response:
        if action == "factory.create":
            self._handle += 1
            return self._lines([f"result={self._handle}"])
        if action == "startFind":
            self._found[query["object"]] = list(self.log)
        elif action == "doFind":
            rows = self._found.get(query["object"], [])
            count = min(int(query["count"]), self.page_size)
            self._found[query["object"]] = rows[count:]
            return self._records(rows[:count], len(rows[:count]))
        else:
            self._found.pop(query.get("object", ""), None)
        return self._lines(["OK"])

    def _find(self, asked: Mapping[str, str]) -> Response:
        if asked["name"] == "AccessControlCard":
            return self._records(self.cards, len(self.cards))
        if asked["name"] != "AccessControlCardRec" or not self.time_filter:
            return BAD
        start, end = int(asked.get("StartTime", "0")), int(asked.get("EndTime", "99999999999"))
        rows = [row for row in self.log if start <= int(row["CreateTime"]) <= end]
        if self.newest_first:
            rows.reverse()
        page = rows[: min(self.page_size, int(asked.get("count", "1024")))]
        return self._records(page, len(rows) if self.tells_total else len(page))

    def _record_updater(self, action: str, request: Request) -> Response:
        said = dict(request.query)
        wanted = {key: value for key, value in said.items() if key in ("UserID", "CardName", "CardNo", "CardStatus")}
        if action == "insert" and "CardNo" in wanted:
            self.enrol(wanted["UserID"], wanted["CardName"], wanted["CardNo"], int(wanted["CardStatus"]))
            return self._lines([f"RecNo={self.card_number}"])
        for card in self.cards:
            if action == "update" and str(card["RecNo"]) == said.get("recno"):
                card |= {key: int(value) if key == "CardStatus" else value for key, value in wanted.items()}
                return self._lines(["OK"])
        return BAD

    def _records(self, rows: list[dict[str, Value]], found: int) -> Response:
        lines = [f"found={found}"]
        if self.tells_total:
            lines.insert(0, f"totalCount={found}")
        for n, row in enumerate(rows):
            lines += [f"{self.array}[{n}].{key}={value}" for key, value in row.items() if key not in self.missing]
        return self._lines(lines)

    def _lines(self, lines: list[str]) -> Response:
        return Response(body=(self.newline.join(lines) + self.newline).encode())


BAD = Response(400, b"Error\r\nBad Request!\r\n")


def _part(body: bytes, kind: str) -> bytes:
    return f"--{BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Length:{len(body)}\r\n\r\n".encode() + body + b"\r\n"


def _seconds(wall: datetime) -> int:
    return int(wall.replace(tzinfo=UTC).timestamp())
