"""Axis controllers: what their answers say, and the conversation over real sockets; values from the protocol page."""

import json
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.axis import CARD, AxisController
from gateway.drivers.axis import codec
from gateway.drivers.axis.codec import Access, Bad, Other, Place
from gateway.drivers.axis.driver import DRIVER
from gateway.profile import load_profile, profile_folder
from shared.clock import from_ms
from shared.errors import ConfigError, DataError, RetryableError
from shared.punch import Direction, Flag, Method, Punch
from tests.support.poll_site import PollSite

EXAMPLE = (Path(__file__).parents[3] / "captures" / "axis" / "worked-example.json").read_bytes()
PROFILE = "axis/a1601"
UTC_S = 1_795_395_541
SERIAL = "ACCC8E000001"


@pytest.fixture
async def device() -> AsyncIterator[AxisController]:
    device = AxisController(limit=40)
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
def site(device: AxisController, tmp_path: Path) -> PollSite:
    return PollSite(DRIVER, PROFILE, device.port, tmp_path, serial=None)


def fill(device: AxisController, count: int, start: int = 0) -> list[str]:
    for n in range(start, start + count):
        device.punch(f"u{n}", UTC_S + n)
        device.punch(f"u{n}", UTC_S + n, topic="Denied")
    return [f"u{n}" for n in range(start, start + count)]


def test_the_worked_example_decodes() -> None:
    (told,) = DRIVER.decode(EXAMPLE, load_profile(PROFILE), ZoneInfo("Asia/Shanghai"), "S1")
    (punch,) = told.events
    assert isinstance(punch, Punch)
    assert (punch.user, punch.method, punch.native_seq) == ("Axis-00408c184bdb:1351593020.1", Method.CARD, 4711)
    assert from_ms(punch.at) == datetime(2026, 11, 23, 0, 59, 1, tzinfo=UTC)
    assert from_ms((punch.at_device or 0) * 1000).replace(tzinfo=None) == datetime(2026, 11, 23, 8, 59, 1)
    assert not codec.decode_page(EXAMPLE).more


def test_the_vendors_example_decodes() -> None:
    """VAPIX, event logger service, FetchEvents response: other keys, microseconds, the flag ``More``."""
    keys = {"topic0": "AccessControl", "topic1": "AccessGranted", "topic2": "Credential"}
    keys["CredentialHolderName"] = "Axis-00408c184c74:1382951566.633213000"
    event = {"rowid": 76, "UtcTime": "2013-10-28T09:13:23.018766Z"}
    pairs = [{"Key": key, "Value": value, "Tags": []} for key, value in keys.items()]
    page = codec.decode_page(json.dumps({"Event": [event | {"KeyValues": pairs}], "More": True}).encode())
    at = int(datetime(2013, 10, 28, 9, 13, 23, tzinfo=UTC).timestamp())
    user = keys["CredentialHolderName"]
    assert page == codec.Page((Access(76, user, at, Method.UNKNOWN, Direction.UNKNOWN),), more=True)


def test_a_question_is_the_one_of_the_page() -> None:
    asked = json.loads(codec.fetch(4711))["axlog:FetchEvents3"]
    assert asked["FilterSets"] == [{"Filters": [{"Key": "topic1", "Value": "AccessGranted"}]}]
    assert (asked["Limit"], asked["Descending"], asked["RowID"]) == (1000, False, 4711)
    assert "RowID" not in json.loads(codec.fetch(0))["axlog:FetchEvents3"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"2026-11-23T00:59:01.000Z", b"2026-02-30T00:59:01Z", "bad_time"),
        (b"2026-11-23T00:59:01.000Z", b"2026-11-23T00:59:01", "bad_time"),
        (b"2026-11-23T00:59:01.000Z", b"now", "bad_time"),
        (b'"UserToken"', b'"Else"', "bad_user"),
    ],
)
def test_what_is_no_punch_says_why_without_a_card(old: bytes, new: bytes, reason: str) -> None:
    (bad,) = codec.decode_page(EXAMPLE.replace(old, new)).rows
    assert isinstance(bad, Bad)
    assert bad.reason == reason
    assert b"00AABB" not in bad.raw


def test_other_events_are_no_punches() -> None:
    assert codec.decode_page(EXAMPLE.replace(b"AccessGranted", b"Denied")).rows == (Other(4711),)


@pytest.mark.parametrize("more", ["MoreToFetch", "More"])
async def test_a_log_is_read_to_its_end_and_then_as_it_grows(tmp_path: Path, more: str) -> None:
    device = AxisController(limit=40, more=more)
    await device.start()
    site = PollSite(DRIVER, PROFILE, device.port, tmp_path, serial=None)
    users = fill(device, 130)
    await site.running(lambda: len(site.sink.punches) == 130)
    users += fill(device, 3, 130)
    await site.running(lambda: len(site.sink.punches) == 133)
    assert [punch.user for punch in site.sink.punches] == users
    assert (site.sink.repeats, device.login.wrong) == (0, 0)
    assert (site.state.serial, site.state.firmware) == (SERIAL, "1.84.4")
    await device.stop()


async def test_rel01_cursor_after_commit(site: PollSite, device: AxisController) -> None:
    fill(device, 45)
    site.sink.refusing = True
    with pytest.raises(RetryableError):
        await site.run()
    assert (site.sink.cursors, site.state.problem) == ({}, "buffer_refused")
    site.sink.refusing = False
    await site.running(lambda: len(site.sink.punches) == 45)
    assert [count for count, _ in site.sink.puts] == [40, 5]
    assert site.sink.cursors == {f"axis:{SERIAL}": f"0:89:{UTC_S + 44}".encode()}


@pytest.mark.parametrize("later", [3, 200])
async def test_f20_a_factory_reset_loses_nothing(site: PollSite, device: AxisController, later: int) -> None:
    fill(device, 50)
    device.punch("x", 1000)
    await site.running(lambda: len(site.sink.punches) == 51)
    device.reset()
    users = fill(device, later, 1000)  # fewer rows than before, or more while nobody looked
    device.punch("x", 1000)
    await site.running(lambda: len(site.sink.punches) == 52 + later)
    assert [punch.user for punch in site.sink.punches[51:]] == [*users, "x"]
    assert Flag.CLOCK_SUSPECT in site.sink.punches[-1].flags


async def test_f20_a_reset_under_way_is_noticed(site: PollSite, device: AxisController) -> None:
    fill(device, 50)
    was_reset = False

    def at_last() -> bool:
        nonlocal was_reset
        if len(site.sink.punches) == 50 and not was_reset:
            was_reset = True
            device.reset()
            fill(device, 2, 70)
        return len(site.sink.punches) == 52

    await site.running(at_last)


async def test_overwritten_rows_cost_no_other(tmp_path: Path) -> None:
    device = AxisController(keep=100)
    await device.start()
    site = PollSite(DRIVER, PROFILE, device.port, tmp_path, serial=None)
    fill(device, 20)
    await site.running(lambda: len(site.sink.punches) == 20)
    users = fill(device, 200, 20)[-50:]
    await site.running(lambda: len(site.sink.punches) == 70)
    assert [punch.user for punch in site.sink.punches[20:]] == users
    await device.stop()


@pytest.mark.parametrize("fault", ["garbage", "truncated", "reset", "error", "no_json"])
@pytest.mark.parametrize("at", [1, 3])
async def test_f20_faults_end_the_conversation_and_cost_no_punch(
    site: PollSite, device: AxisController, fault: str, at: int
) -> None:
    users = fill(device, 90)
    respond = device.respond

    async def broken(request: object) -> object:
        if len(device.requests) == at:
            device.faults.append(fault)  # type: ignore[arg-type]
        return await respond(request)  # type: ignore[arg-type]

    device.respond = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(RetryableError):
        await site.run()
    assert site.state.state == "offline"
    await site.running(lambda: len(site.sink.punches) == 90)
    assert [punch.user for punch in site.sink.punches] == users


async def test_f20_two_gateways_read_one_controller(site: PollSite, device: AxisController, tmp_path: Path) -> None:
    other = PollSite(DRIVER, PROFILE, device.port, tmp_path, serial=None)
    users = fill(device, 15)
    await site.running(lambda: len(site.sink.punches) == 15)
    await other.running(lambda: len(other.sink.punches) == 15)
    assert [p.user for p in site.sink.punches] == [p.user for p in other.sink.punches] == users


async def test_a_wrong_password_and_missing_rights_are_never_tried_again(
    site: PollSite, device: AxisController
) -> None:
    site.password = "wrong"
    with pytest.raises(ConfigError):
        await site.run()
    assert (site.state.problem, device.login.wrong) == ("login_refused", 1)
    site.password = "Muster-1234"
    device.forbidden = True
    with pytest.raises(ConfigError, match="right"):
        await site.run()
    assert (site.state.state, site.state.problem) == ("config_error", "refused")


async def test_sec11_no_cards_and_no_names(site: PollSite, device: AxisController) -> None:
    device.punch("u1", UTC_S)
    device.punch("", UTC_S)
    await site.running(lambda: len(site.sink.damaged) == 1)
    assert CARD.encode() not in bytes(site.sink.raw)
    async with DRIVER.open(site.terminal(), site.clock.clocks()) as one:
        assert (await one.info()).model == "A1601"
        assert [(user.number, user.name) for user in await one.users()] == [("u1", "WANG WEI")]
        assert len([event async for event in one.log()]) == 2


@pytest.mark.parametrize("name", sorted(f"axis/{p.stem}" for p in (profile_folder() / "axis").glob("*.toml")))
def test_a_profile_fits_the_driver(name: str) -> None:
    profile = load_profile(name)
    assert (profile.family, profile.evidence) == ("axis", "untested")


@given(st.integers(0, 1000), st.integers(0, 1 << 40), st.integers(0, 1 << 33))
def test_a_place_comes_back_and_numbers_grow_with_it(epoch: int, row: int, utc_s: int) -> None:
    place = Place(epoch, row, utc_s)
    assert Place.decode(place.encode()) == place
    assert place.native(row) < place.native(row + 1) < Place(epoch + 1).native(0) < 1 << 63
    assert Place.decode(None) == Place.decode(b"nonsense") == Place()


def attack(count: int) -> None:
    source = random.Random(count)
    parts = (EXAMPLE, b'{"Event":[', b"[" * 50, b'"UtcTime":"2026-11-23T99', b"null", b'"rowid":1e400')
    for _ in range(count):
        body = bytearray(source.choice(parts) + source.choice(parts)[: source.randint(0, 40)])
        for _ in range(source.randint(0, 3)):
            body[source.randrange(len(body))] = source.randrange(256)
        data = bytes(body[: source.randint(0, len(body))])
        for read in (codec.decode_page, codec.decode_info, codec.decode_users, Place.decode):
            try:
                read(data)
            except DataError:
                continue


def test_sec33_codec_fuzz() -> None:
    began = time.monotonic()
    attack(10_000)
    assert time.monotonic() - began < 60


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    attack(100_000)


@pytest.mark.parametrize("fault", ["drip", "deaf"])
async def test_f20_a_terminal_that_does_not_finish_is_left(site: PollSite, device: AxisController, fault: str) -> None:
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


async def test_it_is_recognised_without_a_login(device: AxisController) -> None:
    found = await DRIVER.identify("127.0.0.1", device.port)
    assert found is not None
    assert (found.serial, found.model) == (SERIAL, "A1601")
    assert device.login.wrong == 0
