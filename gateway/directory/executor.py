"""Carries out the server's commands at terminals, one at a time each, again and again until done or expired.

A command comes at least once and may come again after it was done: then its result is told again, and after a restart
the terminal itself shows that nothing is left to do. Nobody is deleted, and nothing but number, name, card and the
right to punch is touched.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

import structlog

from gateway.device import Ability, Device, DeviceUser
from gateway.driver import Terminal
from shared.clock import Clocks
from shared.errors import ConfigError, DataError, RetryableError
from shared.wire import MAX_CHANGES, MAX_RESULT_USERS, ChangeResult, Command, DirectoryUser, Result, UserChange

AT_ONCE = 4
"""Terminals talked to at one time."""
WORK_S = 600.0
"""For one command at one terminal: 500 people at a second each."""
FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 300.0
JITTER = 0.2
LOOK_S = 2.0
"""How often a terminal that waits is looked at; once it is online its command is tried at once."""
REMEMBERED = 500
"""Results kept for commands that come again."""
WAITING_LIMIT = 2000
MESSAGE_LIMIT = 300

log = structlog.get_logger("gateway.directory")
Reach = Callable[[Terminal], AbstractAsyncContextManager[Device]]
"""Opens a terminal while nobody else talks to it."""


class Directory:
    """Commands on their way; ``accept`` takes one, ``run`` carries them out."""

    def __init__(
        self,
        terminals: Sequence[Terminal],
        reach: Reach,
        publish: Callable[[Result], Awaitable[bool]],
        clocks: Clocks,
        draw: random.Random | None = None,
    ) -> None:
        self._terminals, self._reach, self._publish, self._clocks = terminals, reach, publish, clocks
        self._draw = draw or random.SystemRandom()
        self._waiting: dict[str, OrderedDict[bytes, Command]] = {}
        self._told: OrderedDict[bytes, list[Result]] = OrderedDict()
        self._again: set[bytes] = set()
        self._more = asyncio.Event()
        self._turns = asyncio.Semaphore(AT_ONCE)

    def accept(self, command: Command) -> None:
        """Take a command; one that is known already is answered with what is known of it."""
        if command.id in self._told:
            self._again.add(command.id)
        if not self._is_done(command.id):
            queue = self._waiting.setdefault(command.terminal, OrderedDict())
            if command.id in queue or sum(map(len, self._waiting.values())) < WAITING_LIMIT:
                queue[command.id] = command  # else it comes again
        self._more.set()

    async def run(self) -> None:
        """Until cancelled; a terminal that fails holds up no other."""
        busy: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._more.clear()
                for name in [name for name, queue in self._waiting.items() if queue]:
                    if name not in busy or busy[name].done():
                        busy[name] = group.create_task(self._serve(name))
                while self._again:
                    for result in self._told.get(self._again.pop(), []):
                        await self._publish(result)
                await self._more.wait()

    async def _serve(self, name: str) -> None:
        """All commands of one terminal, in order."""
        queue = self._waiting[name]
        while queue:
            command = next(iter(queue.values()))
            await self._carry_out(command)
            queue.pop(command.id, None)

    async def _carry_out(self, command: Command) -> None:
        failures = 0
        while True:
            terminal = self._terminal(command.terminal)
            if self._clocks.wall_ms() > command.expires_ms:
                return await self._tell(command, "expired", "its time was over before the terminal could be reached")
            if terminal is None:
                return await self._tell(command, "failed", "this gateway has no such terminal; add it to gateway.toml")
            if len(command.changes) > MAX_CHANGES:
                return await self._tell(command, "failed", f"more than {MAX_CHANGES} changes")
            try:
                async with self._turns, asyncio.timeout(WORK_S), self._reach(terminal) as device:
                    changes, users = await _work(device, command.changes)
            except (RetryableError, OSError, TimeoutError) as error:
                failures += 1
                await self._tell(command, "waiting", str(error) or "no answer")
                await self._pause(terminal, failures)
            except (ConfigError, DataError) as error:
                return await self._tell(command, "failed", str(error))
            except Exception:  # a bug in one driver must not end the others' commands
                log.exception("crashed", terminal=command.terminal)
                return await self._tell(command, "failed", "the driver crashed; see the gateway's log")
            else:
                return await self._tell(command, "done", "", changes, users)

    async def _pause(self, terminal: Terminal, failures: int) -> None:
        """Wait for the next try: sooner when the terminal comes back, never sooner than the first delay."""
        plain = min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 10), LONGEST_RETRY_S)
        longest = plain * (1 + JITTER * self._draw.random())
        was_away, waited = terminal.state.state != "online", 0.0
        while waited < longest:
            step = min(LOOK_S, longest - waited)
            await asyncio.sleep(step)
            waited += step
            if was_away and terminal.state.state == "online":
                return

    def _terminal(self, name: str) -> Terminal | None:
        named = [t for t in self._terminals if (t.state.serial or t.config.serial or t.config.name) == name]
        return named[0] if named else None

    def _is_done(self, command: bytes) -> bool:
        told = self._told.get(command)
        return told is not None and told[0].outcome != "waiting"

    async def _tell(
        self,
        command: Command,
        outcome: str,
        message: str,
        changes: Sequence[ChangeResult] = (),
        users: Sequence[DirectoryUser] = (),
    ) -> None:
        parts = [users[n : n + MAX_RESULT_USERS] for n in range(0, len(users), MAX_RESULT_USERS)] or [users]
        results = [
            Result(
                id=command.id,
                terminal=command.terminal,
                at=self._clocks.wall_ms(),
                outcome=outcome,
                message=message[:MESSAGE_LIMIT],
                changes=list(changes) if number == 0 else [],
                users=list(part),
                part=number,
                parts=len(parts),
            )
            for number, part in enumerate(parts)
        ]
        self._told[command.id] = results
        self._told.move_to_end(command.id)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        log.info("command", terminal=command.terminal, outcome=outcome, changes=len(command.changes))
        for result in results:
            await self._publish(result)


async def _work(device: Device, changes: Sequence[UserChange]) -> tuple[list[ChangeResult], list[DirectoryUser]]:
    """Write what differs, one person at a time, and look again."""
    needed = {Ability.USERS, Ability.WRITE_USERS} if changes else {Ability.USERS}
    if missing := needed - device.abilities:
        words = {Ability.USERS: "list its people", Ability.WRITE_USERS: "take people from here"}
        raise ConfigError(f"a {device.family} terminal can not {words[min(missing)]}")
    enrolled = {user.number: user for user in await device.users()}
    done: list[ChangeResult] = []
    for start in range(0, len(changes), device.at_once):  # a line that breaks ends it, and what is left is tried again
        part = changes[start : start + device.at_once]
        found = await asyncio.gather(
            *(_change(device, enrolled.get(change.user.number), change) for change in part), return_exceptions=True
        )
        for one in found:
            if isinstance(one, BaseException):
                raise one
            done.append(one)
    after = await device.users() if any(result.outcome == "done" for result in done) else list(enrolled.values())
    return done, [_of_device(user) for user in after]


async def _change(device: Device, held: DeviceUser | None, change: UserChange) -> ChangeResult:
    wanted, number = change.user, change.user.number
    now = None if held is None else _of_device(held)
    if now == wanted:
        return ChangeResult(number=number, outcome="done")  # by us, before the answer got lost, or by somebody else
    if now != change.before:
        return ChangeResult(number=number, outcome="changed", message=_held_words(now))
    try:
        await device.put_user(DeviceUser(wanted.number, wanted.name, wanted.card, wanted.enabled))
    except (ConfigError, DataError) as error:
        return ChangeResult(number=number, outcome="refused", message=str(error)[:MESSAGE_LIMIT])
    return ChangeResult(number=number, outcome="done")


def _held_words(now: DirectoryUser | None) -> str:
    return "the terminal no longer knows this number" if now is None else f"the terminal holds {now.name!r}"


def _of_device(user: DeviceUser) -> DirectoryUser:
    return DirectoryUser(number=user.number, name=user.name, card=user.card, enabled=user.enabled)
