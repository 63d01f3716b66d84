"""Scanners on a serial line: bytes become scans, and the line is opened again whenever its device comes back."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import tzinfo

from gateway.device import Decoded
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.profile import FrameFacts, Profile
from gateway.scans import station
from gateway.scans.frames import FrameDecoder, Noise, read_of
from gateway.scans.station import Desk, decode_reads, rules_of, station_of
from gateway.transports.serial_port import SerialPort, advice, readable
from shared.errors import ConfigError, DataError

FAMILY = "scanner_serial"
BAUDRATE = 9600
SILENCE_MS = 80
"""Ends a read without suffix: 50 to 100 ms (protocols/scan-devices.md)."""
UNFINISHED_S = 2.0
"""A read that lacks its suffix for so long will not be glued to the next one."""
CONTACT_S = 30.0
"""How often a silent but open line counts as contact."""


class ScannerSerial:
    """The family of serial scanners."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per scanner; ConfigError for settings that can not work."""
        found = [(terminal, Scanner(terminal, context)) for terminal in terminals]
        return [DriverTask(terminal.config.name, [terminal], scanner.run) for terminal, scanner in found]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """The reads in a captured byte stream."""
        frame = profile.frame
        if frame is None:
            raise DataError(f"profile {profile.brand}/{profile.model} says nothing of frames", code="no_frame")
        decoder = decoder_of(frame)
        pieces = [*decoder.feed(data), *decoder.silence()]
        rules = rules_of(frame)
        found = (piece if isinstance(piece, Noise) else read_of(piece.raw, rules) for piece in pieces)
        return [decode_reads("reads", found, profile, zone, terminal)]


DRIVER = ScannerSerial()


def decoder_of(frame: FrameFacts) -> FrameDecoder:
    """How this model's stream is cut."""
    return FrameDecoder(frame.prefix.encode("latin-1"), frame.suffix.encode("latin-1"))


class Scanner:
    """The conversation with one scanner."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        if terminal.config.device is None:
            raise ConfigError(f"terminal {terminal.config.name}: set device, such as /dev/serial/by-id/...")
        self._device = terminal.config.device
        self._desk = Desk(station_of(terminal), context)
        self._baudrate = terminal.profile.link.baudrate or BAUDRATE

    async def run(self) -> None:
        """Read until cancelled, through any number of unplugged cables."""
        while True:
            try:
                port = SerialPort(self._device, self._baudrate, timeout=0)
            except (OSError, ValueError) as error:
                self._desk.lost(*advice(error))
                await asyncio.sleep(station.LOOK_S)
                continue
            self._desk.opened()
            try:
                await self._listen(port)
            except OSError:
                self._desk.lost("port_missing", "the device vanished")
            finally:
                port.close()

    async def _listen(self, port: SerialPort) -> None:
        """Read until the line vanishes: OSError."""
        frame = self._desk.station.frame
        decoder = decoder_of(frame)
        silence_s = UNFINISHED_S if frame.suffix else (frame.silence_ms or SILENCE_MS) / 1000
        while True:
            self._desk.heard()
            with suppress(TimeoutError):
                async with asyncio.timeout(silence_s if decoder.waiting else CONTACT_S):
                    await readable(port.fileno())
            # Read even after the time-out: when this process was held up, the rest of a read is there by now.
            chunk = port.read(4096)
            pieces = decoder.feed(chunk) if chunk else decoder.silence()
            await self._desk.keep(self._desk.events_of(pieces))
