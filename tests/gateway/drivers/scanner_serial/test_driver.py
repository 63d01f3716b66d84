"""Scanners on a pseudo-terminal, from the line to the outbox."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest

from emulators.scanner_serial import SerialScanner
from gateway.config import TerminalConfig
from gateway.driver import Terminal
from gateway.drivers.scanner_serial import driver
from gateway.drivers.scanner_serial.driver import DRIVER
from gateway.profile import Profile
from gateway.scans import station
from gateway.scans.station import NOISE_AN_HOUR
from shared.clock import to_ms
from shared.errors import ConfigError
from shared.punch import Flag
from shared.scan import Scan, ScanKind
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal, until


class Dock:
    """A scanner, its driver and the outbox between them."""

    def __init__(self, scanner: SerialScanner, one: Terminal) -> None:
        self.scanner = scanner
        self.terminal = one
        self.sink = RecordingSink()
        self.clock = TurnedClock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        (task,) = DRIVER.tasks([self.terminal], context(self.sink, self.clock))
        self._task = asyncio.create_task(task.run())  # type: ignore[arg-type]  # a coroutine, as the supervisor has it

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def codes(self, count: int) -> list[str]:
        """Codes of the scans once there are that many."""
        await until(lambda: len(self.sink.scans) >= count)
        return [scan.code for scan in self.sink.scans]


Install: TypeAlias = Callable[..., Awaitable[Dock]]


@pytest.fixture
async def install(tmp_path: Path) -> AsyncIterator[Install]:
    """Start a scanner and its driver: profile, facts of its frame, settings of both."""
    docks: list[Dock] = []

    async def start(
        profile: str = "zebra/serial", *, frame: dict[str, object] | None = None, start: bool = True, **how: object
    ) -> Dock:
        link = tmp_path / f"scanner-{len(docks)}"
        settings = {key: how.pop(key) for key in ("kind", "serial", "zone") if key in how}
        scanner = SerialScanner(link=link, **how)  # type: ignore[arg-type]
        await scanner.start()
        config = TerminalConfig(name="dock 1", profile=profile, device=str(link), **settings)  # type: ignore[arg-type]
        one = terminal(config)
        if frame:
            one = with_frame(one, frame)
        dock = Dock(scanner, one)
        docks.append(dock)
        if start:
            await dock.start()
        return dock

    yield start
    for dock in docks:
        await dock.stop()
        await dock.scanner.stop()


def with_frame(one: Terminal, facts: dict[str, object]) -> Terminal:
    assert one.profile.frame is not None
    profile: Profile = msgspec.structs.replace(one.profile, frame=msgspec.structs.replace(one.profile.frame, **facts))
    return Terminal(one.config, profile, one.site_zone, one.state)


async def test_a_live_read_becomes_a_scan_at_the_gateways_time(install: Install) -> None:
    dock = await install(kind="out_for_delivery")
    await dock.scanner.scan("YT1234567890123")
    await dock.codes(1)
    assert dock.sink.scans == [
        Scan(
            station="dock 1",
            code="YT1234567890123",
            symbology="",
            kind=ScanKind.OUT_FOR_DELIVERY,
            at=NOW_MS,
            native_seq=None,
            seen_ms=77,
            flags=Flag.REALTIME,
        )
    ]
    assert dock.terminal.state.state == "online"
    assert dock.terminal.state.last_event_ms == NOW_MS


async def test_a_scanner_with_a_serial_number_is_known_by_it(install: Install) -> None:
    dock = await install(serial="S2026")
    await dock.scanner.scan("YT1")
    await dock.codes(1)
    assert dock.sink.scans[0].station == "S2026"


async def test_two_equal_reads_are_two_parcels(install: Install) -> None:
    dock = await install()
    await dock.scanner.scan("YT1")
    await dock.scanner.scan("YT1")
    assert await dock.codes(2) == ["YT1", "YT1"]


async def test_the_same_code_within_a_moment_is_flagged_and_kept(install: Install) -> None:
    """A second and a half is the window that scan-devices.md gives; a longer pause is another parcel."""
    dock = await install()
    for code, pause_ms in (("YT1", 1499), ("YT1", 1500), ("YT1", 0), ("YT2", 0)):
        await dock.scanner.scan(code)
        await dock.codes(len(dock.sink.scans) + 1)
        dock.clock.advance(pause_ms)
    flagged = [bool(scan.flags & Flag.REPEATED) for scan in dock.sink.scans]
    assert flagged == [False, True, False, False]


async def test_a_profile_may_drop_the_same_code_within_its_time(install: Install) -> None:
    dock = await install(frame={"repeat_ms": 1500})
    await dock.scanner.scan("YT1")
    await dock.codes(1)
    dock.clock.advance(1499)
    await dock.scanner.scan("YT1")
    await dock.scanner.scan("YT2")
    await dock.codes(2)
    dock.clock.advance(1500)
    await dock.scanner.scan("YT2")
    assert await dock.codes(3) == ["YT1", "YT2", "YT2"]


@pytest.mark.parametrize(
    ("scanner", "frame"),
    [
        ({"suffix": b"\r\n"}, {}),
        ({"suffix": b"\t"}, {"suffix": "\t"}),
        ({"prefix": b"\x02", "suffix": b"\x03"}, {"prefix": "\x02", "suffix": "\x03"}),
        ({"suffix": b""}, {"suffix": "", "silence_ms": 50}),
    ],
)
async def test_frames_are_cut_as_the_profile_says(
    install: Install, scanner: dict[str, object], frame: dict[str, object]
) -> None:
    dock = await install(frame=frame, **scanner)
    for count, code in enumerate(["YT1234567890123", "速递JT1"], 1):
        await dock.scanner.scan(code)
        assert (await dock.codes(count))[-1] == code


async def test_the_aim_identifier_becomes_the_symbology(install: Install) -> None:
    dock = await install("generic/aim-serial", aim="]C1")
    await dock.scanner.scan("01069012345678921526123110L7")
    await dock.codes(1)
    scan = dock.sink.scans[0]
    assert (scan.symbology, scan.code) == ("]C1", "01069012345678921526123110L7")


async def test_noise_is_kept_and_the_next_read_is_clean(install: Install) -> None:
    dock = await install()
    await dock.scanner.noise(40)
    await dock.scanner.scan("YT1")
    assert await dock.codes(1) == ["YT1"]
    (row,) = dock.sink.damaged
    assert row.source == "dock 1"
    assert row.reason in ("noise", "bad_text")
    assert len(row.raw) == 40


async def test_a_babbling_line_can_not_fill_the_disk(install: Install) -> None:
    dock = await install()
    for _ in range(NOISE_AN_HOUR + 50):
        await dock.scanner.noise(20)
    await until(lambda: dock.terminal.state.problem == "noise")
    await dock.scanner.scan("YT1")
    await dock.codes(1)
    assert len(dock.sink.damaged) == NOISE_AN_HOUR
    dock.clock.advance(3_600_000)
    await dock.scanner.noise(20)
    await until(lambda: len(dock.sink.damaged) == NOISE_AN_HOUR + 1)


async def test_half_a_read_is_kept_as_damaged(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "UNFINISHED_S", 0.05)
    dock = await install()
    await dock.scanner.send(b"YT12")
    await until(lambda: len(dock.sink.damaged) == 1)
    await dock.scanner.scan("JT1")
    assert await dock.codes(1) == ["JT1"]
    assert [(row.reason, row.raw) for row in dock.sink.damaged] == [("unfinished", b"YT12")]


async def test_a_gateway_that_was_held_up_does_not_cut_a_read(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "UNFINISHED_S", 0.05)
    dock = await install()
    await dock.scanner.send(b"YT12")
    for _ in range(10):
        await asyncio.sleep(0)
    await dock.scanner.send(b"34\r")
    time.sleep(0.1)  # noqa: ASYNC251  # the whole process stands still
    assert await dock.codes(1) == ["YT1234"]
    assert dock.sink.damaged == []


async def test_a_no_read_is_health(install: Install) -> None:
    dock = await install()
    await dock.scanner.no_read()
    await until(lambda: dock.terminal.state.problem == "no_read")
    await dock.scanner.scan("YT1")
    await dock.codes(1)
    assert dock.terminal.state.problem is None
    assert dock.sink.damaged == []


AT = datetime(2017, 10, 2, 11, 7, 15)


async def test_batch_lines_carry_the_scanners_time_in_its_zone(install: Install) -> None:
    dock = await install("generic/batch-csv", zone="America/Sao_Paulo", kind="delivered")
    await dock.scanner.batch([("e481f51cbdc54678b7cc49136f2d6af7", AT)])
    await dock.codes(1)
    (scan,) = dock.sink.scans
    assert scan.at == to_ms(datetime(2017, 10, 2, 14, 7, 15, tzinfo=UTC))
    assert (scan.native_seq, scan.kind, scan.flags) == (1, ScanKind.DELIVERED, Flag(0))


async def test_a_batch_file_sent_twice_counts_once(install: Install) -> None:
    dock = await install("generic/batch-csv")
    await dock.scanner.batch([("YT1", AT)] * 2 + [(f"YT{n}", AT + timedelta(seconds=n)) for n in range(998)])
    await dock.codes(1000)
    await dock.scanner.send_batch()
    await until(lambda: dock.sink.repeats == 1000)
    assert (len(dock.sink.scans), dock.scanner.emitted) == (1000, 1000)
    assert dock.sink.damaged == []


async def test_a_batch_line_that_makes_no_sense_is_kept_and_counts_no_noise(install: Install) -> None:
    dock = await install("generic/batch-csv")
    for n in range(NOISE_AN_HOUR + 10):
        await dock.scanner.send(f"{n},YT1,2017-02-30 11:07:15\r".encode())
    await until(lambda: len(dock.sink.damaged) == NOISE_AN_HOUR + 10)
    assert {row.reason for row in dock.sink.damaged} == {"bad_time"}


async def test_rel01_cursor_after_commit(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner has no cursor: while the outbox refuses, the line is not read, and nothing is lost."""
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    dock = await install("generic/batch-csv")
    dock.sink.refusing = True
    sending = asyncio.create_task(dock.scanner.batch([(f"YT{n}", AT + timedelta(seconds=n)) for n in range(1000)]))
    await until(lambda: dock.sink.refused >= 3)
    assert not sending.done()
    assert dock.terminal.state.problem == "buffer_refused"
    dock.sink.refusing = False
    assert await dock.codes(1000) == [f"YT{n}" for n in range(1000)]
    await sending
    assert dock.sink.damaged == []


async def test_an_unplugged_scanner_comes_back(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    dock = await install()
    await dock.scanner.scan("YT1")
    await dock.codes(1)
    for n in range(2, 5):
        dock.scanner.unplug()
        await until(lambda: dock.terminal.state.state == "offline")
        dock.scanner.plug()
        await dock.scanner.scan(f"YT{n}")
        await dock.codes(n)
    assert await dock.codes(4) == ["YT1", "YT2", "YT3", "YT4"]
    assert dock.terminal.state.state == "online"


async def test_a_missing_device_is_named_and_waited_for(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    dock = await install(start=False)
    dock.scanner.unplug()
    await dock.start()
    await until(lambda: dock.terminal.state.problem == "port_missing")
    dock.scanner.plug()
    await dock.scanner.scan("YT1")
    assert await dock.codes(1) == ["YT1"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"profile": "zebra/serial"}, "device"),
        ({"profile": "zebra/serial", "device": "/dev/ttyUSB0", "kind": "sorting"}, "out_for_delivery"),
        ({"profile": "solution/x903", "device": "/dev/ttyUSB0"}, "frame"),
    ],
)
def test_a_setting_that_can_not_work_is_told(settings: dict[str, str], told: str) -> None:
    bad = terminal(TerminalConfig(name="bad", **settings))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=told):
        DRIVER.tasks([bad], context(RecordingSink(), TurnedClock()))
