"""What the HTTP families share in making events."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import TerminalConfig
from gateway.driver import TerminalState
from gateway.profile import load_profile
from gateway.transports.http_poll import HttpLogin
from gateway.transports.source import ONCE_LIMIT, Once, Source, problem_of, put_rows, wall_second
from shared.clock import from_ms
from shared.errors import ConfigError
from shared.punch import Flag
from tests.support.recording_sink import NOW_MS, RecordingSink, terminal

SHANGHAI = Source("S1", load_profile("fk/f80"), ZoneInfo("Asia/Shanghai"))
AT = wall_second((2026, 11, 23), (8, 59, 1)) or 0


def test_a_wall_time_becomes_an_instant_by_the_zone_or_by_the_offset_that_was_told() -> None:
    assert SHANGHAI.punch("1", AT, ()).at == NOW_MS
    assert from_ms(SHANGHAI.punch("1", AT, (), offset_s=3600).at) == datetime(2026, 11, 23, 7, 59, 1, tzinfo=UTC)


def test_a_year_before_2015_is_suspect() -> None:
    assert SHANGHAI.punch("1", 1_420_070_399, (), flags=Flag.REALTIME).flags == Flag.REALTIME | Flag.CLOCK_SUSPECT
    assert SHANGHAI.punch("1", 1_420_070_400, ()).flags == Flag(0)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)))
def test_a_wall_second_counts_as_if_utc(at: datetime) -> None:
    found = wall_second((at.year, at.month, at.day), (at.hour, at.minute, at.second))
    assert from_ms((found or 0) * 1000).replace(tzinfo=None) == at.replace(microsecond=0)


@pytest.mark.parametrize("date", [(1969, 12, 31), (2200, 1, 1), (2026, 2, 30), (2026, 13, 1), (0, 0, 0)])
def test_a_time_that_no_terminal_shows_is_none(date: tuple[int, int, int]) -> None:
    assert wall_second(date, (0, 0, 0)) is None


def test_bytes_are_new_once_and_memory_is_bounded() -> None:
    once = Once()
    assert [once.is_new(raw) for raw in (b"a", b"b", b"a")] == [True, True, False]
    for n in range(3 * ONCE_LIMIT):
        once.is_new(b"%d" % n)
    assert len(once._met) == ONCE_LIMIT


@pytest.mark.parametrize(
    ("state", "second", "problem"),
    [
        (TerminalState("t", "p"), None, None),
        (TerminalState("t", "p"), 5, "clock_reset"),
        (TerminalState("t", "p", drift_ms=-30_001), AT, "clock_drift"),
        (TerminalState("t", "p", drift_ms=30_000), AT, None),
        (TerminalState("t", "p", log_used=89, log_capacity=100), AT, None),
        (TerminalState("t", "p", log_used=90, log_capacity=100, drift_ms=99_000), AT, "log_almost_full"),
        (TerminalState("t", "p", log_used=100, log_capacity=100), AT, "log_full"),
    ],
)
def test_it_sees_the_worst_first(state: TerminalState, second: int | None, problem: str | None) -> None:
    assert problem_of(state, second) == problem


async def test_rows_without_events_move_the_place() -> None:
    sink = RecordingSink()
    rows = [(SHANGHAI.punch(f"u{n}", AT, ()) if n % 2 else None, b"%d" % n) for n in range(1001)]
    assert await put_rows(sink, "k", rows) == 500
    assert sink.puts == [(250, b"499"), (250, b"999"), (0, b"1000")]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (TerminalConfig(name="gate", profile="akuvox/x916"), "host"),
        (TerminalConfig(name="gate", profile="anviz/c2", host="10.0.0.9"), "expected http"),
    ],
)
def test_settings_that_can_not_work_are_named(config: TerminalConfig, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        HttpLogin(terminal(config), "/")
