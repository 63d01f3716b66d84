"""A Control iD access terminal: objects behind a session, and a monitor that posts what happens and never repeats."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from emulators.digest_http import Request, Response
from emulators.token_http import TokenWeb

PASSWORD = "0badc0de-MARKER-PASSWORD"  # noqa: S105  # of an emulated person
GRANTED = 7


@dataclass
class Person:
    """Somebody enrolled; ``end_time`` 0 never ends."""

    number: int
    registration: str
    name: str
    end_time: int = 0
    password: str = PASSWORD


@dataclass
class ControlIdTerminal(TokenWeb):
    """One terminal. ``text`` writes every value as text, ``utc`` counts UTC seconds, ``most`` caps rows of an answer.

    ``monitor`` is host, port and path to which it posts; ``lost_posts`` of these get lost.
    """

    serial: str = "0M0400/000001"
    users: dict[int, Person] = field(default_factory=dict)
    text: bool = False
    utc: bool = False
    zone_offset: timedelta = timedelta(hours=8)
    most: int = 1000
    tells_time: bool = True
    knows_validity: bool = True
    monitor: tuple[str, int, str] | None = None
    lost_posts: int = 0
    token_uses: int = 10_000
    device_id: int = 900001

    server_name = "iD"

    def __post_init__(self) -> None:
        """Start as an empty terminal with a right clock."""
        super().__init__("admin", "Muster-1234", token_uses=self.token_uses)
        self.log: list[dict[str, int | str]] = []
        self.cards: list[dict[str, int]] = []
        self.broken: list[object] = []
        """Rows in front of every answer with rows of the log."""
        self.unsorted = False
        self.clock_offset = timedelta(0)
        self.calls: list[str] = []
        self.posts: list[int] = []
        """Status of the answer to each post of the monitor."""
        self._next = 1
        self._posting: set[asyncio.Task[None]] = set()

    @property
    def emitted(self) -> int:
        """Rows in the log."""
        return len(self.log)

    def enroll(self, number: int, registration: str, name: str = "") -> None:
        """Add a person."""
        self.users[number] = Person(number, registration, name)

    def punch(self, user: int, at: datetime, event: int = GRANTED, portal: int = 1) -> dict[str, int | str]:
        """A row at that naive local time; the monitor posts it."""
        local = int(at.replace(tzinfo=UTC).timestamp())
        row: dict[str, int | str] = {
            "id": self._next,
            "time": local - int(self.zone_offset.total_seconds()) if self.utc else local,
            "event": event,
            "device_id": self.device_id,
            "identifier_id": 0,
            "user_id": user,
            "portal_id": portal,
            "identification_rule_id": 0,
            "card_value": 0,
            "qrcode_value": "",
            "log_type_id": -1,
        }
        self._next += 1
        self.log.append(row)
        if self.monitor is not None:
            self._spawn(row)
        return row

    def clear_log(self) -> None:
        """Empty the log; numbers go on."""
        self.log.clear()

    def factory_reset(self) -> None:
        """Empty the log; numbers begin at 1."""
        self.log.clear()
        self._next = 1

    async def stop(self) -> None:
        """Switch off."""
        for task in list(self._posting):
            task.cancel()
        await asyncio.gather(*self._posting, return_exceptions=True)
        await super().stop()

    # What it answers

    async def answer(self, request: Request) -> Response:
        """The answer to one request."""
        call = request.path.removesuffix(".fcgi").lstrip("/")
        self.calls.append(call)
        said = json.loads(request.body or b"{}")
        if call == "login":
            token = self.log_in(said.get("login"), said.get("password"))
            return _json({"session": token}) if token else _json({"error": "Invalid login", "code": 1}, 401)
        if call == "session_is_valid":
            return _json({"session_is_valid": self.holds(request.query.get("session"))})
        if not self.holds(request.query.get("session")):
            return _json({"error": "Invalid session", "code": 1}, 401)
        answers: dict[str, Callable[[dict[str, Any]], object]] = {
            "system_information": self._system,
            "load_objects": self._load,
            "create_objects": self._create,
            "modify_objects": self._modify,
            "set_system_time": self._set_time,
        }
        answer = answers.get(call)
        if answer is None:
            return _json({"error": "Unknown call", "code": 4}, 400)
        try:
            return _json(answer(said))
        except KeyError as error:
            return _json({"error": f"Invalid member {error}", "code": 1}, 400)

    def wall(self) -> datetime:
        """What its clock shows, naive."""
        return (datetime.now(UTC) + self.zone_offset + self.clock_offset).replace(tzinfo=None)

    def _system(self, _said: dict[str, Any]) -> object:
        seconds = int(self.wall().replace(tzinfo=UTC).timestamp())
        time = {"time": seconds - int(self.zone_offset.total_seconds()) if self.utc else seconds}
        told = time if self.tells_time else {}
        return {"serial": self.serial, "version": "6.18.2", "product": "iDFace", "uptime": {"days": 1}, **told}

    def _set_time(self, said: dict[str, Any]) -> object:
        wall = datetime(*(said[name] for name in ("year", "month", "day", "hour", "minute", "second")))  # noqa: DTZ001
        self.clock_offset = wall - (datetime.now(UTC) + self.zone_offset).replace(tzinfo=None)
        return {}

    def _load(self, said: dict[str, Any]) -> object:
        kind = str(said["object"])
        rows = [self._shown(kind, row) for row in self._objects(kind)]
        if said.get("fields") == ["COUNT(*)"]:
            return {kind: [{"COUNT(*)": len(rows)}]}
        after = _after(said.get("where"), kind)
        found = [row for row in rows if int(row["id"]) > after]
        if self.unsorted and kind == "access_logs":
            found.reverse()
        limit = min(int(str(said.get("limit", self.most))), self.most)
        fields = said.get("fields")
        if isinstance(fields, list):
            if "end_time" in fields and not self.knows_validity:
                raise KeyError("end_time")
            found = [{name: row[name] for name in fields} for row in found]
        broken = self.broken if kind == "access_logs" else []
        return {kind: [*broken, *found[:limit]]}

    def _objects(self, kind: str) -> list[dict[str, int | str]]:
        if kind == "access_logs":
            return self.log
        if kind == "cards":
            return [dict(card) for card in self.cards]
        return [
            {
                "id": person.number,
                "registration": person.registration,
                "name": person.name,
                "password": person.password,
                "salt": "MARKER",
                "end_time": person.end_time,
            }
            for person in self.users.values()
        ]

    def _shown(self, kind: str, row: dict[str, int | str]) -> dict[str, int | str]:
        as_text = self.text and kind == "access_logs"
        return {name: str(value) for name, value in row.items()} if as_text else dict(row)

    def _create(self, said: dict[str, Any]) -> object:
        [values] = said["values"]
        if said["object"] == "cards":
            card = {"id": len(self.cards) + 1, "value": values["value"], "user_id": values["user_id"]}
            self.cards.append(card)
            return {"ids": [card["id"]]}
        number = max(self.users, default=0) + 1
        self.enroll(number, str(values["registration"]), str(values["name"]))
        return {"ids": [number]}

    def _modify(self, said: dict[str, Any]) -> object:
        kind, values = str(said["object"]), dict(said["values"])
        where = said["where"][kind]
        if kind == "cards":
            hit = [c for c in self.cards if all(c[name] == value for name, value in where.items())]
            for card in hit:
                card.update(values)
            return {"changes": len(hit)}
        person = self.users[int(where["id"])]
        for name, value in values.items():
            setattr(person, name, value)
        return {"changes": 1}

    # What it posts

    def _spawn(self, row: dict[str, int | str]) -> None:
        if self.lost_posts > 0:
            self.lost_posts -= 1
            return
        values = {name: str(value) for name, value in row.items()}
        said = {
            "object_changes": [{"object": "access_logs", "type": "inserted", "values": values}],
            "device_id": self.device_id,
        }
        task = asyncio.create_task(self.post("dao", said))
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    async def post(self, call: str, said: object) -> None:
        """One post of the monitor; nothing is repeated."""
        if self.monitor is None:
            return
        host, port, path = self.monitor
        body = json.dumps(said).encode()
        try:
            reader, writer = await asyncio.open_connection(host, port)
            try:
                head = f"POST /{path}/{call} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                status = (await reader.readline()).split(b" ")[1]
                self.posts.append(int(status))
            finally:
                writer.close()
        except (OSError, IndexError, ValueError):
            self.posts.append(0)


def _after(where: object, kind: str) -> int:
    if isinstance(where, dict):
        return int(where[kind]["id"][">"])
    return 0


def _json(value: object, status: int = 200) -> Response:
    return Response(status, json.dumps(value).encode(), "application/json")
