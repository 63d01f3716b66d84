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
from server.attendance.spans import Minute, Span, Spans, union, without

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """Facts of one person that are not punches or shifts, and the policy."""

    zone: ZoneInfo
    policy: Policy
    calendar: Calendar
    leaves: Sequence[tuple[str, Spans]]
    """Leave by type; no minute belongs to two."""
    trips: Spans
    requests: Sequence[Requested]
    now: Minute | None
    """None when every shift is over."""
    left: Mapping[date, Minute]
    """Last punch of each attendance date, if AR-19 asks for it."""
    leave: Spans = field(init=False)
    """Minutes of leave of any type."""
    asked: Spans = field(init=False)
    """Minutes of all requests."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "leave", union(span for _, spans in self.leaves for span in spans))
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


def spans_of_trips(absences: Iterable[Absence]) -> Spans:
    """Minutes of the trips that nobody took back."""
    return union(_span(absence) for absence in _standing(absences, "trip"))


def spans_of_leaves(absences: Iterable[Absence]) -> list[tuple[str, Spans]]:
    """Minutes of leave that nobody took back, by type; of two at the same time the one decided upon first counts."""
    found: dict[str, Spans] = {}
    taken: Spans = ()
    for leave in sorted(_standing(absences, "leave"), key=_by_decision):
        span = (_span(leave),)
        found[leave.type] = union((*found.get(leave.type, ()), *without(span, taken)))
        taken = union((*taken, *span))
    return sorted(found.items())


def _standing(absences: Iterable[Absence], kind: AbsenceKind) -> list[Absence]:
    return [absence for absence in absences if absence.kind == kind and absence.cancelled_ms is None]


def _span(absence: Absence) -> Span:
    return absence.from_ms // MINUTE_MS, absence.to_ms // MINUTE_MS


def _by_decision(leave: Absence) -> tuple[int, int, int, str]:
    return leave.known_ms or 0, leave.from_ms, leave.to_ms, leave.type
