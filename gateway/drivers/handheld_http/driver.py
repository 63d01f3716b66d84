"""Handhelds that post scans: one port for all of them, which says 200 only after the commit."""

import asyncio
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from urllib.parse import unquote

import msgspec
import structlog

from gateway.device import Decoded
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.handheld_http import codec
from gateway.profile import FrameFacts, Profile
from gateway.scans.station import Desk, decode_reads, rules_of, station_of
from gateway.transports.http_front import Answer, Body, Head, HttpFront
from gateway.transports.scrub import HttpRecorded
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import Event
from shared.scan import DAMAGED_RAW_LIMIT, Damaged

FAMILY = "handheld_http"
PATH = "/scans/"
KEY_BYTES = 16
OFFLINE_AFTER_MS = 24 * 3600 * 1000
"""A handheld lies in its cradle over night."""
LOOK_S = 60.0
STRANGERS = 1000

log = structlog.get_logger("gateway")
KEPT = "seq code at symbology kind operator"
"""Fields of a recording that are no secret, in small letters."""


class HandheldHttp(HttpRecorded):
    """The family of posting handhelds."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()
    kept = KEPT
    calls_us = True

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One server for all; ConfigError without ``[push.handheld_http]`` and for settings that can not work."""
        if not terminals:
            return []
        if context.push is None:
            raise ConfigError(f"handhelds push, but no port is open; add [push.{FAMILY}] with host and port")
        devices = {device.name: device for device in (Device(terminal, context) for terminal in terminals)}
        if len(devices) < len(terminals):
            raise ConfigError("two handhelds have one serial; each has its own")
        return [DriverTask(FAMILY, terminals, HandheldServer(devices, context).run)]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """The scans in the body of a request."""
        reads = codec.reads_of(data, rules_of(profile.frame or FrameFacts()))
        return [decode_reads("scans", reads, profile, zone, terminal)]


DRIVER = HandheldHttp()


def read_key(path: Path | None, name: str) -> bytes:
    """The device's secret; ConfigError does not repeat it."""
    if path is None:
        raise ConfigError(f"terminal {name}: set key_file to a file with {KEY_BYTES} random characters or more")
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: the key can not be read ({type(error).__name__})") from error
    if len(key) < KEY_BYTES:
        raise ConfigError(f"{path}: expected {KEY_BYTES} random characters or more")
    return key


class Device:
    """One listed handheld."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        self.terminal = terminal
        self.desk = Desk(station_of(terminal, framed=False), context)
        self.name = self.desk.station.name
        self.key = read_key(terminal.config.key_file, terminal.config.name)
        self.lock = asyncio.Lock()
        """One request at a time: the order of a device's scans is that of its commands."""


class HandheldServer:
    """The conversation with all handhelds."""

    def __init__(self, devices: dict[str, Device], context: DriverContext) -> None:
        if context.push is None:
            raise ConfigError(f"no port is open; add [push.{FAMILY}] with host and port")
        self._devices = devices
        self._context = context
        self._push = context.push
        self._strangers: set[str] = set()
        self._front = HttpFront(self.answer, context.clocks.wall_ms, self._failed)

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        try:
            server = await asyncio.start_server(self._front.serve, self._push.host, self._push.port)
        except OSError as error:
            raise RetryableError(f"can not listen on {self._push.host}:{self._push.port}: {error}") from error
        try:
            while True:
                now = self._context.clocks.wall_ms()
                for device in self._devices.values():
                    last = device.terminal.state.last_contact_ms
                    if last is not None and now - last > OFFLINE_AFTER_MS:
                        device.terminal.state.state = "offline"
                await asyncio.sleep(LOOK_S)
        finally:
            server.close()
            self._front.close()

    def _failed(self, error: Exception) -> None:
        log.error("crashed", task=FAMILY, exc_info=error)

    async def answer(self, head: Head, body: Body) -> Answer:
        """The answer to one request; its scans are durable when it says 200."""
        name = unquote(head.path.removeprefix(PATH))
        if head.method != "POST" or not head.path.startswith(PATH) or not name:
            await body.drain()
            return _told(404 if head.method == "POST" else 405, f"POST {PATH}<serial>")
        device = self._devices.get(name)
        if device is None:
            await body.drain()
            if name not in self._strangers and len(self._strangers) < STRANGERS:
                self._strangers.add(name)
                self._context.discovered(FAMILY, name[:80])
            return _told(401, "unknown device or wrong key")
        data = await body.read()
        if not codec.is_genuine(head.headers, device.key, device.name, data):
            device.desk.note("refused", "a request without this device's key or signature")
            return _told(401, "unknown device or wrong key")
        async with device.lock:
            return await self._take(device, data)

    async def _take(self, device: Device, data: bytes) -> Answer:
        desk, state = device.desk, device.terminal.state
        desk.heard()
        if state.state != "online" or state.problem == "refused":
            desk.opened()
        try:
            events = desk.events(codec.reads_of(data, desk.station.rules))
        except DataError as error:
            now, seen_ms = self._context.clocks.wall_ms(), self._context.seen_ms()
            kept: list[Event] = [Damaged(device.name, error.code, data[:DAMAGED_RAW_LIMIT], now, seen_ms)]
            if await desk.put(kept):
                desk.note("bad_request", str(error))
                return _told(400, str(error))
            return _told(503, "not stored, send again")
        if events and not await desk.put(events):
            return _told(503, "not stored, send again")
        bad = sum(isinstance(event, Damaged) for event in events)
        return Answer(200, msgspec.json.encode({"stored": len(events) - bad, "bad": bad}), "application/json")


def _told(status: int, message: str) -> Answer:
    return Answer(status, msgspec.json.encode({"error": message}), "application/json")
