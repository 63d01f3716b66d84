"""The driver against an emulated terminal: pull by number, woken by the monitor."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from emulators.controlid import PASSWORD, ControlIdTerminal
from gateway.config import PushConfig, TerminalConfig
from gateway.device import Ability, Device, DeviceUser, Finder, Manager
from gateway.driver import Terminal
from gateway.drivers.controlid.driver import DRIVER, Place
from shared.clock import system_clocks
from shared.errors import ConfigError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Flag, Punch
from tests.support.loopback import free_port
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until

START = datetime(2026, 11, 23, 8, 0, 0)
SERIAL = "0M0400/000001"
KEY = f"controlid:{SERIAL}"
SECRET = "Muster-1234"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"admin:{SECRET}\n")
    return path


def configured(device: ControlIdTerminal, key: Path, **settings: Any) -> Terminal:
    plain = {"name": "gate", "profile": "controlid/idface", "host": "127.0.0.1", "port": device.port, "poll_s": 0.03}
    quirks = ["utc_epoch"] if device.utc else []
    one = terminal(TerminalConfig(**{**plain, "key_file": key, **settings}))
    link = msgspec.structs.replace(one.profile.link, timeout_s=0.3)
    return replace(one, profile=msgspec.structs.replace(one.profile, link=link, quirks=quirks))


@asynccontextmanager
async def running(device: ControlIdTerminal) -> AsyncIterator[ControlIdTerminal]:
    await device.start()
    try:
        yield device
    finally:
        await device.stop()


@asynccontextmanager
async def driven(
    door: Terminal, sink: Any, clock: TurnedClock | None = None, port: int | None = None
) -> AsyncIterator[None]:
    push = PushConfig(port=port) if port is not None else None
    tasks = DRIVER.tasks([door], context(sink, clock or TurnedClock(), push))

    async def supervised(run: Any) -> None:
        while True:
            with suppress(RetryableError):
                await run()
            await asyncio.sleep(0.01)

    kept = [asyncio.create_task(supervised(task.run)) for task in tasks]
    try:
        yield
    finally:
        for task in kept:
            task.cancel()
        for done in await asyncio.gather(*kept, return_exceptions=True):
            assert isinstance(done, asyncio.CancelledError | MusterError)


def filled(count: int, **how: Any) -> ControlIdTerminal:
    device = ControlIdTerminal(**how)
    for n in range(1, 8):
        device.enroll(n, str(1000 + n), f"NAME {n}")
    fill(device, count)
    return device


def fill(device: ControlIdTerminal, count: int, start: datetime = START) -> None:
    for n in range(count):
        device.punch(1 + n % 7, start + timedelta(seconds=n))


def seen(sink: RecordingSink) -> list[tuple[str, datetime]]:
    return [(p.user, datetime.fromtimestamp(p.at_device or 0, UTC).replace(tzinfo=None)) for p in sink.punches]


def punched(count: int, start: datetime = START) -> list[tuple[str, datetime]]:
    return [(str(1001 + n % 7), start + timedelta(seconds=n)) for n in range(count)]


async def polled(device: ControlIdTerminal, times: int = 2) -> None:
    goal = device.calls.count("load_objects") + times
    await until(lambda: device.calls.count("load_objects") >= goal)


@pytest.mark.parametrize(
    "how", [{}, {"text": True}, {"most": 7}, {"utc": True}, {"tells_time": False}, {"token_uses": 3}]
)
async def test_every_punch_arrives_once_in_order(key: Path, how: Any) -> None:
    device = filled(60, **how)
    sink = RecordingSink()
    async with running(device):
        door = configured(device, key)
        async with driven(door, sink):
            await until(lambda: len(sink.events) == 60)
            fill(device, 3, START + timedelta(hours=1))
            await until(lambda: len(sink.events) == 63)
            await polled(device)
    assert seen(sink) == punched(60) + punched(3, START + timedelta(hours=1))
    assert {p.terminal for p in sink.punches} == {SERIAL}
    assert [p.native_seq for p in sink.punches] == list(range(1, 64))
    assert {p.at for p in sink.punches[:1]} == {1795392000000}  # 2026-11-23 00:00 UTC
    assert sink.repeats == 0
    assert (door.state.state, door.state.firmware, door.state.users) == ("online", "6.18.2", 7)
    assert door.state.log_used in (60, 63)  # asked for once an hour, and when a conversation begins


async def test_rel01_cursor_after_commit(key: Path) -> None:
    device = filled(30)
    sink = RecordingSink(held=asyncio.Event())
    async with running(device), driven(configured(device, key), sink):
        await until(lambda: device.calls.count("load_objects") >= 3)
        await asyncio.sleep(0.05)
        assert KEY not in sink.cursors
        assert sink.held is not None
        sink.held.set()
        await until(lambda: len(sink.events) == 30)
    assert Place.decode(sink.cursors[KEY]).number == 30
    assert all(count <= 500 and place is not None for count, place in sink.puts)


async def test_a_restart_goes_on_where_it_stopped(key: Path) -> None:
    device = filled(10)
    sink = RecordingSink()
    async with running(device):
        async with driven(configured(device, key), sink):
            await until(lambda: len(sink.events) == 10)
        fill(device, 3, START + timedelta(hours=1))
        async with driven(configured(device, key), sink):
            await until(lambda: len(sink.events) == 13)
    assert sink.repeats == 0


async def test_a_refusing_outbox_is_shown_and_asked_again(key: Path) -> None:
    device = filled(5)
    sink = RecordingSink(refusing=True)
    async with running(device):
        door = configured(device, key)
        async with driven(door, sink):
            await until(lambda: sink.refused >= 2)
            assert door.state.problem == "buffer_refused"
            sink.refusing = False
            await until(lambda: len(sink.events) == 5 and door.state.problem != "buffer_refused")


@pytest.mark.parametrize("rows", [3, 10, 25])
async def test_rel25_a_reset_log_is_read_from_the_start(key: Path, rows: int) -> None:
    device = filled(10)
    sink = RecordingSink()
    async with running(device), driven(configured(device, key), sink):
        await until(lambda: len(sink.events) == 10)
        device.factory_reset()
        fill(device, rows, START + timedelta(days=1))
        await until(lambda: len(sink.events) == 10 + rows)
    assert seen(sink) == punched(10) + punched(rows, START + timedelta(days=1))
    assert sink.punches[-1].native_seq == (1 << 40) + rows


async def test_rel25_a_log_that_is_reset_between_two_pages_is_read_from_the_start(key: Path) -> None:
    device = filled(60, most=20)
    original = device._load

    def load(said: dict[str, Any]) -> object:
        answer = original(said)
        if said["object"] == "access_logs" and "limit" in said and device.log and len(device.log) == 60:
            device.factory_reset()
            fill(device, 50, START + timedelta(days=1))
        return answer

    device._load = load  # type: ignore[method-assign]
    sink = RecordingSink()
    async with running(device), driven(configured(device, key), sink):
        await until(lambda: len(sink.events) == 70)
    assert seen(sink) == punched(60)[:20] + punched(50, START + timedelta(days=1))


async def test_rel25_a_lost_clock_before_and_after_a_reset_are_two_punches(key: Path) -> None:
    device = filled(0)
    device.punch(1, datetime(1970, 1, 1, 0, 0, 5))
    sink = RecordingSink()
    async with running(device), driven(configured(device, key), sink):
        await until(lambda: len(sink.events) == 1)
        device.factory_reset()
        await polled(device)
        device.punch(1, datetime(1970, 1, 1, 0, 0, 5))
        await until(lambda: len(sink.events) == 2)
    assert all(p.flags & Flag.CLOCK_SUSPECT for p in sink.punches)


async def test_rel25_a_cleared_log_whose_numbers_go_on(key: Path) -> None:
    device = filled(10)
    sink = RecordingSink()
    async with running(device), driven(configured(device, key), sink):
        await until(lambda: len(sink.events) == 10)
        device.clear_log()
        await polled(device, 4)
        fill(device, 4, START + timedelta(days=1))
        await until(lambda: len(sink.events) == 14)


async def test_a_person_enrolled_later_is_known_by_registration(key: Path) -> None:
    device = filled(1)
    sink = RecordingSink()
    async with running(device), driven(configured(device, key), sink):
        await until(lambda: len(sink.events) == 1)
        device.enroll(50, "A-50")
        device.punch(50, START + timedelta(hours=1))
        device.punch(51, START + timedelta(hours=2))
        await until(lambda: len(sink.events) == 3)
    assert [p.user for p in sink.punches] == ["1001", "A-50", "id:51"]


async def test_doors_and_refusals_are_no_punches_and_move_the_place(key: Path) -> None:
    device = filled(1)
    device.punch(0, START, event=12)
    device.punch(3, START, event=6)
    sink = RecordingSink()
    async with running(device), driven(configured(device, key), sink):
        await until(lambda: KEY in sink.cursors and Place.decode(sink.cursors[KEY]).number == 3)
    assert len(sink.events) == 1


# The monitor


@asynccontextmanager
async def monitored(
    device: ControlIdTerminal, sink: Any, key: Path, path: str = "api/notifications"
) -> AsyncIterator[Terminal]:
    port = free_port()
    device.monitor = ("127.0.0.1", port, path)
    async with running(device):
        door = configured(device, key, poll_s=3600)
        async with driven(door, sink, port=port):
            await until(lambda: door.state.state == "online")
            yield door


@pytest.mark.parametrize("path", ["api/notifications", "gate", "x/gate/y"])
async def test_a_post_of_the_monitor_makes_the_pull_read_at_once(key: Path, path: str) -> None:
    device = filled(2)
    sink = RecordingSink()
    async with monitored(device, sink, key, path):
        fill(device, 5, START + timedelta(hours=1))
        await until(lambda: len(sink.events) == 7)
        await until(lambda: device.posts == [200] * 5)
    assert seen(sink) == punched(2) + punched(5, START + timedelta(hours=1))
    assert sink.repeats == 0


async def test_lost_posts_lose_nothing(key: Path) -> None:
    device = filled(2)
    sink = RecordingSink()
    async with monitored(device, sink, key):
        device.lost_posts = 4
        fill(device, 5, START + timedelta(hours=1))
        await until(lambda: len(sink.events) == 7)
    assert seen(sink) == punched(2) + punched(5, START + timedelta(hours=1))


async def test_whatever_is_posted_is_answered_and_nothing_of_it_is_believed(key: Path) -> None:
    device = filled(1)
    sink = RecordingSink()
    forged = {
        "object_changes": [
            {
                "object": "access_logs",
                "type": "inserted",
                "values": {"id": "9", "time": "1", "event": "7", "user_id": "1"},
            }
        ]
    }
    async with monitored(device, sink, key):
        assert device.monitor is not None
        before = len(device.calls)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.monitor[1]}") as client:
            statuses = [
                (await client.post("/api/notifications/dao", json=forged)).status_code,
                (await client.post("/api/notifications/dao", content=b"{garbage")).status_code,
                (await client.post("/api/notifications/dao", content=b"x" * 300_000)).status_code,
                (await client.post("/api/notifications/device_is_alive", json={"access_logs": 3})).status_code,
                (await client.post("/api/notifications/catra_event", json={"event": {"type": 7}})).status_code,
                (await client.post("/api/notifications/template", content=b"MARKER" * 1000)).status_code,
            ]
        await until(lambda: len(device.calls) > before)
    assert statuses == [200] * 6
    assert len(sink.events) == 1


async def test_sec35_no_port_is_opened_without_push(key: Path) -> None:
    door = configured(filled(0), key)
    assert len(DRIVER.tasks([door], context(RecordingSink(), TurnedClock()))) == 1
    assert len(DRIVER.tasks([door], context(RecordingSink(), TurnedClock(), PushConfig(port=1)))) == 2


# Faults


@pytest.mark.parametrize("fault", ["garbage", "truncated", "reset", "error", "no_json", "deaf"])
async def test_rel25_a_fault_on_the_way_loses_nothing_and_repeats_nothing(key: Path, fault: Any) -> None:
    device = filled(60, most=20)
    sink = RecordingSink()
    async with running(device):
        door = configured(device, key)
        device.faults.extend([fault] if fault == "deaf" else [fault, fault])
        async with driven(door, sink):
            await until(lambda: len(sink.events) == 60)
            fill(device, 20, START + timedelta(hours=1))
            device.faults.append(fault)
            await until(lambda: len(sink.events) == 80 and door.state.state == "online")
    assert seen(sink) == punched(60) + punched(20, START + timedelta(hours=1))


async def test_rel25_a_drip_is_cut_off(key: Path) -> None:
    device = filled(1)
    device.faults.extend(["drip"] * 3)
    async with running(device):
        door = configured(device, key)
        (task,) = DRIVER.tasks([door], context(RecordingSink(), TurnedClock()))
        with pytest.raises(RetryableError):
            async with asyncio.timeout(5):
                await task.run()
    assert door.state.state == "offline"


async def test_rel25_a_reboot_is_survived(key: Path) -> None:
    device = filled(10)
    sink = RecordingSink()
    async with running(device):
        door = configured(device, key)
        async with driven(door, sink):
            await until(lambda: len(sink.events) == 10)
            await device.stop()
            await until(lambda: door.state.state == "offline")
            device.expire()
            fill(device, 5, START + timedelta(hours=1))
            await device.start()
            await until(lambda: len(sink.events) == 15)


async def test_rel25_two_gateways_on_one_terminal_make_the_same_keys(key: Path) -> None:
    device = filled(20)
    device.punch(1, datetime(1970, 1, 1, 0, 0, 5))
    shared = RecordingSink()
    async with running(device):
        async with driven(configured(device, key), shared):
            await until(lambda: len(shared.events) == 21)
        shared.cursors.clear()
        async with driven(configured(device, key, name="other"), shared):
            await until(lambda: shared.repeats == 21)
    assert len(shared.events) == 21


async def test_rel25_a_wrong_clock_is_told_with_every_punch(key: Path) -> None:
    device = filled(1)
    device.clock_offset = timedelta(minutes=10)
    sink = RecordingSink()
    async with running(device):
        door = configured(device, key)
        clock = TurnedClock(wall_ms=system_clocks().wall_ms())
        async with driven(door, sink, clock):
            await until(lambda: len(sink.events) == 1 and door.state.problem == "clock_drift")
    assert abs((sink.punches[0].drift_ms or 0) - 600_000) < 3000


async def test_rows_out_of_order_are_refused(key: Path) -> None:
    device = filled(5)
    device.unsorted = True
    async with running(device):
        door = configured(device, key)
        (task,) = DRIVER.tasks([door], context(RecordingSink(), TurnedClock()))
        with pytest.raises(RetryableError):
            await task.run()
    assert door.state.state == "offline"


async def test_a_row_that_can_not_be_read_goes_to_quarantine_and_the_others_arrive(key: Path) -> None:
    device = filled(3)
    device.broken.append({"id": None, "time": "never", "card_value": 998877})
    device.log[1]["time"] = "never"
    sink = RecordingSink()
    async with running(device), driven(configured(device, key), sink):
        await until(lambda: len(sink.punches) == 2)
        await until(lambda: len(sink.damaged) == 2)
    assert b"998877" not in sink.raw


async def test_a_refused_password_parks_the_terminal_and_is_not_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = tmp_path / "key"
    wrong.write_text("admin:s3cret\n")
    device = filled(1)
    async with running(device):
        door = configured(device, wrong)
        (task,) = DRIVER.tasks([door], context(RecordingSink(), TurnedClock()))
        with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as refusal:
            await task.run()
    assert device.wrong == 1
    assert (door.state.state, door.state.problem) == ("config_error", "login_refused")
    assert "s3cret" not in str(refusal.value) + caplog.text


async def test_sec11_no_biometrics(key: Path, caplog: pytest.LogCaptureFixture) -> None:
    device = filled(5)
    sink = RecordingSink()
    with caplog.at_level(logging.INFO):
        async with running(device), driven(configured(device, key), sink):
            await until(lambda: len(sink.events) == 5)
        async with running(device), DRIVER.open(configured(device, key), system_clocks()) as opened_device:
            shown = repr([await opened_device.info(), await opened_device.users()])
    asked = b"".join(body for body in device.bodies if b'"users"' in body)
    assert b'"fields"' in asked
    assert PASSWORD not in shown + caplog.text
    assert PASSWORD.encode() not in sink.raw
    assert b"NAME" not in sink.raw


# What a person can ask


@asynccontextmanager
async def opened(device: ControlIdTerminal, key: Path) -> AsyncIterator[Device]:
    async with running(device), DRIVER.open(configured(device, key), system_clocks()) as talk:
        yield talk


async def test_info_and_clock(key: Path) -> None:
    device = filled(3)
    assert isinstance(DRIVER, Manager)
    assert DRIVER.abilities == frozenset(Ability) - {Ability.WATCH}
    async with opened(device, key) as talk:
        info = await talk.info()
        assert abs((await talk.clock()).drift_ms) < 3000
        await talk.set_clock(datetime(2026, 11, 23, 9, 0, 0))
        assert (await talk.clock()).wall - datetime(2026, 11, 23, 9, 0, 0) < timedelta(seconds=3)
        device.tells_time = False
        with pytest.raises(ConfigError, match="does not tell its time"):
            await talk.clock()
    assert (info.serial, info.model, info.firmware, info.users, info.log_used) == (SERIAL, "iDFace", "6.18.2", 7, 3)


async def test_users_are_listed_added_renamed_disabled_and_given_cards(key: Path) -> None:
    device = ControlIdTerminal()
    device.enroll(1, "1001", "OLD")
    device.enroll(2, "", "GUEST")
    async with opened(device, key) as talk:
        await talk.put_user(DeviceUser("1001", "NEW", "77"))
        await talk.put_user(DeviceUser("1001", "NEW", "78"))
        await talk.put_user(DeviceUser("2002", "ADDED", enabled=False))
        calls = len(device.calls)
        await talk.put_user(DeviceUser("1001", "NEW", "78"))
        assert not {"modify_objects", "create_objects"} & set(device.calls[calls:])
        users = await talk.users()
        await talk.put_user(DeviceUser("2002", "ADDED"))
        again = await talk.users()
    assert users == [
        DeviceUser("1001", "NEW", "78"),
        DeviceUser("2002", "ADDED", enabled=False),
        DeviceUser("id:2", "GUEST"),
    ]
    assert again[1] == DeviceUser("2002", "ADDED")
    assert all(person.password == PASSWORD for person in device.users.values())


@pytest.mark.parametrize(
    ("user", "said"),
    [(DeviceUser("1", card="x"), "decimal"), (DeviceUser("id:9"), "registration"), (DeviceUser("7"), "2 times")],
)
async def test_a_user_that_the_terminal_can_not_take_is_refused_with_the_reason(
    key: Path, user: DeviceUser, said: str
) -> None:
    device = ControlIdTerminal()
    device.enroll(1, "7")
    device.enroll(2, "7")
    async with opened(device, key) as talk:
        with pytest.raises(ConfigError, match=said):
            await talk.put_user(user)
    assert "create_objects" not in device.calls


async def test_the_log_is_read_on_request(key: Path) -> None:
    device = filled(30, most=7)
    async with opened(device, key) as talk:
        events: list[Event] = [event async for event in talk.log()]
    assert [event.native_seq for event in events if isinstance(event, Punch)] == list(range(1, 31))


async def test_identify_knows_its_own_and_nobody_else() -> None:
    device = filled(0)

    async def stranger(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(stranger, "127.0.0.1", 0)
    assert isinstance(DRIVER, Finder)
    async with running(device), other:
        found = await DRIVER.identify("127.0.0.1", device.port)
        nobody = await DRIVER.identify("127.0.0.1", other.sockets[0].getsockname()[1])
        closed = await DRIVER.identify("127.0.0.1", 1)
    assert found is not None
    assert (nobody, closed) == (None, None)
    assert "login" not in device.calls
