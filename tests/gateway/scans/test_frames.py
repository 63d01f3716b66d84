"""What bytes of a scanner say; expected values come from the protocol page."""

import json
import random
import re
import time
import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.profile import load_profile
from gateway.scans.frames import (
    FRAME_LIMIT,
    Frame,
    FrameDecoder,
    LineRules,
    Noise,
    NoRead,
    Piece,
    Read,
    read_of,
)
from shared.codes.aim import split_aim

CAPTURES = Path(__file__).parents[2] / "captures" / "scanner_serial"


def batch_rules() -> LineRules:
    frame = load_profile("generic/batch-csv").frame
    assert frame is not None
    assert frame.pattern is not None
    return LineRules(frame.aim, re.compile(frame.pattern), frame.time_format)


def cut(stream: bytes, step: int = 0, prefix: bytes = b"", suffix: bytes = b"\r") -> list[Piece]:
    decoder = FrameDecoder(prefix, suffix)
    chunks = [stream[n : n + step] for n in range(0, len(stream), step)] if step else [stream]
    return [piece for chunk in chunks for piece in decoder.feed(chunk)]


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\r\r"])
def test_reads_are_cut_at_the_suffix_whatever_line_end_follows(end: bytes) -> None:
    assert cut(b"YT1234567890123" + end + b"JT1234567890123" + end) == [
        Frame(b"YT1234567890123"),
        Frame(b"JT1234567890123"),
    ]


def test_an_unfinished_read_waits_for_its_end() -> None:
    decoder = FrameDecoder(b"", b"\r\n")
    assert list(decoder.feed(b"ABC\r")) == []
    assert decoder.waiting
    assert list(decoder.feed(b"\nDE")) == [Frame(b"ABC")]


def test_a_read_that_lost_its_suffix_is_not_glued_to_the_next() -> None:
    decoder = FrameDecoder(b"", b"\r")
    assert list(decoder.feed(b"YT123")) == []
    assert list(decoder.silence()) == [Noise("unfinished", b"YT123")]
    assert list(decoder.feed(b"JT1\r")) == [Frame(b"JT1")]


def test_a_scanner_set_to_cr_where_the_profile_says_cr_lf_is_understood() -> None:
    decoder = FrameDecoder(b"", b"\r\n")
    assert list(decoder.feed(b"YT123\rJT1\r")) == []  # an LF may still follow
    assert list(decoder.silence()) == [Frame(b"YT123"), Frame(b"JT1")]


def test_without_suffix_silence_ends_a_read() -> None:
    decoder = FrameDecoder(b"", b"")
    assert list(decoder.feed(b"ABC")) == []
    assert list(decoder.silence()) == [Frame(b"ABC")]
    assert list(decoder.silence()) == []


def test_a_prefix_is_cut_off_and_what_stands_before_it_is_noise() -> None:
    assert cut(b"\x02ABC\rx\x02DEF\rGHI\r", prefix=b"\x02") == [
        Frame(b"ABC"),
        Noise("noise", b"x"),
        Frame(b"DEF"),
        Noise("no_prefix", b"GHI"),
    ]


def test_a_read_of_4_kib_is_taken_and_one_byte_more_is_noise() -> None:
    assert cut(b"x" * FRAME_LIMIT + b"\rABC\r") == [Frame(b"x" * FRAME_LIMIT), Frame(b"ABC")]
    assert cut(b"x" * (FRAME_LIMIT + 1) + b"\rABC\r") == [
        Noise("too_long", b"x" * FRAME_LIMIT),
        Noise("too_long", b"x"),
        Frame(b"ABC"),
    ]


@given(
    st.lists(st.binary(max_size=300).filter(lambda body: b"\r" not in body), max_size=20),
    st.integers(1, 64),
    st.sampled_from([b"\r", b"\r\n"]),
    st.sampled_from([b"", b"\x02"]),
)
def test_any_chunking_yields_the_same_pieces(bodies: list[bytes], step: int, suffix: bytes, prefix: bytes) -> None:
    stream = b"".join(prefix + body + suffix for body in bodies)
    assert cut(stream, step, prefix, suffix) == cut(stream, 0, prefix, suffix)


@pytest.mark.parametrize("size", [FRAME_LIMIT - 1, FRAME_LIMIT, FRAME_LIMIT + 1, 2 * FRAME_LIMIT, 2 * FRAME_LIMIT + 1])
@pytest.mark.parametrize("suffix", [b"\r", b"\r\n"])
@pytest.mark.parametrize("step", [1, 7, 4096])
def test_chunking_does_not_matter_at_the_limit(size: int, suffix: bytes, step: int) -> None:
    stream = b"x" * size + suffix + b"ABC" + suffix
    assert cut(stream, step, b"", suffix) == cut(stream, 0, b"", suffix)


@given(st.lists(st.binary(max_size=300), max_size=10), st.integers(1, 64))
def test_no_byte_but_framing_is_lost(bodies: list[bytes], step: int) -> None:
    stream = b"\r".join(bodies) + b"\r"
    kept = b"".join(piece.raw for piece in cut(stream, step))
    assert kept.replace(b"\r", b"").replace(b"\n", b"") == stream.replace(b"\r", b"").replace(b"\n", b"")


@pytest.mark.parametrize(
    "case", json.loads((CAPTURES / "aim.json").read_text())["reads"], ids=lambda case: case["text"]
)
def test_only_a_valid_aim_identifier_is_taken_off(case: dict[str, str]) -> None:
    assert read_of(case["text"].encode(), LineRules(aim=True)) == Read(case["code"], case["symbology"])
    assert read_of(case["text"].encode(), LineRules()) == Read(case["text"])


@pytest.mark.parametrize("text", ["]", "]C", "", "]Y5abc"])
def test_a_cut_off_identifier_is_data(text: str) -> None:
    assert split_aim(text) == ("", text)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_chinese_codes_are_text_and_lead_back_to_their_bytes(encoding: str) -> None:
    raw = "顺丰速运SF1234567890123".encode(encoding)
    read = read_of(raw, LineRules())
    assert isinstance(read, Read)
    assert read.code == "顺丰速运SF1234567890123"
    assert read.code.encode(encoding) == raw


def test_gs1_separators_stay_in_the_code() -> None:
    assert read_of(b"010690123456789210L7\x1d15261231", LineRules()) == Read("010690123456789210L7\x1d15261231")


@pytest.mark.parametrize("raw", [b"NOREAD", b"NoRead", b"NO READ"])
def test_a_no_read_is_health_and_no_scan(raw: bytes) -> None:
    assert read_of(raw, LineRules()) == NoRead()


@pytest.mark.parametrize(
    ("raw", "reason"), [(b"\x00\x01\x7f", "noise"), (b"\xff\xff", "bad_text"), (b"YT1\x00", "noise"), (b"]C0", "empty")]
)
def test_noise_keeps_its_bytes(raw: bytes, reason: str) -> None:
    assert read_of(raw, LineRules(aim=True)) == Noise(reason, raw)


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("YT1234567890123,2026-11-23 08:59:01", Read("YT1234567890123", "", datetime(2026, 11, 23, 8, 59, 1))),
        ("17,YT1234567890123,2026-11-23 08:59:01", Read("YT1234567890123", "", datetime(2026, 11, 23, 8, 59, 1), 17)),
        ("0,75812345678901,2017-10-02 11:07:15", Read("75812345678901", "", datetime(2017, 10, 2, 11, 7, 15), 0)),
        ("75812345678901,2017-10-02 11:07:15", Read("75812345678901", "", datetime(2017, 10, 2, 11, 7, 15))),
        ("3,NOREAD,2017-10-02 11:07:15", NoRead()),
    ],
)
def test_batch_lines_follow_the_pattern_of_the_profile(line: str, read: Read | NoRead) -> None:
    assert read_of(line.encode(), batch_rules()) == read


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("YT1234567890123", "bad_line"),
        (",2026-11-23 08:59:01", "bad_line"),
        ("YT1234567890123,2026-02-30 08:59:01", "bad_time"),
        ("YT1234567890123,1899-01-01 08:59:01", "bad_time"),
        ("x,YT1234567890123,2026-11-23 08:59:01", "bad_line"),
        ("1234567890123456789,YT1,2026-11-23 08:59:01", "bad_line"),
    ],
)
def test_a_batch_line_that_makes_no_sense_is_kept_with_its_reason(line: str, reason: str) -> None:
    assert read_of(line.encode(), batch_rules()) == Noise(reason, line.encode())


def noise(source: random.Random) -> bytes:
    parts = (
        b"YT1234567890123\r",
        b"]C1\x1d",
        b"1,AB,2026-11-23 08:59:01\r\n",
        b"\x02",
        "速".encode("gb18030"),
        b"\xff\x00",
    )
    body = b"".join(source.choices(parts, k=source.randint(0, 5)))
    at = source.randint(0, len(body))
    return body[:at] + source.randbytes(source.randint(0, 6)) + body[at + source.randint(0, 3) :]


def test_sec33_codec_fuzz() -> None:
    """100,000 inputs give pieces and reads, never an error, in bounded time and memory."""
    source = random.Random(20261123)
    rules = (LineRules(), LineRules(aim=True), batch_rules())
    decoders = [FrameDecoder(b"", b"\r"), FrameDecoder(b"\x02", b"\r\n"), FrameDecoder(b"", b"")]
    started = time.monotonic()
    for number in range(100_000):
        decoder = decoders[number % 3]
        found = list(decoder.feed(noise(source)))
        if source.random() < 0.1:
            found += decoder.silence()
        for piece in found:
            if isinstance(piece, Frame):
                read_of(piece.raw, rules[number % 3])
    assert time.monotonic() - started < 60


def test_sec33_an_endless_read_costs_bounded_memory() -> None:
    decoder = FrameDecoder(b"", b"\r")
    tracemalloc.start()
    for _ in range(5_000):
        for _ in decoder.feed(b"\xaa" * 4096):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1024 * 1024


def test_a_card_line_of_the_page_is_its_hexadecimal_number() -> None:
    frame = load_profile("generic/rdm6300").frame
    assert frame is not None
    line = bytes.fromhex("02 3031303744313542433434 38 03")
    (piece,) = cut(line, prefix=frame.prefix.encode(), suffix=frame.suffix.encode())
    assert isinstance(piece, Frame)
    assert read_of(piece.raw, LineRules(form="rdm6300")) == Read("0107D15BC4")
    assert read_of(b"0107D15BC449", LineRules(form="rdm6300")) == Noise("bad_checksum", b"0107D15BC449")
