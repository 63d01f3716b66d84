"""A terminal, an outbox in memory and the driver's task between them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from emulators.dahua import DahuaTerminal
from gateway.config import PushConfig, TerminalConfig
from gateway.driver import DriverTask, Terminal, TerminalState
from gateway.drivers.dahua.driver import DRIVER
from gateway.profile import Profile
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until

AT = datetime(2026, 11, 23, 8, 59, 1)
ASI = "dahua/asi"


@dataclass
class Site:
    folder: Path
    device: DahuaTerminal = field(default_factory=DahuaTerminal)
    sink: RecordingSink = field(default_factory=RecordingSink)
    clock: TurnedClock = field(default_factory=TurnedClock)
    password: str = "Muster-1234"
    profile: str = ASI
    push: PushConfig | None = None
    layouts: dict[str, int] = field(default_factory=dict)
    discovered: list[tuple[str, str]] = field(default_factory=list)
    terminal: Terminal | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device.wall = self.wall

    def wall(self) -> datetime:
        """The terminal's clock: the gateway's, in Shanghai."""
        return datetime(1970, 1, 1) + timedelta(milliseconds=self.clock.wall_ms) + timedelta(hours=8)

    def configured(self, **how: object) -> Terminal:
        key = self.folder / "key"
        key.write_text(f"admin:{self.password}\n")
        settings: dict[str, object] = {
            "name": "gate",
            "profile": self.profile,
            "host": "127.0.0.1",
            "port": self.device.port,
            "key_file": key,
            "poll_s": 0.05,
            **how,
        }
        found = terminal(TerminalConfig(**settings))  # type: ignore[arg-type]
        link = replace_link(found)
        self.terminal = replace(found, profile=msgspec.structs.replace(link, layouts=self.layouts))
        return self.terminal

    @property
    def state(self) -> TerminalState:
        assert self.terminal is not None
        return self.terminal.state

    def tasks(self, **how: object) -> list[DriverTask]:
        found = [self.configured(**how)]
        given = context(
            self.sink, self.clock, self.push, lambda family, serial: self.discovered.append((family, serial))
        )
        return list(DRIVER.tasks(found, given))

    async def start(self, **how: object) -> None:
        for task in self.tasks(**how):
            self._tasks.append(asyncio.create_task(task.run()))  # type: ignore[arg-type]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        self._tasks.clear()

    async def failed(self) -> BaseException:
        """What the first task ended with."""
        async with asyncio.timeout(30):
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        error = done.pop().exception()
        assert error is not None
        return error

    async def users(self, count: int) -> list[str]:
        """Users of the punches, once there are so many."""
        await until(lambda: len(self.sink.punches) >= count)
        return [punch.user for punch in self.sink.punches]


def replace_link(found: Terminal) -> Profile:
    """A short time-out, so that a fault costs a test no 10 s."""
    profile = found.profile
    return msgspec.structs.replace(profile, link=msgspec.structs.replace(profile.link, timeout_s=1.0))
