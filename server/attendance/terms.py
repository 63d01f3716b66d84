"""What all records of one computation share, laid out in real minutes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from server.attendance.calendar import Calendar
from server.attendance.facts import Absence, AbsenceKind
from server.attendance.policy import Policy
from server.attendance.requested import Requested, spans_of
from server.attendance.schedule import MINUTE_MS, minute_of
from server.attendance.spans import Minute, Spans, union

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """Facts of one person that are not punches or shifts, and the policy."""

    zone: ZoneInfo
    policy: Policy
    calendar: Calendar
    leave: Spans
    trips: Spans
    requests: Sequence[Requested]
    now: Minute | None
    """None when every shift is over."""
    left: Mapping[date, Minute]
    """Last punch of each attendance date, if AR-19 asks for it."""
    asked: Spans = field(init=False)
    """Minutes of all requests."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked", spans_of(self.requests))

    def statutory(self, first: date, last: date) -> Spans:
        """Minutes of the statutory dates among ``first`` to ``last``."""
        legal = self.calendar.statutory
        if not legal:
            return ()
        days = (first + n * _DAY for n in range((last - first).days + 1))
        return union((self._midnight(day), self._midnight(day + _DAY)) for day in days if day in legal)

    def breaks(self, first: date, last: date) -> Spans:
        """AR-26: minutes of the breaks of dates without shift."""
        days = [first + n * _DAY for n in range((last - first).days + 1)]
        return union(
            (minute_of(day, start, self.zone), minute_of(day if end > start else day + _DAY, end, self.zone))
            for day in days
            for start, end in self.policy.restday_breaks
        )

    def _midnight(self, day: date) -> Minute:
        return minute_of(day, "00:00", self.zone)


def spans_of_absences(absences: Iterable[Absence], kind: AbsenceKind) -> Spans:
    """Minutes of those of one kind that nobody took back."""
    return union(
        (absence.from_ms // MINUTE_MS, absence.to_ms // MINUTE_MS)
        for absence in absences
        if absence.kind == kind and absence.cancelled_ms is None
    )
