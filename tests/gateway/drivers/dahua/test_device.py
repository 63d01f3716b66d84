"""What a person asks of a Dahua terminal, and what a network search finds out."""

import asyncio
from datetime import timedelta

import pytest

from emulators.hikvision import HikvisionTerminal
from gateway.device import Decoder, DeviceUser, Finder, Manager
from gateway.drivers.dahua.driver import DRIVER
from gateway.profile import load_profile
from shared.errors import ConfigError
from shared.punch import Punch
from tests.gateway.drivers.dahua.site import AT, Site
from tests.support.loopback import free_port
from tests.support.recording_sink import until


def test_the_driver_offers_what_it_claims() -> None:
    assert isinstance(DRIVER, Manager)
    assert isinstance(DRIVER, Decoder)
    assert isinstance(DRIVER, Finder)


@pytest.mark.parametrize("name", ["dahua/asi", "intelbras/ss-35xx-mf-w", "intelbras/ss-55xx-mf-w"])
def test_every_profile_of_the_family_fits_the_driver(name: str) -> None:
    profile = load_profile(name)
    assert profile.family == DRIVER.family
    assert set(profile.quirks) <= DRIVER.quirks


async def test_info_tells_who_it_is(site: Site) -> None:
    site.device.enrol("1", "A", "0A")
    site.device.enrol("1", "A", "0B")
    site.device.punch("1", AT)
    async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
        info = await device.info()
    assert (info.serial, info.model) == ("6G0ABCDPAJ00001", "ASI7213X-T1")
    assert (info.firmware, info.users, info.log_used) == ("1.000.0000001.0.R,build:2021-05-20", 1, 1)


async def test_the_clock_is_read_and_set(site: Site) -> None:
    real = site.device.wall
    site.device.wall = lambda: real() + timedelta(seconds=90)
    async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
        clock = await device.clock()
        assert (clock.wall, clock.drift_ms) == (AT + timedelta(seconds=90), 90_500)
        await device.set_clock(AT)
        assert (await device.clock()).drift_ms == 500


async def test_users_are_listed_added_renamed_and_disabled(site: Site) -> None:
    for number, card in (("001", "0A"), ("002", "0B"), ("002", "0C")):
        site.device.enrol(number, f"Name {number}", card)
    async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
        assert await device.users() == [DeviceUser("001", "Name 001", "0A"), DeviceUser("002", "Name 002", "0B")]
        await device.put_user(DeviceUser("002", "New & Name", enabled=False))
        await device.put_user(DeviceUser("900", "王伟", "0D"))
        listed = {user.number: user for user in await device.users()}
        with pytest.raises(ConfigError, match="card number"):
            await device.put_user(DeviceUser("901", "No Card"))
    assert listed["002"] == DeviceUser("002", "New & Name", "0B", enabled=False)
    assert listed["900"] == DeviceUser("900", "王伟", "0D")
    assert [(card["CardStatus"], card["CardNo"]) for card in site.device.cards if card["UserID"] == "002"] == [
        (4, "0B"),
        (4, "0C"),
    ]
    assert {card["Password"] for card in site.device.cards} == {"SECRET-PASSWORD"}


@pytest.mark.parametrize("time_filter", [True, False])
async def test_the_log_and_live_punches_are_shown(site: Site, time_filter: bool) -> None:
    site.device.time_filter, site.device.page_size = time_filter, 120
    for n in range(250):
        site.device.punch(f"{n:03}", AT + timedelta(seconds=n), live=False)
    async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
        users = [event.user async for event in device.log() if isinstance(event, Punch)]
        assert sorted(users) == [f"{n:03}" for n in range(250)]
        watched = device.watch()
        first = asyncio.ensure_future(anext(watched))
        await until(lambda: site.device.listeners.count == 1)
        site.device.punch("live", AT)
        event = await first
        assert isinstance(event, Punch)
        assert event.user == "live"
        await watched.aclose()  # type: ignore[attr-defined]


async def test_a_wrong_password_is_said_once(site: Site) -> None:
    site.password = "wrong"
    with pytest.raises(ConfigError, match="refused"):
        async with DRIVER.open(site.configured(), site.clock.clocks()):
            pass
    assert site.device.login.wrong == 1


async def test_a_terminal_is_recognised_by_its_realm_without_a_password(site: Site) -> None:
    found = await DRIVER.identify("127.0.0.1", site.device.port)
    assert found is not None
    assert found.serial == "6G0ABCDPAJ00001"
    assert site.device.login.wrong == 0


async def test_a_terminal_of_another_make_is_not_taken_for_one() -> None:
    other = HikvisionTerminal()
    await other.start()
    assert await DRIVER.identify("127.0.0.1", other.port) is None
    assert await DRIVER.identify("127.0.0.1", free_port()) is None
    await other.stop()
