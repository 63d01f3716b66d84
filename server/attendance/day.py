"""One record from the punches of one shift, or of one date without shift (AR-9, AR-10, AR-13 to AR-17, AR-21)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from server.attendance.assign import Assigned, Kept, Window
from server.attendance.facts import Absence
from server.attendance.pairing import Sides, one_sided, pair
from server.attendance.policy import Policy
from server.attendance.record import DayRecord, Explanation, Minutes, Status
from server.attendance.schedule import MINUTE_MS, Schedule
from server.attendance.spans import Minute, Spans, after, before, common, length, union, without

LEAVE_EDGE_MIN = 30
"""A punch this near to an end of a leave is no doubt about it (AR-17)."""
UNAPPROVED_MIN = 30
"""Presence after a shift from which the lack of a request is worth a flag (AR-29)."""


@dataclass(frozen=True, slots=True)
class _Demand:
    """What a shift asks of a person once approved absences are cut out (AR-13)."""

    schedule: Schedule
    remaining: Spans
    leave: Spans
    leave_min: int
    trip_min: int

    @property
    def start(self) -> Minute:
        """Effective start; ``remaining`` must not be empty."""
        return self.remaining[0][0]

    @property
    def end(self) -> Minute:
        """Effective end."""
        return self.remaining[-1][1]

    @property
    def required(self) -> int:
        """Minutes at work, at the site or away."""
        return length(self.remaining) + self.trip_min


def shift_record(
    assigned: Assigned, part: int, absences: Iterable[Absence], policy: Policy, now: Minute | None
) -> DayRecord | None:
    """Record of a shift; None before its window opens. ``now`` is None when every shift is over."""
    window, punches = assigned.window, assigned.punches
    if now is not None and 2 * now < window.first2 and not punches:
        return None
    schedule = window.schedule
    if schedule.plan.flex is not None:
        schedule = schedule.started_at(punches[0].minute if punches else schedule.start)
    demand = _demand(schedule, absences)
    if not demand.remaining or not punches:
        status, minutes = _without_presence(demand, now)
        return _record(assigned, part, demand, status, minutes=minutes, sides=None)
    may_go_on = now is not None and now < demand.end
    sides = pair(punches, demand.start, demand.end, policy, may_go_on=may_go_on)
    waits = now is not None and (now < demand.end if sides.lone_in is None else 2 * now <= window.last2)
    minutes = _grace(_spent(demand, sides, tail_open=waits), policy)
    status = _status(minutes, sides, waits=waits)
    return _record(assigned, part, demand, status, minutes=minutes, sides=sides)


def free_record(day: date, punches: Sequence[Kept], policy: Policy) -> DayRecord:
    """Record of a date without shift on which somebody punched."""
    alone = one_sided(punches, policy)
    first, last = punches[0], punches[-1]
    used = (first.id,) if alone else (first.id, last.id)
    flags = {"orphan_punch"} if alone else set()
    if not alone and last.minute - first.minute >= UNAPPROVED_MIN:
        flags.add("ot_unapproved")
    rules = {"AR-9"} | ({"AR-29"} if "ot_unapproved" in flags else set())
    return DayRecord(
        day,
        0,
        None,
        "off",
        first_ms=first.true_ms,
        last_ms=None if alone else last.true_ms,
        flags=_sorted(flags | _punch_flags(punches)),
        explanation=_explain(punches, frozenset(used), (), rules),
    )


def _demand(schedule: Schedule, absences: Iterable[Absence]) -> _Demand:
    known, net = list(absences), schedule.net
    if not known:
        return _Demand(schedule, net, (), 0, 0)
    leave = common(net, union(_span(a) for a in known if a.kind == "leave"))
    at_site = without(net, leave)  # leave wins over a trip at the same time
    trip = common(at_site, union(_span(a) for a in known if a.kind == "trip"))
    whole_leave = union(_span(a) for a in known if a.kind == "leave")
    return _Demand(schedule, without(at_site, trip), whole_leave, length(leave), length(trip))


def _without_presence(demand: _Demand, now: Minute | None) -> tuple[Status, Minutes]:
    """AR-16: nobody came, or nobody had to."""
    missing = length(demand.remaining)
    base = Minutes(required=demand.required, worked=demand.trip_min, leave=demand.leave_min)
    if not demand.remaining:
        return "normal" if demand.trip_min or not demand.leave_min else "leave", base
    if now is not None and now < demand.end:
        return "not_yet", replace(base, pending=missing)
    return "absent", replace(base, absent=missing)


def _spent(demand: _Demand, sides: Sides, *, tail_open: bool) -> Minutes:
    """AR-14, AR-15: every remaining minute before, between and after the sides goes to one field."""
    first, last = sides.first.minute, sides.last.minute
    lead = length(before(demand.remaining, first))
    tail = length(after(demand.remaining, max(first, last)))
    between = before(after(demand.remaining, first), last)
    present = length(common(between, union(sides.spans)))
    tail_pends = sides.lone_in is not None or tail_open
    return Minutes(
        required=demand.required,
        worked=present + demand.trip_min,
        late=0 if sides.lone_out else lead,
        early=0 if tail_pends else tail,
        gap=length(between) - present,
        pending=(lead if sides.lone_out else 0) + (tail if tail_pends else 0),
        leave=demand.leave_min,
    )


def _grace(minutes: Minutes, policy: Policy) -> Minutes:
    """AR-14: up to the grace minutes are exempt, above it all of them count."""
    late = 0 if minutes.late <= policy.late_grace_min else minutes.late
    early = 0 if minutes.early <= policy.early_grace_min else minutes.early
    exempt = minutes.late - late + minutes.early - early
    return replace(minutes, late=late, early=early, exempt=exempt)


def _status(minutes: Minutes, sides: Sides, *, waits: bool) -> Status:
    if sides.lone_out is not None:
        return "missing_in"
    if sides.lone_in is not None and not waits:
        return "missing_out"
    if minutes.late:
        return "late_early" if minutes.early else "late"
    return "early" if minutes.early else "normal"


def _record(
    assigned: Assigned, part: int, demand: _Demand, status: Status, *, minutes: Minutes, sides: Sides | None
) -> DayRecord:
    window, punches = assigned.window, assigned.punches
    flags = _punch_flags(punches)
    flags |= {"mid_gap"} if minutes.gap else set()
    flags |= {"trip"} if demand.trip_min else set()
    flags |= {"outside_window"} if assigned.outside else set()
    flags |= {"punch_during_leave"} if _deep_in(demand.leave, punches) else set()
    extra = length(after(union(sides.spans), demand.schedule.end)) if sides is not None else 0
    flags |= {"ot_unapproved"} if extra >= UNAPPROVED_MIN else set()
    rules = _rules(window, demand, minutes, sides, flags)
    outs = sides is not None and sides.lone_in is None
    ins = sides is not None and sides.lone_out is None
    return DayRecord(
        window.schedule.date,
        part,
        window.schedule.plan.id,
        status,
        minutes,
        first_ms=sides.first.true_ms if sides is not None and ins else None,
        last_ms=sides.last.true_ms if sides is not None and outs else None,
        flags=_sorted(flags),
        explanation=_explain(
            (*punches, *assigned.outside), sides.used if sides else frozenset(), tuple(assigned.held), rules
        ),
    )


def _rules(window: Window, demand: _Demand, minutes: Minutes, sides: Sides | None, flags: set[str]) -> set[str]:
    applied = {
        "AR-8": window.cut,
        "AR-9": "outside_window" in flags,
        "AR-13": bool(demand.leave_min or demand.trip_min),
        "AR-14": bool(minutes.late or minutes.early or minutes.exempt),
        "AR-15": bool(minutes.worked),
        "AR-16": sides is None,
        "AR-17": "punch_during_leave" in flags,
        "AR-18": demand.schedule.plan.flex is not None,
        "AR-29": "ot_unapproved" in flags,
    }
    return {"AR-7", "AR-21", *(rule for rule, used in applied.items() if used), *([sides.rule] if sides else [])}


def _punch_flags(punches: Iterable[Kept]) -> set[str]:
    flags = set()
    for punch in punches:
        flags |= {"duplicate_dropped"} if punch.merged else set()
        flags |= {"clock_drift_corrected"} if punch.corrected_clock else set()
        flags |= {"corrected"} if punch.correction else set()
    return flags


def _explain(punches: Sequence[Kept], used: frozenset[int], held: tuple[int, ...], rules: set[str]) -> Explanation:
    flags = _punch_flags(punches)
    rules = rules | {
        rule
        for rule, flag in (("AR-1", "corrected"), ("AR-3", "clock_drift_corrected"), ("AR-5", "duplicate_dropped"))
        if flag in flags
    }
    return Explanation(
        used=tuple(sorted(used)),
        merged=tuple(sorted(number for punch in punches for number in punch.merged)),
        held=tuple(sorted(held)),
        ignored=tuple(sorted(punch.id for punch in punches if punch.id not in used)),
        rules=tuple(sorted(rules, key=lambda rule: int(rule.removeprefix("AR-")))),
    )


def _deep_in(leave: Spans, punches: Iterable[Kept]) -> bool:
    return any(a + LEAVE_EDGE_MIN < p.minute < b - LEAVE_EDGE_MIN for p in punches for a, b in leave)


def _span(absence: Absence) -> tuple[Minute, Minute]:
    return absence.from_ms // MINUTE_MS, absence.to_ms // MINUTE_MS


def _sorted(flags: set[str]) -> tuple[str, ...]:
    return tuple(sorted(flags))
