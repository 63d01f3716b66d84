"""Periods that scores are published for: a department's months or quarters."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Literal, TypeAlias

from server.scoring.window import days_of

Cycle: TypeAlias = Literal["month", "quarter"]
Period: TypeAlias = str
"""``2026-11`` or ``2026-Q4``."""

DEFAULT_CYCLES: Mapping[str, Cycle] = {"hr": "quarter", "design": "quarter"}
"""By department; those below it have it too. All others go by months."""


def cycle_of(period: Period) -> Cycle:
    """What kind of period it is."""
    return "quarter" if "Q" in period else "month"


def period_on(day: date, cycle: Cycle) -> Period:
    """The period that a day lies in."""
    return f"{day.year}-Q{(day.month + 2) // 3}" if cycle == "quarter" else f"{day:%Y-%m}"


def period_after(period: Period) -> Period:
    """The next one of the same kind."""
    return period_on(days_of(period).last + timedelta(days=1), cycle_of(period))


def cycle_in(departments: Sequence[str], cycles: Mapping[str, Cycle]) -> Cycle:
    """The cycle of somebody's departments, the nearest first."""
    return next((cycles[one] for one in departments if one in cycles), "month")
