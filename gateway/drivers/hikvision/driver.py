"""The conversation with Hikvision terminals: their log by search at each poll, punches as they happen by alertStream.

The log is the truth. What the stream or a push brings only comes sooner: it moves no place in the log, and the log
brings it again, where the outbox knows it by its business key.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import tzinfo
from heapq import nlargest
from operator import itemgetter

import structlog

from gateway.device import Ability, Decoded, Device, DeviceInfo
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal
from gateway.drivers.hikvision import codec
from gateway.drivers.hikvision.codec import Clock, Item
from gateway.drivers.hikvision.conversation import (
    ALL_TIMES,
    PAGE,
    Isapi,
    LockedError,
    UnsupportedError,
    new_search,
    numbers_of,
)
from gateway.drivers.hikvision.decoding import decode
from gateway.drivers.hikvision.device import ABILITIES, client_of, drift_ms, identify, open_device
from gateway.drivers.hikvision.events import Reader, is_suspect
from gateway.drivers.hikvision.push import push_server
from gateway.profile import Profile, utc_offset_s
from gateway.transports.http_client import RefusedError
from gateway.transports.log_place import LOST_SPAN, Place
from gateway.transports.report_server import tasks_of
from gateway.transports.scrub import HttpRecorded
from gateway.transports.together import together
from shared.clock import CLOCK_SUSPECT_BEFORE_S, Clocks, device_seconds
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Punch

FAMILY = "hikvision"
NO_TIME_FILTER, NO_STREAM = "no_time_filter", "no_stream"
QUIRKS = frozenset({NO_TIME_FILTER, NO_STREAM})
LAYOUTS = frozenset({"log_capacity"})
SLICE = 500
"""Events in one transaction."""
SEEN_LIMIT = 2000
"""Events remembered from one round to the next; more of them are put again, and recognised."""
RECONNECT_S = 3.0
DRIFT_WARNING_MS = 30_000
ALMOST_FULL_PCT = 90
READ_ANYWAY_MS = 24 * 3600 * 1000
"""Without a time filter: how often the whole log is read, whatever the numbers say."""

log = structlog.get_logger("gateway")
KEPT = """
searchid responsestatusstrg numofmatches totalmatches major minor time employeenostring employeeno cardreaderno
doorno serialno usertype currentverifymode attendancestatus mask label datetime eventtype eventstate
eventdescription majoreventtype subeventtype currentevent frontserialno statusvalue channelid activepostcount
serialnumber model firmwareversion localtime timezone timemode statuscode statusstring substatuscode errorcode
searchresultposition maxresults starttime endtime
"""
"""Fields of a recording that are no secret, in small letters."""


class TerminalTask:
    """Keeps one terminal read. ``run`` is one session and ends only with an error."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        config, profile = terminal.config, terminal.profile
        if strange := (set(profile.quirks) - QUIRKS) | (set(profile.layouts) - LAYOUTS):
            raise ConfigError(f"profile {config.profile}: {sorted(strange)} are unknown to family {FAMILY}")
        self._terminal, self._config, self._state, self._context = terminal, config, terminal.state, context
        self._filter = True
        self._stream = NO_STREAM not in profile.quirks
        self._reader = Reader.of(terminal, config.serial or config.name)
        self._place = Place()
        self._drift_ms: int | None = None
        self._seen: set[tuple[int, Item]] = set()
        """Numbers and rows of the last round, so that a window is not put again and again."""
        self._full_at_ms: int | None = None
        self._state.log_capacity = profile.layouts.get("log_capacity")

    async def run(self) -> None:
        """Log in, read, listen until something breaks. One refused password parks the terminal: accounts lock."""
        try:
            async with client_of(self._terminal) as client:
                isapi = Isapi(client)
                await self._identify(isapi)
                await self._poll(isapi)
                await together(self._polls(isapi), self._listen(isapi))
        except ConfigError as error:
            self._state.state = "config_error"
            self._state.problem = _problem_of(error)
            raise
        except MusterError:
            self._state.state = "offline"
            raise

    async def _identify(self, isapi: Isapi) -> None:
        device = await isapi.device()
        serial = codec.text_of(device, "serialNumber") or self._config.serial or self._config.name
        self._reader = Reader.of(self._terminal, serial)
        self._state.serial, self._state.state = serial, "online"
        self._state.firmware = codec.text_of(device, "firmwareVersion")[:80] or None
        try:
            self._place = Place.decode(await self._context.sink.cursor(self._key))
        except DataError:
            self._place = Place()  # take everything: what is known already is recognised
        self._seen.clear()
        self._filter = NO_TIME_FILTER not in self._terminal.profile.quirks
        self._state.users = await isapi.user_count()

    @property
    def _key(self) -> str:
        return f"{FAMILY}:{self._reader.serial}"

    async def _polls(self, isapi: Isapi) -> None:
        while True:
            await asyncio.sleep(self._config.poll_s)
            await self._poll(isapi)

    async def _poll(self, isapi: Isapi) -> None:
        before = self._context.clocks.wall_ms()
        clock = await isapi.clock()
        now_ms = (before + self._context.clocks.wall_ms()) // 2
        self._drift_ms = drift_ms(clock, self._reader.zone, now_ms)
        if self._filter:
            try:
                await self._read_span(isapi, clock, now_ms)
            except UnsupportedError as error:
                log.info("no time filter", terminal=self._config.name, reason=str(error))
                self._filter = False  # firmware 3.2.30 and others: badJsonContent
        if not self._filter:
            await self._read_by_number(isapi)
        if self._state.log_capacity:
            self._state.log_used = await isapi.total(ALL_TIMES)
        self._show(clock)

    # Reading with a time filter

    async def _read_span(self, isapi: Isapi, clock: Clock, now_ms: int) -> None:
        """All that the window, or the whole log, holds; then what was written while the clock was lost."""
        now = device_seconds(clock.wall)
        offset_s = utc_offset_s(self._reader.zone, now) if clock.offset_s is None else clock.offset_s
        read = _Read()
        await self._take(isapi, codec.span_of(*self._place.span(now, now_ms), offset_s), read)
        suspects = self._place.suspects
        if self._place.device is not None and now >= CLOCK_SUSPECT_BEFORE_S:
            lost = codec.span_of(*LOST_SPAN, offset_s)
            page = await isapi.page(new_search(), 0, lost, self._reader.granted)
            found = page.total if page.total is not None else len(page.items)
            if found != suspects or page.total is None:
                await self._take(isapi, lost, read)
            suspects = found
        place = self._place
        if place.is_new_epoch(read.top):
            log.warning("counts anew", terminal=self._config.name, number=read.top, was=place.number)
            place = Place(place.epoch + 1, read.top, suspects=suspects)
            self._place = place
            self._seen.clear()
            again = _Read()
            await self._take(isapi, codec.span_of(*place.span(now, now_ms), offset_s), again)
            read = again
        await self._finish(read, Place(place.epoch, _higher(place.number, read.top), now, now_ms, suspects))

    async def _take(self, isapi: Isapi, span: tuple[str, str] | None, read: "_Read", position: int = 0) -> None:
        """Put what a search finds, page by page; the place waits for the end, since rows come unsorted."""
        async for page in isapi.pages(span, self._reader.granted, position):
            await self._accept(page.items, read)

    async def _accept(self, items: Sequence[Item], read: "_Read") -> None:
        read.top = _higher(read.top, max(numbers_of(tuple(items)), default=None))
        read.remember(items)
        events = [item for item in items if not isinstance(item, codec.Other)]
        new = [item for item in events if item.number is None or (item.number, item) not in self._seen]
        # Only its number tells a punch with a lost clock from another: it waits until the epoch is sure.
        read.late += (item for item in new if is_suspect(item))
        read.waiting += (item for item in new if not is_suspect(item))
        while len(read.waiting) >= SLICE:
            await self._put(self._events(read.waiting[:SLICE]), self._place)
            del read.waiting[:SLICE]

    async def _finish(self, read: "_Read", place: Place) -> None:
        items = [*read.waiting, *read.late]
        self._place = Place(place.epoch, self._place.number, self._place.device, self._place.wall_ms, place.suspects)
        parts = [items[n : n + SLICE] for n in range(0, len(items), SLICE)] or [[]]
        for part in parts[:-1]:
            await self._put(self._events(part, place), self._place)
        await self._put(self._events(parts[-1], place), place)
        self._seen = read.seen

    # Reading without one

    async def _read_by_number(self, isapi: Isapi) -> None:
        """From the end of the log back to the first known number, then forward; all of it when nothing is known."""
        mono_ms, granted = self._context.clocks.mono_ms(), self._reader.granted
        read, place = _Read(), self._place
        search = new_search()
        first = await isapi.page(search, 0, None, granted)
        position = 0
        due = self._full_at_ms is None or mono_ms - self._full_at_ms > READ_ANYWAY_MS
        if not due and place.number is not None and first.total is not None and first.total > len(first.items):
            position = await self._first_unread(isapi, search, first.total, _top(first.items))
        await self._take(isapi, None, read, position)
        if place.is_new_epoch(read.top):
            log.warning("counts anew", terminal=self._config.name, number=read.top, was=place.number)
            self._place = place = Place(place.epoch + 1, read.top)
            self._seen.clear()
            read = _Read()
            await self._take(isapi, None, read)
            position = 0
        if position == 0:
            self._full_at_ms = mono_ms
        await self._finish(read, Place(place.epoch, _higher(place.number, read.top)))

    async def _first_unread(self, isapi: Isapi, search: str, total: int, first_top: int | None) -> int:
        """Position of a page that holds a known number; 0 where the log is sorted otherwise or was cleared."""
        known, step, position = self._place.number or 0, PAGE, total
        while position > 0:
            position = max(0, position - step)
            page = await isapi.page(search, position, None, self._reader.granted)
            numbers = numbers_of(page.items)
            if not numbers or (first_top is not None and first_top > max(numbers)):
                return 0
            if min(numbers) <= known:
                return position
            step *= 2
        return position

    # Events and state

    def _events(self, items: Iterable[Item], place: Place | None = None, *, live: bool = False) -> list[Event]:
        clocks, seen_ms = self._context.clocks, self._context.seen_ms()
        chosen = self._place if place is None else place
        return self._reader.events(items, chosen, clocks.wall_ms(), seen_ms, drift_ms=self._drift_ms, live=live)

    async def _put(self, events: Sequence[Event], place: Place) -> None:
        """Commit events and place together; only then the place counts here too."""
        if not events and place == self._place:
            return
        try:
            await self._context.sink.put(events, Cursor(self._key, place.encode()))
        except RetryableError:
            self._state.problem = "buffer_refused"
            raise
        self._place = place
        if times := [event.at for event in events if isinstance(event, Punch)]:
            self._state.last_event_ms = max(times)

    async def _listen(self, isapi: Isapi) -> None:
        """Put punches as they happen; a stream that breaks or falls silent is opened again."""
        while self._stream:
            try:
                async with isapi.alerts() as pieces:
                    async for parts in pieces:
                        items = [item for part in parts for item in codec.part_items(part, self._reader.granted)]
                        await self._put_live(items)
            except (RefusedError, LockedError):
                raise
            except (UnsupportedError, ConfigError) as error:
                log.info("no stream", terminal=self._config.name, reason=str(error))
                return
            except MusterError as error:
                log.info("stream ended", terminal=self._config.name, reason=str(error))
            await asyncio.sleep(RECONNECT_S)

    async def _put_live(self, items: Sequence[Item]) -> None:
        if not items:
            return
        self._state.last_contact_ms = self._context.clocks.wall_ms()
        # The cursor stays where it is, but says that this source keeps its own log; so a refusal loses nothing.
        if events := self._events(items, live=True):
            with contextlib.suppress(RetryableError):
                await self._context.sink.put(events, Cursor(self._key, self._place.encode()))

    def _show(self, clock: Clock) -> None:
        state = self._state
        state.state, state.drift_ms = "online", self._drift_ms
        state.last_contact_ms = self._context.clocks.wall_ms()
        state.problem = self._problem(clock)

    def _problem(self, clock: Clock) -> str | None:
        """What IT should look at first; None when all is well."""
        used, capacity = self._state.log_used, self._state.log_capacity
        if device_seconds(clock.wall) < CLOCK_SUSPECT_BEFORE_S:
            return "clock_reset"
        if used is not None and capacity and used * 100 >= capacity * ALMOST_FULL_PCT:
            return "log_almost_full"
        if self._drift_ms is not None and abs(self._drift_ms) > DRIFT_WARNING_MS:
            return "clock_drift"
        if self._config.serial and self._config.serial != self._reader.serial:
            return "other_serial"
        return None


def _problem_of(error: ConfigError) -> str:
    if isinstance(error, LockedError):
        return "account_locked"
    return "refused" if isinstance(error, RefusedError) else "config_error"


class _Read:
    """What one round has found and not yet put."""

    def __init__(self) -> None:
        self.top: int | None = None
        self.waiting: list[Item] = []
        self.late: list[Item] = []
        self.seen: set[tuple[int, Item]] = set()

    def remember(self, items: Iterable[Item]) -> None:
        """Those with the highest numbers: enough for the window that is read again."""
        self.seen.update((item.number, item) for item in items if item.number is not None)
        if len(self.seen) > 2 * SEEN_LIMIT:
            self.seen = set(nlargest(SEEN_LIMIT, self.seen, key=itemgetter(0)))


def _higher(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else max(left, right)


def _top(items: Sequence[Item]) -> int | None:
    return max(numbers_of(tuple(items)), default=None)


class Hikvision(HttpRecorded):
    """Access terminals that speak ISAPI."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    abilities: frozenset[Ability] = ABILITIES
    ports: tuple[int, ...] = (80, 443)

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task for each terminal with a host, and one server for pushes where ``[push.hikvision]`` opens a port."""
        return tasks_of(FAMILY, terminals, context, lambda t: TerminalTask(t, context).run, push_server)

    def open(self, terminal: Terminal, clocks: Clocks) -> AbstractAsyncContextManager[Device]:
        """Log in to one terminal."""
        return open_device(terminal, clocks)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """Captured answers of a search, pushes, parts of a stream."""
        return decode(data, Reader(terminal, profile, zone))

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """Ask for deviceInfo without logging in: how it refuses tells what it is."""
        return await identify(host, port)


DRIVER = Hikvision()
