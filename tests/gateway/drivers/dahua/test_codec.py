"""What a Dahua terminal writes, read; expected values come from the protocol page."""

import json
import random
import time
import tracemalloc
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.dahua import codec
from gateway.drivers.dahua.codec import Bad, Item, Other, Row
from gateway.drivers.dahua.driver import DRIVER
from gateway.profile import load_profile
from gateway.transports.multipart import Part
from shared.clock import from_ms
from shared.errors import DataError, MusterError
from shared.punch import Direction, Method, Punch

CAPTURES = Path(__file__).parents[3] / "captures" / "dahua"
SHANGHAI = ZoneInfo("Asia/Shanghai")
PROFILE = load_profile("dahua/asi")
MARKER = "SECRET-MARKER"
SIZE = 256 * 1024


def row(**more: object) -> dict[str, str]:
    """The record of the worked example with these fields."""
    fields: dict[str, object] = {"RecNo": 8801, "UserID": "1000", "CreateTime": 1795395541, "Method": 15, "Status": 1}
    return {name.lower(): str(value) for name, value in (fields | more).items() if value is not None}


def answer(*rows: Mapping[str, str], array: str = "records", newline: str = "\r\n") -> bytes:
    lines = [f"found={len(rows)}"]
    lines += [f"{array}[{n}].{key}={value}" for n, one in enumerate(rows) for key, value in one.items()]
    return (newline.join(lines) + newline).encode()


def only(body: bytes) -> Punch:
    (found,) = DRIVER.decode(body, PROFILE, SHANGHAI, "T1")
    (event,) = found.events
    assert isinstance(event, Punch)
    return event


@pytest.mark.parametrize("name", ["search", "stream", "report-lines"])
def test_the_worked_examples_decode(name: str) -> None:
    example = json.loads((CAPTURES / f"{name}.json").read_text())
    profile, zone = load_profile(example["profile"]), ZoneInfo(example["zone"])
    (found,) = DRIVER.decode(example["body"].encode(), profile, zone, "T1")
    assert found.kind == example["kind"]
    assert [shown(event) for event in found.events if isinstance(event, Punch)] == example["punches"]
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


@pytest.mark.parametrize("array", ["records", "Records", "RECORDS"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_names_and_line_ends_come_in_every_form(array: str, newline: str) -> None:
    body = answer(
        {"RecNo": "1", "USERID": "1000", "createtime": "1795395541", "Status": "1"}, array=array, newline=newline
    )
    assert only(body).user == "1000"


def test_records_come_in_the_order_of_their_index_and_without_some_keys() -> None:
    rows = [row(RecNo=n, UserID=f"u{n}", Method=None if n % 2 else 15) for n in range(12)]
    items = codec.page_of(answer(*rows)).items
    assert [item.user for item in items if isinstance(item, Row)] == [f"u{n}" for n in range(12)]
    assert {item.method for item in items if isinstance(item, Row)} == {15, codec.ABSENT}


def test_an_empty_result_is_no_error() -> None:
    assert codec.page_of(b"found=0\r\n") == codec.Page(0, ())


@pytest.mark.parametrize("body", [b"", b"Error\nBad Request!", b"Error: Invalid Authority!", b"<html></html>", b"OK"])
def test_what_is_no_answer_to_a_search_is_an_error(body: bytes) -> None:
    with pytest.raises(DataError):
        codec.page_of(body)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (row(), Row),
        (row(Status=0, ErrorCode=16), Other),
        (row(UserID=None), Other),
        (row(UserID=""), Other),
        (row(Status=None), Bad),
        (row(Status=7), Bad),
        (row(CreateTime=None), Bad),
        (row(CreateTime=-5), Bad),
        (row(CreateTime=10**17), Bad),
        (row(UserID="x" * 65), Bad),
    ],
)
def test_a_punch_is_a_success_of_a_person(fields: dict[str, str], kind: type[Item]) -> None:
    assert isinstance(codec.item_of(fields), kind)


@pytest.mark.parametrize(
    ("code", "method"),
    [
        *((0, Method.PASSWORD), (1, Method.CARD), (4, Method.REMOTE), (6, Method.FINGER), (15, Method.FACE)),
        *((9, Method.UNKNOWN), (99, Method.UNKNOWN)),
    ],
)
def test_methods_are_those_of_the_page_and_unknown_ones_stay_numbers(code: int, method: Method) -> None:
    punch = only(answer(row(Method=code)))
    assert (punch.method, punch.raw_codes[0]) == (method, code)


@pytest.mark.parametrize(
    ("attendance", "way", "direction"),
    [
        (0, "Entry", Direction.IN),
        (0, "Exit", Direction.OUT),
        (0, "Unknown", Direction.UNKNOWN),
        (1, "Exit", Direction.IN),
        (4, "Entry", Direction.OUT),
        (2, "Entry", Direction.BREAK_OUT),
        (3, "Entry", Direction.BREAK_IN),
        (5, "Entry", Direction.OVERTIME_IN),
        (6, "Entry", Direction.OVERTIME_OUT),
        (9, "Entry", Direction.UNKNOWN),
    ],
)
def test_what_the_person_chose_counts_before_the_way(attendance: int, way: str, direction: Direction) -> None:
    assert only(answer(row(AttendanceState=attendance, Type=way))).direction is direction


def test_the_real_time_counts_before_a_local_one() -> None:
    local = only(answer(row(CreateTime=1795395541 + 28_800, CreateTimeRealUTC=1795395541)))
    plain = only(answer(row()))
    assert (local.at, local.at_device) == (plain.at, plain.at_device) == (1795395541_000, 1795395541 + 28_800)


def test_the_clock_is_read() -> None:
    assert codec.clock_of(b"result=2026-11-23 09:00:00\r\n") == datetime(2026, 11, 23, 9)
    for body in (b"result=2026-02-30 09:00:00", b"result=", b"OK"):
        with pytest.raises(DataError):
            codec.clock_of(body)


def test_questions_are_written_as_the_page_shows() -> None:
    asked = codec.find("AccessControlCardRec", (1795395600, 1795482000), 100)
    assert asked == (
        "/cgi-bin/recordFinder.cgi?action=find&name=AccessControlCardRec&StartTime=1795395600&EndTime=1795482000&count=100"
    )
    time_set = codec.query("global", "setCurrentTime", [("time", "2026-11-23 09:00:00")])
    assert time_set == "/cgi-bin/global.cgi?action=setCurrentTime&time=2026-11-23%2009:00:00"


def test_a_name_can_not_add_a_parameter() -> None:
    asked = codec.query("recordUpdater", "update", [("CardName", "a&CardStatus=0#x y")])
    assert asked.endswith("&CardName=a%26CardStatus%3D0%23x%20y")


@pytest.mark.parametrize(
    "text",
    [
        'Code=AccessControl;action=Pulse;index=0;data={"UserID":"7","Status":1,"UTC":1795395541,"RecNo":5}',
        '{"Events":[{"Code":"AccessControl","Data":{"UserID":"7","Status":1,"UTC":1795395541,"RecNo":5}}]}',
        '{"Events":[{"EventBaseInfo":{"Code":"AccessControl"},"UserID":"7","Status":1,"CreateTime":1795395541,"RecNo":5}]}',
        "Events[0].EventBaseInfo.Code=AccessControl\nEvents[0].UserID=7\nEvents[0].Status=1\nEvents[0].UTC=1795395541",
    ],
)
def test_an_event_is_known_in_each_of_its_forms(text: str) -> None:
    (found,) = codec.part_items(Part({}, text.encode()))
    assert isinstance(found, Row)
    assert (found.user, found.created) == ("7", 1795395541)


@pytest.mark.parametrize("text", ["Heartbeat", "heartbeat\r\n", "", "Code=VideoMotion;action=Start;index=0"])
def test_heartbeats_and_other_events_are_no_punches(text: str) -> None:
    assert not [item for item in codec.part_items(Part({}, text.encode())) if not isinstance(item, Other)]


def test_sec11_nothing_personal_stays_in_what_can_not_be_read() -> None:
    secret = dict.fromkeys(("CardName", "CardNo", "Password", "URL", "CitizenID", "FaceData"), MARKER)
    items: list[Item] = list(codec.page_of(answer(row(Status=None, **secret), row(CreateTime=None, **secret))).items)
    broken = 'Code=AccessControl;action=Pulse;index=0;data={"UserID":"7", ' + json.dumps(secret)[1:-9]
    for text in (broken, json.dumps({"Events": secret}), json.dumps(secret), f"Password={MARKER}"):
        items += codec.part_items(Part({}, text.encode()))
    assert [item for item in items if isinstance(item, Bad)]
    assert MARKER not in repr(items)


def pieces(source: random.Random) -> bytes:
    """Bytes that resemble messages: parts of real ones, cut, repeated and mixed with noise."""
    parts = [
        answer(row(), row(RecNo=8802)),
        b'Code=AccessControl;action=Pulse;index=0;data={"UserID":"7","Status":1,"UTC":1795395541,"RecNo":5}',
        b'{"Events":[{"Code":"AccessControl","Data":{"UserID":"7","Status":1,"UTC":1795395541,"RecNo":5}}]}',
        b"--myboundary\r\nContent-Type: text/plain\r\nContent-Length:9\r\n\r\nHeartbeat\r\n--myboundary--\r\n",
        b"result=2026-11-23 09:00:00\r\n",
        b"records[999999].UserID=1\nrecords[0].Status=1\n",
        b"\xff\xfe\x00",
        b"{}[]=;data=Code=",
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
        lambda: codec.page_of(body),
        lambda: codec.push_items(body, ""),
        lambda: codec.push_items(body, "myboundary"),
        lambda: codec.clock_of(body),
        lambda: codec.users_of(body),
        lambda: DRIVER.decode(body, PROFILE, SHANGHAI, "T1"),
    )
    for read in readers:
        try:
            read()
        except MusterError:
            continue


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


users = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=24)


@given(st.lists(st.tuples(users, st.integers(0, codec.LATEST_S)), max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_every_well_formed_record_comes_back_as_it_was_written(rows: list[tuple[str, int]], newline: str) -> None:
    body = answer(*(row(UserID=user, CreateTime=at) for user, at in rows), newline=newline)
    assert [(i.user, i.created) for i in codec.page_of(body).items if isinstance(i, Row)] == rows


@pytest.mark.parametrize("line", [b"records[%d].a=1\n", b"=\n", b"\n", b"--x\r\n", b'{"a":', b"[", b"UserID=1, "])
def test_sec33_the_largest_body_costs_bounded_memory_and_time(line: bytes) -> None:
    count = SIZE // len(line)
    body = b"".join(line % n for n in range(count)) if b"%d" in line else line * count
    started = time.monotonic()
    tracemalloc.start()
    feed(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * SIZE
    assert time.monotonic() - started < 20
