"""Questions to a BioStar 2 server."""

from collections.abc import AsyncIterator

from gateway.drivers.suprema import codec
from gateway.drivers.suprema.codec import Facts, Item
from gateway.transports.http_client import Account, Reply
from gateway.transports.session_login import Session
from shared.clock import DeviceSeconds
from shared.errors import DataError

LIMIT = 200
"""Events of one answer."""
LAST = 4_102_444_800
"""2100-01-01: behind every clock that is merely wrong."""
USERS_PAGE = 100


class BioStar(Session):
    """One session; the token is a header."""

    def login_message(self, account: Account) -> tuple[str, object]:
        """The login of the New Local API."""
        return "/api/login", {"User": {"login_id": account.user, "password": account.password}}

    def token_of(self, reply: Reply) -> str | None:
        """The header ``bs-session-id``."""
        token = reply.headers.get("bs-session-id", "")
        if token:
            return token
        if not reply.body.lstrip().startswith(b"{"):
            raise DataError("no answer of a BioStar 2 server", code="bad_answer")
        return None

    def carry(self, token: str) -> tuple[dict[str, str], dict[str, str | int]]:
        """It goes back in the same header."""
        return {"bs-session-id": token}, {}

    async def events(self, first: DeviceSeconds, offset: int) -> list[Item]:
        """Up to ``LIMIT`` events from that UTC second on, oldest first; DataError when they are not sorted."""
        items = codec.events_of(await self.post("/api/events/search", codec.search(first, LAST, LIMIT, offset)))
        if not codec.is_sorted(items):
            raise DataError("events are not in the order that was asked for", code="not_sorted")
        return items

    async def pages(self, first: DeviceSeconds) -> AsyncIterator[list[Item]]:
        """Page after page from that second on; the next begins a second before the end of the last, so rows repeat.

        DataError when the server sends the same page again and again.
        """
        since, offset = first, 0
        before: list[Item] = []
        while True:
            items = await self.events(since, offset)
            if items and items == before:
                raise DataError("the same page again and again", code="endless")
            yield items
            last = codec.newest(items)
            if len(items) < LIMIT:
                return
            if last is None or last - 1 <= since:
                offset, before = offset + len(items), items
            else:
                since, offset, before = last - 1, 0, []

    async def devices(self) -> list[Facts]:
        """Every device of the server."""
        return codec.devices_of(await self.get("/api/devices", {}))

    async def user_count(self) -> int | None:
        """How many users there are, where the server tells it."""
        return codec.total_of_users(await self.get("/api/users", {"limit": 1, "offset": 0}))

    async def users(self) -> list[Facts]:
        """Every user, page by page; a page that brings nobody new ends the list."""
        found: dict[str, Facts] = {}
        offset = 0
        while True:
            page = codec.users_of(await self.get("/api/users", {"limit": USERS_PAGE, "offset": offset}))
            new = [user for user in page if user.key not in found]
            found.update((user.key, user) for user in new)
            if not new or len(page) < USERS_PAGE:
                return list(found.values())
            offset += len(page)
