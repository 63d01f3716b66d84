"""What a terminal is asked over ISAPI, and what its refusals mean."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from gateway.drivers.hikvision import codec
from gateway.drivers.hikvision.codec import Clock, Item, Node, Page, Refusal, User
from gateway.transports.http_client import HttpClient, RefusedError, Reply
from gateway.transports.log_place import FAR_S
from gateway.transports.multipart import MultipartDecoder, Part, boundary_of
from shared.errors import ConfigError, DataError, RetryableError

PAGE = 30
"""Rows asked for; many terminals give 30 whatever is asked."""
PAGES_LIMIT = 20_000
SILENCE_S = 60.0
ACCESS = "/ISAPI/AccessControl"
JSON = {"format": "json"}
ALL_TIMES = codec.span_of(0, FAR_S, 0)


class LockedError(ConfigError):
    """The account is locked after wrong passwords."""


class UnsupportedError(DataError):
    """This firmware does not take this request; ``refusal`` says what it said."""

    def __init__(self, message: str, refusal: Refusal) -> None:
        super().__init__(message, code="unsupported")
        self.refusal = refusal


class Isapi:
    """The conversation with one terminal over an open client."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def device(self) -> Node:
        """The fields of deviceInfo."""
        return codec.device_of(await self._call("GET", "/ISAPI/System/deviceInfo"))

    async def clock(self) -> Clock:
        """The terminal's clock."""
        return codec.clock_of(await self._call("GET", "/ISAPI/System/time"))

    async def set_clock(self, wall: datetime) -> None:
        """Set it; ConfigError where the terminal follows a time server, which this would switch off."""
        now = await self.clock()
        if now.mode.upper() == "NTP":
            raise ConfigError(
                f"{self._client.base}: the clock follows a time server (NTP); correct that server, or choose manual"
            )
        await self._call("PUT", "/ISAPI/System/time", body=codec.clock_body(wall, now.zone), kind="application/xml")

    async def user_count(self) -> int | None:
        """People enrolled; None where it does not say."""
        try:
            body = await self._call("GET", f"{ACCESS}/UserInfo/Count", JSON)
            return codec.number_of(codec.child(codec.json_node(body), "UserInfoCount"), "userNumber")
        except DataError:
            return None

    async def total(self, span: tuple[str, str]) -> int | None:
        """Events of major 5 in its log; None where it does not say."""
        with contextlib.suppress(DataError):
            content = codec.total_body(span)
            node = codec.json_node(await self._call("POST", f"{ACCESS}/AcsEventTotalNum", JSON, content))
            return codec.number_of(codec.child(node, "AcsEventTotalNum"), "totalNum")
        return None

    async def page(self, search: str, position: int, span: tuple[str, str] | None, granted: frozenset[int]) -> Page:
        """One page of a search."""
        content = codec.search_body(search, position, PAGE, span)
        return codec.page_of(await self._call("POST", f"{ACCESS}/AcsEvent", JSON, content), granted)

    async def pages(
        self, span: tuple[str, str] | None, granted: frozenset[int], position: int = 0
    ) -> AsyncIterator[Page]:
        """All pages from that row on."""
        search, before = new_search(), None
        for _ in range(PAGES_LIMIT):
            page = await self.page(search, position, span, granted)
            if page.items and page.items == before:
                raise DataError(f"{self._client.base}: the search gives one page again and again", code="endless")
            yield page
            position += len(page.items)
            if not page.items or not page.more or (page.total is not None and position >= page.total):
                return
            before = page.items
        raise DataError(f"{self._client.base}: the search does not end", code="endless")

    async def users(self) -> list[User]:
        """Everybody enrolled."""
        search, found = new_search(), list[User]()
        for _ in range(PAGES_LIMIT):
            content = codec.users_body(search, len(found), PAGE)
            more, users = codec.users_of(await self._call("POST", f"{ACCESS}/UserInfo/Search", JSON, content))
            found += users
            if not more or not users:
                break
        return found

    async def put_user(self, content: bytes, *, new: bool) -> None:
        """Record a new user, or modify one."""
        method, call = ("POST", "Record") if new else ("PUT", "Modify")
        await self._call(method, f"{ACCESS}/UserInfo/{call}", JSON, content)

    @asynccontextmanager
    async def alerts(self) -> AsyncIterator[AsyncIterator[list[Part]]]:
        """Parts of the endless alertStream as they come, an empty list when bytes came that complete none."""
        async with self._client.stream("/ISAPI/Event/notification/alertStream", silence_s=SILENCE_S) as (head, pieces):
            if head.status != 200:
                raise _refused(self._client.base, "alertStream", head)
            decoder = MultipartDecoder(boundary_of(head.headers.get("content-type", "")) or "MIME_boundary")
            yield (decoder.feed(piece) async for piece in pieces)

    async def _call(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        body: bytes | None = None,
        kind: str = "application/json",
    ) -> bytes:
        try:
            reply = await self._client.request(
                method, path, params, content=body, kind=kind if body is not None else None
            )
        except RefusedError as error:
            refusal = codec.refusal_of(error.reply.body)
            if refusal.locked:
                raise _locked(self._client.base, refusal) from error
            raise
        if reply.status != 200:
            raise _refused(self._client.base, path, reply)
        return reply.body


def new_search() -> str:
    """A searchID: the same for all pages of one search, another for each search."""
    return uuid.uuid4().hex


def _refused(base: str, path: str, reply: Reply) -> Exception:
    refusal = codec.refusal_of(reply.body)
    said = f"{base}: {path} answered {reply.status} {refusal.sub} {refusal.text}".rstrip()
    if refusal.locked:
        return _locked(base, refusal)
    if refusal.sub == "notactivated":
        return ConfigError(f"{base}: the terminal is not activated; give it a password at its display first")
    if reply.status >= 500 or "busy" in refusal.sub:
        return RetryableError(said)
    if reply.status == 403 and refusal.sub not in ("notsupport", "methodnotallowed"):
        return ConfigError(f"{said}; the account is locked or lacks the right: look at it in the terminal's web page")
    return UnsupportedError(said, refusal)


def _locked(base: str, refusal: Refusal) -> LockedError:
    wait = f" for {refusal.unlock_s} s more" if refusal.unlock_s else ", for about 30 minutes"
    return LockedError(
        f"{base}: the account is locked{wait} after wrong passwords; correct key_file, wait, then start again"
    )


def numbers_of(items: tuple[Item, ...]) -> list[int]:
    """Serial numbers of a page's events."""
    return [item.number for item in items if item.number is not None]
