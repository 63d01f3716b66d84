"""The conversation with a BioStar 2 server: its events by time at each poll, for all of its devices.

Devices deliver late: one that was off the network for a day adds events with yesterday's times. So the place in the log
is only where reading starts; a window before it is read every time, a month once a day, and from its last known event
for a device whose numbers show a gap.
"""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import tzinfo

import structlog

from gateway.device import Ability, Decoded, Device, HealthFact, Trouble
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal
from gateway.drivers.suprema import codec
from gateway.drivers.suprema.codec import Bad, Item, Row
from gateway.drivers.suprema.conversation import BioStar
from gateway.drivers.suprema.device import ABILITIES, FAMILY, events_of_items, is_punch, open_device
from gateway.profile import Profile
from gateway.transports.http_client import HttpClient
from gateway.transports.http_poll import PollTask
from gateway.transports.scrub import HttpRecorded
from gateway.transports.session_login import SessionLogin
from gateway.transports.source import Once, Source, check_quirks
from shared.clock import Clocks, DeviceSeconds
from shared.errors import DataError, RetryableError
from shared.punch import Punch

QUIRKS: frozenset[str] = frozenset()
WINDOW_S = 600
"""Read again before the last place, at every poll."""
LATE_S = 31 * 86_400
"""Read again once a day and at the start: as long as a device may be away."""
SWEEP_EVERY_MS = 86_400_000
SEEN_LIMIT = 20_000

log = structlog.get_logger("gateway")
KEPT = "id datetime server_datetime index user_id code tna_key is_dst limit offset message total"
"""Fields of a recording that are no secret, in small letters."""


@dataclass(frozen=True, slots=True)
class Place:
    """The latest UTC second that was read, never ahead of our own clock; None before the first event."""

    second: DeviceSeconds | None = None

    def encode(self) -> bytes:
        """Bytes for the outbox."""
        return json.dumps([1, self.second]).encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Place":
        """The place in such bytes; from the start where they are none."""
        try:
            version, second = json.loads(value or b"[1, null]")
        except (ValueError, TypeError):
            return cls()
        return cls(second if version == 1 and isinstance(second, int) else None)


class ServerTask(PollTask):
    """Keeps one BioStar 2 server read."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        check_quirks(terminal.profile, QUIRKS)
        super().__init__(FAMILY, terminal, context, probe="/")
        self._session_login = SessionLogin(terminal)
        self.login = self._session_login
        self._place = Place()
        self._once = Once()
        self._seen: dict[Row, None] = {}
        self._swept_ms: int | None = None
        self._last: dict[str, tuple[int, DeviceSeconds]] = {}
        """By device: number and second of its latest event."""
        self._gap: DeviceSeconds | None = None
        self._biostar: BioStar | None = None

    async def begin(self, client: HttpClient) -> None:
        """Log in with the first question."""
        self._biostar = BioStar(client, self._session_login.account)
        self._place = Place.decode(await self.context.sink.cursor(self.key))
        self.state.users = await self._biostar.user_count()

    async def poll(self, client: HttpClient) -> None:  # noqa: ARG002 - the session holds it
        """Read what is new, and what came late."""
        now, mono_ms = self.context.clocks.wall_ms() // 1000, self.context.clocks.mono_ms()
        first = 0 if self._place.second is None else min(self._place.second, now) - WINDOW_S
        sweep = self._swept_ms is None or mono_ms - self._swept_ms >= SWEEP_EVERY_MS
        await self._read(min(first, now - LATE_S) if sweep and first else first)
        if sweep:
            await self._read_lost()
            self._swept_ms = mono_ms
        if self._gap is not None:
            first, self._gap = self._gap, None
            log.info("late events", terminal=self.terminal.config.name, since=first)
            await self._read(first - WINDOW_S)
            self._gap = None
        self.show()

    async def _read_lost(self) -> None:
        """Events of devices whose clock was reset lie far before the place."""
        if self._place.second is not None:
            await self._read(0, until=codec.utc_second("2015-01-01T00:00:00Z"))

    async def _read(self, first: DeviceSeconds, until: DeviceSeconds | None = None) -> None:
        """All events from that second on, or up to another."""
        async for items in self._session().pages(max(first, 0)):
            await self._take(items, moves=until is None)
            last = codec.newest(items)
            if until is not None and last is not None and last > until:
                return

    async def _take(self, items: Sequence[Item], *, moves: bool) -> None:
        new = [
            item for item in items if (item not in self._seen if isinstance(item, Row) else self._once.is_new(item.raw))
        ]
        now = self.context.clocks.wall_ms()
        last = codec.newest(items)
        place = self._place
        if moves and last is not None:
            place = Place(max(place.second or 0, min(last, now // 1000)))
        events = events_of_items(new, self.source, now, self.context.seen_ms())
        if events or place != self._place:
            try:
                await self.context.sink.put(events, Cursor(self.key, place.encode()))
            except RetryableError:
                self.state.problem = "buffer_refused"
                raise
        self._place = place
        for item in new:
            if isinstance(item, Row):
                self._remember(item)
        if times := [event.at for event in events if isinstance(event, Punch)]:
            self.state.last_event_ms = max(times)

    def _remember(self, row: Row) -> None:
        if len(self._seen) >= SEEN_LIMIT:
            del self._seen[next(iter(self._seen))]
        self._seen[row] = None
        if is_punch(row, self.source.profile) and row.main in codec.DURESS:
            log.warning("duress", terminal=self.terminal.config.name, device=row.device, at=row.second)
        if row.index is None:
            return
        known = self._last.get(row.device)
        if known is not None and row.index > known[0] + 1:
            self._gap = min(known[1], self._gap) if self._gap is not None else known[1]
        if known is None or row.index > known[0] or row.second > known[1]:
            self._last[row.device] = (row.index, row.second)

    def _session(self) -> BioStar:
        if self._biostar is None:
            raise RetryableError("not logged in")
        return self._biostar


class Suprema(HttpRecorded):
    """Suprema terminals behind a BioStar 2 server."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    abilities: frozenset[Ability] = ABILITIES

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task for each server; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, (t,), ServerTask(t, context).run) for t in terminals]

    def open(self, terminal: Terminal, clocks: Clocks) -> AbstractAsyncContextManager[Device]:
        """Log in to one server."""
        return open_device(terminal, clocks)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """Captured answers of a search, messages of the WebSocket, lists of G-SDK events."""
        return decode_capture(data, Source(terminal, profile, zone))


def decode_capture(data: bytes, source: Source) -> list[Decoded]:
    """What a capture says: one JSON value, or one on each line; DataError when nothing of it is Suprema's."""
    try:
        return [_decoded(data, source)]
    except DataError as error:
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        found: list[Decoded] = []
        for line in lines:
            try:
                found.append(_decoded(line, source))
            except DataError as problem:
                found.append(Decoded("broken", problems=(Trouble(problem.code, str(problem)),)))
        if all(one.kind == "broken" for one in found):
            raise DataError("neither events of BioStar 2 nor of the G-SDK", code="bad_answer") from error
        return found


def _decoded(data: bytes, source: Source) -> Decoded:
    kind, items = codec.capture_items(data)
    rows = [item for item in items if isinstance(item, Row)]
    others = [row for row in rows if not is_punch(row, source.profile)]
    return Decoded(
        kind,
        events=tuple(events_of_items([row for row in rows if row not in others], source, 0, 0)),
        health=tuple(HealthFact("event", {"code": row.code, "device": row.device}) for row in others),
        problems=tuple(Trouble(item.reason, "no event", item.raw) for item in items if isinstance(item, Bad)),
    )


DRIVER = Suprema()
