"""Bytes of BioStar 2 and of the G-SDK, decoded without a network."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.device import Decoder
from gateway.drivers.suprema import codec
from gateway.drivers.suprema.codec import Bad, Row
from gateway.drivers.suprema.driver import DRIVER, Place
from gateway.profile import load_profile, profile_folder
from shared.clock import to_ms
from shared.errors import DataError
from shared.punch import Direction, Flag, Method, Punch

CAPTURES = Path(__file__).parents[3] / "captures" / "suprema"
AT = datetime(2026, 11, 23, 0, 59, 1, tzinfo=UTC)


def row(**changes: Any) -> bytes:
    plain: dict[str, Any] = {
        "id": "31542",
        "datetime": "2026-11-23T00:59:01.00Z",
        "index": "4711",
        "user_id": {"user_id": "1000", "name": "WANG WEI"},
        "device_id": {"id": "541612345", "name": "Gate"},
        "event_type_id": {"code": "4867"},
        "tna_key": "1",
    }
    return json.dumps({**plain, **changes}).encode()


def one(raw: bytes) -> Row:
    item = codec.event_of(raw)
    assert isinstance(item, Row)
    return item


@pytest.mark.parametrize(
    ("capture", "kind", "number"), [("events.json", "events", 31542), ("event-log.jsonl", "log", 4711)]
)
def test_worked_examples_of_the_page(capture: str, kind: str, number: int) -> None:
    expected = json.loads((CAPTURES / "worked-example.json").read_text())["punches"][0]
    assert isinstance(DRIVER, Decoder)
    (told,) = DRIVER.decode((CAPTURES / capture).read_bytes(), load_profile("suprema/biostation-3"), UTC, "server")
    (punch,) = told.events
    assert isinstance(punch, Punch)
    assert (told.kind, told.problems) == (kind, ())
    assert (punch.terminal, punch.user) == (expected["terminal"], expected["user"])
    assert punch.at == to_ms(datetime.fromisoformat(expected["at"]))
    assert (punch.direction, punch.method) == (Direction[expected["direction"]], Method[expected["method"]])
    assert (punch.raw_codes, punch.native_seq) == ((expected["code"], 1), number)


@pytest.mark.parametrize(
    "text", ["2026-11-23T00:59:01.00Z", "2026-11-23T00:59:01.000Z", "2026-11-23T08:59:01+08:00", "2026-11-23 00:59:01"]
)
def test_times_are_utc_whatever_offset_they_carry(text: str) -> None:
    assert codec.utc_second(text) == int(AT.timestamp())


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"]
)
def test_an_impossible_time_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        codec.utc_second(text)
    assert codec.event_of(row(datetime=text)).reason == "bad_time"  # type: ignore[union-attr]


def test_numbers_may_be_numbers() -> None:
    as_numbers = row(
        id=31542,
        index=4711,
        user_id={"user_id": 1000},
        device_id={"id": 541612345},
        event_type_id={"code": 4867},
        tna_key=1,
    )
    assert codec.event_of(as_numbers) == codec.event_of(row())


@pytest.mark.parametrize(
    ("main", "punches"),
    [
        (0x1000, 1),
        (0x1100, 0),
        (0x1200, 1),
        (0x1300, 1),
        (0x1400, 0),
        (0x1500, 1),
        (0x1600, 1),
        (0x1700, 0),
        (0x1800, 0),
        (0x1900, 0),
        (0x1A00, 0),
        (0x2000, 0),
        (0x3200, 0),
        (0x4200, 0),
        (0x5000, 0),
        (0x6000, 0),
    ],
)
def test_only_success_events_with_a_user_are_punches(main: int, punches: int) -> None:
    page = (
        b'{"EventCollection":{"rows":['
        + row(event_type_id={"code": str(main | 1)})
        + b","
        + row(event_type_id={"code": str(main | 1)}, user_id=None)
        + b"]}}"
    )
    (told,) = DRIVER.decode(page, load_profile("suprema/biostar-2"), UTC, "server")
    assert (len(told.events), len(told.health)) == (punches, 2 - punches)


def test_unknown_codes_stay_numbers() -> None:
    (told,) = DRIVER.decode(
        b'{"Event":' + row(event_type_id={"code": "4991"}, tna_key="9") + b"}",
        load_profile("suprema/biostar-2"),
        UTC,
        "s",
    )
    (punch,) = told.events
    assert isinstance(punch, Punch)
    assert (punch.direction, punch.method, punch.raw_codes) == (Direction.UNKNOWN, Method.UNKNOWN, (4991, 9))


def test_a_year_before_2015_is_suspect() -> None:
    (told,) = DRIVER.decode(
        b'{"Event":' + row(datetime="2000-01-01T00:00:05Z") + b"}", load_profile("suprema/biostar-2"), UTC, "s"
    )
    assert told.events[0].flags is Flag.CLOCK_SUSPECT  # type: ignore[union-attr]


def test_sec11_a_bad_row_keeps_no_name_and_no_picture() -> None:
    bad = codec.event_of(
        row(
            datetime="never",
            user_id={"user_id": "1000", "name": "WANG WEI", "photo": "MARKER" * 99},
            user_id_name="1000(WANG WEI)",
            photo="MARKER",
        )
    )
    assert isinstance(bad, Bad)
    assert b"541612345" in bad.raw
    assert b"MARKER" not in bad.raw
    assert b"WANG" not in bad.raw


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1",
        b"<html>",
        b'{"EventCollection":null}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"EventCollection":{"rows":7}}',
    ],
)
def test_what_is_nothing_of_suprema_is_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        DRIVER.decode(data, load_profile("suprema/biostar-2"), UTC, "server")


def test_a_broken_line_among_good_ones_is_a_problem_only() -> None:
    line = (CAPTURES / "event-log.jsonl").read_bytes()
    told = DRIVER.decode(line + b"{broken\n" + line, load_profile("suprema/biostar-2"), UTC, "s")
    assert [len(one.events) for one in told] == [1, 0, 1]
    assert told[1].problems[0].code == "bad_answer"


def test_the_question_names_both_ends_in_utc() -> None:
    first, last = (
        int(datetime(2026, 11, 22, 16, tzinfo=UTC).timestamp()),
        int(datetime(2026, 11, 23, 16, tzinfo=UTC).timestamp()),
    )
    assert codec.search(first, last, 200, 0) == {
        "Query": {
            "limit": 200,
            "offset": 0,
            "conditions": [
                {
                    "column": "datetime",
                    "operator": 3,
                    "values": ["2026-11-22T16:00:00.000Z", "2026-11-23T16:00:00.000Z"],
                }
            ],
            "orders": [{"column": "datetime", "descending": False}],
        }
    }


@pytest.mark.parametrize("value", [None, b"", b"x", b"[2, 5]", b'[1, "x"]', b"[1]", b"7"])
def test_a_strange_place_means_from_the_start(value: bytes | None) -> None:
    assert Place.decode(value) == Place()


def test_a_place_survives_encoding() -> None:
    assert Place.decode(Place(1795395541).encode()) == Place(1795395541)


@given(st.text(max_size=12), st.integers(0, 65535), st.integers(0, 4_000_000_000), st.integers(0, 1 << 62))
def test_any_row_that_the_server_can_write_is_read_back(user: str, code: int, second: int, number: int) -> None:
    at = datetime.fromtimestamp(second, UTC)
    raw = row(
        id=str(number),
        datetime=f"{at:%Y-%m-%dT%H:%M:%S}.00Z",
        event_type_id={"code": str(code)},
        user_id={"user_id": user},
    )
    found = one(raw)
    assert (found.user, found.code, found.second, found.number) == (user.strip()[:64], code, second, number)


def hostile(draw: random.Random, good: bytes) -> bytes:
    """A sound message with bytes changed, cut, doubled."""
    data = bytearray(good)
    for _ in range(draw.randint(1, 6)):
        place = draw.randrange(len(data) + 1)
        match draw.randrange(4):
            case 0:
                data[place : place + 1] = bytes([draw.randrange(256)])
            case 1:
                del data[place : place + draw.randint(1, 40)]
            case 2:
                data[place:place] = draw.choice(
                    [b'"', b"{", b"[", b"null", b"1e999", b"-1", b'"\\ud800"', b"99999999999999999999"]
                )
            case _:
                data[place:place] = data[place : place + 30]
    return bytes(data)


def fuzz(count: int) -> None:
    draw = random.Random(33)
    goods = [(CAPTURES / name).read_bytes() for name in ("events.json", "event-log.jsonl")] + [
        b'{"Event":' + row() + b"}"
    ]
    readers: list[Callable[[bytes], object]] = [
        codec.capture_items,
        codec.devices_of,
        codec.users_of,
        lambda data: DRIVER.decode(data, load_profile_once(), UTC, "s"),
    ]
    for n in range(count):
        data = hostile(draw, draw.choice(goods)) if n % 10 else draw.randbytes(draw.randrange(60))
        try:
            readers[n % len(readers)](data)
        except DataError:
            continue


def load_profile_once() -> Any:
    return PROFILE


PROFILE = load_profile("suprema/biostar-2")


def test_sec33_codec_fuzz() -> None:
    fuzz(10_000)


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    fuzz(100_000)


BIO = {"biostar-2", "biostation-2", "biostation-a2", "biostation-l2", "biostation-3", "biolite-n2"}
MODELS = sorted(BIO | {"facestation-2", "facestation-f2", "x-station-2", "xpass-2", "bioentry-w2", "bioentry-p2"})


def test_the_models_of_the_page_are_there() -> None:
    assert {path.stem for path in (profile_folder() / "suprema").glob("*.toml")} == set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_a_profile_fits_the_driver(model: str) -> None:
    profile = load_profile(f"suprema/{model}")
    assert (profile.family, profile.link.transport, profile.evidence) == ("suprema", "http", "untested")
    assert set(profile.quirks) <= DRIVER.quirks
    assert [profile.direction(key) for key in (0, 1, 2, 3, 4, 7)] == [
        Direction.UNKNOWN,
        Direction.IN,
        Direction.OUT,
        Direction.BREAK_OUT,
        Direction.BREAK_IN,
        Direction.UNKNOWN,
    ]
    assert [profile.method(code) for code in (0x1301, 0x1303, 0x1001, 0x1006)] == [
        Method.FINGER,
        Method.FACE,
        Method.PIN,
        Method.CARD,
    ]
