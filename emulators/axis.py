"""The VAPIX interface of an Axis door controller: an event log of 30,000 rows."""

import json
from datetime import UTC, datetime, timedelta

from emulators.digest_http import DigestLogin, Request, Response, TerminalWeb

CARD = "CARD-00AABB"
KEPT = 30_000


class AxisController(TerminalWeb):
    """One controller; ``limit`` is the most rows of one answer, ``more`` the name of the flag for more of them."""

    server_name = "Apache/2.4.56"

    def __init__(
        self,
        serial: str = "ACCC8E000001",
        *,
        limit: int = 1000,
        more: str = "MoreToFetch",
        keep: int = KEPT,
        port: int = 0,
    ) -> None:
        super().__init__(DigestLogin(realm=f"AXIS_{serial}"), port)
        self.serial = serial
        self.log: list[dict[str, object]] = []
        self.emitted = 0
        """Punches."""
        self.forbidden = False
        self._limit, self._more, self._keep = limit, more, keep
        self._row = 0

    def punch(self, user: str, utc_s: int, *, how: str = "Card", topic: str = "AccessGranted") -> None:
        """Somebody is let in, or is not, as ``topic`` says."""
        at = datetime.fromtimestamp(utc_s, UTC) + timedelta(microseconds=18_766)
        keys = {"topic0": "AccessControl", "topic1": topic, "topic2": how, "CardNr": CARD, "UserToken": user}
        self._row += 1
        self.log.append(
            {
                "rowid": self._row,
                "token": f"Axis-{self._row}",
                "UtcTime": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
                "KeyValues": [{"Key": key, "Value": value, "Tags": []} for key, value in keys.items() if value],
                "Tags": [],
            }
        )
        del self.log[: -self._keep]
        self.emitted += topic == "AccessGranted"

    def reset(self) -> None:
        """Back to the factory: rows begin anew."""
        self.log.clear()
        self._row = 0

    def public(self, request: Request) -> Response | None:
        """A few properties, and a stranger's path, need no login."""
        if b"getAllUnrestrictedProperties" in request.body:
            return self._info()
        return None if request.path.startswith(("/vapix/", "/axis-cgi/")) else Response(404, b"not here")

    async def respond(self, request: Request) -> Response:
        """One answer as JSON."""
        if self.forbidden:
            return Response(403, b"Forbidden")
        if request.path == "/axis-cgi/basicdeviceinfo.cgi":
            return self._info()
        if request.path == "/vapix/pacs":
            return _json({"User": [{"token": "u1", "Name": "WANG WEI"}]})
        if request.path == "/vapix/eventlogger":
            return self._events(json.loads(request.body)["axlog:FetchEvents3"])
        return Response(404, b"not here")

    def _info(self) -> Response:
        told = {"SerialNumber": self.serial, "ProdNbr": "A1601", "Version": "1.84.4"}
        return _json({"apiVersion": "1.0", "data": {"propertyList": told}})

    def _events(self, asked: dict[str, object]) -> Response:
        rows = [told for told in self.log if "AccessGranted" in json.dumps(told)]
        if asked.get("Descending"):
            rows.reverse()
        after, limit = asked.get("RowID", 0), asked.get("Limit", 1000)
        assert isinstance(after, int)  # noqa: S101  # the question of a client under test
        assert isinstance(limit, int)  # noqa: S101  # as above
        rows = [told for told in rows if _row_of(told) > after]
        limit = min(limit, self._limit)
        return _json({"Event": rows[:limit], self._more: len(rows) > limit})


def _row_of(told: dict[str, object]) -> int:
    row = told["rowid"]
    return row if isinstance(row, int) else 0


def _json(told: dict[str, object]) -> Response:
    return Response(200, json.dumps(told).encode(), "application/json")
