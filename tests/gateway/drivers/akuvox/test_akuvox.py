"""Akuvox terminals: what their answers say, and the conversation over real sockets; values from the protocol page."""

import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.akuvox import PIN, AkuvoxTerminal
from emulators.matrix_cosec import BasicLogin
from gateway.drivers.akuvox import codec
from gateway.drivers.akuvox.codec import Bad, Entry
from gateway.drivers.akuvox.driver import DRIVER
from gateway.profile import load_profile, profile_folder
from shared.clock import device_seconds, from_ms
from shared.errors import ConfigError, DataError, RetryableError
from shared.punch import Flag, Method, Punch
from tests.support.poll_site import PollSite

EXAMPLE = (Path(__file__).parents[3] / "captures" / "akuvox" / "worked-example.json").read_bytes()
PROFILE = "akuvox/x916"
AT = datetime(2026, 11, 23, 8, 59, 1)


@pytest.fixture
async def device() -> AsyncIterator[AkuvoxTerminal]:
    device = AkuvoxTerminal()
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
def site(device: AkuvoxTerminal, tmp_path: Path) -> PollSite:
    return PollSite(DRIVER, PROFILE, device.port, tmp_path, serial=None)


def fill(device: AkuvoxTerminal, count: int, start: int = 0) -> list[str]:
    for n in range(start, start + count):
        device.punch(f"u{n}", AT + timedelta(seconds=n))
    return [f"u{n}" for n in range(start, start + count)]


def test_the_worked_example_decodes() -> None:
    (told,) = DRIVER.decode(EXAMPLE, load_profile(PROFILE), ZoneInfo("Asia/Shanghai"), "S1")
    (punch,) = told.events
    assert isinstance(punch, Punch)
    assert (punch.user, punch.method, punch.raw_codes) == ("1000", Method.FACE, (4, 0))
    assert from_ms(punch.at) == datetime(2026, 11, 23, 0, 59, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"item":[', b'"item":['),
        (b'"20261123"', b'"2026-11-23"'),
        (b'"Code":"1000"', b'"Code":1000'),
        (b'"Code":"1000"', b'"Code":"AABB","UserID":"1000"'),
        (b'"Status":"0"', b'"Status":"Success"'),
        (b'"Type":"4"', b'"Type":"Face"'),
    ],
)
@pytest.mark.parametrize("single", [True, False])
def test_every_spelling_is_the_same_line(old: bytes, new: bytes, single: bool) -> None:
    body = EXAMPLE.replace(old, new)
    if single:
        body = body.replace(b"[", b"").replace(b"]", b"")
    (row,) = codec.decode_log(body)
    assert isinstance(row, Entry)
    assert (row.user, row.at, row.kind) == ("1000", device_seconds(AT), 4)


@pytest.mark.parametrize("data", [b"{}", b"null", b'""', b'{"num":0,"item":[]}', b'{"item":null}'])
def test_an_empty_log_is_empty(data: bytes) -> None:
    assert codec.decode_log(b'{"retcode":0,"data":' + data + b"}") == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"20261123"', b'"20260230"', "bad_time"),
        (b'"08:59:01"', b'"8:59"', "bad_time"),
        (b'"Code":"1000"', b'"Code":""', "bad_user"),
        (b'"Code":"1000"', b'"Code":"' + b"9" * 65 + b'"', "bad_user"),
        (b'"Type":"4"', b'"Type":"2"', "bad_user"),
    ],
)
def test_what_is_no_punch_says_why_without_a_name(old: bytes, new: bytes, reason: str) -> None:
    (bad,) = codec.decode_log(EXAMPLE.replace(old, new))
    assert isinstance(bad, Bad)
    assert bad.reason == reason
    assert b"WANG" not in bad.raw


def test_a_refusal_is_no_punch() -> None:
    (row,) = codec.decode_log(EXAMPLE.replace(b'"Status":"0"', b'"Status":"1"'))
    assert isinstance(row, Entry)
    assert row.user == ""


@pytest.mark.parametrize("paged", [True, False])
@pytest.mark.parametrize("auth", ["none", "digest", "basic"])
async def test_a_log_is_read_to_its_end_and_then_as_it_grows(tmp_path: Path, paged: bool, auth: str) -> None:
    login = BasicLogin(realm="HTTPAPI") if auth == "basic" else auth
    device = AkuvoxTerminal(auth=login, paged=paged, dashes=paged)  # type: ignore[arg-type]
    await device.start()
    site = PollSite(
        DRIVER, PROFILE, device.port, tmp_path, serial=None, password=None if auth == "none" else "Muster-1234"
    )
    users = fill(device, 1)
    await site.running(lambda: len(site.sink.punches) == 1)
    users += fill(device, 64, 1)
    await site.running(lambda: len(site.sink.punches) == 65)
    assert [punch.user for punch in site.sink.punches] == users
    assert site.sink.repeats == 0
    assert (site.state.serial, site.state.firmware) == ("0C1105000001", "916.30.10.114")
    assert site.sink.punches[0].terminal == "0C1105000001"
    assert device.login.wrong == 0
    await device.stop()


async def test_rel01_cursor_after_commit(site: PollSite, device: AkuvoxTerminal) -> None:
    fill(device, 30)
    site.sink.refusing = True
    with pytest.raises(RetryableError):
        await site.run()
    assert (site.sink.cursors, site.state.problem, site.state.state) == ({}, "buffer_refused", "offline")
    site.sink.refusing = False
    await site.running(lambda: site.state.state == "online")
    assert len(site.sink.punches) == 30
    assert list(site.sink.cursors) == ["akuvox:0C1105000001"]


async def test_f20_a_clock_set_back_hides_no_punch(site: PollSite, device: AkuvoxTerminal) -> None:
    fill(device, 5)
    await site.running(lambda: len(site.sink.punches) == 5)
    device.punch("late", AT - timedelta(days=2))
    device.punch("lost", datetime(1970, 1, 1, 0, 0, 9))
    await site.running(lambda: len(site.sink.punches) == 7)
    assert [punch.user for punch in site.sink.punches[5:]] == ["late", "lost"]
    assert site.sink.punches[6].flags == Flag.CLOCK_SUSPECT


async def test_f20_a_cleared_and_a_duplicated_log_lose_and_double_nothing(
    site: PollSite, device: AkuvoxTerminal
) -> None:
    users = fill(device, 25)
    device.punch("", AT, kind="2")
    await site.running(lambda: len(site.sink.damaged) == 1)
    device.log[:] = [*device.log[:25], *device.log[:25]]
    users += fill(device, 1, 50)
    await site.running(lambda: len(site.sink.punches) == 26)
    device.log.clear()
    users += fill(device, 1, 60)
    await site.running(lambda: len(site.sink.punches) == 27)
    assert [punch.user for punch in site.sink.punches] == users


@pytest.mark.parametrize("fault", ["garbage", "truncated", "reset", "error", "no_json"])
@pytest.mark.parametrize("at", [0, 2])
async def test_f20_faults_end_the_conversation_and_cost_no_punch(
    site: PollSite, device: AkuvoxTerminal, fault: str, at: int
) -> None:
    fill(device, 35)
    respond = device.respond

    async def broken(request: object) -> object:
        if len(device.requests) == at + 1:
            device.faults.append(fault)  # type: ignore[arg-type]
        return await respond(request)  # type: ignore[arg-type]

    device.respond = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(RetryableError):
        await site.run()
    assert site.state.state == "offline"
    await site.running(lambda: len(site.sink.punches) == 35)


async def test_f20_two_gateways_read_one_terminal(site: PollSite, device: AkuvoxTerminal, tmp_path: Path) -> None:
    other = PollSite(DRIVER, PROFILE, device.port, tmp_path, serial=None)
    users = fill(device, 15)
    await site.running(lambda: len(site.sink.punches) == 15)
    await other.running(lambda: len(other.sink.punches) == 15)
    assert [p.user for p in site.sink.punches] == [p.user for p in other.sink.punches] == users


@pytest.mark.parametrize("retcode", [-1, -404])
async def test_a_model_that_can_not_is_reported_and_not_asked_again(
    site: PollSite, device: AkuvoxTerminal, retcode: int
) -> None:
    device.retcode = retcode
    with pytest.raises(ConfigError, match="does not offer"):
        await site.run()
    assert (site.state.state, site.state.problem) == ("config_error", "refused")
    device.retcode = 5
    with pytest.raises(RetryableError):
        await site.run()


async def test_a_wrong_password_is_never_tried_again(site: PollSite, device: AkuvoxTerminal) -> None:
    site.password = "wrong"
    with pytest.raises(ConfigError):
        await site.run()
    assert (site.state.problem, device.login.wrong) == ("login_refused", 1)


async def test_sec11_no_pins_names_and_picture_addresses(site: PollSite, device: AkuvoxTerminal) -> None:
    device.punch(PIN, AT, kind="2")
    device.punch(PIN, AT + timedelta(seconds=1), kind="3")
    device.punch(PIN, AT + timedelta(seconds=2), kind="2", user="1000")
    await site.running(lambda: len(site.sink.events) == 3)
    assert [(p.user, p.method) for p in site.sink.punches] == [("1000", Method.PASSWORD)]
    for secret in (PIN, "WANG", "10.0.0.9"):
        assert secret.encode() not in bytes(site.sink.raw)
    async with DRIVER.open(site.terminal(), site.clock.clocks()) as one:
        people = await one.users()
        assert PIN not in repr(people)
        assert [(user.number, user.name, user.card) for user in people] == [("1000", "WANG WEI", "AABB")]
        assert (await one.info()).model == "X916"
        assert len([event async for event in one.log()]) == 3


@pytest.mark.parametrize("name", sorted(f"akuvox/{p.stem}" for p in (profile_folder() / "akuvox").glob("*.toml")))
def test_a_profile_fits_the_driver(name: str) -> None:
    profile = load_profile(name)
    assert (profile.family, profile.evidence) == ("akuvox", "untested")


@given(st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)), st.integers(0, 10**12))
def test_every_line_comes_back_as_it_was_written(at: datetime, user: int) -> None:
    body = EXAMPLE.replace(b"20261123", f"{at:%Y%m%d}".encode()).replace(b"08:59:01", f"{at:%H:%M:%S}".encode())
    (row,) = codec.decode_log(body.replace(b'"1000"', f'"{user}"'.encode()))
    assert isinstance(row, Entry)
    assert (row.user, row.at) == (str(user), device_seconds(at))


def attack(count: int) -> None:
    source = random.Random(count)
    parts = (EXAMPLE, b'{"retcode":0,"data":{"item":[', b"[" * 50, b'"Date":1e400', b"null", b'"retcode":"-1"')
    for _ in range(count):
        body = bytearray(source.choice(parts) + source.choice(parts)[: source.randint(0, 40)])
        for _ in range(source.randint(0, 3)):
            body[source.randrange(len(body))] = source.randrange(256)
        data = bytes(body[: source.randint(0, len(body))])
        for read in (codec.decode_log, codec.decode_info, codec.decode_users):
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
async def test_f20_a_terminal_that_does_not_finish_is_left(site: PollSite, device: AkuvoxTerminal, fault: str) -> None:
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


async def test_it_is_recognised_only_when_it_speaks_without_a_login(device: AkuvoxTerminal) -> None:
    assert await DRIVER.identify("127.0.0.1", device.port) is None
    assert device.login.wrong == 0
    device.login.check = lambda *_: None  # type: ignore[method-assign]
    found = await DRIVER.identify("127.0.0.1", device.port)
    assert found is not None
    assert found.model == "X916"
    await device.stop()
    assert await DRIVER.identify("127.0.0.1", device.port) is None


@pytest.mark.parametrize("code", ["null", "-404", "5"])
def test_a_captured_refusal_is_told_and_raises_nothing(code: str) -> None:
    """Found by atheris: a decoder raises nothing but DataError."""
    body = b'{"retcode":%s,"action":"get","message":"OK","data":{}}' % code.encode()
    (told,) = DRIVER.decode(body, load_profile("akuvox/x916"), UTC, "SN1")
    assert (told.kind, told.events, [fact.code for fact in told.health]) == ("refusal", (), ["refused"])
