"""Axis door controllers: people who were let in, from the event logger, after the row that was stored last."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import tzinfo

import structlog

from gateway.device import Ability, Decoded, Device, DeviceInfo, DeviceUser, HealthFact, Trouble
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.axis import codec
from gateway.drivers.axis.codec import Access, Bad, Page, Place, Row
from gateway.profile import Profile
from gateway.transports.http_client import HttpClient
from gateway.transports.http_poll import HttpLogin, PollTask, ask_stranger, checked
from gateway.transports.scrub import HttpRecorded
from gateway.transports.source import Source, check_quirks, put_rows
from shared.clock import Clocks
from shared.errors import DataError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Punch

FAMILY = "axis"
QUIRKS: frozenset[str] = frozenset()
INFO = "/axis-cgi/basicdeviceinfo.cgi"
EVENTS = "/vapix/eventlogger"
PEOPLE = "/vapix/pacs"

log = structlog.get_logger("gateway")
KEPT = """
rowid utctime topic0 topic1 topic2 topic3 usertoken doortoken limit start serialnumber version prodnbr
prodfullname
"""
"""Fields of a recording that are no secret, in small letters."""


async def ask(client: HttpClient, path: str, question: bytes) -> bytes:
    """The body of an answer; errors of ``checked``."""
    reply = await client.request("POST", path, content=question, kind="application/json", limit=codec.BODY_LIMIT)
    return checked(reply, f"{client.base}{path}")


async def fetch(client: HttpClient, after: int, *, limit: int = codec.BATCH, newest_first: bool = False) -> Page:
    """Up to 1,000 rows after that one."""
    question = codec.fetch(after, limit=limit, newest_first=newest_first)
    return codec.decode_page(await ask(client, EVENTS, question))


def event_of(source: Source, row: Row, place: Place, *, now_ms: int = 0, seen_ms: int = 0) -> Event | None:
    """What is stored of a row; None for what is no punch. The controller tells UTC, its zone gives the wall clock."""
    if isinstance(row, Bad):
        return source.damaged(row.reason, row.raw, now_ms, seen_ms)
    if not isinstance(row, Access):
        return None
    offset_s = source.offset_at(row.utc_s)
    return source.punch(
        row.user,
        row.utc_s + offset_s,
        (),
        direction=row.direction,
        method=row.method,
        offset_s=offset_s,
        native_seq=place.native(row.row),
        seen_ms=seen_ms,
    )


class AxisTask(PollTask):
    """Keeps one controller read."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        super().__init__(FAMILY, terminal, context, INFO)
        check_quirks(terminal.profile, QUIRKS)
        self._place = Place()

    async def begin(self, client: HttpClient) -> None:
        """Take serial number and firmware, and see whether the row that was stored last is still there."""
        info = codec.decode_info(await ask(client, INFO, codec.INFO))
        self.name(info.serial, info.firmware)
        self._place = Place.decode(await self.context.sink.cursor(self.key))
        if self._place.row:
            page = await fetch(client, self._place.row - 1, limit=1)
            if not page.rows or not self._place.holds(page.rows[0]):
                self._begin_anew()

    async def poll(self, client: HttpClient) -> None:
        """Store what is new."""
        while True:
            page = await fetch(client, self._place.row)
            if not page.rows:
                break
            if max(row.row for row in page.rows) <= self._place.row:
                raise DataError("rows before the one that was asked for", code="bad_answer")
            await self._put(page.rows)
            if not page.more:
                break
        if not page.rows and self._place.row and await self._is_behind(client):
            self._begin_anew()
        self.show()

    async def _is_behind(self, client: HttpClient) -> bool:
        newest = await fetch(client, 0, limit=1, newest_first=True)
        return bool(newest.rows) and newest.rows[0].row < self._place.row

    def _begin_anew(self) -> None:
        """The log was cleared or overwritten: read all of it, what is known is recognised."""
        log.warning("log_began_anew", terminal=self.terminal.config.name, last=self._place.row)
        self._place = Place(self._place.epoch + 1)

    async def _put(self, rows: Sequence[Row]) -> None:
        now_ms, seen_ms = self.context.clocks.wall_ms(), self.context.seen_ms()
        place = self._place
        new = [row for row in rows if row.row > place.row]
        parts = [
            (event_of(self.source, row, place, now_ms=now_ms, seen_ms=seen_ms), place.after(row).encode())
            for row in new
        ]
        try:
            await put_rows(self.context.sink, self.key, parts)
        except RetryableError:
            self.state.problem = "buffer_refused"
            raise
        self._place = place.after(new[-1])
        if punches := [event.at for event, _ in parts if isinstance(event, Punch)]:
            self.state.last_event_ms = punches[-1]


class AxisDevice(Device):
    """One controller that a person looks at."""

    family = FAMILY
    abilities = frozenset({Ability.INFO, Ability.USERS, Ability.LOG})

    def __init__(self, client: HttpClient, terminal: Terminal, clocks: Clocks) -> None:
        self._client, self._terminal, self._clocks = client, terminal, clocks

    async def info(self) -> DeviceInfo:
        """What the controller says of itself."""
        told = codec.decode_info(await ask(self._client, INFO, codec.INFO))
        return DeviceInfo(serial=told.serial, model=told.model, firmware=told.firmware)

    async def users(self) -> list[DeviceUser]:
        """Everybody known, by token."""
        people = codec.decode_users(await ask(self._client, PEOPLE, codec.USERS))
        return [DeviceUser(one.token, one.name) for one in sorted(people, key=lambda one: one.token)]

    async def log(self) -> AsyncIterator[Event]:
        """Everybody who was let in, oldest first."""
        told = codec.decode_info(await ask(self._client, INFO, codec.INFO))
        source, place = Source.of(self._terminal, told.serial), Place()
        while rows := [row for row in (await fetch(self._client, place.row)).rows if row.row > place.row]:
            for row in rows:
                if (event := event_of(source, row, Place(), now_ms=self._clocks.wall_ms())) is not None:
                    yield event
            place = place.after(rows[-1])


class Axis(HttpRecorded):
    """The family of Axis door controllers."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    abilities = AxisDevice.abilities
    ports = (80,)

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per controller; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, (t,), AxisTask(t, context).run) for t in terminals]

    @asynccontextmanager
    async def open(self, terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
        """Connect; ConfigError for a refused login, RetryableError when nobody answers."""
        async with HttpLogin(terminal, INFO).client() as client:
            yield AxisDevice(client, terminal, clocks)

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """What it says of itself without a login; None when it says nothing, or is something else."""
        answer = await ask_stranger(host, port, INFO, codec.INFO_WITHOUT_LOGIN)
        try:
            told = codec.decode_info(answer) if answer is not None else None
        except MusterError:
            return None
        if told is None or told.serial is None or told.model is None:
            return None
        return DeviceInfo(serial=told.serial, model=told.model, firmware=told.firmware)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What one captured answer of the event logger or of basicdeviceinfo says; DataError when it is none."""
        info = codec.decode_info(data)
        if info.serial or info.model:
            facts = {"serial": info.serial, "model": info.model, "firmware": info.firmware}
            return [Decoded("info", health=(HealthFact("device", dict(facts)),))]
        rows = codec.decode_page(data).rows
        if not rows and b'"Event"' not in data:
            raise DataError("no answer of VAPIX that tells anything", code="unknown")
        source = Source(terminal, profile, zone)
        found = [event_of(source, row, Place()) for row in rows if isinstance(row, Access)]
        return [
            Decoded(
                "events",
                tuple(event for event in found if event is not None),
                (HealthFact("events", {"count": len(rows)}),),
                tuple(Trouble(row.reason, "no punch", row.raw) for row in rows if isinstance(row, Bad)),
            )
        ]


DRIVER = Axis()
