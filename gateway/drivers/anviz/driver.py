"""The conversation with Anviz terminals: clock and counters at each poll, records with the new flag, pushes in between.

Flags are taken off after the commit, and only as many as were stored. Another client may take off others: more records
without flag than we have stored mean that, and then the whole log is read.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import tzinfo

import structlog

from gateway.device import Decoded, Device, DeviceInfo
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal, TerminalState
from gateway.drivers.anviz import codec
from gateway.drivers.anviz.capture import decode_capture
from gateway.drivers.anviz.codec import BadRow, Counters, LogRow
from gateway.drivers.anviz.conversation import KEEP_ALIVE_S, ClockReading, Conversation
from gateway.drivers.anviz.device import AnvizDevice
from gateway.drivers.anviz.place import Place
from gateway.drivers.anviz.reader import Reader
from gateway.drivers.anviz.scrub import AnvizScrub
from gateway.drivers.anviz.settings import PORT, address_of, connect, layout_of, log_in
from gateway.profile import Profile, device_zone
from gateway.transports.tcp import TcpLink
from shared.clock import CLOCK_SUSPECT_BEFORE_S, Clocks, device_seconds
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Flag, Punch

FAMILY = "anviz"
SLICE = 500
"""Events in one transaction; each carries the place after its own last record."""
SETTLE_S = 1.0
"""Counters lag behind each other for a second after a punch."""
ROLL_MARGIN = 100
"""Punches that may fill a log, and drop as many of its oldest records, between the read and the clear."""
IDENTIFY_S = 3.0
DRIFT_WARNING_MS = 30_000
"""Reliability.md section 6."""
ALMOST_FULL_PCT = 90

log = structlog.get_logger("gateway")


class TerminalTask:
    """Keeps one terminal read; ``run`` ends only with an error."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        self._terminal, self._context = terminal, context
        self._config, self._state = terminal.config, terminal.state
        self._zone = device_zone(terminal.profile, terminal.config.zone, terminal.site_zone)
        self._host, self._port = address_of(terminal)
        layout_of(terminal.profile)
        self._reader = Reader(self._config.serial or self._config.name, terminal.profile, self._zone)
        self._place = Place()
        self._drift_ms: int | None = None
        self._heard = 0
        self._poll_now = False

    async def run(self) -> None:
        """Session after session: one lasts while the terminal pushes, else for one poll, as it serves one client."""
        try:
            while True:
                async with await connect(self._terminal) as link:
                    await self._session(Conversation(link, self._terminal.profile.link.timeout_s))
                await asyncio.sleep(self._config.poll_s)
        except ConfigError:
            self._state.state, self._state.problem = "config_error", "refused"
            raise
        except DataError as error:
            self._state.state = "offline"
            raise RetryableError(f"terminal {self._config.name}: {error}") from error
        except MusterError:
            self._state.state = "offline"
            raise

    async def _session(self, talk: Conversation) -> None:
        await log_in(talk, self._terminal)
        await self._identify(talk)
        pushes = await talk.realtime()
        self._heard = 0
        while True:
            self._poll_now = False
            await self._poll(talk)
            if not pushes:
                return
            await self._listen(talk)

    async def _identify(self, talk: Conversation) -> None:
        serial = await talk.serial() or self._config.serial or self._config.name
        self._reader = Reader(serial, self._terminal.profile, self._zone)
        try:
            self._place = Place.decode(await self._context.sink.cursor(self._cursor_key))
        except DataError:
            self._place = Place()  # take everything: what is known already is recognised
        self._state.serial = serial
        self._state.firmware = await talk.firmware() or None
        capacity = await talk.capacity()
        self._state.log_capacity = capacity.log if capacity and capacity.log else None

    @property
    def _cursor_key(self) -> str:
        return f"{FAMILY}:{self._reader.serial}"

    async def _poll(self, talk: Conversation) -> None:
        reading = await talk.clock(self._context.clocks.wall_ms)
        self._drift_ms = self._reader.drift_ms(reading)
        counters = await talk.counters()
        await self._put_heard(talk)
        if counters.log < self._place.stored:  # cleared, or reset in the factory
            self._place = Place(0, self._place.base + self._place.stored)
        if self._place.complete and self._unexplained(counters) > 0:
            await asyncio.sleep(SETTLE_S)
            counters = await talk.counters()
        if not self._place.complete or self._unexplained(counters) > 0:
            await self._read_all(talk, counters)
        elif counters.log - counters.new > self._place.stored:
            await self._put([], self._place._replace(stored=counters.log - counters.new))
        if counters.new:
            await self._read_new(talk, counters)
        self._show(reading, counters)

    def _unexplained(self, counters: Counters) -> int:
        """Records without new flag beyond those that we stored."""
        pushed = max(self._heard - counters.new, 0)  # some firmware takes the flag off what it pushes
        return counters.log - counters.new - self._place.stored - pushed

    async def _read_all(self, talk: Conversation, counters: Counters) -> None:
        base = self._place.base
        read = await self._read(talk, codec.FIRST_ALL, counters.log, Place(0, base))
        await self._put([], Place(read, base, complete=True))

    async def _read_new(self, talk: Conversation, counters: Counters) -> None:
        start = self._place._replace(stored=max(counters.log - counters.new, 0))
        read = await self._read(talk, codec.FIRST_NEW, counters.new, start)
        if count := await self._clearable(talk, read):
            await talk.clear_new(count)

    async def _clearable(self, talk: Conversation, read: int) -> int:
        """From how many records the flag can be taken, of the ``read`` ones that are stored."""
        counters = await talk.counters()
        if counters.new < read:
            # Another client took flags off: those that are left may be of punches that nobody has read yet.
            log.warning("flags_taken", terminal=self._config.name, stored=read, left=counters.new)
            return 0
        room = self._state.log_capacity
        if room and counters.log > room - ROLL_MARGIN and counters.log - counters.new < ROLL_MARGIN:
            return max(read - ROLL_MARGIN, 0)  # a full log drops its oldest: the first flags may have moved on
        return read

    async def _read(self, talk: Conversation, mode: int, wanted: int, start: Place) -> int:
        """Store up to ``wanted`` records slice by slice, each with the place after it; how many there were."""
        rows: list[LogRow | BadRow] = []
        read = stored = 0
        async for count, block in talk.blocks(mode, wanted):
            rows += block
            read += count
            if len(rows) > SLICE - codec.BLOCK or read >= wanted:
                await self._put_rows(rows, start, stored, read)
                rows, stored = [], read
        if rows:
            await self._put_rows(rows, start, stored, read)
        self._heard = 0
        return read

    async def _put_rows(self, rows: Sequence[LogRow | BadRow], start: Place, stored: int, read: int) -> None:
        now_ms, seen_ms = self._context.clocks.wall_ms(), self._context.seen_ms()
        first = start.base + start.stored + stored + 1
        events = self._reader.events(rows, first, self._drift_ms, now_ms, seen_ms)
        for at in range(0, len(events), SLICE):  # a block of another firmware may hold more than we asked for
            await self._put(events[at : at + SLICE], start._replace(stored=start.stored + read))

    async def _put(self, events: Sequence[Event], place: Place) -> None:
        """Commit events and place together; only then the place counts here too."""
        try:
            await self._context.sink.put(events, Cursor(self._cursor_key, place.encode()))
        except RetryableError:
            self._state.problem = "buffer_refused"
            raise
        self._place = place
        if times := [event.at for event in events if isinstance(event, Punch)]:
            self._state.last_event_ms = times[-1]

    async def _listen(self, talk: Conversation) -> None:
        """Put punches as they happen until the next poll is due."""
        clocks = self._context.clocks
        until_ms = clocks.mono_ms() + round(min(self._config.poll_s, KEEP_ALIVE_S) * 1000)
        while not self._poll_now and (left_ms := until_ms - clocks.mono_ms()) > 0:
            await talk.listen(left_ms / 1000)
            await self._put_heard(talk)

    async def _put_heard(self, talk: Conversation) -> None:
        punches: list[Event] = []
        seen_ms = self._context.seen_ms()
        while talk.heard and len(punches) < SLICE:
            row = codec.decode_record(talk.heard.popleft())
            if isinstance(row, BadRow) or row.at < CLOCK_SUSPECT_BEFORE_S:
                self._poll_now = True  # the log has it, and its place there tells it from another of that second
            elif row.work_code < codec.USER_ADDED:
                punches.append(self._reader.punch(row, self._drift_ms, seen_ms, flags=Flag.REALTIME))
        if punches:
            await self._put(punches, self._place)
            self._heard += len(punches)

    def _show(self, reading: ClockReading, counters: Counters) -> None:
        state = self._state
        state.state, state.drift_ms = "online", self._drift_ms
        state.last_contact_ms = self._context.clocks.wall_ms()
        state.users, state.log_used = counters.users, counters.log
        state.problem = self._problem(reading, state)

    def _problem(self, reading: ClockReading, state: TerminalState) -> str | None:
        """What IT should look at first; None when all is well."""
        if reading.device is None or device_seconds(reading.device) < CLOCK_SUSPECT_BEFORE_S:
            return "clock_reset"
        used, room = state.log_used or 0, state.log_capacity
        if room and used >= room:
            return "log_full"
        if room and used * 100 >= room * ALMOST_FULL_PCT:
            return "log_almost_full"
        if self._drift_ms is not None and abs(self._drift_ms) > DRIFT_WARNING_MS:
            return "clock_drift"
        if self._config.serial and self._config.serial != self._reader.serial:
            return "other_serial"
        return None


class AnvizDriver:
    """Terminals that speak TC_B on port 5010."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()
    abilities = AnvizDevice.abilities
    one_session = True
    calls_us = False
    ports = (PORT,)

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per terminal; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, (t,), TerminalTask(t, context).run) for t in terminals]

    @asynccontextmanager
    async def open(self, terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
        """Connect; ConfigError for a refused login, RetryableError when nobody answers."""
        async with await connect(terminal) as link:
            talk = Conversation(link, terminal.profile.link.timeout_s)
            await log_in(talk, terminal)
            serial = await talk.serial() or terminal.config.serial or terminal.config.name
            yield AnvizDevice(talk, terminal, clocks, serial)

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """Ask for model, serial number and firmware without logging in; None when it is something else."""
        try:
            async with await TcpLink.connect(host, port, IDENTIFY_S) as link:
                talk = Conversation(link, IDENTIFY_S)
                serial = await talk.serial()
                model, firmware = await talk.model(), await talk.firmware()
        except MusterError:
            return None
        return DeviceInfo(serial=serial or None, model=model or None, firmware=firmware or None)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What captured frames say, binary or as lines of hexadecimal; DataError when none is in it."""
        return decode_capture(data, profile, zone, terminal)

    def scrub(self) -> AnvizScrub:
        """For one recorded connection."""
        return AnvizScrub()


DRIVER = AnvizDriver()
