"""Emulated terminals and scanners that note in the ledger what they give out."""

import asyncio
from datetime import datetime
from pathlib import Path

from emulators.scanner_serial import SerialScanner
from emulators.zk4370 import ZkTerminal
from emulators.zk_adms import AdmsTerminal
from muster.stage.ledger import Ledger


class PullDoor:
    """A terminal on port 4370 that is read."""

    def __init__(self, serial: str, zone: str, ledger: Ledger, log_capacity: int = 100_000) -> None:
        self.serial = serial
        self.terminal = ZkTerminal(serial, zone=zone, log_capacity=log_capacity)
        self._ledger = ledger

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        return self.terminal.port

    async def start(self) -> None:
        """Open its port."""
        await self.terminal.start()

    async def stop(self) -> None:
        """Close it."""
        await self.terminal.stop()

    def punch(self, user: str, at: datetime, verify: int, state: int) -> None:
        """A press; it is in the log and pushed to whoever listens."""
        self._ledger.punch(self.serial, user, at)
        self.terminal.punch(user, at, verify, state)

    def punch_at_impossible_time(self, user: str) -> None:
        """A row as a terminal leaves it after losing power: 31 February 2026, which belongs into quarantine."""
        self._ledger.unreadable += 1
        day = (26 * 372 + 1 * 31 + 30) * 86400
        self.terminal.punch_at_impossible_time(user, day)


class PushDoor:
    """A terminal that calls the gateway by HTTP."""

    def __init__(self, serial: str, port: int, ledger: Ledger) -> None:
        self.serial = serial
        self.terminal = AdmsTerminal(serial, port=port)
        self._ledger = ledger
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to call."""
        self._running = asyncio.create_task(self.terminal.run())

    async def stop(self) -> None:
        """End after the request it is in."""
        await self.terminal.stop()
        if self._running is not None:
            await self._running

    def punch(self, user: str, at: datetime, verify: int, state: int) -> None:
        """A press; it is sent until acknowledged."""
        self._ledger.punch(self.serial, user, at)
        self.terminal.punch(user, at, verify, state)

    async def repeat(self, last: int) -> None:
        """Send the newest rows once more, as after an answer that was lost on the way."""
        first = max(0, len(self.terminal.log) - last)
        for row in self.terminal.log[first:]:
            self._ledger.punch(self.serial, row.user, row.at)
        answer = await self.terminal.send(first, len(self.terminal.log))
        while not answer.ok:
            await asyncio.sleep(1)
            answer = await self.terminal.send(first, len(self.terminal.log))


class ScanStation:
    """A scanner on a serial line, which ends each read with ``suffix``; a batch scanner numbers its lines."""

    def __init__(self, serial: str, line: Path, ledger: Ledger, suffix: bytes = b"\r") -> None:
        self.serial = serial
        self.scanner = SerialScanner(link=line, suffix=suffix)
        self._ledger = ledger

    async def start(self) -> None:
        """Make the line."""
        await self.scanner.start()

    async def stop(self) -> None:
        """Take the line away."""
        await self.scanner.stop()

    async def scan(self, code: str) -> None:
        """A live read."""
        self._ledger.scan(self.serial, code)
        await self.scanner.scan(code)

    def keep(self, code: str, at: datetime) -> None:
        """A read away from the cradle, sent with the next ``upload``."""
        self._ledger.scan(self.serial, code, len(self.scanner.batch_file) + 1)
        self.scanner.keep(code, at)

    async def upload(self, first: int = 0) -> None:
        """Put it into the cradle: the lines from ``first`` on are sent."""
        await self.scanner.send_batch(first)

    async def upload_again(self, first: int) -> None:
        """Send lines that were sent before, as when a person is not sure it worked."""
        for number, line in enumerate(self.scanner.batch_file[first:], first + 1):
            code = line.decode().split(",")[1]
            self._ledger.scan(self.serial, code, number)
        await self.scanner.send_batch(first)

    async def noise(self) -> None:
        """A disturbed line, which belongs into quarantine."""
        self._ledger.unreadable += 1
        await self.scanner.noise(24)
