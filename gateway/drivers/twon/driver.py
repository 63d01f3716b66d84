"""2N intercoms and access units: subscribe to the event log, pull, and subscribe again when the subscription is gone.

Pulled events are taken out of the subscription, so each new one asks for all that the terminal still keeps (500).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import tzinfo

from gateway.device import Ability, Decoded, Device, DeviceClock, DeviceInfo, HealthFact, Trouble
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.twon import codec
from gateway.drivers.twon.codec import Access, Bad, Place, RefusalError, Row, Sessions
from gateway.profile import Profile
from gateway.transports.http_client import HttpClient
from gateway.transports.http_poll import HttpLogin, PollTask, ask_stranger, checked
from gateway.transports.scrub import HttpRecorded
from gateway.transports.source import Once, Source, check_quirks, put_rows
from shared.clock import Clocks
from shared.errors import DataError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Punch

FAMILY = "2n"
QUIRKS: frozenset[str] = frozenset()
PROBE = "/api/system/info"
WAIT_S = 20
"""How long the terminal may hold a pull open."""
DURATION_S = 3600
STATUS_MS = 300_000
"""Between two reads of the clock."""
KEPT = """
success id tzshift utctime uptime event ap session uuid direction reader valid apbbroken code serialnumber
swversion hwversion variant systemtime
"""
"""Fields of a recording that are no secret, in small letters."""


async def ask(client: HttpClient, call: str, **parameters: str | int) -> bytes:
    """The body of an answer; errors of ``checked``."""
    return checked(await client.get(f"/api/{call}", parameters), f"{client.base} {call}")


async def subscribe(client: HttpClient) -> int:
    """A subscription that begins with everything the terminal keeps; firmware that can not gets only what is new."""
    wanted: dict[str, str | int] = {"include": "all", "filter": ",".join(codec.WANTED), "duration": DURATION_S}
    try:
        return codec.decode_subscription(await ask(client, "log/subscribe", **wanted))
    except RefusalError as error:
        if error.number not in (11, codec.NO_SUCH_ID):
            raise
    return codec.decode_subscription(await ask(client, "log/subscribe", include="new", duration=DURATION_S))


def event_of(
    source: Source, row: Row, place: Place, *, drift_ms: int | None = None, now_ms: int = 0, seen_ms: int = 0
) -> Event | None:
    """What is stored of a row; None for what is no punch. The terminal tells UTC and its offset."""
    if isinstance(row, Bad):
        return source.damaged(row.reason, row.raw, now_ms, seen_ms)
    if not isinstance(row, Access):
        return None
    return source.punch(
        row.user,
        row.utc_s + row.offset_s,
        (row.door,),
        direction=row.direction,
        method=row.method,
        offset_s=row.offset_s,
        native_seq=place.native(row.number),
        drift_ms=drift_ms,
        seen_ms=seen_ms,
    )


class TwonTask(PollTask):
    """Keeps one terminal read."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        super().__init__(FAMILY, terminal, context, PROBE, WAIT_S + terminal.profile.link.timeout_s)
        check_quirks(terminal.profile, QUIRKS)
        self._sessions = Sessions()
        self._place = Place()
        self._status_due_ms = 0
        self._once = Once()

    async def begin(self, client: HttpClient) -> None:
        """Take serial number, firmware and the stored place."""
        info = codec.decode_info(await ask(client, "system/info"))
        self.name(info.serial, info.firmware)
        self._place = Place.decode(await self.context.sink.cursor(self.key))

    async def poll(self, client: HttpClient) -> None:
        """One subscription, from its first event to its end."""
        number = await subscribe(client)
        try:
            await self._look(client)
            await self._backlog(client, number)
            while True:
                self.show()
                await self._look(client)
                began_ms = self.context.clocks.mono_ms()
                rows = await self._pull(client, number, WAIT_S)
                if rows:
                    await self._put(rows)
                elif self.context.clocks.mono_ms() - began_ms < 1000:  # firmware that does not wait
                    await asyncio.sleep(self.terminal.config.poll_s)
        except RefusalError as error:
            if error.number != codec.NO_SUCH_ID:
                raise
            number = 0  # it ended, as the terminal restarted or the time was up: subscribe again
        finally:
            if number:
                with suppress(MusterError):
                    await ask(client, "log/unsubscribe", id=number)

    async def _look(self, client: HttpClient) -> None:
        now = self.context.clocks
        if now.mono_ms() < self._status_due_ms:
            return
        self._status_due_ms = now.mono_ms() + STATUS_MS
        status = codec.decode_status(await ask(client, "system/status"))
        if status.utc_s is not None:
            self.state.drift_ms = status.utc_s * 1000 + 500 - now.wall_ms()

    async def _backlog(self, client: HttpClient, number: int) -> None:
        """Store all that the terminal keeps. When all of it lies before the place, its numbers began anew."""
        rows: list[Row] = []
        while len(rows) < codec.EVENTS_LIMIT and (part := await self._pull(client, number, 0)):
            rows += part
        if rows and max(row.number for row in rows) < self._place.number:
            self._place = Place(self._place.epoch + 1, 0)
        await self._put(rows)

    async def _pull(self, client: HttpClient, number: int, wait_s: int) -> list[Row]:
        return codec.decode_events(await ask(client, "log/pull", id=number, timeout=wait_s), self._sessions)

    async def _put(self, rows: Sequence[Row]) -> None:
        now_ms, seen_ms = self.context.clocks.wall_ms(), self.context.seen_ms()
        stored: list[tuple[Event | None, bytes]] = []
        place = self._place
        for row in rows:
            event = event_of(self.source, row, place, drift_ms=self.state.drift_ms, now_ms=now_ms, seen_ms=seen_ms)
            if isinstance(row, Bad) and not self._once.is_new(row.raw):
                event = None
            place = Place(place.epoch, max(place.number, row.number))
            stored.append((event, place.encode()))
        try:
            await put_rows(self.context.sink, self.key, stored)
        except RetryableError:
            self.state.problem = "buffer_refused"
            raise
        self._place = place
        if punches := [event.at for event, _ in stored if isinstance(event, Punch)]:
            self.state.last_event_ms = punches[-1]


class TwonDevice(Device):
    """One terminal that a person looks at."""

    family = FAMILY
    abilities = frozenset({Ability.INFO, Ability.CLOCK, Ability.LOG, Ability.WATCH})

    def __init__(self, client: HttpClient, terminal: Terminal, clocks: Clocks) -> None:
        self._client, self._terminal, self._clocks = client, terminal, clocks

    async def info(self) -> DeviceInfo:
        """What the terminal says of itself."""
        told = codec.decode_info(await ask(self._client, "system/info"))
        return DeviceInfo(serial=told.serial, model=told.model or None, firmware=told.firmware)

    async def clock(self) -> DeviceClock:
        """Its clock beside ours; it tells UTC, shown in the zone that is configured for it."""
        status = codec.decode_status(await ask(self._client, "system/status"))
        now_ms = self._clocks.wall_ms()
        if status.utc_s is None:
            raise DataError("the terminal does not tell its time", code="bad_time")
        wall = Source.of(self._terminal).wall_at(status.utc_s * 1000)
        return DeviceClock(wall, now_ms, status.utc_s * 1000 + 500 - now_ms)

    async def log(self) -> AsyncIterator[Event]:
        """Everything that the terminal keeps; no place moves."""
        async for event in self._events(0):
            yield event

    async def watch(self) -> AsyncIterator[Event]:
        """Punches as they happen, after those that the terminal keeps."""
        async for event in self._events(WAIT_S):
            yield event

    async def _events(self, wait_s: int) -> AsyncIterator[Event]:
        told = codec.decode_info(await ask(self._client, "system/info"))
        source, sessions = Source.of(self._terminal, told.serial), Sessions()
        number = await subscribe(self._client)
        try:
            while True:
                rows = codec.decode_events(await ask(self._client, "log/pull", id=number, timeout=wait_s), sessions)
                for row in rows:
                    if (event := event_of(source, row, Place(), now_ms=self._clocks.wall_ms())) is not None:
                        yield event
                if not rows and not wait_s:
                    return
        finally:
            with suppress(MusterError):
                await ask(self._client, "log/unsubscribe", id=number)


class Twon(HttpRecorded):
    """The family of 2N terminals."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    abilities = TwonDevice.abilities
    ports = (80,)

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per terminal; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, (t,), TwonTask(t, context).run) for t in terminals]

    @asynccontextmanager
    async def open(self, terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
        """Connect; ConfigError for a refused login, RetryableError when nobody answers."""
        async with HttpLogin(terminal, PROBE, WAIT_S + terminal.profile.link.timeout_s).client() as client:
            yield TwonDevice(client, terminal, clocks)

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """What it says of itself without a login; None when it says nothing, or is something else."""
        answer = await ask_stranger(host, port, PROBE)
        try:
            told = codec.decode_info(answer) if answer is not None else None
        except MusterError:
            return None
        if told is None or told.serial is None or not (told.model or "").startswith("2N"):
            return None
        return DeviceInfo(serial=told.serial, model=told.model, firmware=told.firmware)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What one captured answer of log/pull, system/info or system/status says; DataError when it is none."""
        source = Source(terminal, profile, zone)
        rows = codec.decode_events(data, Sessions())
        if not rows and b'"events"' not in data:
            info, status = codec.decode_info(data), codec.decode_status(data)
            if info.serial is None and status.utc_s is None:
                raise DataError("no answer of the 2N API that tells anything", code="unknown")
            facts = {"serial": info.serial, "firmware": info.firmware, "clock": status.utc_s}
            return [Decoded("system", health=(HealthFact("device", dict(facts)),))]
        found = [event_of(source, row, Place()) for row in rows if isinstance(row, Access)]
        return [
            Decoded(
                "pull",
                tuple(event for event in found if event is not None),
                (HealthFact("events", {"count": len(rows)}),),
                tuple(Trouble(row.reason, "no punch", row.raw) for row in rows if isinstance(row, Bad)),
            )
        ]


DRIVER = Twon()
