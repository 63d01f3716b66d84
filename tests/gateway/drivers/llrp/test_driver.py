"""LLRP readers, from the field to the outbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from emulators.llrp import LlrpReader, Seen
from gateway.config import AntennaConfig, TerminalConfig
from gateway.driver import Terminal
from gateway.drivers.llrp import driver
from gateway.drivers.llrp.driver import DRIVER
from gateway.profile import device_zone, load_profile
from gateway.scans import station
from gateway.supervisor import supervise
from shared.errors import ConfigError
from shared.scan import Scan, ScanKind
from tests.gateway.drivers.llrp.test_codec import EPC, REPORT
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal, until

pytest.importorskip("sllurp")
PROFILE = "impinj/speedway-r420"
AT_US = NOW_MS * 1000


class Gate:
    """A reader, its driver and the outbox."""

    def __init__(self, reader: LlrpReader, **settings: object) -> None:
        self.reader, self.sink, self.clock = reader, RecordingSink(), TurnedClock()
        antennas = {
            "1": AntennaConfig(station="dock 1", kind="inbound"),
            "2": AntennaConfig(station="dock 1 out", kind="out_for_delivery"),
        }
        config = TerminalConfig(
            name="gate",
            profile=PROFILE,
            host="127.0.0.1",
            port=reader.port,
            **{"antennas": antennas, **settings},  # type: ignore[arg-type]
        )
        self.terminal: Terminal = terminal(config)
        (self.task,) = DRIVER.tasks([self.terminal], context(self.sink, self.clock))
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.create_task(supervise([self.task]))

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    reader = LlrpReader()
    await reader.start()
    one = Gate(reader)
    one.start()
    await until(lambda: one.terminal.state.state == "online")
    yield one
    await one.stop()
    await reader.stop()


async def test_a_stay_at_an_antenna_is_one_scan_of_its_dock_and_direction(gate: Gate) -> None:
    await gate.reader.see([Seen(EPC, 1, AT_US), Seen(EPC, 1, AT_US + 1_000_000), Seen(EPC, 2, AT_US + 2_000_000)])
    await gate.reader.see([Seen(EPC, 1, AT_US + 60_000_000)])
    await until(lambda: len(gate.sink.scans) == 3)
    assert [(scan.station, scan.kind, scan.at - NOW_MS) for scan in gate.sink.scans] == [
        ("dock 1", ScanKind.INBOUND, 0),
        ("dock 1 out", ScanKind.OUT_FOR_DELIVERY, 2000),
        ("dock 1", ScanKind.INBOUND, 60_000),
    ]
    assert {scan.code for scan in gate.sink.scans} == {EPC}


async def test_a_reader_without_clock_gets_the_gateways_time(gate: Gate) -> None:
    await gate.reader.see([Seen(EPC), Seen(EPC)])
    await until(lambda: len(gate.sink.scans) == 1)
    assert gate.sink.scans[0].at == NOW_MS


async def test_many_tags_in_one_report_are_all_stored(gate: Gate) -> None:
    await gate.reader.see([Seen(f"{n:024x}", 1, AT_US) for n in range(1200)])
    await until(lambda: len(gate.sink.scans) == 1200)
    assert max(events for events, _ in gate.sink.puts) <= 500


async def test_keep_alives_are_answered() -> None:
    reader = LlrpReader(keepalive_s=0.05)
    await reader.start()
    one = Gate(reader)
    one.start()
    await until(lambda: reader.acknowledged >= 3)
    await one.stop()
    await reader.stop()


async def test_rel01_cursor_after_commit(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    gate.sink.refusing = True
    await gate.reader.see([Seen(EPC, 1, AT_US)])
    await until(lambda: gate.sink.refused > 2)
    assert gate.terminal.state.problem == "buffer_refused"
    gate.sink.refusing = False
    await until(lambda: len(gate.sink.scans) == 1)
    assert gate.terminal.state.problem is None


async def test_f20_a_reader_that_restarts_is_set_up_again(gate: Gate) -> None:
    gate.reader.drop()
    await until(lambda: gate.terminal.state.problem == "no_contact")
    await until(lambda: gate.terminal.state.state == "online")
    await gate.reader.see([Seen(EPC, 1, AT_US)])
    await until(lambda: len(gate.sink.scans) == 1)
    assert gate.reader.requests.count(20) == 2, "the ROSpec was added twice"


async def test_f20_garbage_is_kept_and_the_connection_made_anew(gate: Gate) -> None:
    await gate.reader.send(b"\x00garbage garbage")
    await until(lambda: bool(gate.sink.damaged))
    await until(lambda: gate.reader.requests.count(20) == 2 and gate.reader.started.is_set())
    await gate.reader.see([Seen(EPC, 1, AT_US)])
    await until(lambda: len(gate.sink.scans) == 1)
    assert gate.sink.damaged[0].reason == "bad_frame"


async def test_f20_a_report_that_drips_is_put_together(gate: Gate) -> None:
    for byte in REPORT:
        await gate.reader.send(bytes([byte]))
    await until(lambda: len(gate.sink.scans) == 1)
    assert gate.sink.scans[0].at == NOW_MS + (gate.sink.scans[0].at % 1000)


async def test_f20_a_reader_that_serves_another_gateway_is_shown_as_busy(gate: Gate) -> None:
    second = Gate(gate.reader)
    second.start()
    await until(lambda: second.terminal.state.problem == "busy")
    assert gate.terminal.state.state == "online"
    await second.stop()


async def test_f20_a_reader_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "SILENCE_S", 0.1)
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    reader = LlrpReader()
    reader.port = server.sockets[0].getsockname()[1]
    one = Gate(reader)
    one.start()
    await until(lambda: one.terminal.state.problem == "no_contact")
    await one.stop()
    server.close()
    for writer in connections:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_antennas_that_the_reader_lacks_park_it() -> None:
    reader = LlrpReader(antennas=1)
    await reader.start()
    one = Gate(reader, antennas={"2": AntennaConfig()})
    with pytest.raises(ConfigError, match="antennas"):
        await one.task.run()
    await reader.stop()


async def test_a_reader_is_recognised_without_taking_it_over() -> None:
    reader = LlrpReader()
    await reader.start()
    found = await DRIVER.identify("127.0.0.1", reader.port)
    assert found is not None
    assert found.model == "LLRP reader"
    assert reader.requests == []
    await reader.stop()
    assert await DRIVER.identify("127.0.0.1", reader.port) is None


def test_settings_that_can_not_work_are_named() -> None:
    with pytest.raises(ConfigError, match="host"):
        DRIVER.tasks([terminal(TerminalConfig(name="x", profile=PROFILE))], context(RecordingSink(), TurnedClock()))


def test_a_capture_is_decoded() -> None:
    profile = load_profile(PROFILE)
    (decoded,) = DRIVER.decode(REPORT, profile, device_zone(profile, None, "Asia/Shanghai"), "gate")
    (scan,) = decoded.events
    assert isinstance(scan, Scan)
    assert scan.code == EPC
