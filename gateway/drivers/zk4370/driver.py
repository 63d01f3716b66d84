"""The conversation with ZK terminals: counters and clock at each poll, the log when it grew, punches as they happen.

The log is the truth. A realtime punch only comes sooner: it moves no cursor, and the log brings it again, where the
outbox knows it by its business key.
"""

import asyncio
import importlib.util
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import tzinfo
from typing import TypeVar

from gateway.device import Decoded, Device, DeviceInfo
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal
from gateway.drivers.zk4370 import codec
from gateway.drivers.zk4370.capture import decode_capture
from gateway.drivers.zk4370.codec import BadRow, Counters, LogRow
from gateway.drivers.zk4370.conversation import ClockReading, Conversation, LogImage
from gateway.drivers.zk4370.cursor import Place
from gateway.drivers.zk4370.device import ZkDevice, identify, open_device
from gateway.drivers.zk4370.reader import Reader
from gateway.drivers.zk4370.scrub import ZkScrub
from gateway.drivers.zk4370.settings import NAMES_GBK, NO_REALTIME, PORT, address_of, key_of, layout_of
from gateway.drivers.zk4370.waiting import readable
from gateway.profile import Profile, device_zone
from shared.clock import CLOCK_SUSPECT_BEFORE_S, Clocks, DeviceSeconds
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Punch

FAMILY = "zk4370"

T = TypeVar("T")
SLICE = 500
"""Events in one transaction; each carries the cursor of its own last row."""
KEEP_ALIVE_S = 30.0
"""A silent session dies after about 60 s."""
READ_ANYWAY_S = 24 * 3600.0
READ_HEARD_S = 600.0
"""How long realtime punches that explain a grown counter may wait for the log: reading it locks the terminal."""
ALMOST_FULL_PCT = 90
DRIFT_WARNING_MS = 30_000
"""Reliability.md section 6; attendance rule AR-3 corrects from here on."""


class TerminalTask:
    """Keeps one terminal read. ``run`` is one session and ends only with an error."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        config, profile = terminal.config, terminal.profile
        self._config, self._profile, self._state, self._context = config, profile, terminal.state, context
        self._zone = device_zone(profile, config.zone, terminal.site_zone)
        self._address = address_of(config, profile)
        self._layout = layout_of(profile)
        self._reader = Reader(config.serial or config.name, profile, self._zone)
        self._place = Place()
        self._log_rows: int | None = None
        self._read_at_ms = 0
        self._heard: set[tuple[str, DeviceSeconds]] = set()
        self._read_now = True
        self._drift_ms: int | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def run(self) -> None:
        """Connect, read, listen until something breaks; the terminal is left enabled and its session free."""
        talk = Conversation(self._address, key_of(self._config), self._layout, self._context.clocks.wall_ms)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=self._config.name)
        try:
            await self._session(talk)
        except ConfigError:
            self._state.state, self._state.problem = "config_error", "refused"
            raise
        except MusterError:
            self._state.state = "offline"
            raise
        finally:
            talk.interrupt()
            try:
                # Shielded: a gateway that stops must still leave the terminal enabled.
                await asyncio.shield(asyncio.wrap_future(self._thread.submit(talk.close)))
            finally:
                self._thread.shutdown(wait=False)

    async def _session(self, talk: Conversation) -> None:
        await self._identify(talk)
        self._read_now, self._log_rows = True, None
        self._heard.clear()
        registered = NO_REALTIME in self._profile.quirks
        while True:
            await self._poll(talk)
            if not registered:
                await self._blocking(talk, talk.register)
                registered = True
                continue  # what was punched between the read and the registration
            await self._listen(talk)

    async def _identify(self, talk: Conversation) -> None:
        identity = await self._blocking(talk, talk.open)
        serial = identity.serial or self._config.serial or self._config.name
        self._reader = Reader(serial, self._profile, self._zone)
        value = await self._context.sink.cursor(self._cursor_key)
        try:
            self._place = Place.decode(value)
        except DataError:
            self._place = Place()  # take everything: what is known already is recognised
        self._state.serial, self._state.firmware = serial, identity.firmware

    @property
    def _cursor_key(self) -> str:
        return f"{FAMILY}:{self._reader.serial}"

    async def _poll(self, talk: Conversation) -> None:
        reading = await self._blocking(talk, talk.read_clock)
        self._drift_ms = self._reader.drift_ms(reading)
        counters = await self._blocking(talk, talk.read_counters)
        await self._put_heard(talk)  # what came before the answer is counted in it
        if self._must_read(counters):
            image = await self._blocking(talk, talk.read_log)
            await self._put_heard(talk)
            await self._store(image)
            counters = image.counters
            self._log_rows, self._read_at_ms, self._read_now = counters.log, self._context.clocks.mono_ms(), False
            self._heard.clear()
        self._show(reading, counters)

    def _must_read(self, counters: Counters) -> bool:
        age_s = (self._context.clocks.mono_ms() - self._read_at_ms) / 1000
        return (
            self._read_now
            or self._log_rows is None
            or counters.log != self._log_rows + len(self._heard)
            or 0 < counters.log_capacity <= counters.log
            or age_s >= (READ_HEARD_S if self._heard else READ_ANYWAY_S)
        )

    async def _store(self, image: LogImage) -> None:
        """Put what is new, slice by slice, each with the place after it in the same transaction."""
        records, size = image.records, image.size
        total = len(records) // size
        first = self._place.new_from(records, size)
        torn = bytes(records[total * size :])
        for start in range(first, total, SLICE):
            end = min(start + SLICE, total)
            rows = codec.decode_log(records[start * size : end * size], size, image.users)
            if torn and end == total:
                rows.append(BadRow("short_record", torn))
            await self._put(self._events(rows), self._place.after(records, size, start, end))
        if first == total:
            place = self._place.after(records, size, total, total)
            if place != self._place:
                await self._put([], place)

    def _events(self, rows: Sequence[LogRow | BadRow]) -> list[Event]:
        seen_ms, now_ms = self._context.seen_ms(), self._context.clocks.wall_ms()
        return [
            self._reader.punch(row, self._drift_ms, seen_ms, self._place.number + index)
            if isinstance(row, LogRow)
            else self._reader.damaged(row, now_ms, seen_ms)
            for index, row in enumerate(rows, 1)
        ]

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
        """Put punches as they happen until the next poll is due, or the log must be read at once."""
        clocks = self._context.clocks
        until_ms = clocks.mono_ms() + round(min(self._config.poll_s, KEEP_ALIVE_S) * 1000)
        while not self._read_now and (left_ms := until_ms - clocks.mono_ms()) > 0:
            talk.link.listen()
            if talk.link.heard:
                await self._put_heard(talk)
            else:
                await readable(talk.link, left_ms / 1000)

    async def _put_heard(self, talk: Conversation) -> None:
        heard = talk.link.heard
        rows: list[LogRow] = []
        while heard:
            try:
                row = codec.decode_event(heard.popleft())
            except DataError:
                self._read_now = True  # the log has its bytes, and their place in it
                continue
            if row.at < CLOCK_SUSPECT_BEFORE_S:
                self._read_now = True  # only the place in the log tells two such punches apart
            else:
                rows.append(row)
        if rows:
            seen_ms = self._context.seen_ms()
            # The cursor stays where it is, but says that this source keeps its own log (reliability.md section 5).
            await self._put([self._reader.punch(row, self._drift_ms, seen_ms) for row in rows], self._place)
            self._heard.update((row.user, row.at) for row in rows)

    def _show(self, reading: ClockReading, counters: Counters) -> None:
        state = self._state
        state.state, state.drift_ms = "online", self._drift_ms
        state.last_contact_ms = self._context.clocks.wall_ms()
        state.users, state.log_used = counters.users, counters.log
        state.log_capacity = counters.log_capacity or None
        state.problem = self._problem(reading, counters)

    def _problem(self, reading: ClockReading, counters: Counters) -> str | None:
        """What IT should look at first; None when all is well."""
        if reading.device is None or reading.device < CLOCK_SUSPECT_BEFORE_S:
            return "clock_reset"
        if 0 < counters.log_capacity <= counters.log:
            return "log_full"
        if counters.log * 100 >= counters.log_capacity * ALMOST_FULL_PCT > 0:
            return "log_almost_full"
        if self._drift_ms is not None and abs(self._drift_ms) > DRIFT_WARNING_MS:
            return "clock_drift"
        if self._config.serial and self._config.serial != self._reader.serial:
            return "other_serial"
        return None

    async def _blocking(self, talk: Conversation, work: Callable[[], T]) -> T:
        """Its result from this terminal's thread; when cancelled the work is told to stop, and has, on return."""
        if self._thread is None:
            raise RetryableError("not running")
        future = asyncio.wrap_future(self._thread.submit(work))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            talk.interrupt()
            await asyncio.wait([future])
            future.exception()
            raise


def _check_pyzk() -> None:
    if importlib.util.find_spec("zk") is None:
        raise ConfigError("terminals on port 4370 need pyzk, which is not installed: pip install 'muster[zk]'")


class ZkDriver:
    """Terminals on port 4370."""

    family = FAMILY
    quirks = frozenset({NO_REALTIME, NAMES_GBK})
    abilities = ZkDevice.abilities
    one_session = True
    ports: tuple[int, ...] = (PORT,)
    calls_us = False

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per terminal; ConfigError for settings that can not work."""
        _check_pyzk()
        return [DriverTask(t.config.name, (t,), TerminalTask(t, context).run) for t in terminals]

    def open(self, terminal: Terminal, clocks: Clocks) -> AbstractAsyncContextManager[Device]:
        """Connect; ConfigError for a refused key, RetryableError when nobody answers."""
        _check_pyzk()
        return open_device(terminal, clocks)

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """Ask for serial number, model and firmware without a key; None when it is something else."""
        return await identify(host, port)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What captured TCP packets or a dump of the log say."""
        return decode_capture(data, profile, zone, terminal)

    def scrub(self) -> ZkScrub:
        """For one recorded connection."""
        return ZkScrub()


DRIVER = ZkDriver()
