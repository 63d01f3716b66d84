"""The HTTP server of a Matrix COSEC terminal: a ring of events addressed by roll-over count and sequence number."""

import base64
from dataclasses import dataclass
from datetime import datetime

from emulators.digest_http import DigestLogin, Request, Response, TerminalWeb

SECRET = "PIN-4711-TEMPLATE"  # noqa: S105  # what must not be stored


class BasicLogin(DigestLogin):
    """Basic instead of digest, with the same lock-out."""

    def check(self, _method: str, _target: str, header: str | None) -> str | None:
        """None when the login holds, else the challenge to answer with."""
        right = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if not self.locked and header == f"Basic {right}":
            return None
        if header is not None:
            self.wrong += 1
            self.locked = self.wrong >= self.lock_after
        return f'Basic realm="{self.realm}"'


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event of the ring."""

    roll_over: int
    seq: int
    number: int
    user: str
    at: datetime
    function: int
    credential: int


class MatrixTerminal(TerminalWeb):
    """One terminal; ``roll_at`` events make a roll, the newest ``keep`` are readable.

    ``wrapped`` puts each event in an element of its own, ``slashes`` writes dates and times with separators.
    """

    server_name = "cosec"

    def __init__(
        self,
        *,
        login: DigestLogin | None = None,
        wrapped: bool = False,
        slashes: bool = False,
        user_element: bool = True,
        roll_at: int = 500_000,
        keep: int = 500_000,
        port: int = 0,
    ) -> None:
        super().__init__(login or BasicLogin(realm="COSEC"), port)
        self.log: list[LoggedEvent] = []
        self.busy = 0
        """Answers that say so before the terminal has time again."""
        self.code: int | None = None
        """Response code of every answer, where a test wants one."""
        self._wrapped, self._slashes, self._user_element = wrapped, slashes, user_element
        self._roll_at, self._keep = roll_at, keep
        self._roll_over, self._seq = 0, 0

    @property
    def emitted(self) -> int:
        """Punches among the events."""
        return sum(event.number == 101 for event in self.log)

    def start_at(self, roll_over: int, seq: int) -> None:
        """The next event has the number after this one."""
        self._roll_over, self._seq = roll_over, seq

    def punch(self, user: str, at: datetime, function: int = 0, credential: int = 1) -> None:
        """Append event 101 at that naive local time."""
        self.event(101, user, at, function, credential)

    def event(self, number: int, user: str, at: datetime, function: int = 0, credential: int = 1) -> None:
        """Append any event."""
        self._seq += 1
        if self._seq > self._roll_at:
            self._roll_over, self._seq = self._roll_over + 1, 1
        self.log.append(LoggedEvent(self._roll_over, self._seq, number, user, at, function, credential))
        del self.log[: -self._keep]

    def reset(self) -> None:
        """Back to the factory."""
        self.log.clear()
        self._roll_over = self._seq = 0

    def public(self, request: Request) -> Response | None:
        """Nothing but a stranger's path needs no login."""
        return None if request.path.startswith("/device.cgi/") else Response(404, b"not here")

    async def respond(self, request: Request) -> Response:
        """One answer as XML."""
        if self.busy:
            self.busy -= 1
            return _xml("<Response-Code>16</Response-Code>")
        if self.code is not None:
            return _xml(f"<Response-Code>{self.code}</Response-Code>")
        item, action = request.path.rpartition("/")[2], request.query.get("action")
        if (item, action) == ("command", "geteventcount"):
            return _xml(f"<roll-over-count>{self._roll_over}</roll-over-count><seq-number>{self._seq}</seq-number>")
        if (item, action) == ("events", "getevent"):
            return self._events(
                int(request.query["roll-over-count"]),
                int(request.query["seq-number"]),
                int(request.query["no-of-events"]),
            )
        if (item, action) == ("device-basic-config", "get"):
            return _xml(f"<name>Gate 1</name><app>1</app><password>{SECRET}</password>")
        return _xml("<Response-Code>33</Response-Code>")

    def _events(self, roll_over: int, seq: int, count: int) -> Response:
        at = next((n for n, e in enumerate(self.log) if (e.roll_over, e.seq) == (roll_over, seq)), None)
        if at is None:
            return _xml("<Response-Code>10</Response-Code>")
        rows = [event for event in self.log[at : at + count] if event.roll_over == roll_over]
        return _xml("<Response-Code>0</Response-Code>" + "".join(map(self._row, rows)))

    def _row(self, event: LoggedEvent) -> str:
        date = f"{event.at:%d/%m/%Y}" if self._slashes else f"{event.at:%d%m%Y}"
        time = f"{event.at:%H:%M:%S}" if self._slashes else f"{event.at:%H%M%S}"
        who = f"<user-id>{event.user}</user-id><detail-1>9</detail-1>"
        if not self._user_element:
            who = f"<detail1>{event.user}</detail1>"
        seq = "seq-No" if self._user_element else "seq-Number"
        detail = "detail-" if self._user_element else "detail"
        row = (
            f"<roll-over-count>{event.roll_over}</roll-over-count><{seq}>{event.seq}</{seq}><date>{date}</date>"
            f"<time>{time}</time><event-id>{event.number}</event-id>{who}<{detail}2>{event.function}</{detail}2>"
            f"<{detail}3>{event.credential}</{detail}3><user-name>{SECRET}</user-name>"
        )
        if self._wrapped:
            return f"<Events>{row}</Events>"
        return row.replace(f"<roll-over-count>{event.roll_over}</roll-over-count>", "", 1)


def _xml(inner: str) -> Response:
    return Response(200, f'<?xml version="1.0"?><COSEC_API>{inner}</COSEC_API>'.encode(), "text/xml")
