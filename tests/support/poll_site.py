"""The gateway's side of a pull family in a test: one task over an outbox in memory."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from gateway.config import TerminalConfig
from gateway.driver import Driver, Terminal, TerminalState
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until


@dataclass
class PollSite:
    """``running`` runs the driver's task until a condition holds, each time anew over the same outbox."""

    driver: Driver
    profile: str
    port: int
    folder: Path
    password: str | None = "Muster-1234"
    serial: str | None = "CFG0001"
    host: str = "127.0.0.1"
    timeout_s: float = 10.0
    sink: RecordingSink = field(default_factory=RecordingSink)
    clock: TurnedClock = field(default_factory=TurnedClock)
    state: TerminalState = field(default_factory=lambda: TerminalState("", ""))

    def terminal(self) -> Terminal:
        key_file = self.folder / "login"
        if self.password is not None:
            key_file.write_text(f"admin:{self.password}\n")
        found = terminal(
            TerminalConfig(
                name="gate",
                profile=self.profile,
                host=self.host,
                port=self.port,
                serial=self.serial,
                key_file=None if self.password is None else key_file,
                poll_s=0.02,
            )
        )
        link = msgspec.structs.replace(found.profile.link, timeout_s=self.timeout_s)
        self.state = found.state
        return replace(found, profile=msgspec.structs.replace(found.profile, link=link))

    async def run(self) -> None:
        """The driver's task until it ends; its error comes out."""
        (task,) = self.driver.tasks([self.terminal()], context(self.sink, self.clock))
        await task.run()

    async def running(self, condition: Callable[[], bool]) -> None:
        """Run until the condition holds; an error of the task comes out at once."""
        task = asyncio.ensure_future(self.run())
        try:
            await until(lambda: task.done() or condition())
            if task.done():
                task.result()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
