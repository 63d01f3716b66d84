"""What custom devices may say, and what becomes of bytes that are no such thing."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.custom import codec
from shared.errors import DataError
from shared.punch import Direction, Flag, Method
from shared.scan import ScanKind

SCHEMA = Path(__file__).parents[4] / "docs/reference/custom-events.schema.json"
SENT = "2026-11-02T09:00:00+08:00"
PUNCH = {"number": 7, "user": "1007", "at": "2026-11-02T08:59:30+08:00", "direction": "in", "method": "card"}
SCAN = {"number": 8, "code": "SF1", "at": "2026-11-02T00:59:30.250Z", "kind": "damaged"}


def message(**fields: Any) -> bytes:
    return json.dumps({"device": "T1", "sent": SENT, **fields}).encode()


def test_a_signature_is_that_of_rfc_4231() -> None:
    """Test case 2 of the RFC."""
    text = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert codec.signature(b"Jefe", b"what do ya want for nothing?") == text
    assert codec.is_signed(b"Jefe", b"what do ya want for nothing?", f" {text.upper()}\r\n")
    for wrong in ("", text[:-1], "0" * 64, "ü" * 64):
        assert not codec.is_signed(b"Jefe", b"what do ya want for nothing?", wrong)


def test_a_punch_keeps_the_wall_clock_of_its_own_zone() -> None:
    (entry,) = codec.read_message(message(punches=[PUNCH])).punches
    punch = codec.punch_of(entry, "T1", -1500, 77)
    assert (punch.terminal, punch.user, punch.native_seq) == ("T1", "1007", 7)
    assert (punch.direction, punch.method) == (Direction.IN, Method.CARD)
    assert punch.at == int(datetime(2026, 11, 2, 0, 59, 30, tzinfo=UTC).timestamp()) * 1000
    assert punch.at_device == int(datetime(2026, 11, 2, 8, 59, 30, tzinfo=UTC).timestamp())
    assert (punch.utc_offset_s, punch.drift_ms, punch.seen_ms) == (28_800, -1500, 77)


def test_nothing_is_invented_where_the_device_does_not_say() -> None:
    bare = {key: PUNCH[key] for key in ("number", "user", "at")}
    (entry,) = codec.read_message(message(punches=[bare])).punches
    punch = codec.punch_of(entry, "T1", 0, 0)
    assert (punch.direction, punch.method, punch.raw_codes) == (Direction.UNKNOWN, Method.UNKNOWN, ())


def test_a_scan_keeps_milliseconds_and_falls_back_to_the_kind_of_its_station() -> None:
    plain = {key: SCAN[key] for key in ("number", "code", "at")}
    said, silent = codec.read_message(message(scans=[SCAN, plain])).scans
    scan = codec.scan_of(said, "T1", ScanKind.INBOUND, 0)
    assert (scan.station, scan.code, scan.native_seq, scan.kind) == ("T1", "SF1", 8, ScanKind.DAMAGED)
    assert scan.at == int(datetime(2026, 11, 2, 0, 59, 30, tzinfo=UTC).timestamp()) * 1000 + 250
    assert codec.scan_of(silent, "T1", ScanKind.INBOUND, 0).kind is ScanKind.INBOUND


def test_a_clock_that_was_reset_is_suspect() -> None:
    (entry,) = codec.read_message(message(punches=[PUNCH | {"at": "2009-01-01T00:00:00Z"}])).punches
    assert codec.punch_of(entry, "T1", 0, 0).flags == Flag.CLOCK_SUSPECT


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"number": -1}, "bad_entry"),
        ({"number": "7"}, "bad_entry"),
        ({"user": ""}, "bad_entry"),
        ({"user": "7\u0000"}, "bad_entry"),
        ({"user": "x" * 65}, "bad_entry"),
        ({"at": "2026-11-02T08:59:30"}, "bad_entry"),
        ({"at": "0001-01-01T00:00:00+23:59"}, "bad_time"),
        ({"at": "9999-12-31T23:59:59-23:59"}, "bad_time"),
        ({"direction": "sideways"}, "bad_entry"),
    ],
)
def test_one_bad_entry_is_named_and_leaves_the_others_alone(change: dict[str, object], code: str) -> None:
    found = codec.read_message(message(punches=[PUNCH, PUNCH | change], scans=[SCAN]))
    assert (len(found.punches), len(found.scans)) == (1, 1)
    assert [(bad.place, bad.code) for bad in found.bad] == [("punches[1]", code)]


def test_sec11_what_is_no_field_of_ours_is_dropped_unread() -> None:
    photo = {"photo": "FACE-TEMPLATE", "user": "FACE-TEMPLATE" * 200}
    found = codec.read_message(
        message(picture="FACE-TEMPLATE", punches=[PUNCH | {"photo": "FACE-TEMPLATE"}, photo, "FACE-TEMPLATE"])
    )
    assert len(found.punches) == 1
    assert len(found.bad) == 2
    assert "FACE-TEMPLATE" not in repr(found)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"[]", "bad_json"),
        (b"{", "bad_json"),
        (b"\xff", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"device":"T1"}', "bad_json"),
        (message(punches={}), "bad_json"),
        (message(punches=[PUNCH] * 300, scans=[SCAN] * 201), "too_many"),
    ],
)
def test_a_message_that_is_none_is_refused_as_a_whole(body: bytes, code: str) -> None:
    with pytest.raises(DataError) as error:
        codec.read_message(body)
    assert error.value.code == code


def _mutated(draw: random.Random) -> bytes:
    body = bytearray(message(punches=[PUNCH], scans=[SCAN]))
    for _ in range(draw.randrange(1, 6)):
        place = draw.randrange(len(body))
        match draw.randrange(3):
            case 0:
                body[place] = draw.randrange(256)
            case 1:
                del body[place : place + draw.randrange(20)]
            case _:
                body[place:place] = draw.randbytes(draw.randrange(8))
        if not body:
            break
    return bytes(body)


def _holds(body: bytes) -> None:
    try:
        found = codec.read_message(body)
    except DataError:
        return
    for punch in found.punches:
        codec.punch_of(punch, found.device, 0, 0)
    for scan in found.scans:
        codec.scan_of(scan, found.device, ScanKind.UNKNOWN, 0)


def test_sec33_codec_fuzz() -> None:
    draw = random.Random(20_261_102)
    for _ in range(10_000):
        _holds(_mutated(draw))


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    draw = random.Random(33)
    for _ in range(100_000):
        _holds(_mutated(draw) if draw.random() < 0.8 else draw.randbytes(draw.randrange(200)))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_json_is_a_message_or_a_data_error(value: object) -> None:
    _holds(json.dumps({"device": "T1", "sent": SENT, "punches": [value]}).encode())


def test_the_published_schema_is_that_of_the_code() -> None:
    assert SCHEMA.read_bytes() == codec.json_schema()
