"""Terminals that call by WebSocket and the real outbox: what was acknowledged is on disk."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from emulators.aiface_ws import AifaceTerminal
from gateway.buffer.outbox import Outbox
from gateway.config import BufferConfig, PushConfig, TerminalConfig
from gateway.driver import DriverContext
from gateway.drivers.aiface_ws.driver import DRIVER
from shared.clock import system_clocks
from shared.punch import Punch
from shared.wire import decode_event
from tests.support.loopback import free_port
from tests.support.recording_sink import terminal, until

AT = datetime(2026, 11, 23, 8, 59, 1)
COUNT = 900


async def stored(outbox: Outbox) -> list[str]:
    """Users of all rows that the outbox holds."""
    users = []
    for stream in await outbox.streams():
        first = stream.first
        while rows := await outbox.read(stream.stream, first, stream.last):
            events = [decode_event(row.body) for row in rows]
            users += [event.user for event in events if isinstance(event, Punch)]
            first = rows[-1].seq + 1
    return users


async def test_rel01_every_acknowledged_punch_survives_restarts_once(tmp_path: Path) -> None:
    port = free_port()
    device = AifaceTerminal("S1", "127.0.0.1", port, batch=30, repeat_s=0.02)
    for n in range(COUNT):
        device.punch(1000 + n, AT + timedelta(seconds=n))
    calling = asyncio.create_task(device.run())
    for part in range(1, 4):
        outbox = Outbox.open(tmp_path / "data", BufferConfig(), system_clocks())
        listed = [terminal(TerminalConfig(name="gate", profile="timmy/tfs30", serial="S1"))]
        given = DriverContext(outbox, system_clocks(), outbox.seen_ms, PushConfig(port=port))
        (task,) = DRIVER.tasks(listed, given)
        running = asyncio.ensure_future(task.run())
        await until(lambda part=part: device.acknowledged >= part * COUNT // 3)  # type: ignore[misc]
        acknowledged = device.acknowledged
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        users = await stored(outbox)
        await outbox.close()
        assert {str(1000 + n) for n in range(acknowledged)} <= set(users)
        assert len(users) == len(set(users))
    await device.stop()
    await calling
    assert device.acknowledged == COUNT
