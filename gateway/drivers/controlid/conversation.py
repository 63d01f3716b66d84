"""Questions to one Control iD terminal."""

from datetime import datetime

import msgspec

from gateway.drivers.controlid import codec
from gateway.drivers.controlid.codec import Item, System, User
from gateway.transports.http_client import Account, Reply
from gateway.transports.session_login import Session
from shared.errors import DataError, RetryableError

PAGE = 500
"""Rows of one answer; fewer where the firmware has its own limit."""
USER_FIELDS = ("id", "registration", "name")
"""Asked for by name: a plain question would bring passwords along."""
USERS_MOST = 200_000
LOAD = "/load_objects.fcgi"


class _Said(msgspec.Struct):
    session: str | None = None
    error: str | None = None


class ControlId(Session):
    """One session; the token is a parameter."""

    def login_message(self, account: Account) -> tuple[str, object]:
        """The login."""
        return "/login.fcgi", {"login": account.user, "password": account.password}

    def token_of(self, reply: Reply) -> str | None:
        """The field ``session``."""
        said = codec.decode(reply.body, _Said)
        if not said.session and not said.error:
            raise DataError("no answer of a Control iD terminal", code="bad_answer")
        return said.session or None

    def carry(self, token: str) -> tuple[dict[str, str], dict[str, str | int]]:
        """It is part of the address."""
        return {}, {"session": token}

    async def system(self) -> System:
        """What the terminal says of itself."""
        return codec.system_of(await self.post("/system_information.fcgi", {}))

    async def logs(self, after: int) -> list[Item]:
        """Rows of the log with a higher number, lowest first; DataError when they are not sorted."""
        items = codec.rows_of(await self.post(LOAD, codec.load("access_logs", after, PAGE)))
        last = after
        for item in items:
            if item.number is not None:
                if item.number <= last:
                    raise DataError("rows are not in the order that was asked for", code="not_sorted")
                last = item.number
        return items

    async def log_count(self) -> int | None:
        """Rows in the log."""
        return codec.count_of(await self.post(LOAD, {"object": "access_logs", "fields": ["COUNT(*)"]}))

    async def users(self, *, validity: bool = False) -> dict[int, User]:
        """Everybody enrolled, by the terminal's own number; ``validity`` asks for a field that old firmware lacks."""
        fields = (*USER_FIELDS, "end_time") if validity else USER_FIELDS
        found: dict[int, User] = {}
        after = 0
        while len(found) < USERS_MOST:
            page = codec.users_of(await self.post(LOAD, codec.load("users", after, PAGE, fields)))
            new = [user for user in page if user.number > after]
            if not new:
                break
            found.update((user.number, user) for user in new)
            after = max(found)
        return found

    async def cards(self) -> dict[int, int]:
        """Card numbers by the terminal's own number of the user."""
        return codec.cards_of(await self.post(LOAD, {"object": "cards", "fields": ["id", "value", "user_id"]}))

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock to that naive local time."""
        await self.post("/set_system_time.fcgi", codec.clock_message(wall))

    async def create(self, kind: str, values: dict[str, object]) -> int:
        """The number of the new object."""
        return codec.new_id_of(await self.post("/create_objects.fcgi", {"object": kind, "values": [values]}))

    async def modify(self, kind: str, values: dict[str, object], where: dict[str, object]) -> None:
        """Change the objects that ``where`` names."""
        await self.post("/modify_objects.fcgi", {"object": kind, "values": values, "where": {kind: where}})


def opened(talk: ControlId | None) -> ControlId:
    """The conversation; RetryableError when there is none."""
    if talk is None:
        raise RetryableError("not logged in")
    return talk
