"""Zebra scanners in packet mode: each read is acknowledged once it is committed."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import tzinfo

from gateway.device import Decoded
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.scanner_ssi.codec import (
    ACK,
    CONTINUED,
    DECODE_DATA,
    HOST,
    NAK,
    RETRANSMIT,
    Packet,
    PacketDecoder,
    encode,
    symbology_of,
)
from gateway.profile import FrameFacts, Profile
from gateway.scans import station
from gateway.scans.frames import Found, LineRules, Noise, Read, read_of
from gateway.scans.station import Desk, decode_reads, rules_of, station_of
from gateway.transports.serial_port import SerialPort, advice, readable
from shared.errors import ConfigError

FAMILY = "scanner_ssi"
BAUDRATE = 9600
UNFINISHED_S = 0.5
"""A packet of 257 bytes takes 0.3 s at 9600 baud; the scanner repeats it after about 2 s."""
CONTACT_S = 30.0
RESEND = b"\x01"
"""Cause of a NAK: the checksum was wrong, send again."""


class ScannerSsi:
    """The family of scanners in SSI mode."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per scanner; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, [t], Scanner(t, context).run) for t in terminals]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """The reads in what a scanner sent."""
        decoder, reads = PacketDecoder(), Reads(rules_of(profile.frame or FrameFacts()))
        found = [read for piece in (*decoder.feed(data), *decoder.silence()) for read in reads.of(piece)]
        return [decode_reads("reads", found, profile, zone, terminal)]


DRIVER = ScannerSsi()


class Reads:
    """Packets to reads; a packet that the scanner sends again is the one before."""

    def __init__(self, rules: LineRules) -> None:
        self._rules = rules
        self._last: Packet | None = None

    def of(self, piece: Packet | Noise) -> Iterable[Found]:
        """None or one read."""
        if isinstance(piece, Noise):
            return [piece]
        if piece.opcode != DECODE_DATA:
            return []
        plain = replace(piece, status=piece.status & ~RETRANSMIT)
        known, self._last = piece.repeated and plain == self._last, plain
        if known:
            return []
        if piece.status & CONTINUED or not piece.data:
            return [Noise("bad_packet", encode(piece))]
        read = read_of(piece.data[1:], self._rules)
        if isinstance(read, Read) and not read.symbology:
            read = replace(read, symbology=symbology_of(piece.data[0]))
        return [read]


class Scanner:
    """The conversation with one scanner."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        if terminal.config.device is None:
            raise ConfigError(f"terminal {terminal.config.name}: set device, such as /dev/serial/by-id/...")
        self._device = terminal.config.device
        self._desk = Desk(station_of(terminal, framed=False), context)
        self._baudrate = terminal.profile.link.baudrate or BAUDRATE
        self._reads = Reads(self._desk.station.rules)

    async def run(self) -> None:
        """Read until cancelled, through any number of unplugged cables."""
        while True:
            try:
                port = SerialPort(self._device, self._baudrate, timeout=0, write_timeout=1)
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
        decoder = PacketDecoder()
        while True:
            self._desk.heard()
            with suppress(TimeoutError):
                async with asyncio.timeout(UNFINISHED_S if decoder.waiting else CONTACT_S):
                    await readable(port.fileno())
            chunk = port.read(4096)
            for piece in decoder.feed(chunk) if chunk else decoder.silence():
                await self._desk.keep(self._desk.events(self._reads.of(piece)))
                if isinstance(piece, Noise):
                    port.write(encode(Packet(NAK, 0, RESEND, HOST)))
                elif piece.opcode not in (ACK, NAK):
                    port.write(encode(Packet(ACK, 0, b"", HOST)))
