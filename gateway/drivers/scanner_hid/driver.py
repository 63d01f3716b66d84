"""Scanners that act as a keyboard: their key strokes are taken away from the desktop and become scans."""

import asyncio
import importlib
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path
from typing import Protocol

from gateway.device import Decoded
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.scanner_hid.codec import EVENT, KeyDecoder
from gateway.profile import FrameFacts, Profile
from gateway.scans import station
from gateway.scans.frames import Noise, read_of
from gateway.scans.station import Desk, decode_reads, rules_of, station_of
from gateway.transports.serial_port import advice, readable
from shared.errors import ConfigError, DataError

FAMILY = "scanner_hid"
UNFINISHED_S = 2.0
"""A read without Enter for so long is not glued to the next one."""
CONTACT_S = 30.0
EVENTS_AT_ONCE = 64 * EVENT.size


class ScannerHid:
    """The family of keyboard scanners."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per scanner; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, [t], Scanner(t, context).run) for t in terminals]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """The reads in captured input events of a machine like this one."""
        if len(data) < EVENT.size:
            raise DataError(f"{len(data)} bytes, expected events of {EVENT.size}", code="no_event")
        decoder = KeyDecoder()
        pieces = [*decoder.feed(data), *decoder.silence()]
        rules = rules_of(profile.frame or FrameFacts())
        found = (piece if isinstance(piece, Noise) else read_of(piece.raw, rules) for piece in pieces)
        return [decode_reads("reads", found, profile, zone, terminal)]


DRIVER = ScannerHid()


class Source(Protocol):
    """An open stream of input events."""

    @property
    def fd(self) -> int:
        """Its descriptor."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class EventFile:
    """Recorded or emulated events: a file, or a named pipe."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self) -> None:
        """End it."""
        os.close(self.fd)


def open_source(path: str) -> Source:
    """The device, grabbed so that its strokes reach nobody else; OSError when it is not there or taken."""
    if not stat.S_ISCHR(Path(path).stat().st_mode):
        return EventFile(path)
    try:
        evdev = importlib.import_module("evdev")
    except ImportError as error:
        raise ConfigError(
            "a keyboard scanner needs evdev, which is not installed: pip install 'muster[hid]'"
        ) from error
    device = evdev.InputDevice(path)
    try:
        device.grab()
    except BaseException:
        device.close()
        raise
    source: Source = device
    return source


class Scanner:
    """The conversation with one scanner."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        if terminal.config.device is None:
            raise ConfigError(f"terminal {terminal.config.name}: set device, such as /dev/input/by-id/...-event-kbd")
        self._device = terminal.config.device
        self._desk = Desk(station_of(terminal, framed=False), context)

    async def run(self) -> None:
        """Read until cancelled, through any number of unplugged cables."""
        while True:
            try:
                source = open_source(self._device)
            except OSError as error:
                self._desk.lost(*advice(error, group="input"))
                await asyncio.sleep(station.LOOK_S)
                continue
            self._desk.opened()
            try:
                await self._listen(source.fd)
            except OSError:
                self._desk.lost("port_missing", "the device vanished")
            finally:
                source.close()

    async def _listen(self, descriptor: int) -> None:
        """Read until the device vanishes: OSError."""
        decoder = KeyDecoder()
        while True:
            self._desk.heard()
            with suppress(TimeoutError):
                async with asyncio.timeout(UNFINISHED_S if decoder.waiting else CONTACT_S):
                    await _more(descriptor)
            chunk = b""
            with suppress(BlockingIOError):
                chunk = os.read(descriptor, EVENTS_AT_ONCE)
            if chunk:
                await self._desk.keep(self._desk.events_of(decoder.feed(chunk)))
            elif stat.S_ISCHR(os.fstat(descriptor).st_mode):
                await self._desk.keep(self._desk.events_of(decoder.silence()))
            else:
                await asyncio.sleep(station.LOOK_S)  # the end of a file, or a pipe that nobody writes into


async def _more(descriptor: int) -> None:
    with suppress(PermissionError):  # a plain file is always ready, and the kernel refuses to watch it
        await readable(descriptor)
