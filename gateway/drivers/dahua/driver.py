"""The conversation with Dahua terminals: their log by search at each poll, punches as they happen by the event stream.

The log is the truth. What the stream or a report brings only comes sooner: it moves no place in the log, and the log
brings it again, where the outbox knows it by its business key.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, tzinfo
from heapq import nlargest

import structlog

from gateway.device import Ability, Decoded, Device, DeviceInfo
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal
from gateway.drivers.dahua import codec
from gateway.drivers.dahua.codec import Item
from gateway.drivers.dahua.conversation import Cgi, LockedError, UnsupportedError
from gateway.drivers.dahua.decoding import decode
from gateway.drivers.dahua.device import ABILITIES, client_of, drift_ms, identify, info_of, open_device
from gateway.drivers.dahua.events import FRESH_S, LOCAL_TIME, Reader, is_suspect
from gateway.drivers.dahua.push import push_server
from gateway.profile import Profile, utc_offset_s
from gateway.transports.http_client import RefusedError
from gateway.transports.log_place import FAR_S, LOST_SPAN, Place
from gateway.transports.report_server import tasks_of
from gateway.transports.scrub import HttpRecorded
from gateway.transports.together import together
from shared.clock import CLOCK_SUSPECT_BEFORE_S, Clocks, device_seconds
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Punch

FAMILY = "dahua"
NO_TIME_FILTER, NO_STREAM = "no_time_filter", "no_stream"
QUIRKS = frozenset({NO_TIME_FILTER, NO_STREAM, LOCAL_TIME})
LAYOUTS = frozenset({"log_capacity"})
SLICE = 500
"""Events in one transaction."""
SEEN_LIMIT = 2000
RECONNECT_S = 3.0
DRIFT_WARNING_MS = 30_000
ALMOST_FULL_PCT = 90
READ_ANYWAY_MS = 600_000
"""How often the log is looked through although it has as many rows as before."""

log = structlog.get_logger("gateway")
KEPT = """
found totalcount recno userid createtime createtimerealutc method type status errorcode attendancestate door
readerid code action index utc count result sn version eventbaseinfo.code
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
        self._seen: set[Item] = set()
        """Events of the last round, so that a window is not put again and again."""
        self._size: int | None = None
        self._read_at_ms: int | None = None

    async def run(self) -> None:
        """Log in, read, listen until something breaks. One refused password parks the terminal: accounts lock."""
        try:
            async with client_of(self._terminal) as client:
                cgi = Cgi(client)
                await self._identify(cgi)
                await self._poll(cgi)
                await together(self._polls(cgi), self._listen(cgi))
        except ConfigError as error:
            self._state.state = "config_error"
            self._state.problem = _problem_of(error)
            raise
        except MusterError:
            self._state.state = "offline"
            raise

    async def _identify(self, cgi: Cgi) -> None:
        info = info_of(await cgi.facts())
        serial = info.serial or self._config.serial or self._config.name
        self._reader = Reader.of(self._terminal, serial)
        self._state.serial, self._state.firmware, self._state.state = serial, info.firmware, "online"
        try:
            self._place = Place.decode(await self._context.sink.cursor(self._key))
        except DataError:
            self._place = Place()  # take everything: what is known already is recognised
        self._seen.clear()
        self._size = self._read_at_ms = None
        self._filter = NO_TIME_FILTER not in self._terminal.profile.quirks

    @property
    def _key(self) -> str:
        return f"{FAMILY}:{self._reader.serial}"

    async def _polls(self, cgi: Cgi) -> None:
        while True:
            await asyncio.sleep(self._config.poll_s)
            await self._poll(cgi)

    async def _poll(self, cgi: Cgi) -> None:
        before = self._context.clocks.wall_ms()
        wall = await cgi.clock()
        now_ms = (before + self._context.clocks.wall_ms()) // 2
        self._drift_ms = drift_ms(wall, self._reader, now_ms)
        size = await cgi.size()
        if self._filter:
            try:
                await self._read_span(cgi, device_seconds(wall), now_ms, size)
            except UnsupportedError as error:
                log.info("no time filter", terminal=self._config.name, reason=str(error))
                self._filter, self._size = False, None
        if not self._filter:
            await self._read_handle(cgi, size)
        self._show(wall, size)

    # Reading by time

    async def _read_span(self, cgi: Cgi, now: int, now_ms: int, size: int | None) -> None:
        """All that the window, or the whole log, holds; then what was written while the clock was lost."""
        await self._find_time_base(cgi, now)
        read = _Read()
        await self._take(cgi, self._span(now, now_ms), read)
        suspects = self._place.suspects
        if self._place.device is not None and now >= CLOCK_SUSPECT_BEFORE_S and not self._is_unchanged(size):
            page = await cgi.page(LOST_SPAN)
            found = len(page.items) if page.found is None else max(page.found, len(page.items))
            if found != suspects:
                await self._take(cgi, LOST_SPAN, read)
            suspects = found
            self._size, self._read_at_ms = size, self._context.clocks.mono_ms()
        if self._begins_anew(read):
            await self._take(cgi, (0, FAR_S), read := _Read())
        place = self._place
        done = Place(place.epoch, _higher(place.number, read.top), now, now_ms, suspects, place.local)
        await self._finish(read, done)

    def _span(self, now: int, now_ms: int) -> tuple[int, int]:
        """CreateTimes to ask for; where they count local time, both readings of the clock are covered."""
        start, end = self._place.span(now, now_ms)
        if end == FAR_S:
            return start, end
        offset_s = utc_offset_s(self._reader.zone, now)
        local = self._reader.is_local(self._place)
        starts = (start, start - offset_s) if local else (start - offset_s,)
        return max(0, min(starts)), end + max(0, -offset_s)

    async def _find_time_base(self, cgi: Cgi, now: int) -> None:
        """Rows from the hours to come mean that CreateTime counts local time: no clock in UTC has been there yet."""
        offset_s = utc_offset_s(self._reader.zone, now)
        utc = now - offset_s
        if offset_s <= 2 * FRESH_S or self._reader.is_local(self._place) or utc < CLOCK_SUSPECT_BEFORE_S:
            return
        page = await cgi.page((utc + FRESH_S, utc + offset_s + FRESH_S))
        rows = [item for item in page.items if isinstance(item, codec.Row)]
        if any(row.real is None for row in rows):
            log.warning("local time", terminal=self._config.name, reason=f"set quirk {LOCAL_TIME} in its profile")
            place = self._place
            self._place = Place(place.epoch, place.number, place.device, place.wall_ms, place.suspects, True)

    async def _take(self, cgi: Cgi, span: tuple[int, int], read: "_Read") -> None:
        """Put what a search finds, page by page; the place waits for the end."""
        async for page in cgi.pages(*span):
            await self._accept(page.items, read)

    # Reading without a filter

    async def _read_handle(self, cgi: Cgi, size: int | None) -> None:
        """The whole log through a handle, when it has grown or not been read for a while."""
        if self._is_unchanged(size):
            return
        mono_ms, read = self._context.clocks.mono_ms(), _Read()
        async for page in cgi.handle_pages():
            await self._accept(page.items, read)
        if self._begins_anew(read):
            read = _Read()
            async for page in cgi.handle_pages():
                await self._accept(page.items, read)
        place = self._place
        await self._finish(read, Place(place.epoch, _higher(place.number, read.top), local=place.local))
        self._size, self._read_at_ms = size, mono_ms

    # What both share

    def _is_unchanged(self, size: int | None) -> bool:
        """Whether the log has as many rows as when it was last looked through, not long ago: a full log has always."""
        recent = self._read_at_ms is not None and self._context.clocks.mono_ms() - self._read_at_ms < READ_ANYWAY_MS
        return recent and size is not None and size == self._size

    def _begins_anew(self, read: "_Read") -> bool:
        """Whether the terminal counts from 1 again; then a new epoch has begun and all of its log is new."""
        place = self._place
        if not place.is_new_epoch(read.top):
            return False
        log.warning("counts anew", terminal=self._config.name, number=read.top, was=place.number)
        self._place = Place(place.epoch + 1, None, suspects=place.suspects, local=place.local)
        self._seen.clear()
        return True

    async def _accept(self, items: Sequence[Item], read: "_Read") -> None:
        read.remember(items)
        new = [item for item in items if not isinstance(item, codec.Other) and item not in self._seen]
        # Only its number tells a punch with a lost clock from another: it waits until the epoch is sure.
        read.late += (item for item in new if is_suspect(item))
        read.waiting += (item for item in new if not is_suspect(item))
        while len(read.waiting) >= SLICE:
            await self._put(self._events(read.waiting[:SLICE], self._place), self._place)
            del read.waiting[:SLICE]

    async def _finish(self, read: "_Read", place: Place) -> None:
        items = [*read.waiting, *read.late]
        parts = [items[n : n + SLICE] for n in range(0, len(items), SLICE)] or [[]]
        for part in parts[:-1]:
            await self._put(self._events(part, place), self._place)
        await self._put(self._events(parts[-1], place), place)
        self._seen = read.seen

    def _events(self, items: Iterable[Item], place: Place, *, live: bool = False) -> list[Event]:
        clocks, seen_ms = self._context.clocks, self._context.seen_ms()
        return self._reader.events(items, place, clocks.wall_ms(), seen_ms, drift_ms=self._drift_ms, live=live)

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

    async def _listen(self, cgi: Cgi) -> None:
        """Put punches as they happen; a stream that breaks or falls silent is opened again."""
        while self._stream:
            try:
                async with cgi.events() as pieces:
                    async for parts in pieces:
                        await self._put_live([item for part in parts for item in codec.part_items(part)])
            except (RefusedError, LockedError):
                raise
            except (UnsupportedError, ConfigError) as error:
                log.info("no stream", terminal=self._config.name, reason=str(error))
                return
            except MusterError as error:
                log.info("stream ended", terminal=self._config.name, reason=str(error))
            await asyncio.sleep(RECONNECT_S)

    async def _put_live(self, items: Sequence[Item]) -> None:
        # The cursor stays where it is, but says that this source keeps its own log; so a refusal loses nothing.
        if events := self._events(items, self._place, live=True):
            with contextlib.suppress(RetryableError):
                await self._context.sink.put(events, Cursor(self._key, self._place.encode()))

    def _show(self, wall: datetime, size: int | None) -> None:
        state = self._state
        state.state, state.drift_ms = "online", self._drift_ms
        state.last_contact_ms = self._context.clocks.wall_ms()
        state.log_capacity = self._terminal.profile.layouts.get("log_capacity")
        state.log_used = size
        state.problem = self._problem(wall)

    def _problem(self, wall: datetime) -> str | None:
        """What IT should look at first; None when all is well."""
        used, capacity = self._state.log_used, self._state.log_capacity
        if device_seconds(wall) < CLOCK_SUSPECT_BEFORE_S:
            return "clock_reset"
        if used is not None and capacity and used * 100 >= capacity * ALMOST_FULL_PCT:
            return "log_almost_full"
        if self._drift_ms is not None and abs(self._drift_ms) > DRIFT_WARNING_MS:
            return "clock_drift"
        if self._config.serial and self._config.serial != self._reader.serial:
            return "other_serial"
        return "time_base" if self._place.local and LOCAL_TIME not in self._terminal.profile.quirks else None


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
        self.seen: set[Item] = set()

    def remember(self, items: Sequence[Item]) -> None:
        """Those with the highest numbers: enough for the window that is read again."""
        self.top = _higher(self.top, max((item.number for item in items if item.number is not None), default=None))
        self.seen.update(items)
        if len(self.seen) > 2 * SEEN_LIMIT:
            self.seen = set(
                nlargest(SEEN_LIMIT, self.seen, key=lambda item: -1 if item.number is None else item.number)
            )


def _higher(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else max(left, right)


class Dahua(HttpRecorded):
    """Access terminals that speak the CGI protocol."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    abilities: frozenset[Ability] = ABILITIES
    ports: tuple[int, ...] = (80, 443)

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task for each terminal with a host, and one server for reports where ``[push.dahua]`` opens a port."""
        return tasks_of(FAMILY, terminals, context, lambda t: TerminalTask(t, context).run, push_server)

    def open(self, terminal: Terminal, clocks: Clocks) -> AbstractAsyncContextManager[Device]:
        """Log in to one terminal."""
        return open_device(terminal, clocks)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """Captured answers of a search, reports, parts of a stream."""
        return decode(data, Reader(terminal, profile, zone))

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """Ask for the type without logging in: the realm of the refusal names the serial number."""
        return await identify(host, port)


DRIVER = Dahua()
