"""What kind of day a date is, by a version of a company's calendar."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypeAlias

DayType: TypeAlias = Literal["workday", "restday", "statutory"]

_SATURDAY = 5


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """Exceptions to Monday to Friday: adjusted working weekends, bridged weekdays, the legal holidays."""

    exceptions: Mapping[date, DayType] = field(default_factory=dict)
    version: str = ""
    """Names the edition, such as ``CN 2026-2``; a result can tell by which it was computed."""
    statutory: frozenset[date] = field(init=False)

    def __post_init__(self) -> None:
        legal = frozenset(day for day, kind in self.exceptions.items() if kind == "statutory")
        object.__setattr__(self, "statutory", legal)

    def type_of(self, day: date) -> DayType:
        """Type of that date."""
        return self.exceptions.get(day) or ("restday" if day.weekday() >= _SATURDAY else "workday")


PLAIN = Calendar()
"""Monday to Friday, no holidays."""


def changed_dates(old: Calendar, new: Calendar) -> tuple[date, ...]:
    """Dates whose type differs between two versions, in order."""
    named = sorted({*old.exceptions, *new.exceptions})
    return tuple(day for day in named if old.type_of(day) != new.type_of(day))
