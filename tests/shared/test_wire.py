"""Bytes on the wire: what goes in comes out, and any other bytes are a value or a DataError, never anything else."""

import os
from collections.abc import Callable

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DataError
from shared.keys import Event
from shared.punch import Punch
from shared.scan import Scan, ScanKind
from shared.wire import (
    MAX_EVENTS,
    MAX_MESSAGE,
    MAX_UNPACKED,
    Ack,
    Command,
    EvHead,
    Health,
    Hello,
    Result,
    decode_ev_body,
    decode_ev_head,
    decode_event,
    decode_message,
    encode_ev,
    encode_event,
    encode_message,
)
from tests.shared.strategies import EVENTS, MESSAGES, STREAM

pack = msgspec.msgpack.encode


def decode_all(payload: bytes) -> None:
    """Try everything that takes bytes from outside; only DataError may come out."""
    decoders: list[Callable[[], object]] = [
        lambda: decode_event(payload),
        lambda: decode_ev_body(*decode_ev_head(payload)),
        lambda: decode_message(payload, Hello),
        lambda: decode_message(payload, Ack),
        lambda: decode_message(payload, Health),
        lambda: decode_message(payload, Command),
        lambda: decode_message(payload, Result),
    ]
    for decode in decoders:
        try:
            decode()
        except DataError as error:
            assert error.code  # noqa: PT017 - the code is what the row is quarantined under


@given(EVENTS)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert decode_event(encode_event(event)) == event


@given(STREAM, st.integers(1, 2**62), st.lists(EVENTS, min_size=1, max_size=20))
def test_a_batch_comes_back_with_its_seqs_and_the_same_bytes(stream: bytes, first: int, events: list[Event]) -> None:
    bodies = [encode_event(event) for event in events]
    head, packed = decode_ev_head(encode_ev(stream, first, bodies))
    assert (head.v, head.stream, head.first, head.last) == (1, stream, first, first + len(events) - 1)
    assert decode_ev_body(head, packed) == bodies


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: Hello | Ack | Health) -> None:
    assert decode_message(encode_message(message), type(message)) == message


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_data_error(payload: bytes) -> None:
    decode_all(payload)


@given(MESSAGES, st.data())
def test_a_damaged_message_is_a_value_or_a_data_error(message: Hello | Ack | Health, data: st.DataObject) -> None:
    decode_all(damage(encode_message(message), data))


@given(st.lists(EVENTS, min_size=1, max_size=5), st.data())
def test_a_damaged_batch_is_a_value_or_a_data_error(events: list[Event], data: st.DataObject) -> None:
    decode_all(damage(encode_ev(b"s" * 16, 1, [encode_event(event) for event in events]), data))


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5) | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(NESTED, NESTED)
def test_other_messagepack_is_a_value_or_a_data_error(one: object, other: object) -> None:
    """Also inside a body that unpacks well: the second gate after zstd."""
    for value in (one, [1, other], ["p1", one, other], [1, b"s" * 16, 1, 1, other]):
        decode_all(pack(value))
    packed = zstandard.compress(pack(one))
    for value in ([1, packed], [1, b"s" * 16, 1, 1, packed]):
        decode_all(pack(value))


def damage(payload: bytes, data: st.DataObject) -> bytes:
    """Bytes flipped, cut out or put in."""
    place = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(place, min(len(payload), place + 4)))
    return payload[:place] + data.draw(st.binary(max_size=4)) + payload[end:]


def test_deep_nesting_is_a_data_error() -> None:
    for payload in (b"\x91" * 100_000, b"\x92\x01" + b"\x91" * 100_000):
        decode_all(payload)


def code_of(payload: bytes, kind: type[Hello | Ack | Health] = Ack) -> str:
    with pytest.raises(DataError) as error:
        decode_message(payload, kind)
    return error.value.code


def test_a_message_above_128_kib_is_refused_unread() -> None:
    assert MAX_MESSAGE == 131_072
    assert code_of(b"\xc1" * (MAX_MESSAGE + 1)) == "oversize"
    with pytest.raises(DataError) as error:
        decode_ev_head(b"\x95" + b"\x00" * MAX_MESSAGE)
    assert error.value.code == "oversize"


def test_a_body_that_unpacks_to_more_than_1_mib_is_refused_by_its_declared_size() -> None:
    assert MAX_UNPACKED == 1_048_576
    bomb = zstandard.compress(b"\x00" * (MAX_UNPACKED + 1))
    assert len(bomb) < 200
    assert code_of(pack([1, bomb])) == "oversize"


def test_a_body_that_hides_its_size_is_refused() -> None:
    hidden = zstandard.ZstdCompressor(write_content_size=False).compress(b"\x00" * (MAX_UNPACKED * 4))
    assert code_of(pack([1, hidden])) in {"oversize", "bad_body"}


def test_a_body_that_lies_about_its_size_is_refused() -> None:
    body = bytearray(zstandard.compress(b"\x00" * 70_000))
    size_at = body.index((70_000).to_bytes(4, "little"))
    body[size_at : size_at + 4] = (100).to_bytes(4, "little")
    assert code_of(pack([1, bytes(body)])) == "bad_body"


def test_an_unknown_version_keeps_its_head_so_that_its_seqs_can_be_quarantined() -> None:
    payload = pack([9, b"s" * 16, 41, 2, {"what": "ever"}, b"body"])
    head, packed = decode_ev_head(payload)
    assert head == EvHead(9, b"s" * 16, 41, 2)
    with pytest.raises(DataError) as error:
        decode_ev_body(head, packed)
    assert error.value.code == "unknown_version"
    assert code_of(pack([2, zstandard.compress(b"\x80")])) == "unknown_version"


@pytest.mark.parametrize(
    "head",
    [(b"s" * 15, 1, 1), (b"s" * 16, 0, 1), (b"s" * 16, 1, 0), (b"s" * 16, 1, 501), (b"s" * 16, 2**63 - 1, 2)],
)
def test_a_head_out_of_range_is_a_data_error(head: tuple[bytes, int, int]) -> None:
    with pytest.raises(DataError):
        decode_ev_head(pack([1, *head, b""]))


def test_a_body_with_another_number_of_events_than_its_head_is_refused() -> None:
    payload = pack([1, b"s" * 16, 1, 3, zstandard.compress(pack([b"a", b"b"]))])
    with pytest.raises(DataError) as error:
        decode_ev_body(*decode_ev_head(payload))
    assert error.value.code == "bad_body"


def test_new_fields_at_the_end_of_an_event_do_not_stop_an_older_reader() -> None:
    """An event is encoded once and outlives an upgrade; a newer gateway may say more."""
    punch = Punch("T1", "7", 1_800_000_000, 28_800, 1_799_971_200_000)
    longer = [*msgspec.msgpack.decode(encode_event(punch)), "a field of the future"]
    assert decode_event(pack(longer)) == punch


def test_the_bytes_of_events_are_fixed() -> None:
    """Digests of rows already stored depend on every one of these bytes: this test is never adapted."""
    punch = Punch("T1", "7", 1_800_000_000, 28_800, 1_799_971_200_000)
    expected = ["p1", "T1", "7", 1_800_000_000, 28_800, 1_799_971_200_000, 0, 0, [], None, None, 0, 0]
    assert encode_event(punch) == pack(expected)
    scan = Scan("S1", "SF1", "]C1", ScanKind.DELIVERED, 1_799_971_200_000)
    assert encode_event(scan) == pack(["s1", "S1", "SF1", "]C1", 5, 1_799_971_200_000, None, None, 0, 0])


def test_a_full_batch_of_ordinary_punches_takes_at_most_40_bytes_an_event() -> None:
    bodies = []
    for number in range(MAX_EVENTS):
        at = 1_800_000_000 + 7 * number
        user = str(int.from_bytes(os.urandom(2), "big") % 500)
        punch = Punch("CKUH201260021", user, at, 28_800, (at - 28_800) * 1000, raw_codes=(1, 0), drift_ms=120)
        bodies.append(encode_event(msgspec.structs.replace(punch, seen_ms=7000 * number)))
    assert len(encode_ev(os.urandom(16), 1, bodies)) / MAX_EVENTS <= 40
