"""Web families and the real outbox: what was acknowledged, or lies before the place, is on disk."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from emulators.fkweb import FkTerminal
from emulators.matrix_cosec import MatrixTerminal
from gateway.buffer.outbox import Outbox
from gateway.config import BufferConfig, PushConfig, TerminalConfig
from gateway.driver import Driver, DriverContext
from gateway.drivers.fkweb.driver import DRIVER as FKWEB
from gateway.drivers.matrix_cosec.driver import DRIVER as MATRIX
from shared.clock import system_clocks
from shared.punch import Punch
from shared.wire import decode_event
from tests.support.loopback import free_port
from tests.support.recording_sink import terminal, until

AT = datetime(2026, 11, 23, 8, 59, 1)


class Run:
    """One life of a driver over the outbox of a folder."""

    def __init__(self, driver: Driver, config: TerminalConfig, folder: Path, port: int | None = None) -> None:
        self.outbox = Outbox.open(folder, BufferConfig(), system_clocks())
        push = None if port is None else PushConfig(port=port)
        given = DriverContext(self.outbox, system_clocks(), self.outbox.seen_ms, push)
        (task,) = driver.tasks([terminal(config)], given)
        self.task = asyncio.ensure_future(task.run())

    async def until_rows(self, count: int) -> None:
        """Return once the outbox holds that many; an error of the driver comes out at once."""
        await until(lambda: self.task.done() or self.outbox.stats().rows >= count)
        if self.task.done():
            self.task.result()

    async def stop(self) -> list[str]:
        """End it; users of all rows that the outbox holds, oldest first."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        users = []
        for stream in await self.outbox.streams():
            first = stream.first
            while rows := await self.outbox.read(stream.stream, first, stream.last):
                events = [decode_event(row.body) for row in rows]
                users += [event.user for event in events if isinstance(event, Punch)]
                first = rows[-1].seq + 1
        await self.outbox.close()
        return users


async def test_rel01_every_acknowledged_push_survives_restarts_once(tmp_path: Path) -> None:
    port = free_port()
    device = FkTerminal("FK0001", port=port, block=64, repeats=1, poll_s=0.02)
    for n in range(120):
        device.punch(f"{n:04}", AT + timedelta(seconds=n))
    pushing = asyncio.create_task(device.run())
    config = TerminalConfig(name="gate", profile="hysoon/4775", serial="FK0001")
    for part in range(1, 4):
        run = Run(FKWEB, config, tmp_path / "data", port)
        await until(lambda part=part: device.acknowledged >= part * 40)  # type: ignore[misc]
        acknowledged = device.acknowledged
        stored = await run.stop()
        assert stored[:acknowledged] == [f"{n:04}" for n in range(acknowledged)]
        assert len(stored) == len(set(stored))
    await device.stop()
    await pushing
    assert device.acknowledged == 120


async def test_rel01_every_event_of_a_log_survives_restarts_once(tmp_path: Path) -> None:
    device = MatrixTerminal(roll_at=400)
    await device.start()
    key_file = tmp_path / "login"
    key_file.write_text("admin:Muster-1234\n")
    config = TerminalConfig(
        name="gate", profile="matrix/cosec-vega", host="127.0.0.1", port=device.port, key_file=key_file, poll_s=0.02
    )
    users: list[str] = []
    for part in range(3):
        users += (new := [f"{part}-{n}" for n in range(300)])
        for n, user in enumerate(new):
            device.punch(user, AT + timedelta(hours=part, seconds=n))
        run = Run(MATRIX, config, tmp_path / "data")
        if part == 1:
            await asyncio.sleep(0)  # killed before it did anything
        else:
            await run.until_rows(len(users))
        stored = await run.stop()
        assert stored == users[: len(stored)]
    assert stored == users
    await device.stop()
