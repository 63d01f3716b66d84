"""Matrix COSEC terminals: what their answers say, and the conversation over real sockets; values from the page."""

import json
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.digest_http import DigestLogin
from emulators.matrix_cosec import SECRET, MatrixTerminal
from gateway.drivers.matrix_cosec import codec
from gateway.drivers.matrix_cosec.codec import Bad, Event, Mark, Place
from gateway.drivers.matrix_cosec.driver import DRIVER
from gateway.profile import load_profile, profile_folder
from shared.clock import device_seconds, from_ms
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.punch import Direction, Flag, Punch
from tests.support.poll_site import PollSite

CAPTURES = Path(__file__).parents[3] / "captures" / "matrix_cosec"
EXAMPLE = json.loads((CAPTURES / "worked-example.json").read_text())
FLAT = (CAPTURES / "flat.xml").read_bytes()
PROFILE = "matrix/cosec-argo-face200t"
AT = datetime(2026, 11, 23, 8, 59, 1)


@pytest.fixture
async def device() -> AsyncIterator[MatrixTerminal]:
    device = MatrixTerminal()
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
def site(device: MatrixTerminal, tmp_path: Path) -> PollSite:
    return PollSite(DRIVER, PROFILE, device.port, tmp_path)


def fill(device: MatrixTerminal, count: int, start: int = 0) -> list[str]:
    for n in range(start, start + count):
        device.punch(f"u{n}", AT + timedelta(seconds=n))
    return [f"u{n}" for n in range(start, start + count)]


def test_the_worked_example_decodes() -> None:
    (told,) = DRIVER.decode(FLAT, load_profile(PROFILE), ZoneInfo(EXAMPLE["zone"]), "S1")
    found = [
        {
            "user": event.user,
            "local_time": from_ms((event.at_device or 0) * 1000).replace(tzinfo=None).isoformat(),
            "utc": f"{from_ms(event.at):%Y-%m-%dT%H:%M:%SZ}",
        }
        for event in told.events
        if isinstance(event, Punch)
    ]
    assert found == EXAMPLE["punches"]
    last = codec.decode_events(FLAT, 2)[-1].mark
    assert [last.roll_over, last.seq + 1] == EXAMPLE["next"]
    assert codec.decode_count((CAPTURES / "count.xml").read_bytes()) == Mark(2, 76)


def event(**fields: str) -> bytes:
    told = {
        "seq-No": "77",
        "date": "23112026",
        "time": "085901",
        "event-id": "101",
        "detail-1": "1000",
        "detail-2": "2",
        "detail-3": "4",
    } | {name.replace("_", "-"): text for name, text in fields.items()}
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in told.items() if text != "-")
    return f"<COSEC_API>{inner}</COSEC_API>".encode()


@pytest.mark.parametrize(
    "body",
    [
        event(),
        event(date="23/11/2026", time="08:59:01"),
        b"<COSEC_API><Events>" + event()[11:-12] + b"</Events></COSEC_API>",
        event().replace(b"seq-No", b"seq-Number").replace(b"detail-", b"detail"),
    ],
)
def test_every_spelling_is_the_same_event(body: bytes) -> None:
    assert codec.decode_events(body, 2) == [Event(Mark(2, 77), 101, "1000", device_seconds(AT), 2, 4)]


def test_a_user_element_goes_before_the_reference_number() -> None:
    (row,) = codec.decode_events(event(user_id="A-77"), 2)
    assert isinstance(row, Event)
    assert row.user == "A-77"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (event(date="31022026"), "bad_time"),
        (event(time="0859"), "bad_time"),
        (event(detail_1="0"), "bad_user"),
        (event(detail_1="-"), "bad_user"),
        (event(event_id="x"), "bad_row"),
    ],
)
def test_what_is_no_punch_says_why(body: bytes, reason: str) -> None:
    (bad,) = codec.decode_events(body, 2)
    assert isinstance(bad, Bad)
    assert bad.reason == reason


@pytest.mark.parametrize("number", [102, 150, 201, 301, 402])
def test_refusals_doors_and_alarms_are_no_punches(number: int) -> None:
    (row,) = codec.decode_events(event(event_id=str(number), date="00000000"), 2)
    assert isinstance(row, Event)
    assert row.user == ""


@pytest.mark.parametrize(
    ("code", "error"),
    [
        *((code, ConfigError) for code in (1, 24)),
        *((code, RetryableError) for code in (16, 17, 27)),
        *((code, DataError) for code in (33, 99)),
    ],
)
def test_a_response_code_says_what_to_do_next(code: int, error: type[MusterError]) -> None:
    with pytest.raises(error):
        codec.decode_events(f"<COSEC_API><Response-Code>{code}</Response-Code></COSEC_API>".encode(), 0)


@pytest.mark.parametrize("code", [0, 10])
def test_no_record_is_an_empty_answer(code: int) -> None:
    assert codec.decode_events(f"<COSEC_API><Response-Code>{code}</Response-Code></COSEC_API>".encode(), 0) == []


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><COSEC_API>&b;</COSEC_API>',
        b"<a>" * 10_000,
        b"<COSEC_API>",
        b"",
        b"<html><body>busy</body>",
        b'<?xml version="1.0" encoding="x-unknown"?><a/>',
    ],
)
def test_hostile_xml_is_refused(body: bytes) -> None:
    with pytest.raises(DataError):
        codec.decode_count(body)


@given(st.integers(0, 5), st.integers(0, 1000), st.integers(0, 1 << 31))
def test_a_place_comes_back_and_numbers_grow_with_it(epoch: int, roll_over: int, seq: int) -> None:
    place = Place(epoch, Mark(roll_over, seq))
    assert Place.decode(place.encode()) == place
    number = place.number(place.mark)
    assert number < place.number(Mark(roll_over, seq + 1)) < place.number(Mark(roll_over + 1, 1)) < 1 << 63
    assert place.number(Mark(roll_over + 1, 1)) < Place(epoch + 1, place.mark).number(Mark(0, 1))
    assert Place.decode(b"nonsense") is None


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("slashes", [True, False])
@pytest.mark.parametrize("digest", [True, False])
async def test_a_log_is_read_to_its_end_and_then_as_it_grows(
    tmp_path: Path, wrapped: bool, slashes: bool, digest: bool
) -> None:
    login = DigestLogin(realm="COSEC") if digest else None
    device = MatrixTerminal(login=login, wrapped=wrapped, slashes=slashes, user_element=wrapped)
    await device.start()
    site = PollSite(DRIVER, PROFILE, device.port, tmp_path)
    users = fill(device, 250)
    device.event(102, "9", AT)
    await site.running(lambda: len(site.sink.punches) == 250)
    users += fill(device, 3, 250)
    await site.running(lambda: len(site.sink.punches) == 253)
    assert [punch.user for punch in site.sink.punches] == users
    assert site.sink.repeats == 0
    assert device.login.wrong == 0
    first = site.sink.punches[0]
    assert (first.terminal, first.direction, first.raw_codes) == ("CFG0001", Direction.IN, (1, 0, 101))
    await device.stop()


async def test_rel01_cursor_after_commit(site: PollSite, device: MatrixTerminal) -> None:
    fill(device, 120)
    site.sink.refusing = True
    with pytest.raises(RetryableError):
        await site.run()
    assert (site.sink.cursors, site.state.problem, site.state.state) == ({}, "buffer_refused", "offline")
    site.sink.refusing = False
    await site.running(lambda: site.state.state == "online")
    assert site.sink.puts == [(100, b"0:0:100"), (20, b"0:0:120")]


async def test_the_next_roll_follows_the_finished_one(tmp_path: Path) -> None:
    device = MatrixTerminal(roll_at=150)
    await device.start()
    site = PollSite(DRIVER, PROFILE, device.port, tmp_path)
    users = fill(device, 100)
    await site.running(lambda: len(site.sink.punches) == 100)
    users += fill(device, 250, 100)
    await site.running(lambda: len(site.sink.punches) == 350)
    assert [punch.user for punch in site.sink.punches] == users
    assert site.sink.cursors == {"matrix_cosec:CFG0001": b"0:2:50"}
    await device.stop()


@pytest.mark.parametrize("keep", [40, 90, 140])
async def test_overwritten_events_are_skipped_and_no_other(tmp_path: Path, keep: int) -> None:
    device = MatrixTerminal(keep=keep)
    await device.start()
    site = PollSite(DRIVER, PROFILE, device.port, tmp_path)
    fill(device, 10)
    await site.running(lambda: len(site.sink.punches) == 10)
    users = fill(device, 300, 10)[-keep:]
    await site.running(lambda: len(site.sink.punches) == 10 + keep)
    assert [punch.user for punch in site.sink.punches[10:]] == users
    await device.stop()


async def test_a_ring_is_read_from_its_oldest_event(tmp_path: Path) -> None:
    device = MatrixTerminal(roll_at=100, keep=100)
    await device.start()
    site = PollSite(DRIVER, PROFILE, device.port, tmp_path)
    users = fill(device, 130)[-100:]
    await site.running(lambda: len(site.sink.punches) == 100)
    assert [punch.user for punch in site.sink.punches] == users
    await device.stop()


async def test_f20_a_factory_reset_loses_nothing(site: PollSite, device: MatrixTerminal) -> None:
    device.start_at(3, 40)
    fill(device, 5)
    device.punch("x", datetime(2009, 1, 1))
    await site.running(lambda: len(site.sink.punches) == 6)
    device.reset()
    fill(device, 5)  # the same people at the same seconds, as a backup put back would give
    device.punch("x", datetime(2009, 1, 1))
    device.punch("new", AT)
    await site.running(lambda: len(site.sink.punches) == 8)
    assert [punch.user for punch in site.sink.punches[6:]] == ["x", "new"]
    assert Flag.CLOCK_SUSPECT in site.sink.punches[6].flags
    assert len({punch.native_seq for punch in site.sink.punches}) == 8


@pytest.mark.parametrize("fault", ["garbage", "truncated", "reset", "error", "no_json"])
async def test_f20_faults_end_the_conversation_and_cost_no_punch(
    site: PollSite, device: MatrixTerminal, fault: str
) -> None:
    fill(device, 150)
    device.faults.extend([fault])  # type: ignore[list-item]
    with pytest.raises(RetryableError):
        await site.run()
    assert site.state.state == "offline"
    await site.running(lambda: len(site.sink.punches) == 150)


async def test_f20_a_terminal_cut_off_in_mid_log_goes_on_where_it_was(site: PollSite, device: MatrixTerminal) -> None:
    users = fill(device, 250)
    device.faults.clear()

    async def after_two(request: object) -> object:
        if len(device.requests) == 3:
            device.faults.append("truncated")
        return await respond(request)  # type: ignore[arg-type]

    respond = device.respond
    device.respond = after_two  # type: ignore[method-assign, assignment]
    with pytest.raises(RetryableError):
        await site.run()
    assert 0 < len(site.sink.punches) < 250
    await site.running(lambda: len(site.sink.punches) == 250)
    assert [punch.user for punch in site.sink.punches] == users


async def test_f20_two_gateways_read_one_terminal(site: PollSite, device: MatrixTerminal, tmp_path: Path) -> None:
    other = PollSite(DRIVER, PROFILE, device.port, tmp_path)
    users = fill(device, 120)
    await site.running(lambda: len(site.sink.punches) == 120)
    await other.running(lambda: len(other.sink.punches) == 120)
    assert [p.user for p in site.sink.punches] == [p.user for p in other.sink.punches] == users


async def test_a_busy_terminal_is_tried_again_and_a_wrong_password_never(
    site: PollSite, device: MatrixTerminal
) -> None:
    device.busy = 1
    with pytest.raises(RetryableError, match="busy"):
        await site.run()
    site.password = "wrong"
    with pytest.raises(ConfigError):
        await site.run()
    assert (site.state.state, site.state.problem) == ("config_error", "login_refused")
    assert device.login.wrong == 1
    site.password = "Muster-1234"
    device.code = 24
    with pytest.raises(ConfigError, match="switched off"):
        await site.run()
    assert (site.state.state, site.state.problem) == ("config_error", "refused")


async def test_nobody_there_is_tried_again(site: PollSite, device: MatrixTerminal) -> None:
    await device.stop()
    with pytest.raises(RetryableError):
        await site.run()
    assert site.state.state == "offline"


async def test_sec11_no_secrets(site: PollSite, device: MatrixTerminal) -> None:
    fill(device, 3)
    device.event(101, "x" * 80, AT)
    await site.running(lambda: len(site.sink.damaged) == 1)
    assert SECRET.encode() not in bytes(site.sink.raw)
    async with DRIVER.open(site.terminal(), site.clock.clocks()) as one:
        info = await one.info()
        assert SECRET not in repr(info)
        assert info.facts["newest"] == "4"
        found = [event.user async for event in one.log() if isinstance(event, Punch)]
    assert found == ["u0", "u1", "u2"]


@pytest.mark.parametrize("name", sorted(f"matrix/{p.stem}" for p in (profile_folder() / "matrix").glob("*.toml")))
def test_a_profile_fits_the_driver(name: str) -> None:
    profile = load_profile(name)
    assert (profile.family, profile.evidence) == ("matrix_cosec", "untested")
    assert set(profile.quirks) <= DRIVER.quirks


def attack(count: int) -> None:
    source = random.Random(count)
    parts = (FLAT, event(), event(user_id="7"), b"<!ENTITY", b"&a;", b"\xff\xfe", b"<Events>", b"\0")
    for _ in range(count):
        body = bytearray(source.choice(parts) + source.choice(parts))
        for _ in range(source.randint(0, 3)):
            body[source.randrange(len(body))] = source.randrange(256)
        data = bytes(body[: source.randint(0, len(body))])
        for read in (
            lambda body: codec.decode_events(body, 1),
            codec.decode_count,
            codec.decode_facts,
            lambda body: DRIVER.decode(body, load_profile(PROFILE), UTC, "x") if source.random() < 0.02 else None,
            Place.decode,
        ):
            try:
                read(data)
            except (DataError, ConfigError, RetryableError):
                continue


def test_sec33_codec_fuzz() -> None:
    began = time.monotonic()
    attack(10_000)
    assert time.monotonic() - began < 60


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    attack(100_000)


@pytest.mark.parametrize("fault", ["drip", "deaf"])
async def test_f20_a_terminal_that_does_not_finish_is_left(site: PollSite, device: MatrixTerminal, fault: str) -> None:
    fill(device, 3)
    site.timeout_s = 0.3
    device.faults.append(fault)  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises(RetryableError):
        await site.run()
    assert time.monotonic() - began < 10
    assert site.state.state == "offline"
    site.timeout_s = 10.0
    await site.running(lambda: bool(site.sink.punches))
