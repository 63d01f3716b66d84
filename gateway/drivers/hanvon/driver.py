"""The conversation with Hanvon terminals: their clock, then what is new since the last read, day by day.

A log without numbers and flags can only be asked for by time. Each read goes back a little, everything is read once a
day, and the outbox knows again what it has: a clock that was set back loses nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, tzinfo

from gateway.device import Decoded, Device, DeviceInfo
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal
from gateway.drivers.hanvon import codec
from gateway.drivers.hanvon.capture import decode_capture
from gateway.drivers.hanvon.codec import Answer, BadRow, RecordRow
from gateway.drivers.hanvon.conversation import ClockReading, Conversation
from gateway.drivers.hanvon.device import BUSINESS_DAYS, HanvonDevice, answers_in, info_of
from gateway.drivers.hanvon.place import Place
from gateway.drivers.hanvon.reader import Reader
from gateway.drivers.hanvon.settings import PORT, conversation_with
from gateway.drivers.hanvon.windows import FIRST_YEAR, LAST, Window, everything, recent
from gateway.profile import Profile, device_zone
from gateway.transports.tcp import TcpLink
from shared.clock import CLOCK_SUSPECT_BEFORE_S, Clocks, device_seconds, from_ms
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Punch

FAMILY = "hanvon"
SLICE = 500
"""Events in one transaction; the last of a window carries the place after it."""
OVERLAP = timedelta(minutes=10)
FIRST_OVERLAP = timedelta(days=2)
"""How far the first read of a session goes back."""
FULL_MS = 24 * 3600 * 1000
KNOWN_BAD = 10_000
"""Unreadable rows remembered, so that a read that goes back does not report them again."""
SEPARATE_BAD_ROWS = 100
"""Unreadable rows of one answer that become a damaged row each; the rest share one."""
IDENTIFY_S = 3.0
DRIFT_WARNING_MS = 30_000
"""Reliability.md section 6."""
ALMOST_FULL_PCT = 90


class TerminalTask:
    """Keeps one terminal read; ``run`` ends only with an error."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        self._terminal, self._context = terminal, context
        self._config, self._state = terminal.config, terminal.state
        self._zone = device_zone(terminal.profile, terminal.config.zone, terminal.site_zone)
        conversation_with(terminal)
        self._reader = Reader(self._config.serial or self._config.name, terminal.profile, self._zone)
        self._place = Place()
        self._overlap = FIRST_OVERLAP
        self._bad: set[BadRow] = set()
        self._proven = False

    async def run(self) -> None:
        """One poll after the other, each with a connection of its own: the terminal serves one client at a time."""
        self._overlap = FIRST_OVERLAP
        try:
            while True:
                async with conversation_with(self._terminal, proven=self._proven) as talk:
                    await self._poll(talk)
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

    async def _poll(self, talk: Conversation) -> None:
        info, reading = await talk.device_info(self._context.clocks.wall_ms)
        self._proven = True
        serial = await talk.serial(info) or self._config.serial or self._config.name
        if serial != self._reader.serial or self._place == Place():
            await self._take_up(serial)
        drift_ms = self._reader.drift_ms(reading)
        now = max(min(reading.device or self._site_time(), LAST), FIRST_YEAR)
        since = self._since(now)
        full = self._is_full_due() or since < now - timedelta(days=BUSINESS_DAYS)
        windows = everything(now, BUSINESS_DAYS) if full else recent(since, now)
        await self._read(talk, windows, now, drift_ms)
        if full:
            await self._put([], self._place._replace(full_ms=self._context.clocks.wall_ms()))
        self._overlap = OVERLAP
        self._show(info, reading, drift_ms)

    async def _take_up(self, serial: str) -> None:
        self._reader = Reader(serial, self._terminal.profile, self._zone)
        try:
            self._place = Place.decode(await self._context.sink.cursor(self._cursor_key))
        except DataError:
            self._place = Place()  # take everything: what is known already is recognised

    @property
    def _cursor_key(self) -> str:
        return f"{FAMILY}:{self._reader.serial}"

    def _is_full_due(self) -> bool:
        """At first, once a day, and after our own clock was set back."""
        age_ms = self._context.clocks.wall_ms() - self._place.full_ms
        return self._place.until is None or not 0 <= age_ms < FULL_MS

    def _since(self, now: datetime) -> datetime:
        """Where the next read begins; a terminal's clock may have been set back behind it."""
        until = self._place.until if self._place.until is not None else 0
        seen = from_ms(until * 1000).replace(tzinfo=None)
        return max(min(seen, now) - self._overlap, FIRST_YEAR)

    def _site_time(self) -> datetime:
        """The wall time that the terminal should show, for one whose clock can not be read."""
        return from_ms(self._context.clocks.wall_ms()).astimezone(self._zone).replace(tzinfo=None, microsecond=0)

    async def _read(self, talk: Conversation, windows: Iterable[Window], now: datetime, drift_ms: int | None) -> None:
        """Store the punches of each window; the place moves to its end with the last of them, but not beyond now."""
        async for window, answer in answers_in(talk, windows):
            rows = codec.decode_records(answer)
            until = device_seconds(min(window.last or now, now))
            place = self._place._replace(until=until)
            events = self._events(rows, drift_ms)
            for at in range(0, len(events), SLICE):
                last = at + SLICE >= len(events)
                await self._put(events[at : at + SLICE], place if last else self._place)
            if not events and place != self._place:
                await self._put([], place)
            if len(self._bad) > KNOWN_BAD:
                self._bad.clear()
            self._bad.update(row for row in rows if isinstance(row, BadRow))

    def _events(self, rows: Sequence[RecordRow | BadRow], drift_ms: int | None) -> list[Event]:
        now_ms, seen_ms = self._context.clocks.wall_ms(), self._context.seen_ms()
        bad = [row for row in dict.fromkeys(rows) if isinstance(row, BadRow) and row not in self._bad]
        if len(bad) > SEPARATE_BAD_ROWS:
            shared = BadRow("bad_rows", b"\n".join(row.raw for row in bad[SEPARATE_BAD_ROWS:]))
            bad = [*bad[:SEPARATE_BAD_ROWS], shared]
        return [
            *(self._reader.punch(row, drift_ms, seen_ms) for row in rows if isinstance(row, RecordRow)),
            *(self._reader.damaged(row, now_ms, seen_ms) for row in bad),
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
            self._state.last_event_ms = max(times)

    def _show(self, info: Answer, reading: ClockReading, drift_ms: int | None) -> None:
        told, state = info_of(info, self._reader.serial), self._state
        state.state, state.serial, state.firmware = "online", self._reader.serial, told.firmware
        state.last_contact_ms, state.drift_ms = self._context.clocks.wall_ms(), drift_ms
        state.users, state.log_used, state.log_capacity = told.users, told.log_used, told.log_capacity
        state.problem = self._problem(reading, drift_ms)

    def _problem(self, reading: ClockReading, drift_ms: int | None) -> str | None:
        """What IT should look at first; None when all is well."""
        if reading.device is None or device_seconds(reading.device) < CLOCK_SUSPECT_BEFORE_S:
            return "clock_reset"
        used, room = self._state.log_used or 0, self._state.log_capacity or 0
        if room and used == room:
            return "log_full"
        if used < room and used * 100 >= room * ALMOST_FULL_PCT:
            return "log_almost_full"
        if drift_ms is not None and abs(drift_ms) > DRIFT_WARNING_MS:
            return "clock_drift"
        if self._config.serial and self._config.serial != self._reader.serial:
            return "other_serial"
        return None


class HanvonDriver:
    """Terminals that speak the FaceID text protocol on port 9922."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()
    abilities = HanvonDevice.abilities
    one_session = True
    ports = (PORT,)

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per terminal; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, (t,), TerminalTask(t, context).run) for t in terminals]

    @asynccontextmanager
    async def open(self, terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
        """Connect; ConfigError for a wrong key, RetryableError when nobody answers."""
        async with conversation_with(terminal) as talk:
            info, _ = await talk.device_info(clocks.wall_ms)
            yield HanvonDevice(talk, terminal, clocks, await talk.serial(info))

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """Ask for information without a key; None when it is something else, or a key is set."""
        talk = Conversation(lambda: TcpLink.connect(host, port, IDENTIFY_S), "", IDENTIFY_S)
        try:
            async with talk:
                answer = await talk.exchange(codec.encode_request("GetDeviceInfo"))
        except MusterError:
            return None
        return info_of(answer, answer.get("dev_id") or "")

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What captured answers say, without cipher; DataError when none is in it."""
        return decode_capture(data, profile, zone, terminal)


DRIVER = HanvonDriver()
