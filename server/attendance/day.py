"""The record of one shift (AR-10, AR-13 to AR-17, AR-19, AR-21, AR-28)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from server.attendance import overtime
from server.attendance.assign import Assigned
from server.attendance.demand import Demand, demand_of
from server.attendance.explain import explain, punch_flags
from server.attendance.kept import Kept
from server.attendance.overtime import Overtime
from server.attendance.pairing import Sides, pair
from server.attendance.record import DayRecord, Minutes, Status
from server.attendance.rounding import rounded
from server.attendance.schedule import minute_of
from server.attendance.seam import FLAG as SEAM
from server.attendance.spans import Minute, Spans, after, before, common, length, union
from server.attendance.terms import Terms

LEAVE_EDGE_MIN = 30
"""A punch this near to an end of a leave is no doubt about it (AR-17)."""
NOON = "12:00"
"""A time of AR-19 before it is in the night after the attendance date."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Punches of a shift, paired."""

    assigned: Assigned
    demand: Demand
    sides: Sides | None
    """None when nobody came, or nobody had to."""

    def spans(self) -> Spans:
        """Time present."""
        return union(self.sides.spans) if self.sides is not None else ()


def judge(assigned: Assigned, terms: Terms) -> Judged | None:
    """Sides of a shift; None before its window opens."""
    window, punches, now = assigned.window, assigned.punches, terms.now
    if now is not None and 2 * now < window.first2 and not punches:
        return None
    schedule = window.schedule
    moves = schedule.plan.flex is not None and bool(punches)
    demand = demand_of(schedule.started_at(punches[0].minute) if moves else schedule, terms)
    if not punches or not _anything_to_judge(demand, terms):
        return Judged(assigned, demand, None)
    span = (demand.start, demand.end) if demand.remaining else (demand.schedule.start, demand.schedule.end)
    paired = pair(punches, *span, terms.policy, may_go_on=now is not None and now < span[1])
    sides = rounded(paired, terms.zone, terms.policy)
    if moves and sides is not paired:
        demand = demand_of(schedule.started_at(sides.first.minute), terms)
    return Judged(assigned, demand, sides if _anything_to_judge(demand, terms) else None)


def shift_record(judged: Judged, part: int, terms: Terms) -> DayRecord:
    """Record of a shift under standard or comprehensive hours."""
    demand, sides, now = judged.demand, judged.sides, terms.now
    presence = judged.spans()
    if sides is None:
        status, minutes = _without_presence(demand, now)
    else:
        window = judged.assigned.window
        waits = now is not None and (now < demand.end if sides.lone_in is None else 2 * now <= window.last2)
        minutes = _spent(demand, sides, presence, tail_open=waits)
        if minutes.late or minutes.early:
            minutes = _exempted(minutes, _late_allowed(judged, part, terms), terms)
        status = _status(minutes, sides, waits=waits)
    came = sides is not None or demand.trip_min > 0
    extra = overtime.of_shift(demand.schedule, presence, judged.assigned.window.requests, terms, came=came)
    minutes = _with_statutory(minutes, judged, presence, terms)
    return record_of(judged, part, status, with_overtime(minutes, extra), terms, extra=extra)


def record_of(
    judged: Judged, part: int, status: Status, minutes: Minutes, terms: Terms, *, extra: Overtime = overtime.NONE
) -> DayRecord:
    """A shift's record with its flags and explanation."""
    assigned, sides = judged.assigned, judged.sides
    punches = assigned.punches
    flags = punch_flags(punches) | extra.flags
    if minutes.gap:
        flags.add("mid_gap")
    if judged.demand.trip:
        flags.add("trip")
    if assigned.outside:
        flags.add("outside_window")
    if terms.leave and _deep_in(terms.leave, punches):
        flags.add("punch_during_leave")
    if sides is not None and "AR-11" in sides.rules:
        flags.add(SEAM)
    allowance = "AR-19" if minutes.exempt and _late_allowed(judged, part, terms) and _came_late(judged) else None
    if allowance:
        flags.add("late_leave_exempt")
    rules = _rules(judged, minutes, extra, terms)
    everybody = (*punches, *assigned.outside) if assigned.outside else punches
    used = sides.used if sides is not None else frozenset[int]()
    return DayRecord(
        assigned.window.schedule.date,
        part,
        assigned.window.schedule.plan.id,
        status,
        minutes,
        first_ms=sides.first.true_ms if sides is not None and sides.lone_out is None else None,
        last_ms=sides.last.true_ms if sides is not None and sides.lone_in is None else None,
        flags=tuple(sorted(flags)),
        explanation=explain(everybody, used, flags, rules, held=assigned.held, waiting=assigned.waiting),
        leaves=judged.demand.leaves,
        trip_min=judged.demand.trip_min,
        day_type=terms.calendar.type_of(assigned.window.schedule.date),
        system=terms.policy.system,
    )


def with_overtime(minutes: Minutes, extra: Overtime) -> Minutes:
    """Overtime on top of what is there (AR-28)."""
    if not extra.total:
        return minutes
    return replace(
        minutes,
        ot_15=extra.ot_15,
        ot_20=extra.ot_20,
        ot_30=minutes.ot_30 + extra.ot_30,
        comp=extra.comp,
        extra=extra.extra,
    )


def _anything_to_judge(demand: Demand, terms: Terms) -> bool:
    """Whether presence matters: without fixed hours it does at any time (AR-32)."""
    return bool(demand.remaining) or terms.policy.system == "untimed"


def _without_presence(demand: Demand, now: Minute | None) -> tuple[Status, Minutes]:
    """AR-16: nobody came, or nobody had to."""
    missing = length(demand.remaining)
    base = Minutes(required=demand.required, worked=demand.trip_min, leave=demand.leave_min)
    if not demand.remaining:
        return "normal" if demand.trip_min or not demand.leave_min else "leave", base
    if now is not None and now < demand.end:
        return "not_yet", replace(base, pending=missing)
    return "absent", replace(base, absent=missing)


def _spent(demand: Demand, sides: Sides, presence: Spans, *, tail_open: bool) -> Minutes:
    """AR-14, AR-15: every remaining minute before, between and after the sides goes to one field."""
    first, last = sides.first.minute, sides.last.minute
    lead = length(before(demand.remaining, first))
    tail = length(after(demand.remaining, max(first, last)))
    between = before(after(demand.remaining, first), last)
    present = length(common(between, presence))
    tail_pends = sides.lone_in is not None or tail_open
    trip = demand.trip_min
    return Minutes(
        required=length(demand.remaining) + trip,
        worked=present + trip,
        late=0 if sides.lone_out else lead,
        early=0 if tail_pends else tail,
        gap=length(between) - present,
        pending=(lead if sides.lone_out else 0) + (tail if tail_pends else 0),
        leave=demand.leave_min,
    )


def _exempted(minutes: Minutes, allowed_min: int, terms: Terms) -> Minutes:
    """AR-19, then AR-14: what is left is exempt up to the grace; above it all of it counts."""
    late = minutes.late - min(minutes.late, allowed_min)
    late = 0 if late <= terms.policy.late_grace_min else late
    early = 0 if minutes.early <= terms.policy.early_grace_min else minutes.early
    exempt = minutes.late - late + minutes.early - early
    return replace(minutes, late=late, early=early, exempt=exempt) if exempt else minutes


def _late_allowed(judged: Judged, part: int, terms: Terms) -> int:
    """AR-19: minutes that the person may come late, having left late on the date before."""
    rule = terms.policy.late_leave
    if rule is None or part:
        return 0
    day_before = judged.assigned.window.schedule.date - timedelta(days=1)
    left = terms.left.get(day_before)
    on = day_before if rule.after >= NOON else day_before + timedelta(days=1)
    return rule.shift_min if left is not None and left >= minute_of(on, rule.after, terms.zone) else 0


def _came_late(judged: Judged) -> bool:
    sides = judged.sides
    return sides is not None and sides.lone_out is None and bool(before(judged.demand.remaining, sides.first.minute))


def _with_statutory(minutes: Minutes, judged: Judged, presence: Spans, terms: Terms) -> Minutes:
    """AR-28: work scheduled on a statutory date, to the minute."""
    if not terms.calendar.statutory or not minutes.worked:
        return minutes
    demand = judged.demand
    done = union((*common(demand.remaining, presence), *demand.trip))
    holiday = length(overtime.statutory_part(done, demand.schedule.date, terms))
    return replace(minutes, worked=minutes.worked - holiday, holiday_work=holiday, ot_30=holiday)


def _status(minutes: Minutes, sides: Sides, *, waits: bool) -> Status:
    if sides.lone_out is not None:
        return "missing_in"
    if sides.lone_in is not None and not waits:
        return "missing_out"
    if minutes.late:
        return "late_early" if minutes.early else "late"
    return "early" if minutes.early else "normal"


def _rules(judged: Judged, minutes: Minutes, extra: Overtime, terms: Terms) -> set[str]:
    demand, sides = judged.demand, judged.sides
    applied = {
        "AR-8": judged.assigned.window.cut,
        "AR-13": bool(demand.leave_min or demand.trip),
        "AR-14": bool(minutes.late or minutes.early or minutes.exempt),
        "AR-15": bool(minutes.worked),
        "AR-16": sides is None,
        "AR-18": demand.schedule.plan.flex is not None,
        "AR-28": bool(minutes.holiday_work),
        "AR-32": terms.policy.system == "untimed",
    }
    rules = {rule for rule, used in applied.items() if used}
    rules.update(("AR-7", "AR-21"), extra.rules, sides.rules if sides is not None else ())
    return rules


def _deep_in(leave: Spans, punches: Iterable[Kept]) -> bool:
    return any(a + LEAVE_EDGE_MIN < p.minute < b - LEAVE_EDGE_MIN for p in punches for a, b in leave)
