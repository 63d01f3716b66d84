"""Which punches count, and to which shift each belongs (AR-2, AR-5, AR-7 to AR-9)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from zoneinfo import ZoneInfo

from server.attendance.facts import Punch
from server.attendance.policy import Policy
from server.attendance.schedule import MINUTE_MS, Schedule
from server.attendance.spans import Minute
from shared.clock import WallMs, from_ms
from shared.punch import Direction

_IN = frozenset((Direction.IN, Direction.BREAK_IN, Direction.OVERTIME_IN))
_OUT = frozenset((Direction.OUT, Direction.BREAK_OUT, Direction.OVERTIME_OUT))


@dataclass(frozen=True, slots=True)
class Kept:
    """A punch that counts, with those merged into it."""

    id: int
    true_ms: WallMs
    minute: Minute
    """Seconds cut off (AR-6)."""
    side: int
    """1 in, -1 out, 0 unknown."""
    corrected_clock: bool
    correction: bool
    merged: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes, both inclusive, in which punches belong to a shift; doubled, as a midpoint may be half a minute."""

    schedule: Schedule
    opens2: int
    """First of it before a neighbour took anything: rises from shift to shift."""
    first2: int
    last2: int
    cut: bool = False
    """Whether a neighbour took a part of it (AR-8)."""

    def holds(self, minute: Minute) -> bool:
        """Whether a punch of that minute belongs here."""
        return self.first2 <= 2 * minute <= self.last2


@dataclass(slots=True)
class Assigned:
    """Punches of one shift."""

    window: Window
    punches: list[Kept] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    outside: list[Kept] = field(default_factory=list)
    """Of this date, but in no window."""


def keep(punches: Iterable[Punch], policy: Policy) -> list[Kept]:
    """Punches that count, in order of time, repeats dropped and near ones merged."""
    known = {punch.id: punch for punch in punches}.values()
    counting = [(p.true_ms, p.direction, p) for p in known if p.true_ms is not None and p.approved]
    kept: list[Kept] = []
    last_of_side: dict[int, int] = {}  # in directional mode a way in never swallows a way out
    for true_ms, _, punch in sorted(counting, key=lambda item: (item[0], item[1], item[2].id)):
        side = _side(punch.direction)
        group = side if policy.pairing == "directional" else 0
        into = last_of_side.get(group)
        if into is not None and not punch.correction and true_ms - kept[into].true_ms <= policy.dedup_s * 1_000:
            kept[into] = _merge(kept[into], punch)
            continue
        last_of_side[group] = len(kept)
        moved = true_ms != punch.at_ms
        kept.append(Kept(punch.id, true_ms, true_ms // MINUTE_MS, side, moved, punch.correction))
    return kept


def windows(schedules: Sequence[Schedule], policy: Policy) -> list[Window]:
    """A window for each shift, in order of start; where two overlap, they meet in the middle between the shifts."""
    found: list[Window] = []
    for schedule in sorted(schedules, key=lambda s: (s.start, s.end, s.plan.id)):
        opens2 = first2 = 2 * (schedule.start - policy.window_before_min)
        last2 = 2 * (schedule.end + schedule.room + policy.window_after_min)
        cut = False
        if found and found[-1].last2 >= first2:
            middle2 = found[-1].schedule.end + schedule.start
            found[-1] = replace(found[-1], last2=min(found[-1].last2, middle2 - 1), cut=True)
            first2, cut = max(first2, middle2), True
        found.append(Window(schedule, opens2, first2, last2, cut))
    return found


def assign(
    windows_: Sequence[Window], kept: Sequence[Kept], punches: Iterable[Punch], zone: ZoneInfo
) -> tuple[list[Assigned], dict[date, list[Kept]]]:
    """Punches by shift, and by date those of dates without shift."""
    shifts = [Assigned(window) for window in windows_]
    free: dict[date, list[Kept]] = {}
    passed = 0  # punches come in order of time, so shifts that closed before one hold no later one
    for punch in kept:
        while passed < len(shifts) and shifts[passed].window.last2 < 2 * punch.minute:
            passed += 1
        holder = _holder(shifts, passed, punch.minute)
        if holder is not None:
            holder.punches.append(punch)
            continue
        day = from_ms(punch.true_ms).astimezone(zone).date()
        same_day = [shift for shift in shifts if shift.window.schedule.date == day]
        if same_day:
            min(same_day, key=lambda shift: _distance(shift.window, punch.minute)).outside.append(punch)
        else:
            free.setdefault(day, []).append(punch)
    for told in {punch.id: punch for punch in punches if punch.true_ms is None}.values():
        holder = _holder(shifts, 0, told.at_ms // MINUTE_MS)
        if holder is not None:
            holder.held.append(told.id)
    return shifts, free


def _holder(shifts: Sequence[Assigned], passed: int, minute: Minute) -> Assigned | None:
    for shift in islice(shifts, passed, None):
        if shift.window.opens2 > 2 * minute:
            return None
        if shift.window.holds(minute):
            return shift
    return None


def _side(direction: Direction) -> int:
    return 1 if direction in _IN else -1 if direction in _OUT else 0


def _merge(kept: Kept, punch: Punch) -> Kept:
    moved = kept.corrected_clock or punch.true_ms != punch.at_ms
    return Kept(kept.id, kept.true_ms, kept.minute, kept.side, moved, kept.correction, (*kept.merged, punch.id))


def _distance(window: Window, minute: Minute) -> int:
    return max(window.first2 - 2 * minute, 2 * minute - window.last2)
