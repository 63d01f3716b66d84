"""When punches belong to which shift (AR-7, AR-8)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.attendance.policy import Policy
from server.attendance.requested import ROOM_MIN, Requested, by_shift, plain_window
from server.attendance.schedule import Schedule
from server.attendance.spans import Minute


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes, both inclusive, in which punches belong to a shift; doubled, as a midpoint may be half a minute."""

    schedule: Schedule
    opens2: int
    """First of it before a neighbour took anything."""
    closes2: int
    """Last of it before a neighbour took anything."""
    first2: int
    last2: int
    floor2: int
    """No window from this one on holds an earlier minute."""
    cut: bool = False
    """Whether a neighbour took a part of it (AR-8)."""
    requests: tuple[Requested, ...] = ()
    """Overtime that belongs to the shift."""

    def holds(self, minute: Minute) -> bool:
        """Whether a punch of that minute belongs here."""
        return self.first2 <= 2 * minute <= self.last2


def windows(schedules: Sequence[Schedule], policy: Policy, requests: Sequence[Requested] = ()) -> list[Window]:
    """A window for each shift, in order of start; where two overlap, they meet in the middle between the shifts."""
    ordered = sorted(schedules, key=lambda s: (s.start, s.end, s.plan.id))
    owned = by_shift(ordered, requests, policy) if requests else {}
    found: list[Window] = []
    for position, schedule in enumerate(ordered):
        window = _uncut(schedule, policy, tuple(owned.get(position, ())))
        if found and found[-1].last2 >= window.first2:
            middle2 = _middle2(found[-1], window)
            found[-1] = replace(found[-1], last2=min(found[-1].last2, middle2 - 1), cut=True)
            window = replace(window, first2=max(window.first2, middle2), cut=True)
        found.append(window)
    if requests:  # a front that was widened may reach before that of the shift before
        for position in range(len(found) - 2, -1, -1):
            if found[position].floor2 > found[position + 1].floor2:
                found[position] = replace(found[position], floor2=found[position + 1].floor2)
    return found


def _uncut(schedule: Schedule, policy: Policy, requests: tuple[Requested, ...]) -> Window:
    opens, closes = plain = plain_window(schedule, policy)
    for request in requests:
        if request.start <= plain[1]:
            closes = max(closes, request.end + ROOM_MIN)
        if plain[0] <= request.end <= plain[1]:
            opens = min(opens, request.start - ROOM_MIN)
    return Window(schedule, 2 * opens, 2 * closes, 2 * opens, 2 * closes, 2 * opens, requests=requests)


def _middle2(first: Window, second: Window) -> int:
    """Twice the boundary. Approved overtime is a part of its shift: the boundary must not part it from its punches."""
    ends = max((first.schedule.end, *(request.end for request in first.requests)))
    starts = min((second.schedule.start, *(request.start for request in second.requests)))
    if ends > starts:
        ends, starts = first.schedule.end, second.schedule.start
    return ends + starts
