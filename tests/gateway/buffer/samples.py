"""Events and outboxes for the tests of this folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from gateway.buffer.connection import ConnectionFactory, connect_sqlite
from gateway.buffer.outbox import Outbox, Row
from gateway.config import BufferConfig
from shared.clock import Clocks
from shared.keys import Event
from shared.punch import Punch
from shared.scan import Scan, ScanKind
from shared.wire import decode_event

NOON_S = 1_795_608_000
"""25 November 2026 12:00:00, a wall time on the terminal, counted as if UTC."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SMALL = BufferConfig(quota_mib=64, ballast_mib=0)


class Time:
    """Both clocks of a machine, turned by hand."""

    def __init__(self, wall_ms: int = NOON_S * 1000) -> None:
        self.wall, self.mono = wall_ms, 5_000_000

    def pass_ms(self, ms: int) -> None:
        """Let both go on."""
        self.wall += ms
        self.mono += ms

    @property
    def clocks(self) -> Clocks:
        """To be handed in."""
        return Clocks(lambda: self.wall, lambda: self.mono)


def punch(n: int, terminal: str = "CKJG0001") -> Punch:
    """The n-th punch of a terminal; each is in a second of its own."""
    second = NOON_S + n
    return Punch(terminal, str(1000 + n % 97), second, 28_800, (second - 28_800) * 1000, seen_ms=n)


def scan(n: int) -> Scan:
    """The n-th read of a scanner that numbers nothing."""
    return Scan("SC1", f"YT{n:012d}", "]C1", ScanKind.INBOUND, NOON_S * 1000 + n, seen_ms=n)


def open_outbox(
    folder: Path,
    time: Time | None = None,
    limits: BufferConfig = SMALL,
    connect: ConnectionFactory = connect_sqlite,
) -> Outbox:
    """The outbox in that folder."""
    return Outbox.open(folder, limits, (time or Time()).clocks, connect)


async def rows(outbox: Outbox, stream: bytes) -> list[Row]:
    """All rows of a stream, run by run."""
    (held,) = [s for s in await outbox.streams() if s.stream == stream]
    found: list[Row] = []
    at = held.first
    while at <= held.last:
        run = await outbox.read(stream, at, held.last)
        assert run, f"seq {at} is not readable"
        found += run
        at = run[-1].seq + 1
    return found


async def events(outbox: Outbox) -> list[Event]:
    """What all streams hold, in the order in which it is sent."""
    found: list[Event] = []
    for held in await outbox.streams():
        found += [decode_event(row.body) for row in await rows(outbox, held.stream)]
    return found


def seconds(found: Iterable[Event]) -> set[int]:
    """Device seconds of the punches among them."""
    return {event.at_device for event in found if isinstance(event, Punch) and event.at_device is not None}


async def put_each(outbox: Outbox, wanted: Sequence[Event]) -> None:
    """One commit for each."""
    for event in wanted:
        await outbox.put([event])
