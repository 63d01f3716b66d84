"""What a Hikvision terminal writes, read; expected values come from the protocol page."""

import json
import random
import time
import tracemalloc
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.hikvision import codec
from gateway.drivers.hikvision.codec import GRANTED, Bad, Other, Row
from gateway.drivers.hikvision.driver import DRIVER
from gateway.profile import load_profile
from shared.clock import from_ms
from shared.errors import DataError, MusterError
from shared.punch import Flag, Punch

CAPTURES = Path(__file__).parents[3] / "captures" / "hikvision"
SHANGHAI = ZoneInfo("Asia/Shanghai")
MARKER = "SECRET-MARKER"
SIZE = 256 * 1024


def row(**more: object) -> dict[str, object]:
    """An event of a search with these fields."""
    return {
        "major": 5,
        "minor": 75,
        "time": "2026-11-23T08:59:01+08:00",
        "employeeNoString": "1000",
        "serialNo": 4711,
    } | more


@pytest.mark.parametrize("name", ["search", "push"])
def test_the_worked_examples_decode(name: str) -> None:
    example = json.loads((CAPTURES / f"{name}.json").read_text())
    (found,) = DRIVER.decode(
        example["body"].encode(), load_profile(example["profile"]), ZoneInfo(example["zone"]), "T1"
    )
    assert found.kind == example["kind"]
    assert [shown(event) for event in found.events if isinstance(event, Punch)] == example["punches"]
    assert [fact.detail for fact in found.health] == example["health"]
    assert found.problems == ()


def shown(punch: Punch) -> dict[str, object]:
    return {
        "user": punch.user,
        "at": f"{from_ms(punch.at):%Y-%m-%dT%H:%M:%SZ}",
        "direction": punch.direction.name,
        "method": punch.method.name,
        "native_seq": punch.native_seq,
        "raw_codes": list(punch.raw_codes),
    }


@pytest.mark.parametrize("minor", [1, 8, 38, 75])
def test_a_granted_event_of_a_person_is_a_punch(minor: int) -> None:
    found = codec.item_of(row(minor=minor), GRANTED)
    assert isinstance(found, Row)
    assert (found.user, found.minor, found.offset_s) == ("1000", minor, 28_800)


@pytest.mark.parametrize("minor", [9, 21, 22, 39, 76, 104])
def test_refusals_and_doors_are_no_punches(minor: int) -> None:
    assert codec.item_of(row(minor=minor), GRANTED) == Other(5, minor, 4711)


@pytest.mark.parametrize(
    "event", [row(major=1), row(major=2), row(major=3), row(employeeNoString=""), row(employeeNoString="0")]
)
def test_alarms_operations_and_strangers_are_no_punches(event: dict[str, object]) -> None:
    assert isinstance(codec.item_of(event, GRANTED), Other)


def test_an_unknown_code_of_a_person_is_kept_as_one() -> None:
    found = codec.item_of(row(minor=151, name=MARKER), GRANTED)
    assert isinstance(found, Bad)
    assert (found.reason, json.loads(found.raw)["minor"]) == ("unknown_code", "151")
    assert isinstance(codec.item_of(row(minor=151), GRANTED | {151}), Row)


def test_an_older_terminal_writes_a_number_for_the_employee() -> None:
    found = codec.item_of({**row(employeeNo=17), "employeeNoString": None}, GRANTED)
    assert isinstance(found, Row)
    assert found.user == "17"


@pytest.mark.parametrize(
    ("status", "number"),
    [
        *(("undefined", 0), ("checkIn", 1), ("checkOut", 2), ("breakOut", 3), ("breakIn", 4)),
        *(("overtimeIn", 5), ("overtimeOut", 6), ("new", -1)),
    ],
)
def test_attendance_states_have_numbers(status: str, number: int) -> None:
    found = codec.item_of(row(attendanceStatus=status), GRANTED)
    assert isinstance(found, Row)
    assert found.attendance == number


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (row(time="2026-02-30T08:59:01+08:00"), "bad_time"),
        (row(time=""), "bad_time"),
        (row(employeeNoString="x" * 65), "bad_user"),
        (row(employeeNoString="\x07"), "bad_user"),
        (row(minor="x"), "bad_row"),
        ({}, "bad_row"),
    ],
)
def test_a_row_that_is_no_punch_says_why(event: dict[str, object], reason: str) -> None:
    found = codec.item_of(event, GRANTED)
    assert isinstance(found, Bad)
    assert found.reason == reason


def test_a_clock_of_1970_is_kept_and_flagged() -> None:
    body = json.dumps({"AcsEvent": {"InfoList": [row(time="1970-01-01T00:03:07+08:00")]}}).encode()
    (found,) = DRIVER.decode(body, load_profile("hikvision/ds-k1t341am"), SHANGHAI, "T1")
    (punch,) = found.events
    assert isinstance(punch, Punch)
    assert (punch.at_device, punch.flags, punch.native_seq) == (187, Flag.CLOCK_SUSPECT, 4711)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("2026-11-23T08:59:01+08:00", 28_800),
        ("2026-11-23T08:59:01Z", 0),
        ("2026-11-23T08:59:01-03:30", -12_600),
        ("2026-11-23T08:59:01", None),
        ("2026-11-23T08:59:01.250+08:00", 28_800),
    ],
)
def test_times_come_with_and_without_offset(text: str, offset: int | None) -> None:
    assert codec.parse_time(text) == (datetime(2026, 11, 23, 8, 59, 1), offset)


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("CST-8:00:00", 28_800), ("BRT+3:00:00", -10_800), ("IST-5:30:00", 19_800), ("CET-1:00:00DST", None)],
)
def test_the_sign_of_a_time_zone_is_reversed(zone: str, offset: int | None) -> None:
    assert codec.zone_offset_s(zone) == offset


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_push_is_the_same_event_in_its_wrapper(wrapped: bool) -> None:
    event: dict[str, object] = {
        "eventType": "AccessControllerEvent",
        "dateTime": "2026-11-23T08:59:01+08:00",
        "AccessControllerEvent": {
            "majorEventType": 5,
            "subEventType": 75,
            "employeeNoString": "1000",
            "currentEvent": False,
        },
    }
    (found,) = codec.report_items({"EventNotificationAlert": event} if wrapped else event, GRANTED)
    assert isinstance(found, Row)
    assert (found.user, found.current) == ("1000", False)


@pytest.mark.parametrize("kind", ["heartBeat", "videoloss"])
def test_heartbeats_are_no_events(kind: str) -> None:
    assert codec.report_items({"eventType": kind}, GRANTED) == [Other(0, 0)]


def test_an_event_in_xml_is_read() -> None:
    body = (
        b'<?xml version="1.0"?><EventNotificationAlert xmlns="http://www.isapi.org/ver20/XMLSchema">'
        b"<dateTime>2026-11-23T08:59:01+08:00</dateTime><eventType>AccessControllerEvent</eventType>"
        b"<AccessControllerEvent><majorEventType>5</majorEventType><subEventType>75</subEventType>"
        b"<employeeNoString>1000</employeeNoString></AccessControllerEvent></EventNotificationAlert>"
    )
    (found,) = codec.push_items(body, "", GRANTED)
    assert isinstance(found, Row)


def test_xml_with_a_document_type_is_refused() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><DeviceInfo><model>&c;</model></DeviceInfo>'
    with pytest.raises(DataError, match="document type"):
        codec.xml_node(bomb)


def test_deep_xml_and_deep_json_are_refused() -> None:
    for body in (b"<a>" * 100_000, b'{"a":' * 100_000):
        with pytest.raises(DataError):
            codec.any_node(body)


def test_a_refusal_is_read_from_json_and_xml() -> None:
    said = (
        b'{"statusCode":4,"statusString":"Invalid Operation","subStatusCode":"badJsonContent","errorMsg":"startTime"}'
    )
    assert codec.refusal_of(said) == codec.Refusal("badjsoncontent", "Invalid Operation startTime")
    locked = b"<userCheck><lockStatus>lock</lockStatus><unlockTime>1780</unlockTime></userCheck>"
    assert codec.refusal_of(locked).locked
    assert codec.refusal_of(locked).unlock_s == 1780


def test_names_in_gbk_harm_no_event() -> None:
    body = json.dumps({"AcsEvent": {"InfoList": [row(name="张三")]}}, ensure_ascii=False)
    assert isinstance(codec.page_of(body.encode("gbk"), GRANTED).items[0], Row)


def test_a_search_is_written_as_the_page_shows() -> None:
    span = codec.span_of(1_795_392_000, 1_795_478_399, 28_800)
    assert json.loads(codec.search_body("gw-1", 0, 30, span)) == {
        "AcsEventCond": {
            "searchID": "gw-1",
            "searchResultPosition": 0,
            "maxResults": 30,
            "major": 5,
            "minor": 0,
            "startTime": "2026-11-23T00:00:00+08:00",
            "endTime": "2026-11-23T23:59:59+08:00",
        }
    }
    assert "startTime" not in json.loads(codec.search_body("gw-1", 0, 30, None))["AcsEventCond"]


def test_sec11_nothing_personal_stays_in_what_can_not_be_read() -> None:
    secret = dict.fromkeys(("name", "cardNo", "pictureURL", "faceURL", "password", "label", "helmet"), MARKER)
    bodies = [
        json.dumps(
            {"AcsEvent": {"InfoList": [row(minor=151, **secret), row(time="never", **secret), {**secret}]}}
        ).encode(),
        json.dumps({"AccessControllerEvent": {**secret}, "eventType": "AccessControllerEvent", **secret}).encode(),
        json.dumps({"eventType": "AccessControllerEvent", **row(**secret)}).encode()[:-20],
        json.dumps({**secret}).encode(),
    ]
    for body in bodies:
        items = [*codec.push_items(body, "", GRANTED)]
        if b"InfoList" in body:
            items += codec.page_of(body, GRANTED).items
        assert MARKER not in repr(items)


def pieces(source: random.Random) -> bytes:
    """Bytes that resemble messages: parts of real ones, cut, repeated and mixed with noise."""
    whole = json.dumps(
        {"AcsEvent": {"responseStatusStrg": "MORE", "totalMatches": 3, "InfoList": [row(), row(minor=21)]}}
    )
    parts = [
        whole.encode(),
        b'{"eventType":"AccessControllerEvent","AccessControllerEvent":{"majorEventType":5,"subEventType":75',
        b'--MIME_boundary\r\nContent-Type: application/json\r\n\r\n{"a":1}\r\n--MIME_boundary--\r\n',
        b"<Time><localTime>2026-11-23T08:59:01+08:00</localTime><timeZone>CST-8:00:00</timeZone></Time>",
        b"<ResponseStatus><subStatusCode>deviceBusy</subStatusCode></ResponseStatus>",
        b'{"UserInfoSearch":{"UserInfo":[{"employeeNo":"1","Valid":{"enable":true}}]}}',
        b"\xff\xfe\x00",
        b"{}[]<>\"':,",
    ]
    raw = bytearray()
    for _ in range(source.randint(1, 3)):
        part = bytearray(source.choice(parts))
        for _ in range(source.randint(0, 3)):
            part[source.randrange(len(part))] = source.randrange(256)
        raw += part[: source.randint(0, len(part))] if source.random() < 0.4 else part
    return bytes(raw)


def feed(body: bytes) -> None:
    readers = (
        lambda: codec.page_of(body, GRANTED),
        lambda: codec.push_items(body, "", GRANTED),
        lambda: codec.clock_of(body),
        lambda: codec.device_of(body),
        lambda: codec.users_of(body),
        lambda: codec.refusal_of(body),
        lambda: DRIVER.decode(body, PROFILE, SHANGHAI, "T1"),
    )
    for read in readers:
        try:
            read()
        except MusterError:
            continue


PROFILE = load_profile("hikvision/ds-k1t341am")


def fuzz(count: int) -> None:
    source, started = random.Random(20261123), time.monotonic()
    for _ in range(count):
        feed(pieces(source))
    assert time.monotonic() - started < count / 500 + 10


def test_sec33_codec_fuzz() -> None:
    """10,000 inputs to every reader: values or our own error, in bounded time."""
    fuzz(10_000)


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    fuzz(100_000)


@given(st.binary(max_size=400))
def test_any_bytes_give_values_or_our_own_error(body: bytes) -> None:
    feed(body)


@pytest.mark.parametrize("line", [b"[", b'{"a":', b"<a>", b'"', b"\n", b"--x\r\n", b'{"name":"'])
def test_sec33_the_largest_body_costs_bounded_memory_and_time(line: bytes) -> None:
    body = (line * (SIZE // len(line)))[:SIZE]
    started = time.monotonic()
    tracemalloc.start()
    feed(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * SIZE
    assert time.monotonic() - started < 20
