"""Messages of these terminals, decoded without a network."""

import json
import random
import re
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.device import Decoder
from gateway.drivers.aiface_ws import codec
from gateway.drivers.aiface_ws.codec import Bad, Happening, Row
from gateway.drivers.aiface_ws.driver import DRIVER
from gateway.drivers.aiface_ws.server import Place
from gateway.profile import load_profile, profile_folder
from shared.clock import to_ms
from shared.errors import DataError
from shared.punch import Direction, Flag, Method, Punch

CAPTURES = Path(__file__).parents[3] / "captures" / "aiface_ws"
EXAMPLE = (CAPTURES / "worked-example.txt").read_bytes()
SHANGHAI = ZoneInfo("Asia/Shanghai")
PROFILE = load_profile("timmy/tfs30")


def sendlog(*rows: Any, **fields: Any) -> bytes:
    said = {"cmd": "sendlog", "sn": "S1", "count": len(rows), "logindex": 0, "record": list(rows), **fields}
    return json.dumps(said).encode()


def row(**changes: Any) -> dict[str, Any]:
    return {"enrollid": 1000, "time": "2026-11-23 08:59:01", "mode": 8, "inout": 0, "event": 0, **changes}


def item(profile_stranger: bool = False, **changes: Any) -> codec.Item:
    return codec.items_of(codec.message_of(sendlog(row(**changes))), stranger_events=profile_stranger)[0]


def test_the_worked_example_of_the_page() -> None:
    expected = json.loads((CAPTURES / "worked-example.json").read_text())
    assert isinstance(DRIVER, Decoder)
    told = DRIVER.decode(EXAMPLE, PROFILE, SHANGHAI, "x")
    assert [one.kind for one in told] == ["reg", "answer reg", "sendlog", "answer sendlog"]
    (punch,) = [event for one in told for event in one.events]
    assert isinstance(punch, Punch)
    (said,) = expected["punches"]
    assert (punch.terminal, punch.user, punch.native_seq) == (said["terminal"], said["user"], said["native_seq"])
    assert punch.at == to_ms(datetime.fromisoformat(said["at"]))
    assert (punch.method.name, punch.direction.name) == (said["method"], said["direction"])
    assert [fact.code for fact in told[2].health] == expected["health"]
    assert told[0].health[0].detail == {"model": "tfs30", "firmware": "th600w v6.3", "users": None, "log_used": 812}


def test_answers_of_the_page() -> None:
    lines = EXAMPLE.decode().splitlines()
    assert codec.answer("reg", cloudtime="2026-11-23 08:58:01", nosenduser=True) == lines[1].removeprefix("srv > ")
    said = codec.answer("sendlog", count=2, logindex=10, cloudtime="2026-11-23 08:59:02")
    assert said == lines[3].removeprefix("srv > ")
    assert json.loads(codec.refusal("reg", "did not reg")) == {"ret": "reg", "result": False, "reason": "did not reg"}


@pytest.mark.parametrize(
    "text",
    [
        '{"cmd":"reg","sn":"S1","devinfo":{"x":[1,2,],},}',
        '{"cmd ":"reg","sn ":"S1"}',
        '{"cmd":"reg  ","sn":"S1 "}',
        '\ufeff{"cmd":"REG","sn":"S1"}\x00\r\n',
        '{"cmd":"reg","sn":"S1","name":"a,]b,}",\n}',
    ],
)
def test_json_of_old_firmware_is_repaired(text: str) -> None:
    message = codec.message_of(text.encode())
    assert (message.name, message.is_answer, message.serial) == ("reg", False, "S1")


def test_repair_leaves_texts_alone() -> None:
    assert codec.repair('{"a":"x,]","b":["\\",]",],}') == '{"a":"x,]","b":["\\",]"]}'


@given(
    st.recursive(st.none() | st.integers(-9999, 9999) | st.text(max_size=8), lambda kids: st.lists(kids, max_size=3))
)
def test_repair_of_a_trailing_comma_yields_what_was_meant(value: Any) -> None:
    plain = json.dumps({"cmd": "x", "v": value})
    broken = re.sub(r"(?<=[^\[{])\]", ",]", plain) if '"' not in json.dumps(value) else plain
    assert codec.message_of(broken.encode()).fields == json.loads(plain)


def test_repair_takes_time_in_proportion() -> None:
    start = process_time()
    for hostile in ('"\\"' * 700_000, ",]" * 700_000, "," * 1_400_000, '{"cmd":"sendlog","name":"' + '\\"' * 500_000):
        codec.repair(hostile)
        codec.salvage(hostile.encode())
    assert process_time() - start < 5


@pytest.mark.parametrize("user", [1000, "1000", "A-77", " 1000 "])
def test_enrollid_is_a_number_or_text(user: Any) -> None:
    found = item(enrollid=user)
    assert isinstance(found, Row)
    assert found.user == str(user).strip()


@pytest.mark.parametrize(("event", "name"), list(enumerate(codec.EVENTS.values())))
def test_user_0_is_the_door(event: int, name: str) -> None:
    assert item(enrollid=0, event=event) == item(enrollid="0", event=event) == Happening(name, event)


def test_strangers_are_no_punches() -> None:
    assert item(enrollid=99999999) == item(enrollid="99999999") == Happening("stranger", 0)
    assert item(profile_stranger=True, event=2, image="x") == Happening("stranger", 2)
    assert isinstance(item(event=2, image="x"), Row)
    assert isinstance(item(profile_stranger=True, event=2), Row)


@pytest.mark.parametrize(
    ("model", "mode", "method"),
    [
        ("timmy/tfs30", 1, Method.FINGER), ("timmy/tfs30", 2, Method.PASSWORD), ("timmy/tfs30", 3, Method.CARD),
        ("timmy/tfs30", 8, Method.FACE), ("timmy/tfs30", 0, Method.UNKNOWN), ("timmy/tfs30", 99, Method.UNKNOWN),
        ("timmy/old-modes", 0, Method.FINGER), ("timmy/old-modes", 1, Method.CARD),
        ("timmy/old-modes", 2, Method.PASSWORD),
    ],
)  # fmt: skip
def test_mode_is_what_the_profile_says(model: str, mode: int, method: Method) -> None:
    (told,) = DRIVER.decode(sendlog(row(mode=mode, inout=7, event=5)), load_profile(model), SHANGHAI, "S1")
    punch = told.events[0]
    assert isinstance(punch, Punch)
    assert (punch.method, punch.direction, punch.raw_codes) == (method, Direction.UNKNOWN, (mode, 7, 5))


def test_verifymode_13_is_qr() -> None:
    (told,) = DRIVER.decode(sendlog(row(verifymode=13)), PROFILE, SHANGHAI, "S1")
    assert (told.events[0].method, told.events[0].raw_codes) == (Method.QR, (8, 0, 0, 13))  # type: ignore[union-attr]


def test_a_model_whose_inout_is_always_0_tells_no_direction() -> None:
    (told,) = DRIVER.decode(sendlog(row()), load_profile("dixi/facial-40"), SHANGHAI, "S1")
    assert told.events[0].direction is Direction.UNKNOWN  # type: ignore[union-attr]


def test_a_date_without_leading_zeros_is_read() -> None:
    found = item(time="2026-1-5 8:09:01")
    assert isinstance(found, Row)
    assert found.at_device == int(datetime(2026, 1, 5, 8, 9, 1, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "time", [None, "", 5, "2026-13-01 00:00:00", "0000-00-00 00:00:00", "2026-11-23", "9999-01-01 00:00:00"]
)
def test_an_impossible_time_is_kept_without_name_and_picture(time: Any) -> None:
    bad = item(time=time, name="WANG WEI", image="MARKER" * 50, record="MARKER")
    assert isinstance(bad, Bad)
    assert bad.reason == "bad_time"
    assert b"1000" in bad.raw
    assert b"MARKER" not in bad.raw
    assert b"WANG" not in bad.raw


def test_a_year_before_2015_is_suspect() -> None:
    (told,) = DRIVER.decode(sendlog(row(time="2000-01-01 00:00:05")), PROFILE, SHANGHAI, "S1")
    assert told.events[0].flags is Flag.CLOCK_SUSPECT  # type: ignore[union-attr]


def test_facts_may_be_at_the_top() -> None:
    below = {
        "modelname": "ai518",
        "firmware": "v1.27",
        "useduser": "7",
        "usedlog": 812,
        "logsize": 1000,
        "time": "2026-11-23 08:58:00",
    }
    one = codec.facts_of(codec.message_of(json.dumps({"cmd": "reg", "sn": "S1", "devinfo": below}).encode()))
    assert one == codec.facts_of(codec.message_of(json.dumps({"cmd": "reg", "sn": "S1", **below}).encode()))
    assert (one.model, one.firmware, one.users, one.log_used, one.log_capacity) == ("ai518", "v1.27", 7, 812, 1000)
    assert one.second == int(datetime(2026, 11, 23, 8, 58, tzinfo=UTC).timestamp())


def test_gettime_is_an_answer_without_result() -> None:
    message = codec.message_of(b'{"ret":"gettime","time":"2026-11-23 08:58:00"}')
    assert message.ok
    assert not codec.message_of(b'{"ret":"settime","result":false,"reason":1}').ok


def test_what_a_broken_message_is_worth() -> None:
    data = (
        b'{"cmd":"sendlog","sn":"S1","count":1,"logindex":7,"record":[{"enrollid":1000;"name":"WANG","image":"'
        + b"M" * 500
        + b'"}]'
    )
    rest = codec.salvage(data)
    assert (rest.name, rest.is_answer, rest.serial, rest.count, rest.index) == ("sendlog", False, "S1", 1, 7)
    assert b"1000" in rest.raw
    assert b"MMM" not in rest.raw
    assert b"WANG" not in rest.raw


def test_sec11_nothing_is_kept_of_a_broken_message_with_templates() -> None:
    assert codec.salvage(b'{"cmd":"senduser","sn":"S1","backupnum":10,"record":123456;').raw == b""


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"7", b'"x"', b'{"cmd":""}', b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"9" * 6000],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        codec.message_of(data)
    with pytest.raises(DataError):
        DRIVER.decode(data, PROFILE, SHANGHAI, "S1")


@pytest.mark.parametrize("value", [None, b"", b"x", b"0", b"[2,true,1]", b'[1,"x",1]', b"[1,true]"])
def test_a_strange_place_means_nothing_read(value: bytes | None) -> None:
    assert Place.decode(value) == Place()


def test_a_place_survives_encoding() -> None:
    assert Place.decode(Place(complete=True, index=7).encode()) == Place(complete=True, index=7)


def fuzz(count: int) -> None:
    draw = random.Random(33)
    goods = [line.split(b"> ", 1)[1] for line in EXAMPLE.splitlines()]
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
                    data[place:place] = draw.choice(
                        [b'"', b"{", b"[", b",]", b"null", b"1e999", b"NaN", b"9" * 25, b"true"]
                    )
        codec.salvage(bytes(data))
        try:
            message = codec.message_of(bytes(data))
            codec.items_of(message, stranger_events=bool(n % 2))
            codec.page_of(message, stranger_events=False)
            codec.facts_of(message)
            codec.enrolled_of(message)
            codec.name_of(message)
            codec.card_of(message)
            DRIVER.decode(bytes(data), PROFILE, SHANGHAI, "S1")
        except DataError:
            continue


def test_sec33_codec_fuzz() -> None:
    fuzz(10_000)


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    fuzz(100_000)


MODELS = {
    "timmy/tfs20", "timmy/tfs30", "timmy/old-modes", "wemax/we-68-plus", "dixi/facial-40", "salarybox/bs-52",
    "topdata/facial-reader", "aiface/ai-face-11", "aiface/ai810", "fingerspot/revo-w-230n-ws",
}  # fmt: skip


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_profile_fits_the_driver(model: str) -> None:
    profile = load_profile(model)
    assert (profile.family, profile.link.transport, profile.evidence) == ("aiface_ws", "http", "untested")
    assert profile.link.port == (7792 if model == "salarybox/bs-52" else 7788)
    assert set(profile.quirks) <= DRIVER.quirks
    assert profile.method(8) is Method.FACE
    assert (profile_folder() / f"{model}.toml").is_file()
