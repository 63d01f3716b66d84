"""Wall times of a shift as real minutes, clock changes included (AR-22)."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from server.attendance.facts import Shift, ShiftPlan
from server.attendance.spans import Minute, Spans, without
from shared.clock import to_ms

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """A shift laid out; a flexible one from its earliest start, with the room it has to move."""

    date: date
    plan: ShiftPlan
    start: Minute
    end: Minute
    breaks: Spans
    room: int = 0
    """Minutes between the earliest and the latest start."""
    net: Spans = field(init=False)
    """Scheduled minutes without breaks."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "net", without(((self.start, self.end),), self.breaks))

    def started_at(self, minute: Minute) -> "Schedule":
        """The same shift when the person first came at ``minute`` (AR-18)."""
        start = min(max(minute, self.start), self.start + self.room)
        return Schedule(self.date, self.plan, start, start + self.end - self.start, self.breaks)


def minute_of(day: date, wall: str, zone: ZoneInfo) -> Minute:
    """The minute at which a clock in the zone shows HH:MM; the first one if twice, moved forward if skipped."""
    return to_ms(datetime.combine(day, time.fromisoformat(wall), zone)) // MINUTE_MS


@lru_cache(maxsize=10_000)  # a few shifts a day are shared by everybody
def lay_out(shift: Shift, zone: ZoneInfo) -> Schedule:
    """Real minutes of a planned shift."""
    plan, day = shift.plan, shift.date
    first = plan.flex.earliest if plan.flex else plan.start
    breaks = []
    for start, end in plan.breaks:
        on = day if start >= first else _next(day)
        breaks.append((minute_of(on, start, zone), minute_of(on if end > start else _next(on), end, zone)))
    if plan.flex is None:
        end_on = day if plan.end > plan.start else _next(day)
        return Schedule(
            day, plan, minute_of(day, first, zone), minute_of(end_on, plan.end, zone), tuple(sorted(breaks))
        )
    start_minute = minute_of(day, first, zone)
    room = minute_of(day, plan.flex.latest, zone) - start_minute
    return Schedule(day, plan, start_minute, start_minute + plan.flex.span_min, tuple(sorted(breaks)), room)


def _next(day: date) -> date:
    return day + timedelta(days=1)
