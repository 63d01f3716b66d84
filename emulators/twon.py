"""The HTTP API of a 2N intercom: an event log of 500 with subscriptions, which a restart ends."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field

from emulators.digest_http import DigestLogin, Request, Response, TerminalWeb

SECRET = "CARD-00AABB"  # noqa: S105  # what must not be stored
KEPT = 500


@dataclass
class _Subscription:
    queue: deque[dict[str, object]] = field(default_factory=deque)


class TwonTerminal(TerminalWeb):
    """One terminal; ``shift_min`` is its offset to UTC, ``include`` False is firmware without that parameter."""

    server_name = "HIP3.16.0"

    def __init__(
        self, serial: str = "08-1860-0035", *, shift_min: int = 480, include: bool = True, port: int = 0
    ) -> None:
        super().__init__(DigestLogin(realm="HTTP API"), port)
        self.serial = serial
        self.log: deque[dict[str, object]] = deque(maxlen=KEPT)
        self.utc_s = 1_795_395_541
        """Its clock."""
        self.refusal_code: int | None = None
        """Error of every answer, where a test wants one."""
        self.pulls = 0
        self._shift_min, self._include = shift_min, include
        self._subscriptions: dict[int, _Subscription] = {}
        self._next_subscription = 2_121_013_117
        self._number = 0
        self._session = 0
        self._news = asyncio.Event()
        self.emitted = 0
        """Punches."""

    def punch(self, user: str, utc_s: int, *, direction: str = "in", how: str | None = "CardEntered") -> None:
        """Somebody shows a card (or what ``how`` says) and is let in."""
        self._session += 1
        if how is not None:
            told = {"ap": 0, "session": self._session, "direction": direction, "reader": "ext1"}
            self.event(how, utc_s, told | {"uid": SECRET, "code": SECRET, "valid": True})
        self.event(
            "UserAuthenticated",
            utc_s,
            {"ap": 0, "session": self._session, "name": "WANG WEI", "uuid": user, "apbBroken": False},
        )
        self.emitted += 1

    def event(self, name: str, utc_s: int, params: dict[str, object]) -> None:
        """Append any event."""
        self._number += 1
        told: dict[str, object] = {
            "id": self._number, "tzShift": self._shift_min, "utcTime": utc_s, "upTime": 5021, "event": name,
        }  # fmt: skip
        told["params"] = params
        self.log.append(told)
        for subscription in self._subscriptions.values():
            subscription.queue.append(told)
        self._news.set()

    def restart(self) -> None:
        """Numbers begin anew and subscriptions are gone; ``log`` too."""
        self.log.clear()
        self._subscriptions.clear()
        self._number = 0
        self._news.set()

    def public(self, request: Request) -> Response | None:
        """Nothing but a stranger's path needs no login."""
        return None if request.path.startswith("/api/") else Response(404, b"not here")

    async def respond(self, request: Request) -> Response:
        """One answer as JSON."""
        if self.refusal_code is not None:
            return _error(self.refusal_code)
        query = request.query
        known: dict[str, dict[str, object]] = {
            "/api/system/info": {"variant": "2N IP Verso", "serialNumber": self.serial, "swVersion": "2.35.1.46.3"},
            "/api/system/status": {"systemTime": self.utc_s, "upTime": 5021},
        }
        if (told := known.get(request.path)) is not None:
            return _result(told)
        if request.path == "/api/log/subscribe":
            return self._subscribe(query.get("include", "new"), query.get("filter", ""))
        if request.path == "/api/log/unsubscribe":
            self._subscriptions.pop(int(query["id"]), None)
            return _result({})
        if request.path == "/api/log/pull":
            return await self._pull(int(query["id"]), float(query.get("timeout", "0")))
        return _error(2)

    def _subscribe(self, include: str, wanted: str) -> Response:
        if include not in ("new", "all") or (include == "all" and not self._include):
            return _error(12)
        number, self._next_subscription = self._next_subscription, self._next_subscription + 1
        names = wanted.split(",") if wanted else None
        old = [told for told in self.log if names is None or told["event"] in names] if include == "all" else []
        self._subscriptions[number] = _Subscription(deque(old))
        return _result({"id": number})

    async def _pull(self, number: int, timeout_s: float) -> Response:
        self.pulls += 1
        if number not in self._subscriptions:
            return _error(12)
        queue = self._subscriptions[number].queue
        if not queue and timeout_s:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), timeout_s)
            except TimeoutError:
                return _result({"events": []})
        if number not in self._subscriptions:
            return _error(12)
        events = [queue.popleft() for _ in range(min(len(queue), 128))]
        return _result({"events": events})


def _result(told: dict[str, object]) -> Response:
    return Response(200, json.dumps({"success": True, "result": told}).encode(), "application/json")


def _error(code: int) -> Response:
    told = {"success": False, "error": {"code": code, "description": "invalid parameter value"}}
    return Response(200, json.dumps(told).encode(), "application/json")
