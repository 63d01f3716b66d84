"""What all push families of web terminals share."""

import asyncio

import pytest

from gateway.config import PushConfig, TerminalConfig
from gateway.drivers.fkweb.driver import DRIVER
from gateway.transports.push_server import DISCOVERED_LIMIT, NOTE_MS, PushServer
from shared.clock import CLOCK_SUSPECT_BEFORE_S
from shared.errors import ConfigError, RetryableError
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal


def listed(*serials: str) -> list[TerminalConfig]:
    return [TerminalConfig(name=f"t{n}", profile="fk/f80", serial=serial) for n, serial in enumerate(serials)]


def server(sink: RecordingSink, clock: TurnedClock, *serials: str) -> tuple[PushServer, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    given = context(sink, clock, PushConfig(), lambda family, serial: told.append((family, serial)))
    return PushServer("fkweb", [terminal(config) for config in listed(*serials)], given), told


def test_of_two_terminals_with_one_serial_the_second_waits_for_a_person() -> None:
    both = [terminal(config) for config in listed("S1", "S1")]
    tasks = DRIVER.tasks(both, context(RecordingSink(), TurnedClock(), PushConfig()))
    assert len(tasks) == 1
    assert [one.state.state for one in both] == ["starting", "config_error"]
    assert both[1].state.problem == "serial_twice"


def test_a_profile_of_another_family_is_refused() -> None:
    wrong = terminal(TerminalConfig(name="gate", profile="zkteco/senseface-3a", serial="S1"))
    with pytest.raises(ConfigError, match="acc"):
        DRIVER.tasks([wrong], context(RecordingSink(), TurnedClock(), PushConfig()))


async def test_a_taken_port_is_tried_again_later() -> None:
    taken = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    one = terminal(listed("S1")[0])
    (task,) = DRIVER.tasks([one], context(RecordingSink(), TurnedClock(), PushConfig(port=port)))
    with pytest.raises(RetryableError, match=str(port)):
        await task.run()
    taken.close()


def test_strangers_are_told_once_and_not_without_end() -> None:
    found, told = server(RecordingSink(), TurnedClock(), "S1")
    for n in range(2 * DISCOVERED_LIMIT):
        assert found.meet(f"X{n % (DISCOVERED_LIMIT + 500)}") is None
    found.meet("no serial\n")
    assert len(told) == DISCOVERED_LIMIT


def test_a_clock_that_is_right_again_ends_its_problem_and_no_other() -> None:
    clock = TurnedClock()
    found, _ = server(RecordingSink(), clock, "S1")
    pusher = found.meet("S1")
    assert pusher is not None
    right = NOW_MS // 1000 + 8 * 3600
    for second, problem in ((CLOCK_SUSPECT_BEFORE_S - 1, "clock_reset"), (right + 60, "clock_drift"), (right, None)):
        found.read_clock(pusher, second)
        assert pusher.state.problem == problem
    found.note(pusher, "bad_request", "noise")
    found.read_clock(pusher, right)
    assert pusher.state.problem == "bad_request"
    clock.advance(NOTE_MS + 1)
    found._notice_silence()
    assert pusher.state.problem is None
    assert pusher.state.state == "offline"


async def test_a_place_moves_with_the_last_slice_only() -> None:
    sink = RecordingSink()
    found, _ = server(sink, TurnedClock(), "S1")
    pusher = found.meet("S1")
    assert pusher is not None
    events = [pusher.source.punch(f"u{n}", 1_795_424_341 + n, ()) for n in range(1001)]
    assert await found.store(pusher, events, "k", b"new")
    assert sink.puts == [(500, b"0"), (500, b"0"), (1, b"new")]
    assert await found.store(pusher, [], "k")
    assert await found.store(pusher, events[:1], "k")
    assert sink.puts[3:] == [(1, b"new")]
    sink.refusing = True
    assert not await found.store(pusher, events[:1], "k", b"newer")
    assert (sink.cursors, pusher.state.problem) == ({"k": b"new"}, "buffer_refused")
