"""Records of people without fixed hours (AR-32): work done, nothing required."""

from datetime import date

from server.attendance import overtime
from server.attendance.day import Judged, record_of
from server.attendance.record import DayRecord, Minutes
from server.attendance.spans import Spans, length, union, without
from server.attendance.terms import Terms


def untimed_record(judged: Judged, part: int, terms: Terms) -> DayRecord:
    """Record of a shift; all presence counts but the breaks and approved leave, whenever it was."""
    demand = judged.demand
    idle = union((*demand.schedule.breaks, *terms.leave))
    done = union((*without(judged.spans(), idle), *demand.trip))
    legal = length(overtime.statutory_part(done, demand.schedule.date, terms))
    ot_30 = legal if terms.policy.untimed_statutory_ot else 0
    minutes = Minutes(worked=length(done), leave=demand.leave_min, ot_30=ot_30)
    return record_of(judged, part, "untimed", minutes, terms)


def untimed_free_minutes(presence: Spans, day: date, terms: Terms) -> Minutes:
    """Minutes of a date without shift."""
    done = without(overtime.without_breaks(presence, day, terms), terms.leave)
    legal = length(overtime.statutory_part(done, day, terms))
    ot_30 = overtime.size(legal, terms.policy) if terms.policy.untimed_statutory_ot else 0
    return Minutes(worked=length(done), ot_30=ot_30)
