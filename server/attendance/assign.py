"""To which shift or date each punch belongs (AR-7 to AR-9)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from zoneinfo import ZoneInfo

from server.attendance.facts import Punch
from server.attendance.kept import Kept, counts
from server.attendance.policy import Policy
from server.attendance.requested import ROOM_MIN, Requested
from server.attendance.schedule import MINUTE_MS
from server.attendance.spans import Minute
from server.attendance.windows import Window
from shared.clock import WallMs, from_ms


@dataclass(slots=True)
class Assigned:
    """Punches of one shift."""

    window: Window
    punches: list[Kept] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    waiting: list[Punch] = field(default_factory=list)
    """Without effect until somebody decides, or refused."""
    outside: list[Kept] = field(default_factory=list)
    """Of this date, but in no window."""

    @property
    def came(self) -> bool:
        """Whether the last side that is known is an IN (directional mode)."""
        inside = False
        for punch in self.punches:
            inside = (punch.side or (-1 if inside else 1)) > 0
        return inside


def assign(
    windows_: Sequence[Window], kept: Sequence[Kept], zone: ZoneInfo, policy: Policy, requests: Sequence[Requested]
) -> tuple[list[Assigned], dict[date, list[Kept]]]:
    """Punches by shift, and by date those of dates without shift."""
    shifts = [Assigned(window) for window in windows_]
    free: dict[date, list[Kept]] = {}
    directional = policy.pairing == "directional"
    passed = 0  # punches come in order of time, so shifts that closed before one hold no later one
    for punch in kept:
        while passed < len(shifts) and shifts[passed].window.last2 < 2 * punch.minute:
            passed += 1
        at = _holder(shifts, passed, punch.minute)
        if at is not None:
            shift = _directed(shifts, at, punch) if directional and punch.side else shifts[at]
            shift.punches.append(punch)
            continue
        day = _date(punch, zone, requests)
        same_day = [shift for shift in shifts if shift.window.schedule.date == day]
        if same_day:
            min(same_day, key=lambda shift: _distance(shift.window, punch.minute)).outside.append(punch)
        else:
            free.setdefault(day, []).append(punch)
    return shifts, free


def add_without_effect(shifts: Sequence[Assigned], punches: Iterable[Punch], policy: Policy) -> None:
    """Note with each shift the punches in its window that are held or not approved (AR-36)."""
    silent = {punch.id: punch for punch in punches if punch.true_ms is None or not counts(punch, policy)}
    for punch in silent.values():
        true_ms = punch.at_ms if punch.true_ms is None else punch.true_ms
        at = _holder(shifts, 0, true_ms // MINUTE_MS)
        if at is None:
            continue
        if punch.true_ms is None:
            shifts[at].held.append(punch.id)
        else:
            shifts[at].waiting.append(punch)


def _holder(shifts: Sequence[Assigned], passed: int, minute: Minute) -> int | None:
    """Position of the shift whose window holds it."""
    for at, shift in enumerate(islice(shifts, passed, None), passed):
        if shift.window.floor2 > 2 * minute:
            return None
        if shift.window.holds(minute):
            return at
    return None


def _directed(shifts: Sequence[Assigned], at: int, punch: Kept) -> Assigned:
    """AR-8: in the overlap of two windows the direction decides, not the middle."""
    twice = 2 * punch.minute
    if at + 1 < len(shifts) and shifts[at + 1].window.opens2 <= twice:
        first, second = shifts[at], shifts[at + 1]
    elif at > 0 and shifts[at - 1].window.closes2 >= twice:
        first, second = shifts[at - 1], shifts[at]
    else:
        return shifts[at]
    if punch.side < 0:
        return first if first.came else second
    return second if punch.minute >= first.window.schedule.end else first


def _date(punch: Kept, zone: ZoneInfo, requests: Sequence[Requested]) -> date:
    """AR-9: date on which the request around it starts, else its own."""
    near = [(request.distance(punch.minute), request.start) for request in requests]
    apart, start = min(near, default=(ROOM_MIN + 1, 0))
    return local_date(punch.true_ms if apart > ROOM_MIN else start * MINUTE_MS, zone)


def local_date(at_ms: WallMs, zone: ZoneInfo) -> date:
    """Date on the wall at an instant."""
    return from_ms(at_ms).astimezone(zone).date()


def _distance(window: Window, minute: Minute) -> int:
    return max(window.first2 - 2 * minute, 2 * minute - window.last2)
