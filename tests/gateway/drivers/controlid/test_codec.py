"""Bytes of Control iD terminals, decoded without a network."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.device import Decoder
from gateway.drivers.controlid import codec
from gateway.drivers.controlid.codec import Bad, Row, User
from gateway.drivers.controlid.driver import DRIVER, Place
from gateway.drivers.controlid.events import user_text
from gateway.profile import load_profile, profile_folder
from shared.clock import to_ms
from shared.errors import DataError
from shared.punch import Direction, Flag, Method, Punch

CAPTURES = Path(__file__).parents[3] / "captures" / "controlid"
SHANGHAI = ZoneInfo("Asia/Shanghai")
PROFILE = load_profile("controlid/idface")


def row(**changes: Any) -> bytes:
    plain: dict[str, Any] = {"id": 41, "time": 1795424341, "event": 7, "user_id": 1000, "portal_id": 1}
    return json.dumps({**plain, **changes}).encode()


def answer(*rows: bytes) -> bytes:
    return b'{"access_logs":[' + b",".join(rows) + b"]}"


@pytest.mark.parametrize(("capture", "kind"), [("access-logs.json", "access_logs"), ("dao.json", "dao")])
def test_worked_examples_of_the_page(capture: str, kind: str) -> None:
    expected = json.loads((CAPTURES / "worked-example.json").read_text())["punches"][0]
    assert isinstance(DRIVER, Decoder)
    (told,) = DRIVER.decode((CAPTURES / capture).read_bytes(), PROFILE, SHANGHAI, "S1")
    (punch,) = told.events
    assert isinstance(punch, Punch)
    assert (told.kind, told.problems, told.health) == (kind, (), ())
    assert (punch.terminal, punch.user, punch.native_seq) == ("S1", expected["user"], expected["native_seq"])
    assert f"{datetime.fromtimestamp(punch.at_device or 0, UTC):%Y-%m-%d %H:%M:%S}" == expected["local_time"]
    assert punch.at == to_ms(datetime.fromisoformat(expected["at"]))
    assert punch.raw_codes[0] == expected["event"]
    assert (punch.direction, punch.method) == (Direction.UNKNOWN, Method.UNKNOWN)


def test_a_firmware_that_counts_utc_is_read_by_its_quirk() -> None:
    profile = msgspec.structs.replace(PROFILE, quirks=["utc_epoch"])
    (told,) = DRIVER.decode(answer(row(time=1795395541)), profile, SHANGHAI, "S1")
    punch = told.events[0]
    assert isinstance(punch, Punch)
    assert (punch.at_device, punch.at) == (1795424341, 1795395541000)


def test_the_sample_with_event_12_and_user_0_is_no_punch() -> None:
    (told,) = DRIVER.decode(answer(row(event=12, user_id=0)), PROFILE, SHANGHAI, "S1")
    assert (told.events, told.health[0].detail["event"]) == ((), 12)


@pytest.mark.parametrize("event", [n for n in range(1, 16) if n != 7])
def test_only_access_granted_is_a_punch(event: int) -> None:
    (told,) = DRIVER.decode(answer(row(event=event), row(event=7, user_id=0)), PROFILE, SHANGHAI, "S1")
    assert (told.events, len(told.health)) == ((), 2)


def test_a_profile_may_grant_by_other_events_and_name_portals() -> None:
    codes = msgspec.structs.replace(PROFILE.codes, granted=[7, 15], direction={"2": "out"}, method={"3": "face"})
    profile = msgspec.structs.replace(PROFILE, codes=codes)
    (told,) = DRIVER.decode(answer(row(event=15, portal_id=2, identifier_id=3)), profile, SHANGHAI, "S1")
    punch = told.events[0]
    assert isinstance(punch, Punch)
    assert (punch.direction, punch.method, punch.raw_codes) == (Direction.OUT, Method.FACE, (15, 2, 0, 3))


@given(st.integers(1, 1 << 50), st.integers(0, 4_000_000_000), st.integers(0, 30), st.integers(0, 1 << 40))
def test_text_and_numbers_mean_the_same(number: int, time: int, event: int, user: int) -> None:
    values = {"id": number, "time": time, "event": event, "user_id": user, "portal_id": 1}
    found = codec.row_of(json.dumps(values).encode())
    assert isinstance(found, Row)
    assert (found.number, found.time, found.event, found.user_id) == (number, time, event, user)
    assert found == codec.row_of(json.dumps({name: str(value) for name, value in values.items()}).encode())


def test_a_year_before_2015_is_suspect() -> None:
    (told,) = DRIVER.decode(answer(row(time=5)), PROFILE, SHANGHAI, "S1")
    assert told.events[0].flags is Flag.CLOCK_SUSPECT  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "reason"), [({"time": -1}, "bad_row"), ({"time": 1 << 40}, "bad_time"), ({"event": None}, "bad_row")]
)
def test_a_row_that_can_not_be_read_keeps_its_number_and_no_card(changes: Any, reason: str) -> None:
    bad = codec.row_of(row(card_value=998877, qrcode_value="MARKER", **changes))
    assert isinstance(bad, Bad)
    assert (bad.reason, bad.number) == (reason, 41)
    assert b"MARKER" not in bad.raw
    assert b"998877" not in bad.raw


def test_a_person_without_registration_is_nobody_elses() -> None:
    users = {1: User(1, "1000", ""), 2: User(2, "", "")}
    assert [user_text(n, users) for n in (1, 2, 3)] == ["1000", "id:2", "id:3"]


def test_changes_of_templates_are_named_and_not_kept() -> None:
    data = b'{"object_changes":[{"object":"templates","type":"inserted","values":{"template":"MARKER"}}],"device_id":1}'
    (told,) = DRIVER.decode(data, PROFILE, SHANGHAI, "S1")
    assert (told.events, told.health[0].detail) == ((), {"object": "templates"})
    assert "MARKER" not in repr(told)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"<html>", b'{"access_logs":"x"}', b"\xff", b"[" * 99_999])
def test_what_is_nothing_of_the_family_is_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        DRIVER.decode(data, PROFILE, SHANGHAI, "S1")


def test_one_message_a_line() -> None:
    lines = (CAPTURES / "dao.json").read_bytes() + b'{"access_logs":3}\n{broken\n'
    told = DRIVER.decode(lines, PROFILE, SHANGHAI, "S1")
    assert [one.kind for one in told] == ["dao", "device_is_alive", "broken"]


@pytest.mark.parametrize("value", [None, b"", b"x", b"[2,0,1,2,3]", b'[1,0,"x",2,3]', b"[1]", b"7"])
def test_a_strange_place_means_from_the_start(value: bytes | None) -> None:
    assert Place.decode(value) == Place()


def test_a_place_survives_encoding() -> None:
    assert Place.decode(Place(2, 41, 1795424341, 1000).encode()) == Place(2, 41, 1795424341, 1000)


def test_the_question_of_the_page() -> None:
    assert codec.load("access_logs", 40, 500) == {
        "object": "access_logs",
        "where": {"access_logs": {"id": {">": 40}}},
        "order": ["ascending", "id"],
        "limit": 500,
    }
    assert codec.clock_message(datetime(2026, 11, 23, 9)) == {
        "day": 23,
        "month": 11,
        "year": 2026,
        "hour": 9,
        "minute": 0,
        "second": 0,
    }


def fuzz(count: int) -> None:
    draw = random.Random(33)
    goods = [path.read_bytes() for path in CAPTURES.glob("*.json")]
    goods += [b'{"users":[{"id":1,"registration":"7","name":"A"}]}', b'{"serial":"1","time":5}', b'{"ids":[1]}']
    readers: list[Callable[[bytes], object]] = [
        codec.capture_items, codec.users_of, codec.system_of, codec.count_of, codec.cards_of, codec.new_id_of,
        codec.alive_of, lambda data: DRIVER.decode(data, PROFILE, SHANGHAI, "S1"),
    ]  # fmt: skip
    for n in range(count):
        data = bytearray(draw.choice(goods))
        for _ in range(draw.randint(1, 6)):
            place = draw.randrange(len(data) + 1)
            match draw.randrange(3):
                case 0:
                    data[place : place + 1] = bytes([draw.randrange(256)])
                case 1:
                    del data[place : place + draw.randint(1, 30)]
                case _:
                    data[place:place] = draw.choice([b'"', b"{", b"[", b"null", b"1e999", b"-1", b"9" * 25, b"true"])
        try:
            readers[n % len(readers)](bytes(data))
        except DataError:
            continue


def test_sec33_codec_fuzz() -> None:
    fuzz(10_000)


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    fuzz(100_000)


@pytest.mark.parametrize("model", ["idaccess", "idfit", "idflex", "idface", "idblock"])
def test_a_profile_fits_the_driver(model: str) -> None:
    profile = load_profile(f"controlid/{model}")
    assert (profile.family, profile.link.transport, profile.evidence) == ("controlid", "http", "untested")
    assert (profile.codes.granted, set(profile.quirks) <= DRIVER.quirks) == ([7], True)
    assert model in {path.stem for path in (profile_folder() / "controlid").glob("*.toml")}
