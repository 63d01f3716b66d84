"""What the engine is given about one person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypeAlias

from shared.clock import WallMs
from shared.punch import Direction

AbsenceKind: TypeAlias = Literal["leave", "trip"]
DayType: TypeAlias = Literal["workday", "restday", "statutory"]


@dataclass(frozen=True, slots=True)
class Flex:
    """AR-18: a shift of ``span_min`` minutes that starts when the person comes, between two wall times (HH:MM)."""

    earliest: str
    latest: str
    span_min: int


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """A shift as planned: wall times HH:MM; an end at or before the start is on the next day."""

    id: str
    start: str
    end: str
    breaks: tuple[tuple[str, str], ...] = ()
    flex: Flex | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """Who is planned when: ``date`` is the local date on which the shift starts."""

    date: date
    plan: ShiftPlan


@dataclass(frozen=True, slots=True)
class Punch:
    """One punch; ``id`` is the same for every report of it (AR-2)."""

    id: int
    at_ms: WallMs
    """As the terminal said, zone applied."""
    true_ms: WallMs | None
    """After AR-3; None while it is held."""
    direction: Direction = Direction.UNKNOWN
    held: str | None = None
    """Rule that holds it."""
    correction: bool = False
    """Added by a person (AR-1)."""
    approved: bool = True
    """False for a correction nobody has approved."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Approved time off the site: leave, or a trip or field visit, which counts as worked."""

    kind: AbsenceKind
    from_ms: WallMs
    to_ms: WallMs


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known about one person around the dates to compute; order means nothing."""

    shifts: tuple[Shift, ...] = ()
    punches: tuple[Punch, ...] = ()
    absences: tuple[Absence, ...] = ()
    calendar: Mapping[date, DayType] = field(default_factory=dict)
    """The company's exceptions; read by the overtime rules."""
