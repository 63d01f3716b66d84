"""What captured messages of push terminals say, and what a recording must not hold."""

import json
from contextlib import suppress
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.device import Decoded, Decoder, Recorder
from gateway.drivers.zk_adms.driver import DRIVER
from gateway.profile import load_profile
from shared.clock import from_ms
from shared.errors import DataError
from shared.punch import Punch

EXAMPLE = json.loads((Path(__file__).parents[3] / "captures" / "zk_adms" / "worked-example.json").read_text())
SHANGHAI = ZoneInfo("Asia/Shanghai")
X903, SENSEFACE = load_profile("solution/x903"), load_profile("zkteco/senseface-3a")
RTLOG = "time=2026-11-23 08:59:01\tpin=7\tcardno=998877\teventaddr=1\tevent=0\tinoutstatus=0\tverifytype=1\tindex=5\r\n"
SECRETS = (b"WANG", b"998877", b"PASS", b"dGVtcGxhdGU", b"TOKEN", b"JPEG", b"ComPwd1")


def post(table: str, body: bytes, call: str = "cdata", more: str = "") -> bytes:
    head = f"POST /iclock/{call}?SN=CKJG0001&table={table}&Stamp=9999 HTTP/1.1\r\nHost: gw\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answer(body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def decode(data: bytes) -> list[Decoded]:
    return list(DRIVER.decode(data, X903, SHANGHAI, "door"))


def punches(told: list[Decoded]) -> list[Punch]:
    return [event for one in told for event in one.events if isinstance(event, Punch)]


def test_the_driver_decodes_and_records() -> None:
    assert isinstance(DRIVER, Decoder)
    assert isinstance(DRIVER, Recorder)
    assert DRIVER.calls_us


def test_the_worked_example_decodes_as_message_and_as_text() -> None:
    body = EXAMPLE["body"].encode()
    for data, terminal in ((post("ATTLOG", body) + answer(b"OK: 2"), "CKJG0001"), (body, "door")):
        found = punches(decode(data))
        assert [
            {
                "user": p.user,
                "at": from_ms(p.at).isoformat().replace("+00:00", "Z"),
                "direction": p.direction.name,
                "method": p.method.name,
            }
            for p in found
        ] == EXAMPLE["punches"]
        assert {p.terminal for p in found} == {terminal}


def test_the_other_tables_tell_health() -> None:
    oplog = b"OPLOG 23\t0\t2026-11-23 09:00:00\t0\t0\t0\t0\nUSER PIN=1\tName=WANG\n"
    options = b"~DeviceName=X903,FWVersion=Ver 8.0.4,UserCount=12,~MaxAttLogCount=10,ComPwd=1\n"
    told = decode(
        post("OPERLOG", oplog) + post("options", options) + post("", b"ID=7&Return=0&CMD=INFO\n", "devicecmd")
    )
    facts = [(one.kind, fact.code, fact.detail) for one in told for fact in one.health]
    assert facts == [
        ("OPERLOG", "rows", {"rows": 2}),
        ("OPERLOG", "operation", {"code": 23, "at": "2026-11-23T09:00:00"}),
        ("options", "facts", {"firmware": "Ver 8.0.4", "users": 12, "log_capacity": 100_000}),
        ("devicecmd", "command", {"number": 7, "code": 0, "command": "INFO"}),
    ]


def test_the_security_dialect_has_its_own_codes_and_numbers() -> None:
    (told,) = DRIVER.decode(RTLOG.encode(), SENSEFACE, SHANGHAI, "dock")
    (punch,) = punches([told])
    assert (punch.user, punch.native_seq, punch.raw_codes) == ("7", 5, (1, 0, 0, 1))
    (told,) = DRIVER.decode(RTLOG.replace("event=0", "event=23").encode(), SENSEFACE, SHANGHAI, "dock")
    assert [fact.code for fact in told.health] == ["door"]


def test_what_can_not_be_read_is_a_problem_with_its_bytes() -> None:
    (told,) = decode(post("ATTLOG", b"1\t2026-02-31 08:00:00\n2\t2026-11-23 08:59:01\n"))
    assert [(problem.code, problem.raw) for problem in told.problems] == [("bad_time", b"1\t2026-02-31 08:00:00")]
    assert len(told.events) == 1
    assert decode(post("ATTLOG", b"1\t2026-11-23 08:59:01\n")[:-5])[-1].problems[0].code == "cut_off"
    before = decode(post("ATTLOG", EXAMPLE["body"].encode()) + b"garbage without an end")
    assert (len(punches(before)), before[-1].problems[0].code) == (2, "frame")
    with pytest.raises(DataError):
        decode(b"what is this")


@pytest.mark.parametrize("strange", ["\x1c", "\x1d", "\x1e", "\x1f", "\x0b", "\x0c"])
def test_a_separator_before_a_number_is_no_crash(strange: str) -> None:
    (told,) = decode(post("ATTLOG", f"1\t2026-11-23 08:59:01\t{strange}0\t1\n".encode()))
    assert [p.raw_codes for p in punches([told])] == [(1, 0)]


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_sec11_a_recording_holds_no_name_card_password_template_or_token(step: int) -> None:
    user = b"USER PIN=1\tName=WANG\tPasswd=PASS\tCard=998877\nFP PIN=1\tTMP=dGVtcGxhdGU\n"
    stream = (
        post("ATTLOG", EXAMPLE["body"].encode(), more="Cookie: token=TOKEN\r\n")
        + post("OPERLOG", b"OPLOG 4\t0\t2026-11-23 09:00:00\t0\t0\t0\t0\n" + user)
        + post("USERINFO", b"PIN=1\tName=WANG\n")
        + post("ATTPHOTO", b"PIN=1\0JPEG")
        + post("rtlog", RTLOG.encode())
        + post("options", b"UserCount=12,ComPwd=ComPwd1\n")
        + post("", b"user uid=1\tname=WANG\n", "querydata")
    )
    back = answer(b"C:7:DATA UPDATE USERINFO PIN=1\tName=WANG\tPasswd=PASS\n") + answer(b"RegistryCode=TOKEN\r\n")
    for data, to_terminal in ((stream, False), (back, True)):
        scrub = DRIVER.scrub()
        pieces = (data[at : at + step] for at in range(0, len(data), step))
        recorded = b"".join(part for piece in pieces for part in scrub.feed(piece, to_terminal=to_terminal))
        assert len(recorded) == len(data)
        assert [secret for secret in SECRETS if secret in recorded] == []
        assert [p.user for p in punches(decode(recorded))] == ([] if to_terminal else ["1000", "A-77", "7"])


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_hostile_captures_raise_only_data_errors(noise: bytes, at: int, byte: int) -> None:
    good = bytearray(post("ATTLOG", EXAMPLE["body"].encode()))
    good[at % len(good)] = byte
    for data in (noise, b"POST " + noise, b"1\t2026-11-23 08:59:01\t" + noise, bytes(good), bytes(good[:at])):
        with suppress(DataError):
            decode(data)
        with suppress(DataError):
            DRIVER.scrub().feed(data, to_terminal=bool(at % 2))


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_sec33_damaged_captures_raise_only_data_errors(count: int) -> None:
    draw = Random(33)
    good = post("ATTLOG", EXAMPLE["body"].encode()) + post("rtlog", RTLOG.encode())
    for _ in range(count):
        data = bytearray(good[: draw.randrange(len(good) + 1)])
        for _ in range(draw.randrange(4) if data else 0):
            data[draw.randrange(len(data))] = draw.randrange(256)
        with suppress(DataError):
            decode(bytes(data))
        with suppress(DataError):
            list(DRIVER.scrub().feed(bytes(data), to_terminal=draw.random() < 0.5))
