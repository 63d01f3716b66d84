"""The driver against an emulated terminal: what reaches the outbox, whatever the terminal does meanwhile."""

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

from emulators.hanvon import FACE_DATA, PHOTO, HanvonTerminal, HanvonUser
from gateway.config import TerminalConfig
from gateway.device import Ability, Decoder, Device, DeviceUser, Finder, Manager
from gateway.driver import Cursor, DriverContext, Stored, Terminal
from gateway.drivers.hanvon import codec, device, driver
from gateway.drivers.hanvon.driver import DRIVER
from gateway.drivers.hanvon.place import Place
from shared.clock import Clocks, device_seconds, system_clocks
from shared.errors import ConfigError, RetryableError
from shared.keys import Event
from shared.punch import Direction, Flag, Method, Punch
from tests.support.recording_sink import RecordingSink, terminal, until

PROFILE = "hanvon/f710"
SERIAL = "6710000000000001"
KEY = f"hanvon:{SERIAL}"
NOW = datetime(2026, 11, 23, 20, 0, 0)
"""Of the terminal, in Shanghai; both clocks stand still."""
TODAY = datetime(2026, 11, 23, 0, 5, 0)


@pytest.fixture(autouse=True)
def few_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads of everything ask for 10 days one by one, not for 400."""
    monkeypatch.setattr(driver, "BUSINESS_DAYS", 10)
    monkeypatch.setattr(device, "BUSINESS_DAYS", 10)


def hanvon(serial: str = SERIAL, **settings: Any) -> HanvonTerminal:
    return HanvonTerminal(serial, now=lambda zone: NOW.replace(tzinfo=zone), **settings)


def still_clocks() -> Clocks:
    return Clocks(lambda: (device_seconds(NOW) - 8 * 3600) * 1000, system_clocks().mono_ms)


def configured(emulator: HanvonTerminal, profile: str = PROFILE, **settings: Any) -> Terminal:
    config = TerminalConfig(
        **{"name": "door", "profile": profile, "host": emulator.host, "port": emulator.port, "poll_s": 0.05, **settings}
    )
    plain = terminal(config)
    facts = msgspec.structs.replace(plain.profile.link, timeout_s=0.5)
    return replace(plain, profile=msgspec.structs.replace(plain.profile, link=facts))


def context(sink: Any, clocks: Clocks | None = None) -> DriverContext:
    return DriverContext(sink, clocks or still_clocks(), lambda: 77)


@asynccontextmanager
async def running(emulator: HanvonTerminal) -> AsyncIterator[HanvonTerminal]:
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
async def opened(emulator: HanvonTerminal, **settings: Any) -> AsyncIterator[Device]:
    async with DRIVER.open(configured(emulator, **settings), still_clocks()) as device:
        yield device


def seen(punches: Sequence[Punch]) -> list[tuple[str, datetime]]:
    return [(p.user, datetime.fromtimestamp(p.at_device or 0, UTC).replace(tzinfo=None)) for p in punches]


def punched(emulator: HanvonTerminal) -> list[tuple[str, datetime]]:
    return [(row.user, row.at) for row in emulator.log if row.text is None]


def fill(emulator: HanvonTerminal, count: int, start: datetime = TODAY) -> None:
    for n in range(count):
        emulator.punch(str(1000 + n % 7), start + timedelta(seconds=n))


def reads(emulator: HanvonTerminal) -> int:
    return sum(text.startswith("GetDeviceInfo") for text in emulator.requests)


async def after_polls(emulator: HanvonTerminal, times: int = 2) -> None:
    goal = reads(emulator) + times
    await until(lambda: reads(emulator) >= goal)


def finished(sink: RecordingSink) -> bool:
    """Everything was read once."""
    return KEY in sink.cursors and Place.decode(sink.cursors[KEY]).full_ms > 0


@pytest.mark.parametrize("key", ["", "2026"])
@pytest.mark.parametrize("count", [0, 3, 1203])
async def test_every_logged_punch_reaches_the_outbox_once(count: int, key: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{key}\n")
    emulator = hanvon(key=key, counters=False)
    fill(emulator, count)
    fill(emulator, count // 3, TODAY - timedelta(days=3, hours=4))
    fill(emulator, count // 3, TODAY - timedelta(days=700))
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator, key_file=tmp_path / "key" if key else None)
        async with driven(door, sink):
            await until(lambda: finished(sink) and len(sink.events) == len(emulator.log))
            await after_polls(emulator)
    assert sorted(seen(sink.punches)) == sorted(punched(emulator))
    assert {p.terminal for p in sink.punches} <= {SERIAL}
    assert max((events for events, _ in sink.puts), default=0) <= 500


async def test_a_punch_carries_what_the_terminal_wrote_and_what_the_profile_says() -> None:
    emulator = hanvon()
    emulator.punch("007", TODAY, state=2)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 1)
    (punch,) = sink.punches
    assert (punch.user, punch.direction, punch.method) == ("007", Direction.OUT, Method.FACE)
    assert (punch.raw_codes, punch.flags) == ((2, 0), Flag.DIRECTION_FROM_PROFILE)
    assert punch.at == (device_seconds(TODAY) - 8 * 3600) * 1000
    assert (punch.native_seq, punch.seen_ms) == (None, 77)


async def test_later_reads_ask_only_for_what_may_be_new() -> None:
    emulator = hanvon()
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: finished(sink))
        await after_polls(emulator)
        before = len(emulator.requests)
        emulator.punch("9")
        await until(lambda: len(sink.events) == 1)
        await after_polls(emulator, 3)
        asked = [text for text in emulator.requests[before:] if text.startswith("GetRecord")]
    assert len(asked) <= 3 * 5
    assert all("start_time" in text and "end_time" in text for text in asked)
    assert sink.repeats > 0  # the overlap brings it again, and it counts once


async def test_each_day_is_asked_for_alone() -> None:
    emulator = hanvon()
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: finished(sink))
    asked = [text for text in emulator.requests if text.startswith("GetRecord")]
    bounded = [text for text in asked if "start_time" in text and "end_time" in text]
    assert len(asked) >= 12
    assert len([text for text in asked if "start_time" not in text]) == 1
    assert all(text.split('"')[1].split()[0] == text.split('"')[3].split()[0] for text in bounded)


class CrashingSink(RecordingSink):
    """Commits the first slices and then refuses, as a disk that fills up."""

    crash_after = 100

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        self.refusing = bool(events) and self.crash_after == 0
        self.crash_after -= bool(events)
        return await super().put(events, cursor)


async def test_rel01_cursor_after_commit() -> None:
    emulator = hanvon()
    yesterday = TODAY - timedelta(days=1)
    fill(emulator, 1700, yesterday)
    sink = CrashingSink()
    sink.crash_after = 2
    async with running(emulator):
        (task,) = DRIVER.tasks([configured(emulator)], context(sink))
        with pytest.raises(RetryableError):
            await task.run()
        assert len(sink.events) == 1000
        place = Place.decode(sink.cursors[KEY])
        assert place.until is not None
        assert place.until < device_seconds(yesterday)  # a day half stored does not move the place into it
        assert place.full_ms == 0
        sink.crash_after = 1000
        async with driven(configured(emulator), sink):
            await until(lambda: len(sink.events) == 1700)
    assert seen(sink.punches) == punched(emulator)


class WaitingSink(RecordingSink):
    """Commits punches only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_commit = asyncio.Event(), asyncio.Event()

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        if events:
            self.asked.set()
            await self.may_commit.wait()
        return await super().put(events, cursor)


async def test_rel01_a_commit_that_waits_holds_the_cursor() -> None:
    emulator = hanvon()
    fill(emulator, 3)
    sink = WaitingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await sink.asked.wait()
        held = Place.decode(sink.cursors.get(KEY))
        assert held.until is None or held.until < device_seconds(TODAY)
        sink.may_commit.set()
        await until(lambda: len(sink.events) == 3 and finished(sink))


async def test_a_wait_gives_the_terminal_more_time() -> None:
    emulator = hanvon(wait_s=0.8)  # longer than the 0.5 s that an answer may take
    fill(emulator, 3)
    emulator.faults.wait = 1
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 3)
    assert emulator.requests[0].startswith("GetDeviceInfo")
    assert sum(text.startswith("GetDeviceInfo") for text in emulator.requests[:3]) == 1


@pytest.mark.parametrize("fault", ["busy", "silent", "garbage", "truncated", "stalled", "doubled", "wait"])
async def test_rel25_a_fault_on_the_way_loses_nothing_and_repeats_nothing(fault: str) -> None:
    emulator = hanvon()
    fill(emulator, 70)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 70 and finished(sink))
        fill(emulator, 40, NOW)
        setattr(emulator.faults, fault, 3)
        await until(lambda: getattr(emulator.faults, fault) == 0 and len(sink.events) == 110)
        await after_polls(emulator)
    assert sorted(seen(sink.punches)) == sorted(punched(emulator))
    assert sink.damaged == []


@pytest.mark.parametrize("pieces", [1, 7, 100])
async def test_rel25_answers_may_be_cut_anywhere(pieces: int, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("12345678")
    emulator = hanvon(key="12345678", pieces=pieces, users=[HanvonUser("1000", "王(伟)")])
    fill(emulator, 10)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator, key_file=tmp_path / "key"), sink):
        await until(lambda: len(sink.events) == 10)


async def test_rel25_a_drip_that_stops_is_cut_off() -> None:
    emulator = hanvon()
    emulator.faults.stalled = 1
    async with running(emulator):
        door = configured(emulator)
        (task,) = DRIVER.tasks([door], context(RecordingSink()))
        with pytest.raises(RetryableError, match="unfinished"):
            async with asyncio.timeout(5):
                await task.run()
    assert door.state.state == "offline"


async def test_rel25_a_reboot_is_survived() -> None:
    emulator = hanvon()
    fill(emulator, 30)
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            await until(lambda: len(sink.events) == 30)
            await emulator.stop()
            await until(lambda: door.state.state == "offline")
            fill(emulator, 5, NOW)
            await emulator.start()
            await until(lambda: len(sink.events) == 35)


async def test_rel25_two_gateways_take_turns_and_store_the_same_keys() -> None:
    emulator = hanvon()
    fill(emulator, 30)
    sinks = RecordingSink(), RecordingSink()
    async with running(emulator):
        doors = [configured(emulator, name=name) for name in ("a", "b")]
        async with driven(doors[0], sinks[0]), driven(doors[1], sinks[1]):
            await until(lambda: all(len(sink.events) == 30 for sink in sinks))
    assert sinks[0].keys == sinks[1].keys


async def test_a_cleared_log_loses_nothing() -> None:
    emulator = hanvon()
    fill(emulator, 40)
    before = punched(emulator)
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 40)
        emulator.clear_log()
        fill(emulator, 30, NOW)
        await until(lambda: len(sink.events) == 70)
    assert sorted(seen(sink.punches)) == sorted([*before, *punched(emulator)])


@pytest.mark.parametrize("days", [-400, -3, 3, 20000])
async def test_rel25_a_clock_that_is_turned_loses_nothing(days: int) -> None:
    emulator = hanvon()
    emulator.punch("1")
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            await until(lambda: len(sink.events) == 1 and finished(sink))
            emulator.clock_offset = timedelta(days=days)
            emulator.punch("2")
            await until(lambda: len(sink.events) == 2)
            await until(lambda: door.state.problem == "clock_drift")
            emulator.clock_offset = timedelta(0)
            emulator.punch("3")
            await until(lambda: len(sink.events) == 3 and door.state.problem is None)
    assert [p.user for p in sink.punches] == ["1", "2", "3"]


async def test_punches_of_a_reset_clock_are_kept_and_flagged() -> None:
    emulator = hanvon()
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator)
        async with driven(door, sink):
            await until(lambda: finished(sink))
            emulator.set_clock(datetime(2009, 1, 1))
            emulator.punch("9")
            await until(lambda: len(sink.events) == 1 and door.state.problem == "clock_reset")
    assert sink.punches[0].flags & Flag.CLOCK_SUSPECT


async def test_everything_is_read_again_once_a_day() -> None:
    ahead_ms = 0
    clocks = Clocks(lambda: still_clocks().wall_ms() + ahead_ms, system_clocks().mono_ms)
    emulator = hanvon()
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink, clocks):
        await until(lambda: finished(sink))
        await after_polls(emulator)
        emulator.punch("5", TODAY - timedelta(days=5))  # set back, punched, set right again while nobody asked
        await after_polls(emulator, 3)
        assert sink.events == []
        ahead_ms = 24 * 3600 * 1000
        await until(lambda: len(sink.events) == 1)


async def test_a_row_that_is_no_punch_is_kept_once() -> None:
    emulator = hanvon(users=[HanvonUser("7", "WANG")])
    emulator.punch_at_impossible_time("7", "2026-13-1 0:0:0")
    emulator.punch("8")
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: finished(sink))
        await after_polls(emulator, 3)
    (row,) = sink.damaged
    assert (row.source, row.reason) == (SERIAL, "bad_time")
    assert b"2026-13-1" in row.raw
    assert [p.user for p in sink.punches] == ["8"]


async def test_a_day_with_too_many_rows_is_asked_for_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "FIELD_LIMIT", 400)
    emulator = hanvon()
    for n in range(100):  # 900 fields, over four hours
        emulator.punch("9", TODAY - timedelta(days=2) + timedelta(minutes=3 * n))
    sink = RecordingSink()
    async with running(emulator), driven(configured(emulator), sink):
        await until(lambda: len(sink.events) == 100 and finished(sink))
    assert seen(sink.punches) == punched(emulator)


async def test_the_state_says_what_the_terminal_says() -> None:
    emulator = hanvon(users=["1", "2"], log_capacity=5)
    fill(emulator, 4)
    sink = RecordingSink()
    async with running(emulator):
        door = configured(emulator, serial=SERIAL)
        async with driven(door, sink):
            await until(lambda: door.state.state == "online")
            state = door.state
            assert (state.serial, state.firmware, state.users) == (SERIAL, "3.006.089", 2)
            assert (state.log_used, state.log_capacity) == (4, 5)
            assert state.drift_ms == 500  # half of the second that the terminal does not show
            fill(emulator, 1, NOW)
            await until(lambda: door.state.problem == "log_full")


async def test_a_log_that_is_almost_full_is_told_and_another_serial_too() -> None:
    emulator = hanvon(log_capacity=20)
    fill(emulator, 18)
    other = hanvon("0000", counters=False)
    async with running(emulator), running(other):
        full, strange = configured(emulator), configured(other, serial="1")
        async with driven(full, RecordingSink()), driven(strange, RecordingSink()):
            await until(lambda: full.state.problem == "log_almost_full")
            await until(lambda: strange.state.state == "online")
    assert strange.state.serial == "1"  # 0000 is no serial number: the configured one stands in


async def test_a_wrong_key_parks_the_terminal_and_is_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "key").write_text("87654321")
    emulator = hanvon(key="2026")
    async with running(emulator):
        door = configured(emulator, key_file=tmp_path / "key")
        (task,) = DRIVER.tasks([door], context(RecordingSink()))
        with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError, match="communication key is wrong") as refusal:
            await task.run()
    assert (door.state.state, door.state.problem) == ("config_error", "refused")
    assert "87654321" not in str(refusal.value) + caplog.text


@pytest.mark.parametrize("text", ["", "abc", "123456789", "12 34"])
def test_a_key_file_without_a_key_is_refused_without_repeating_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(ConfigError, match="1 to 8 digits"):
        DRIVER.tasks([configured(hanvon(), key_file=tmp_path / "key")], context(RecordingSink()))


def test_a_terminal_without_address_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="set `host`"):
        DRIVER.tasks([configured(hanvon(), host=None)], context(RecordingSink()))


async def test_sec11_no_biometrics(caplog: pytest.LogCaptureFixture) -> None:
    """Templates, photos, names and numbers of identity cards go no further than the codec."""
    emulator = hanvon(users=[HanvonUser("1000", "WANG WEI")], photos=True)
    fill(emulator, 20)
    emulator.punch_at_impossible_time("1000", "never")
    sink = RecordingSink()
    async with running(emulator):
        with caplog.at_level(logging.DEBUG):
            async with driven(configured(emulator), sink):
                await until(lambda: finished(sink) and len(sink.events) == 21)
        async with opened(emulator) as opened_device:
            shown = repr([await opened_device.info(), await opened_device.users()]) + caplog.text
    for secret in (FACE_DATA[:40], PHOTO[:40], "110101199003070000"):
        assert secret not in shown
        assert secret.encode() not in sink.raw
    assert b"WANG" not in sink.raw
    assert not any(text.startswith(("GetEmployee", "GetNetInfo")) for text in emulator.requests[:15])


# What a person can ask of one terminal


async def test_the_driver_is_manager_decoder_and_finder() -> None:
    assert isinstance(DRIVER, Manager)
    assert isinstance(DRIVER, Decoder)
    assert isinstance(DRIVER, Finder)
    assert DRIVER.abilities == frozenset(Ability)
    assert DRIVER.ports == (9922,)


async def test_info_says_what_the_terminal_says_absurd_counters_too() -> None:
    emulator = hanvon(users=["1", "2"])
    fill(emulator, 3)
    async with running(emulator), opened(emulator) as device:
        info = await device.info()
    assert (info.serial, info.firmware) == (SERIAL, "3.006.089")
    assert (info.users, info.user_capacity, info.log_used, info.log_capacity) == (2, 3000, 3, 100_000)
    assert (info.facts["photos"], info.facts["max_photos"]) == ("4294967", "100")


async def test_the_clock_is_shown_and_set() -> None:
    emulator = hanvon()
    emulator.clock_offset = timedelta(hours=1)
    async with running(emulator), opened(emulator) as device:
        assert (await device.clock()).drift_ms == 3_600_500
        await device.set_clock(datetime(2026, 11, 23, 9, 0, 0))
        assert (await device.clock()).wall == datetime(2026, 11, 23, 9, 0, 0)
    assert 'SetDeviceInfo(time="2026-11-23 9:0:0" week="1")' in emulator.requests


@pytest.mark.parametrize("quotes", ['""', "“”"])
async def test_users_are_listed_by_number_without_their_faces(quotes: str) -> None:
    people = [HanvonUser("10", "王伟", "0X12345678"), HanvonUser("9", "LI (B)")]
    emulator = hanvon(users=people, quotes=quotes)
    async with running(emulator), opened(emulator) as device:
        users = await device.users()
    assert users == [DeviceUser("9", "LI (B)"), DeviceUser("10", "王伟", "0X12345678")]


async def test_put_user_adds_and_renames_and_leaves_faces_alone() -> None:
    emulator = hanvon(users=[HanvonUser("5", "OLD", "0X77")])
    async with running(emulator), opened(emulator) as device:
        await device.put_user(DeviceUser("5", "王伟"))
        await device.put_user(DeviceUser("6", "ADDED", "0X88"))
        changes = len([text for text in emulator.requests if text.startswith("Set")])
        await device.put_user(DeviceUser("6", "ADDED", "0X88"))
    assert emulator.users["5"] == HanvonUser("5", "王伟", "0X77", faces=18)
    assert emulator.users["6"] == HanvonUser("6", "ADDED", "0X88", faces=0)
    assert changes == len([text for text in emulator.requests if text.startswith("Set")]) == 2


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (DeviceUser("A7"), "digits"),
        (DeviceUser("5", "FIVE", enabled=False), "no disabled users"),
        (DeviceUser("5", "FIVE", "0X99"), "overwrite his face"),
    ],
)
async def test_a_user_that_the_terminal_can_not_take_is_refused_with_the_reason(user: DeviceUser, said: str) -> None:
    emulator = hanvon(users=[HanvonUser("5", "FIVE", "0X77")])
    async with running(emulator), opened(emulator) as device:
        with pytest.raises(ConfigError, match=said):
            await device.put_user(user)
    assert emulator.users == {"5": HanvonUser("5", "FIVE", "0X77")}


@pytest.mark.parametrize(("number", "said"), [("5", "shows the name"), ("6", "did not add")])
async def test_success_is_not_believed_until_it_is_seen(number: str, said: str) -> None:
    emulator = hanvon(users=[HanvonUser("5", "FIVE")])
    emulator.faults.lying = 1
    async with running(emulator), opened(emulator) as device:
        with pytest.raises(ConfigError, match=said):
            await device.put_user(DeviceUser(number, "NEW"))


async def test_the_log_is_read_on_request() -> None:
    emulator = hanvon()
    fill(emulator, 30, TODAY - timedelta(days=500))
    fill(emulator, 30)
    async with running(emulator), opened(emulator) as device:
        events = [event async for event in device.log()]
    assert seen([event for event in events if isinstance(event, Punch)]) == punched(emulator)


async def test_watch_shows_punches_as_they_appear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "WATCH_S", 0.02)
    emulator = hanvon()
    emulator.punch("8", TODAY - timedelta(days=1))
    async with running(emulator), opened(emulator) as opened_device:
        coming = asyncio.ensure_future(anext(opened_device.watch()))
        await after_polls(emulator)
        emulator.punch("9")
        event = await coming
    assert isinstance(event, Punch)
    assert event.user == "9"


async def test_identify_knows_its_own_and_nobody_else() -> None:
    async def stranger(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    other = await asyncio.start_server(stranger, "127.0.0.1", 0)
    emulator = hanvon()
    async with running(emulator), other:
        found = await DRIVER.identify("127.0.0.1", emulator.port)
        nobody = await DRIVER.identify("127.0.0.1", other.sockets[0].getsockname()[1])
        closed = await DRIVER.identify("127.0.0.1", 1)
    assert found is not None
    assert (found.serial, found.firmware) == (SERIAL, "3.006.089")
    assert (nobody, closed) == (None, None)
