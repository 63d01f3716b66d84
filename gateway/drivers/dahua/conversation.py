"""What a terminal is asked over CGI, and what its refusals mean."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from gateway.drivers.dahua import codec
from gateway.drivers.dahua.codec import CARDS, LOG, Item, Page, User
from gateway.transports.http_client import HttpClient, Reply
from gateway.transports.multipart import MultipartDecoder, Part, boundary_of
from shared.errors import ConfigError, DataError, MusterError, RetryableError

COUNT = 1000
"""Rows asked for; a terminal gives 1,024 at most."""
HANDLE_COUNT = 100
PAGES_LIMIT = 5000
SILENCE_S = 20.0
"""Four heartbeats."""
ATTACH = "/cgi-bin/eventManager.cgi?action=attach&codes=[AccessControl]&heartbeat=5"


class UnsupportedError(DataError):
    """This firmware does not take this question."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="unsupported")


class Cgi:
    """The conversation with one terminal over an open client."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def facts(self) -> dict[str, str]:
        """Serial number, type and firmware, under the terminal's own names in lower case."""
        found = codec.pairs_of(await self._ask(codec.query("magicBox", "getSystemInfo")))
        for action in ("getSerialNo", "getSoftwareVersion", "getDeviceType"):
            with contextlib.suppress(DataError):
                found |= codec.pairs_of(await self._ask(codec.query("magicBox", action)))
        return found

    async def clock(self) -> datetime:
        """The terminal's wall clock, naive."""
        return codec.clock_of(await self._ask(codec.query("global", "getCurrentTime")))

    async def set_clock(self, wall: datetime) -> None:
        """Set it to that naive time."""
        asked = codec.query("global", "setCurrentTime", [("time", f"{wall:%Y-%m-%d %H:%M:%S}")])
        self._done(await self._ask(asked), "setCurrentTime")

    async def size(self) -> int | None:
        """Rows in its log; None where it does not say."""
        with contextlib.suppress(DataError):
            pairs = codec.pairs_of(await self._ask(codec.query("recordFinder", "getQuerySize", [("name", LOG)])))
            count = pairs.get("count", "")
            return int(count) if count.isascii() and count.isdigit() and len(count) < 10 else None
        return None

    async def page(self, span: tuple[int, int] | None) -> Page:
        """One page of a search; an answer ``Error`` with status 200 is a refusal too."""
        try:
            return codec.page_of(await self._ask(codec.find(LOG, span, COUNT)))
        except DataError as error:
            if error.code == "error":
                raise UnsupportedError(f"{self._client.base}: {error}") from error
            raise

    async def pages(self, start: int, end: int) -> AsyncIterator[Page]:
        """All pages between two CreateTimes, by shrinking the window towards what is missing; rows may come twice."""
        known: set[Item] = set()
        for _ in range(PAGES_LIMIT):
            page = await self.page((start, end))
            new = [item for item in page.items if item not in known]
            if not new:
                return
            yield Page(page.found, tuple(new))
            times = [item.created for item in page.items if item.created is not None]
            if not times:
                return
            known = set(page.items)
            if times[0] <= times[-1]:
                start = max(times) if max(times) > start else start + 1
            else:
                end = min(times) if min(times) < end else end - 1
        raise DataError(f"{self._client.base}: the search does not end", code="endless")

    async def handle_pages(self) -> AsyncIterator[Page]:
        """The whole log through a search handle, as older firmware wants it."""
        pairs = codec.pairs_of(await self._ask(codec.query("recordFinder", "factory.create", [("name", LOG)])))
        handle = pairs.get("result", pairs.get("object", ""))
        if not (handle.isascii() and handle.isdigit()):
            raise UnsupportedError(f"{self._client.base}: factory.create gave no handle")
        place = [("object", handle)]
        try:
            await self._ask(codec.query("recordFinder", "startFind", place))
            for _ in range(PAGES_LIMIT * 10):
                asked = codec.query("recordFinder", "doFind", [*place, ("count", HANDLE_COUNT)])
                page = codec.page_of(await self._ask(asked))
                if not page.items:  # not when it is short: some give fewer rows than asked
                    return
                yield page
        finally:
            for action in ("close", "destroy"):
                with contextlib.suppress(MusterError):
                    await self._ask(codec.query("recordFinder", action, place))

    async def users(self) -> list[User]:
        """Every record of a person; one who has two cards has two."""
        return codec.users_of(await self._ask(codec.find(CARDS, None, codec.ROWS_LIMIT)))

    async def put_card(self, fields: list[tuple[str, str | int]], record: str | None) -> None:
        """Insert a record, or change fields of one."""
        action = "insert" if record is None else "update"
        which = [] if record is None else [("recno", record)]
        body = await self._ask(codec.query("recordUpdater", action, [("name", CARDS), *which, *fields]))
        if record is not None:
            self._done(body, "recordUpdater")
        elif "recno" not in codec.pairs_of(body):
            raise DataError(f"{self._client.base}: the user was not inserted", code="refused")

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[list[Part]]]:
        """Parts of the endless event stream as they come."""
        async with self._client.stream(ATTACH, silence_s=SILENCE_S) as (head, pieces):
            if head.status != 200:
                raise _refused(self._client.base, "eventManager", head)
            decoder = MultipartDecoder(boundary_of(head.headers.get("content-type", "")) or "myboundary")
            yield (decoder.feed(piece) async for piece in pieces)

    async def _ask(self, asked: str) -> bytes:
        reply = await self._client.get(asked)
        said = reply.body[:200].lower()
        if reply.status != 200 or b"invalid authority" in said:
            raise _refused(self._client.base, asked.partition("?")[0], reply)
        return reply.body

    def _done(self, body: bytes, what: str) -> None:
        if body.strip().upper() != b"OK":
            raise DataError(f"{self._client.base}: {what} did not answer OK", code="refused")


def _refused(base: str, path: str, reply: Reply) -> Exception:
    text = " ".join(reply.text.split())[:80]
    said = f"{base}: {path} answered {reply.status} {text}".rstrip()
    if "lock" in text.lower():
        return LockedError(f"{said}; the account is locked: correct key_file, wait half an hour, then start again")
    if reply.status == 403 or "authority" in text.lower():
        return ConfigError(f"{said}; the account lacks the right, or is locked: look at it in the terminal's web page")
    if reply.status >= 500 and reply.status != 501:
        return RetryableError(said)
    return UnsupportedError(said)


class LockedError(ConfigError):
    """The account is locked after wrong passwords."""
