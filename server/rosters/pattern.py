"""Patterns that repeat, laid out over dates."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

from server.attendance.calendar import Calendar
from server.rosters.shift import Problem

PatternKind: TypeAlias = Literal["weekly", "cycle"]
Shifts: TypeAlias = tuple[str, ...]
"""Ids of the shifts of one day; none: a day off."""

WEEK = 7
LONGEST_CYCLE = 92
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Pattern:
    """Shifts of each day of a week from Monday, or of a cycle from the group's anchor."""

    kind: PatternKind
    days: tuple[Shifts, ...]
    by_calendar: bool = False
    """The calendar wins: no shift on rest and statutory days; an adjusted workday is planned like a Monday."""


def lay_out(pattern: Pattern, anchor: date, calendar: Calendar, first: date, last: date) -> dict[date, Shifts]:
    """Shifts of every date from ``first`` to ``last``; ``anchor`` is the first day of a cycle."""
    return {day: _shifts_on(pattern, anchor, calendar, day) for day in dates(first, last)}


def dates(first: date, last: date) -> list[date]:
    """Every date from ``first`` to ``last``."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def problems_of(pattern: Pattern, shifts: Collection[str]) -> list[Problem]:
    """What makes a pattern unusable; ``shifts`` are those that can be planned."""
    found = []
    if pattern.kind == "weekly" and len(pattern.days) != WEEK:
        found.append(Problem("days", "seven_days", {"days": len(pattern.days)}))
    if not 1 <= len(pattern.days) <= LONGEST_CYCLE:
        found.append(Problem("days", "cycle_length", {"days": len(pattern.days), "most": LONGEST_CYCLE}))
    for number, day in enumerate(pattern.days, start=1):
        found += [Problem("days", "unknown_shift", {"day": number, "shift": one}) for one in day if one not in shifts]
        if len(set(day)) < len(day):
            found.append(Problem("days", "shift_twice", {"day": number}))
    return found


def _shifts_on(pattern: Pattern, anchor: date, calendar: Calendar, day: date) -> Shifts:
    if pattern.by_calendar:
        if calendar.type_of(day) != "workday":
            return ()
        if pattern.kind == "weekly" and day.weekday() >= _SATURDAY:
            return pattern.days[0]
    return pattern.days[_place(pattern.kind, pattern.days, anchor, day)]


def _place(kind: PatternKind, days: Sequence[Shifts], anchor: date, day: date) -> int:
    return day.weekday() if kind == "weekly" else (day - anchor).days % len(days)
