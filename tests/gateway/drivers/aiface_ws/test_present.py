"""A terminal that has called is handed to the gateway as something to talk to, and taken back when it hangs up."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from emulators.aiface_ws import AifaceTerminal
from gateway.config import PushConfig, TerminalConfig
from gateway.device import Device, DeviceUser
from gateway.drivers.aiface_ws.driver import DRIVER
from tests.gateway.drivers.aiface_ws.test_driver import SERIAL, START
from tests.support.loopback import free_port
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until


async def test_people_are_written_over_the_call_that_brings_punches() -> None:
    port, sink, present = free_port(), RecordingSink(), dict[str, object | None]()
    listed = terminal(TerminalConfig(name="gate", profile="timmy/tfs30", serial=SERIAL))
    given = replace(
        context(sink, TurnedClock(), PushConfig(port=port)),
        present=lambda serial, device: present.update({serial: device}),
    )
    (task,) = DRIVER.tasks([listed], given)
    serving: asyncio.Task[None] = asyncio.create_task(task.run())  # type: ignore[arg-type]
    emulated = AifaceTerminal(SERIAL, "127.0.0.1", port)
    calling = asyncio.create_task(emulated.run())
    await until(lambda: SERIAL in present)
    device = present[SERIAL]
    assert isinstance(device, Device)
    await device.put_user(DeviceUser("12", "Li"))
    assert [(user.number, user.name) for user in await device.users()] == [("12", "Li")]
    emulated.punch(12, START)
    await until(lambda: [punch.user for punch in sink.punches] == ["12"])
    await emulated.stop()
    calling.cancel()
    await until(lambda: present[SERIAL] is None)
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    await asyncio.gather(calling, return_exceptions=True)
