"""People at a push terminal, listed and written over the calls that it makes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from emulators.zk_adms import AdmsTerminal
from gateway.config import PushConfig, TerminalConfig
from gateway.device import Ability, DeviceUser
from gateway.drivers.zk_adms import people
from gateway.drivers.zk_adms.driver import DRIVER, OFFLINE_AFTER_MS
from gateway.drivers.zk_adms.people import AdmsDevice, people_of
from shared.errors import ConfigError, RetryableError
from tests.gateway.drivers.zk_adms.conftest import ACC, ATT
from tests.support.loopback import free_port
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until


@dataclass
class Gate:
    """A terminal that calls a gateway, and what the gateway can talk to."""

    emulated: AdmsTerminal
    present: dict[str, object | None]
    sink: RecordingSink
    clock: TurnedClock
    calling: "asyncio.Task[None]"

    async def silence(self) -> None:
        """The terminal is switched off."""
        await self.emulated.stop()
        await self.calling

    async def device(self) -> AdmsDevice:
        await until(lambda: ATT in self.present)
        device = self.present[ATT]
        assert isinstance(device, AdmsDevice)
        return device


@pytest.fixture
async def gate(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    monkeypatch.setattr(people, "QUIET_S", 0.1)
    monkeypatch.setattr("gateway.drivers.zk_adms.driver.LOOK_S", 0.02)
    port, present, sink, clock = free_port(), dict[str, object | None](), RecordingSink(), TurnedClock()
    listed = [
        terminal(TerminalConfig(name="gate", profile="solution/x903", serial=ATT)),
        terminal(TerminalConfig(name="dock", profile="zkteco/senseface-3a", serial=ACC)),
    ]
    given = replace(
        context(sink, clock, PushConfig(port=port)),
        present=lambda serial, device: present.update({serial: device}),
    )
    (task,) = DRIVER.tasks(listed, given)
    emulated = AdmsTerminal(ATT, port=port, poll_s=0.02, error_delay_s=0.02)
    emulated.people = {"7": ("王芳", ""), "12": ("Li", "[00A1B2C3]")}
    serving: asyncio.Task[None] = asyncio.create_task(task.run())  # type: ignore[arg-type]
    made = Gate(emulated, present, sink, clock, asyncio.create_task(emulated.run()))
    yield made
    await made.silence()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def test_everybody_is_listed_with_number_name_and_card(gate: Gate) -> None:
    device = await gate.device()
    assert await device.users() == [DeviceUser("7", "王芳"), DeviceUser("12", "Li", "[00A1B2C3]")]
    assert device.abilities == {Ability.USERS, Ability.WRITE_USERS} == DRIVER.abilities


async def test_people_are_added_and_renamed_and_nothing_else_is_named(gate: Gate) -> None:
    device = await gate.device()
    users = [DeviceUser(str(n), f"P {n}") for n in range(100, 220)]
    await asyncio.gather(*map(device.put_user, [*users, DeviceUser("12", "Li Na", "[00A1B2C3]")]))
    assert gate.emulated.people["12"] == ("Li Na", "[00A1B2C3]")
    assert {n: gate.emulated.people[n][0] for n in ("100", "219")} == {"100": "P 100", "219": "P 219"}
    written = [command for command in gate.emulated.commands if command.startswith("DATA UPDATE")]
    assert len(written) == 121
    assert "DATA UPDATE USERINFO PIN=100\tName=P 100" in written
    assert not any(
        word in command for command in gate.emulated.commands for word in ("Passwd", "Pri=", "DELETE", "CLEAR")
    )


async def test_what_the_terminal_or_the_protocol_refuses_is_said(gate: Gate) -> None:
    device = await gate.device()
    gate.emulated.user_capacity = 2
    with pytest.raises(ConfigError, match=r"no room left \(code -1001\)"):
        await device.put_user(DeviceUser("9", "Wu"))
    with pytest.raises(ConfigError, match="disable"):
        await device.put_user(DeviceUser("7", "王芳", enabled=False))
    with pytest.raises(ConfigError, match="characters"):
        await device.put_user(DeviceUser("9", "Wu\tPasswd=1"))


async def test_a_terminal_that_does_not_fetch_is_something_to_try_again(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await gate.device()
    monkeypatch.setattr(people, "FETCH_S", 0.1)
    await gate.silence()
    with pytest.raises(RetryableError, match="did not fetch"):
        await device.put_user(DeviceUser("9", "Wu"))
    assert device._orders.fetch(1) == [], "nobody waits for it any more"


async def test_a_silent_terminal_is_no_longer_there(gate: Gate) -> None:
    await gate.device()
    await gate.silence()
    gate.clock.advance(OFFLINE_AFTER_MS + 1)
    await until(lambda: gate.present[ATT] is None)
    assert ACC not in gate.present


async def test_sec11_no_biometrics(gate: Gate) -> None:
    """Passwords and templates come with the list and are dropped; so is a list that nobody asked for."""
    device = await gate.device()
    assert "SECRET-PASSWORD" not in repr(await device.users())
    await gate.emulated.upload("OPERLOG", b"USER PIN=1\tName=A\tPasswd=SECRET-PASSWORD\tCard=\n", OpStamp="1")
    assert device._orders.people is None
    assert b"SECRET" not in gate.sink.raw
    assert b"TEMPLATE" not in gate.sink.raw


def test_rows_about_people_are_read_and_all_others_left_alone() -> None:
    body = (
        "USER PIN=1001\tName=王芳\tPri=0\tPasswd=x\tCard=[0000000000]\tGrp=1\n"
        "PIN=A-7\tName=\tCard=12345\r\n"
        "USER Name=nobody\nFP PIN=1\tTMP=FINGER\nOPLOG 4\t0\t2026-11-23 08:59:01\t0\t0\t0\t0\n\n"
    )
    assert list(people_of(body.encode("gb18030"))) == [DeviceUser("1001", "王芳"), DeviceUser("A-7", "", "12345")]
