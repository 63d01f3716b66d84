"""LLRP bytes: the worked examples of the protocol page, decoded here and by sllurp alike."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.llrp.codec import (
    KEEPALIVE,
    KEEPALIVE_ACK,
    Message,
    MessageDecoder,
    Tag,
    attempt_of,
    encode,
    parameters,
    tags_of,
)
from gateway.scans.frames import Noise
from shared.errors import DataError

EPC = "3035a537c8377540000003e9"
AT = datetime(2026, 11, 23, 0, 59, 1, tzinfo=UTC)
REPORT = bytes.fromhex("043d0000002c0000000700f000228d3035a537c8377540000003e981000182000660e71973df4086c9880001")


def one(stream: bytes) -> Message:
    (message,) = MessageDecoder().feed(stream)
    return message


def test_keep_alive_of_the_page() -> None:
    message = one(bytes.fromhex("043E0000000A00000001"))
    assert (message.kind, message.number, message.body) == (KEEPALIVE, 1, b"")
    assert encode(KEEPALIVE_ACK, 1) == bytes.fromhex("04480000000A00000001")


def test_report_of_the_page() -> None:
    message = one(REPORT)
    assert (message.kind, len(message.raw), message.number) == (61, 44, 7)
    (tag,) = tags_of(message)
    assert isinstance(tag, Tag)
    assert (tag.epc, tag.antenna) == (EPC, 1)
    assert tag.first is not None
    assert tag.first.replace(microsecond=0) == AT


def test_sllurp_reads_the_same_report() -> None:
    llrp = pytest.importorskip("sllurp.llrp")
    (theirs,) = llrp.LLRPMessage(msgbytes=REPORT).msgdict["RO_ACCESS_REPORT"]["TagReportData"]
    (ours,) = tags_of(one(REPORT))
    assert isinstance(ours, Tag)
    assert theirs["EPC-96"].decode() == ours.epc
    assert theirs["AntennaID"] == ours.antenna
    assert ours.first is not None
    assert theirs["FirstSeenTimestampUTC"] == round(ours.first.timestamp() * 1_000_000)


def test_an_epc_of_another_length() -> None:
    value = bytes.fromhex("00f1000a0020") + bytes.fromhex("e2801160")
    report = encode(61, 1, bytes.fromhex("00f0") + (4 + len(value)).to_bytes(2, "big") + value)
    assert tags_of(one(report)) == [Tag("e2801160", 0, None, None)]


@given(st.lists(st.tuples(st.integers(0, 1023), st.binary(max_size=60)), max_size=5), st.integers(1, 80))
def test_any_cutting_yields_the_same_messages(bodies: list[tuple[int, bytes]], step: int) -> None:
    stream = b"".join(encode(kind, n, body) for n, (kind, body) in enumerate(bodies))
    decoder = MessageDecoder()
    pieces = [m for start in range(0, len(stream), step) for m in decoder.feed(stream[start : start + step])]
    assert [(m.kind, m.body) for m in pieces] == bodies


@pytest.mark.parametrize("stream", [b"\0" * 10, b"HTTP/1.1 400", bytes.fromhex("043E000000090000000100")])
def test_what_is_no_message_is_a_data_error(stream: bytes) -> None:
    with pytest.raises(DataError):
        list(MessageDecoder().feed(stream))


def test_a_damaged_tag_does_not_keep_back_the_others() -> None:
    body = REPORT[10:]
    damaged = bytearray(body)
    damaged[4] = 0xFF  # a parameter that nobody knows
    found = tags_of(one(encode(61, 1, bytes(damaged) + body)))
    assert [type(tag) for tag in found] == [Noise, Tag]


def fuzz(count: int) -> None:
    chance = random.Random(20261123)
    for _ in range(count):
        data = bytearray(REPORT)
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            for message in MessageDecoder().feed(bytes(data) + chance.randbytes(chance.randrange(30))):
                assert len(tags_of(message)) <= len(message.raw)
                list(parameters(message.body))
                attempt_of(message)
        except DataError:
            continue


def test_sec33_ten_thousand_inputs() -> None:
    fuzz(10_000)


@pytest.mark.long
def test_sec33_a_hundred_thousand_inputs() -> None:
    fuzz(100_000)
