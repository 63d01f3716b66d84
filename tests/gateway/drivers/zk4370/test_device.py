"""What a person asks of a ZK terminal, what captures say, and what a recording must not hold."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from emulators.zk4370 import FINGER_TEMPLATE, ZkTerminal, ZkUser
from gateway.config import TerminalConfig
from gateway.device import Decoder, Device, DeviceUser, Finder, Manager, Recorder
from gateway.drivers.zk4370 import codec
from gateway.drivers.zk4370.driver import DRIVER
from gateway.profile import load_profile
from shared.clock import from_ms, system_clocks
from shared.errors import ConfigError, DataError, RetryableError
from shared.punch import Punch
from tests.support.recording_sink import terminal, until

CAPTURES = Path(__file__).parents[3] / "captures" / "zk4370"
SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 23, 8, 59, 1)
K40 = load_profile("zkteco/k40")


def packets(path: Path) -> bytes:
    lines = path.read_text().splitlines()
    return b"".join(bytes.fromhex(line.lstrip("<> ")) for line in lines if line and not line.startswith("#"))


@asynccontextmanager
async def opened(**how: Any) -> AsyncIterator[tuple[ZkTerminal, Device]]:
    emulator = ZkTerminal("SN1", **how)
    await emulator.start()
    try:
        config = TerminalConfig(name="door", profile="zkteco/k40", host=emulator.host, port=emulator.port)
        async with DRIVER.open(terminal(config), system_clocks()) as device:
            yield emulator, device
    finally:
        await emulator.stop()


def test_the_driver_has_every_face() -> None:
    assert isinstance(DRIVER, Manager)
    assert isinstance(DRIVER, Decoder)
    assert isinstance(DRIVER, Finder)
    assert isinstance(DRIVER, Recorder)


async def test_it_tells_about_itself_and_leaves_the_session_free() -> None:
    async with opened(users=["1", "2"], log_capacity=1000) as (emulator, device):
        emulator.punch("1", START)
        info = await device.info()
    assert (info.serial, info.model, info.firmware) == ("SN1", "K40/ID", "Ver 6.60 Apr 26 2016")
    assert (info.users, info.user_capacity, info.log_used, info.log_capacity) == (2, 3000, 1, 1000)
    assert emulator.requests[-1][0] == codec.EXIT
    assert not emulator.disabled


async def test_its_clock_is_read_and_set() -> None:
    async with opened() as (emulator, device):
        emulator.clock_offset = timedelta(hours=1)
        assert (await device.clock()).drift_ms == pytest.approx(3_600_000, abs=1500)
        await device.set_clock(from_ms(system_clocks().wall_ms()).astimezone(SHANGHAI).replace(tzinfo=None))
        assert (await device.clock()).drift_ms == pytest.approx(0, abs=1500)


@pytest.mark.parametrize("user_size", [28, 72])
async def test_a_changed_user_keeps_password_and_rights(user_size: Any) -> None:
    boss = ZkUser(7, "1000", "WANG", privilege=14, card=123456, password="1234")
    async with opened(users=[boss], user_size=user_size) as (emulator, device):
        assert await device.users() == [DeviceUser("1000", "WANG", "123456")]
        await device.put_user(DeviceUser("1000", "LI", "77", enabled=False))
        await device.put_user(DeviceUser("1001", "ZHAO"))
        assert await device.users() == [DeviceUser("1000", "LI", "77", enabled=False), DeviceUser("1001", "ZHAO")]
    assert emulator.users["1000"] == ZkUser(7, "1000", "LI", privilege=15, card=77, password="1234")
    assert emulator.users["1001"].uid == 8


@pytest.mark.parametrize(
    "user",
    [DeviceUser("1", "N" * 25), DeviceUser("1", card="x"), DeviceUser("1", card=str(1 << 32)), DeviceUser("9" * 24)],
)
async def test_a_user_that_does_not_fit_is_refused_and_nothing_written(user: DeviceUser) -> None:
    async with opened(users=["1"]) as (emulator, device):
        with pytest.raises(ConfigError):
            await device.put_user(user)
        assert emulator.users["1"].name == "User 1"


async def test_the_log_is_read_and_punches_are_watched() -> None:
    async with opened(users=["1"]) as (emulator, device):
        emulator.punch("1", START)
        assert [(e.user, e.native_seq) async for e in device.log() if isinstance(e, Punch)] == [("1", 1)]
        watching = device.watch()
        first = asyncio.ensure_future(anext(watching))
        await until(lambda: any(command == codec.EVENT for command, _ in emulator.requests))
        emulator.punch("1", START + timedelta(minutes=1))
        punch = await asyncio.wait_for(first, 5)
        assert isinstance(punch, Punch)
        assert punch.at == 1795395601000
        await watching.aclose()  # type: ignore[attr-defined]


async def test_a_firmware_without_realtime_says_so() -> None:
    emulator = ZkTerminal("SN1")
    await emulator.start()
    config = TerminalConfig(name="door", profile="zkteco/iclock260-6.4.1", host=emulator.host, port=emulator.port)
    plain = terminal(config)
    tcp = replace(
        plain, profile=structs.replace(plain.profile, link=structs.replace(plain.profile.link, transport="tcp"))
    )
    async with DRIVER.open(tcp, system_clocks()) as device:
        with pytest.raises(ConfigError, match="does not report"):
            await anext(device.watch())
    await emulator.stop()


async def test_a_wrong_key_and_a_silent_terminal_are_told_apart() -> None:
    with pytest.raises(ConfigError, match="communication key"):
        async with opened(key=123):
            pass
    config = TerminalConfig(name="door", profile="zkteco/k40", host="127.0.0.1", port=1)
    with pytest.raises(RetryableError):
        async with DRIVER.open(terminal(config), system_clocks()):
            pass


async def test_it_is_recognised_without_a_key() -> None:
    emulator = ZkTerminal("SN1")
    await emulator.start()
    info = await DRIVER.identify(emulator.host, emulator.port)
    assert info is not None
    assert (info.serial, info.model) == ("SN1", "K40/ID")
    emulator.key = 5
    info = await DRIVER.identify(emulator.host, emulator.port)
    assert info is not None
    assert info.facts == {"key": "wanted"}
    await emulator.stop()
    assert await DRIVER.identify(emulator.host, emulator.port) is None


def test_the_worked_example_decodes_to_the_json_beside_it() -> None:
    told = DRIVER.decode(packets(CAPTURES / "worked-example.hex"), K40, SHANGHAI, "door")
    expected = json.loads((CAPTURES / "worked-example.json").read_text())["frames"]
    assert len(told) == len(expected)
    assert [problem for one in told for problem in one.problems] == []
    wanted = [punch for frame in expected for punch in [*frame.get("punches", []), frame.get("event")] if punch]
    punches = [event for one in told for event in one.events if isinstance(event, Punch)]
    assert [
        {
            "user": p.user,
            "at": from_ms((p.at_device or 0) * 1000).replace(tzinfo=None).isoformat(),
            "verify": p.raw_codes[0],
            "state": p.raw_codes[1],
            "method": p.method.name.lower(),
            "direction": p.direction.name.lower(),
        }
        for p in punches
    ] == wanted
    assert [one.health[0].detail for one in told if one.kind == "clock"] == [{"clock": "2026-11-23T09:00:00"}]


def test_a_dump_of_the_log_decodes_with_and_without_its_size() -> None:
    row = bytes.fromhex("0100313030300000000000000000000000000000000000000000 01 555c8533 00 00000000ff000000")
    for dump in (row * 2, len(row * 2).to_bytes(4, "little") + row * 2):
        (told,) = DRIVER.decode(dump, K40, SHANGHAI, "door")
        assert [event.user for event in told.events if isinstance(event, Punch)] == ["1000", "1000"]
    with pytest.raises(DataError):
        DRIVER.decode(b"what is this", K40, SHANGHAI, "door")


def test_sec11_what_is_shown_of_a_broken_user_table_holds_no_names() -> None:
    ask = codec.encode_packet(codec.READ_BUFFERED, 1, 1, bytes.fromhex("01 0900 05000000 00000000"))
    record = codec.with_name_and_card(codec.new_user(1, "1000", 72), "SECRET", 7, enabled=True)
    answer = codec.encode_packet(codec.DATA, 1, 1, len(record).to_bytes(4, "little") + record)
    wrong = answer[:2] + b"\0\0" + answer[4:]
    for data in (codec.encode_frame(wrong), codec.encode_frame(answer)[:-1], codec.encode_frame(answer)):
        told = DRIVER.decode(codec.encode_frame(ask) + data, K40, SHANGHAI, "door")
        assert "SECRET" not in str(told)
        assert len(told) >= 2


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 255))
def test_hostile_captures_raise_only_data_errors(noise: bytes, at: int, byte: int) -> None:
    good = bytearray(packets(CAPTURES / "worked-example.hex"))
    good[at % len(good)] = byte
    for data in (noise, codec.TOP + noise, bytes(good), bytes(good[:at])):
        with suppress(DataError):
            DRIVER.decode(data, K40, SHANGHAI, "door")
        with suppress(DataError):
            DRIVER.scrub().feed(data, to_terminal=bool(at % 2))


@pytest.mark.parametrize("user_size", [28, 72])
@pytest.mark.parametrize("inline_limit", [10_000, 100])
async def test_sec11_a_recording_holds_no_key_name_card_or_password(
    tmp_path: Path, user_size: Any, inline_limit: int
) -> None:
    people = [ZkUser(n, str(1000 + n), "SECRET", card=0x44524143, password="PASS") for n in range(1, 9)]
    emulator = ZkTerminal("SN1", users=people, user_size=user_size, inline_limit=inline_limit, key=123456)
    emulator.punch("1001", START)
    await emulator.start()
    recorded: list[bytes] = []
    scrub = DRIVER.scrub()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_terminal: bool) -> None:
        while chunk := await reader.read(100):
            recorded.extend(scrub.feed(chunk, to_terminal=to_terminal))
            writer.write(chunk)
        writer.close()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(emulator.host, emulator.port)
        await asyncio.gather(pass_on(reader, back, to_terminal=True), pass_on(there, writer, to_terminal=False))

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    key = tmp_path / "key"
    key.write_text("123456")
    port = server.sockets[0].getsockname()[1]
    config = TerminalConfig(name="door", profile="zkteco/k40", host="127.0.0.1", port=port, key_file=key)
    async with DRIVER.open(terminal(config), system_clocks()) as device:
        assert len(await device.users()) == 8
        assert [event async for event in device.log()]
    server.close()
    await emulator.stop()
    stream = b"".join(recorded)
    for secret in (b"SECRET", b"CARD", b"PASS", FINGER_TEMPLATE, codec.scramble_key(123456, 0x1234)):
        assert secret not in stream
    told = DRIVER.decode(stream, K40, SHANGHAI, "door")
    assert [e.user for one in told for e in one.events if isinstance(e, Punch)] == ["1001"]
    assert {"users": 8} in [fact.detail for one in told for fact in one.health]
    assert all(not one.problems for one in told)


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_sec33_damaged_captures_raise_only_data_errors(count: int) -> None:
    draw = Random(33)
    good = packets(CAPTURES / "worked-example.hex")
    for _ in range(count):
        data = bytearray(good[: draw.randrange(len(good) + 1)])
        for _ in range(draw.randrange(4) if data else 0):
            data[draw.randrange(len(data))] = draw.randrange(256)
        with suppress(DataError):
            DRIVER.decode(bytes(data), K40, SHANGHAI, "door")
        with suppress(DataError):
            list(DRIVER.scrub().feed(bytes(data), to_terminal=draw.random() < 0.5))
