"""The driver against an emulated terminal: what reaches the outbox, and which flags are left on the terminal."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from emulators.anviz import ADMIN_PASSWORD, AnvizTerminal, AnvizUser
from gateway.config import TerminalConfig
from gateway.device import Ability, Decoder, Device, DeviceUser, Finder, Manager
from gateway.driver import Cursor, DriverContext, Stored, Terminal
from gateway.drivers.anviz import codec, driver
from gateway.drivers.anviz.codec import LogRow
from gateway.drivers.anviz.conversation import Conversation
from gateway.drivers.anviz.driver import DRIVER
from gateway.drivers.anviz.place import Place
from gateway.transports.tcp import TcpLink
from shared.clock import Clocks, device_seconds, system_clocks
from shared.errors import ConfigError, RetryableError
from shared.keys import Event
from shared.punch import Direction, Flag, Method, Punch
from tests.support.recording_sink import RecordingSink, terminal, until

START = datetime(2026, 11, 23, 8, 59, 1)
PROFILE = "anviz/c2"
KEY = "anviz:A1"
pytestmark = pytest.mark.usefixtures("quick_counters")
CLEAR, RECORDS = 0x4E, 0x40


@pytest.fixture
def quick_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator's counters lag behind for one read, not for a second."""
    monkeypatch.setattr(driver, "SETTLE_S", 0.02)


def configured(emulator: AnvizTerminal, profile: str = PROFILE, **settings: Any) -> Terminal:
    config = TerminalConfig(
        **{"name": "door", "profile": profile, "host": emulator.host, "port": emulator.port, "poll_s": 0.05, **settings}
    )
    plain = terminal(config)
    facts = msgspec.structs.replace(plain.profile.link, timeout_s=0.5)
    return replace(plain, profile=msgspec.structs.replace(plain.profile, link=facts))


def context(sink: Any, clocks: Clocks | None = None) -> DriverContext:
    return DriverContext(sink, clocks or system_clocks(), lambda: 77)


@asynccontextmanager
async def running(emulator: AnvizTerminal) -> AsyncIterator[AnvizTerminal]:
    await emulator.start()
    try:
        yield emulator
    finally:
        await emulator.stop()


@asynccontextmanager
async def driven(door: Terminal, sink: Any, clocks: Clocks | None = None) -> AsyncIterator[asyncio.Task[None]]:
    """The terminal's task as a supervisor keeps it: started again after every error that may pass."""
    (task,) = DRIVER.tasks([door], context(sink, clocks))

    async def supervised() -> None:
        while True:
            with suppress(RetryableError):
                await task.run()
            await asyncio.sleep(0.02)

    running_task = asyncio.create_task(supervised())
    try:
        yield running_task
    finally:
        running_task.cancel()
        with suppress(asyncio.CancelledError):
            await running_task


@asynccontextmanager
async def opened(emulator: AnvizTerminal, **settings: Any) -> AsyncIterator[Device]:
    async with DRIVER.open(configured(emulator, **settings), system_clocks()) as device:
        yield device


def seen(punches: Sequence[Punch]) -> list[tuple[str, datetime]]:
    return [(p.user, datetime.fromtimestamp(p.at_device or 0, UTC).replace(tzinfo=None)) for p in punches]


def punched(emulator: AnvizTerminal) -> list[tuple[str, datetime]]:
    return [(str(row.user), datetime(2000, 1, 2) + timedelta(seconds=row.seconds)) for row in emulator.log]


def fill(emulator: AnvizTerminal, count: int, start: datetime = START) -> None:
    for n in range(count):
        emulator.punch(1000 + n % 7, start + timedelta(seconds=n))


def polled(emulator: AnvizTerminal, times: int = 2) -> int:
    """Number of polls after which something that waits for several has happened."""
    return sum(command == 0x38 for command, _ in emulator.requests) + times


async def after_polls(emulator: AnvizTerminal, times: int = 2) -> None:
    goal = polled(emulator, times)
    await until(lambda: polled(emulator, 0) >= goal)


@pytest.mark.parametrize("realtime", [True, False])
@pytest.mark.parametrize("count", [0, 3, 25, 1203])
async def test_every_logged_punch_reaches_the_outbox_once(count: int, realtime: bool) -> None:
    emulator = AnvizTerminal("A1", realtime=realtime)
    fill(emulator, count)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) >= count and emulator.new == 0 and KEY in sink.cursors)
    assert seen(sink.punches) == punched(emulator)
    assert {p.terminal for p in sink.punches} <= {"A1"}
    assert max((events for events, _ in sink.puts), default=0) <= 500


async def test_a_punch_carries_what_the_terminal_wrote_and_what_the_profile_says() -> None:
    emulator = AnvizTerminal("A1")
    emulator.punch(4294967301, START, verify=8, state=0x81, work_code=5)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 1)
    (punch,) = sink.punches
    assert (punch.user, punch.direction, punch.method) == ("4294967301", Direction.OUT, Method.CARD)
    assert punch.raw_codes == (8, 0x81, 5)
    assert (punch.at, punch.utc_offset_s) == (int(START.replace(tzinfo=UTC).timestamp() - 8 * 3600) * 1000, 8 * 3600)
    assert (punch.native_seq, punch.seen_ms, punch.flags) == (1, 77, Flag(0))


@pytest.mark.parametrize("push_takes_flag", [False, True])
async def test_a_punch_arrives_as_it_happens(push_takes_flag: bool) -> None:
    emulator = AnvizTerminal("A1", push_takes_flag=push_takes_flag)
    fill(emulator, 3)
    sink, door = RecordingSink(), None
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            await until(lambda: door.state.state == "online" and emulator.new == 0)
            emulator.punch(9, START + timedelta(hours=1))
            await until(lambda: len(sink.events) == 4)
            await after_polls(emulator, 4)
    assert sink.punches[-1].flags == Flag.REALTIME
    assert sink.punches[-1].native_seq is None
    assert emulator.new == 0
    assert sum(request == (RECORDS, b"\x01\x19") for request in emulator.requests) == 1  # the log was read once


async def test_rel09_a_punch_heard_and_then_read_counts_once() -> None:
    emulator = AnvizTerminal("A1")
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: KEY in sink.cursors)
        await after_polls(emulator)
        emulator.punch(9, START)
        await until(lambda: len(sink.events) == 1)
        emulator.faults.lose_push = 1
        emulator.punch(9, START + timedelta(seconds=1))  # only the log knows this one
        await until(lambda: len(sink.events) == 2 and emulator.new == 0)
    assert (len(sink.events), sink.repeats) == (2, 1)


async def test_a_user_added_at_the_terminal_is_no_punch() -> None:
    emulator = AnvizTerminal("A1")
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: KEY in sink.cursors)
        await after_polls(emulator)
        emulator.tell_user_added(77)
        emulator.punch(9, START)
        await until(lambda: len(sink.events) == 1)
    assert sink.punches[0].user == "9"


class CrashingSink(RecordingSink):
    """Commits the first slices and then refuses, as a disk that fills up."""

    crash_after = 2

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        self.refusing = self.crash_after == 0
        self.crash_after -= 1
        return await super().put(events, cursor)


async def test_rel01_cursor_after_commit() -> None:
    emulator = AnvizTerminal("A1")
    fill(emulator, 1700)
    sink = CrashingSink()
    async with running(emulator):
        (task,) = DRIVER.tasks([configured(emulator)], context(sink))
        with pytest.raises(RetryableError):
            await task.run()
        assert Place.decode(sink.cursors[KEY]) == Place(len(sink.events), 0, complete=False)
        assert len(sink.events) == 1000
        assert emulator.new == 1700  # no flag is taken off what is not stored

        sink.crash_after = 1000
        async with driven(configured(emulator), sink):
            await until(lambda: emulator.new == 0)
    assert seen(sink.punches) == punched(emulator)


class WaitingSink(RecordingSink):
    """Commits only when told to, once the first two commits (the empty log) are done."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_commit = asyncio.Event(), asyncio.Event()

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        if events:
            self.asked.set()
            await self.may_commit.wait()
        return await super().put(events, cursor)


async def test_rel01_flags_are_taken_off_exactly_what_was_stored_after_the_commit() -> None:
    emulator = AnvizTerminal("A1", realtime=False)
    sink = WaitingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: KEY in sink.cursors)
        fill(emulator, 3)
        await sink.asked.wait()
        assert emulator.new == 3
        fill(emulator, 2, START + timedelta(hours=1))  # punched between the read and the clear
        before = len(emulator.requests)
        sink.may_commit.set()
        await until(lambda: len(sink.events) == 5 and emulator.new == 0)
    clears = [data for command, data in emulator.requests[before:] if command == CLEAR]
    assert clears == [bytes((2, 0, 0, 3)), bytes((2, 0, 0, 2))]


async def test_nothing_that_deletes_is_ever_sent() -> None:
    emulator = AnvizTerminal("A1")
    fill(emulator, 60)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: emulator.new == 0)
    assert {data[0] for command, data in emulator.requests if command == CLEAR} == {2}
    assert len(emulator.log) == 60


async def test_flags_that_another_client_took_off_lose_nothing() -> None:
    emulator = AnvizTerminal("A1", realtime=False)
    fill(emulator, 5)
    sink = RecordingSink()
    async with running(emulator):
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 5 and emulator.new == 0)
        fill(emulator, 5, START + timedelta(days=1))
        emulator.take_flags()
        fill(emulator, 2, START + timedelta(days=2))
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 12)
    assert sorted(seen(sink.punches)) == sorted(punched(emulator))


async def test_flags_taken_between_read_and_clear_are_not_taken_from_what_came_after() -> None:
    emulator = AnvizTerminal("A1", realtime=False)
    sink = WaitingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: KEY in sink.cursors)
        fill(emulator, 3)
        await sink.asked.wait()
        emulator.take_flags()
        fill(emulator, 2, START + timedelta(hours=1))
        sink.may_commit.set()
        await until(lambda: len(sink.events) == 5 and emulator.new == 0)
    assert [data for command, data in emulator.requests if command == CLEAR] == [bytes((2, 0, 0, 2))]


async def test_two_gateways_on_one_terminal_store_every_punch_under_the_same_keys() -> None:
    emulator = AnvizTerminal("A1", realtime=False)
    sinks = RecordingSink(), RecordingSink()
    async with running(emulator):
        doors = [configured(emulator, name=name, poll_s=0.03) for name in ("a", "b")]
        async with driven(doors[0], sinks[0]), driven(doors[1], sinks[1]):
            for n in range(30):
                emulator.punch(n + 1, START + timedelta(seconds=n))
                await asyncio.sleep(0.01)
            await until(lambda: all(len(sink.events) == 30 for sink in sinks), within_s=60)
    assert sinks[0].keys == sinks[1].keys


async def test_a_cleared_log_loses_nothing() -> None:
    emulator = AnvizTerminal("A1")
    fill(emulator, 40)
    before = punched(emulator)
    sink = RecordingSink()
    async with running(emulator):
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 40 and emulator.new == 0)
        emulator.clear_log()
        fill(emulator, 30, START + timedelta(days=1))
        emulator.take_flags()
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 70)
    assert seen(sink.punches) == [*before, *punched(emulator)]
    assert Place.decode(sink.cursors[KEY]) == Place(30, 40, complete=True)


async def test_punches_of_a_reset_clock_are_kept_flagged_and_told_apart() -> None:
    emulator = AnvizTerminal("A1")
    sink = RecordingSink()
    reset = datetime(2000, 1, 2, 0, 5)
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            await until(lambda: KEY in sink.cursors)
            emulator.set_clock(datetime(2000, 1, 2))
            emulator.punch(9, reset)
            await until(lambda: len(sink.events) == 1)
            emulator.punch(9, reset)  # another day, the clock lost again
            await until(lambda: len(sink.events) == 2 and door.state.problem == "clock_reset")
    assert {p.flags for p in sink.punches} == {Flag.CLOCK_SUSPECT}
    assert [p.native_seq for p in sink.punches] == [1, 2]


async def test_a_record_that_is_logged_twice_counts_once() -> None:
    emulator = AnvizTerminal("A1", realtime=False)
    fill(emulator, 2)
    emulator.repeat_last()
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: emulator.new == 0)
        await after_polls(emulator, 3)
    assert len(sink.events) == 2


async def test_a_log_that_rolls_loses_nothing() -> None:
    emulator = AnvizTerminal("A1", log_capacity=60, rolls=True, realtime=False)
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            for batch in range(4):
                fill(emulator, 40, START + timedelta(minutes=batch))
                await until(lambda: len(sink.events) == emulator.emitted)
            await until(lambda: door.state.problem == "log_full")
    assert (door.state.log_used, door.state.log_capacity) == (60, 60)


async def test_flags_of_a_full_log_are_taken_off_in_two_steps() -> None:
    emulator = AnvizTerminal("A1", log_capacity=300, rolls=True, realtime=False)
    fill(emulator, 300)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: emulator.new == 0)
    clears = [int.from_bytes(data[1:], "big") for command, data in emulator.requests if command == CLEAR]
    assert clears == [200, 100]


async def test_a_log_that_is_almost_full_is_told() -> None:
    emulator = AnvizTerminal("A1", log_capacity=20)
    fill(emulator, 18)
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            await until(lambda: door.state.problem == "log_almost_full")


async def test_the_state_says_what_the_terminal_says() -> None:
    emulator = AnvizTerminal("A1", users=[1, 2, 3], firmware="C2_0151", zone="Asia/Shanghai")
    emulator.clock_offset = timedelta(seconds=90)
    fill(emulator, 4)
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator, serial="A1")
        async with driven(door, sink):
            await until(lambda: door.state.problem == "clock_drift")
    state = door.state
    assert (state.state, state.serial, state.firmware, state.users) == ("online", "A1", "C2_0151", 3)
    assert (state.log_used, state.log_capacity) == (4, 100_000)
    assert abs((state.drift_ms or 0) - 90_000) < 1500
    assert sink.punches[0].drift_ms is not None


async def test_another_terminal_under_the_address_is_told() -> None:
    emulator = AnvizTerminal("A2")
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator, serial="A1")
        async with driven(door, sink):
            await until(lambda: door.state.problem == "other_serial")


@pytest.mark.parametrize(
    "fault", ["wrong_crc", "silent", "garbage", "truncated", "interleaved", "heartbeats", "stale_new"]
)
async def test_rel25_a_fault_on_the_way_loses_nothing_and_repeats_nothing(fault: str) -> None:
    emulator = AnvizTerminal("A1")
    fill(emulator, 70)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 70 and emulator.new == 0)
        emulator.faults.lose_push = 40
        fill(emulator, 40, START + timedelta(hours=1))
        setattr(emulator.faults, fault, 3)
        await until(lambda: len(sink.events) == 110 and emulator.new == 0)
    assert sorted(seen(sink.punches)) == sorted(punched(emulator))
    assert getattr(emulator.faults, fault) == 0 or fault == "stale_new"


async def test_a_block_that_comes_twice_is_not_taken_for_the_next() -> None:
    emulator = AnvizTerminal("A1")
    fill(emulator, 130)
    emulator.faults.doubled = 1000
    async with running(emulator), await TcpLink.connect("127.0.0.1", emulator.port, 1) as link:
        talk = Conversation(link, 1)
        read = [row async for _, rows in talk.blocks(codec.FIRST_ALL, 130) for row in rows]
    assert [row.at for row in read if isinstance(row, LogRow)] == [device_seconds(at) for _, at in punched(emulator)]


async def test_answers_that_come_twice_do_not_take_flags_off_unread_punches() -> None:
    emulator = AnvizTerminal("A1")
    fill(emulator, 130)
    emulator.faults.doubled = 1000
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 130 and emulator.new == 0)
    assert seen(sink.punches) == punched(emulator)


@pytest.mark.parametrize("block", [1, 2, 5])
async def test_rel25_a_terminal_that_goes_away_in_mid_transfer_is_read_again(block: int) -> None:
    emulator = AnvizTerminal("A1")
    fill(emulator, 120)
    emulator.faults.hang_up_on_block = block
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 120 and emulator.new == 0)
    assert seen(sink.punches) == punched(emulator)


async def test_rel25_a_reboot_is_survived() -> None:
    emulator = AnvizTerminal("A1")
    fill(emulator, 30)
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            await until(lambda: len(sink.events) == 30)
            await emulator.stop()
            await until(lambda: door.state.state == "offline")
            fill(emulator, 5, START + timedelta(hours=1))
            await emulator.start()
            await until(lambda: len(sink.events) == 35)


async def test_rel25_answers_that_drip_are_put_together() -> None:
    emulator = AnvizTerminal("A1", pieces=7, piece_delay_s=0.001)
    fill(emulator, 10)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 10)


async def test_rel25_a_drip_that_never_ends_is_cut_off() -> None:
    emulator = AnvizTerminal("A1", pieces=1, piece_delay_s=0.2)
    async with running(emulator):
        door = configured(emulator)
        (task,) = DRIVER.tasks([door], context(RecordingSink()))
        with pytest.raises(RetryableError):
            async with asyncio.timeout(5):
                await task.run()
    assert door.state.state == "offline"


async def test_records_of_an_unknown_layout_are_kept_as_they_are() -> None:
    emulator = AnvizTerminal("A1", realtime=False)
    fill(emulator, 2)
    emulator.faults.extended = 100
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: emulator.new == 0)
        await after_polls(emulator, 3)
    assert {row.reason for row in sink.damaged} == {"short_record"}
    assert {row.source for row in sink.damaged} == {"A1"}
    assert all(record.encode() in sink.damaged[0].raw for record in emulator.log)
    assert len(sink.damaged) == 2  # the whole log once, the new records once: no flood


async def test_a_second_client_finds_the_terminal_busy_and_comes_again() -> None:
    emulator = AnvizTerminal("A1")
    async with running(emulator), opened(emulator):
        (task,) = DRIVER.tasks([configured(emulator)], context(RecordingSink()))
        with pytest.raises(RetryableError):
            await task.run()


async def test_a_terminal_that_does_not_push_is_left_alone_between_polls() -> None:
    emulator = AnvizTerminal("A1", realtime=False)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator, poll_s=60), sink):
        await until(lambda: KEY in sink.cursors)
        await until(lambda: emulator._client is None)


async def test_a_login_is_sent_where_a_key_file_asks_for_it(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("admin:12345\n")
    emulator = AnvizTerminal("A1", login=("admin", "12345"))
    fill(emulator, 2)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator, key_file=key), sink):
        await until(lambda: len(sink.events) == 2)


async def test_a_refused_login_parks_the_terminal_and_is_not_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = tmp_path / "key"
    key.write_text("admin:s3cret\n")
    emulator = AnvizTerminal("A1", login=("admin", "12345"))
    async with running(emulator):
        door = configured(emulator, key_file=key)
        (task,) = DRIVER.tasks([door], context(RecordingSink()))
        with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as refusal:
            await task.run()
    assert sum(command == 0x04 for command, _ in emulator.requests) == 1
    assert (door.state.state, door.state.problem) == ("config_error", "refused")
    assert "s3cret" not in str(refusal.value) + caplog.text


async def test_a_terminal_that_wants_a_login_is_parked_until_it_has_one() -> None:
    emulator = AnvizTerminal("A1", login=("admin", "12345"))
    async with running(emulator):
        door = configured(emulator)
        (task,) = DRIVER.tasks([door], context(RecordingSink()))
        with pytest.raises(ConfigError, match="user:password into key_file"):
            await task.run()
    assert door.state.state == "config_error"
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("text", ["", "admin", ":x", "admin:longer than 12"])
async def test_a_key_file_without_user_and_password_is_refused_without_repeating_it(tmp_path: Path, text: str) -> None:
    key = tmp_path / "key"
    key.write_text(text)
    emulator = AnvizTerminal("A1")
    async with running(emulator):
        (task,) = DRIVER.tasks([configured(emulator, key_file=key)], context(RecordingSink()))
        with pytest.raises(ConfigError, match="expected user:password"):
            await task.run()


@pytest.mark.parametrize(("settings", "said"), [({"host": None}, "set `host`"), ({"profile": "zkteco/u"}, "profile")])
def test_settings_that_can_not_work_are_refused_at_once(settings: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DRIVER.tasks([configured(AnvizTerminal("A1"), **settings)], context(RecordingSink()))


async def test_sec11_no_biometrics() -> None:
    """Neither the menu's password nor what users know, have or are goes further than the driver."""
    person = AnvizUser(1000, "WANG WEI", 7654321, password=54321, fingers=3)
    emulator = AnvizTerminal("A1", users=[person], user_size=27)
    fill(emulator, 5)
    sink = RecordingSink()
    async with running(emulator):
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 5 and emulator.new == 0)
        commands = {command for command, _ in emulator.requests}
        async with opened(emulator) as device:
            shown = repr([await device.info(), await device.users()])
    assert "54321" not in shown.replace("7654321", "")
    assert ADMIN_PASSWORD not in sink.raw
    assert ADMIN_PASSWORD.hex() not in shown
    assert commands == {0x24, 0x30, 0x32, 0x38, 0x3C, 0x40, 0x4E, 0x5D}  # neither users nor templates are asked for
    assert b"WANG" not in sink.raw


# What a person can ask of one terminal


async def test_the_driver_is_manager_decoder_and_finder() -> None:
    assert isinstance(DRIVER, Manager)
    assert isinstance(DRIVER, Decoder)
    assert isinstance(DRIVER, Finder)
    assert DRIVER.abilities == frozenset(Ability)
    assert DRIVER.ports == (5010,)


async def test_info_says_what_the_terminal_says() -> None:
    emulator = AnvizTerminal("A1", users=[1, 2], model="C2", firmware="C2_0151", realtime=False)
    fill(emulator, 3)
    async with running(emulator), opened(emulator) as device:
        info = await device.info()
    assert (info.serial, info.model, info.firmware) == ("A1", "C2", "C2_0151")
    assert (info.users, info.user_capacity, info.log_used, info.log_capacity) == (2, 3000, 3, 100_000)
    assert (info.facts["new"], info.facts["realtime"]) == ("3", "off")


async def test_the_clock_is_shown_and_set() -> None:
    emulator = AnvizTerminal("A1")
    emulator.clock_offset = timedelta(hours=1)
    async with running(emulator), opened(emulator) as device:
        assert abs((await device.clock()).drift_ms - 3_600_000) < 1500
        await device.set_clock(datetime(2026, 11, 23, 9, 0, 0))
        assert (await device.clock()).wall - datetime(2026, 11, 23, 9, 0, 0) < timedelta(seconds=2)
        with pytest.raises(ConfigError, match="2000 to 2255"):
            await device.set_clock(datetime(1999, 1, 1))


@pytest.mark.parametrize(("size", "profile"), [(27, "anviz/c2"), (40, "anviz/w1-pro"), (30, "anviz/w1-pro")])
async def test_users_are_listed_by_number(size: Any, profile: str) -> None:
    people = [AnvizUser(n, f"P{n}", card=n * 3 % 2) for n in range(40, 0, -1)]
    emulator = AnvizTerminal("A1", users=people, user_size=size)
    async with running(emulator), opened(emulator, profile=profile) as device:
        users = await device.users()
    assert users == [DeviceUser(str(n), f"P{n}", "1" if n % 2 else "") for n in range(1, 41)]


@pytest.mark.parametrize(("size", "profile"), [(27, "anviz/c2"), (40, "anviz/w1-pro")])
async def test_put_user_adds_and_changes_and_leaves_password_and_fingers(size: Any, profile: str) -> None:
    emulator = AnvizTerminal("A1", users=[AnvizUser(5, "OLD", 1, password=4321, fingers=3)], user_size=size)
    async with running(emulator), opened(emulator, profile=profile) as device:
        await device.put_user(DeviceUser("5", "NEW", "77"))
        await device.put_user(DeviceUser("6", "ADDED"))
        writes = len([command for command, _ in emulator.requests if command in (0x43, 0x73)])
        await device.put_user(DeviceUser("6", "ADDED"))
    assert emulator.users[5] == AnvizUser(5, "NEW", 77, password=4321, fingers=3)
    assert emulator.users[6] == AnvizUser(6, "ADDED", 0, password=None, fingers=0)
    assert writes == len([command for command, _ in emulator.requests if command in (0x43, 0x73)]) == 2


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (DeviceUser("A7"), "take 1 to"),
        (DeviceUser("0"), "take 1 to"),
        (DeviceUser("5", enabled=False), "no disabled users"),
        (DeviceUser("5", card="x"), "decimal"),
        (DeviceUser("5", "王伟"), "ASCII"),
        (DeviceUser("5", "FIVE"), "full"),
    ],
)
async def test_a_user_that_the_terminal_can_not_take_is_refused_with_the_reason(user: DeviceUser, said: str) -> None:
    emulator = AnvizTerminal("A1", users=[1], user_size=27, user_capacity=1)
    async with running(emulator), opened(emulator) as device:
        with pytest.raises(ConfigError, match=said):
            await device.put_user(user)
    assert list(emulator.users) == [1]


async def test_users_in_another_layout_than_the_profile_says_are_explained() -> None:
    emulator = AnvizTerminal("A1", users=[1], user_size=40)
    async with running(emulator), opened(emulator, profile="anviz/c2") as device:
        with pytest.raises(ConfigError, match="user_record"):
            await device.users()


async def test_the_log_is_read_on_request_and_flags_stay() -> None:
    emulator = AnvizTerminal("A1")
    fill(emulator, 60)
    async with running(emulator), opened(emulator) as device:
        events = [event async for event in device.log()]
    assert seen([event for event in events if isinstance(event, Punch)]) == punched(emulator)
    assert emulator.new == 60


async def test_watch_shows_punches_as_they_happen() -> None:
    emulator = AnvizTerminal("A1")
    async with running(emulator), opened(emulator) as device:
        watching = device.watch()
        coming = asyncio.ensure_future(anext(watching))
        await until(lambda: any(command == 0x32 for command, _ in emulator.requests))
        await asyncio.sleep(0)
        emulator.punch(9, START)
        event = await coming
    assert isinstance(event, Punch)
    assert (event.user, event.flags) == ("9", Flag.REALTIME)


async def test_watch_says_how_to_switch_pushing_on() -> None:
    emulator = AnvizTerminal("A1", realtime=False)
    async with running(emulator), opened(emulator) as device:
        with pytest.raises(ConfigError, match="real-time mode"):
            await anext(device.watch())


async def test_identify_knows_its_own_and_nobody_else() -> None:
    emulator = AnvizTerminal("A1", model="C2", firmware="C2_0151")

    async def stranger(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    other = await asyncio.start_server(stranger, "127.0.0.1", 0)
    async with running(emulator), other:
        found = await DRIVER.identify("127.0.0.1", emulator.port)
        nobody = await DRIVER.identify("127.0.0.1", other.sockets[0].getsockname()[1])
        other.close()
        closed = await DRIVER.identify("127.0.0.1", 1)
    assert found is not None
    assert (found.serial, found.model, found.firmware) == ("A1", "C2", "C2_0151")
    assert (nobody, closed) == (None, None)
    assert not any(command == 0x04 for command, _ in emulator.requests)
