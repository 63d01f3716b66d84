"""A device that somebody built: signs its events and sends them until they are confirmed. Standard library only."""

import hashlib
import hmac
import http.client
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeAlias

Entry: TypeAlias = dict[str, str | int]


@dataclass
class CustomDevice:
    """Counts its events from 1 and forgets them only after a 200."""

    device: str
    key: str
    zone: timezone = timezone(timedelta(hours=8))
    clock_offset_s: float = 0.0
    next_number: int = 1
    punches: list[Entry] = field(default_factory=list)
    scans: list[Entry] = field(default_factory=list)
    emitted: int = 0

    def punch(self, user: str, at: datetime, **more: str) -> None:
        """Somebody is recognised; ``at`` is naive local time."""
        self.punches.append({"number": self._number(), "user": user, "at": self._iso(at), **more})

    def scan(self, code: str, at: datetime, **more: str) -> None:
        """Something is read; ``at`` is naive local time."""
        self.scans.append({"number": self._number(), "code": code, "at": self._iso(at), **more})

    def message(self, now: datetime) -> tuple[bytes, str]:
        """Everything that waits, and its signature; ``now`` is aware."""
        sent = (now + timedelta(seconds=self.clock_offset_s)).astimezone(self.zone).isoformat()
        body = json.dumps({"device": self.device, "sent": sent, "punches": self.punches, "scans": self.scans}).encode()
        return body, hmac.new(self.key.encode(), body, hashlib.sha256).hexdigest()

    def post(self, host: str, port: int, now: datetime | None = None) -> tuple[int, dict[str, object]]:
        """Send what waits over HTTP (blocking); forgotten only when the gateway has it. Status and answer."""
        body, signature = self.message(now or datetime.now(UTC))
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            headers = {"Content-Type": "application/json", "X-Muster-Signature": signature}
            connection.request("POST", "/v1/events", body, headers)
            answer = connection.getresponse()
            status, said = answer.status, json.loads(answer.read())
        finally:
            connection.close()
        if status == 200:
            self.confirmed()
        return status, said

    def confirmed(self) -> None:
        """The gateway has all that waited."""
        self.punches.clear()
        self.scans.clear()

    def _number(self) -> int:
        self.next_number, self.emitted = self.next_number + 1, self.emitted + 1
        return self.next_number - 1

    def _iso(self, at: datetime) -> str:
        return at.replace(tzinfo=self.zone).isoformat()
