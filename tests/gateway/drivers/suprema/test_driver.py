"""The driver against an emulated BioStar 2 server."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from emulators.suprema import PHOTO, BioStarServer
from gateway.config import TerminalConfig
from gateway.device import Ability, Device, DeviceUser, Manager
from gateway.driver import Terminal
from gateway.drivers.suprema.driver import DRIVER, Place
from shared.clock import system_clocks
from shared.errors import ConfigError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Flag, Punch
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until

START = datetime(2026, 11, 20, 0, 59, 1)
KEY = "suprema:server"
SECRET = "Muster-1234"


def configured(server: BioStarServer, key: Path, **settings: Any) -> Terminal:
    plain = {"name": "server", "profile": "suprema/biostar-2", "host": "127.0.0.1", "port": server.port, "poll_s": 0.02}
    one = terminal(TerminalConfig(**{**plain, "key_file": key, **settings}))
    link = msgspec.structs.replace(one.profile.link, timeout_s=0.3)
    return replace(one, profile=msgspec.structs.replace(one.profile, link=link))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"admin:{SECRET}\n")
    return path


@asynccontextmanager
async def running(server: BioStarServer) -> AsyncIterator[BioStarServer]:
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def driven(door: Terminal, sink: Any, clock: TurnedClock | None = None) -> AsyncIterator[asyncio.Task[None]]:
    (task,) = DRIVER.tasks([door], context(sink, clock or TurnedClock()))

    async def supervised() -> None:
        while True:
            with suppress(RetryableError):
                await task.run()
            await asyncio.sleep(0.01)

    running_task = asyncio.create_task(supervised())
    try:
        yield running_task
    finally:
        running_task.cancel()
        with suppress(asyncio.CancelledError, MusterError):
            await running_task


def fill(server: BioStarServer, count: int, start: datetime = START, step: timedelta = timedelta(seconds=1)) -> None:
    for n in range(count):
        server.punch(str(1000 + n), start + n * step)


def punched(server: BioStarServer) -> list[tuple[str, str, int]]:
    return sorted((e.device, e.user, int(e.at.timestamp())) for e in server.log)


def seen(sink: RecordingSink) -> list[tuple[str, str, int]]:
    return sorted((p.terminal, p.user, p.at // 1000) for p in sink.punches)


async def polled(server: BioStarServer, times: int = 2) -> None:
    goal = len(server.searches) + times
    await until(lambda: len(server.searches) >= goal)


async def test_every_punch_of_every_device_arrives_once(key: Path) -> None:
    server = BioStarServer(devices=("541612345", "541612346"))
    fill(server, 450)
    server.punch("7", START, device="541612346")
    server.punch("", START, code=0x5000)
    sink = RecordingSink()
    async with running(server), driven(configured(server, key), sink):
        await until(lambda: len(sink.events) == 451)
        server.punch("8", START + timedelta(days=1))
        await until(lambda: len(sink.events) == 452)
        await polled(server)
    assert seen(sink) == [row for row in punched(server) if row[1]]
    assert {p.utc_offset_s for p in sink.punches} == {0}
    assert all(p.at_device == p.at // 1000 for p in sink.punches)


async def test_more_events_in_one_second_than_fit_a_page(key: Path) -> None:
    server = BioStarServer()
    fill(server, 650, step=timedelta(0))
    fill(server, 50, START + timedelta(seconds=3))
    sink = RecordingSink()
    async with running(server), driven(configured(server, key), sink):
        await until(lambda: server.emitted == 700 and len(sink.puts) >= 4 and len(sink.events) == 700)
    assert seen(sink) == punched(server)


async def test_rel01_cursor_after_commit(key: Path) -> None:
    server = BioStarServer()
    fill(server, 30)
    sink = RecordingSink(held=asyncio.Event())
    async with running(server), driven(configured(server, key), sink):
        await polled(server, 1)
        await asyncio.sleep(0.05)
        assert KEY not in sink.cursors
        assert sink.held is not None
        sink.held.set()
        await until(lambda: len(sink.events) == 30)
    assert Place.decode(sink.cursors[KEY]).second == int(server.log[-1].at.timestamp())
    assert all(place is not None for _, place in sink.puts)


async def test_a_refusing_outbox_is_shown_and_asked_again(key: Path) -> None:
    server = BioStarServer()
    fill(server, 5)
    sink = RecordingSink(refusing=True)
    async with running(server):
        door = configured(server, key)
        async with driven(door, sink):
            await until(lambda: sink.refused >= 2)
            assert door.state.problem == "buffer_refused"
            sink.refusing = False
            await until(lambda: len(sink.events) == 5 and door.state.state == "online")
    assert door.state.problem is None


async def test_a_restart_goes_on_where_it_stopped(key: Path) -> None:
    server = BioStarServer()
    fill(server, 10)
    sink = RecordingSink()
    async with running(server):
        async with driven(configured(server, key), sink):
            await until(lambda: len(sink.events) == 10)
        fill(server, 3, START + timedelta(hours=2))
        async with driven(configured(server, key), sink):
            await until(lambda: len(sink.events) == 13)
    assert seen(sink) == punched(server)


async def test_an_expired_session_is_renewed_without_losing_a_punch(key: Path) -> None:
    server = BioStarServer(token_uses=3)
    fill(server, 250)
    sink = RecordingSink()
    async with running(server), driven(configured(server, key), sink):
        await until(lambda: len(sink.events) == 250 and server.logins >= 3)
    assert server.wrong == 0
    assert seen(sink) == punched(server)


async def test_events_that_a_device_delivers_late_are_found_by_the_gap_in_its_numbers(key: Path) -> None:
    server = BioStarServer(devices=("1", "2"))
    fill(server, 5, START)
    sink = RecordingSink()
    async with running(server), driven(configured(server, key), sink):
        await until(lambda: len(sink.events) == 5)
        server.punch("99", START + timedelta(days=2), device="2")  # the other device goes on, and so does the place
        await until(lambda: len(sink.events) == 6)
        await polled(server, 3)
        server.skip("1", 3)
        for n in (6, 7, 8):  # now the first is back and delivers in order what it has kept
            server.deliver_late(str(n), START + timedelta(hours=n), n, device="1")
        server.punch("9", START + timedelta(days=2), device="1")
        await until(lambda: len(sink.events) == 10)
    assert seen(sink) == punched(server)


async def test_once_a_day_a_month_is_read_again_and_clocks_that_were_lost(key: Path) -> None:
    server = BioStarServer()
    fill(server, 5, START)
    sink, clock = RecordingSink(), TurnedClock()
    async with running(server), driven(configured(server, key), sink, clock):
        await until(lambda: len(sink.events) == 5)
        await polled(server, 4)
        server.deliver_late("6", START - timedelta(days=9), 0)
        server.deliver_late("7", datetime(2000, 1, 1, 0, 0, 5), 0)
        await polled(server, 4)
        assert len(sink.events) == 5
        clock.advance(86_400_000)
        await until(lambda: len(sink.events) == 7)
    suspect = [p for p in sink.punches if p.flags & Flag.CLOCK_SUSPECT]
    assert [p.user for p in suspect] == ["7"]


async def test_rel25_a_device_that_counts_from_1_again_loses_nothing(key: Path) -> None:
    server = BioStarServer()
    fill(server, 5)
    sink = RecordingSink()
    async with running(server), driven(configured(server, key), sink):
        await until(lambda: len(sink.events) == 5)
        server.reset_device(server.devices[0])
        fill(server, 5, START + timedelta(hours=1))
        server.punch("1", datetime(2000, 1, 1, 0, 0, 5))
        await until(lambda: len(sink.events) >= 10)
    assert len(seen(sink)) == len(set(seen(sink)))


async def test_a_clock_far_ahead_does_not_hide_what_comes_after(key: Path) -> None:
    server = BioStarServer()
    server.punch("1", datetime(2038, 1, 1))
    sink = RecordingSink()
    async with running(server), driven(configured(server, key), sink):
        await until(lambda: len(sink.events) == 1)
        fill(server, 5, datetime(2026, 11, 23, 0, 59, 30))
        await until(lambda: len(sink.events) == 6)


@pytest.mark.parametrize("fault", ["garbage", "truncated", "reset", "error", "no_json", "deaf"])
async def test_rel25_a_fault_on_the_way_loses_nothing_and_repeats_nothing(key: Path, fault: Any) -> None:
    server = BioStarServer()
    fill(server, 260)
    sink = RecordingSink()
    async with running(server):
        door = configured(server, key)
        server.faults.extend([fault] if fault == "deaf" else [fault, fault])
        async with driven(door, sink):
            await until(lambda: len(sink.events) == 260)
            fill(server, 20, START + timedelta(hours=3))
            server.faults.append(fault)
            await until(lambda: len(sink.events) == 280 and door.state.state == "online")
    assert seen(sink) == punched(server)


async def test_rel25_a_drip_is_cut_off(key: Path) -> None:
    server = BioStarServer()
    server.faults.extend(["drip"] * 3)
    async with running(server):
        door = configured(server, key)
        (task,) = DRIVER.tasks([door], context(RecordingSink(), TurnedClock()))
        with pytest.raises(RetryableError):
            async with asyncio.timeout(5):
                await task.run()
    assert door.state.state == "offline"


async def test_rel25_a_reboot_is_survived(key: Path) -> None:
    server = BioStarServer()
    fill(server, 10)
    sink = RecordingSink()
    async with running(server):
        door = configured(server, key)
        async with driven(door, sink):
            await until(lambda: len(sink.events) == 10)
            await server.stop()
            await until(lambda: door.state.state == "offline")
            server.expire()
            fill(server, 5, START + timedelta(hours=1))
            await server.start()
            await until(lambda: len(sink.events) == 15)


async def test_rel25_two_gateways_on_one_server_make_the_same_keys(key: Path) -> None:
    server = BioStarServer()
    fill(server, 20)
    server.punch("5", datetime(2000, 1, 1, 0, 0, 5))
    shared = RecordingSink()
    async with running(server):
        for zone in ("Asia/Shanghai", "Europe/Berlin"):
            (task,) = DRIVER.tasks([configured(server, key, zone=zone)], context(shared, TurnedClock()))
            running_task = asyncio.ensure_future(task.run())
            await until(lambda: len(shared.events) == 21)
            await polled(server, 2)
            running_task.cancel()
            with suppress(asyncio.CancelledError):
                await running_task
            shared.cursors.clear()
    assert len(shared.events) == 21
    assert shared.repeats >= 21


@pytest.mark.parametrize("what", ["unsorted", "stuck"])
async def test_a_server_that_does_not_do_what_was_asked_is_shown(key: Path, what: str) -> None:
    server = BioStarServer()
    fill(server, 250, step=timedelta(seconds=1) if what == "unsorted" else timedelta(0))
    setattr(server, what, True)
    async with running(server):
        door = configured(server, key)
        (task,) = DRIVER.tasks([door], context(RecordingSink(), TurnedClock()))
        with pytest.raises(RetryableError):
            async with asyncio.timeout(5):
                await task.run()
    assert door.state.state == "offline"
    assert door.state.problem in ("bad_answer", "bad_request")


@pytest.mark.parametrize("status", [200, 400, 401, 403])
async def test_a_refused_password_parks_the_terminal_and_is_not_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    wrong = tmp_path / "key"
    wrong.write_text("admin:s3cret\n")
    server = BioStarServer(refusal_status=status)
    async with running(server):
        door = configured(server, wrong)
        (task,) = DRIVER.tasks([door], context(RecordingSink(), TurnedClock()))
        with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as refusal:
            await task.run()
    assert server.wrong == 1
    assert (door.state.state, door.state.problem) == ("config_error", "login_refused")
    assert "s3cret" not in str(refusal.value) + caplog.text


async def test_rows_that_can_not_be_read_go_to_quarantine_once_and_the_others_arrive(key: Path) -> None:
    server = BioStarServer()
    fill(server, 3)
    server.broken.append({"id": "9", "datetime": "never", "device_id": {"id": "5"}, "event_type_id": {"code": "1"}})
    sink = RecordingSink()
    async with running(server), driven(configured(server, key), sink):
        await until(lambda: len(sink.punches) == 3)
        await polled(server, 3)
    assert [(row.source, row.reason) for row in sink.damaged] == [("server", "bad_time")]


async def test_sec11_no_biometrics(key: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = BioStarServer()
    fill(server, 5)
    server.broken.append({"photo": PHOTO, "user_id": {"photo": PHOTO, "name": "WANG"}})
    sink = RecordingSink()
    with caplog.at_level(logging.DEBUG):
        async with running(server), driven(configured(server, key), sink):
            await until(lambda: len(sink.punches) == 5)
        async with running(server), DRIVER.open(configured(server, key), system_clocks()) as device:
            shown = repr([await device.info(), await device.users()])
    assert PHOTO not in shown + caplog.text
    assert PHOTO.encode() not in sink.raw
    assert b"NAME" not in sink.raw
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"host": None}, "set `host`"), ({"key_file": None}, "set key_file"), ({"host": "ftp://x"}, "expected a name")],
)
async def test_settings_that_can_not_work_are_refused(key: Path, settings: Any, said: str) -> None:
    server = BioStarServer()

    async def started() -> None:
        (task,) = DRIVER.tasks([configured(server, key, port=1, **settings)], context(RecordingSink(), TurnedClock()))
        await task.run()

    with pytest.raises(ConfigError, match=said):
        await started()


# What a person can ask


@asynccontextmanager
async def opened(server: BioStarServer, key: Path) -> AsyncIterator[Device]:
    async with running(server), DRIVER.open(configured(server, key), system_clocks()) as device:
        yield device


async def test_info_and_users(key: Path) -> None:
    server = BioStarServer(users=tuple((str(n), f"P{n}") for n in range(250)), devices=("1", "2"))
    assert isinstance(DRIVER, Manager)
    assert DRIVER.abilities == {Ability.INFO, Ability.USERS, Ability.LOG, Ability.WATCH}
    async with opened(server, key) as device:
        info, users = await device.info(), await device.users()
        with pytest.raises(ConfigError, match="its README"):
            await device.put_user(DeviceUser("1"))
    assert (info.users, info.facts["devices"], info.facts["2"]) == (250, "2", "Gate 1 1.5.0")
    assert users == sorted((DeviceUser(str(n), f"P{n}") for n in range(250)), key=lambda user: user.number)


async def test_the_log_is_read_on_request(key: Path) -> None:
    server = BioStarServer()
    fill(server, 450)
    async with opened(server, key) as device:
        events: list[Event] = [event async for event in device.log()]
    assert [event.user for event in events if isinstance(event, Punch)] == [e.user for e in server.log]


async def test_watch_shows_punches_as_they_arrive(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.drivers.suprema.device.WATCH_S", 0.01)
    server = BioStarServer()
    async with opened(server, key) as device:
        watching = device.watch()
        coming = asyncio.ensure_future(anext(watching))
        await polled(server, 1)
        server.punch("9", datetime.now(UTC) + timedelta(seconds=5))
        event = await coming
    assert isinstance(event, Punch)
    assert event.user == "9"
