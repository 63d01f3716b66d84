"""Network scanners, from both sides, into the outbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from emulators.scanner_tcp import TcpScanner
from gateway.config import PushConfig, TerminalConfig
from gateway.driver import DriverTask
from gateway.drivers.scanner_tcp.driver import DRIVER
from gateway.profile import device_zone, load_profile
from gateway.scans import station
from gateway.supervisor import supervise
from shared.errors import ConfigError
from shared.scan import Scan, ScanKind
from tests.support.loopback import free_port
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until

PROFILE = "generic/tcp-scanner"


class Gate:
    """A scanner's driver task and the outbox behind it."""

    def __init__(self, push: PushConfig | None = None, **settings: object) -> None:
        self.sink = RecordingSink()
        self.clock = TurnedClock()
        self.strangers: list[tuple[str, str]] = []
        self.terminal = terminal(TerminalConfig(name="belt", profile=PROFILE, **settings))  # type: ignore[arg-type]
        told = lambda family, serial: self.strangers.append((family, serial))  # noqa: E731
        (self.task,) = DRIVER.tasks([self.terminal], context(self.sink, self.clock, push, told))
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.create_task(supervise([self.task]))

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    @property
    def codes(self) -> list[str]:
        return [scan.code for scan in self.sink.scans]


@pytest.fixture
async def called() -> AsyncIterator[tuple[TcpScanner, Gate]]:
    """A scanner that the gateway connects to."""
    scanner = TcpScanner()
    await scanner.start()
    gate = Gate(host="127.0.0.1", port=scanner.port, kind="sort")
    gate.start()
    yield scanner, gate
    await gate.stop()
    await scanner.stop()


@pytest.fixture
async def calling() -> AsyncIterator[tuple[TcpScanner, Gate]]:
    """A scanner that connects to the gateway."""
    port = free_port()
    gate = Gate(PushConfig(port=port), host="127.0.0.1")
    gate.start()
    scanner = TcpScanner(gateway_port=port)
    for _ in range(500):
        try:
            await scanner.start()
        except OSError:
            await asyncio.sleep(0.01)
        else:
            break
    yield scanner, gate
    await scanner.stop()
    await gate.stop()


async def test_reads_of_a_scanner_that_listens_become_scans(called: tuple[TcpScanner, Gate]) -> None:
    scanner, gate = called
    for n in range(20):
        await scanner.scan(f"YT{n}")
    await until(lambda: len(gate.codes) == scanner.emitted)
    assert gate.codes == [f"YT{n}" for n in range(20)]
    assert {scan.kind for scan in gate.sink.scans} == {ScanKind.SORT}
    assert gate.terminal.state.state == "online"


async def test_a_lost_connection_is_made_again(called: tuple[TcpScanner, Gate]) -> None:
    scanner, gate = called
    await scanner.scan("YT1")
    await until(lambda: gate.codes == ["YT1"])
    await scanner.drop()
    await until(lambda: gate.terminal.state.problem == "no_contact")
    await scanner.scan("YT2")
    await until(lambda: gate.codes == ["YT1", "YT2"])
    assert (gate.terminal.state.state, gate.terminal.state.problem) == ("online", None)


async def test_reads_of_a_scanner_that_connects_become_scans(calling: tuple[TcpScanner, Gate]) -> None:
    scanner, gate = calling
    await scanner.scan("YT1")
    await scanner.drop()
    await until(lambda: gate.codes == ["YT1"])
    await until(lambda: gate.terminal.state.problem == "no_contact")
    await scanner.start()
    await scanner.scan("MUSTER:KIND:damaged")
    await scanner.scan("YT2")
    await until(lambda: gate.codes == ["YT1", "YT2"])
    assert gate.sink.scans[-1].kind is ScanKind.DAMAGED


async def test_a_second_connection_replaces_the_first(calling: tuple[TcpScanner, Gate]) -> None:
    first, gate = calling
    await until(lambda: gate.terminal.state.state == "online")
    reader, writer = await asyncio.open_connection("127.0.0.1", first._gateway_port)
    second = TcpScanner(gateway_port=first._gateway_port)
    await second.start()
    await second.scan("YT2")
    await until(lambda: gate.codes == ["YT2"])
    assert await reader.read() == b"", "the older connection is closed"
    writer.close()
    assert gate.terminal.state.state == "online"
    await second.stop()


async def test_a_second_connection_loses_nothing_of_the_first(
    calling: tuple[TcpScanner, Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    first, gate = calling
    gate.sink.refusing = True
    await first.scan("YT1")
    await until(lambda: gate.sink.refused > 0)
    second = TcpScanner(gateway_port=first._gateway_port)
    await second.start()
    await second.scan("YT2")
    gate.sink.refusing = False
    await until(lambda: sorted(gate.codes) == ["YT1", "YT2"])
    await second.stop()


async def test_an_unlisted_address_is_refused_and_told_once() -> None:
    port = free_port()
    gate = Gate(PushConfig(port=port), host="192.0.2.60")
    gate.start()
    for _ in range(2):
        reader = None
        while reader is None:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
    assert gate.strangers == [("scanner_tcp", "127.0.0.1")]
    await gate.stop()


async def test_rel01_cursor_after_commit(called: tuple[TcpScanner, Gate], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    scanner, gate = called
    gate.sink.refusing = True
    await scanner.scan("YT1")
    await until(lambda: gate.sink.refused > 2)
    assert gate.terminal.state.problem == "buffer_refused"
    await scanner.scan("YT2")
    gate.sink.refusing = False
    await until(lambda: gate.codes == ["YT1", "YT2"])
    assert gate.terminal.state.problem is None


async def test_f20_garbage_and_a_slow_drip_harm_no_other_read(called: tuple[TcpScanner, Gate]) -> None:
    scanner, gate = called
    await scanner.send(bytes(range(1, 9)) * 2000 + b"\r")
    for byte in b"YT1\r":
        await scanner.send(bytes([byte]))
    await until(lambda: gate.codes == ["YT1"])
    assert {event.reason for event in gate.sink.damaged} == {"too_long"}


def test_settings_that_can_not_work_are_named() -> None:
    for settings, push in (({}, None), ({"host": "127.0.0.1"}, None), ({"host": "belt.example"}, PushConfig())):
        with pytest.raises(ConfigError):
            Gate(push, **settings)
    two = [terminal(TerminalConfig(name=name, profile=PROFILE, host="127.0.0.1")) for name in ("a", "b")]
    with pytest.raises(ConfigError, match="one host"):
        DRIVER.tasks(two, context(RecordingSink(), TurnedClock(), PushConfig()))


def test_scanners_that_listen_have_a_task_each() -> None:
    three = [terminal(TerminalConfig(name=n, profile=PROFILE, host="127.0.0.1", port=9000)) for n in "abc"]
    tasks: list[DriverTask] = list(DRIVER.tasks(three, context(RecordingSink(), TurnedClock())))
    assert [task.name for task in tasks] == ["a", "b", "c"]


def test_a_captured_stream_is_decoded() -> None:
    profile = load_profile(PROFILE)
    (decoded,) = DRIVER.decode(b"YT1\rYT2\rha", profile, device_zone(profile, None, "Asia/Shanghai"), "belt")
    assert [event.code for event in decoded.events if isinstance(event, Scan)] == ["YT1", "YT2"]
    assert [problem.code for problem in decoded.problems] == ["unfinished"]
