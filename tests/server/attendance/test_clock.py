"""AR-3 and AR-4 at their limits, and the dates a punch can change."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from server.attendance.clock import Judged, judge_clock
from server.attendance.policy import DEFAULT
from server.attendance.touch import touched_dates
from shared.clock import to_ms

NOON = to_ms(datetime.fromisoformat("2026-03-02T12:00:00+08:00"))
YEAR_2000 = to_ms(datetime.fromisoformat("2000-01-01T00:12:00+08:00"))
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("drift_ms", "expected"),
    [
        (None, Judged(NOON)),
        (30_000, Judged(NOON)),
        (-30_000, Judged(NOON)),
        (30_001, Judged(NOON - 30_001, corrected=True)),
        (-45_000, Judged(NOON + 45_000, corrected=True)),
        (3_600_000, Judged(NOON - 3_600_000, corrected=True)),
        (3_600_001, Judged(None, held="AR-3")),
        (-825_800_000_000, Judged(None, held="AR-3")),
    ],
)
def test_drift_is_ignored_corrected_or_too_much(drift_ms: int | None, expected: Judged) -> None:
    assert judge_clock(NOON, drift_ms, NOON + 3_600_000) == expected


def test_five_minutes_ahead_of_receipt_is_the_limit() -> None:
    assert judge_clock(NOON, None, NOON - 300_000) == Judged(NOON)
    assert judge_clock(NOON, None, NOON - 300_001) == Judged(None, held="AR-4")


def test_the_corrected_time_is_held_against_receipt() -> None:
    fast_ms = 420_000
    assert judge_clock(NOON + fast_ms, fast_ms, NOON) == Judged(NOON, corrected=True)


def test_a_reset_clock_is_held_even_if_nobody_read_its_drift() -> None:
    assert judge_clock(YEAR_2000, None, NOON) == Judged(None, held="AR-3")


def test_late_upload_is_no_reason_to_hold() -> None:
    assert judge_clock(NOON, None, NOON + 3 * 86_400_000) == Judged(NOON)


@pytest.mark.parametrize(
    ("local", "first", "last"),
    [
        ("2026-03-02T08:55", 1, 3),  # a night shift of the day before may end late in the morning
        ("2026-03-02T18:00", 1, 3),
        ("2026-03-02T22:30", 1, 4),  # a shift that starts at midnight opens at 22:00
        ("2026-03-03T00:20", 1, 4),
    ],
)
def test_a_punch_touches_the_dates_of_its_possible_shifts_and_the_next(local: str, first: int, last: int) -> None:
    at_ms = to_ms(datetime.fromisoformat(f"{local}+08:00"))
    assert touched_dates(at_ms, SHANGHAI, DEFAULT) == tuple(date(2026, 3, day) for day in range(first, last + 1))
