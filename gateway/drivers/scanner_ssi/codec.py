"""Packets of Zebra's Simple Serial Interface; no I/O.

Source: protocols/scan-devices.md of the specification (grade B-: no capture).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.scans.frames import Noise

HOST, DECODER = 0x04, 0x00
DECODE_DATA, ACK, NAK = 0xF3, 0xD0, 0xD1
RETRANSMIT, CONTINUED = 0x01, 0x02
"""Bits of the status byte: a packet sent again, and one of several that make one message."""
HEADER = 4
CHECKSUM = 2
CODE_TYPES = {
    0x01: "]A0",
    0x02: "]F0",
    0x03: "]C0",
    0x06: "]I0",
    0x08: "]E0",
    0x0A: "]E4",
    0x0B: "]E0",
    0x0F: "]C1",
    0x1B: "]d1",
    0x1C: "]Q1",
}
"""AIM identifier by code type; where the modifier depends on options that SSI does not tell, the plain one."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet whose checksum is right."""

    opcode: int
    status: int
    data: bytes
    source: int = DECODER

    @property
    def repeated(self) -> bool:
        """Whether the scanner says that it has sent this before."""
        return bool(self.status & RETRANSMIT)


def encode(packet: Packet) -> bytes:
    """Bytes of a packet; at most 251 of data."""
    body = bytes([HEADER + len(packet.data), packet.opcode, packet.source, packet.status]) + packet.data
    return body + checksum(body)


def checksum(body: bytes) -> bytes:
    """Two's complement of the sum of the bytes, big-endian."""
    return (-sum(body) & 0xFFFF).to_bytes(2, "big")


def symbology_of(code_type: int) -> str:
    """AIM identifier; ``ssi:2E`` for a type that has none here."""
    return CODE_TYPES.get(code_type, f"ssi:{code_type:02X}")


class PacketDecoder:
    """Cuts a byte stream into packets. Bytes that begin none are noise; the next packet is looked for behind them."""

    def __init__(self) -> None:
        self._tail = bytearray()

    @property
    def waiting(self) -> bool:
        """Whether the beginning of a packet waits for its end."""
        return bool(self._tail)

    def feed(self, chunk: bytes) -> Iterator[Packet | Noise]:
        """Packets and noise that this chunk completes."""
        self._tail += chunk
        yield from self._cut(last=False)

    def silence(self) -> Iterator[Packet | Noise]:
        """The rest will not come: look for packets behind a beginning that was none."""
        yield from self._cut(last=True)

    def _cut(self, *, last: bool) -> Iterator[Packet | Noise]:
        data = bytes(self._tail)
        place, noise = 0, 0
        while place < len(data):
            size = data[place] + CHECKSUM
            header = data[place : place + HEADER]
            possible = size >= HEADER + CHECKSUM and (len(header) < 3 or header[2] == DECODER)
            if possible and place + size > len(data):
                if not last:
                    break
                possible = False
            body, check = data[place : place + size - CHECKSUM], data[place + size - CHECKSUM : place + size]
            if possible and checksum(body) == check:
                if noise < place:
                    yield Noise("noise", data[noise:place])
                yield Packet(body[1], body[3], body[HEADER:], body[2])
                place += size
                noise = place
            elif possible and place + size == len(data):
                place = len(data)  # the scanner waits for an answer now: a whole packet that came damaged
            else:
                place += 1
        if noise < place:
            yield Noise("noise", data[noise:place])
        self._tail = bytearray(data[place:])
