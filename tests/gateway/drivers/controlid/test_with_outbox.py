"""Control iD terminals and the real outbox: killed anywhere, every row is stored once."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from emulators.controlid import ControlIdTerminal
from gateway.buffer.outbox import Outbox
from gateway.config import BufferConfig, TerminalConfig
from gateway.driver import DriverContext
from gateway.drivers.controlid.driver import DRIVER
from shared.clock import system_clocks
from shared.punch import Punch
from shared.wire import decode_event
from tests.support.recording_sink import terminal, until

AT = datetime(2026, 11, 23, 8, 59, 1)
COUNT = 900


async def stored(outbox: Outbox) -> list[int | None]:
    """Numbers of all rows that the outbox holds."""
    numbers = []
    for stream in await outbox.streams():
        first = stream.first
        while rows := await outbox.read(stream.stream, first, stream.last):
            events = [decode_event(row.body) for row in rows]
            numbers += [event.native_seq for event in events if isinstance(event, Punch)]
            first = rows[-1].seq + 1
    return numbers


async def test_rel01_every_row_is_stored_once_over_restarts(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("admin:Muster-1234")
    device = ControlIdTerminal(most=50)
    device.enroll(1, "1001")
    for n in range(COUNT):
        device.punch(1, AT + timedelta(seconds=n))
    await device.start()
    numbers: list[int | None] = []
    for part in range(1, 4):
        outbox = Outbox.open(tmp_path / "data", BufferConfig(), system_clocks())
        config = TerminalConfig(
            name="gate", profile="controlid/idface", host="127.0.0.1", port=device.port, key_file=key, poll_s=0.02
        )
        given = DriverContext(outbox, system_clocks(), outbox.seen_ms)
        (task,) = DRIVER.tasks([terminal(config)], given)
        running = asyncio.ensure_future(task.run())
        goal = len(device.calls) + (40 if part == 3 else 8)
        await until(lambda goal=goal: len(device.calls) >= goal)  # type: ignore[misc]
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        numbers = await stored(outbox)
        await outbox.close()
        assert numbers == list(range(1, len(numbers) + 1))
    await device.stop()
    assert len(numbers) == COUNT
