"""When notices are due."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from server.notices.schedule import Timing, check_timing, month_told, newest_due, next_due, retry_delay_ms
from shared.clock import to_ms
from shared.errors import DataError

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=zone))


@pytest.mark.parametrize(
    ("timing", "now", "newest", "following"),
    [
        (Timing("day", None, "09:00"), "2026-03-02 09:00", "2026-03-02 09:00", "2026-03-03 09:00"),
        (Timing("day", None, "09:00"), "2026-03-02 08:59", "2026-03-01 09:00", "2026-03-02 09:00"),
        (Timing("week", 1, "08:30"), "2026-03-04 12:00", "2026-03-02 08:30", "2026-03-09 08:30"),
        (Timing("month", 1, "10:00"), "2026-03-01 09:00", "2026-02-01 10:00", "2026-03-01 10:00"),
        (Timing("month", 28, "10:00"), "2026-03-27 09:00", "2026-02-28 10:00", "2026-03-28 10:00"),
    ],
)
def test_due_times_are_the_companys(timing: Timing, now: str, newest: str, following: str) -> None:
    assert newest_due(timing, at(now), SHANGHAI) == at(newest)
    assert next_due(timing, at(now), SHANGHAI) == at(following)


def test_a_time_that_the_clocks_skip_moves_forward() -> None:
    now = at("2026-03-29 12:00", BERLIN)
    assert newest_due(Timing("day", None, "02:30"), now, BERLIN) == at("2026-03-29 03:30", BERLIN)


@pytest.mark.parametrize(
    "timing",
    [
        Timing("day", None, "24:00"),
        Timing("day", None, "9:00"),
        Timing("day", 1, "09:00"),
        Timing("week", None, "09:00"),
        Timing("week", 8, "09:00"),
        Timing("month", 29, "09:00"),
        Timing("month", 0, "09:00"),
    ],
)
def test_a_time_that_does_not_exist_is_refused(timing: Timing) -> None:
    with pytest.raises(DataError):
        check_timing(timing)


def test_the_first_of_a_month_tells_the_month_that_ended() -> None:
    assert month_told(at("2026-03-01 08:00"), SHANGHAI) == "2026-02"
    assert month_told(at("2026-03-02 08:00"), SHANGHAI) == "2026-03"


def test_delays_grow() -> None:
    assert [retry_delay_ms(attempts) // 60_000 for attempts in range(1, 6)] == [1, 2, 4, 8, 16]
