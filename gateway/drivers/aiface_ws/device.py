"""One terminal that a person looks at: the gateway waits for its call."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from operator import itemgetter

from gateway.config import PushConfig
from gateway.device import Ability, Device, DeviceClock, DeviceInfo, DeviceUser
from gateway.driver import Cursor, DriverContext, Stored, Terminal
from gateway.drivers.aiface_ws.conversation import CARD, Conversation
from gateway.drivers.aiface_ws.events import events_of, has_stranger_events
from gateway.drivers.aiface_ws.server import FAMILY, AifaceServer
from gateway.transports.source import Source
from gateway.transports.together import together
from shared.clock import Clocks
from shared.errors import ConfigError, RetryableError
from shared.keys import Event

ABILITIES = frozenset(Ability)
CALL_S = 45.0
"""A terminal calls again every 20 s."""
PORT = 7788


class _Shown:
    """A sink that stores nothing: what comes is shown, and stays with the terminal."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Event] = asyncio.Queue(1000)

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:  # noqa: ARG002 - as of Sink
        for event in events:
            if not self.heard.full():
                self.heard.put_nowait(event)
        raise RetryableError("only shown, not stored")

    async def cursor(self, key: str) -> bytes | None:  # noqa: ARG002 - as of Sink
        return None


@asynccontextmanager
async def open_device(terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
    """Listen at ``host`` and ``port`` of the terminal's settings until it calls; nothing it sends is acknowledged."""
    config = terminal.config
    if config.host is None:
        raise ConfigError(
            f"terminal {config.name}: it calls the gateway; set host and port to where, as in [push.{FAMILY}]"
        )
    push = PushConfig(host=config.host, port=config.port or terminal.profile.link.port or PORT)
    shown = _Shown()
    server = AifaceServer([terminal], DriverContext(shown, clocks, lambda: 0, push), reconciles=False)
    listening = asyncio.create_task(together(server.serve()))
    try:
        waiting = asyncio.create_task(server.called.wait())
        await asyncio.wait({listening, waiting}, timeout=CALL_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if listening.done():
            listening.result()
        talk = next(iter(server.live.values()), None)
        if talk is None:
            raise RetryableError(
                f"terminal {config.name} did not call {push.host}:{push.port} within {CALL_S:.0f} s; stop the gateway"
                " first, and check the server address at the terminal"
            )
        yield AifaceDevice(talk, Source.of(terminal), clocks, shown)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def device_of(talk: Conversation, source: Source, clocks: Clocks) -> Device:
    """The terminal of a conversation that the running gateway holds; its punches go on to the outbox as ever."""
    return AifaceDevice(talk, source, clocks, _Shown())


class AifaceDevice(Device):
    """One open conversation."""

    family = FAMILY
    abilities = ABILITIES

    def __init__(self, talk: Conversation, source: Source, clocks: Clocks, shown: _Shown) -> None:
        self._talk, self._source, self._clocks, self._shown = talk, source, clocks, shown

    async def info(self) -> DeviceInfo:
        """What the terminal says of itself."""
        facts = await self._talk.info()
        return DeviceInfo(
            serial=self._talk.serial,
            model=facts.model or None,
            firmware=facts.firmware or None,
            users=facts.users,
            user_capacity=facts.user_capacity,
            log_used=facts.log_used,
            log_capacity=facts.log_capacity,
            facts={"mac": facts.mac} if facts.mac else {},
        )

    async def clock(self) -> DeviceClock:
        """Its clock beside ours."""
        before = self._clocks.wall_ms()
        second = await self._talk.clock()
        now_ms = (before + self._clocks.wall_ms()) // 2
        wall = datetime.fromtimestamp(second, UTC).replace(tzinfo=None)
        return DeviceClock(wall, now_ms, self._source.drift_ms(second, now_ms))

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock; the next ``reg`` sets it to the gateway's time again."""
        await self._talk.set_clock(wall)

    async def users(self) -> list[DeviceUser]:
        """Everybody enrolled, by number; who is disabled is not told by these terminals."""
        found: list[DeviceUser] = []
        for user, one in sorted((await self._talk.enrolled()).items(), key=itemgetter(0)):
            card = await self._talk.card(user) if CARD in one.kinds else ""
            found.append(DeviceUser(user, await self._talk.name(user), card))
        return found

    async def put_user(self, user: DeviceUser) -> None:
        """Add a user, or change name, card and whether he may punch; faces, fingers and passwords stay."""
        if user.card and not (user.card.isascii() and user.card.isdecimal() and len(user.card) <= 15):
            raise ConfigError(f"card {user.card!r}: these terminals take a decimal number")
        if user.number in ("0", "99999999") or not 0 < len(user.number) <= 24:
            raise ConfigError(f"user number {user.number!r}: 0 and 99999999 mean doors and strangers, 24 digits fit")
        if await self._talk.name(user.number) != user.name:
            await self._talk.set_name(user.number, user.name)
        if user.card and await self._talk.card(user.number) != user.card:
            await self._talk.set_card(user.number, user.name, user.card)
        await self._talk.enable(user.number, enabled=user.enabled)

    async def log(self) -> AsyncIterator[Event]:
        """Everything in its log, as it sends it."""
        async for page in self._talk.pages("getalllog", stranger_events=has_stranger_events(self._source)):
            for event in events_of(page.items, self._source, self._clocks.wall_ms(), 0):
                yield event

    async def watch(self) -> AsyncIterator[Event]:
        """Punches as they are sent; the terminal keeps them, since nothing is acknowledged."""
        seen: set[Event] = set()
        while True:
            event = await self._shown.heard.get()
            if event not in seen:
                seen.add(event)
                yield event
