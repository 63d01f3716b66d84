"""Akuvox intercoms: the door log, newest first, read down to the line that was stored last."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import tzinfo

from gateway.device import Ability, Decoded, Device, DeviceInfo, DeviceUser, HealthFact, Trouble
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.akuvox import codec
from gateway.drivers.akuvox.codec import Bad, Row
from gateway.profile import Profile
from gateway.transports.http_client import HttpClient
from gateway.transports.http_poll import HttpLogin, PollTask, ask_stranger, checked
from gateway.transports.scrub import HttpRecorded
from gateway.transports.source import Once, Source, check_quirks, put_rows
from shared.clock import Clocks
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Method, Punch

FAMILY = "akuvox"
QUIRKS: frozenset[str] = frozenset()
PROBE = "/api/system/info"
PAGES_LIMIT = 10_000
LINES_LIMIT = 100_000
"""Lines that are held at once; the largest terminals keep far fewer."""
KEPT = "retcode action message num id type status code date time model mac firmwareversion hardwareversion"
"""Fields of a recording that are no secret, in small letters."""


async def ask(client: HttpClient, call: str, **parameters: str | int) -> bytes:
    """The body of an answer; errors of ``checked``."""
    return checked(await client.get(f"/api/{call}", parameters, codec.BODY_LIMIT), f"{client.base} {call}")


async def read_log(client: HttpClient, until: bytes) -> list[Row]:
    """Lines after the one with that mark, oldest first; the whole log when it is not there any more."""
    found: list[Row] = []
    before: list[bytes] = []
    for page in range(1, PAGES_LIMIT + 1):
        rows = codec.decode_log(await ask(client, "doorlog/get", page=page))
        marks = [row.mark for row in rows]
        if not rows or marks == before:  # firmware without pages gives the same again
            break
        if until in marks:
            found += rows[: marks.index(until)]
            break
        found, before = found + rows, marks
        if len(found) > LINES_LIMIT:
            raise DataError(f"more than {LINES_LIMIT} lines", code="too_large")
    found.reverse()
    return found


def event_of(source: Source, row: Row, *, now_ms: int = 0, seen_ms: int = 0) -> Event | None:
    """What is stored of a line; None for a refusal."""
    if isinstance(row, Bad):
        return source.damaged(row.reason, row.raw, now_ms, seen_ms)
    if not row.user:
        return None
    method = source.profile.method(row.kind) if row.kind >= 0 else Method.UNKNOWN
    return source.punch(row.user, row.at, (row.kind, row.status), method=method, seen_ms=seen_ms)


class AkuvoxTask(PollTask):
    """Keeps one terminal read."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        super().__init__(FAMILY, terminal, context, PROBE)
        check_quirks(terminal.profile, QUIRKS)
        self._once = Once()

    async def begin(self, client: HttpClient) -> None:
        """Take MAC address and firmware."""
        info = codec.decode_info(await ask(client, "system/info"))
        self.name(info.serial, info.firmware)

    async def poll(self, client: HttpClient) -> None:
        """Store what is new; the place is the newest line."""
        stored = await self.context.sink.cursor(self.key) or b""
        rows = await read_log(client, stored)
        now_ms, seen_ms = self.context.clocks.wall_ms(), self.context.seen_ms()
        # A log that is read again as a whole brings damaged lines again, which nothing else recognises.
        new = [row for row in rows if not isinstance(row, Bad) or self._once.is_new(row.raw)]
        parts = [(event_of(self.source, row, now_ms=now_ms, seen_ms=seen_ms), row.mark) for row in new]
        try:
            await put_rows(self.context.sink, self.key, parts)
        except RetryableError:
            self.state.problem = "buffer_refused"
            raise
        if punches := [event.at for event, _ in parts if isinstance(event, Punch)]:
            self.state.last_event_ms = punches[-1]
        self.show()


class AkuvoxDevice(Device):
    """One terminal that a person looks at."""

    family = FAMILY
    abilities = frozenset({Ability.INFO, Ability.USERS, Ability.LOG})

    def __init__(self, client: HttpClient, terminal: Terminal, clocks: Clocks) -> None:
        self._client, self._terminal, self._clocks = client, terminal, clocks

    async def info(self) -> DeviceInfo:
        """What the terminal says of itself."""
        told = codec.decode_info(await ask(self._client, "system/info"))
        return DeviceInfo(serial=told.serial, model=told.model, firmware=told.firmware)

    async def users(self) -> list[DeviceUser]:
        """Everybody enrolled, by number."""
        found: dict[str, DeviceUser] = {}
        for page in range(1, PAGES_LIMIT + 1):
            people = codec.decode_users(await ask(self._client, "user/get", page=page))
            new = {one.number: DeviceUser(one.number, one.name, one.card) for one in people}
            if new.keys() <= found.keys():
                break
            found |= new
        return [found[number] for number in sorted(found)]

    async def log(self) -> AsyncIterator[Event]:
        """Everything in its log, oldest first."""
        told = codec.decode_info(await ask(self._client, "system/info"))
        source = Source.of(self._terminal, told.serial)
        for row in await read_log(self._client, b""):
            if (event := event_of(source, row, now_ms=self._clocks.wall_ms())) is not None:
                yield event


class Akuvox(HttpRecorded):
    """The family of Akuvox terminals."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    abilities = AkuvoxDevice.abilities
    ports = (80,)

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per terminal; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, (t,), AkuvoxTask(t, context).run) for t in terminals]

    @asynccontextmanager
    async def open(self, terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
        """Connect; ConfigError for a refused login, RetryableError when nobody answers."""
        async with HttpLogin(terminal, PROBE).client() as client:
            yield AkuvoxDevice(client, terminal, clocks)

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """What it says of itself without a login; None when it says nothing, or is something else."""
        answer = await ask_stranger(host, port, PROBE)
        try:
            told = codec.decode_info(answer) if answer is not None else None
        except MusterError:
            return None
        if told is None or told.serial is None or told.model is None:
            return None
        return DeviceInfo(serial=told.serial, model=told.model, firmware=told.firmware)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What one captured answer of doorlog/get or system/info says; DataError when it is none."""
        try:
            info = codec.decode_info(data)
            if info.serial or info.model:
                facts = {"serial": info.serial, "model": info.model, "firmware": info.firmware}
                return [Decoded("info", health=(HealthFact("device", dict(facts)),))]
            rows = codec.decode_log(data)
        except (ConfigError, RetryableError) as error:
            return [Decoded("refusal", health=(HealthFact("refused", {"text": str(error)}),))]
        source = Source(terminal, profile, zone)
        found = [event_of(source, row) for row in reversed(rows) if not isinstance(row, Bad)]
        return [
            Decoded(
                "doorlog",
                tuple(event for event in found if event is not None),
                (HealthFact("lines", {"count": len(rows)}),),
                tuple(Trouble(row.reason, "no punch", row.raw) for row in rows if isinstance(row, Bad)),
            )
        ]


DRIVER = Akuvox()
