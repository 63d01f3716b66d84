"""The gateway's side of a push family in a test: its server on a free port, over an outbox in memory."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.config import PushConfig, TerminalConfig
from gateway.driver import Driver, TerminalState
from tests.support.loopback import free_port
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal


@dataclass
class PushSite:
    """``restart`` starts the driver anew over the same outbox."""

    driver: Driver
    configs: Sequence[TerminalConfig]
    port: int = field(default_factory=free_port)
    sink: RecordingSink = field(default_factory=RecordingSink)
    clock: TurnedClock = field(default_factory=TurnedClock)
    discovered: list[tuple[str, str]] = field(default_factory=list)
    states: dict[str, TerminalState] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        terminals = [terminal(config) for config in self.configs]
        self.states = {one.config.serial or "": one.state for one in terminals}
        given = context(self.sink, self.clock, PushConfig(port=self.port), self._discovered)
        (task,) = self.driver.tasks(terminals, given)
        self._task = asyncio.ensure_future(task.run())
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    return

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def _discovered(self, family: str, serial: str) -> None:
        self.discovered.append((family, serial))
