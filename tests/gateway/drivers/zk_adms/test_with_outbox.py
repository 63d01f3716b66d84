"""Push terminals and the real outbox: what was answered with OK is on disk."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from emulators.zk_adms import AdmsTerminal
from gateway.buffer.outbox import Outbox
from gateway.config import BufferConfig, PushConfig, TerminalConfig
from gateway.driver import DriverContext
from gateway.drivers.zk_adms.driver import DRIVER
from shared.clock import system_clocks
from shared.punch import Punch
from shared.wire import decode_event
from tests.support.loopback import free_port
from tests.support.recording_sink import terminal, until

AT = datetime(2026, 11, 23, 8, 59, 1)


class Run:
    """One life of the gateway's driver over the outbox of a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.outbox = Outbox.open(folder, BufferConfig(), system_clocks())
        listed = [terminal(TerminalConfig(name="gate", profile="solution/x903", serial="CKJG0001"))]
        given = DriverContext(self.outbox, system_clocks(), self.outbox.seen_ms, PushConfig(port=port))
        (task,) = DRIVER.tasks(listed, given)
        self._task = asyncio.ensure_future(task.run())

    async def stop(self) -> list[str]:
        """End it; users of all rows that the outbox holds, oldest first."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        users = []
        for stream in await self.outbox.streams():
            first = stream.first
            while rows := await self.outbox.read(stream.stream, first, stream.last):
                events = [decode_event(row.body) for row in rows]
                users += [event.user for event in events if isinstance(event, Punch)]
                first = rows[-1].seq + 1
        await self.outbox.close()
        return users


async def test_rel01_every_acknowledged_punch_survives_restarts_once(tmp_path: Path) -> None:
    port = free_port()
    device = AdmsTerminal("CKJG0001", port=port, batch=100, poll_s=0.02, error_delay_s=0.02, send_twice=True)
    for n in range(3000):
        device.punch(f"{n:04}", AT + timedelta(seconds=n))
    pushing = asyncio.create_task(device.run())
    for part in range(1, 4):
        run = Run(tmp_path / "data", port)
        await until(lambda part=part: device.acknowledged >= part * 1000)  # type: ignore[misc]
        acknowledged = device.acknowledged
        stored = await run.stop()
        assert stored[:acknowledged] == [f"{n:04}" for n in range(acknowledged)]
        assert len(stored) == len(set(stored))
    await device.stop()
    await pushing
    assert device.acknowledged == 3000
