"""A Zebra scanner in packet mode on a pseudo-terminal: repeats each read until it is acknowledged."""

import asyncio
import os
import tty
from pathlib import Path

_DECODE_DATA, _ACK, _NAK = 0xF3, 0xD0, 0xD1


class SsiScanner:
    """One scanner; ``device`` is the path that the gateway opens."""

    def __init__(self, link: Path, *, repeat_s: float = 2.0) -> None:
        self.emitted = 0
        self.acknowledged = 0
        self.repeated = 0
        self.spoil_next = False
        """Send the next packet with a wrong checksum, once."""
        self.deaf_to = 0
        """So many acknowledgements get lost."""
        self._link = link
        self._repeat_s = repeat_s
        self._master = -1
        self._slave = -1
        self._answers: asyncio.Queue[int] = asyncio.Queue()
        self._seen = bytearray()

    @property
    def device(self) -> str:
        """Path of the line on the gateway's side."""
        return str(self._link)

    async def start(self) -> None:
        """Make the line."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._link.symlink_to(os.ttyname(self._slave))
        asyncio.get_running_loop().add_reader(self._master, self._hear)

    async def stop(self) -> None:
        """Take the line away."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._link.unlink(missing_ok=True)

    async def scan(self, code: str, code_type: int = 0x03) -> None:
        """One read, sent until it is acknowledged."""
        self.emitted += 1
        data, status = bytes([code_type]) + code.encode(), 0
        while True:
            packet = self.packet(_DECODE_DATA, status, data)
            if self.spoil_next:
                self.spoil_next = False
                packet = packet[:-1] + bytes([packet[-1] ^ 0xFF])
            self.send(packet)
            try:
                async with asyncio.timeout(self._repeat_s):
                    answer = await self._answers.get()
            except TimeoutError:
                answer = 0
            if answer == _ACK:
                self.acknowledged += 1
                return
            status, self.repeated = 1, self.repeated + 1

    def send(self, data: bytes) -> None:
        """These bytes, as they are."""
        os.write(self._master, data)

    @staticmethod
    def packet(opcode: int, status: int, data: bytes) -> bytes:
        """A packet of the scanner."""
        body = bytes([4 + len(data), opcode, 0, status]) + data
        return body + (-sum(body) & 0xFFFF).to_bytes(2, "big")

    def _hear(self) -> None:
        self._seen += os.read(self._master, 4096)
        while self._seen and len(self._seen) >= self._seen[0] + 2:
            size = self._seen[0] + 2
            opcode = self._seen[1]
            del self._seen[:size]
            if opcode == _ACK and self.deaf_to:
                self.deaf_to -= 1
            elif opcode in (_ACK, _NAK):
                self._answers.put_nowait(opcode)
