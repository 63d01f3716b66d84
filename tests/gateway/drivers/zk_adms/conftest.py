"""A running server of the push family with a terminal of each dialect listed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from emulators.zk_adms import AdmsTerminal, Answer
from gateway.config import PushConfig, TerminalConfig
from gateway.driver import TerminalState
from gateway.drivers.zk_adms.driver import DRIVER
from tests.support.loopback import free_port
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal

ATT, ACC = "CKJG0001", "ACC00001"


@dataclass
class Site:
    """The gateway's side of a test; ``restart`` starts the driver anew over the same outbox."""

    port: int
    sink: RecordingSink = field(default_factory=RecordingSink)
    clock: TurnedClock = field(default_factory=TurnedClock)
    discovered: list[tuple[str, str]] = field(default_factory=list)
    states: dict[str, TerminalState] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        terminals = [
            terminal(TerminalConfig(name="gate", profile="solution/x903", serial=ATT)),
            terminal(TerminalConfig(name="dock", profile="zkteco/senseface-3a", serial=ACC)),
        ]
        self.states = {one.config.serial or "": one.state for one in terminals}
        push = PushConfig(port=self.port)
        given = context(self.sink, self.clock, push, lambda family, serial: self.discovered.append((family, serial)))
        (task,) = DRIVER.tasks(terminals, given)
        self._task = asyncio.create_task(task.run())  # type: ignore[arg-type]  # a coroutine, as the supervisor has it
        await self._listening()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def terminal(self, serial: str = ATT, **how: object) -> AdmsTerminal:
        """An emulated terminal that calls here and does not wait long."""
        settings: dict[str, object] = {"poll_s": 0.02, "error_delay_s": 0.02, **how}
        return AdmsTerminal(serial, "127.0.0.1", self.port, **settings)  # type: ignore[arg-type]

    async def post(self, table: str, body: bytes, serial: str = ATT, **query: str) -> Answer:
        return await self.terminal(serial).upload(table, body, **query)

    async def raw(self, data: bytes) -> Answer:
        return await self.terminal().exchange(data)

    async def _listening(self) -> None:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    return


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site(free_port())
    await site.start()
    yield site
    await site.stop()
