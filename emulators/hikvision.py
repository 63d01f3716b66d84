"""A Hikvision access terminal (DS-K1T..., MinMoe) from the device's side: ISAPI with digest login, stream and pushes.

Its habits are those of real firmware: pages of 30 whatever is asked, rows of a page in no order, doors among the
punches, pictures whose bytes look like boundaries. Faults are asked for by a test.
"""

import asyncio
import json
import random
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from emulators.digest_http import DigestLogin, Listeners, Request, Response, TerminalWeb

BOUNDARY = "MIME_boundary"
PICTURE = (
    b"\xff\xd8\xff\xe0FACE-PICTURE--MIME_boundary\r\n--MIME_boundary\r\nContent-Type: application/json\r\n\r\n"
    b'{"eventType":"AccessControllerEvent","AccessControllerEvent":{"majorEventType":5,"subEventType":75,'
    b'"employeeNoString":"FAKE","serialNo":1}}\r\n--MIME_boundary--\xff\xd9'
)
"""A picture that tries to be an event."""
JSON_KIND = "application/json"


@dataclass(slots=True)
class EnrolledUser:
    """A person; ``face`` stands for what must never leave the terminal."""

    number: str
    name: str = ""
    enabled: bool = True
    face: str = "FACE-TEMPLATE"
    begin: str = "2026-01-01T00:00:00"
    end: str = "2037-12-31T23:59:59"


@dataclass
class HikvisionTerminal(TerminalWeb):
    """One terminal; ``start`` listens, ``punch`` writes to its log and to open streams."""

    serial: str = "DS-K1T341AM20260101V030230ENG12345678"
    model: str = "DS-K1T341AM"
    firmware: str = "V3.2.30"
    login: DigestLogin = field(default_factory=DigestLogin)
    port: int = 0
    page_size: int = 30
    time_filter: bool = True
    """False: startTime is refused with badJsonContent, as firmware 3.2.30 does."""
    no_more_text: bool = False
    """Empty answers say ``NO MORE MATCHES``."""
    tells_total: bool = True
    offset_s: int = 8 * 3600
    time_mode: str = "manual"
    stream_works: bool = True
    keep_alive_s: float = 0.2
    busy: int = 0
    """So many searches are answered with deviceBusy."""
    stuck: bool = False
    """Every page of a search is its first, and there is always more."""
    wall: Callable[[], datetime] = lambda: datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=8)
    """Its clock, naive, in its zone."""
    users: dict[str, EnrolledUser] = field(default_factory=dict)
    cut: int = 7

    def __post_init__(self) -> None:
        """The web server below is no dataclass."""
        TerminalWeb.__init__(self, self.login, self.port, cut=self.cut)
        self.log: list[dict[str, object]] = []
        self.number = 0
        self.listeners = Listeners()
        self.searches: list[dict[str, object]] = []
        """Conditions of every search."""
        self._shuffle = random.Random(7)

    # What happens at the door

    def punch(
        self, user: str, at: datetime, minor: int = 75, attendance: str | None = None, *, live: bool = True
    ) -> dict[str, object]:
        """A person passes; written to the log and told to open streams."""
        row = self._row(
            5, minor, at, employeeNoString=user, name="WANG WEI", cardNo="0012345678", cardReaderNo=1, doorNo=1
        )
        row |= {"userType": "normal", "currentVerifyMode": "cardOrFace", "mask": "no"}
        row["pictureURL"] = "http://admin:SECRET-URL@192.168.1.64/x.jpg@WEB000000000011"
        if attendance is not None:
            row |= {"attendanceStatus": attendance, "label": attendance}
        if live:
            self.tell(row)
        return row

    def door(self, at: datetime, minor: int = 21, major: int = 5) -> dict[str, object]:
        """A door opens; no person is named."""
        return self._row(major, minor, at, doorNo=1, currentVerifyMode="invalid")

    def duplicate(self, count: int) -> None:
        """The last rows appear twice in the log, as after a crash of the terminal."""
        self.log += self.log[-count:]

    def factory_reset(self) -> None:
        """The log is empty and numbers begin at 1 again."""
        self.log.clear()
        self.number = 0

    @property
    def emitted(self) -> int:
        """Punches in the log."""
        return sum(1 for row in self.log if row.get("employeeNoString"))

    def _row(self, major: int, minor: int, at: datetime, **more: object) -> dict[str, object]:
        self.number += 1
        row = {"major": major, "minor": minor, "time": at.isoformat() + _zone(self.offset_s), "serialNo": self.number}
        row |= more
        self.log.append(row)
        return row

    # Stream and pushes

    def tell(self, row: dict[str, object], *, counted: bool = True, picture: bool = True) -> None:
        """Write an event to the open streams."""
        self.listeners.tell(multipart(self.report(row), PICTURE if picture else None, counted=counted, close=False))

    def report(self, row: dict[str, object], *, current: bool = True, wrapped: bool = False) -> bytes:
        """The JSON of a pushed event."""
        event = {key: value for key, value in row.items() if key not in ("major", "minor", "time", "pictureURL")}
        event |= {"majorEventType": row["major"], "subEventType": row["minor"], "currentEvent": current}
        event |= {"frontSerialNo": int(str(row["serialNo"])) - 1, "statusValue": 0, "purePwdVerifyEnable": True}
        whole: dict[str, object] = {
            "ipAddress": "127.0.0.1",
            "portNo": 80,
            "protocol": "HTTP",
            "macAddress": "44:19:b6:00:00:01",
            "channelID": 1,
            "dateTime": row["time"],
            "activePostCount": 1,
            "eventType": "AccessControllerEvent",
            "eventState": "active",
            "deviceID": "gate",
            "AccessControllerEvent": event,
        }
        return json.dumps({"EventNotificationAlert": whole} if wrapped else whole).encode()

    def heartbeat(self) -> bytes:
        """The JSON of a heartbeat."""
        return json.dumps(
            {"eventType": "heartBeat", "eventState": "active", "dateTime": "2026-11-23T09:00:00+08:00"}
        ).encode()

    async def push(
        self,
        body: bytes,
        port: int,
        path: str = "/",
        form: Literal["json", "multipart"] = "multipart",
        *,
        counted: bool = True,
    ) -> int:
        """POST a message to a server; its status, 0 for no answer."""
        kind = JSON_KIND if form == "json" else f"multipart/form-data; boundary={BOUNDARY}"
        content = body if form == "json" else multipart(body, PICTURE, counted=counted)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(head.encode() + content)
                await writer.drain()
                line = (await reader.readline()).split()
                return int(line[1]) if len(line) > 1 else 0
            finally:
                writer.close()
        except OSError:
            return 0

    def _alerts(self) -> AsyncGenerator[bytes, None]:
        return self.listeners.stream(multipart(self.heartbeat(), None, close=False), self.keep_alive_s)

    # ISAPI

    def refusal(self) -> Response:
        """The userCheck page of real firmware."""
        lock = "lock" if self.login.locked else "unlock"
        body = (
            "<userCheck><statusValue>401</statusValue><statusString>Unauthorized</statusString>"
            f"<lockStatus>{lock}</lockStatus><unlockTime>1780</unlockTime></userCheck>"
        )
        return Response(401, body.encode(), "application/xml")

    async def respond(self, request: Request) -> Response:
        """Route one logged-in request."""
        calls: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/ISAPI/System/deviceInfo"): self._device_info,
            ("GET", "/ISAPI/System/time"): self._time,
            ("PUT", "/ISAPI/System/time"): self._set_time,
            ("POST", "/ISAPI/AccessControl/AcsEvent"): self._search,
            ("POST", "/ISAPI/AccessControl/AcsEventTotalNum"): self._total,
            ("GET", "/ISAPI/AccessControl/UserInfo/Count"): self._user_count,
            ("POST", "/ISAPI/AccessControl/UserInfo/Search"): self._user_search,
            ("POST", "/ISAPI/AccessControl/UserInfo/Record"): self._user_record,
            ("PUT", "/ISAPI/AccessControl/UserInfo/Modify"): self._user_modify,
        }
        if request.path == "/ISAPI/Event/notification/alertStream" and self.stream_works:
            return Response(kind=f"multipart/mixed; boundary={BOUNDARY}", stream=self._alerts())
        call = calls.get((request.method, request.path))
        if call is None:
            known = any(path == request.path for _, path in calls)
            return _error("methodNotAllowed" if known else "notSupport", 403 if known else 404)
        return call(request)

    def _device_info(self, _request: Request) -> Response:
        return _xml(
            f'<DeviceInfo version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema"><deviceName>Gate</deviceName>'
            f"<model>{self.model}</model><serialNumber>{self.serial}</serialNumber><macAddress>44:19:b6:00:00:01"
            f"</macAddress><firmwareVersion>{self.firmware}</firmwareVersion></DeviceInfo>"
        )

    def _time(self, _request: Request) -> Response:
        hours, rest = divmod(abs(self.offset_s), 3600)
        zone = f"CST{'-' if self.offset_s >= 0 else '+'}{hours}:{rest // 60:02}:00"
        local = self.wall().replace(microsecond=0).isoformat() + _zone(self.offset_s)
        return _xml(
            f"<Time><timeMode>{self.time_mode}</timeMode><localTime>{local}</localTime><timeZone>{zone}</timeZone></Time>"
        )

    def _set_time(self, request: Request) -> Response:
        found = re.search(rb"<localTime>([^<+Z]+)", request.body)
        if found is None:
            return _error("badXmlContent", 400)
        shift = datetime.fromisoformat(found[1].decode()) - self.wall()
        old = self.wall
        self.wall = lambda: old() + shift
        return _xml("<ResponseStatus><statusCode>1</statusCode><statusString>OK</statusString></ResponseStatus>")

    def _matches(self, condition: dict[str, object]) -> list[dict[str, object]]:
        start, end = str(condition.get("startTime", ""))[:19], str(condition.get("endTime", "9"))[:19]
        majors = (0, condition["major"])
        return [r for r in self.log if start <= str(r["time"])[:19] <= end and (r["major"] in majors or majors[1] == 0)]

    def _condition(self, request: Request, name: str) -> dict[str, object] | Response:
        try:
            condition = json.loads(request.body)[name]
        except (ValueError, KeyError, TypeError):
            return _error("badJsonFormat", 400)
        if "major" not in condition:
            return _error("MessageParametersLack", 400, "major")
        if "startTime" in condition and not self.time_filter:
            return _error("badJsonContent", 400)
        found: dict[str, object] = condition
        return found

    def _search(self, request: Request) -> Response:
        if self.busy:
            self.busy -= 1
            return _error("deviceBusy", 403)
        condition = self._condition(request, "AcsEventCond")
        if isinstance(condition, Response):
            return condition
        self.searches.append(condition)
        rows = self._matches(condition)
        position, asked = int(str(condition["searchResultPosition"])), int(str(condition["maxResults"]))
        position = 0 if self.stuck else position
        page = rows[position : position + min(self.page_size, asked)]
        status = "MORE" if self.stuck or position + len(page) < len(rows) else "OK"
        if not page:
            status = "NO MORE MATCHES" if self.no_more_text else "NO MATCH"
        shown = list(page)
        if not self.stuck:
            self._shuffle.shuffle(shown)
        answer: dict[str, object] = {
            "searchID": condition["searchID"],
            "responseStatusStrg": status,
            "numOfMatches": len(page),
        }
        if self.tells_total:
            answer["totalMatches"] = len(rows)
        if page:
            answer["InfoList"] = shown
        return Response(body=json.dumps({"AcsEvent": answer}).encode(), kind=JSON_KIND)

    def _total(self, request: Request) -> Response:
        condition = self._condition(request, "AcsEventTotalNumCond")
        if isinstance(condition, Response):
            return condition
        number = {"AcsEventTotalNum": {"totalNum": len(self._matches(condition))}}
        return Response(body=json.dumps(number).encode(), kind=JSON_KIND)

    def _user_count(self, _request: Request) -> Response:
        return Response(body=json.dumps({"UserInfoCount": {"userNumber": len(self.users)}}).encode(), kind=JSON_KIND)

    def _user_search(self, request: Request) -> Response:
        condition = json.loads(request.body)["UserInfoSearchCond"]
        position = condition["searchResultPosition"]
        users = list(self.users.values())
        page = users[position : position + self.page_size]
        shown = [
            {
                "employeeNo": user.number,
                "name": user.name,
                "userType": "normal",
                "Valid": {"enable": user.enabled, "beginTime": user.begin, "endTime": user.end},
                "numOfFace": 1,
                "password": user.face,
                "faceURL": f"http://192.168.1.64/{user.face}.jpg",
            }
            for user in page
        ]
        more = "MORE" if position + len(page) < len(users) else "OK" if page else "NO MATCH"
        answer = {"responseStatusStrg": more, "numOfMatches": len(page), "totalMatches": len(users), "UserInfo": shown}
        return Response(body=json.dumps({"UserInfoSearch": answer}).encode(), kind=JSON_KIND)

    def _user_record(self, request: Request) -> Response:
        user = json.loads(request.body)["UserInfo"]
        if user["employeeNo"] in self.users:
            return _error("employeeNoAlreadyExist", 400)
        if "doorRight" not in user:
            return _error("MessageParametersLack", 400, "doorRight")
        self.users[user["employeeNo"]] = EnrolledUser(user["employeeNo"], user["name"], user["Valid"]["enable"])
        return Response(body=b'{"statusCode":1,"statusString":"OK","subStatusCode":"ok"}', kind=JSON_KIND)

    def _user_modify(self, request: Request) -> Response:
        said = json.loads(request.body)["UserInfo"]
        user = self.users.get(said["employeeNo"])
        if user is None:
            return _error("employeeNoNotExist", 400)
        user.name, user.enabled = said.get("name", user.name), said["Valid"]["enable"]
        user.begin, user.end = said["Valid"]["beginTime"], said["Valid"]["endTime"]
        return Response(body=b'{"statusCode":1,"statusString":"OK","subStatusCode":"ok"}', kind=JSON_KIND)


def multipart(event: bytes, picture: bytes | None, *, counted: bool = True, close: bool = True) -> bytes:
    """A message in parts: the event, and a picture if there is one."""
    length = f"Content-Length: {len(event)}\r\n" if counted else ""
    name = 'Content-Disposition: form-data; name="event_log"'
    head = f"--{BOUNDARY}\r\n{name}\r\nContent-Type: application/json\r\n{length}\r\n"
    whole = head.encode() + event + b"\r\n"
    if picture is not None:
        whole += (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="Picture"; filename="Picture.jpg"\r\n'
            f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
        ).encode()
        whole += picture + b"\r\n"
    return whole + (f"--{BOUNDARY}--\r\n".encode() if close else b"")


def _zone(offset_s: int) -> str:
    minutes = abs(offset_s) // 60
    return f"{'-' if offset_s < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"


def _xml(text: str) -> Response:
    return Response(body=f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode(), kind="application/xml")


def _error(sub: str, status: int, text: str = "") -> Response:
    body = {
        "statusCode": 4,
        "statusString": "Invalid Operation",
        "subStatusCode": sub,
        "errorCode": 1,
        "errorMsg": text,
    }
    return Response(status, json.dumps(body).encode(), JSON_KIND)
