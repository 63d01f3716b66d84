"""Files that ``muster driver new`` writes; ``@NAME@`` is the family.

The terminal in them is the simplest that is still honest: it sends one line a punch over TCP, numbers its punches, and
sends them again until somebody acknowledges the number.
"""

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "muster-@NAME_DASHED@"
version = "0.1.0"
description = "Muster driver for @NAME_TITLE@ terminals."
requires-python = ">=3.11"
dependencies = ["muster[gateway]"]

[project.entry-points."muster.drivers"]
@NAME@ = "muster_@NAME@.driver:DRIVER"

# The package in which firmware_profiles/<brand>/<model>.toml lie.
[project.entry-points."muster.profiles"]
@NAME@ = "muster_@NAME@"

[tool.hatch.build.targets.wheel]
packages = ["muster_@NAME@"]

[tool.pytest.ini_options]
asyncio_mode = "auto"
testpaths = ["tests"]
"""

INIT = '''\
"""@NAME_TITLE@ terminals."""
'''

CODEC = '''\
"""Bytes of @NAME_TITLE@ terminals to values and back; no I/O, and only DataError leaves this module."""

import re
from datetime import datetime
from typing import NamedTuple

from shared.clock import DeviceSeconds, device_seconds
from shared.errors import DataError

LINE_LIMIT = 200
_TIME = r"\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d"
_ROW = re.compile(rf"(\\d{{1,9}}),([^,\\s]{{1,64}}),({_TIME}),(\\d{{1,3}}),(\\d{{1,3}})", re.ASCII)


class Row(NamedTuple):
    """One punch as the terminal wrote it."""

    number: int
    """Its own number of this punch."""
    user: str
    at: DeviceSeconds
    verify: int
    state: int


class LineDecoder:
    """Cuts a stream into lines; an unfinished one waits for the next feed."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines that this chunk completes, without their ends. DataError: the stream is no text of this terminal."""
        *lines, self._rest = (self._rest + chunk).split(b"\\n")
        if len(self._rest) > LINE_LIMIT:
            self._rest = b""
            raise DataError(f"a line of more than {LINE_LIMIT} bytes", "too_long")
        return [line.rstrip(b"\\r") for line in lines if line.strip()]


def decode_row(line: bytes) -> Row:
    """The punch in ``number,user,time,verify,state``. DataError ``bad_row`` or ``bad_time``."""
    match = _ROW.fullmatch(line[: LINE_LIMIT + 1].decode("utf-8", "replace"))
    if match is None:
        raise DataError("expected number,user,time,verify,state", "bad_row")
    number, user, time, verify, state = match.groups()
    try:
        wall = datetime.fromisoformat(time)
    except ValueError as error:
        raise DataError(f"impossible time {time}", "bad_time") from error
    return Row(int(number), user, device_seconds(wall), int(verify), int(state))


def acknowledge(number: int) -> bytes:
    """Tells the terminal that it may forget everything up to that number."""
    return f"ACK {number}\\n".encode()
'''

DRIVER = '''\
"""The conversation with @NAME_TITLE@ terminals: lines come, and are acknowledged once they are committed."""

from collections.abc import Sequence
from datetime import tzinfo

from gateway.device import Decoded, Trouble
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal
from gateway.profile import Profile, device_zone, utc_offset_s
from gateway.transports.tcp import TcpLink
from muster_@NAME@ import codec
from shared.clock import CLOCK_SUSPECT_BEFORE_S
from shared.errors import ConfigError, DataError, MusterError
from shared.keys import Event
from shared.punch import Flag, Punch
from shared.scan import DAMAGED_RAW_LIMIT, Damaged

FAMILY = "@NAME@"
SILENCE_S = 60.0


class @NAME_CLASS@Task:
    """Keeps one terminal read; ``run`` ends only with an error, and the supervisor starts it again."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        config = terminal.config
        port = config.port or terminal.profile.link.port
        if config.host is None or port is None:
            raise ConfigError(f"terminal {config.name}: set host and port")
        self._host, self._port = config.host, port
        self._terminal, self._context = terminal, context
        self._serial = config.serial or config.name
        self._zone = device_zone(terminal.profile, config.zone, terminal.site_zone)

    async def run(self) -> None:
        """Connect and listen."""
        state, context = self._terminal.state, self._context
        try:
            async with await TcpLink.connect(self._host, self._port, self._terminal.profile.link.timeout_s) as link:
                state.state, state.serial = "online", self._serial
                lines = codec.LineDecoder()
                while True:
                    chunk = await link.read(SILENCE_S)
                    state.last_contact_ms = context.clocks.wall_ms()
                    if chunk:
                        await self._take(link, lines.feed(chunk))
        except DataError as error:
            raise ConfigError(f"{self._host}:{self._port} is no @NAME_TITLE@ terminal: {error}") from error
        except MusterError:
            state.state = "offline"
            raise

    async def _take(self, link: TcpLink, lines: Sequence[bytes]) -> None:
        """Commit first, then acknowledge: what was not committed comes again."""
        seen_ms, now_ms = self._context.seen_ms(), self._context.clocks.wall_ms()
        events: list[Event] = []
        number = 0
        for line in lines:
            try:
                row = codec.decode_row(line)
            except DataError as error:
                events.append(Damaged(self._serial, error.code, line[:DAMAGED_RAW_LIMIT], now_ms, seen_ms))
            else:
                number = row.number
                events.append(punch_of(row, self._serial, self._terminal.profile, self._zone, seen_ms))
        if events:
            await self._context.sink.put(events, Cursor(f"{FAMILY}:{self._serial}", str(number).encode()))
        if number:
            await link.write(codec.acknowledge(number), self._terminal.profile.link.timeout_s)


class @NAME_CLASS@Driver:
    """The family."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per terminal; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, (t,), @NAME_CLASS@Task(t, context).run) for t in terminals]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What captured lines say, for ``muster device decode``."""
        events: list[Event] = []
        problems: list[Trouble] = []
        for line in codec.LineDecoder().feed(data + b"\\n"):
            try:
                events.append(punch_of(codec.decode_row(line), terminal, profile, zone, 0))
            except DataError as error:
                problems.append(Trouble(error.code, str(error), line))
        if not events:
            raise DataError("no punch of this family is in it", "frame")
        return [Decoded("lines", tuple(events), problems=tuple(problems))]


DRIVER = @NAME_CLASS@Driver()


def punch_of(row: codec.Row, serial: str, profile: Profile, zone: tzinfo, seen_ms: int) -> Punch:
    """The event of a row; names of codes come from the profile, the numbers stay."""
    offset_s = utc_offset_s(zone, row.at)
    return Punch(
        terminal=serial,
        user=row.user,
        at_device=row.at,
        utc_offset_s=offset_s,
        at=(row.at - offset_s) * 1000,
        direction=profile.direction(row.state),
        method=profile.method(row.verify),
        raw_codes=(row.verify, row.state),
        native_seq=row.number,
        seen_ms=seen_ms,
        flags=Flag.CLOCK_SUSPECT if row.at < CLOCK_SUSPECT_BEFORE_S else Flag(0),
    )
'''

PROFILE = """\
schema = 1
brand = "@NAME_TITLE@"
model = "One"
family = "@NAME@"
evidence = "untested"

[link]
transport = "tcp"
port = 4100

[codes.method]
1 = "finger"
2 = "card"

[codes.direction]
0 = "in"
1 = "out"

[[source]]
fact = "lines, codes and port"
from = "the example of `muster driver new`; replace it by the page you read"
grade = "C"
"""

TEST = '''\
"""The driver against a terminal that is four lines long, and its codec against noise."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from gateway.config import TerminalConfig
from gateway.driver import Cursor, DriverContext, Stored, Terminal, TerminalState
from gateway.profile import load_profile
from muster_@NAME@ import codec
from muster_@NAME@.driver import DRIVER
from shared.clock import system_clocks
from shared.errors import DataError
from shared.keys import Event
from shared.punch import Direction, Method, Punch
from shared.scan import Damaged

PROFILE = load_profile("@NAME_DASHED@/one", Path(__file__).parents[1] / "muster_@NAME@" / "firmware_profiles")
LINE = b"17,1000,2026-11-23 08:59:01,1,0\\n"


class Outbox:
    """What was committed."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        self.events += events
        return Stored(len(events), 0)

    async def cursor(self, key: str) -> bytes | None:
        return None


async def test_punches_are_committed_and_then_acknowledged() -> None:
    acknowledged: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def terminal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(LINE + b"garbage\\n")
        acknowledged.set_result(await reader.readline())
        writer.close()

    server = await asyncio.start_server(terminal, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = TerminalConfig(name="door", profile="@NAME_DASHED@/one", host="127.0.0.1", port=port)
    state = TerminalState(config.name, config.profile)
    outbox = Outbox()
    context = DriverContext(outbox, system_clocks(), lambda: 0)
    (task,) = DRIVER.tasks([Terminal(config, PROFILE, "Asia/Shanghai", state)], context)
    running = asyncio.ensure_future(task.run())
    assert await asyncio.wait_for(acknowledged, 5) == b"ACK 17\\n"
    running.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await running
    server.close()
    punch, damaged = outbox.events
    assert isinstance(punch, Punch)
    assert (punch.user, punch.direction, punch.method, punch.native_seq) == ("1000", Direction.IN, Method.FINGER, 17)
    assert punch.at == 1795395541000
    assert isinstance(damaged, Damaged)


def test_a_capture_decodes() -> None:
    (told,) = DRIVER.decode(LINE * 2, PROFILE, ZoneInfo("Asia/Shanghai"), "door")
    assert len(told.events) == 2


@pytest.mark.parametrize("seed", range(20))
def test_noise_raises_only_data_errors(seed: int) -> None:
    draw = Random(seed)
    for _ in range(500):
        noise = bytearray(LINE * 2) if draw.random() < 0.5 else bytearray(draw.randbytes(draw.randrange(300)))
        for _ in range(draw.randrange(4) if noise else 0):
            noise[draw.randrange(len(noise))] = draw.randrange(256)
        with suppress(DataError):
            for line in codec.LineDecoder().feed(bytes(noise)):
                with suppress(DataError):
                    codec.decode_row(line)
'''

README = """\
# muster-@NAME_DASHED@: driver for @NAME_TITLE@ terminals

| model | evidence |
|---|---|
| One | untested |

Install it beside Muster (`pip install -e .`): the gateway finds the driver by its entry point (group `muster.drivers`,
name `@NAME@`) and the profiles by theirs (group `muster.profiles`). Then:

```
muster gateway add front-door --profile @NAME_DASHED@/one --host 192.0.2.10
muster gateway check
```

The terminal of this example is made up. Where to put your own: `codec.py` (bytes to values, no I/O), `driver.py` (the
conversation), `firmware_profiles/` (codes, ports, quirks). What a driver must hold to: docs/howto/write-a-driver.md.
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    "muster_@NAME@/__init__.py": INIT,
    "muster_@NAME@/codec.py": CODEC,
    "muster_@NAME@/driver.py": DRIVER,
    "muster_@NAME@/py.typed": "",
    "muster_@NAME@/firmware_profiles/@NAME_DASHED@/one.toml": PROFILE,
    "tests/test_@NAME@.py": TEST,
}
