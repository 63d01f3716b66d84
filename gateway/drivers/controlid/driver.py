"""The conversation with Control iD terminals: their log by number at each poll; the monitor's posts only wake it up.

A post that gets lost is not repeated, and names people by the terminal's own numbers. So nothing is stored from it.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import tzinfo

import structlog

from gateway.device import Ability, Decoded, Device, DeviceInfo, HealthFact, Trouble
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal
from gateway.drivers.controlid import codec
from gateway.drivers.controlid.codec import Bad, Item, Row, User
from gateway.drivers.controlid.conversation import ControlId, opened
from gateway.drivers.controlid.device import ABILITIES, FAMILY, identify, open_device
from gateway.drivers.controlid.events import UTC_EPOCH, Reader
from gateway.drivers.controlid.monitor import Monitor
from gateway.profile import Profile
from gateway.transports.http_client import HttpClient
from gateway.transports.http_poll import PollTask
from gateway.transports.scrub import HttpRecorded
from gateway.transports.session_login import SessionLogin
from gateway.transports.source import Once, Source, check_quirks
from shared.clock import Clocks
from shared.errors import ConfigError, DataError, RetryableError
from shared.punch import Punch

QUIRKS = frozenset({UTC_EPOCH})
LAYOUTS = frozenset({"log_capacity"})
SETTLE_S = 0.1
"""After a post: rows that are written together are read together, and a flood of posts costs ten questions a second."""
LOOK_AGAIN_MS = 3_600_000
"""How often the terminal's own facts are asked for."""

log = structlog.get_logger("gateway")
KEPT = """
id time event device_id identifier_id user_id portal_id identification_rule_id log_type_id object type
registration limit serial version uptime access_logs
"""
"""Fields of a recording that are no secret, in small letters."""


@dataclass(frozen=True, slots=True)
class Place:
    """The last row that was stored, with what tells whether it is still the same row."""

    epoch: int = 0
    number: int | None = None
    time: int | None = None
    user_id: int | None = None

    def encode(self) -> bytes:
        """Bytes for the outbox."""
        return json.dumps([1, self.epoch, self.number, self.time, self.user_id]).encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Place":
        """The place in such bytes; from the start where they are none."""
        try:
            version, epoch, *rest = json.loads(value or b"[1, 0, null, null, null]")
            number, time, user_id = rest
        except (ValueError, TypeError):
            return cls()
        whole = version == 1 and isinstance(epoch, int)
        if not whole or not all(part is None or isinstance(part, int) for part in rest):
            return cls()
        return cls(epoch, number, time, user_id)

    def after(self, item: Item) -> "Place":
        """The place behind that row; a row without a number moves nothing."""
        if item.number is None:
            return self
        if isinstance(item, Bad):
            return Place(self.epoch, item.number)
        return Place(self.epoch, item.number, item.time, item.user_id)

    def is_at(self, items: Sequence[Item]) -> bool:
        """Whether the row here is the first of these, as it was."""
        if not items or items[0].number != self.number:
            return False
        first = items[0]
        return self.time is None or (
            isinstance(first, Row) and (first.time, first.user_id) == (self.time, self.user_id)
        )


class TerminalTask(PollTask):
    """Keeps one terminal read."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        check_quirks(terminal.profile, QUIRKS)
        if strange := set(terminal.profile.layouts) - LAYOUTS:
            raise ConfigError(f"profile {terminal.config.profile}: layouts {sorted(strange)} are unknown")
        super().__init__(FAMILY, terminal, context, probe="/")
        self._session_login = SessionLogin(terminal)
        self.login = self._session_login
        self.state.log_capacity = terminal.profile.layouts.get("log_capacity")
        self.device_ids: set[str] = set()
        """How the terminal calls itself in its rows and posts."""
        self._talk: ControlId | None = None
        self._wake = asyncio.Event()
        self._place = Place()
        self._users: dict[int, User] = {}
        self._once = Once()
        self._drift_ms: int | None = None
        self._looked_ms = 0

    def wake(self) -> None:
        """Read now: something happened."""
        self._wake.set()

    async def pause(self) -> None:
        """Until the next poll is due, or something happened."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), self.terminal.config.poll_s)
            await asyncio.sleep(SETTLE_S)
        self._wake.clear()

    async def begin(self, client: HttpClient) -> None:
        """Log in with the first question; learn who it is and whom it knows."""
        self._talk = ControlId(client, self._session_login.account)
        await self._look()
        self._place = Place.decode(await self.context.sink.cursor(self.key))
        self._users = await self._talk.users()
        self.state.users = len(self._users)

    async def _look(self) -> None:
        talk, clocks = opened(self._talk), self.context.clocks
        before = clocks.wall_ms()
        system = await talk.system()
        now_ms = (before + clocks.wall_ms()) // 2
        self.name(system.serial or None, system.version or None)
        if system.second is not None:
            second, _ = Reader(self.source).wall(system.second)
            self._drift_ms = self.source.drift_ms(second, now_ms)
            self.state.drift_ms = self._drift_ms
        self.state.log_used = await talk.log_count()
        self._looked_ms = clocks.mono_ms()

    async def poll(self, client: HttpClient) -> None:  # noqa: ARG002 - the session holds it
        """Read what is new; all of it when the last row is no longer what it was."""
        if self.context.clocks.mono_ms() - self._looked_ms >= LOOK_AGAIN_MS:
            await self._look()
        began_anew = False
        while True:
            items, anew = await self._next()
            if anew and began_anew:
                raise DataError("the log changes while it is read", code="bad_answer")
            began_anew = began_anew or anew
            if not items:
                break
            before = self._place
            await self._take(items)
            if self._place == before:
                raise DataError("rows without a number", code="bad_answer")
        self.show()

    async def _next(self) -> tuple[list[Item], bool]:
        """Rows behind the place, and whether it had to go back to the start of the log.

        Every question asks for the last row again: a log may be cleared between two of them.
        """
        talk, place = opened(self._talk), self._place
        if place.number is None:
            return await talk.logs(0), False
        items = await talk.logs(place.number - 1)
        if place.is_at(items):
            return items[1:], False
        log.warning("counts anew", terminal=self.terminal.config.name, was=place.number)
        self._place = Place(place.epoch + 1)
        return await talk.logs(0), True

    async def _take(self, items: Sequence[Item]) -> None:
        place = self._place
        for item in items:
            place = place.after(item)
        rows = [item for item in items if isinstance(item, Row)]
        self.device_ids |= {row.device_id for row in rows[:1] if row.device_id}
        reader = Reader(self.source)
        if {row.user_id for row in rows if reader.is_punch(row)} - set(self._users):
            self._users = await opened(self._talk).users()
            self.state.users = len(self._users)
        fresh = [item for item in items if isinstance(item, Row) or self._once.is_new(item.raw)]
        now_ms, seen_ms = self.context.clocks.wall_ms(), self.context.seen_ms()
        events = reader.events(fresh, self._users, now_ms, seen_ms, epoch=place.epoch, drift_ms=self._drift_ms)
        try:
            await self.context.sink.put(events, Cursor(self.key, place.encode()))
        except RetryableError:
            self.state.problem = "buffer_refused"
            raise
        self._place = place
        if times := [event.at for event in events if isinstance(event, Punch)]:
            self.state.last_event_ms = max(times)


class ControlIdDriver(HttpRecorded):
    """Access terminals of Control iD."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    abilities: frozenset[Ability] = ABILITIES
    ports: tuple[int, ...] = (80, 443)

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task for each terminal, and one for the monitor's posts where ``[push.controlid]`` opens a port."""
        pulls = [TerminalTask(terminal, context) for terminal in terminals]
        found = [DriverTask(pull.terminal.config.name, (pull.terminal,), pull.run) for pull in pulls]
        if context.push is not None and pulls:
            found.append(DriverTask(FAMILY, (), Monitor(pulls, context).run))
        return found

    def open(self, terminal: Terminal, clocks: Clocks) -> AbstractAsyncContextManager[Device]:
        """Log in to one terminal."""
        return open_device(terminal, clocks)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """Captured answers of ``load_objects``, posts of the monitor, or one of these on each line."""
        source = Source(terminal, profile, zone)
        try:
            return [_decoded(data, source)]
        except DataError:
            lines = [line for line in data.splitlines() if line.strip()]
            if len(lines) < 2:
                raise
            found = [_decoded_line(line, source) for line in lines]
            if all(one.kind == "broken" for one in found):
                raise
            return found

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """Ask whether no session is valid."""
        return await identify(host, port)


def _decoded_line(line: bytes, source: Source) -> Decoded:
    try:
        return _decoded(line, source)
    except DataError as error:
        return Decoded("broken", problems=(Trouble(error.code, str(error)),))


def _decoded(data: bytes, source: Source) -> Decoded:
    kind, items, others = codec.capture_items(data)
    reader = Reader(source)
    rows = [item for item in items if isinstance(item, Row)]
    health = [
        HealthFact("event", {"event": row.event, "portal": row.portal}) for row in rows if not reader.is_punch(row)
    ]
    return Decoded(
        kind,
        events=tuple(reader.events(rows, None, 0, 0)),
        health=(*health, *(HealthFact("changed", {"object": name}) for name in others)),
        problems=tuple(Trouble(item.reason, "no punch", item.raw) for item in items if isinstance(item, Bad)),
    )


DRIVER = ControlIdDriver()
