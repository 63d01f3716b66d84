"""What a person asks of a Hikvision terminal, and what a network search finds out."""

import asyncio
from datetime import datetime, timedelta

import pytest

from emulators.dahua import DahuaTerminal
from emulators.digest_http import Request, Response
from emulators.hikvision import EnrolledUser, HikvisionTerminal
from gateway.config import TerminalConfig
from gateway.device import Decoder, DeviceUser, Finder, Manager
from gateway.drivers.hikvision.driver import DRIVER
from gateway.profile import load_profile
from shared.errors import ConfigError, RetryableError
from shared.punch import Punch
from tests.gateway.drivers.hikvision.site import AT, Site
from tests.support.loopback import free_port
from tests.support.recording_sink import context, terminal, until


def test_the_driver_offers_what_it_claims() -> None:
    assert isinstance(DRIVER, Manager)
    assert isinstance(DRIVER, Decoder)
    assert isinstance(DRIVER, Finder)


@pytest.mark.parametrize("name", ["hikvision/ds-k1t341am", "hikvision/ds-k1t342mwx", "prama/minmoe", "hilook/minmoe"])
def test_every_profile_of_the_family_fits_the_driver(name: str) -> None:
    profile = load_profile(name)
    assert profile.family == DRIVER.family
    assert set(profile.quirks) <= DRIVER.quirks


async def test_info_tells_who_it_is(site: Site) -> None:
    site.device.users = {str(n): EnrolledUser(str(n)) for n in range(3)}
    site.device.punch("1", AT)
    async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
        info = await device.info()
    assert (info.serial, info.model, info.firmware) == (site.device.serial, "DS-K1T341AM", "V3.2.30")
    assert (info.users, info.log_used) == (3, 1)


async def test_the_clock_is_read_and_set(site: Site) -> None:
    real = site.device.wall
    site.device.wall = lambda: real() + timedelta(seconds=90)
    async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
        clock = await device.clock()
        assert (clock.wall, clock.drift_ms) == (AT + timedelta(seconds=90), 90_500)
        await device.set_clock(AT)
        assert (await device.clock()).drift_ms == 500


async def test_a_clock_that_follows_a_time_server_is_left_alone(site: Site) -> None:
    site.device.time_mode = "NTP"
    async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
        with pytest.raises(ConfigError, match="NTP"):
            await device.set_clock(datetime(2026, 11, 23, 9))


async def test_users_are_listed_added_renamed_and_disabled(site: Site) -> None:
    site.device.users = {f"{n:03}": EnrolledUser(f"{n:03}", f"Name {n}", face=f"F{n}") for n in range(65)}
    async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
        assert len(await device.users()) == 65
        await device.put_user(DeviceUser("064", "New Name", enabled=False))
        await device.put_user(DeviceUser("900", "王伟"))
        listed = {user.number: user for user in await device.users()}
        with pytest.raises(ConfigError, match="card"):
            await device.put_user(DeviceUser("1", card="0001"))
    assert listed["064"] == DeviceUser("064", "New Name", enabled=False)
    assert listed["900"] == DeviceUser("900", "王伟")
    changed = site.device.users["064"]
    assert (changed.face, changed.begin) == ("F64", "2026-01-01T00:00:00")


async def test_the_log_and_live_punches_are_shown(site: Site) -> None:
    for n in range(50):
        site.device.punch(f"{n:02}", AT + timedelta(seconds=n), live=False)
    async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
        users = [event.user async for event in device.log() if isinstance(event, Punch)]
        assert sorted(users) == [f"{n:02}" for n in range(50)]
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


async def test_nobody_there_may_be_there_later(site: Site) -> None:
    with pytest.raises(RetryableError):
        async with DRIVER.open(site.configured(port=free_port()), site.clock.clocks()):
            pass


# Recognition


async def test_a_terminal_is_recognised_without_a_password(site: Site) -> None:
    found = await DRIVER.identify("127.0.0.1", site.device.port)
    assert found is not None
    assert found.facts == {"server": "webserver"}
    assert site.device.login.wrong == 0


class Locked(HikvisionTerminal):
    """Some web server that wants a password for everything."""

    def public(self, request: Request) -> Response | None:  # noqa: ARG002
        return None


@pytest.mark.parametrize("kind", [DahuaTerminal, Locked])
async def test_other_devices_are_not_taken_for_one(kind: type[DahuaTerminal | HikvisionTerminal]) -> None:
    other = kind()
    await other.start()
    assert await DRIVER.identify("127.0.0.1", other.port) is None
    await other.stop()


async def test_a_closed_port_is_nothing() -> None:
    assert await DRIVER.identify("127.0.0.1", free_port()) is None


def test_a_quirk_of_another_family_is_refused(site: Site) -> None:
    found = terminal(TerminalConfig(name="gate", profile="zksoftware/u580", host="127.0.0.1"))
    with pytest.raises(ConfigError, match="unknown"):
        DRIVER.tasks([found], context(site.sink, site.clock))
