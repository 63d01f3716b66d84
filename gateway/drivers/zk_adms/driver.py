"""Terminals that push over HTTP: one server for all of them, which says OK only after the commit."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import TypeAlias

import structlog

from gateway.device import Decoded
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal, TerminalState
from gateway.drivers.zk_adms import codec
from gateway.drivers.zk_adms.decoding import decode_capture
from gateway.drivers.zk_adms.events import granted_of, offset_s, punch_of
from gateway.drivers.zk_adms.people import ABILITIES, AdmsDevice, Orders
from gateway.drivers.zk_adms.scrub import AdmsScrub
from gateway.profile import Profile, device_zone
from gateway.transports.http_front import Answer, Body, Head, HttpFront
from shared.clock import device_seconds, from_ms
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import Event
from shared.scan import DAMAGED_RAW_LIMIT, Damaged

FAMILY = "zk_adms"
QUIRKS = frozenset({"acc"})
"""``acc``: the codes of the profile are those of the security dialect."""
OFFLINE_AFTER_MS = 150_000
"""A terminal asks for commands every 10 s and pauses for 60 s after a failure."""
LOOK_S = 10.0
DISCOVERED_LIMIT = 1000
FACTS_LIMIT = 64 * 1024
"""Bytes of a body that tells facts and results."""
SEPARATE_BAD_ROWS = 100
"""Bad rows of one body that become a damaged row each; the rest share rows, so that garbage can not fill the disk."""

_DRAINED = "ATTPHOTO FINGERTMP FACE BIODATA BIOPHOTO USERINFO USERPIC IDCARD ERRORLOG WORKCODE RTSTATE"
DRAINED = frozenset(_DRAINED.split())
"""Tables that are no punches: thrown away unread and acknowledged, as the terminal would else repeat them for ever."""
COUNTED = frozenset({"FINGERTMP", "BIODATA", "USERINFO"})
"""Of these, the ones whose answer carries a count."""
UPLOADS = frozenset(
    {"user", "biodata", "biophoto", "userpic", "templatev10", "extuser", "userauthorize", "mulcarduser"}
)
"""Names of ``tabledata`` that are no punches; the answer is the name and the count, a bare OK repeats for ever."""
OPERATIONS = {1: "switched_off", 13: "log_cleared", 21: "clock_set", 23: "log_cleared"}
"""Operations that IT has to know of while they are young, by the problem they become."""
NOTE_MS = 24 * 3600 * 1000
"""How long a problem is shown, and how young an operation must be to become one."""
PUT_ROWS = 500
"""Events of one commit; larger bodies take several."""

log = structlog.get_logger("gateway")


@dataclass(slots=True)
class _Known:
    """One listed terminal and what this run knows of it."""

    terminal: Terminal
    serial: str
    zone: tzinfo
    granted: frozenset[int]
    acc: bool
    greeted: bool = False
    """Got its options in this run, so it knows the stamps that are stored now."""
    commands: list[str] = field(default_factory=lambda: ["INFO"])
    """Waiting to be asked for: INFO and CHECK."""
    orders: Orders = field(default_factory=Orders)
    """What else it is asked, by people who wait for the answer."""
    present: bool = False
    """Can be talked to, and the gateway knows."""
    last_number: int = 0
    last_contact_mono_ms: int | None = None
    refused: bool = False
    """The last rows were not taken."""
    noted_mono_ms: int | None = None
    """When ``state.problem`` was noted; None when there is none."""

    @property
    def state(self) -> TerminalState:
        return self.terminal.state

    def offset_s(self, wall: datetime) -> int:
        """Offset of the device's zone at that naive device time."""
        return offset_s(self.zone, wall)


class ZkAdms:
    """The family of ZK push terminals."""

    family = FAMILY
    quirks = QUIRKS
    calls_us = True
    abilities = ABILITIES

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One server for all terminals; ConfigError without ``[push.zk_adms]`` and for a terminal that can not work."""
        if context.push is None:
            if not terminals:
                return []
            names = ", ".join(t.config.name for t in terminals)
            raise ConfigError(f"terminals {names} push, but no port is open; add [push.{FAMILY}] with host and port")
        server = AdmsServer(_listed(terminals), context)
        return [DriverTask(FAMILY, terminals, server.run)]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What captured HTTP messages say, or the text of one table."""
        return decode_capture(data, profile, zone, terminal)

    def scrub(self) -> AdmsScrub:
        """For one recorded connection."""
        return AdmsScrub()


DRIVER = ZkAdms()

_Handler: TypeAlias = Callable[[_Known, dict[str, str], Body], Awaitable[Answer]]


def _listed(terminals: Sequence[Terminal]) -> dict[str, _Known]:
    """Terminals by serial; of two with one serial the second gets the state ``config_error``."""
    known: dict[str, _Known] = {}
    for terminal in terminals:
        found = _known_terminal(terminal)
        if found.serial in known:
            log.warning("parked", terminal=terminal.config.name, reason=f"serial {found.serial} is listed twice")
            terminal.state.state, terminal.state.problem = "config_error", "serial_twice"
        else:
            known[found.serial] = found
    return known


def _known_terminal(terminal: Terminal) -> _Known:
    serial, profile = terminal.config.serial, terminal.profile
    if serial is None or not codec.is_serial(serial):
        raise ConfigError(f"terminal {terminal.config.name}: a push terminal is known by its serial number; set serial")
    if strange := set(profile.quirks) - QUIRKS:
        raise ConfigError(
            f"profile {profile.brand}/{profile.model}: unknown quirks {sorted(strange)}, expected {sorted(QUIRKS)}"
        )
    terminal.state.serial = serial
    zone = device_zone(profile, terminal.config.zone, terminal.site_zone)
    return _Known(terminal, serial, zone, granted_of(profile), "acc" in profile.quirks)


class AdmsServer:
    """The conversation with all push terminals of a gateway."""

    def __init__(self, known: dict[str, _Known], context: DriverContext) -> None:
        if context.push is None:
            raise ConfigError(f"no port is open; add [push.{FAMILY}] with host and port")
        self._known = known
        self._context = context
        self._address = (context.push.host, context.push.port)
        self._strangers: set[str] = set()
        self._front = HttpFront(self.answer, context.clocks.wall_ms, self._failed)
        self._calls: dict[tuple[str, str], _Handler] = {
            ("GET", "cdata"): self._greet,
            ("GET", "getrequest"): self._getrequest,
            ("GET", "ping"): self._acknowledge,
            ("POST", "cdata"): self._table,
            ("POST", "devicecmd"): self._command_results,
            ("POST", "registry"): self._registry,
            ("POST", "push"): self._configure,
            ("POST", "querydata"): self._upload,
            ("POST", "exchange"): self._acknowledge,
            ("POST", "fdata"): self._acknowledge,
        }
        self._tables: dict[str, _Handler] = {
            "ATTLOG": self._attendance,
            "RTLOG": self._security,
            "OPERLOG": self._operations,
            "OPTIONS": self._options,
            "TABLEDATA": self._upload,
        }

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        host, port = self._address
        try:
            server = await asyncio.start_server(self._front.serve, host, port)
        except OSError as error:
            raise RetryableError(f"can not listen on {host}:{port}: {error.strerror or error}") from error
        try:
            while True:
                self._notice_silence()
                await asyncio.sleep(LOOK_S)
        finally:
            await _stop_accepting(server)
            server.close()  # without waiting: since Python 3.12 that would last as long as the slowest terminal
            self._front.close()

    def _notice_silence(self) -> None:
        now = self._context.clocks.mono_ms()
        for known in self._known.values():
            last, noted = known.last_contact_mono_ms, known.noted_mono_ms
            if last is not None and now - last > OFFLINE_AFTER_MS:
                known.state.state = "offline"
                if known.present:
                    known.present = False
                    self._context.present(known.serial, None)
            if noted is not None and now - noted > NOTE_MS:
                known.state.problem = known.noted_mono_ms = None

    def _note(self, known: _Known, problem: str, reason: str) -> None:
        """Show a problem; the reason goes to the log."""
        log.warning("terminal", terminal=known.terminal.config.name, problem=problem, reason=reason)
        known.state.problem, known.noted_mono_ms = problem, self._context.clocks.mono_ms()

    def _failed(self, error: Exception) -> None:
        log.error("crashed", task=FAMILY, exc_info=error)

    async def answer(self, head: Head, body: Body) -> Answer:
        """The answer to one request; the rows in it are durable when it says OK."""
        query = codec.query_of(head.query)
        serial = query.get("sn", "")
        if not codec.is_serial(serial):
            await body.drain()
            return Answer(400, "SN is missing or is no serial number")
        call = codec.call_of(head.path)
        known = self._known.get(serial)
        if known is None:
            await body.drain()
            return self._stranger(serial, head.method, call)
        self._contact(known)
        handler = self._calls.get((head.method, call))
        if handler is None:
            await body.drain()
            return Answer(404, f"unknown call {head.method[:10]} {call[:40]}")
        try:
            return await handler(known, query, body)
        except DataError as error:
            self._note(known, "bad_request", str(error))
            raise

    def _stranger(self, serial: str, method: str, call: str) -> Answer:
        """A serial that is not listed: greeted without options, its rows stay with it, IT is told once."""
        if serial not in self._strangers and len(self._strangers) < DISCOVERED_LIMIT:
            self._strangers.add(serial)
            self._context.discovered(FAMILY, serial)
        if method == "POST" and call != "devicecmd":
            return Answer(503, "unknown terminal: list its serial in the gateway's configuration")
        return Answer(200, "OK")

    def _contact(self, known: _Known) -> None:
        known.last_contact_mono_ms = self._context.clocks.mono_ms()
        known.state.last_contact_ms = self._context.clocks.wall_ms()
        known.state.state = "online"
        if not known.present and not known.acc:  # the security dialect has commands of its own, which are not built
            known.present = True
            self._context.present(known.serial, AdmsDevice(known.orders))

    # Handshake and commands

    async def _greet(self, known: _Known, query: dict[str, str], _body: Body) -> Answer:
        now = from_ms(self._context.clocks.wall_ms()).astimezone(known.zone)
        if query.get("type") == "time":
            return Answer(200, codec.time_answer(now))
        known.greeted = True
        if query.get("devicetype", "").lower() == "acc":
            return Answer(200, codec.security_options(_registry_code(known.serial)))
        stamps = {table: await self._context.sink.cursor(_key(known.serial, table)) for table in ("ATTLOG", "OPERLOG")}
        offset_s = known.offset_s(now.replace(tzinfo=None))
        return Answer(200, codec.attendance_options(known.serial, stamps, offset_s, query.get("pushver")))

    async def _registry(self, known: _Known, _query: dict[str, str], body: Body) -> Answer:
        _learn(known.state, codec.facts_of(codec.options_of(await body.read(FACTS_LIMIT))))
        return Answer(200, f"RegistryCode={_registry_code(known.serial)}")

    async def _configure(self, known: _Known, _query: dict[str, str], body: Body) -> Answer:
        await body.drain()
        known.greeted = True
        return Answer(200, codec.security_options(_registry_code(known.serial)))

    async def _getrequest(self, known: _Known, query: dict[str, str], _body: Body) -> Answer:
        _learn(known.state, codec.facts_of_info(query.get("info", "")))
        if not known.greeted:
            # Greeted by an earlier run: what it takes for stored may be more than there is, so let it greet again.
            known.greeted = True
            known.commands.insert(0, "CHECK")
        known.commands += known.orders.fetch(known.last_number + len(known.commands) + 1)
        lines = [f"C:{n}:{command}" for n, command in enumerate(known.commands, known.last_number + 1)]
        known.last_number += len(lines)
        known.commands.clear()
        return Answer(200, "\n".join(lines) if lines else "OK")

    async def _command_results(self, known: _Known, _query: dict[str, str], body: Body) -> Answer:
        results, facts = codec.command_results(await body.read(FACTS_LIMIT))
        _learn(known.state, codec.facts_of(facts))
        for result in results:
            ours = known.orders.done(result.number, result.code)
            if result.code and not ours:
                name = known.terminal.config.name
                log.warning("command failed", terminal=name, command=result.command, code=result.code)
        return Answer(200, "OK")

    async def _acknowledge(self, _known: _Known, _query: dict[str, str], body: Body) -> Answer:
        await body.drain()
        return Answer(200, "OK")

    # Tables

    async def _table(self, known: _Known, query: dict[str, str], body: Body) -> Answer:
        table = query.get("table", "").upper()
        if handler := self._tables.get(table):
            return await handler(known, query, body)
        if table == "USERINFO" and known.orders.people is not None:
            return Answer(200, f"OK: {await self._people(known, body)}")
        rows = await body.drain()
        if table in DRAINED:
            return Answer(200, f"OK: {rows}" if table in COUNTED else "OK")
        return self._refuse(known, table)

    async def _upload(self, known: _Known, query: dict[str, str], body: Body) -> Answer:
        """Users, templates and pictures of the security dialect."""
        if known.orders.people is not None and not known.acc and "tablename" not in query:
            return Answer(200, f"OK: {await self._people(known, body)}")  # the answer to DATA QUERY
        rows = await body.drain()
        name = query.get("tablename", "").lower()
        return Answer(200, f"{name}={_count(query, rows)}") if name in UPLOADS else self._refuse(known, name)

    async def _people(self, known: _Known, body: Body) -> int:
        """Rows of people that somebody asked for; how many lines there were."""
        text = await body.read()
        known.orders.told(text)
        return len(codec.lines_of(text))

    def _refuse(self, known: _Known, table: str) -> Answer:
        """A table that might hold punches: it stays with the terminal until a later version knows it."""
        self._note(known, "unknown_table", f"table {table[:40]!r} is not known to this version; its rows stay there")
        return Answer(503, "unknown table")

    async def _options(self, known: _Known, _query: dict[str, str], body: Body) -> Answer:
        _learn(known.state, codec.facts_of(codec.options_of(await body.read(FACTS_LIMIT))))
        return Answer(200, "OK")

    async def _attendance(self, known: _Known, query: dict[str, str], body: Body) -> Answer:
        rows = list(codec.attendance_rows(await body.read()))
        stamp = codec.clean_stamp(query.get("stamp"))
        return await self._store(known, rows, "ATTLOG", stamp, f"OK: {len(rows)}")

    async def _security(self, known: _Known, _query: dict[str, str], body: Body) -> Answer:
        rows = list(codec.security_rows(await body.read(), known.granted))
        for row in rows:
            if isinstance(row, codec.Door) and 100 <= row.event < 200:
                self._note(known, "alarm", f"event {row.event}")
        punches = [row for row in rows if not isinstance(row, codec.Door)]
        newest = max(
            (row.index for row in punches if isinstance(row, codec.Row) and row.index is not None), default=None
        )
        place = None if newest is None else str(newest).encode()
        return await self._store(known, punches, "rtlog", place, "OK")

    async def _operations(self, known: _Known, query: dict[str, str], body: Body) -> Answer:
        """Health facts only: no row of this table is kept, so the stamp alone is."""
        text = await body.read()
        known.orders.told(text)
        count, operations = codec.operations(text)
        now = device_seconds(from_ms(self._context.clocks.wall_ms()).astimezone(known.zone))
        for operation in operations:
            if operation.code in OPERATIONS and operation.wall is not None:
                age_s = abs(now - device_seconds(operation.wall))
                if age_s * 1000 < NOTE_MS:
                    self._note(known, OPERATIONS[operation.code], f"operation {operation.code} at {operation.wall}")
        stamp = codec.clean_stamp(query.get("opstamp") or query.get("stamp"))
        return await self._store(known, [], "OPERLOG", stamp, f"OK: {count}")

    async def _store(
        self, known: _Known, rows: Sequence[codec.Row | codec.Bad], table: str, place: bytes | None, done: str
    ) -> Answer:
        """Commit rows, the last of them with the new place in the table, then say ``done``; 503 when refused."""
        events = self._events(known, rows, table)
        try:
            await self._put(events, _key(known.serial, table), place)
        except RetryableError as error:
            known.refused = True
            self._note(known, "buffer_refused", str(error))
            return Answer(503, "not stored, send again")
        if known.refused:
            known.refused, known.state.problem, known.noted_mono_ms = False, None, None
        if events:
            known.state.last_event_ms = self._context.clocks.wall_ms()
        return Answer(200, done)

    async def _put(self, events: Sequence[Event], key: str, place: bytes | None) -> None:
        """Every commit carries a place, the old one until the last: the source keeps its log and can wait."""
        if not events and place is None:
            return
        sink = self._context.sink
        parts = [events[n : n + PUT_ROWS] for n in range(0, len(events), PUT_ROWS)] or [events]
        old = b"0" if place is not None and len(parts) == 1 else await sink.cursor(key) or b"0"
        for part in parts[:-1]:
            await sink.put(part, Cursor(key, old))
        await sink.put(parts[-1], Cursor(key, place or old))

    def _events(self, known: _Known, rows: Sequence[codec.Row | codec.Bad], table: str) -> list[Event]:
        seen_ms = self._context.seen_ms()
        profile = known.terminal.profile if known.acc == (table == "rtlog") else None
        events: list[Event] = [
            punch_of(row, known.serial, known.zone, profile, seen_ms) for row in rows if isinstance(row, codec.Row)
        ]
        bad = [row for row in rows if isinstance(row, codec.Bad)]
        now = self._context.clocks.wall_ms()
        events += (Damaged(known.serial, row.reason, row.raw, now, seen_ms) for row in _bounded(bad))
        return events


async def _stop_accepting(server: asyncio.Server) -> None:
    """Let connections that are being accepted arrive: asyncio 3.11 leaks them when the server closes under them."""
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    for _ in range(3):
        await asyncio.sleep(0)


def _bounded(rows: Sequence[codec.Bad]) -> Iterable[codec.Bad]:
    """The first bad rows as they are, the others joined up to the size of one damaged row, none left out."""
    yield from rows[:SEPARATE_BAD_ROWS]
    joined = bytearray()
    for row in rows[SEPARATE_BAD_ROWS:]:
        if joined and len(joined) + 1 + len(row.raw) > DAMAGED_RAW_LIMIT:
            yield codec.Bad("bad_rows", bytes(joined))
            joined.clear()
        joined += (b"\n" if joined else b"") + row.raw
    if joined:
        yield codec.Bad("bad_rows", bytes(joined))


def _learn(state: TerminalState, facts: codec.Facts) -> None:
    state.firmware = facts.firmware or state.firmware
    state.users = state.users if facts.users is None else facts.users
    state.log_used = state.log_used if facts.log_used is None else facts.log_used
    state.log_capacity = state.log_capacity if facts.log_capacity is None else facts.log_capacity


def _registry_code(serial: str) -> str:
    """The same after a restart, so that a registered terminal stays registered; it protects nothing."""
    return hashlib.sha256(serial.encode()).hexdigest()[:16]


def _count(query: dict[str, str], rows: int) -> int:
    """The count that the terminal announced; it waits for this number."""
    text = query.get("count", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else rows


def _key(serial: str, table: str) -> str:
    return f"{FAMILY}:{serial}:{table}"
