"""Bytes and values of the protocol page, round trips, and what the codec makes of nonsense."""

import contextlib
import json
import random
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.device import Decoded
from gateway.drivers.anviz import codec
from gateway.drivers.anviz.codec import BadRow, Frame, FrameDecoder, LogRow
from gateway.drivers.anviz.driver import DRIVER
from gateway.drivers.anviz.place import Place
from gateway.profile import load_profile
from shared.clock import device_seconds, from_ms
from shared.errors import DataError
from shared.punch import Punch

CAPTURES = Path(__file__).parents[3] / "captures" / "anviz"
FIRST = device_seconds(datetime(2026, 11, 23, 8, 59, 1))
SHANGHAI = ZoneInfo("Asia/Shanghai")


def as_json(told: Decoded) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": told.kind}
    if told.health:
        shown["health"] = told.health[0].detail
    punches = [event for event in told.events if isinstance(event, Punch)]
    if punches:
        shown["punches"] = [
            {
                "user": punch.user,
                "local_time": datetime.fromtimestamp(punch.at_device or 0, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
                "utc": from_ms(punch.at).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "direction": punch.direction.name.lower(),
                "method": punch.method.name.lower(),
                "raw_codes": list(punch.raw_codes),
            }
            for punch in punches
        ]
    return shown


def test_the_capture_decodes_to_the_json_beside_it() -> None:
    expected = json.loads((CAPTURES / "worked-example.json").read_text())
    data = (CAPTURES / "worked-example.hex").read_bytes()
    told = DRIVER.decode(data, load_profile(expected["profile"]), ZoneInfo(expected["zone"]), "A1")
    assert [as_json(message) for message in told] == expected["messages"]
    assert {event.terminal for message in told for event in message.events if isinstance(event, Punch)} == {"A1"}


@pytest.mark.parametrize(
    ("command", "data", "frame"),
    [
        (0x3C, b"", "a5000000073c0000d3e2"),
        (0x40, codec.block_request(codec.FIRST_NEW), "a5000000074000020219c4d8"),
        (0x4E, codec.clear_request(2), "a5000000074e0004020000022f70"),
        (0x38, b"", "a500000007380000b281"),
    ],
)
def test_requests_are_those_of_the_page(command: int, data: bytes, frame: str) -> None:
    assert codec.encode_request(command, data, device=7).hex() == frame


def test_the_crc_is_the_one_of_the_page_and_not_the_wrong_one_of_a_port() -> None:
    assert codec.crc16(b"123456789") == 0x6F91


@given(st.binary(max_size=700))
def test_the_crc_is_the_reflected_polynomial(data: bytes) -> None:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0x8408 if value & 1 else value >> 1
    assert codec.crc16(data) == value


def test_a_record_counts_from_the_second_of_january() -> None:
    row = codec.decode_record(bytes.fromhex("00000003e8 00000000 01 00 000000"))
    assert row == LogRow("1000", device_seconds(datetime(2000, 1, 2)), 1, 0, 0)


def test_user_numbers_have_five_bytes() -> None:
    row = codec.decode_record(bytes.fromhex("0100000005 3295ea9b 08 81 000005"))
    assert row == LogRow("4294967301", device_seconds(datetime(2026, 11, 23, 18, 2, 3)), 8, 0x81, 5)
    assert isinstance(row, LogRow)
    assert row.state == 1


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=600)), max_size=8), st.integers(1, 64))
def test_any_chunking_yields_the_same_frames(parts: list[tuple[int, bytes]], step: int) -> None:
    frames = [codec.encode_request(command & 0x7E, data) for command, data in parts]
    stream, decoder = b"".join(frames), FrameDecoder()
    found = [frame for at in range(0, len(stream), step) for frame in decoder.feed(stream[at : at + step])]
    assert found == [Frame(0, command & 0x7E, None, data) for command, data in parts]
    assert decoder.unfinished == 0


@pytest.mark.parametrize("head", ["a5000000077f0000", "a5000000077f000000"])
def test_a_heartbeat_is_taken_with_and_without_a_result_byte(head: str) -> None:
    raw = bytes.fromhex(head)
    (frame,) = FrameDecoder().feed(raw + struct.pack("<H", codec.crc16(raw)))
    assert isinstance(frame, Frame)
    assert (frame.command, frame.data) == (codec.HEARTBEAT, b"")


def test_a_frame_with_a_wrong_crc_does_not_take_its_neighbours_along() -> None:
    good = bytes.fromhex("a500000007c0010000375e")
    found = FrameDecoder().feed(good + good[:-1] + b"\0" + good)
    assert [type(frame) for frame in found] == [Frame, DataError, Frame]


def test_what_came_before_noise_is_not_lost() -> None:
    decoder = FrameDecoder()
    assert len(decoder.feed(bytes.fromhex("a500000007c0010000375e") + b"noise")) == 1
    with pytest.raises(DataError, match="expected a frame"):
        decoder.feed(b"")


def test_a_declared_length_is_not_believed_without_limit() -> None:
    with pytest.raises(DataError, match="at most 1024"):
        FrameDecoder().feed(bytes.fromhex("a500000007c000ffff"))


def test_records_of_an_unknown_size_are_kept_whole() -> None:
    data = b"\x02" + bytes(32)
    assert codec.decode_block(data) == (2, [BadRow("short_record", data, 2)])


def test_a_record_of_nobody_is_no_punch() -> None:
    raw = bytes.fromhex("0000000000 32956b55 01 00 000000")
    assert codec.decode_record(raw) == BadRow("no_user", raw)


def test_only_the_flag_command_that_deletes_nothing_can_be_built() -> None:
    assert {codec.clear_request(count)[0] for count in (1, 500, 1 << 30)} == {2}


@pytest.mark.parametrize("shown", ["000000000000", "1a0d17090000", "1a0b1f090000", "1a0b"])
def test_an_impossible_clock_is_a_data_error(shown: str) -> None:
    with pytest.raises(DataError):
        codec.decode_clock(bytes.fromhex(shown))


@given(st.datetimes(datetime(2000, 1, 1), datetime(2255, 12, 31, 23, 59, 59)))
def test_a_clock_survives_the_way_there_and_back(wall: datetime) -> None:
    assert codec.decode_clock(codec.encode_clock(wall)) == wall.replace(microsecond=0)


def test_the_menu_password_stays_behind_the_firmware() -> None:
    assert codec.firmware_of(b"C2P_0210" + b"\x61\x23\x45" + bytes(7)) == "C2P_0210"
    assert codec.firmware_of(b"1.51\0\0\0\0" + b"AAA" + bytes(7)) == "1.51"


@pytest.mark.parametrize("size", [27, 30, 40])
def test_a_change_of_name_and_card_leaves_the_rest_of_a_user_alone(size: int) -> None:
    layout = codec.LAYOUTS[size]
    record = bytes(range(1, size + 1))
    changed = codec.with_name_and_card(record, "WANG WEI", 77)
    assert codec.user_of(changed) == (int.from_bytes(record[:5], "big"), "WANG WEI", 77)
    assert changed[:8] == record[:8]
    assert changed[layout.name.stop :] == record[layout.name.stop :]


@pytest.mark.parametrize(
    ("size", "name", "card"), [(27, "王伟", 0), (27, "ELEVENCHARS", 0), (40, "ELEVENCHARS", 0), (27, "W", 0xFFFFFF)]
)
def test_what_does_not_fit_a_user_record_is_refused(size: int, name: str, card: int) -> None:
    with pytest.raises(DataError):
        codec.with_name_and_card(codec.new_user(codec.LAYOUTS[size], 5), name, card)


def test_a_new_user_has_no_card_no_password_and_no_finger() -> None:
    record = codec.new_user(codec.LAYOUTS[40], 1 << 39)
    assert codec.user_of(record) == (1 << 39, "", 0)
    assert (record[5:8], record[35:37]) == (b"\xff\xff\xff", b"\0\0")


def test_names_in_chinese_are_utf_16() -> None:
    record = codec.with_name_and_card(codec.new_user(codec.LAYOUTS[40], 5), "王伟", 0)
    assert record[12:16].hex() == "738b4f1f"
    assert codec.user_of(record).name == "王伟"


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.booleans())
def test_a_place_survives_storage(stored: int, base: int, complete: bool) -> None:
    place = Place(stored, base, complete)
    assert Place.decode(place.encode()) == place


@pytest.mark.parametrize("value", [b"", b"\x01", bytes(18)])
def test_a_foreign_place_is_a_data_error(value: bytes) -> None:
    with pytest.raises(DataError):
        Place.decode(value)


def mutated(draw: random.Random, samples: list[bytes]) -> bytes:
    if draw.random() < 0.2:
        return draw.randbytes(draw.randrange(80))
    raw = bytearray(draw.choice(samples))
    for _ in range(draw.randrange(1, 5)):
        raw[draw.randrange(len(raw))] = draw.randrange(256)
    if draw.random() < 0.5 and len(raw) > 10:  # a CRC that fits lets the damage through to the parsers
        raw[-2:] = struct.pack("<H", codec.crc16(bytes(raw[:-2])))
    return bytes(raw[: draw.randrange(len(raw))]) if draw.random() < 0.2 else bytes(raw)


def survive(count: int, seed: int) -> None:
    draw = random.Random(seed)
    profile = load_profile("anviz/c2")
    lines = (CAPTURES / "worked-example.hex").read_text().splitlines()
    samples = [bytes.fromhex(line[1:]) for line in lines if line[0] in "<>"]
    for command, size in ((0x24, 16), (0x5D, 9), (0x30, 18), (0x42, 28), (0x72, 41)):
        raw = struct.pack(">BIBBH", 0xA5, 7, command + 0x80, 0, size) + b"\x01" + bytes(size - 1)
        samples.append(raw + struct.pack("<H", codec.crc16(raw)))
    started = time.monotonic()
    for _ in range(count):
        raw = mutated(draw, samples)
        with contextlib.suppress(DataError):
            DRIVER.decode(raw, profile, SHANGHAI, "A1")
        for parse in (codec.decode_users, codec.decode_counters, codec.decode_capacity, codec.decode_clock):
            try:
                parsed = parse(raw[9:-2])
            except DataError:
                continue
            for record in parsed if isinstance(parsed, list) else ():
                codec.user_of(record)
    assert time.monotonic() - started < count / 500


def test_sec33_codec_fuzz() -> None:
    survive(10_000, seed=5010)


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    survive(100_000, seed=20261125)
