"""A Uniview face terminal that pushes over LAPI, from the device's side; it sends a record until Succeed comes back."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

HEART = "/LAPI/V1.0/PACS/Controller/HeartReportInfo"
VERIFICATION = "/LAPI/V1.0/System/Event/Notification/PersonVerification"
CONTROLLER = "/LAPI/V1.0/PACS/Controller/Event/Notifications"
PICTURE = "FACE-PICTURE" * 20
IDENTITY = "310101199001011234"
Fault = Literal["garbage", "cut_off", "broken_json"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; status 0 stands for no answer at all."""

    status: int
    text: str = ""

    @property
    def ok(self) -> bool:
        """Whether the terminal forgets the record."""
        try:
            return self.status == 200 and json.loads(self.text)["Response"]["StatusCode"] == 0
        except (ValueError, LookupError, TypeError):
            return False


@dataclass(frozen=True, slots=True)
class Record:
    """One recognition, numbered."""

    seq: int
    user: str
    utc_s: int
    status: int
    card: bool


class UniviewTerminal:
    """One terminal with its records; ``run`` lives until ``stop``. ``clock`` is its naive wall clock."""

    def __init__(
        self, serial: str, host: str = "127.0.0.1", port: int = 8081, *, path: str = VERIFICATION, poll_s: float = 1.0
    ) -> None:
        self.serial, self.host, self.port, self._path, self._poll_s = serial, host, port, path, poll_s
        self.log: list[Record] = []
        self.acknowledged = 0
        self.clock = datetime(2026, 11, 23, 8, 59, 1)  # noqa: DTZ001  # a terminal's clock has no zone
        self.faults: list[Fault] = []
        self._sent = 0
        self._seq = 0
        self._tried = False
        self._stopping = False
        self._woken = asyncio.Event()

    @property
    def emitted(self) -> int:
        """Records in the log."""
        return len(self.log)

    def punch(self, user: str, utc_s: int, status: int = 1, *, card: bool = False) -> None:
        """Append a recognition; a status other than 1 is a stranger or a refusal."""
        self._seq += 1
        self.log.append(Record(self._seq, user, utc_s, status, card))
        self._woken.set()

    def reset(self) -> None:
        """Back to the factory: records are gone, numbers start again."""
        self.log.clear()
        self._sent = self._seq = 0

    async def run(self) -> None:
        """Push until ``stop``, with a heartbeat in each pause."""
        self._stopping = False
        while not self._stopping:
            await self._push()
            await self.heartbeat()
            self._woken.clear()
            try:
                await asyncio.wait_for(self._woken.wait(), self._poll_s)
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """End ``run`` after the request it is in."""
        self._stopping = True
        self._woken.set()

    async def _push(self) -> None:
        while self._sent < len(self.log) and not self._stopping:
            self._tried, again = True, self._tried
            answer = await self.send(self._path, self.message(self.log[self._sent], live=not again))
            if not answer.ok:
                return
            self._tried = False
            self._sent += 1
            self.acknowledged += 1

    async def heartbeat(self) -> Answer:
        """Say that it lives, and set the clock by the answer."""
        told = {"RefId": "1", "Time": f"{self.clock:%Y-%m-%d %H:%M:%S}", "DeviceCode": self.serial, "DeviceType": 1}
        answer = await self.send(HEART, json.dumps(told).encode())
        if answer.status == 200:
            said = json.loads(answer.text)["Data"]["Time"]
            self.clock = datetime.strptime(said, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  # as above
        return answer

    def message(self, record: Record, *, live: bool = True) -> bytes:
        """The body of a notification, with everything that must not be stored."""
        picture = {"Name": "face.jpg", "Size": len(PICTURE), "Data": PICTURE}
        entry = {"ID": record.seq, "Timestamp": record.utc_s, "CapSrc": 1, "FaceImage": picture, "PanoImage": picture}
        person = {"PersonCode": record.user, "PersonName": "WANG WEI", "CardID": "77", "IdentityNo": IDENTITY}
        match = {"ID": record.seq, "LibID": 3, "LibType": 3, "MatchStatus": record.status, "MatchPersonID": 5}
        told = {
            "Seq": record.seq,
            "DeviceCode": self.serial,
            "Timestamp": record.utc_s + 1,
            "NotificationType": 0 if live else 1,
            "FaceInfoNum": 0 if record.card else 1,
            "FaceInfoList": [] if record.card else [entry],
            "CardInfoNum": 1 if record.card else 0,
            "CardInfoList": [{"ID": record.seq, "Timestamp": record.utc_s, "CapSrc": 2}] if record.card else [],
            "LibMatInfoNum": 1,
            "LibMatInfoList": [match | {"MatchPersonInfo": person}],
        }
        return json.dumps(told).encode()

    async def send(self, path: str, body: bytes) -> Answer:
        """One POST on a connection of its own."""
        fault = self.faults.pop(0) if self.faults else None
        if fault == "garbage":
            body = bytes(range(256))
        if fault == "broken_json":
            body = body[:-40]
        head = f"POST {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
        raw = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        return await self.exchange(raw[: len(raw) // 2] if fault == "cut_off" else raw)

    async def exchange(self, raw: bytes) -> Answer:
        """Send these bytes as they are and read the answer until the server closes."""
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    writer.write(raw)
                    writer.write_eof()
                    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
                    return Answer(int(head.split(b" ")[1]), body.decode())
                finally:
                    writer.close()
        except (OSError, EOFError, TimeoutError, LookupError, ValueError):
            return Answer(0)
