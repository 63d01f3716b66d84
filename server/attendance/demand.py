"""What a shift asks of a person once approved absences are cut out (AR-13, AR-17)."""

from dataclasses import dataclass

from server.attendance.schedule import Schedule
from server.attendance.spans import Minute, Spans, common, length, without
from server.attendance.terms import Terms


@dataclass(frozen=True, slots=True)
class Demand:
    """Net minutes of a shift by what becomes of them."""

    schedule: Schedule
    remaining: Spans
    """At the site."""
    trip: Spans
    leave_min: int
    leaves: tuple[tuple[str, int], ...] = ()
    """Minutes by leave type, together ``leave_min``."""

    @property
    def start(self) -> Minute:
        """Effective start; ``remaining`` must not be empty."""
        return self.remaining[0][0]

    @property
    def end(self) -> Minute:
        """Effective end."""
        return self.remaining[-1][1]

    @property
    def trip_min(self) -> int:
        """Minutes away that count as worked."""
        return length(self.trip)

    @property
    def required(self) -> int:
        """Minutes at work, at the site or away."""
        return length(self.remaining) + length(self.trip)


def demand_of(schedule: Schedule, terms: Terms) -> Demand:
    """Demand of a shift; leave wins over a trip at the same time."""
    net = schedule.net
    if not terms.leave and not terms.trips:
        return Demand(schedule, net, (), 0)
    leave = common(net, terms.leave)
    at_site = without(net, leave)
    trip = common(at_site, terms.trips)
    by_type = tuple((kind, length(part)) for kind, spans in terms.leaves if (part := common(net, spans)))
    return Demand(schedule, without(at_site, trip), trip, length(leave), by_type)
