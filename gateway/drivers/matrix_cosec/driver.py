"""Matrix COSEC terminals: count the events, read from the stored place on, go over into the next roll."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import tzinfo

import structlog

from gateway.device import Ability, Decoded, Device, DeviceInfo, HealthFact, Trouble
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.matrix_cosec import codec
from gateway.drivers.matrix_cosec.codec import Bad, Mark, Place, Row
from gateway.profile import Profile
from gateway.transports.http_client import HttpClient
from gateway.transports.http_poll import HttpLogin, PollTask, checked
from gateway.transports.scrub import HttpRecorded
from gateway.transports.source import Source, check_quirks, put_rows
from shared.clock import Clocks
from shared.errors import ConfigError, RetryableError
from shared.keys import Event
from shared.punch import Direction, Method, Punch

FAMILY = "matrix_cosec"
QUIRKS: frozenset[str] = frozenset()
PROBE = "/device.cgi/device-basic-config"
BATCH = 100
ROLLS_LIMIT = 1000
"""A roll-over count further away than this is a log that began anew."""

log = structlog.get_logger("gateway")
KEPT = """
roll-over-count seq-number seq-no date time event-id user-id detail-1 detail-2 detail-3 detail-4 detail-5
detail1 detail2 detail3 detail4 detail5 response-code
"""
"""Fields of a recording that are no secret, in small letters."""


async def ask(client: HttpClient, item: str, **parameters: str | int) -> bytes:
    """The body of an answer; errors of ``checked``."""
    reply = await client.get(f"/device.cgi/{item}", {**parameters, "format": "xml"}, codec.BODY_LIMIT)
    return checked(reply, f"{client.base} {item}")


async def newest(client: HttpClient) -> Mark:
    """The newest event of the log."""
    return codec.decode_count(await ask(client, "command", action="geteventcount"))


async def events_from(client: HttpClient, start: Mark) -> list[Row]:
    """Up to 100 events of one roll, in order; those that the terminal repeats from before are left out."""
    where: dict[str, str | int] = {"roll-over-count": start.roll_over, "seq-number": start.seq}
    body = await ask(client, "events", action="getevent", **where, **{"no-of-events": BATCH})
    rows = codec.decode_events(body, start.roll_over)
    lost = [replace(row, mark=start) for row in rows if isinstance(row, Bad) and not row.mark.seq]
    return sorted([*lost, *(row for row in rows if row.mark >= start)], key=lambda row: row.mark)


def event_of(source: Source, row: Row, place: Place, *, now_ms: int = 0, seen_ms: int = 0) -> Event | None:
    """What is stored of a row; None for a door, a refusal, an alarm."""
    if isinstance(row, Bad):
        return source.damaged(row.reason, row.raw, now_ms, seen_ms)
    if not row.user:
        return None
    return source.punch(
        row.user,
        row.at,
        (row.credential, row.function, row.number),
        direction=source.profile.direction(row.function) if row.function >= 0 else Direction.UNKNOWN,
        method=source.profile.method(row.credential) if row.credential >= 0 else Method.UNKNOWN,
        native_seq=place.number(row.mark),
        seen_ms=seen_ms,
    )


class MatrixTask(PollTask):
    """Keeps one terminal read."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        super().__init__(FAMILY, terminal, context, PROBE)
        self._empty_at: Mark | None = None
        """Newest event up to which nothing can be read."""
        check_quirks(terminal.profile, QUIRKS)

    async def begin(self, client: HttpClient) -> None:
        """Nothing: the interface names no serial number, so the configured one stands."""

    async def poll(self, client: HttpClient) -> None:
        """Read from the stored place to the newest event."""
        end = await newest(client)
        place = await self._place(end)
        while place.mark < end:
            before = place.mark
            place = await self._read(client, place, end)
            if place.mark == before:
                break
        self.show()

    async def _place(self, end: Mark) -> Place:
        """Where to go on; a log whose newest event lies before that began anew, and is read from its beginning."""
        place = Place.decode(await self.context.sink.cursor(self.key))
        if place is None:
            return Place(0, Mark(max(0, end.roll_over - 1), 0))
        if end < place.mark or end.roll_over - place.mark.roll_over > ROLLS_LIMIT:
            log.warning("log_began_anew", terminal=self.terminal.config.name, newest=list(end))
            return Place(place.epoch + 1, Mark(max(0, end.roll_over - 1), 0))
        return place

    async def _read(self, client: HttpClient, place: Place, end: Mark) -> Place:
        """Store the next events; the place after them, the same place when there are none."""
        start = Mark(place.mark.roll_over, place.mark.seq + 1)
        rows = await events_from(client, start)
        if not rows and start.roll_over < end.roll_over:
            # Finished, or its beginning was overwritten by the events of the next roll.
            rows = await events_from(client, Mark(start.roll_over, end.seq + 1)) if end.seq >= start.seq else []
            if not rows:
                return Place(place.epoch, Mark(start.roll_over + 1, 0))
        if not rows and end != self._empty_at:
            rows = await self._after_hole(client, start, end)
            log.warning("log_overwritten", terminal=self.terminal.config.name, first=start, rows=len(rows))
            self._empty_at = None if rows else end
        if not rows:
            return place
        now_ms, seen_ms = self.context.clocks.wall_ms(), self.context.seen_ms()
        stored = [
            (event_of(self.source, row, place, now_ms=now_ms, seen_ms=seen_ms), Place(place.epoch, row.mark).encode())
            for row in rows
        ]
        try:
            await put_rows(self.context.sink, self.key, stored)
        except RetryableError:
            self.state.problem = "buffer_refused"
            raise
        if punches := [event.at for event, _ in stored if isinstance(event, Punch)]:
            self.state.last_event_ms = punches[-1]
        return Place(place.epoch, rows[-1].mark)

    async def _after_hole(self, client: HttpClient, start: Mark, end: Mark) -> list[Row]:
        """The oldest events that are left, where those after the place were overwritten meanwhile; a bisection."""
        low, high = start.seq, end.seq
        found: list[Row] = []
        while low < high:
            middle = (low + high) // 2
            if rows := await events_from(client, Mark(start.roll_over, middle)):
                found, high = rows, middle
            else:
                low = middle + 1
        return found if found and high == low else await events_from(client, Mark(start.roll_over, low))


class MatrixDevice(Device):
    """One terminal that a person looks at."""

    family = FAMILY
    abilities = frozenset({Ability.INFO, Ability.LOG})

    def __init__(self, client: HttpClient, terminal: Terminal, clocks: Clocks) -> None:
        self._client, self._terminal, self._clocks = client, terminal, clocks

    async def info(self) -> DeviceInfo:
        """What the terminal says of itself."""
        facts = codec.decode_facts(await ask(self._client, "device-basic-config", action="get"))
        end = await newest(self._client)
        facts |= {"roll_over": str(end.roll_over), "newest": str(end.seq)}
        return DeviceInfo(serial=self._terminal.config.serial, model=self._terminal.profile.model, facts=facts)

    async def log(self) -> AsyncIterator[Event]:
        """All events of this roll and the one before that are left; no place moves."""
        source, end = Source.of(self._terminal), await newest(self._client)
        for roll_over in range(max(0, end.roll_over - 1), end.roll_over + 1):
            place = Place(0, Mark(roll_over, 0))
            while rows := await events_from(self._client, Mark(roll_over, place.mark.seq + 1)):
                for row in rows:
                    if (event := event_of(source, row, place, now_ms=self._clocks.wall_ms())) is not None:
                        yield event
                place = Place(0, rows[-1].mark)
                if place.mark >= end or place.mark.roll_over != roll_over:
                    break


class MatrixCosec(HttpRecorded):
    """The family of Matrix COSEC terminals."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    abilities = MatrixDevice.abilities

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per terminal; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, (t,), MatrixTask(t, context).run) for t in terminals]

    @asynccontextmanager
    async def open(self, terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
        """Connect; ConfigError for a refused login, RetryableError when nobody answers."""
        async with HttpLogin(terminal, PROBE).client() as client:
            yield MatrixDevice(client, terminal, clocks)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What one captured answer says; DataError when it is none of this family."""
        source = Source(terminal, profile, zone)
        try:
            rows = codec.decode_events(data, 0)
        except (ConfigError, RetryableError) as error:
            return [Decoded("refusal", health=(HealthFact("refused", {"text": str(error)}),))]
        if rows and not _is_count(data):
            place = Place(0, rows[0].mark)
            events = tuple(e for row in rows if not isinstance(row, Bad) and (e := event_of(source, row, place)))
            bad = tuple(Trouble(row.reason, "no punch", row.raw) for row in rows if isinstance(row, Bad))
            return [Decoded("events", events, (HealthFact("events", {"count": len(rows)}),), bad)]
        mark = codec.decode_count(data)
        return [Decoded("count", health=(HealthFact("newest", {"roll_over": mark.roll_over, "seq": mark.seq}),))]


def _is_count(data: bytes) -> bool:
    """Only the place of the newest event: a row of events has at least one of these."""
    return not re.search(rb"<(event-id|date|time)\b", data, re.IGNORECASE)


DRIVER = MatrixCosec()
