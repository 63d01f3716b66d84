"""The port to which these terminals connect: registration, rows acknowledged after the commit, the log read again."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from gateway.driver import DriverContext, Terminal
from gateway.drivers.aiface_ws import codec
from gateway.drivers.aiface_ws.codec import Bad, Happening, Item, Message
from gateway.drivers.aiface_ws.conversation import Conversation
from gateway.drivers.aiface_ws.events import events_of, has_stranger_events
from gateway.transports.http_front import Answer, Body, Head, listening
from gateway.transports.push_server import LOOK_S, Pusher, PushServer
from gateway.transports.source import Source
from gateway.transports.websocket import POST_LIMIT, Socket, SocketFront
from shared.errors import DataError, MusterError, RetryableError
from shared.scan import Damaged

FAMILY = "aiface_ws"
SILENCE_S = 180.0
"""``reg`` comes every 20 s at least until answered, and serves as heartbeat."""
RECONCILE_S = 900.0
"""How often the terminal is asked for rows that it has not sent."""
OUR_CLOCK_LOST_MS = 1_735_689_600_000
"""2025-01-01: a gateway that has just lost power must not turn the clocks of its terminals back."""
API = "/pub/api"
MET_LIMIT = 1000
"""Rows that can not be read and are remembered."""

log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Place:
    """Whether the whole log was read once, and the last index that was sent."""

    complete: bool = False
    index: int | None = None

    def encode(self) -> bytes:
        """Bytes for the outbox."""
        return json.dumps([1, self.complete, self.index]).encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Place":
        """The place in such bytes; nothing read where they are none."""
        try:
            version, complete, index = json.loads(value or b"[1, false, null]")
        except (ValueError, TypeError):
            return cls()
        whole = version == 1 and isinstance(complete, bool) and (index is None or isinstance(index, int))
        return cls(complete, index) if whole else cls()


class AifaceServer(PushServer):
    """All terminals of the family; ``live`` by serial number are those with an open WebSocket."""

    def __init__(
        self,
        terminals: Sequence[Terminal],
        context: DriverContext,
        *,
        reconciles: bool = True,
        reconcile_s: float = RECONCILE_S,
        device_of: Callable[[Conversation, Source], object] | None = None,
    ) -> None:
        super().__init__(FAMILY, terminals, context)
        self.live: dict[str, Conversation] = {}
        self.called = asyncio.Event()
        """Somebody registered."""
        self._met: dict[bytes, None] = {}
        """What could not be read and is stored: a terminal repeats it."""
        self._reconciles, self._reconcile_s = reconciles, reconcile_s
        self._device_of = device_of
        """Makes of a conversation what the rest of the gateway can talk to."""

    async def serve(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        front = SocketFront(self.on_socket, self.on_request, self.context.clocks.wall_ms, self._failed, SILENCE_S)
        async with listening(front, *self._address):
            while True:
                self._notice_silence()
                await asyncio.sleep(LOOK_S)

    async def on_socket(self, socket: Socket) -> None:
        """One connection until it ends."""
        talk = Conversation(socket)
        reading: asyncio.Task[None] | None = None
        try:
            while (data := await socket.receive()) is not None:
                if not data:
                    self.meet(talk.serial)
                    continue
                said = await self.answer(data, talk)
                if said is not None:
                    await socket.send(said)
                pusher = self.known.get(talk.serial)
                if pusher is not None and reading is None and self._reconciles:
                    reading = asyncio.create_task(self._reconcile(pusher, talk))
        except RetryableError as error:
            log.info("hung up", family=FAMILY, reason=str(error))
        finally:
            if self.live.get(talk.serial) is talk:
                del self.live[talk.serial]
                self.context.present(talk.serial, None)
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def on_request(self, head: Head, body: Body) -> Answer:
        """The HTTP twin: the same JSON as a post, the same answer as its body."""
        if head.method != "POST" or head.path.rstrip("/") != API:
            await body.drain()
            return Answer(404, "no such call")
        said = await self.answer(await body.read(POST_LIMIT), None)
        return Answer(200, said, "application/json") if said is not None else Answer(503, "not stored, send again")

    async def answer(self, data: bytes, talk: Conversation | None) -> str | None:
        """What is answered to a message; None for nothing, after which a terminal sends it again."""
        try:
            message = codec.message_of(data)
        except DataError as error:
            return await self._broken(data, talk, error)
        if message.is_answer:
            if talk is not None:
                talk.settle(message)
            return None
        pusher = self.meet(message.serial or (talk.serial if talk is not None else ""))
        if pusher is not None:
            return await self._said(pusher, message, talk)
        return codec.refusal("reg", "did not reg") if message.name == "reg" else None

    async def _said(self, pusher: Pusher, message: Message, talk: Conversation | None) -> str | None:
        if message.name == "reg":
            return self._register(pusher, message, talk)
        if message.name == "sendlog":
            return await self._rows(pusher, message)
        if message.name == "sendqrcode":
            return codec.answer("sendqrcode", access=0)
        if message.name == "senduser":
            return codec.answer("senduser", **self._time(pusher))
        return codec.answer(message.name)

    def _register(self, pusher: Pusher, message: Message, talk: Conversation | None) -> str:
        facts, state = codec.facts_of(message), pusher.state
        state.firmware = facts.firmware or state.firmware
        state.users = state.users if facts.users is None else facts.users
        state.log_used = state.log_used if facts.log_used is None else facts.log_used
        state.log_capacity = state.log_capacity if facts.log_capacity is None else facts.log_capacity
        if facts.second is not None:
            self.read_clock(pusher, facts.second)
        if talk is not None:
            talk.serial, talk.facts = pusher.serial, facts
            talk.socket.trust()
            self.live[pusher.serial] = talk
            self.called.set()
            if self._device_of is not None:
                self.context.present(pusher.serial, self._device_of(talk, pusher.source))
        return codec.answer("reg", **self._time(pusher), nosenduser=True)

    async def _rows(self, pusher: Pusher, message: Message) -> str | None:
        items = codec.items_of(message, stranger_events=has_stranger_events(pusher.source))
        index = message.number("logindex")
        for item in items:
            if isinstance(item, Happening) and item.event in codec.ALARMS and item.name != "stranger":
                self.note(pusher, "alarm", item.name)
        place = Place.decode(await self.context.sink.cursor(_key(pusher)))
        if not await self._keep(pusher, items, index, Place(place.complete, index)):
            return None
        count = message.number("count")
        return self._stored(pusher, len(items) if count is None else count, index)

    async def _keep(
        self, pusher: Pusher, items: Sequence[Item], index: int | None = None, place: Place | None = None
    ) -> bool:
        """Commit rows; of those that can not be read each once, however often the terminal repeats it."""
        now_ms, seen_ms = self.context.clocks.wall_ms(), self.context.seen_ms()
        bad = {item.raw: None for item in items if isinstance(item, Bad) and item.raw not in self._met}
        events = [
            event
            for event in events_of(items, pusher.source, now_ms, seen_ms, index=index)
            if not isinstance(event, Damaged) or event.raw in bad
        ]
        if not await self.store(pusher, events, _key(pusher), place.encode() if place is not None else None):
            return False
        self._met.update(bad)
        while len(self._met) > MET_LIMIT:
            del self._met[next(iter(self._met))]
        return True

    def _stored(self, pusher: Pusher, count: int | None, index: int | None) -> str:
        """Without ``access``: where the terminal waits for a verdict, a gateway opens no door."""
        fields: dict[str, codec.Json] = {} if count is None else {"count": count}
        if index is not None:
            fields["logindex"] = index
        return codec.answer("sendlog", **fields, **self._time(pusher))

    async def _broken(self, data: bytes, talk: Conversation | None, error: DataError) -> str | None:
        """A message that is no JSON: its log rows go to a person, and the terminal may go on."""
        rest = codec.salvage(data)
        pusher = self.meet(rest.serial or (talk.serial if talk is not None else ""))
        if pusher is None:
            return None
        self.note(pusher, "bad_message", str(error))
        if rest.raw and not await self._keep(pusher, [Bad(error.code, rest.raw)]):
            return None
        if rest.is_answer or not rest.name:
            return None
        if rest.name == "sendlog":
            return self._stored(pusher, rest.count, rest.index)
        return codec.answer(rest.name, **self._time(pusher))

    async def _reconcile(self, pusher: Pusher, talk: Conversation) -> None:
        """Read the whole log once, then from time to time what the terminal takes for new."""
        key = _key(pusher)
        while True:
            try:
                place = Place.decode(await self.context.sink.cursor(key))
                name = "getnewlog" if place.complete else "getalllog"
                async for page in talk.pages(name, stranger_events=has_stranger_events(pusher.source)):
                    if not await self._keep(pusher, page.items):
                        raise RetryableError("the outbox refuses")
                if not place.complete:
                    now = Place.decode(await self.context.sink.cursor(key))
                    await self.store(pusher, (), key, Place(complete=True, index=now.index).encode())
                with suppress(DataError):
                    self.read_clock(pusher, await talk.clock())
            except MusterError as error:
                log.info("log not read", terminal=pusher.terminal.config.name, reason=str(error))
            await asyncio.sleep(self._reconcile_s)

    def _time(self, pusher: Pusher) -> dict[str, codec.Json]:
        """What the terminal's clock should show: it sets itself by this. Nothing while our own clock is lost."""
        now_ms = self.context.clocks.wall_ms()
        if now_ms < OUR_CLOCK_LOST_MS:
            return {}
        return {"cloudtime": f"{pusher.source.wall_at(now_ms):{codec.TIME_FORMAT}}"}


def _key(pusher: Pusher) -> str:
    return f"{FAMILY}:{pusher.serial}"
