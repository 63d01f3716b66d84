"""Approved overtime requests in real minutes, and the shift that each belongs to (AR-7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from server.attendance.facts import OvertimeRequest
from server.attendance.policy import Policy
from server.attendance.schedule import MINUTE_MS, Schedule
from server.attendance.spans import Minute, Span, Spans, union

ROOM_MIN = 60
"""Punches this near to a request belong to it (AR-7, AR-9)."""


@dataclass(frozen=True, slots=True, order=True)
class Requested:
    """Minutes of overtime that somebody approved."""

    start: Minute
    end: Minute
    to_comp: bool

    def distance(self, minute: Minute) -> int:
        """Minutes between it and a punch."""
        return max(self.start - minute, minute - self.end, 0)


def in_force(requests: Iterable[OvertimeRequest]) -> list[Requested]:
    """Requests that nobody took back, in order."""
    standing = {
        Requested(request.from_ms // MINUTE_MS, request.to_ms // MINUTE_MS, request.to_comp)
        for request in requests
        if request.cancelled_ms is None and request.from_ms < request.to_ms
    }
    return sorted(standing)


def spans_of(requests: Iterable[Requested]) -> Spans:
    """Minutes of all of them."""
    return union((request.start, request.end) for request in requests)


def by_shift(
    schedules: Sequence[Schedule], requests: Iterable[Requested], policy: Policy
) -> dict[int, list[Requested]]:
    """Requests under the position of the shift whose window they reach into: of two, the nearer one's."""
    found: dict[int, list[Requested]] = {}
    for request in requests:
        reached = []
        for position, schedule in enumerate(schedules):
            opens, closes = plain_window(schedule, policy)
            if request.start <= closes and request.end >= opens:
                apart = max(schedule.start - request.end, request.start - schedule.end - schedule.room, 0)
                reached.append((apart, position))
        if reached:
            found.setdefault(min(reached)[1], []).append(request)
    return found


def plain_window(schedule: Schedule, policy: Policy) -> Span:
    """First and last minute of a window that no request widened."""
    return schedule.start - policy.window_before_min, schedule.end + schedule.room + policy.window_after_min
