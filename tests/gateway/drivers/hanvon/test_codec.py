"""Text and values of the protocol page, round trips, and what the codec makes of nonsense."""

import contextlib
import itertools
import json
import random
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.device import Decoded
from gateway.drivers.hanvon import codec
from gateway.drivers.hanvon.codec import AnswerReader, BadRow, Cipher, Field, RecordRow
from gateway.drivers.hanvon.driver import DRIVER
from gateway.drivers.hanvon.place import Place
from gateway.drivers.hanvon.reader import Reader
from gateway.drivers.hanvon.windows import DAY, SECOND, Window, everything, recent
from gateway.profile import load_profile
from shared.clock import device_seconds, from_ms
from shared.errors import DataError
from shared.punch import Direction, Flag, Method, Punch

CAPTURES = Path(__file__).parents[3] / "captures" / "hanvon"
SHANGHAI = ZoneInfo("Asia/Shanghai")
ROW = 'time="2026-11-23 08:59:01" id="1000" name="WANG WEI" workcode="0" status="1"'
# What values may hold: no quote of either kind, as there is no escape.
VALUES = st.text(st.characters(codec="gbk", exclude_characters='"“”', exclude_categories=("Cs", "Cc")), max_size=30)
KEYS = st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda key: not codec.DROPPED.match(key))


def as_json(told: Decoded) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": told.kind}
    if told.health:
        shown["health"] = told.health[0].detail
    punches = [event for event in told.events if isinstance(event, Punch)]
    if punches:
        shown["punches"] = [
            {
                "terminal": punch.terminal,
                "user": punch.user,
                "local_time": datetime.fromtimestamp(punch.at_device or 0, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
                "utc": from_ms(punch.at).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "direction": punch.direction.name.lower(),
                "method": punch.method.name.lower(),
                "raw_codes": list(punch.raw_codes),
            }
            for punch in punches
        ]
    return shown


def rows(text: str) -> list[RecordRow | BadRow]:
    (answer,) = codec.answers_of(f'Return(result="success" {text})'.encode("gbk"))
    return codec.decode_records(answer)


def punch_of(text: str) -> Punch:
    (row,) = rows(text)
    assert isinstance(row, RecordRow)
    return Reader("H1", load_profile("hanvon/f710"), SHANGHAI).punch(row, None, 0)


def test_the_capture_decodes_to_the_json_beside_it() -> None:
    expected = json.loads((CAPTURES / "worked-example.json").read_text())
    data = (CAPTURES / "worked-example.txt").read_bytes()
    told = DRIVER.decode(data, load_profile(expected["profile"]), ZoneInfo(expected["zone"]), "H1")
    assert [as_json(message) for message in told] == expected["messages"]


def test_the_cipher_is_that_of_the_page() -> None:
    assert Cipher("2026").apply(b"GetMAC_SN()").hex(" ") == "75 54 40 77 49 53 7f 13 7c 19 1d"


@given(st.binary(max_size=100), st.from_regex(r"[0-9]{1,8}", fullmatch=True), st.integers(1, 20))
def test_the_cipher_runs_across_pieces_and_undoes_itself(data: bytes, key: str, step: int) -> None:
    there, back = Cipher(key), Cipher(key)
    coded = b"".join(there.apply(data[at : at + step]) for at in range(0, len(data), step))
    assert coded == Cipher(key).apply(data)
    assert back.apply(coded) == data


@pytest.mark.parametrize("key", ["abc", "123456789", "-1", "１"])
def test_a_key_that_no_terminal_can_have_is_refused(key: str) -> None:
    with pytest.raises(DataError):
        Cipher(key)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=12), st.integers(1, 40), st.sampled_from(["", "2026"]))
def test_any_chunking_yields_the_same_answer(pairs: list[tuple[str, str]], step: int, key: str) -> None:
    text = "\r\n".join(f'{name} = "{value}"' for name, value in pairs)
    raw = b'Wait(wait_time="3")', f"Return({text})".encode("gbk")
    stream = b"".join(Cipher(key).apply(part) for part in raw)  # the cipher starts anew with each
    reader = AnswerReader(cipher=Cipher(key))
    answers = [answer for at in range(0, len(stream), step) for answer in reader.feed(stream[at : at + step])]
    assert [answer.name for answer in answers] == ["Wait", "Return"]
    assert answers[1].fields == tuple(Field(name, codec.decode_text(value.encode("gbk"))) for name, value in pairs)
    assert not reader.begun


@pytest.mark.parametrize("key", ["", "2026"])
def test_a_line_end_after_an_answer_does_not_shift_the_cipher(key: str) -> None:
    reader = AnswerReader(cipher=Cipher(key))
    stream = Cipher(key).apply(b'Wait(wait_time="3")\r\n') + Cipher(key).apply(b'Return(result="success")')
    assert [answer.name for answer in reader.feed(stream)] == ["Wait", "Return"]


def test_a_bracket_in_a_name_does_not_end_the_answer() -> None:
    reader = AnswerReader()
    assert reader.feed(b'Return(result="success" name="LI (B)') == []
    assert reader.begun
    (answer,) = reader.feed(b'" id="5")')
    assert (answer.get("name"), answer.get("id")) == ("LI (B)", "5")


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_typographic_quotes_are_quotes(encoding: str, step: int) -> None:
    raw = "Return(result=“success” name=“王伟” id = “5”)".encode(encoding)
    reader = AnswerReader()
    (answer,) = [answer for at in range(0, len(raw), step) for answer in reader.feed(raw[at : at + step])]
    assert answer.fields == (Field("result", "success"), Field("name", "王伟"), Field("id", "5"))


@pytest.mark.parametrize("text", ["GET / HTTP/1.1", "Returned(", "\x7f\x01", "W(", "return("])
def test_what_does_not_start_like_an_answer_means_a_wrong_key(text: str) -> None:
    with pytest.raises(DataError) as error:
        AnswerReader().feed(text.encode())
    assert error.value.code == "wrong_key"


def test_templates_photos_and_keys_are_dropped_while_they_arrive() -> None:
    reader = AnswerReader()
    text = b'Return(result="success" face_data="SECRET" photo="SECRET" commukey="SECRET" calid="SECRET" id="5")'
    (answer,) = [answer for at in range(len(text)) for answer in reader.feed(text[at : at + 1])]
    assert "SECRET" not in repr(answer)
    assert answer.get("id") == "5"


def test_an_answer_full_of_templates_takes_no_memory() -> None:
    reader = AnswerReader()
    reader.feed(b'Return(result="success" face_data="')
    piece = b"x" * 65_536
    tracemalloc.start()
    for _ in range(500):  # 32 MiB
        reader.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_an_answer_without_end_is_cut_off() -> None:
    reader = AnswerReader()
    reader.feed(b'Return(photo="')
    for _ in range(1023):
        reader.feed(b"x" * 65_536)
    with pytest.raises(DataError, match="more than"):
        reader.feed(b"x" * 65_536)


def test_more_fields_than_anybody_needs_are_refused() -> None:
    reader = AnswerReader()
    reader.feed(b"Return(")
    reader.feed(b'id="1" ' * codec.FIELD_LIMIT)
    with pytest.raises(DataError) as error:
        reader.feed(b'id="1" ')
    assert error.value.code == "oversize"


def test_values_lose_what_would_end_them() -> None:
    raw = codec.encode_request("SetNameTable", name='Evil" card_num="1)\r\n', id="5")
    assert raw == b'SetNameTable(name="Evil card_num=1" id="5")'


def test_requests_are_those_of_the_page() -> None:
    window = {"start_time": datetime(2026, 11, 23), "end_time": datetime(2026, 11, 23, 23, 59, 59)}
    raw = codec.encode_request("GetRecord", **{key: codec.time_text(at) for key, at in window.items()})
    assert raw == b'GetRecord(start_time="2026-11-23 0:0:0" end_time="2026-11-23 23:59:59")'


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2009-1-10 8:5:1", datetime(2009, 1, 10, 8, 5, 1)),
        ("2026-11-23 08:59:01", datetime(2026, 11, 23, 8, 59, 1)),
        ("2026-12-31 24:00:00", datetime(2027, 1, 1)),
    ],
)
def test_times_are_read_padded_or_not_and_hour_24_is_midnight(text: str, at: datetime) -> None:
    assert codec.decode_time(text) == at


@pytest.mark.parametrize(
    "text", ["", "2026-13-1 0:0:0", "2026-11-23", "2026-2-30 1:1:1", "2026-1-1 25:0:0", "9999-12-31 24:0:0"]
)
def test_an_impossible_time_is_a_data_error(text: str) -> None:
    with pytest.raises(DataError) as error:
        codec.decode_time(text)
    assert error.value.code == "bad_time"


def test_total_is_not_believed_and_keys_may_repeat() -> None:
    found = rows(f'total="99" {ROW} card_src="from_door" card_src="from_check" {ROW.replace("1000", "1001")}')
    assert [row.user for row in found if isinstance(row, RecordRow)] == ["1000", "1001"]


def test_a_photo_belongs_to_the_row_before_it_and_is_dropped() -> None:
    (row,) = rows(f'{ROW} photo="QUJD"')
    assert row == RecordRow("1000", device_seconds(datetime(2026, 11, 23, 8, 59, 1)), 1, 0, "", "")


@pytest.mark.parametrize(
    ("text", "direction", "flags"),
    [
        ('status="1"', Direction.IN, Flag.DIRECTION_FROM_PROFILE),
        ('status="2"', Direction.OUT, Flag.DIRECTION_FROM_PROFILE),
        ('status="7"', Direction.UNKNOWN, Flag(0)),
        ("", Direction.UNKNOWN, Flag(0)),
        ('card_type="cardtype_on"', Direction.IN, Flag(0)),
        ('card_type="cardtype_off" status="1"', Direction.OUT, Flag(0)),
        ('card_type="cardtype_addon"', Direction.OVERTIME_IN, Flag(0)),
        ('card_type="cardtype_addoff"', Direction.OVERTIME_OUT, Flag(0)),
        ('card_type="cardtype_out"', Direction.BREAK_OUT, Flag(0)),
        ('card_type="cardtype_back"', Direction.BREAK_IN, Flag(0)),
        ('card_type="cardtype_normal" status="1"', Direction.IN, Flag.DIRECTION_FROM_PROFILE),
    ],
)
def test_a_direction_comes_from_the_card_type_or_the_work_state(text: str, direction: Direction, flags: Flag) -> None:
    punch = punch_of(f'time="2026-11-23 8:59:1" id="1" {text}')
    assert (punch.direction, punch.flags) == (direction, flags)


@pytest.mark.parametrize(("kind", "method"), [("face", Method.FACE), ("photo", Method.UNKNOWN), ("", Method.UNKNOWN)])
def test_only_a_face_is_a_face(kind: str, method: Method) -> None:
    assert punch_of(f'time="2026-11-23 8:59:1" id="1" type="{kind}"').method is method


def test_a_clock_before_2015_is_suspect() -> None:
    assert punch_of('time="2009-1-1 0:0:0" id="1"').flags == Flag.CLOCK_SUSPECT


def test_rows_that_are_no_punch_say_why_and_not_who() -> None:
    found = rows('time="2026-13-1 0:0:0" id="7" name="WANG" photo="QUJD" time="2026-11-23 8:0:0" id="" name="LI"')
    assert found == [
        BadRow("bad_time", b'time="2026-13-1 0:0:0" id="7"'),
        BadRow("no_user", b'time="2026-11-23 8:0:0" id=""'),
    ]


@pytest.mark.parametrize(("card", "shown"), [("0X12345678", "0X12345678"), ("0X0", ""), ("0XFFFFFFFF", ""), ("", "")])
def test_no_card_is_no_card(card: str, shown: str) -> None:
    (answer,) = codec.answers_of(f'Return(result="success" id="5" name="A" card_num="{card}")'.encode())
    assert codec.employee_of(answer) == ("5", "A", shown)


def test_absurd_counters_are_reported_or_left_out() -> None:
    (answer,) = codec.answers_of(b'Return(result="success" a="99999999999999999999" b="-1" c="4294967")')
    assert [codec.count_of(answer, key) for key in "abcd"] == [None, None, 4294967, None]


@given(st.datetimes(datetime(2015, 1, 1), datetime(2080, 1, 1)), st.integers(0, 100))
def test_recent_windows_cover_each_second_once(now: datetime, days: int) -> None:
    now = now.replace(microsecond=0)
    windows = list(recent(now - days * DAY, now))
    spans = [(window.first, window.last) for window in windows]
    assert spans[0][0] == now - days * DAY
    assert spans[-1][1] == now + DAY
    assert all(last is not None and last + SECOND == first for (_, last), (first, _) in itertools.pairwise(spans))
    assert all(first is not None and last is not None and first.date() == last.date() for first, last in spans)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))
def test_everything_is_open_at_both_ends_and_bounded_in_number(now: datetime) -> None:
    windows = list(everything(now.replace(microsecond=0), 400))
    assert (windows[0].first, windows[-1].last) == (None, None)
    assert len(windows) <= 405


def test_a_window_is_halved_until_it_is_small() -> None:
    window = Window(datetime(2026, 1, 1), datetime(2026, 1, 1, 23, 59, 59))
    halves = window.halves()
    assert halves is not None
    assert halves[0].last is not None
    assert halves[0].last + SECOND == halves[1].first
    assert Window(datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 5)).halves() is None
    assert Window(None, None).halves() is not None


@given(st.none() | st.integers(0, 1 << 40), st.integers(0, 1 << 50))
def test_a_place_survives_storage(until: int | None, full_ms: int) -> None:
    assert Place.decode(Place(until, full_ms).encode()) == Place(until, full_ms)


@pytest.mark.parametrize("value", [b"", b"\x02", bytes(17)])
def test_a_foreign_place_is_a_data_error(value: bytes) -> None:
    with pytest.raises(DataError):
        Place.decode(value)


def mutated(draw: random.Random, samples: list[bytes]) -> bytes:
    if draw.random() < 0.1:
        return draw.randbytes(draw.randrange(80))
    raw = bytearray(draw.choice(samples))
    for _ in range(draw.randrange(1, 5)):
        at = draw.randrange(len(raw))
        match draw.randrange(4):
            case 0:
                raw[at] = draw.randrange(256)
            case 1:
                raw[at:at] = draw.choice(
                    [b'"', b")", b"=", b"(", b"\xa1", b"\xe2\x80", b"\r\n", b'time="', b"99999999999"]
                )
            case 2:
                del raw[at : at + draw.randrange(8)]
            case _:
                raw[at:at] = raw[max(at - 20, 0) : at]
        if not raw:
            return b""
    return bytes(raw)


def survive(count: int, seed: int) -> None:
    draw = random.Random(seed)
    profile = load_profile("hanvon/s7150a")
    samples = [
        (CAPTURES / "worked-example.txt").read_bytes().partition(b"Return")[2],
        b'(result="success" dev_id="1" time="2026-11-23 9:0:0" edition="3.006.089" real_facerecord="5")',
        "(result=“success” id=“5” name=“王伟” card_num=“0X12” face_data=“QUJD”)".encode("gbk"),
        b'(result="failed" reason="device busy")',
    ]
    started = time.monotonic()
    for _ in range(count):
        raw = b"Return" + mutated(draw, samples)
        with contextlib.suppress(DataError):
            DRIVER.decode(raw, profile, SHANGHAI, "H1")
        with contextlib.suppress(DataError):
            for answer in AnswerReader(cipher=Cipher("2026")).feed(Cipher("2026").apply(raw)):
                codec.decode_records(answer)
                codec.employee_of(answer)
                codec.employee_numbers(answer)
                codec.seconds_of_wait(answer)
    assert time.monotonic() - started < count / 500


def test_sec33_codec_fuzz() -> None:
    survive(10_000, seed=9922)


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    survive(100_000, seed=20261125)
