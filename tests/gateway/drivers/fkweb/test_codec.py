"""What FK web bodies say; expected values come from the protocol page."""

import json
import random
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.fkweb import JPEG, RECORDS, FkTerminal, LoggedPunch, user_entry
from gateway.drivers.fkweb import codec
from gateway.drivers.fkweb.driver import DRIVER
from gateway.drivers.fkweb.records import ABSENT, Bad, Row, decode_log, decode_users, library_of
from gateway.profile import Profile, load_profile, profile_folder
from shared.clock import device_seconds, from_ms
from shared.errors import DataError, MusterError
from shared.punch import Direction, Method, Punch

EXAMPLE = json.loads((Path(__file__).parents[3] / "captures" / "fkweb" / "worked-example.json").read_text())
AT = datetime(2026, 11, 23, 8, 59, 1)
SECOND = device_seconds(AT)
ZONE = ZoneInfo("Asia/Shanghai")
OLD, BIG = load_profile("hysoon/4775"), load_profile("fingerspot/revo-w-230n")


def only(data: bytes, profile: Profile = BIG) -> Punch:
    (told,) = DRIVER.decode(data, profile, ZONE, "FK1")
    (punch,) = told.events
    assert isinstance(punch, Punch)
    return punch


def glog(**fields: object) -> bytes:
    told = json.loads(EXAMPLE["text"]) | fields
    return codec.encode_body(json.dumps(told, ensure_ascii=False))


def test_the_worked_example_decodes() -> None:
    body = bytes.fromhex(EXAMPLE["realtime_glog"])
    assert body == codec.encode_body(EXAMPLE["text"])
    punch, expected = only(body), EXAMPLE["punch"]
    assert f"{from_ms(punch.at):%Y-%m-%dT%H:%M:%SZ}" == expected["utc"]
    assert from_ms((punch.at_device or 0) * 1000).replace(tzinfo=None).isoformat() == expected["local_time"]
    assert (punch.user, punch.direction.name, punch.method) == ("1000", expected["direction"], Method.FACE)
    assert punch.raw_codes == (0x40000000, 0x01000000)


@pytest.mark.parametrize("library", EXAMPLE["logs"])
def test_a_log_structure_of_the_worked_example_decodes(library: str) -> None:
    expected = EXAMPLE["logs"][library]
    data = bytes.fromhex(expected["hex"])
    (row,) = decode_log(library, len(data), data).rows
    assert row == Row(expected["user"], SECOND, *expected["codes"])
    assert isinstance(row, Row)
    profile = OLD if library in ("HS100", "HS101", "HS200") else BIG
    assert profile.method(row.method_code).name == expected["method"]
    assert profile.direction(row.direction_codes[0]) is Direction.IN


def test_a_year_counted_from_1900_is_the_same_punch() -> None:
    data = RECORDS["HS100-short"](LoggedPunch("1000", AT, 1, 1))
    assert decode_log("HS100", 12, data).rows == (Row("1000", SECOND, 1, 1),)


@given(
    st.sampled_from(sorted(set(RECORDS) - {"HS100-short"})),
    st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 63),
    st.integers(0, 3),
)
def test_every_record_comes_back_as_it_was_written(
    library: str, at: datetime, user: int, verify: int, inout: int
) -> None:
    at = at.replace(microsecond=0)
    data = RECORDS[library](LoggedPunch(str(user), at, verify, inout))
    assert decode_log(library, len(data), data).rows == (Row(str(user), device_seconds(at), verify, inout),)


def test_slots_that_are_not_valid_are_counted_and_impossible_times_kept() -> None:
    good = bytes.fromhex(EXAMPLE["logs"]["HS101"]["hex"])
    empty = good[:8] + (0xED17B1F8).to_bytes(4, "little")
    impossible = good[:8] + (1 | 126 << 2 | 13 << 12).to_bytes(4, "little")
    log = decode_log("HS101", 12, good + empty + impossible)
    assert log.empty == 1
    assert log.rows[1:] == (Bad("bad_time", impossible),)


@pytest.mark.parametrize(("library", "size"), [("HS101", 20), ("M50", 12), (None, 12)])
def test_a_log_of_another_layout_is_refused(library: str | None, size: int) -> None:
    with pytest.raises(DataError) as caught:
        decode_log(library, size, bytes(60))
    assert caught.value.code == "unknown_layout"


def test_users_are_counted_once_for_each_of_their_fingers() -> None:
    entries = b"".join(user_entry("HS100", user) for user in ("1", "1", "7"))
    assert decode_users("HS100", 8, entries) == {"1", "7"}
    assert decode_users("HS102", 20, user_entry("HS102", "A-77")) == {"A-77"}
    assert decode_users("HS103", 36, user_entry("HS103", "A-77")) == {"A-77"}
    assert decode_users("HS101", 8, user_entry("HS101", "1000")) == {"1000"}


@pytest.mark.parametrize(
    ("name", "library"), [("FKDataHS102", "HS102"), ("FKDataHS103", "HS103"), ("M50", None), ("FKDataHS999", None)]
)
def test_a_library_is_known_by_its_name(name: str, library: str | None) -> None:
    assert library_of(name) == library


@pytest.mark.parametrize("when", ["20261123085901", "2026-11-23 08:59:01", "261123085901", 20261123085901])
def test_a_time_comes_in_three_forms(when: object) -> None:
    assert codec.decode_glog(glog(io_time=when)) == Row("1000", SECOND, 0x40000000, 0x01000000)


def test_numbers_may_be_text_and_users_numbers() -> None:
    body = glog(user_id=1000, verify_mode="1073741824", io_mode="16777216")
    assert codec.decode_glog(body) == Row("1000", SECOND, 0x40000000, 0x01000000)


def test_an_unknown_code_stays_a_number() -> None:
    punch = only(glog(verify_mode=10, io_mode=7), load_profile("ebkn/en-k190ftw"))
    assert (punch.method, punch.direction, punch.raw_codes) == (Method.UNKNOWN, Direction.UNKNOWN, (10, 7))
    assert only(glog(verify_mode="FACE", io_mode=None)).raw_codes == (ABSENT, ABSENT)


@pytest.mark.parametrize(
    ("io_mode", "direction"),
    [
        (0x01000000, Direction.IN),
        (0x02000001, Direction.OUT),
        (0x10000009, Direction.IN),
        (0x20000009, Direction.OUT),
        (0x12000000, Direction.OUT),
        (0x00000009, Direction.UNKNOWN),
        (0x0F000000, Direction.UNKNOWN),
    ],
)
def test_the_function_key_says_the_direction_before_the_in_out_bits(io_mode: int, direction: Direction) -> None:
    assert only(glog(io_mode=io_mode)).direction is direction


def test_a_face_with_another_factor_is_a_face() -> None:
    assert only(glog(verify_mode=0x41000000)).method is Method.FACE


@pytest.mark.parametrize("padding", range(130))
def test_a_body_is_read_whatever_its_length(padding: int) -> None:
    """A length of 123 or 379 begins with the byte of an opening brace, as bare JSON does."""
    assert isinstance(codec.decode_glog(glog(pad="x" * padding)), Row)
    assert isinstance(codec.decode_glog(glog(pad="x" * padding)[4:]), Row)


def test_a_picture_with_braces_is_not_part_of_the_json() -> None:
    body = FkTerminal("FK1", picture=True).glog(LoggedPunch("1000", AT, 0x40000000, 0x01000000))
    assert JPEG in body
    assert codec.decode_glog(body) == Row("1000", SECOND, 0x40000000, 0x01000000)


def test_a_large_picture_inside_the_json_costs_no_punch() -> None:
    assert isinstance(codec.decode_glog(glog(log_image="A" * 1_000_000)), Row)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xff\x00\x00{}", "bad_length"),
        (b"", "bad_length"),
        (codec.encode_body('{"user_id":'), "bad_json"),
        (glog(io_time="20260230085901"), "bad_time"),
        (glog(io_time="00000000000000"), "bad_time"),
        (glog(user_id=""), "bad_user"),
        (glog(user_id="x" * 65), "bad_user"),
        (codec.encode_body("[" * 100_000), "bad_length"),
        (codec.encode_body('{"a":' * 50_000), "bad_json"),
    ],
)
def test_what_is_no_punch_says_why(body: bytes, reason: str) -> None:
    bad = codec.decode_glog(body)
    assert isinstance(bad, Bad)
    assert bad.reason == reason
    assert len(bad.raw) <= 1024


def test_sec11_no_picture_and_no_name_in_what_is_kept_of_a_bad_message() -> None:
    for body in (
        b"\xff\xff\x00\x00" + JPEG,
        codec.encode_body('{"user_id":"1","log_image":"TEMPLATE"')[:-1],
        glog(io_time="never", log_image="TEMPLATE", user_name="TEMPLATE"),
    ):
        bad = codec.decode_glog(body)
        assert isinstance(bad, Bad)
        assert b"TEMPLATE" not in bad.raw
        assert b"FACE-PICTURE" not in bad.raw


def call(block: int, code: str = "realtime_glog", device: str = "FK1") -> codec.Call:
    return codec.Call(code, device, "1", block, "")


@given(st.binary(min_size=0, max_size=300), st.integers(1, 64))
def test_any_blocking_gives_the_same_message(noise: bytes, step: int) -> None:
    message = glog() + noise
    parts = [message[n : n + step] for n in range(0, len(message), step)]
    blocks = codec.Blocks()
    for number, part in enumerate(parts[:-1], 1):
        assert blocks.add(call(number), part, 0) is None
    assert blocks.add(call(0), parts[-1], 0) == message
    assert blocks.size == 0


def test_a_repeated_block_counts_once_and_a_gap_is_an_error() -> None:
    blocks = codec.Blocks()
    blocks.add(call(1), b"aa", 0)
    blocks.add(call(2), b"bb", 0)
    assert blocks.add(call(2), b"bb", 0) is None
    assert blocks.add(call(0), b"cc", 0) == b"aabbcc"
    blocks.add(call(1), b"aa", 0)
    with pytest.raises(DataError) as caught:
        blocks.add(call(3), b"dd", 0)
    assert caught.value.code == "block_gap"
    assert blocks.size == 0


def test_a_terminal_that_restarted_in_mid_transfer_is_heard_at_once() -> None:
    blocks = codec.Blocks()
    blocks.add(call(1), glog()[:50], 0)
    assert blocks.add(call(0), glog(), 0) == glog()


def test_unfinished_messages_are_forgotten_after_a_while_and_bounded() -> None:
    blocks = codec.Blocks()
    blocks.add(call(1), b"a" * 1000, 0)
    with pytest.raises(DataError):
        blocks.add(call(2), b"b", codec.BLOCK_AGE_MS + 1)
    big = bytes(codec.BODY_LIMIT - 1)
    for n in range(3):
        blocks.add(call(1, device=f"d{n}"), big, 0)
    with pytest.raises(DataError) as caught:
        blocks.add(call(1, device="d3"), big, 0)
    assert caught.value.code == "too_large"
    assert blocks.size <= codec.WAITING_LIMIT


def test_headers_without_underscores_are_told_apart_from_garbage() -> None:
    with pytest.raises(DataError, match="proxy"):
        codec.call_of({"requestcode": "realtime_glog"})
    found = codec.call_of({"request_code": "send_cmd_result", "dev_id": "FK1", "cmd_id": "RTLogSendAction"})
    assert (found.trans_id, found.block) == ("RTLogSendAction", 0)


def test_a_log_answer_is_read_with_and_without_inner_length() -> None:
    rows = [LoggedPunch(str(n), AT + timedelta(seconds=n), 0x40000000, 0) for n in range(1, 4)]
    for inner in (True, False):
        body = FkTerminal("FK1", inner_length=inner).log_answer(rows)
        assert [row.user for row in codec.decode_log_answer(body, "HS102").rows if isinstance(row, Row)] == [*"123"]
    with pytest.raises(DataError):
        codec.decode_log_answer(FkTerminal("FK1").log_answer(rows)[:-1], "HS102")


def test_a_captured_request_and_a_captured_result_decode() -> None:
    head = b"POST / HTTP/1.1\r\nrequest_code: realtime_glog\r\ndev_id: FK77\r\nblk_no: 0\r\n\r\n"
    assert only(head + glog()).terminal == "FK77"
    body = FkTerminal("FK1", library="HS103").log_answer([LoggedPunch("A-1", AT, 0x30000000, 0x02000000)])
    punch = only(body)
    assert (punch.user, punch.method, punch.direction) == ("A-1", Method.CARD, Direction.OUT)
    with pytest.raises(DataError):
        DRIVER.decode(b"GET / HTTP/1.1\r\n\r\n", BIG, ZONE, "x")


@pytest.mark.parametrize(
    "name",
    sorted(
        f"{path.parent.name}/{path.stem}"
        for path in profile_folder().glob("*/*.toml")
        if 'family = "fkweb"' in path.read_text()
    ),
)
def test_a_profile_fits_the_driver(name: str) -> None:
    profile = load_profile(name)
    assert set(profile.quirks) <= DRIVER.quirks
    assert profile.evidence == "untested"


def test_the_models_of_the_page_are_there() -> None:
    for name in (
        *("biomax/fk", "fingerspot/revo-w-230n", "ebkn/en-k190ftw", "fk/f80", "witeasy/m68", "secureye/s-fb3k"),
        *("realand/g-f-web", "comet/network", "hysoon/3760c", "hysoon/4775"),
    ):
        assert load_profile(name).family == "fkweb"


def pieces(source: random.Random) -> bytes:
    """Bytes that resemble messages: parts of real ones, cut, repeated and mixed with noise."""
    parts = (glog(), JPEG, source.randbytes(source.randint(0, 60)), b'{"io_time":"', b"\0\0\0\0", b"{", glog()[4:40])
    found = b"".join(source.choice(parts) for _ in range(source.randint(1, 6)))
    return found[source.randint(0, 8) :][: source.randint(0, 400)]


def attack(count: int) -> None:
    source = random.Random(count)
    blocks = codec.Blocks()
    for n in range(count):
        data = pieces(source)
        library = source.choice(sorted(RECORDS)[:5])
        assert isinstance(codec.decode_glog(data), Row | Bad)
        for read in (
            codec.decode_poll,
            codec.decode_status,
            lambda body: codec.decode_log_answer(body, library),  # noqa: B023
            lambda body: codec.decode_user_answer(body, library),  # noqa: B023
            lambda body: decode_log(library, source.choice([8, 12, 20, 32, 48]), body),  # noqa: B023
            lambda body: blocks.add(call(source.randint(0, 3), device=f"d{source.randint(0, 3)}"), body, n),  # noqa: B023
            lambda body: DRIVER.decode(body, BIG, UTC, "x"),
        ):
            try:
                read(data)
            except DataError:
                pass
            except MusterError as error:
                raise AssertionError(data) from error


def test_sec33_codec_fuzz() -> None:
    tracemalloc.start()
    began = time.monotonic()
    attack(10_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - began < 60
    assert peak < 64 * 1024 * 1024


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    attack(100_000)
