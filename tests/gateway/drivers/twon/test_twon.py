"""2N terminals: what their answers say, and the conversation over real sockets; values from the protocol page."""

import json
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.twon import SECRET, TwonTerminal
from gateway.device import Ability
from gateway.drivers.twon import codec, driver
from gateway.drivers.twon.codec import Access, Bad, Other, Place, Sessions
from gateway.drivers.twon.driver import DRIVER
from gateway.profile import load_profile, profile_folder
from shared.clock import from_ms
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.punch import Direction, Flag, Method, Punch
from tests.support.poll_site import PollSite
from tests.support.recording_sink import NOW_MS

EXAMPLE = (Path(__file__).parents[3] / "captures" / "twon" / "worked-example.json").read_bytes()
PROFILE = "2n/verso"
UTC_S = 1_795_395_541


@pytest.fixture
async def device() -> AsyncIterator[TwonTerminal]:
    device = TwonTerminal()
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
def site(device: TwonTerminal, tmp_path: Path) -> PollSite:
    return PollSite(DRIVER, PROFILE, device.port, tmp_path, serial=None)


def test_the_worked_example_decodes() -> None:
    (told,) = DRIVER.decode(EXAMPLE, load_profile(PROFILE), UTC, "08-1860-0035")
    (punch,) = told.events
    assert isinstance(punch, Punch)
    assert (punch.user, punch.utc_offset_s) == ("3b0fd3ae-0000-4000-8000-000000001000", 28800)
    assert from_ms(punch.at) == datetime(2026, 11, 23, 0, 59, 1, tzinfo=UTC)
    assert from_ms((punch.at_device or 0) * 1000).replace(tzinfo=None) == datetime(2026, 11, 23, 8, 59, 1)
    assert (punch.native_seq, punch.at) == (3, NOW_MS)


def test_card_and_direction_come_from_the_event_before_of_that_session() -> None:
    device = TwonTerminal()
    device.punch("u1", UTC_S, direction="out")
    device.punch("u2", UTC_S, direction="any", how="FingerEntered")
    device.punch("u3", UTC_S, how=None)
    events = json.dumps({"success": True, "result": {"events": list(device.log)}}).encode()
    found = [row for row in codec.decode_events(events, Sessions()) if isinstance(row, Access)]
    assert [(row.user, row.method, row.direction) for row in found] == [
        ("u1", Method.CARD, Direction.OUT),
        ("u2", Method.FINGER, Direction.UNKNOWN),
        ("u3", Method.UNKNOWN, Direction.UNKNOWN),
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"tzShift":480', b'"tzShift":9999', "bad_time"),
        (b'"utcTime":1795395541', b'"utcTime":-1', "bad_time"),
        (b'"utcTime":1795395541,', b"", "bad_time"),
        (b'"uuid":"3b0fd3ae-0000-4000-8000-000000001000",', b"", "bad_user"),
    ],
)
def test_what_is_no_punch_says_why_without_a_name(old: bytes, new: bytes, reason: str) -> None:
    (bad,) = codec.decode_events(EXAMPLE.replace(old, new), Sessions())
    assert isinstance(bad, Bad)
    assert bad.reason == reason
    assert b"WANG" not in bad.raw


@pytest.mark.parametrize("name", ["UserRejected", "AccessLimited", "DoorStateChanged", "CardEntered"])
def test_other_events_are_no_punches(name: str) -> None:
    (row,) = codec.decode_events(EXAMPLE.replace(b"UserAuthenticated", name.encode()), Sessions())
    assert row == Other(3)


@pytest.mark.parametrize(
    ("code", "error"), [(8, ConfigError), (9, ConfigError), (10, ConfigError), (14, RetryableError), (12, DataError)]
)
def test_an_error_code_says_what_to_do_next(code: int, error: type[MusterError]) -> None:
    with pytest.raises(error):
        codec.decode_subscription(b'{"success":false,"error":{"code":%d,"description":"x"}}' % code)


@given(st.integers(0, 1000), st.integers(0, 1 << 31))
def test_a_place_comes_back_and_numbers_grow_with_it(epoch: int, number: int) -> None:
    place = Place(epoch, number)
    assert Place.decode(place.encode()) == place
    assert place.native(number) < place.native(number + 1) < Place(epoch + 1).native(0) < 1 << 63
    assert Place.decode(None) == Place.decode(b"nonsense") == Place()


async def test_all_that_is_kept_and_then_each_punch_as_it_happens(site: PollSite, device: TwonTerminal) -> None:
    for n in range(200):
        device.punch(f"u{n}", UTC_S + n)
    told = 0

    def at_last() -> bool:
        nonlocal told
        if len(site.sink.punches) == 200 + told and told < 3:
            told += 1
            device.punch(f"live{told}", UTC_S + 1000 + told)
        return len(site.sink.punches) == 203

    await site.running(at_last)
    assert [punch.user for punch in site.sink.punches][-4:] == ["u199", "live1", "live2", "live3"]
    assert site.sink.punches[0].terminal == device.serial
    assert (site.state.serial, site.state.firmware, site.state.drift_ms) == (device.serial, "2.35.1.46.3", 500)
    assert len([one for one in device.requests if "subscribe" in one]) <= 2


async def test_rel01_cursor_after_commit(site: PollSite, device: TwonTerminal) -> None:
    device.punch("u", UTC_S)
    site.sink.refusing = True
    with pytest.raises(RetryableError):
        await site.run()
    assert (site.sink.cursors, site.state.problem) == ({}, "buffer_refused")
    site.sink.refusing = False
    await site.running(lambda: bool(site.sink.punches))  # what was pulled and refused is asked for again
    assert site.sink.cursors == {"2n:08-1860-0035": b"0:2"}


async def test_a_subscription_that_is_gone_is_made_again(site: PollSite, device: TwonTerminal) -> None:
    device.punch("u", UTC_S)
    ended = False

    def at_last() -> bool:
        nonlocal ended
        if site.sink.punches and not ended:
            ended = True
            device._subscriptions.clear()
            device.punch("v", UTC_S + 1)
            device._news.set()
        return len(site.sink.punches) == 2

    await site.running(at_last)
    assert [punch.user for punch in site.sink.punches] == ["u", "v"]


async def test_f20_numbers_that_begin_anew_lose_nothing(site: PollSite, device: TwonTerminal) -> None:
    for n in range(3):
        device.punch("u", 1000 + n)
    await site.running(lambda: len(site.sink.punches) == 3)
    device.restart()
    device.punch("u", 1000)  # its clock was lost again: the same second, another punch
    await site.running(lambda: len(site.sink.punches) == 4)
    assert site.sink.punches[3].native_seq == (1 << 32) + 2
    assert all(Flag.CLOCK_SUSPECT in punch.flags for punch in site.sink.punches)


async def test_firmware_without_the_parameters_gives_what_is_new(tmp_path: Path) -> None:
    device = TwonTerminal(include=False)
    await device.start()
    site = PollSite(DRIVER, PROFILE, device.port, tmp_path, serial=None)
    device.punch("old", UTC_S)
    told = False

    def at_last() -> bool:
        nonlocal told
        if device.pulls >= 1 and not told:
            told = True
            device.punch("new", UTC_S)
        return bool(site.sink.punches)

    await site.running(at_last)
    assert [punch.user for punch in site.sink.punches] == ["new"]
    await device.stop()


@pytest.mark.parametrize("fault", ["garbage", "truncated", "reset", "error", "no_json"])
@pytest.mark.parametrize("at", [0, 2, 3])
async def test_f20_faults_end_the_conversation_and_cost_no_punch(
    site: PollSite, device: TwonTerminal, fault: str, at: int
) -> None:
    device.punch("u", UTC_S)

    def break_it() -> bool:
        if len(device.requests) >= at and not device.faults:
            device.faults.append(fault)  # type: ignore[arg-type]
            device._news.set()
        return False

    with pytest.raises(RetryableError):
        await site.running(break_it)
    assert site.state.state == "offline"
    device.faults.clear()
    await site.running(lambda: len(site.sink.punches) == 1)


async def test_f20_two_gateways_share_one_terminal(site: PollSite, device: TwonTerminal, tmp_path: Path) -> None:
    other = PollSite(DRIVER, PROFILE, device.port, tmp_path, serial=None)
    for n in range(10):
        device.punch(f"u{n}", UTC_S + n)
    await site.running(lambda: len(site.sink.punches) == 10)
    await other.running(lambda: len(other.sink.punches) == 10)


async def test_a_wrong_password_and_missing_rights_are_never_tried_again(site: PollSite, device: TwonTerminal) -> None:
    site.password = "wrong"
    with pytest.raises(ConfigError):
        await site.run()
    assert (site.state.state, site.state.problem, device.login.wrong) == ("config_error", "login_refused", 1)
    site.password = "Muster-1234"
    device.refusal_code = 10
    with pytest.raises(ConfigError, match="rights"):
        await site.run()
    assert site.state.problem == "refused"


async def test_sec11_no_cards_no_codes_no_names(site: PollSite, device: TwonTerminal) -> None:
    device.punch("u", UTC_S, how="CodeEntered")
    device.punch("", UTC_S)
    await site.running(lambda: len(site.sink.damaged) == 1)
    stored = bytes(site.sink.raw)
    assert SECRET.encode() not in stored
    assert b"WANG" not in stored
    assert site.sink.punches[0].method is Method.PIN


async def test_a_person_can_ask_it(site: PollSite, device: TwonTerminal) -> None:
    device.punch("u", UTC_S)
    assert Ability.CLOCK in DRIVER.abilities
    async with DRIVER.open(site.terminal(), site.clock.clocks()) as one:
        assert (await one.info()).model == "2N IP Verso"
        clock = await one.clock()
        assert (clock.wall, clock.drift_ms) == (datetime(2026, 11, 23, 8, 59, 1), 500)
        assert [event.user async for event in one.log() if isinstance(event, Punch)] == ["u"]
        watched = one.watch()
        assert isinstance(await anext(watched), Punch)
        await watched.aclose()  # type: ignore[attr-defined]
        with pytest.raises(ConfigError):
            await one.users()


@pytest.mark.parametrize("name", sorted(f"2n/{p.stem}" for p in (profile_folder() / "2n").glob("*.toml")))
def test_a_profile_fits_the_driver(name: str) -> None:
    profile = load_profile(name)
    assert (profile.family, profile.evidence) == (DRIVER.family, "untested")


def attack(count: int) -> None:
    source = random.Random(count)
    parts = (EXAMPLE, b'{"success":true,"result":{"events":[', b"[" * 50, b'"utcTime":"x"', b"null", b"1e400")
    sessions = Sessions()
    for _ in range(count):
        body = bytearray(source.choice(parts) + source.choice(parts)[: source.randint(0, 40)])
        for _ in range(source.randint(0, 3)):
            body[source.randrange(len(body))] = source.randrange(256)
        data = bytes(body[: source.randint(0, len(body))])
        for read in (
            lambda body: codec.decode_events(body, sessions),
            codec.decode_subscription,
            codec.decode_info,
            codec.decode_status,
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
async def test_f20_a_terminal_that_does_not_finish_is_left(
    site: PollSite, device: TwonTerminal, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "WAIT_S", 0)
    device.punch("u", UTC_S)
    site.timeout_s = 0.3
    device.faults.append(fault)  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises(RetryableError):
        await site.run()
    assert time.monotonic() - began < 10
    assert site.state.state == "offline"
    site.timeout_s = 10.0
    await site.running(lambda: bool(site.sink.punches))


async def test_it_is_recognised_only_when_it_speaks_without_a_login(device: TwonTerminal) -> None:
    assert await DRIVER.identify("127.0.0.1", device.port) is None
    assert device.login.wrong == 0
    device.login.check = lambda *_: None  # type: ignore[method-assign]
    found = await DRIVER.identify("127.0.0.1", device.port)
    assert found is not None
    assert found.model == "2N IP Verso"
    await device.stop()
    assert await DRIVER.identify("127.0.0.1", device.port) is None
