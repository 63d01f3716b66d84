"""An outbox in memory that can refuse or wait, and what else a driver under test is given."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.config import PushConfig, TerminalConfig
from gateway.driver import Cursor, DriverContext, Stored, Terminal, TerminalState
from gateway.profile import load_profile
from shared.clock import Clocks, from_ms, to_ms
from shared.errors import RetryableError
from shared.keys import BusinessKey, Event, business_key
from shared.punch import Punch
from shared.scan import Damaged, Scan
from shared.wire import encode_event

NOW_MS = to_ms(from_ms(0).replace(year=2026, month=11, day=23, hour=0, minute=59, second=1))
"""2026-11-23 08:59:01 in Shanghai."""


@dataclass
class RecordingSink:
    """Keeps what is committed, in order; ``held`` blocks a commit until it is set."""

    events: list[Event] = field(default_factory=list)
    cursors: dict[str, bytes] = field(default_factory=dict)
    repeats: int = 0
    refusing: bool = False
    refused: int = 0
    held: asyncio.Event | None = None
    keys: set[BusinessKey] = field(default_factory=set)
    puts: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Events and place of each commit."""
    raw: bytearray = field(default_factory=bytearray)
    """Every event as it would be stored."""

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        if self.held is not None:
            await self.held.wait()
        if self.refusing:
            self.refused += 1
            raise RetryableError("the disk is full")
        self.puts.append((len(events), cursor.value if cursor else None))
        accepted = 0
        for event in events:
            key = business_key(event)
            if key is not None and key in self.keys:
                self.repeats += 1
                continue
            if key is not None:
                self.keys.add(key)
            self.raw += encode_event(event)
            self.events.append(event)
            accepted += 1
        if cursor is not None:
            self.cursors[cursor.key] = cursor.value
        return Stored(accepted, len(events) - accepted)

    async def cursor(self, key: str) -> bytes | None:
        return self.cursors.get(key)

    @property
    def punches(self) -> list[Punch]:
        return [event for event in self.events if isinstance(event, Punch)]

    @property
    def scans(self) -> list[Scan]:
        return [event for event in self.events if isinstance(event, Scan)]

    @property
    def damaged(self) -> list[Damaged]:
        return [event for event in self.events if isinstance(event, Damaged)]


@dataclass
class TurnedClock:
    """Both clocks of a process, turned by hand."""

    wall_ms: int = NOW_MS
    mono_ms: int = 0

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.wall_ms, lambda: self.mono_ms)

    def advance(self, by_ms: int) -> None:
        self.wall_ms += by_ms
        self.mono_ms += by_ms


def context(
    sink: RecordingSink,
    clock: TurnedClock,
    push: PushConfig | None = None,
    discovered: Callable[[str, str], None] = lambda _family, _serial: None,
) -> DriverContext:
    """What the gateway gives a driver."""
    return DriverContext(sink, clock.clocks(), lambda: 77, push, discovered)


def terminal(config: TerminalConfig, site_zone: str = "Asia/Shanghai") -> Terminal:
    """A configured terminal with the profile of its name."""
    return Terminal(config, load_profile(config.profile), site_zone, TerminalState(config.name, config.profile))


async def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    """Return once the condition holds; TimeoutError when it does not come true."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # what it waits for is set by code that knows nothing of it
            await asyncio.sleep(0.005)
