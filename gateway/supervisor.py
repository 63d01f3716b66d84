"""Keeps every conversation with a terminal alive; a failing one never stops another."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from gateway.driver import DriverTask
from shared.errors import ConfigError, MusterError

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
JITTER = 0.2
START_EVERY_S = 0.02
"""Between the first starts of two tasks, so that two hundred terminals do not all answer at one moment."""

log = structlog.get_logger("gateway")


def retry_delay_s(failures: int, draw: random.Random) -> float:
    """Seconds before another start after ``failures`` in a row (from 1): 1 s doubling to 60 s, up to 20 % longer."""
    plain = min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 10), LONGEST_RETRY_S)
    return plain * (1 + JITTER * draw.random())


class Supervisor:
    """Runs tasks; each starts again on its own, and one that is parked waits for a person."""

    def __init__(self, tasks: Sequence[DriverTask], draw: random.Random | None = None) -> None:
        self._draw = draw or random.SystemRandom()
        self._slots = [_Slot(task) for task in tasks]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number, slot in enumerate(self._slots):
                after_s = number * START_EVERY_S
                group.create_task(_look_after(slot, self._draw, after_s), name=slot.task.name)

    @asynccontextmanager
    async def borrowed(self, terminal: str) -> AsyncIterator[None]:
        """Pause the conversation with the terminal of that name, so that the block may hold its one session.

        A task that also serves others is left running: those terminals connect to us and take no session.
        """
        for slot in self._slots:
            if _names(slot.task) == [terminal]:
                async with slot.paused():
                    yield
                return
        yield


class _Slot:
    """One task and whether it may run now."""

    def __init__(self, task: DriverTask) -> None:
        self.task = task
        self._free = asyncio.Event()
        self._free.set()
        self._one = asyncio.Lock()
        self._running: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """One conversation; what interrupts it for a while does not end it for the caller."""
        while True:
            await self._free.wait()
            running = self._running = asyncio.ensure_future(self.task.run())
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError:
                running.cancel()
                await asyncio.wait([running])
                raise
            finally:
                self._running = None
            if self._free.is_set() or not running.cancelled():
                return running.result()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        async with self._one:
            self._free.clear()
            try:
                if self._running is not None:
                    self._running.cancel()
                    await asyncio.wait([self._running])
                yield
            finally:
                self._free.set()


async def supervise(tasks: Sequence[DriverTask], draw: random.Random | None = None) -> None:
    """Run all tasks until cancelled."""
    await Supervisor(tasks, draw).run()


async def _look_after(slot: _Slot, draw: random.Random, after_s: float) -> None:
    task = slot.task
    try:
        await asyncio.sleep(after_s)
        await keep_running(task.name, slot.run, draw, lambda error: _mark_failed(task, error))
    except ConfigError as error:
        log.warning("parked", task=task.name, terminals=_names(task), reason=str(error))
        for terminal in task.terminals:
            if terminal.state.state != "config_error":  # else the driver has said already what is wrong
                terminal.state.state, terminal.state.problem = "config_error", "config_error"


async def keep_running(
    name: str,
    run: Callable[[], Awaitable[None]],
    draw: random.Random,
    failed: Callable[[Exception], None] = lambda _error: None,
) -> None:
    """Start ``run`` again whenever it ends or fails, after a growing delay; ConfigError alone gets out."""
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        started = loop.time()
        try:
            await run()
            log.info("ended", task=name)
        except ConfigError:
            raise
        except MusterError as error:  # its message says what to do: no traceback needed
            log.warning("failed", task=name, reason=str(error))
            failed(error)
        except Exception as error:  # the outermost edge of a task: a bug in one driver must not reach another
            log.exception("crashed", task=name)
            failed(error)
        failures = 1 if loop.time() - started > LONGEST_RETRY_S else failures + 1
        await asyncio.sleep(retry_delay_s(failures, draw))


def _mark_failed(task: DriverTask, error: Exception) -> None:
    """Show it, unless the driver has said already what is wrong."""
    crashed = not isinstance(error, MusterError)
    for terminal in task.terminals:
        terminal.state.failures += 1
        if crashed or terminal.state.state in ("online", "starting"):
            terminal.state.state = "error" if crashed else "offline"
        if crashed or terminal.state.problem is None:
            terminal.state.problem = "crashed" if crashed else "no_contact"


def _names(task: DriverTask) -> list[str]:
    return [terminal.config.name for terminal in task.terminals]
