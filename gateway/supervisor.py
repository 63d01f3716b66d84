"""Keeps every conversation with a terminal alive; a failing one never stops another."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

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


async def supervise(tasks: Sequence[DriverTask], draw: random.Random | None = None) -> None:
    """Run all tasks until cancelled; each starts again on its own, and one that is parked waits for a person."""
    chance = draw or random.SystemRandom()
    async with asyncio.TaskGroup() as group:
        for number, task in enumerate(tasks):
            group.create_task(_look_after(task, chance, number * START_EVERY_S), name=task.name)


async def _look_after(task: DriverTask, draw: random.Random, after_s: float) -> None:
    try:
        await asyncio.sleep(after_s)
        await keep_running(task.name, task.run, draw, lambda error: _mark_failed(task, error))
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
