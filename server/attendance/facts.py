"""What the engine is given about one person."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from server.attendance.calendar import PLAIN, Calendar
from shared.clock import WallMs
from shared.punch import Direction

AbsenceKind: TypeAlias = Literal["leave", "trip"]
Standing: TypeAlias = Literal["approved", "pending", "refused"]


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
    standing: Standing = "approved"
    """Other than approved only for a correction or an unverified punch."""
    unverified: bool = False
    """From a phone whose clock nobody vouches for (AR-41)."""
    known_ms: WallMs | None = None
    """When it was received, or decided upon if it needed that; None: before any closing (AR-34)."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Approved time off the site: leave, or a trip or field visit, which counts as worked."""

    kind: AbsenceKind
    from_ms: WallMs
    to_ms: WallMs
    known_ms: WallMs | None = None
    """When it was decided; None: before any closing."""
    cancelled_ms: WallMs | None = None
    """When it was taken back (AR-17); it counts only in what was closed before."""
    type: str = ""
    """Id of the leave type, for sums by type; empty for a trip or field visit."""


@dataclass(frozen=True, slots=True)
class OvertimeRequest:
    """Overtime that was approved."""

    from_ms: WallMs
    to_ms: WallMs
    to_comp: bool = False
    """To be banked as compensatory leave (AR-27)."""
    known_ms: WallMs | None = None
    """When it was decided; None: before any closing."""
    cancelled_ms: WallMs | None = None
    """When it was taken back; it counts only in what was closed before."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known about one person around the dates to compute; order means nothing."""

    shifts: tuple[Shift, ...] = ()
    punches: tuple[Punch, ...] = ()
    absences: tuple[Absence, ...] = ()
    overtime: tuple[OvertimeRequest, ...] = ()
    calendar: Calendar = PLAIN
