"""How far somebody has come, in words that promise nothing too early (KS-14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal, TypeAlias

from server.scoring.numbers import decimal_text

Pace: TypeAlias = Literal["ahead", "behind", "on_track"]
AROUND_POINTS = 5
"""Percentage points around the pace that are on track."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a sum or a count with a target."""

    completion_pct: int
    """Whole per cent, rounded down: 100 never shows early."""
    pace: Pace
    expected_pct: str
    """Working days that are over, of all in the period, in per cent with one decimal."""


def progress(actual: Fraction, target: Fraction, working_days: Sequence[date], today: date) -> Progress | None:
    """How far ``actual`` is on the way to ``target``, and whether that is where it should be; None without a day."""
    if not working_days or target <= 0:
        return None
    over = sum(day < today for day in working_days)
    expected = Fraction(100 * over, len(working_days))
    done = int(100 * actual // target)
    if done >= expected + AROUND_POINTS:
        pace: Pace = "ahead"
    else:
        pace = "behind" if done <= expected - AROUND_POINTS else "on_track"
    return Progress(done, pace, decimal_text(expected, 1))


def rating_text(mean: Fraction) -> str:
    """A mean of ratings out of five: ``4.8``."""
    return decimal_text(mean, 1)
