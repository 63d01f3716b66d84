"""A UHF reader that speaks LLRP 1.0.1, from the reader's side; one client at a time, as real ones."""

import asyncio
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

_HEADER = struct.Struct(">HII")
_REPORT, _KEEPALIVE, _EVENT, _KEEPALIVE_ACK, _ERROR = 61, 62, 63, 72, 100
_CLOSE, _CLOSE_ANSWER = 14, 4
_DELETE, _START, _STOP, _ENABLE, _DISABLE = 21, 22, 23, 24, 25
_ANSWERS = {1: 11, 2: 12, 3: 13, 20: 30, 21: 31, 22: 32, 23: 33, 24: 34, 25: 35, 40: 50, 41: 51, 42: 52, 43: 53}
"""Type of the answer by type of the request."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A tag in the field: EPC in hexadecimal digits, microseconds of UTC (None for a reader without clock)."""

    epc: str
    antenna: int = 1
    at_us: int | None = None
    rssi: int = -55
    count: int = 1


class LlrpReader:
    """One reader on the loopback interface; tags are reported while a client has started an ROSpec."""

    def __init__(self, *, antennas: int = 4, keepalive_s: float | None = None) -> None:
        self.port = 0
        self.emitted = 0
        """Tags reported, each as often as it was."""
        self.requests: list[int] = []
        """Types of the messages that clients sent."""
        self.acknowledged = 0
        """Keep-alives that were answered."""
        self.busy = False
        """Pretend that another client is connected."""
        self.started = asyncio.Event()
        self._antennas = antennas
        self._keepalive_s = keepalive_s
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._number = 0

    async def start(self) -> None:
        """Listen, on the same port each time."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Switch off."""
        self.drop()
        if self._server is not None:
            self._server.close()
            self._server = None

    def drop(self) -> None:
        """Lose the client."""
        self.started.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def see(self, tags: Iterable[Seen]) -> None:
        """Report these tags in one message, once a client has started."""
        seen = list(tags)
        await self.send(self.message(_REPORT, b"".join(map(_tag_report, seen))))
        self.emitted += len(seen)

    async def send(self, data: bytes) -> None:
        """These bytes, once a client has started."""
        await self.started.wait()
        if self._writer is not None:
            self._writer.write(data)
            await self._writer.drain()

    def message(self, kind: int, body: bytes = b"", number: int | None = None) -> bytes:
        """A message of the reader."""
        if number is None:
            self._number += 1
            number = self._number
        return _HEADER.pack(1 << 10 | kind, _HEADER.size + len(body), number) + body

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken = self._writer is not None or self.busy
        attempt = _tlv(256, struct.pack(">H", 2 if taken else 0))
        clock = _tlv(128, struct.pack(">Q", 1_795_395_541_000_000))
        writer.write(self.message(_EVENT, _tlv(246, clock + attempt)))
        if taken:
            writer.close()
            return
        self._writer = writer
        beat = asyncio.create_task(self._beat(writer)) if self._keepalive_s else None
        try:
            while True:
                head = await reader.readexactly(_HEADER.size)
                kind, size, number = _HEADER.unpack(head)
                await reader.readexactly(size - _HEADER.size)
                if not await self._answer(writer, kind & 0x3FF, number):
                    break
        except (asyncio.IncompleteReadError, OSError):
            pass
        except asyncio.CancelledError:
            pass  # at the end of the program: asyncio 3.11 would report the task as failed
        finally:
            if beat is not None:
                beat.cancel()
                with suppress(asyncio.CancelledError):
                    await beat
            writer.close()
            if self._writer is writer:
                self._writer = None
                self.started.clear()

    async def _answer(self, writer: asyncio.StreamWriter, kind: int, number: int) -> bool:
        """Answer a request; False when it ends the connection."""
        self.requests.append(kind)
        if kind == _KEEPALIVE_ACK:
            self.acknowledged += 1
        elif kind == _CLOSE:
            writer.write(self.message(_CLOSE_ANSWER, _status(), number))
            return False
        elif kind in _ANSWERS:
            body = _status() + (_capabilities(self._antennas) if kind == 1 else b"")
            writer.write(self.message(_ANSWERS[kind], body, number))
            if kind in (_START, _ENABLE):  # an ROSpec with an immediate trigger starts when enabled
                self.started.set()
            elif kind in (_STOP, _DISABLE, _DELETE):
                self.started.clear()
        elif kind not in (60, 64):  # GET_REPORT, ENABLE_EVENTS_AND_REPORTS: no answer of their own
            writer.write(self.message(_ERROR, _status(109), number))
        await writer.drain()
        return True

    async def _beat(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(self._keepalive_s or 1)
            writer.write(self.message(_KEEPALIVE))


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, 4 + len(value)) + value


def _tv(kind: int, value: bytes) -> bytes:
    return bytes([0x80 | kind]) + value


def _status(code: int = 0) -> bytes:
    return _tlv(287, struct.pack(">HH", code, 0))


def _tag_report(seen: Seen) -> bytes:
    """EPC, antenna, first seen, RSSI, count."""
    epc = bytes.fromhex(seen.epc)
    value = _tv(13, epc) if len(epc) == 12 else _tlv(241, struct.pack(">H", 8 * len(epc)) + epc)
    value += _tv(1, struct.pack(">H", seen.antenna))
    if seen.at_us is not None:
        value += _tv(2, struct.pack(">Q", seen.at_us))
    return _tlv(240, value + _tv(6, struct.pack(">b", seen.rssi)) + _tv(8, struct.pack(">H", seen.count)))


def _capabilities(antennas: int) -> bytes:
    """What a reader of the European band says: antennas, one power level, one fixed frequency, one RF mode."""
    firmware = b"4.8.3"
    protocols = b"".join(_tlv(140, struct.pack(">HHB", n, 1, 1)) for n in range(1, antennas + 1))
    general = struct.pack(">HHIIH", antennas, 0xC000, 25882, 2001002, len(firmware)) + firmware
    general += _tlv(139, struct.pack(">HH", 1, 0)) + _tlv(141, struct.pack(">HH", 4, 4)) + protocols
    llrp = _tlv(142, struct.pack(">BBHIIIII", 0, 0, 0, 1, 1, 1, 1, 1))
    mode = _tlv(329, struct.pack(">IBBBBIIIII", 1000, 0, 2, 1, 2, 40_000, 1500, 6250, 6250, 0))
    frequency = _tlv(146, b"\0" + _tlv(148, struct.pack(">HI", 1, 865_700)))
    band = _tlv(144, _tlv(145, struct.pack(">Hh", 1, 3000)) + frequency + _tlv(328, mode))
    c1g2 = _tlv(327, struct.pack(">BH", 0, 2))
    return _tlv(137, general) + llrp + _tlv(143, struct.pack(">HH", 276, 2) + band) + c1g2
