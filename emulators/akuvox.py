"""The HTTP API of an Akuvox intercom: a door log in pages, newest first."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from emulators.digest_http import DigestLogin, Request, Response, TerminalWeb

PIN = "PIN-98765"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log."""

    code: str
    at: datetime
    kind: str
    status: str
    user: str | None


class _NoLogin(DigestLogin):
    """The mode without authentication."""

    def check(self, _method: str, _target: str, _header: str | None) -> str | None:
        """Always in."""
        return None


class AkuvoxTerminal(TerminalWeb):
    """One terminal; ``paged`` False is firmware that gives its whole log whatever page is asked for."""

    server_name = "akuvox"

    def __init__(
        self,
        mac: str = "0C:11:05:00:00:01",
        *,
        auth: Literal["none", "digest"] | DigestLogin = "digest",
        paged: bool = True,
        dashes: bool = False,
        keep: int = 1000,
        port: int = 0,
    ) -> None:
        login = (
            auth if isinstance(auth, DigestLogin) else DigestLogin(realm="HTTPAPI") if auth == "digest" else _NoLogin()
        )
        super().__init__(login, port)
        self.mac = mac
        self.log: list[Line] = []
        self.retcode = 0
        """Of every answer, where a test wants another."""
        self._paged, self._dashes, self._keep = paged, dashes, keep

    @property
    def emitted(self) -> int:
        """Lines of people who were let in."""
        return sum(line.status == "0" for line in self.log)

    def punch(self, code: str, at: datetime, kind: str = "4", status: str = "0", user: str | None = None) -> None:
        """Append a line at that naive local time."""
        self.log.append(Line(code, at, kind, status, user))
        del self.log[: -self._keep]

    def public(self, request: Request) -> Response | None:
        """Nothing but a stranger's path needs no login."""
        return None if request.path.startswith("/api/") else Response(404, b"not here")

    async def respond(self, request: Request) -> Response:
        """One answer as JSON."""
        if self.retcode:
            told: dict[str, object] = {"retcode": self.retcode, "action": "get", "message": "Unsupported", "data": {}}
            return Response(200, json.dumps(told).encode(), "application/json")
        page = int(request.query.get("page", "1"))
        if request.path == "/api/system/info":
            return _answer({"Status": {"Model": "X916", "MAC": self.mac, "FirmwareVersion": "916.30.10.114"}})
        if request.path == "/api/user/get":
            people = [{"ID": "1", "UserID": "1000", "Name": "WANG WEI", "CardCode": "AABB", "PrivatePIN": PIN}]
            return _answer({"num": 1, "item": people if page == 1 else []})
        if request.path == "/api/doorlog/get":
            return _answer(self._page(page))
        return Response(404, b"not here")

    def _page(self, page: int) -> dict[str, object]:
        newest = list(reversed(self.log))
        lines = newest[10 * (page - 1) : 10 * page] if self._paged else newest
        items = [self._item(n, line) for n, line in enumerate(lines, 1)]
        return {"num": len(newest), "item": items[0] if len(items) == 1 else items}

    def _item(self, number: int, line: Line) -> dict[str, str]:
        date = f"{line.at:%Y-%m-%d}" if self._dashes else f"{line.at:%Y%m%d}"
        told = {
            "ID": str(number), "Type": line.kind, "Name": "WANG WEI", "Status": line.status, "Code": line.code,
            "Date": date, "Time": f"{line.at:%H:%M:%S}", "PicUrl": "http://admin:secret@10.0.0.9/1.jpg",
        }  # fmt: skip
        return told if line.user is None else told | {"UserID": line.user}


def _answer(data: dict[str, object]) -> Response:
    told = {"retcode": 0, "action": "get", "message": "OK", "data": data}
    return Response(200, json.dumps(told).encode(), "application/json")
