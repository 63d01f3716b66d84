"""The driver against an emulated terminal: what reaches the outbox, and in which state the terminal is left."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from emulators.zk4370 import FINGER_TEMPLATE, ZkTerminal, ZkUser
from gateway.config import TerminalConfig
from gateway.driver import Cursor, DriverContext, Stored, Terminal
from gateway.drivers.zk4370.cursor import Place
from gateway.drivers.zk4370.driver import DRIVER
from gateway.drivers.zk4370.settings import read_key
from shared.clock import Clocks, system_clocks
from shared.errors import ConfigError, RetryableError
from shared.keys import Event
from shared.punch import Direction, Flag, Method, Punch
from tests.support.recording_sink import RecordingSink, terminal, until

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 23, 8, 59, 1)
PROFILE = "zkteco/k40"
REG_EVENT, DISABLE, ENABLE, READ_BUFFERED, FREE_SIZES = 500, 1003, 1002, 1503, 50


def configured(emulator: ZkTerminal, profile: str = PROFILE, **settings: Any) -> Terminal:
    link = "udp" if emulator.transport == "udp" else "tcp"
    config = TerminalConfig(
        **{"name": "door", "profile": profile, "host": emulator.host, "port": emulator.port, "poll_s": 0.1, **settings}
    )
    plain = terminal(config)
    facts = msgspec.structs.replace(plain.profile.link, transport=link, timeout_s=1.0)
    return replace(plain, profile=msgspec.structs.replace(plain.profile, link=facts))


def context(sink: Any, clocks: Clocks | None = None) -> DriverContext:
    return DriverContext(sink, clocks or system_clocks(), lambda: 77)


@asynccontextmanager
async def running(emulator: ZkTerminal) -> AsyncIterator[ZkTerminal]:
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


def listening(emulator: ZkTerminal) -> bool:
    return any(command == REG_EVENT for command, _ in emulator.requests)


def seen(punches: Sequence[Punch]) -> list[tuple[str, datetime]]:
    return [(p.user, datetime.fromtimestamp(p.at_device or 0, UTC).replace(tzinfo=None)) for p in punches]


def punched(emulator: ZkTerminal) -> list[tuple[str, datetime]]:
    return [(row.user.user_id, row.at) for row in emulator.log]


def fill(emulator: ZkTerminal, count: int, start: datetime = START) -> None:
    for n in range(count):
        emulator.punch(str(1000 + n % 7), start + timedelta(seconds=n))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("record_size", [8, 16, 40])
@pytest.mark.parametrize("count", [3, 1700])
async def test_every_logged_punch_reaches_the_outbox_once(transport: Any, record_size: Any, count: int) -> None:
    emulator = ZkTerminal("AEYU1", transport=transport, record_size=record_size, user_size=28)
    fill(emulator, count)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) >= count)
    assert seen(sink.punches) == punched(emulator)
    assert {p.terminal for p in sink.punches} == {"AEYU1"}


async def test_a_punch_carries_what_the_terminal_wrote_and_what_the_profile_says() -> None:
    emulator = ZkTerminal("AEYU1", record_size=16)
    emulator.punch("1000", START, verify=15, state=1, work_code=7)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 1)
    (punch,) = sink.punches
    assert (punch.direction, punch.method, punch.raw_codes) == (Direction.OUT, Method.FACE, (15, 1, 7))
    assert (punch.at, punch.utc_offset_s) == (int(START.replace(tzinfo=SHANGHAI).timestamp()) * 1000, 8 * 3600)
    assert (punch.native_seq, punch.seen_ms, punch.flags) == (1, 77, Flag(0))


@pytest.mark.parametrize(
    ("event_size", "record_size"), [(10, 8), (12, 16), (14, 8), (32, 40), (36, 40), (37, 40), (52, 40)]
)
async def test_a_punch_arrives_as_it_happens(event_size: int, record_size: Any) -> None:
    emulator = ZkTerminal("AEYU1", users=["1000"], record_size=record_size, event_size=event_size)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator, poll_s=60), sink):
        await until(lambda: listening(emulator) and emulator.requests[-1][0] == FREE_SIZES)
        started = time.monotonic()
        emulator.punch("1000", START)
        await until(lambda: len(sink.events) == 1)
        took_s = time.monotonic() - started
        await until(lambda: emulator.acknowledged == 1)
    (punch,) = sink.punches
    assert (punch.user, seen([punch])[0][1], punch.native_seq) == ("1000", START, None)
    assert punch.flags == Flag.REALTIME
    assert took_s < 0.5  # 0.1 s on a machine that does nothing else


async def test_rel09_a_punch_heard_and_then_read_counts_once() -> None:
    emulator = ZkTerminal("AEYU1", users=["1000"])
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: listening(emulator))
        emulator.punch("1000", START)
        await until(lambda: len(sink.events) == 1)
        emulator.faults.lose_realtime = 1
        emulator.punch("1000", START + timedelta(seconds=1))  # only the log knows this one
        await until(lambda: len(sink.events) == 2)
    assert (len(sink.events), sink.repeats) == (2, 1)


async def test_what_realtime_explains_does_not_lock_the_terminal_for_a_read() -> None:
    emulator = ZkTerminal("AEYU1", users=["1000"])
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: listening(emulator))
        reads = sum(command == DISABLE for command, _ in emulator.requests)
        emulator.punch("1000", START)
        polls = len(emulator.requests)
        await until(lambda: len(sink.events) == 1 and len(emulator.requests) > polls + 8)
        assert sum(command == DISABLE for command, _ in emulator.requests) == reads


async def test_an_unchanged_log_is_not_read_again() -> None:
    emulator = ZkTerminal("AEYU1")
    fill(emulator, 5)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(emulator.requests) > 40)
    assert sum(command == READ_BUFFERED for command, _ in emulator.requests) == 1


@pytest.mark.parametrize(("heard", "pause_s"), [(False, 24 * 3600), (True, 600)])
async def test_the_log_is_read_anyway_after_a_while(heard: bool, pause_s: int) -> None:
    ahead_ms = 0
    clocks = Clocks(system_clocks().wall_ms, lambda: system_clocks().mono_ms() + ahead_ms)
    emulator = ZkTerminal("AEYU1", users=["1000"])
    fill(emulator, 5)
    sink = RecordingSink()

    def reads() -> int:
        return sum(command == READ_BUFFERED for command, _ in emulator.requests)

    async with running(emulator), driven(configured(emulator), sink, clocks):
        await until(lambda: len(sink.events) == 5 and listening(emulator))
        if heard:
            emulator.punch("1000", START + timedelta(hours=1))
            await until(lambda: len(sink.events) == 6)
        ahead_ms += (pause_s - 60) * 1000
        polls = len(emulator.requests)
        await until(lambda: len(emulator.requests) > polls + 6)
        assert reads() == 1
        ahead_ms += 61_000
        await until(lambda: reads() == 2)


class CrashingSink(RecordingSink):
    """Commits the first slices and then refuses, as a disk that fills up."""

    crash_after = 2

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        self.refusing = self.crash_after == 0
        self.crash_after -= 1
        return await super().put(events, cursor)


async def test_rel01_cursor_after_commit() -> None:
    emulator = ZkTerminal("AEYU1")
    fill(emulator, 1700)
    sink = CrashingSink()
    async with running(emulator):
        (task,) = DRIVER.tasks([configured(emulator)], context(sink))
        with pytest.raises(RetryableError):
            await task.run()
        place = Place.decode(sink.cursors["zk4370:AEYU1"])
        assert place.number == len(sink.events) == 1000
        assert emulator.disabled is False

        other = RecordingSink(cursors=dict(sink.cursors))
        async with driven(configured(emulator), other):
            await until(lambda: len(other.events) >= 700)
    assert seen([*sink.punches, *other.punches]) == punched(emulator)


class WaitingSink(RecordingSink):
    """Commits only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_commit = asyncio.Event(), asyncio.Event()

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        self.asked.set()
        await self.may_commit.wait()
        return await super().put(events, cursor)


async def test_rel01_a_commit_that_waits_holds_the_cursor() -> None:
    emulator = ZkTerminal("AEYU1")
    fill(emulator, 3)
    sink = WaitingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await sink.asked.wait()
        assert await sink.cursor("zk4370:AEYU1") is None
        assert sink.events == []
        sink.may_commit.set()
        await until(lambda: len(sink.events) == 3 and bool(sink.cursors))


async def test_a_cleared_log_loses_nothing() -> None:
    emulator = ZkTerminal("AEYU1")
    fill(emulator, 40)
    before = punched(emulator)
    sink = RecordingSink()
    async with running(emulator):
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 40)
        emulator.clear_log()
        fill(emulator, 40, START + timedelta(days=1))
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 80)
    assert seen(sink.punches) == [*before, *punched(emulator)]


async def test_a_log_that_is_full_and_rolls_loses_nothing() -> None:
    emulator = ZkTerminal("AEYU1", log_capacity=100, realtime=False)
    sink, door = RecordingSink(), None
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            for batch in range(4):
                fill(emulator, 50, START + timedelta(minutes=batch))
                await until(lambda: len(sink.events) == emulator.emitted)
            await until(lambda: door.state.problem == "log_full")
    assert (len(sink.events), door.state.log_used, door.state.log_capacity) == (200, 100, 100)


async def test_punches_of_a_reset_clock_are_kept_flagged_and_told_apart() -> None:
    emulator = ZkTerminal("AEYU1", users=["1000"])
    sink = RecordingSink()
    reset = datetime(2000, 1, 1, 0, 5)
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            await until(lambda: listening(emulator))
            emulator.reset_clock()
            emulator.punch("1000", reset)
            await until(lambda: len(sink.events) == 1)
            emulator.punch("1000", reset)  # another day, the clock lost again
            await until(lambda: len(sink.events) == 2 and door.state.problem == "clock_reset")
    assert {p.flags for p in sink.punches} == {Flag.CLOCK_SUSPECT}
    assert [p.native_seq for p in sink.punches] == [1, 2]
    assert sink.repeats == 0


async def test_new_punches_with_older_times_are_not_skipped() -> None:
    emulator = ZkTerminal("AEYU1")
    fill(emulator, 20)
    sink = RecordingSink()
    async with running(emulator):
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 20)
        emulator.punch("1000", START - timedelta(days=400))
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 21)


async def test_a_record_the_terminal_repeats_counts_once() -> None:
    emulator = ZkTerminal("AEYU1")
    fill(emulator, 3)
    emulator.repeat_last()
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) + sink.repeats == 4)
    assert sink.repeats == 1


async def test_an_impossible_date_is_kept_as_damaged_and_the_rest_goes_on() -> None:
    emulator = ZkTerminal("AEYU1")
    fill(emulator, 1)
    february_31 = ((26 * 372 + 31 + 30) * 86400) + 9 * 3600
    emulator.punch_at_impossible_time("1000", february_31)
    fill(emulator, 1, START + timedelta(hours=1))
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 3)
    (damaged,) = sink.damaged
    assert (damaged.source, damaged.reason, len(damaged.raw)) == ("AEYU1", "bad_time", 40)
    assert damaged.raw[27:31] == february_31.to_bytes(4, "little")
    assert [p.native_seq for p in sink.punches] == [1, 3]


@pytest.mark.parametrize(
    "fault", ["drop_mid_chunk", "wrong_checksum", "silent", "garbage", "damage_data", "repeat_data"]
)
@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_rel25_terminal_faults(transport: Any, fault: str) -> None:
    emulator = ZkTerminal("AEYU1", transport=transport, idle_s=0.2)
    fill(emulator, 1000)
    sink = RecordingSink()
    setattr(emulator.faults, fault, 2)
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) >= 1000)
    assert seen(sink.punches) == punched(emulator)
    assert sink.repeats == 0
    assert emulator.disabled is False


class Meddled(ZkTerminal):
    """Lets the test act between two requests: ``before`` is called with the command that is about to be answered."""

    before: Callable[[int], None] = staticmethod(lambda _command: None)

    def receive(self, peer: Any, payload: bytes) -> None:
        self.before(int.from_bytes(payload[:2], "little"))
        super().receive(peer, payload)


async def test_rel25_answers_that_come_twice_are_not_taken_for_the_next() -> None:
    class Stuttering(ZkTerminal):
        def _send(self, session: Any, packet: bytes) -> None:
            super()._send(session, packet)
            super()._send(session, packet)

    emulator = Stuttering("AEYU1", transport="udp")
    fill(emulator, 10)
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            await until(lambda: len(sink.events) == 10 and door.state.log_used == 10)
    assert emulator.sessions == 1


async def test_rel25_punches_between_the_block_and_its_count_do_not_shift_the_layout() -> None:
    emulator = Meddled("AEYU1", record_size=16, realtime=False)
    fill(emulator, 5)  # 80 bytes; as many again and the counter would explain records of 8

    def meddle(command: int) -> None:
        if command == FREE_SIZES and emulator.requests[-1][0] == READ_BUFFERED and len(emulator.log) == 5:
            fill(emulator, 5, START + timedelta(hours=1))

    emulator.before = meddle
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) >= 10)
    assert seen(sink.punches) == punched(emulator)


async def test_a_punch_that_comes_during_a_poll_needs_no_read_of_the_log() -> None:
    emulator = Meddled("AEYU1", users=["1000"])
    sink = RecordingSink()

    def meddle(command: int) -> None:
        if command == FREE_SIZES and listening(emulator) and not emulator.log:
            emulator.punch("1000", START)

    emulator.before = meddle
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: bool(emulator.log))
        reads = sum(command == DISABLE for command, _ in emulator.requests)
        polls = len(emulator.requests)
        await until(lambda: len(sink.events) == 1 and len(emulator.requests) > polls + 8)
    assert sum(command == DISABLE for command, _ in emulator.requests) == reads == 1


async def test_rel25_packets_in_pieces() -> None:
    emulator = ZkTerminal("AEYU1", pieces=7, inline_limit=400)
    fill(emulator, 300)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 300)


async def test_rel25_a_reboot_in_the_middle() -> None:
    emulator = ZkTerminal("AEYU1")
    fill(emulator, 10)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 10)
        await emulator.reboot()
        fill(emulator, 10, START + timedelta(hours=1))
        await until(lambda: len(sink.events) == 20)


async def test_rel25_two_gateways_at_one_terminal_take_turns() -> None:
    emulator = ZkTerminal("AEYU1", second_session="kick")
    fill(emulator, 10)
    one, two = RecordingSink(), RecordingSink()
    async with running(emulator), driven(configured(emulator), one), driven(configured(emulator), two):
        await until(lambda: len(one.events) == len(two.events) == 10)


async def test_a_terminal_left_locked_by_a_dead_client_is_enabled_first() -> None:
    emulator = ZkTerminal("AEYU1")
    emulator.disabled = True
    async with running(emulator), driven(configured(emulator), RecordingSink()):
        await until(lambda: emulator.sessions == 1 and not emulator.disabled)
        commands = [command for command, _ in emulator.requests]
        assert ENABLE in commands
        assert DISABLE not in commands[: commands.index(ENABLE)]


async def test_rel31_shutdown_in_the_middle_of_a_read_leaves_the_terminal_enabled() -> None:
    emulator = ZkTerminal("AEYU1", pieces=400, piece_delay_s=0.01)
    fill(emulator, 5000)
    async with running(emulator):
        async with driven(configured(emulator), RecordingSink()):
            await until(lambda: emulator.disabled)
            started = time.monotonic()
        assert time.monotonic() - started < 4
        await until(lambda: not emulator.disabled)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_the_right_key_opens(transport: Any, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("123456\n")
    emulator = ZkTerminal("AEYU1", key=123456, transport=transport)
    fill(emulator, 2)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator, key_file=key_file), sink):
        await until(lambda: len(sink.events) == 2)


@pytest.mark.parametrize("given", [None, "4711"])
async def test_a_wrong_key_stops_at_once_and_says_what_to_do(given: str | None, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(given or "")
    emulator = ZkTerminal("AEYU1", key=123456)
    async with running(emulator):
        door = configured(emulator, key_file=key_file if given else None)
        (task,) = DRIVER.tasks([door], context(RecordingSink()))
        with pytest.raises(ConfigError, match="refuses the communication key") as caught:
            await task.run()
    assert "4711" not in str(caught.value)
    assert door.state.state == "config_error"
    assert [command for command, _ in emulator.requests].count(1102) == 1


async def test_a_key_that_gets_no_answer_is_not_called_wrong(tmp_path: Path) -> None:
    class Hesitating(ZkTerminal):
        def receive(self, peer: Any, payload: bytes) -> None:
            if payload[:2] != (1102).to_bytes(2, "little"):
                super().receive(peer, payload)

    key_file = tmp_path / "key"
    key_file.write_text("123456")
    async with running(Hesitating("AEYU1", key=123456)) as emulator:
        (task,) = DRIVER.tasks([configured(emulator, key_file=key_file)], context(RecordingSink()))
        with pytest.raises(RetryableError, match="no answer within 1 s"):
            await task.run()


@pytest.mark.parametrize("text", ["", "abc", "1000000", "-1", "12 34"])
def test_a_key_file_without_a_key_is_a_setting_to_change(text: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(ConfigError, match="0 to 999999"):
        read_key(path)


async def test_no_terminal_there_is_retryable() -> None:
    emulator = ZkTerminal("AEYU1")
    async with running(emulator):
        door = configured(emulator)
    (task,) = DRIVER.tasks([door], context(RecordingSink()))
    with pytest.raises(RetryableError, match="check power"):
        await task.run()
    assert door.state.state == "offline"


async def test_the_encrypted_variant_is_refused_in_plain_words() -> None:
    async def encrypted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(16)
        writer.write(bytes.fromhex("5050837c08000000d007000000000000"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(encrypted, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        door = terminal(TerminalConfig(name="door", profile=PROFILE, host="127.0.0.1", port=port))
        (task,) = DRIVER.tasks([door], context(RecordingSink()))
        with pytest.raises(ConfigError, match="encrypt"):
            await task.run()


async def test_the_state_tells_it_what_the_terminal_is_and_how_full() -> None:
    emulator = ZkTerminal("AEYU1", users=["7", "8"], log_capacity=500, firmware="Ver 6.60 May 18 2018")
    fill(emulator, 3)
    emulator.clock_offset = timedelta(seconds=95)
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, RecordingSink()):
            await until(lambda: door.state.state == "online")
        state = door.state
    assert (state.serial, state.firmware) == ("AEYU1", "Ver 6.60 May 18 2018")
    assert (state.users, state.log_used, state.log_capacity) == (5, 3, 500)
    assert state.drift_ms == pytest.approx(95_000, abs=700)
    assert state.problem == "clock_drift"
    assert state.last_event_ms == int(START.replace(tzinfo=SHANGHAI).timestamp() + 2) * 1000


async def test_punches_carry_the_drift_of_their_poll() -> None:
    emulator = ZkTerminal("AEYU1")
    emulator.clock_offset = timedelta(seconds=-40)
    fill(emulator, 1)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 1)
    assert sink.punches[0].drift_ms == pytest.approx(-40_000, abs=700)


async def test_a_terminal_that_knows_no_serial_goes_by_its_configured_name() -> None:
    emulator = ZkTerminal("AEYU1", options={})
    del emulator.options["~SerialNumber"]
    fill(emulator, 1)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 1)
    assert sink.punches[0].terminal == "door"


async def test_somebody_deleted_keeps_the_punches_and_is_taken_for_nobody_else() -> None:
    emulator = ZkTerminal("AEYU1", users=[ZkUser(5, "1005"), ZkUser(6, "5"), ZkUser(9, "9")], record_size=8)
    for user in ("1005", "5", "9"):
        emulator.punch(user, START)
    emulator.remove("1005")
    emulator.remove("9")
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 3)
    assert [p.user for p in sink.punches] == ["uid:5", "5", "9"]


async def test_the_build_that_delivers_no_realtime_is_not_asked_for_it() -> None:
    emulator = ZkTerminal("AEYU1", transport="udp", record_size=8, user_size=28)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator, "zkteco/iclock260-6.4.1"), sink):
        await until(lambda: len(emulator.requests) > 20)
        emulator.punch("1000", START)
        await until(lambda: len(sink.events) == 1)
    assert not listening(emulator)


async def test_sec11_no_biometrics() -> None:
    emulator = ZkTerminal(
        "AEYU1", users=[ZkUser(1, "1000", "Wang Wei", password="1234", card=9_876_543)], record_size=8
    )
    emulator.punch("1000", START)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 1 and listening(emulator))
        await until(lambda: len(emulator.requests) > 30)
    asked = set(emulator.requests)
    tables = {data[1:3] for command, data in asked if command == READ_BUFFERED}
    assert tables == {b"\x0d\x00", b"\x09\x00"}  # the log, and the users whose numbers its short records need
    assert {command for command, _ in asked} <= {2000, 1000, 1001, 1002, 1003, 11, 1100, 50, 201, 1503, 60, 62, 500}
    for secret in (FINGER_TEMPLATE, b"Wang Wei", b"1234"):
        assert secret not in bytes(sink.raw)


def test_settings_that_can_not_work_are_named() -> None:
    with pytest.raises(ConfigError, match="host"):
        DRIVER.tasks([terminal(TerminalConfig(name="door", profile=PROFILE))], context(RecordingSink()))
