"""Back-to-back shifts: the seam between two needs one punch or none (AR-11, AR-37)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from server.attendance.kept import Kept
from server.attendance.pairing import SCHEDULED, Sides
from server.attendance.policy import Policy
from server.attendance.schedule import MINUTE_MS, Schedule
from server.attendance.spans import Minute
from server.attendance.windows import Window

NEAR_MIN = 30
"""A punch this near to the seam ends the first shift and starts the second (AR-37)."""

FLAG = "seam_auto"

Both: TypeAlias = tuple[Sides, Sides]


def seams(windows: Sequence[Window], policy: Policy) -> list[int]:
    """Positions of shifts that the next one follows without a gap worth a punch; flexible ones have no fixed seam."""
    if policy.pairing != "first_last":
        return []
    found = []
    for position in range(len(windows) - 1):
        first, second = windows[position].schedule, windows[position + 1].schedule
        fixed = first.plan.flex is None and second.plan.flex is None
        if fixed and 0 <= second.start - first.end <= policy.contiguous_gap_min:
            found.append(position)
    return found


def close_seams(
    positions: Sequence[int], schedule_of: Callable[[int], Schedule], sides: dict[int, Sides | None]
) -> set[int]:
    """Fill the seams in ``sides`` where they may be; positions of the shifts that this changed.

    A filled seam may give the next shift the side that it lacked, from either end of a row of shifts.
    """
    changed: set[int] = set()
    for position in (*positions, *reversed(positions)):
        first, second = sides.get(position), sides.get(position + 1)
        if first is None or second is None or first.lone_out or second.lone_in:
            continue
        filled = _fill(first, second, schedule_of(position).end, schedule_of(position + 1).start)
        for at, before, after in zip((position, position + 1), (first, second), filled, strict=True):
            if before is not after:
                sides[at] = after
                changed.add(at)
    return changed


def _fill(first: Sides, second: Sides, end: Minute, start: Minute) -> Both:
    """The first shift has its IN, the second its OUT."""
    lacks_out, lacks_in = first.lone_in is not None, second.lone_out is not None
    if not lacks_out and not lacks_in:
        return first, second
    came = first.lone_in or first.pairs[0][0]
    went = second.lone_out or second.pairs[-1][1]
    left = None if lacks_out else first.pairs[-1][1]
    entered = None if lacks_in else second.pairs[0][0]
    single = [punch for punch in (left, entered) if punch and end - NEAR_MIN <= punch.minute <= start + NEAR_MIN]
    rules = ("AR-11", "AR-37") if single else ("AR-11",)
    out = _at(end, left if single else None) if lacks_out or single else None
    into = _at(start, entered if single else None) if lacks_in or single else None
    return (
        first if out is None else Sides(((came, out),), rules=_joined(first.rules, rules)),
        second if into is None else Sides(((into, went),), rules=_joined(second.rules, rules)),
    )


def _at(minute: Minute, punch: Kept | None) -> Kept:
    """A side at its scheduled time: the punch nearby, or nobody's."""
    if punch is not None:
        return replace(punch, minute=minute)
    return Kept(SCHEDULED, minute * MINUTE_MS, minute, 0, corrected_clock=False, correction=False)


def _joined(rules: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*rules, *more)))
