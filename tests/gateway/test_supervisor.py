"""One failing terminal never stops another: supervisor.py."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from gateway import supervisor
from gateway.config import TerminalConfig
from gateway.driver import DriverTask, Terminal, TerminalState
from gateway.profile import load_profile
from gateway.supervisor import Supervisor, retry_delay_s, supervise
from shared.errors import ConfigError, DataError, RetryableError

Run = Callable[[], Awaitable[None]]


def task(name: str, run: Run, state: str = "starting") -> DriverTask:
    config = TerminalConfig(name=name, profile="zkteco/k40")
    terminal = Terminal(config, load_profile(config.profile), "Asia/Shanghai", TerminalState(name, config.profile))
    terminal.state.state = state
    return DriverTask(name, [terminal], run)


class Counting:
    """Runs that fail each time, counted."""

    def __init__(self, error: Exception | None, enough: int = 3) -> None:
        self.runs, self._error, self._enough = 0, error, enough
        self.reached = asyncio.Event()

    async def __call__(self) -> None:
        self.runs += 1
        if self.runs == self._enough:
            self.reached.set()
        if self._error is not None:
            raise self._error


@asynccontextmanager
async def supervised(*tasks: DriverTask) -> AsyncIterator[None]:
    running = asyncio.create_task(supervise(tasks))
    yield
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_RETRY_S", 0.001)


@pytest.mark.parametrize(
    "error", [RetryableError("no answer"), DataError("garbage"), ValueError("a bug"), ZeroDivisionError(), None]
)
async def test_a_conversation_that_ends_is_started_again_and_others_go_on(
    error: Exception | None, at_once: None
) -> None:
    bad = Counting(error)
    beats, ten = 0, asyncio.Event()

    async def good() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1
            if beats == 10:
                ten.set()

    other = task("good", good, "online")
    async with supervised(task("bad", bad), other):
        async with asyncio.timeout(10):
            await bad.reached.wait()
            beats = 0
            ten.clear()
            await ten.wait()
        assert other.terminals[0].state.state == "online"


@pytest.mark.parametrize(
    ("error", "before", "state", "problem"),
    [
        (RetryableError("x"), "online", "offline", "no_contact"),
        (RetryableError("x"), "starting", "offline", "no_contact"),
        (RetryableError("x"), "error", "error", "no_contact"),
        (ValueError("x"), "online", "error", "crashed"),
        (ConfigError("x"), "online", "config_error", "config_error"),
    ],
)
async def test_a_failure_shows_in_the_terminals_state(
    error: Exception, before: str, state: str, problem: str, at_once: None
) -> None:
    bad = Counting(error, enough=1)
    failing = task("bad", bad, before)
    async with supervised(failing), asyncio.timeout(10):
        await bad.reached.wait()
        while failing.terminals[0].state.problem is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
    assert (failing.terminals[0].state.state, failing.terminals[0].state.problem) == (state, problem)


@pytest.mark.parametrize(
    ("error", "state"), [(RetryableError("slow answers"), "error"), (ConfigError("wrong key"), "config_error")]
)
async def test_what_a_driver_said_itself_is_not_overwritten(error: Exception, state: str, at_once: None) -> None:
    bad = Counting(error, enough=1)
    failing, other = task("bad", bad), Counting(RetryableError("x"))
    failing.terminals[0].state.state, failing.terminals[0].state.problem = state, "wrong_key"
    async with supervised(failing, task("other", other)), asyncio.timeout(10):
        await bad.reached.wait()
        await other.reached.wait()
    assert (failing.terminals[0].state.state, failing.terminals[0].state.problem) == (state, "wrong_key")


async def test_a_configuration_error_parks_and_is_not_tried_again(at_once: None) -> None:
    parked, other = Counting(ConfigError("no such port")), Counting(RetryableError("x"), enough=8)
    async with supervised(task("parked", parked), task("other", other)), asyncio.timeout(10):
        await other.reached.wait()
    assert parked.runs == 1


async def test_first_starts_are_spread_and_failures_are_counted_by_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "START_EVERY_S", 0.02)
    monkeypatch.setattr(supervisor, "FIRST_RETRY_S", 0.001)
    loop, begun = asyncio.get_running_loop(), []

    class Noting(Counting):
        async def __call__(self) -> None:
            begun.append(loop.time())
            await asyncio.Event().wait()

    tasks = [task(str(number), Noting(None)) for number in range(5)]
    bad = Counting(RetryableError("x"), enough=3)
    tasks.append(task("bad", bad))
    start = loop.time()
    async with supervised(*tasks), asyncio.timeout(10):
        await bad.reached.wait()
    assert len(begun) == 5
    assert all(at - start >= 0.019 * number for number, at in enumerate(begun))
    assert tasks[-1].terminals[0].state.failures >= 2
    assert tasks[0].terminals[0].state.failures == 0


async def test_a_borrowed_terminal_is_left_alone_and_resumed_at_once_while_others_go_on() -> None:
    talking: dict[str, int] = {"a": 0, "b": 0}
    starts: dict[str, int] = {"a": 0, "b": 0}

    def of(name: str) -> DriverTask:
        async def run() -> None:
            starts[name] += 1
            talking[name] += 1
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.01)  # logs off
                talking[name] -= 1

        return task(name, run)

    tasks = [of("a"), of("b")]
    whole = Supervisor(tasks)
    running = asyncio.create_task(whole.run())
    async with asyncio.timeout(20):
        while talking != {"a": 1, "b": 1}:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        async with whole.borrowed("a"):
            assert talking == {"a": 0, "b": 1}
            await asyncio.sleep(0.05)
            assert talking == {"a": 0, "b": 1}
        while starts["a"] != 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        async with whole.borrowed("nobody"):
            assert talking == {"a": 1, "b": 1}
    assert tasks[0].terminals[0].state.failures == 0, "a pause is no failure"
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert talking == {"a": 0, "b": 0}


async def test_a_parked_terminal_can_be_borrowed() -> None:
    whole = Supervisor([task("a", Counting(ConfigError("wrong key")))])
    running = asyncio.create_task(whole.run())
    async with asyncio.timeout(10):
        await running
        async with whole.borrowed("a"):
            pass


async def test_stopping_lets_a_conversation_end_what_it_does() -> None:
    began, done = asyncio.Event(), []

    async def run() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            done.append("put")

    async with supervised(task("slow", run)):
        await began.wait()
    assert done == ["put"]


def test_delays_double_from_1_to_60_seconds_with_up_to_20_percent_more() -> None:
    draw = random.Random(1)
    for failures, plain in ((1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1000, 60)):
        delays = [retry_delay_s(failures, draw) for _ in range(500)]
        assert plain <= min(delays) < plain * 1.01
        assert plain * 1.19 < max(delays) <= plain * 1.2
