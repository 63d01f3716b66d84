"""A barcode scanner on a serial line, live or batch, played on the far side of a pseudo-terminal.

Bytes are sent only while somebody has the line open, as a USB scanner does; a batch scanner keeps its file and sends
the whole of it again when asked.
"""

import asyncio
import errno
import os
import select
import tty
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from random import Random

_LOOK_S = 0.02
"""How often the line is looked at: the kernel does not tell when somebody opens a pseudo-terminal."""


class SerialScanner:
    """One scanner; ``device`` is the path that the gateway opens, known after ``start``.

    ``link`` gives the path a fixed name, which survives ``unplug`` and ``plug`` like udev's /dev/serial/by-id.
    """

    def __init__(
        self,
        *,
        prefix: bytes = b"",
        suffix: bytes = b"\r",
        aim: str = "",
        numbered: bool = True,
        link: Path | None = None,
        seed: int = 1,
    ) -> None:
        self.emitted = 0
        """Reads sent, not counting a batch that is sent again, noise and no-reads."""
        self.batch_file: list[bytes] = []
        """Lines of a batch scanner, oldest first."""
        self._prefix = prefix
        self._suffix = suffix
        self._aim = aim
        self._numbered = numbered
        self._link = link
        self._random = Random(seed)
        self._master: int | None = None
        self._name = ""
        self._sent_lines = 0

    @property
    def device(self) -> str:
        """Path of the line on the gateway's side."""
        return str(self._link) if self._link else self._name

    async def start(self) -> None:
        """Make the line."""
        self.plug()

    async def stop(self) -> None:
        """Take the line away."""
        self.unplug()

    def plug(self) -> None:
        """A new line under the same link; nobody has it open yet."""
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._name = os.ttyname(slave)
        os.close(slave)  # from now on the kernel says whether somebody has it open
        self._master = master
        if self._link:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self._name)

    def unplug(self) -> None:
        """The line vanishes under whoever has it open."""
        if self._master is not None:
            os.close(self._master)
            self._master = None
        if self._link:
            self._link.unlink(missing_ok=True)

    async def scan(self, code: str) -> None:
        """One live read, in the encoding a Chinese scanner uses when told to: UTF-8."""
        await self.send(self.frame(code.encode()))
        self.emitted += 1

    def keep(self, code: str, at: datetime) -> None:
        """A batch scanner reads away from its cradle: a line ``[number,]code,time`` for later, time local and naive."""
        number = f"{len(self.batch_file) + 1}," if self._numbered else ""
        self.batch_file.append(f"{number}{code},{at:%Y-%m-%d %H:%M:%S}".encode())

    async def batch(self, rows: Iterable[tuple[str, datetime]]) -> None:
        """Read these away from the cradle, then send them; earlier lines are not sent again."""
        first = len(self.batch_file)
        for code, at in rows:
            self.keep(code, at)
        await self.send_batch(first)

    async def send_batch(self, first: int = 0) -> None:
        """The batch file from that line on; sending lines again does not count as emitted again."""
        for number, line in enumerate(self.batch_file[first:], first + 1):
            await self.send(self.frame(line))
            if number > self._sent_lines:
                self._sent_lines = number
                self.emitted += 1

    async def no_read(self) -> None:
        """What a fixed scanner sends when a parcel had no legible code."""
        await self.send(self.frame(b"NOREAD", aim=False))

    async def noise(self, size: int) -> None:
        """Bytes of a disturbed line, without the suffix in them, and then the suffix."""
        data = bytes(self._random.choice((0x00, 0x01, 0x7F, 0x80, 0xFF)) for _ in range(size))
        await self.send(data + self._suffix)

    def frame(self, payload: bytes, *, aim: bool = True) -> bytes:
        """Prefix, AIM identifier, data, suffix."""
        return self._prefix + (self._aim.encode() if aim else b"") + payload + self._suffix

    async def send(self, data: bytes) -> None:
        """These bytes, once somebody has the line open; waits while the other side does not read."""
        view = memoryview(data)
        while view:
            if self._master is None or not self._is_open():
                await asyncio.sleep(_LOOK_S)
                continue
            try:
                view = view[os.write(self._master, view) :]
            except BlockingIOError:
                await asyncio.sleep(_LOOK_S)
            except OSError as error:
                if error.errno != errno.EIO:  # closed between the look and the write
                    raise

    def _is_open(self) -> bool:
        poll = select.poll()
        poll.register(self._master or 0, select.POLLOUT)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))
