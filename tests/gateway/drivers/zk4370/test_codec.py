"""Bytes and values of the protocol page, round trips, and what the codec makes of nonsense."""

import json
import random
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.zk4370 import codec
from gateway.drivers.zk4370.codec import BadRow, FrameDecoder, LogRow, User
from gateway.profile import load_profile
from shared.clock import DeviceSeconds, device_seconds
from shared.errors import DataError

CAPTURE = Path(__file__).parents[3] / "captures" / "zk4370" / "worked-example"
FIRST = device_seconds(datetime(2026, 11, 23, 8, 59, 1))
SECONDS = st.integers(device_seconds(datetime(2000, 1, 1)), device_seconds(datetime(2080, 1, 1)) - 1)


def capture() -> list[tuple[bytes, dict[str, Any]]]:
    lines = [line for line in CAPTURE.with_suffix(".hex").read_text().splitlines() if line[0] in "<>"]
    frames = json.loads(CAPTURE.with_suffix(".json").read_text())["frames"]
    return list(zip([bytes.fromhex(line[1:]) for line in lines], frames, strict=True))


def wall(at: DeviceSeconds) -> str:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()


def as_json(row: LogRow | BadRow) -> dict[str, Any]:
    assert isinstance(row, LogRow)
    profile = load_profile("zkteco/k40")
    return {
        "user": row.user,
        "at": wall(row.at),
        "verify": row.verify,
        "state": row.state,
        "method": profile.method(row.verify).name.lower(),
        "direction": profile.direction(row.state).name.lower(),
    }


@pytest.mark.parametrize(
    ("frame", "expected"), capture(), ids=lambda value: value.get("means") if isinstance(value, dict) else ""
)
def test_the_capture_decodes_to_the_json_beside_it(frame: bytes, expected: dict[str, Any]) -> None:
    (payload,) = FrameDecoder().feed(frame)
    packet = codec.decode_packet(payload)
    assert packet[:3] == (expected["command"], expected["session"], expected["reply"])
    assert codec.encode_frame(codec.encode_packet(*packet)) == frame
    if "key" in expected:
        assert packet.data == codec.scramble_key(expected["key"], packet.session)
    if "punches" in expected:
        records = codec.split_table(packet.data)
        size = codec.record_size(len(records), expected["records"])
        assert [as_json(row) for row in codec.decode_log(records, size or 0)] == expected["punches"]
    if "clock" in expected:
        assert wall(codec.decode_clock(packet.data) or 0) == expected["clock"]
    if "event" in expected:
        assert as_json(codec.decode_event(packet.data)) == expected["event"]


@pytest.mark.parametrize(
    ("key", "session", "scrambled"),
    [(123456, 0x1234, "267f32eb"), (0, 0x1234, "617d326b"), (9999, 0xABCD, "858d32d2")],
)
def test_the_key_is_scrambled_as_on_the_page(key: int, session: int, scrambled: str) -> None:
    assert codec.scramble_key(key, session).hex() == scrambled


@pytest.mark.parametrize(
    ("record", "row"),
    [
        ("e8030000 555c8533 01 00 0000 07000000", LogRow("1000", FIRST, 1, 0, 7)),
        ("0100 01 555c8533 00", LogRow("1000", FIRST, 1, 0)),
    ],
)
def test_other_layouts_of_the_first_punch(record: str, row: LogRow) -> None:
    raw = bytes.fromhex(record)
    assert codec.decode_log(raw, len(raw), {1: "1000"}) == [row]


def test_users_of_the_page() -> None:
    name24, id24 = b"WANG WEI".ljust(24, b"\0"), b"1000".ljust(24, b"\0")
    long = bytes.fromhex("0100003132333400000000") + name24 + bytes.fromhex("40e2010001") + bytes(8) + id24
    short = bytes.fromhex("0100 00 3132333400 57414e4700000000 40e20100 00 01 0000 e8030000")
    assert codec.decode_users(long, 72) == [User(1, "1000", "WANG WEI")]
    assert codec.decode_users(short, 28) == [User(1, "1000", "WANG")]


def test_names_come_in_the_code_page_of_the_terminal() -> None:
    record = struct.pack("<H9x24s13x24s", 1, "王伟".encode("gbk"), b"1000")
    assert codec.decode_users(record, 72, "gbk") == [User(1, "1000", "王伟")]


def test_a_longer_record_begins_like_one_of_40_bytes() -> None:
    record = struct.pack("<H24sBIB8x9x", 1, b"A-77\0garbage", 15, 0x33855C55, 1)
    assert codec.record_size(2 * 49, 2) == 49
    assert codec.decode_log(record * 2, 49) == [LogRow("A-77", FIRST, 15, 1)] * 2


@pytest.mark.parametrize(("total", "count"), [(80, 0), (81, 2), (100, 5), (0, 3)])
def test_a_size_that_counters_do_not_explain_is_not_guessed(total: int, count: int) -> None:
    assert codec.record_size(total, count) is None


IMPOSSIBLE = (26 * 372 + 31 + 30) * 86400
"""31 February 2026."""


@pytest.mark.parametrize(
    "rows",
    [
        [struct.pack("<HBIB", 1, 1, at, 0) for at in (IMPOSSIBLE, 0x33855C55)],
        [struct.pack("<IIBB2xI", 1, at, 1, 0, 0) for at in (IMPOSSIBLE, 0x33855C55)],
        [struct.pack("<H24sBIB8x", 1, b"1", 1, at, 0) for at in (IMPOSSIBLE, 0x33855C55)],
    ],
    ids=["8", "16", "40"],
)
def test_31_february_is_kept_raw_and_the_next_row_is_read(rows: list[bytes]) -> None:
    bad, good = codec.decode_log(b"".join(rows), len(rows[0]))
    assert bad == BadRow("bad_time", rows[0])
    assert isinstance(good, LogRow)
    assert good.at == FIRST


def test_what_is_left_at_the_end_and_what_names_nobody_stays_visible() -> None:
    nobody = struct.pack("<H24sBIB8x", 1, b"\0", 1, 0x33855C55, 0)
    assert codec.decode_log(nobody + b"torn", 40) == [BadRow("no_user", nobody), BadRow("short_record", b"torn")]


def test_unknown_codes_survive_as_numbers() -> None:
    record = struct.pack("<IIBB2xI", 7, 0x33855C55, 201, 255, 0)
    (row,) = codec.decode_log(record, 16)
    assert isinstance(row, LogRow)
    assert (row.verify, row.state) == (201, 255)


def test_counters_of_the_page() -> None:
    words = {16: 41, 32: 1234, 60: 3000, 64: 100_000}
    data = b"".join(struct.pack("<I", words.get(at, 0)) for at in range(0, 92, 4))
    assert codec.decode_counters(data) == codec.decode_counters(data[:80]) == (41, 3000, 1234, 100_000)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"~SerialNumber=AEYU2118\0", "AEYU2118"),
        (b"~SerialNumber=AEYU2118\0\xff\x13garbage", "AEYU2118"),
        (b"~SerialNumber=\0", None),
        (b"MAC=00:17\0", None),
        (b"~SerialNumber=\xff\xfe\0", None),
        (b"", None),
    ],
)
def test_options_end_at_the_nul(data: bytes, value: str | None) -> None:
    assert codec.decode_option(data, "~SerialNumber") == value


@given(SECONDS)
def test_time_round_trips(at: DeviceSeconds) -> None:
    assert codec.decode_time(codec.encode_time(at)) == at


def test_the_time_of_the_page() -> None:
    assert codec.encode_time(FIRST) == 0x33855C55


@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=3000))
def test_packets_round_trip(command: int, session: int, reply: int, data: bytes) -> None:
    assert codec.decode_packet(codec.encode_packet(command, session, reply, data)) == (command, session, reply, data)


@given(st.binary(max_size=400))
def test_the_checksum_is_the_folded_sum_of_words(payload: bytes) -> None:
    padded = payload + b"\0" * (len(payload) % 2)
    total = sum(struct.unpack(f"<{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    assert codec.checksum(payload) == total ^ 0xFFFF


@given(st.binary(max_size=50), st.data())
def test_a_flipped_bit_is_noticed(data: bytes, draw: st.DataObject) -> None:
    packet = bytearray(codec.encode_packet(2000, 0x1234, 7, data))
    bit = draw.draw(st.integers(0, len(packet) * 8 - 1))
    packet[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DataError) as caught:
        codec.decode_packet(bytes(packet))
    assert caught.value.code == "checksum"


@given(st.lists(st.binary(max_size=300)), st.integers(1, 64))
def test_any_chunking_yields_the_same_packets(bodies: list[bytes], step: int) -> None:
    stream, decoder = b"".join(map(codec.encode_frame, bodies)), FrameDecoder()
    pieces = (stream[i : i + step] for i in range(0, len(stream), step))
    assert [body for piece in pieces for body in decoder.feed(piece)] == bodies


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=24),
            SECONDS,
            st.integers(0, 255),
            st.integers(0, 255),
        )
    )
)
def test_log_records_round_trip(rows: list[tuple[str, DeviceSeconds, int, int]]) -> None:
    log = b"".join(
        struct.pack("<H24sBIB8x", 1, user.encode(), verify, codec.encode_time(at), state)
        for user, at, verify, state in rows
    )
    assert codec.decode_log(log, 40) == [LogRow(*row) for row in rows]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        ("5050837c08000000", "encrypted"),
        ("47455420202f2048", "frame"),
        ("5050827dffffff7f", "oversize"),
    ],
)
def test_a_stream_that_is_no_protocol_of_ours_is_named(stream: str, code: str) -> None:
    with pytest.raises(DataError) as caught:
        FrameDecoder().feed(bytes.fromhex(stream))
    assert caught.value.code == code


def test_sec33_codec_fuzz() -> None:
    """100,000 inputs, half of them damaged good ones: values or DataError, and never long."""
    draw = random.Random(4370)
    good = [frame for frame, _ in capture()]
    longest_s = 0.0
    for number in range(100_000):
        raw = _noise(draw, good)
        started = time.thread_time()
        _decode_somehow(number, raw)
        longest_s = max(longest_s, time.thread_time() - started)
    assert longest_s < 1.0


def _noise(draw: random.Random, good: list[bytes]) -> bytes:
    if draw.random() < 0.5:
        return draw.randbytes(draw.randrange(200))
    raw = bytearray(draw.choice(good))
    for _ in range(draw.randrange(1, 4)):
        raw[draw.randrange(len(raw))] = draw.randrange(256)
    return bytes(raw[draw.choice((0, 8, 16)) : draw.randrange(len(raw) + 1)])


def _decode_somehow(number: int, raw: bytes) -> None:
    try:
        match number % 8:
            case 0:
                for payload in FrameDecoder().feed(raw):
                    codec.decode_packet(payload)
            case 1:
                codec.decode_packet(raw)
            case 2:
                codec.decode_log(raw, number // 8 % 60, {1: "1000"})
            case 3:
                codec.decode_users(raw, (28, 72, 30)[number // 8 % 3], ("utf-8", "gbk")[number // 8 % 2])
            case 4:
                codec.decode_event(raw[: (10, 12, 14, 32, 36, 37, 52, 200)[number // 8 % 8]])
            case 5:
                codec.decode_counters(raw)
            case 6:
                codec.split_table(raw)
            case _:
                codec.decode_option(raw, "~SerialNumber")
                codec.decode_text(raw)
                codec.decode_clock(raw)
    except DataError:
        pass
