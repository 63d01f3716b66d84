"""What people ask of a roster: set, copy, lay out, swap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

from server.rosters.pattern import Shifts
from shared.errors import DataError

LONGEST_SPAN = timedelta(days=400)
"""Between the first and the last date of one change set."""


@dataclass(frozen=True, slots=True)
class SetShifts:
    """Plan these shifts for each of these people on each of these dates; none: a day off."""

    people: tuple[str, ...]
    dates: tuple[date, ...]
    shifts: Shifts


@dataclass(frozen=True, slots=True)
class CopyDays:
    """Plan the days ``first`` to ``last`` again in each of the next ``weeks`` spans of that length."""

    people: tuple[str, ...]
    first: date
    last: date
    weeks: int = 1
    over: bool = True
    """Also where something is planned."""


@dataclass(frozen=True, slots=True)
class FillPattern:
    """Lay out the pattern of each person's attendance group."""

    people: tuple[str, ...]
    first: date
    last: date
    over: bool = False
    """Also days that people have planned, imported or swapped."""
    groups: tuple[str, ...] = ()
    """Groups of which nobody is left out: from here on later dates follow by themselves."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Two people work each other's shifts, each on the other's date where there are two."""

    a: str
    b: str
    a_on: date
    b_on: date


Edit: TypeAlias = SetShifts | CopyDays | FillPattern | Swap


def people_of(edit: Edit) -> tuple[str, ...]:
    """Who is planned by it."""
    return (edit.a, edit.b) if isinstance(edit, Swap) else edit.people


def span_of(edits: Sequence[Edit]) -> tuple[date, date]:
    """First and last date that the edits read or write; DataError ``span_length`` when they are too far apart."""
    found: list[date] = []
    for edit in edits:
        match edit:
            case SetShifts():
                found += edit.dates
            case CopyDays():
                found += [edit.first, edit.last + edit.weeks * (edit.last - edit.first + timedelta(days=1))]
            case FillPattern():
                found += [edit.first, edit.last]
            case Swap():
                found += [edit.a_on, edit.b_on]
    first, last = min(found), max(found)
    if last - first > LONGEST_SPAN:
        raise DataError(f"{first} to {last} is longer than {LONGEST_SPAN.days} days: save a part of it", "span_length")
    return first, last
