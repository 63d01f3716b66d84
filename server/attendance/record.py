"""What the engine answers: one record per shift, and one per date without shift on which somebody punched."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from operator import attrgetter
from typing import Literal, TypeAlias

from server.attendance.calendar import DayType
from server.attendance.policy import WorkSystem
from shared.clock import WallMs

RULE_VERSION = "attendance-3"
"""Changes whenever the same input may give another record."""

Status: TypeAlias = Literal[
    "normal",
    "late",
    "early",
    "late_early",
    "missing_in",
    "missing_out",
    "absent",
    "leave",
    "untimed",
    "off",
    "rest_ot",
    "holiday_ot",
    "not_yet",
]

UNFINISHED: frozenset[Status] = frozenset(("normal", "late", "early", "late_early"))
"""With minutes pending, these mean a shift that is still running; ``missing_*`` waits for a person instead."""


@dataclass(frozen=True, slots=True)
class Minutes:
    """Where the required minutes of a shift went: ``worked`` to ``exempt`` add up to ``required`` (AR-21).

    Overtime comes on top; ``ot_30`` includes ``holiday_work`` (AR-28).
    """

    required: int = 0
    worked: int = 0
    holiday_work: int = 0
    late: int = 0
    early: int = 0
    gap: int = 0
    absent: int = 0
    pending: int = 0
    exempt: int = 0
    leave: int = 0
    ot_15: int = 0
    ot_20: int = 0
    ot_30: int = 0
    comp: int = 0
    """Class 2.0, banked as compensatory leave."""
    extra: int = 0
    """Beyond the shifts under comprehensive hours; a class is theirs only at the end of the period (AR-31)."""


MINUTES = tuple(field.name for field in fields(Minutes))
"""Names of them, in order."""
numbers_of = attrgetter(*MINUTES)
"""All of them, in that order."""


def told(minutes: Minutes) -> dict[str, int]:
    """Those that are not 0, by name: the form in which decisions, versions and differences keep them."""
    return {name: number for name, number in zip(MINUTES, numbers_of(minutes), strict=True) if number}


def minutes_from(told_: Mapping[str, int]) -> Minutes:
    """What ``told`` told."""
    return Minutes(**told_)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of each punch, by id, and the rules applied (AR-36)."""

    used: tuple[int, ...] = ()
    merged: tuple[int, ...] = ()
    held: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DayRecord:
    """One result."""

    date: date
    part: int
    """0, 1 ... in order of shift start."""
    shift: str | None
    status: Status
    minutes: Minutes = Minutes()
    first_ms: WallMs | None = None
    """Corrected instant of the first side, if it is an IN; the scheduled one where a seam was filled (AR-11)."""
    last_ms: WallMs | None = None
    """Corrected instant of the last side, if it is an OUT; the scheduled one where a seam was filled."""
    flags: tuple[str, ...] = ()
    explanation: Explanation = field(default_factory=Explanation)
    leaves: tuple[tuple[str, int], ...] = ()
    """Minutes of leave by leave type, in order of type; together ``minutes.leave``."""
    trip_min: int = 0
    """Of those worked: away from the site."""
    day_type: DayType = "workday"
    """Of the attendance date."""
    system: WorkSystem = "standard"

    @property
    def finished(self) -> bool:
        """Whether the shift is over and its punches are in: what it says is not just the state of the day so far."""
        return self.status != "not_yet" and not (self.status in UNFINISHED and self.minutes.pending)
