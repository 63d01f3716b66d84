"""What bodies of push terminals say; expected values come from the protocol page and the vendor's manual it cites."""

import json
import random
import time
import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.zk_adms.codec import (
    ABSENT,
    Bad,
    CommandResult,
    Door,
    Facts,
    Operation,
    Row,
    attendance_options,
    attendance_rows,
    call_of,
    clean_stamp,
    command_results,
    facts_of,
    facts_of_info,
    is_serial,
    operations,
    options_of,
    query_of,
    security_options,
    security_rows,
)
from gateway.transports.http_front import BODY_LIMIT, http_date, parse_head
from shared.errors import DataError, MusterError

CAPTURES = Path(__file__).parents[3] / "captures" / "zk_adms"
GRANTED = frozenset(range(20))
AT = datetime(2026, 11, 23, 8, 59, 1)


def only(body: bytes) -> Row | Bad:
    (row,) = attendance_rows(body)
    return row


@pytest.mark.parametrize(
    "path",
    [
        "/iclock/cdata",
        "/iclock/cdata.aspx",
        "/iclock/cdata/",
        "/iclock/iclock/cdata",
        "/ICLOCK/CDATA",
        "/iclock/cdata.ASPX/",
        "http://gateway:8081/iclock/cdata",
    ],
)
def test_a_call_is_known_by_the_end_of_its_path(path: str) -> None:
    assert call_of(path) == "cdata"


def test_query_parameters_are_found_whatever_their_case() -> None:
    assert query_of("sn=CKJG0001&Table=ATTLOG&STAMP=2026-11-23T08:59:01+08:00") == {
        "sn": "CKJG0001",
        "table": "ATTLOG",
        "stamp": "2026-11-23T08:59:01+08:00",
    }


def test_the_worked_example_decodes() -> None:
    example = json.loads((CAPTURES / "worked-example.json").read_text())
    first, second = attendance_rows(example["body"].encode())
    assert first == Row("1000", AT, verify=1, state=0, more=(0,))
    assert second == Row("A-77", datetime(2026, 11, 23, 18, 2, 3), verify=15, state=1)


def test_two_columns_are_a_punch_without_codes() -> None:
    row = only(b"0007\t2026-11-23 08:59:01\n")
    assert isinstance(row, Row)
    assert (row.user, row.wall, row.raw_codes) == ("0007", AT, ())


@pytest.mark.parametrize("columns", range(2, 17))
@pytest.mark.parametrize("tail", [b"\n", b"\t\n", b"\r\n", b""])
def test_every_width_is_the_same_punch(columns: int, tail: bytes) -> None:
    fields = [b"1000", b"2026-11-23 08:59:01", b"0", b"1", b"0", *[b"0"] * 11][:columns]
    row = only(b"\t".join(fields) + tail)
    assert isinstance(row, Row)
    assert (row.user, row.wall) == ("1000", AT)
    assert (row.state, row.verify) == (0 if columns > 2 else ABSENT, 1 if columns > 3 else ABSENT)


def test_a_user_number_in_gbk_is_text() -> None:
    row = only("张三\t2026-11-23 08:59:01\t0\t1".encode("gb2312"))
    assert isinstance(row, Row)
    assert row.user == "张三"


def test_a_power_loss_clock_is_kept_and_flagged() -> None:
    row = only(b"1000\t2000-01-01 00:00:07\t0\t1\n")
    assert isinstance(row, Row)
    assert row.clock_suspect


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"1000\t2026-02-30 08:59:01\t0\t1", "bad_time"),
        (b"1000\t2026-11-23 08:59:0", "bad_time"),
        (b"1000\t0000-00-00 00:00:00\t0\t1", "bad_time"),
        ("1000\t２０２６-11-23 08:59:01".encode(), "bad_time"),
        (b"\t2026-11-23 08:59:01\t0\t1", "bad_user"),
        (b"x" * 65 + b"\t2026-11-23 08:59:01\t0\t1", "bad_user"),
        (b"\x01\t2026-11-23 08:59:01", "bad_user"),
        (b"garbage", "bad_row"),
        (b"\xff\xff\xff\t2026-11-23 08:59:01", "bad_text"),
        (b"1" * 1025, "too_long"),
    ],
)
def test_a_row_that_is_no_punch_says_why_and_harms_no_other(body: bytes, reason: str) -> None:
    bad, good = attendance_rows(body + b"\n1000\t2026-11-23 08:59:01\t0\t1\n")
    assert isinstance(bad, Bad)
    assert (bad.reason, bad.raw) == (reason, body[:1024])
    assert isinstance(good, Row)


@pytest.mark.parametrize(
    "body",
    [
        b"FP PIN=1\tFID=5\tSize=1024\tValid=1\tTMP=TEMPLATE",
        b"FACE PIN=1\tFID=0\tSIZE=1024\tVALID=1\tTMP=TEMPLATE",
        b"USER PIN=1\tName=TEMPLATE\tPasswd=TEMPLATE",
        b"BIODATA Pin=1\tNo=0\tTmp=TEMPLATE",
        b"USERPIC PIN=1\tContent=TEMPLATE",
        b"whatever\tContent=TEMPLATE",
        b"PIN=1.jpg\nSN=CKJG0001\nCMD=uploadphoto\0TEMPLATE",
    ],
)
def test_no_template_or_picture_stays_in_a_bad_row(body: bytes) -> None:
    assert not any(b"TEMPLATE" in row.raw for row in attendance_rows(body) if isinstance(row, Bad))


def event(**fields: object) -> bytes:
    values = {
        "time": "2026-11-23 08:59:01",
        "pin": "1000",
        "cardno": "0",
        "eventaddr": "1",
        "event": "0",
        "inoutstatus": "0",
        "verifytype": "15",
        "index": "4711",
    } | {key: str(value) for key, value in fields.items()}
    return "\t".join(f"{key}={value}" for key, value in values.items()).encode() + b"\r\n"


def test_a_granted_event_of_a_person_is_a_punch() -> None:
    (row,) = security_rows(event(), GRANTED)
    assert row == Row("1000", AT, verify=15, state=0, more=(0, 1), index=4711)


@pytest.mark.parametrize("number", [20, 21, 22, 23, 24, 25, 27, 28, 29, 34, 101, 200, 206])
def test_a_refusal_an_alarm_and_a_door_are_no_punches(number: int) -> None:
    (row,) = security_rows(event(event=number), GRANTED)
    assert row == Door(number, 4711)


@pytest.mark.parametrize("pin", ["0", ""])
def test_an_event_without_a_person_is_no_punch(pin: str) -> None:
    (row,) = security_rows(event(pin=pin), GRANTED)
    assert isinstance(row, Door)


def test_a_profile_may_grant_other_events() -> None:
    (row,) = security_rows(event(event=101), GRANTED | {101})
    assert isinstance(row, Row)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(event(time="2026-13-01 00:00:00"), "bad_time"), (event(event="x"), "bad_row"), (b"garbage\n", "bad_row")],
)
def test_a_damaged_event_says_why(body: bytes, reason: str) -> None:
    (row,) = security_rows(body, GRANTED)
    assert isinstance(row, Bad)
    assert row.reason == reason


def test_only_operations_are_taken_from_the_operation_log() -> None:
    body = (
        b"OPLOG 4\t0\t2026-11-23 08:00:00\t0\t0\t0\t0\n"
        b"USER PIN=1\tName=Zhang\tPri=0\tPasswd=1234\tCard=[0000AABB]\tGrp=1\tTZ=\n"
        b"FP PIN=1\tFID=5\tSize=1024\tValid=1\tTMP=AAAA\n"
        b"OPLOG 23\t0\t2026-11-23 08:59:01\t0\t0\t0\t0\n"
    )
    assert operations(body) == (4, [Operation(4, datetime(2026, 11, 23, 8)), Operation(23, AT)])


def test_several_command_results_come_in_one_body() -> None:
    body = b"ID=7&Return=0&CMD=INFO\n~DeviceName=X903\nUserCount=12\nID=8&Return=-1002&CMD=CHECK\n"
    results, facts = command_results(body)
    assert results == [CommandResult(7, 0, "INFO"), CommandResult(8, -1002, "CHECK")]
    assert facts == {"devicename": "X903", "usercount": "12"}


def test_options_tell_what_health_wants() -> None:
    body = (
        b"~DeviceName=X903,MAC=,TransactionCount=312,~MaxAttLogCount=10,UserCount=12,FWVersion=Ver 8.0.4,PushVersion="
    )
    assert facts_of(options_of(body)) == Facts("Ver 8.0.4", users=12, log_used=312, log_capacity=100_000)


def test_the_info_parameter_tells_firmware_users_and_records() -> None:
    text = "Ver 6.39 Jul 28 2008,12,10,312,192.168.1.201,10,7,0,0,101"
    assert facts_of_info(text) == Facts("Ver 6.39 Jul 28 2008", users=12, log_used=312)


def test_the_options_block_is_that_of_the_manual() -> None:
    text = attendance_options("CKJG0001", {"ATTLOG": b"9999", "OPERLOG": b"9999"}, 8 * 3600, "2.4.1")
    assert text == (
        "GET OPTION FROM: CKJG0001\n"
        "ATTLOGStamp=9999\n"
        "OPERLOGStamp=9999\n"
        "ATTPHOTOStamp=9999\n"
        "ErrorDelay=60\n"
        "Delay=10\n"
        "TransTimes=00:00;14:05\n"
        "TransInterval=1\n"
        "TransFlag=TransData AttLog\tOpLog\n"  # less than the manual's: no pictures, no templates, no user records
        "TimeZone=8\n"
        "Realtime=1\n"
        "Encrypt=None\n"
        "ServerVer=2.4.1\n"
        "PushProtVer=2.4.1\n"
    )


def test_the_first_generation_gets_its_own_names() -> None:
    lines = attendance_options("S", {"ATTLOG": b"5", "OPERLOG": None}, 0, "1.0").splitlines()
    assert lines[1:4] == ["Stamp=5", "OpStamp=0", "PhotoStamp=9999"]
    assert "ATTLOGStamp=5" not in lines


def test_a_terminal_that_does_not_tell_its_generation_gets_both_names() -> None:
    lines = attendance_options("S", {"ATTLOG": b"5", "OPERLOG": None}, 0, None).splitlines()
    assert {"Stamp=5", "ATTLOGStamp=5"} <= set(lines)


@pytest.mark.parametrize(("offset_s", "shown"), [(28800, "8"), (-18000, "-5"), (19800, "330"), (-12600, "-210")])
def test_half_hour_zones_are_given_in_minutes(offset_s: int, shown: str) -> None:
    assert f"TimeZone={shown}\n" in attendance_options("S", {}, offset_s, "2.0")


def test_the_security_block_ends_its_lines_with_cr_lf() -> None:
    text = security_options("0123456789abcdef")
    assert text.startswith("registry=ok\r\nRegistryCode=0123456789abcdef\r\n")
    assert text.count("\n") == text.count("\r\n")


@pytest.mark.parametrize("stamp", [None, "", "1\nInjected=1", "x" * 41, "1;2", "１"])
def test_a_stamp_that_could_break_the_options_is_not_kept(stamp: str | None) -> None:
    assert clean_stamp(stamp) is None


@pytest.mark.parametrize("text", ["", "a b", "x" * 65, "../x", "S\n"])
def test_what_can_not_be_a_serial_is_refused(text: str) -> None:
    assert not is_serial(text)


def test_the_date_header_is_the_one_of_the_standard() -> None:
    assert http_date(784_111_777_000) == "Sun, 06 Nov 1994 08:49:37 GMT"  # RFC 9110, section 5.6.7


def test_a_target_with_blanks_and_a_missing_host_are_taken() -> None:
    head = parse_head(b"GET /iclock/getrequest?SN=S1&INFO=Ver 6.39 Jul 28 2008,1,2,3 HTTP/1.1")
    assert query_of(head.query) == {"sn": "S1", "info": "Ver 6.39 Jul 28 2008,1,2,3"}


@pytest.mark.parametrize("raw", [b"", b"GET /", b"GET / HTTP/2", b"\0\0\0", b"POST / HTTP/1.1\nContent-Length: -1"])
def test_what_is_no_request_is_a_data_error(raw: bytes) -> None:
    with pytest.raises(DataError):
        parse_head(raw)


users = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=24)


@given(st.lists(st.tuples(users, st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31))), max_size=30), st.data())
def test_every_well_formed_row_comes_back_as_it_was_written(
    rows: list[tuple[str, datetime]], data: st.DataObject
) -> None:
    end = data.draw(st.sampled_from(["\n", "\r\n", "\t\n"]))
    body = "".join(f"{user}\t{wall:%Y-%m-%d %H:%M:%S}\t0\t1{end}" for user, wall in rows)
    found = list(attendance_rows(body.encode()))
    assert found == [Row(user, wall.replace(microsecond=0), 1, 0) for user, wall in rows]


@given(st.binary(max_size=400))
def test_any_body_gives_one_answer_for_each_line(body: bytes) -> None:
    lines = [line for line in body.split(b"\n") if line.strip()]
    assert len(list(attendance_rows(body))) == len(list(security_rows(body, GRANTED))) == len(lines)


def pieces(source: random.Random) -> bytes:
    """Bytes that resemble requests: parts of real ones, cut, repeated and mixed with noise."""
    parts = (
        b"1000\t2026-11-23 08:59:01\t0\t1\t0\t0\n",
        event(),
        b"OPLOG 23\t0\t2026-11-23 08:59:01\t0\n",
        b"ID=7&Return=0&CMD=INFO\n",
        b"~DeviceName=X903,MAC=,UserCount=12",
        b"POST /iclock/cdata?SN=S1&table=ATTLOG HTTP/1.1\r\nContent-Length: 5",
        "张三\t".encode("gb18030"),
        b"%ff%00&=;?",
        b"\0\xff\x80",
    )
    body = b"".join(source.choices(parts, k=source.randint(0, 4)))
    at = source.randint(0, len(body))
    return body[:at] + source.randbytes(source.randint(0, 6)) + body[at + source.randint(0, 3) :]


def feed(body: bytes, which: int) -> None:
    """Give an input to one of the parsers; only our own errors may come out."""
    try:
        match which:
            case 0:
                list(attendance_rows(body))
            case 1:
                list(security_rows(body, GRANTED))
            case 2:
                operations(body)
                facts_of(options_of(body))
            case 3:
                command_results(body)
                facts_of_info(body.decode("latin-1"))
            case _:
                head = parse_head(body)
                call_of(head.path)
                query_of(head.query)
    except MusterError:
        return


def test_sec33_codec_fuzz() -> None:
    """100,000 inputs: values or our own error, in bounded time."""
    source = random.Random(20261123)
    started = time.monotonic()
    for number in range(100_000):
        feed(pieces(source), number % 5)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("which", range(5))
@pytest.mark.parametrize("line", [b"\n", b"x\n", b"\t" * 1000 + b"\n", b"a=1\t", b"ID=1&", b"\xff"])
def test_sec33_the_largest_body_costs_bounded_memory_and_time(line: bytes, which: int) -> None:
    body = (line * (BODY_LIMIT // len(line)))[:BODY_LIMIT]
    started = time.monotonic()
    tracemalloc.start()
    feed(body, which)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 * 1024 * 1024
    assert time.monotonic() - started < 20


def test_a_body_with_more_rows_than_any_terminal_sends_is_refused_whole() -> None:
    with pytest.raises(DataError):
        list(attendance_rows(b"1000\t2026-11-23 08:59:01\n" * 20_001))
