"""A BioStar 2 server with its devices, seen from the network: sessions, searches in pages, late deliveries."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from emulators.digest_http import Request, Response
from emulators.token_http import TokenWeb

FACE = 0x1303
PHOTO = "iVBORw0KGgo-MARKER-PHOTO"
"""Stands in rows where some releases put a picture of the user."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the server keeps it; ``at`` is UTC."""

    number: int
    device: str
    index: int
    user: str
    at: datetime
    code: int
    tna: int


class BioStarServer(TokenWeb):
    """The REST interface. ``punch`` appends at a device, ``deliver_late`` brings an event with an older time.

    ``offset`` writes times with another UTC offset than Z; ``max_limit`` cuts pages shorter than asked for.
    """

    server_name = "BioStar"

    def __init__(
        self,
        user: str = "admin",
        password: str = "Muster-1234",  # noqa: S107  # of an emulated server
        port: int = 0,
        *,
        users: tuple[tuple[str, str], ...] = (("1000", "WANG WEI"),),
        devices: tuple[str, ...] = ("541612345",),
        token_uses: int = 10_000,
        offset: timedelta | None = None,
        refusal_status: int = 401,
    ) -> None:
        super().__init__(user, password, port, token_uses=token_uses)
        self.users, self.devices = users, devices
        self.log: list[Event] = []
        self.broken: list[object] = []
        """Rows that are put in front of every page."""
        self.searches: list[tuple[int, int]] = []
        """Limit and offset of every search."""
        self.offset = offset
        self.refusal_status = refusal_status
        self.unsorted = False
        self.stuck = False
        """Every search is answered with the first page of all."""
        self._indexes: dict[str, int] = {}

    @property
    def emitted(self) -> int:
        """Events that the server has."""
        return len(self.log)

    def punch(self, user: str, at: datetime, code: int = FACE, tna: int = 0, device: str | None = None) -> Event:
        """An event at that UTC time, as the next of its device."""
        device = device or self.devices[0]
        self._indexes[device] = self._indexes.get(device, 0) + 1
        event = Event(len(self.log) + 1, device, self._indexes[device], user, at.replace(tzinfo=UTC), code, tna)
        self.log.append(event)
        return event

    def reset_device(self, device: str) -> None:
        """A factory reset: the device counts from 1 again."""
        self._indexes[device] = 0

    def skip(self, device: str, count: int) -> None:
        """Let the device count on without the server hearing of it, as if it were off the network."""
        self._indexes[device] = self._indexes.get(device, 0) + count

    def deliver_late(self, user: str, at: datetime, index: int, device: str | None = None) -> None:
        """An event that was made long ago and arrives only now."""
        device = device or self.devices[0]
        self.log.append(Event(len(self.log) + 1, device, index, user, at.replace(tzinfo=UTC), FACE, 0))

    async def answer(self, request: Request) -> Response:
        """The answer to one request."""
        if request.path == "/api/login":
            return self._login(request)
        if not self.holds(request.headers.get("bs-session-id")):
            return _json({"Response": {"code": "10", "message": "Login required"}}, 401)
        if request.path == "/api/events/search":
            return _json(self._search(json.loads(request.body)["Query"]))
        if request.path == "/api/devices":
            rows = [{"id": serial, "name": f"Gate {n}", "version": "1.5.0"} for n, serial in enumerate(self.devices)]
            return _json({"DeviceCollection": {"total": str(len(rows)), "rows": rows}})
        if request.path == "/api/users":
            first, limit = int(request.query.get("offset", "0")), int(request.query.get("limit", "50"))
            rows = [
                {"user_id": number, "name": name, "photo": PHOTO, "disabled": "false"}
                for number, name in self.users[first : first + limit]
            ]
            return _json({"UserCollection": {"total": str(len(self.users)), "rows": rows}})
        return _json({"Response": {"code": "1", "message": "not found"}}, 404)

    def _login(self, request: Request) -> Response:
        said = json.loads(request.body)["User"]
        token = self.log_in(said.get("login_id"), said.get("password"))
        if token is None:
            refusal = {"Response": {"code": "101", "link": "", "message": "Login failed"}}
            return _json(refusal, self.refusal_status)
        answer = _json({"Response": {"code": "0", "message": "Success"}})
        return Response(answer.status, answer.body, answer.kind, (("bs-session-id", token),))

    def _search(self, query: dict[str, object]) -> object:
        limit, offset = int(str(query["limit"])), int(str(query["offset"]))
        self.searches.append((limit, offset))
        first, last = (
            datetime.fromisoformat(text) for text in re.findall(r"'(\d{4}-[^']*Z)'", str(query["conditions"]))
        )
        found = sorted((e for e in self.log if first <= e.at <= last), key=lambda e: e.at)
        if self.unsorted:
            found.reverse()
        if self.stuck:
            offset = 0
        rows = [*self.broken, *map(self._row, found[offset : offset + limit])]
        return {"EventCollection": {"rows": rows}, "Response": {"code": "0", "link": "", "message": "Success"}}

    def _row(self, event: Event) -> object:
        if self.offset is None:
            at = f"{event.at:%Y-%m-%dT%H:%M:%S}.00Z"
        else:
            at = event.at.astimezone(timezone(self.offset)).isoformat()
        user = {"user_id": event.user, "name": f"NAME {event.user}", "photo": PHOTO} if event.user else None
        return {
            "id": str(event.number),
            "server_datetime": at,
            "datetime": at,
            "index": str(event.index),
            "user_id_name": f"{event.user}(NAME)",
            "user_id": user,
            "device_id": {"id": event.device, "name": "Gate"},
            "event_type_id": {"code": str(event.code)},
            "tna_key": str(event.tna),
            "is_dst": "0",
            "timezone": {"half": "0", "hour": "8", "negative": "0"},
        }


def _json(value: object, status: int = 200) -> Response:
    return Response(status, json.dumps(value).encode(), "application/json")
