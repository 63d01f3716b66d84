"""Commands at terminals: once, at least once, never against what the terminal holds, and never anybody deleted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from emulators.zk4370 import ZkTerminal, ZkUser
from gateway.config import TerminalConfig
from gateway.device import Ability, Device, DeviceUser
from gateway.directory import executor
from gateway.directory.executor import Directory
from gateway.driver import Terminal
from gateway.drivers.zk4370.driver import DRIVER
from gateway.supervisor import Supervisor
from shared.clock import system_clocks
from shared.errors import ConfigError, RetryableError
from shared.wire import Command, DirectoryUser, Result, UserChange
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal, until

LATER_MS = NOW_MS + 3_600_000


def user(number: str, name: str, card: str = "", *, enabled: bool = True) -> DirectoryUser:
    return DirectoryUser(number=number, name=name, card=card, enabled=enabled)


def change(new: DirectoryUser, before: DirectoryUser | None = None) -> UserChange:
    return UserChange(user=new, before=before)


def command(*changes: UserChange, id_: bytes = b"1" * 16, expires_ms: int = LATER_MS, at: str = "SN1") -> Command:
    return Command(id=id_, terminal=at, expires_ms=expires_ms, changes=list(changes))


@dataclass
class Door(Device):
    """A terminal in memory that can be away, break down or refuse a number."""

    people: dict[str, DeviceUser] = field(default_factory=dict)
    away: int = 0
    breaks_after: int | None = None
    refuses: str = ""
    written: list[str] = field(default_factory=list)
    talking: int = 0
    at_once: int = 0
    family = "test"
    abilities = frozenset({Ability.USERS, Ability.WRITE_USERS})

    async def users(self) -> list[DeviceUser]:
        return list(self.people.values())

    async def put_user(self, user: DeviceUser) -> None:
        if user.number == self.refuses:
            raise ConfigError("the number is too long")
        if self.breaks_after is not None and len(self.written) >= self.breaks_after:
            self.breaks_after = None
            raise RetryableError("the line broke")
        self.written.append(user.number)
        self.people[user.number] = user


class World:
    """An executor, what it told, and its terminals."""

    def __init__(self, **doors: Door) -> None:
        self.doors, self.told, self.clock, self.linked = doors, list[Result](), TurnedClock(), True
        self.terminals = [self._terminal(serial) for serial in doors]
        self.directory = Directory(self.terminals, self._reach, self._publish, self.clock.clocks())

    def _terminal(self, serial: str) -> Terminal:
        made = terminal(TerminalConfig(name=f"name-{serial}", profile="zkteco/k40", host="192.0.2.1"))
        made.state.serial, made.state.state = serial, "online"
        return made

    @asynccontextmanager
    async def _reach(self, one: Terminal) -> AsyncIterator[Device]:
        door = self.doors[one.state.serial or ""]
        if door.away:
            door.away -= 1
            raise RetryableError("no answer")
        door.talking += 1
        door.at_once = max(door.at_once, door.talking)
        await asyncio.sleep(0)
        try:
            yield door
        finally:
            door.talking -= 1

    async def _publish(self, result: Result) -> bool:
        if self.linked:
            self.told.append(result)
        return self.linked

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.directory.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def outcome(self, *commands: Command) -> Result:
        """Of the last of these, once it is final."""
        self.told.clear()
        async with self.running():
            for one in commands:
                self.directory.accept(one)
            await until(lambda: bool(self._final(commands[-1])))
        return self._final(commands[-1])[0]

    def _final(self, one: Command) -> list[Result]:
        return [result for result in self.told if result.id == one.id and result.outcome != "waiting"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(executor, "LOOK_S", 0.001)


async def test_people_are_added_renamed_and_disabled_and_the_list_after_it_is_told() -> None:
    door = Door({"1": DeviceUser("1", "Li"), "2": DeviceUser("2", "Wu", "99")})
    world = World(SN1=door)
    result = await world.outcome(
        command(
            change(user("3", "Chen")),
            change(user("1", "Li Na"), user("1", "Li")),
            change(user("2", "Wu", "99", enabled=False), user("2", "Wu", "99")),
        )
    )
    assert (result.outcome, [one.outcome for one in result.changes]) == ("done", ["done"] * 3)
    assert result.users == [user("1", "Li Na"), user("2", "Wu", "99", enabled=False), user("3", "Chen")]


async def test_nothing_is_written_over_what_somebody_changed_meanwhile() -> None:
    door = Door({"1": DeviceUser("1", "Zhang")})
    result = await World(SN1=door).outcome(
        command(
            change(user("1", "Li Na"), user("1", "Li")),
            change(user("1", "Li")),
            change(user("2", "Wu"), user("2", "W")),
        )
    )
    assert [one.outcome for one in result.changes] == ["changed"] * 3
    assert "Zhang" in result.changes[0].message
    assert door.written == []


async def test_one_person_that_is_refused_leaves_the_others_alone() -> None:
    door = Door(refuses="123456789012")
    result = await World(SN1=door).outcome(command(change(user("123456789012", "Li")), change(user("2", "Wu"))))
    assert [(one.outcome, one.message) for one in result.changes] == [
        ("refused", "the number is too long"),
        ("done", ""),
    ]


async def test_a_command_that_comes_again_is_answered_and_not_done_again() -> None:
    world = World(SN1=Door())
    one = command(change(user("1", "Li")))
    async with world.running():
        world.linked = False  # the first answer is lost
        world.directory.accept(one)
        await until(lambda: world.doors["SN1"].written == ["1"])
        await until(lambda: not world.directory._waiting["SN1"])
        world.linked = True
        world.directory.accept(one)
        await until(lambda: len(world.told) == 1)
    assert world.told[0].outcome == "done"
    assert world.doors["SN1"].written == ["1"]


async def test_after_a_restart_the_terminal_itself_shows_that_it_was_done() -> None:
    door = Door()
    one = command(change(user("1", "Li")))
    await World(SN1=door).outcome(one)
    result = await World(SN1=door).outcome(one)
    assert [item.outcome for item in result.changes] == ["done"]
    assert door.written == ["1"]


async def test_a_terminal_that_is_away_is_tried_until_it_comes_back_and_says_so_meanwhile() -> None:
    door = Door(away=3)
    world = World(SN1=door, SN2=Door())
    world.directory.accept(command(at="SN2", id_=b"2" * 16))
    result = await world.outcome(command(change(user("1", "Li"))))
    assert [one.outcome for one in world.told if one.terminal == "SN1"][:3] == ["waiting"] * 3
    assert result.outcome == "done"
    assert [one.outcome for one in world.told if one.terminal == "SN2"] == ["done"], "others go on"


async def test_a_line_that_breaks_in_the_middle_writes_nobody_twice() -> None:
    door = Door(breaks_after=1)
    result = await World(SN1=door).outcome(command(*(change(user(str(n), f"P{n}")) for n in range(3))))
    assert [one.outcome for one in result.changes] == ["done"] * 3
    assert door.written == ["0", "1", "2"]


async def test_an_expired_command_is_refused() -> None:
    door = Door()
    result = await World(SN1=door).outcome(command(change(user("1", "Li")), expires_ms=NOW_MS - 1))
    assert (result.outcome, door.written) == ("expired", [])


async def test_what_can_not_work_is_said_and_not_tried_again() -> None:
    class Reader(Door):
        abilities = frozenset({Ability.USERS})

    world = World(SN1=Reader({"1": DeviceUser("1", "Li")}))
    assert (await world.outcome(command(at="SN9"))).outcome == "failed"
    refused = await world.outcome(command(change(user("2", "Wu")), id_=b"3" * 16))
    assert (refused.outcome, "take people" in refused.message) == ("failed", True)
    listed = await world.outcome(command(id_=b"4" * 16))
    assert (listed.outcome, listed.users) == ("done", [user("1", "Li")])


async def test_commands_of_one_terminal_never_talk_at_once() -> None:
    world = World(SN1=Door())
    await world.outcome(*(command(change(user(str(n), "P")), id_=bytes([n]) * 16) for n in range(1, 9)))
    async with world.running():
        await until(lambda: len(world.told) >= 8)
    assert world.doors["SN1"].at_once == 1


async def test_a_long_list_comes_in_parts() -> None:
    door = Door({str(n): DeviceUser(str(n), f"P{n}") for n in range(2500)})
    world = World(SN1=door)
    async with world.running():
        world.directory.accept(command())
        await until(lambda: len(world.told) == 3)
    assert [(one.part, one.parts, len(one.users)) for one in world.told] == [(0, 3, 1000), (1, 3, 1000), (2, 3, 500)]


async def test_a_zk_terminal_is_borrowed_from_its_own_conversation_and_given_back() -> None:
    """One session at a time: the emulator, as the real one, serves one client."""
    emulated = ZkTerminal("SN1", users=[ZkUser(1, "1", "Li"), ZkUser(2, "2", "Wu")])
    await emulated.start()
    made = terminal(TerminalConfig(name="door", profile="zkteco/k40", host="127.0.0.1", port=emulated.port, poll_s=0.2))
    sink, clocks, told = RecordingSink(), system_clocks(), list[Result]()
    supervisor = Supervisor(DRIVER.tasks([made], context(sink, TurnedClock())))

    @asynccontextmanager
    async def reach(one: Terminal) -> AsyncIterator[Device]:
        async with supervisor.borrowed(one.config.name), DRIVER.open(one, clocks) as device:
            yield device

    async def publish(result: Result) -> bool:
        told.append(result)
        return True

    directory = Directory([made], reach, publish, clocks)
    running: Sequence[asyncio.Task[None]] = [
        asyncio.create_task(supervisor.run()),
        asyncio.create_task(directory.run()),
    ]
    try:
        await until(lambda: made.state.state == "online")
        ends = clocks.wall_ms() + 60_000
        directory.accept(command(change(user("3", "Chen", "77")), expires_ms=ends))
        await until(lambda: any(one.outcome == "done" for one in told))
        assert [one.name for one in told[-1].users] == ["Li", "Wu", "Chen"]
        assert emulated.users["3"].card == 77
        emulated.punch("3", datetime(2026, 11, 23, 8, 59))
        await until(lambda: [punch.user for punch in sink.punches] == ["3"])
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await emulated.stop()
