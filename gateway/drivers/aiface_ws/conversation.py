"""Questions to one terminal over the WebSocket that it has opened."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from gateway.drivers.aiface_ws import codec
from gateway.drivers.aiface_ws.codec import Facts, Json, Message, Page
from gateway.transports.websocket import Socket
from shared.clock import DeviceSeconds
from shared.errors import ConfigError, DataError, RetryableError

ANSWER_S = 15.0
PAGES_MOST = 10_000


@dataclass(slots=True)
class Enrolled:
    """What a terminal has of one user."""

    admin: int
    kinds: set[int] = field(default_factory=set)


class Conversation:
    """One connection. Who reads it gives answers to ``settle``; one question is open at a time."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.serial = ""
        """Who is calling; empty before ``reg``."""
        self.facts: Facts | None = None
        """What the last ``reg`` said."""
        self._one = asyncio.Lock()
        self._waiting: tuple[str, asyncio.Future[Message]] | None = None

    def settle(self, message: Message) -> None:
        """Give an answer to whoever waits for it; others are nobody's."""
        if self._waiting is not None and self._waiting[0] == message.name and not self._waiting[1].done():
            self._waiting[1].set_result(message)

    async def ask(self, name: str, /, **more: Json) -> Message:
        """The terminal's answer; RetryableError when none comes."""
        async with self._one:
            future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
            self._waiting = (name, future)
            try:
                await self.socket.send(codec.command(name, **more))
                async with asyncio.timeout(ANSWER_S):
                    return await future
            except TimeoutError as error:
                raise RetryableError(f"terminal {self.serial}: no answer to {name}") from error
            finally:
                self._waiting = None

    async def _done(self, name: str, /, **more: Json) -> Message:
        message = await self.ask(name, **more)
        if not message.ok:
            raise ConfigError(f"terminal {self.serial} refuses {name}: reason {message.reason or 'not told'}")
        return message

    async def pages(self, name: str, *, stranger_events: bool) -> AsyncIterator[Page]:
        """Pages of getnewlog or getalllog until the terminal has no more.

        ``count`` is all rows on some firmware, those of the page on others. In doubt one page more is asked for, and a
        page that came already ends it.
        """
        seen: set[bytes] = set()
        doubtful = False
        for n in range(PAGES_MOST):
            try:
                message = await self.ask(name, stn=n == 0)
            except RetryableError:
                if doubtful:
                    return
                raise
            page = codec.page_of(message, stranger_events=stranger_events)
            mark = hashlib.sha256(repr(page.items).encode()).digest()
            if not message.ok or not page.items or mark in seen:
                return
            seen.add(mark)
            yield page
            rows = len(page.items)
            doubtful = page.last is not None and page.count is not None and page.last + 1 >= page.count
            if doubtful and page.count is not None and page.count > rows:
                return
        raise DataError(f"terminal {self.serial}: more than {PAGES_MOST} pages", code="endless")

    async def info(self) -> Facts:
        """What getdevinfo tells; what ``reg`` told where it tells nothing."""
        facts = codec.facts_of(await self._done("getdevinfo"))
        told = self.facts
        if told is None:
            return facts
        return replace(
            told, **{f.name: value for f in fields(facts) if (value := getattr(facts, f.name)) not in (None, "")}
        )

    async def clock(self) -> DeviceSeconds:
        """Its wall clock; DataError when it shows none."""
        second = codec.clock_of((await self.ask("gettime")).fields.get("time"))
        if second is None:
            raise DataError("the terminal shows an impossible time; set it", "bad_time")
        return second

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock to that naive local time."""
        await self._done("settime", cloudtime=f"{wall:{codec.TIME_FORMAT}}")

    async def enrolled(self) -> dict[str, Enrolled]:
        """Kinds of credentials and rights by user."""
        found: dict[str, Enrolled] = {}
        first = True
        for _ in range(PAGES_MOST):
            message = await self.ask("getuserlist", stn=first)
            first = False
            new = 0
            for user, kind, admin in codec.enrolled_of(message):
                one = found.setdefault(user, Enrolled(admin))
                new += kind not in one.kinds
                one.kinds.add(kind)
            if not message.ok or not new:
                break
        return found

    async def name(self, user: str) -> str:
        """The name of a user; empty where there is none."""
        message = await self.ask("getusername", enrollid=number(user))
        return codec.name_of(message) if message.ok else ""

    async def card(self, user: str) -> str:
        """The card of a user; empty where there is none."""
        message = await self.ask("getuserinfo", enrollid=number(user), backupnum=CARD)
        return codec.card_of(message) if message.ok else ""

    async def set_name(self, user: str, name: str) -> None:
        """Name a user; one who is not enrolled yet is added."""
        await self._done("setusername", count=1, record=[{"enrollid": number(user), "name": name}])

    async def set_card(self, user: str, name: str, card: str) -> None:
        """Give a user a card; his rights at the terminal stay as they are."""
        known = (await self.enrolled()).get(user)
        admin = known.admin if known is not None else 0
        who: dict[str, Json] = {"enrollid": number(user), "name": name, "backupnum": CARD, "admin": admin}
        await self._done("setuserinfo", **who, record=int(card))

    async def enable(self, user: str, *, enabled: bool) -> None:
        """Let a user punch, or not."""
        await self._done("enableuser", enrollid=number(user), enflag=int(enabled))


CARD = 11
"""The backupnum of a card."""


def number(user: str) -> int | str:
    """How these terminals write a user number: a number where it is one."""
    return int(user) if user.isascii() and user.isdecimal() and str(int(user)) == user else user
