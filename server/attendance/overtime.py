"""Overtime of one record, by the minute and class (AR-23 to AR-29, AR-31, AR-38)."""

from dataclasses import dataclass
from datetime import date, timedelta

from server.attendance.policy import Policy
from server.attendance.requested import Requested, spans_of
from server.attendance.schedule import Schedule
from server.attendance.spans import Spans, after, before, common, length, union, without
from server.attendance.terms import Terms

UNAPPROVED_MIN = 30
"""Presence after a shift from which the lack of a request is worth a flag (AR-29)."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Overtime:
    """Minutes by class, rounded, and what led to them."""

    ot_15: int = 0
    ot_20: int = 0
    ot_30: int = 0
    comp: int = 0
    extra: int = 0
    flags: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """All of it."""
        return self.ot_15 + self.ot_20 + self.ot_30 + self.comp + self.extra


NONE = Overtime()
_UNAPPROVED = Overtime(flags=frozenset(("ot_unapproved",)), rules=frozenset(("AR-29",)))


def of_shift(
    schedule: Schedule, presence: Spans, requests: tuple[Requested, ...], terms: Terms, *, came: bool
) -> Overtime:
    """Overtime around a shift; ``came`` is whether anything shows that the person worked that day (AR-38)."""
    policy, end = terms.policy, schedule.end
    if not terms.requests and policy.ot_mode == "intersect":
        late = presence and presence[-1][1] - end >= UNAPPROVED_MIN
        return _UNAPPROVED if late and length(after(presence, end)) >= UNAPPROVED_MIN else NONE
    if policy.ot_mode == "approval" and requests and not came:
        return Overtime(flags=frozenset(("ot_unapproved",)), rules=frozenset(("AR-38",)))
    not_extra = union(((schedule.start, end + policy.ot_gap_min), *terms.leave))
    if policy.ot_mode == "approval":
        counted = without(spans_of(requests), not_extra)
    else:
        outside = without(presence, not_extra)
        early, late_ = before(outside, schedule.start), after(outside, end)
        approved_early = common(early, terms.asked)
        if policy.ot_mode == "intersect":
            counted = union((*approved_early, *common(late_, terms.asked)))
        else:
            counted = union((*(approved_early if policy.ot_before else ()), *late_))
    if counted:
        return _classed(counted, schedule.date, terms, shift=True)
    after_it = after(presence, end)
    unasked = policy.ot_mode == "intersect" and not common(after_it, terms.asked)
    return _UNAPPROVED if unasked and length(after_it) >= UNAPPROVED_MIN else NONE


def of_free_date(day: date, presence: Spans, requests: tuple[Requested, ...], terms: Terms) -> Overtime:
    """Overtime of a date without shift on which somebody punched; ``requests`` start on it."""
    policy = terms.policy
    base = spans_of(requests) if policy.ot_mode == "approval" else presence
    breaks = _breaks(base, day, terms)
    worked = without(without(base, breaks), terms.leave)
    counted = common(worked, terms.asked) if policy.ot_mode == "intersect" else worked
    if counted:
        found = _classed(counted, day, terms, shift=False)
        return _with_rule(found, "AR-26") if common(base, breaks) else found
    unasked = policy.ot_mode == "intersect" and not common(presence, terms.asked)
    return _UNAPPROVED if unasked and length(presence) >= UNAPPROVED_MIN else NONE


def without_breaks(presence: Spans, day: date, terms: Terms) -> Spans:
    """AR-26: presence of a date without shift that counts as work."""
    return without(presence, _breaks(presence, day, terms))


def statutory_part(spans: Spans, day: date, terms: Terms) -> Spans:
    """Minutes on statutory dates, of spans that belong to that attendance date (AR-25)."""
    if not spans or not terms.calendar.statutory:
        return ()
    days = 1 + (spans[-1][1] - spans[0][0]) // 1_440
    return common(spans, terms.statutory(day - _DAY, day + (days + 1) * _DAY))


def size(minutes: int, policy: Policy) -> int:
    """AR-24: what counts of them."""
    if minutes < policy.ot_min_min:
        return 0
    return minutes - minutes % policy.ot_round_min if policy.ot_round_min else minutes


def _classed(counted: Spans, day: date, terms: Terms, *, shift: bool) -> Overtime:
    """AR-25: a class for each minute; AR-24 rounds each class."""
    policy = terms.policy
    legal = statutory_part(counted, day, terms)
    rest = without(counted, legal)
    ot_30, others = size(length(legal), policy), length(rest)
    banked = union((request.start, request.end) for request in terms.requests if request.to_comp)
    forbidden = bool(common(legal, banked))
    flags = frozenset(("comp_not_allowed",)) if forbidden else frozenset[str]()
    rules = {"AR-23", "AR-24", "AR-25"} | ({"AR-27"} if forbidden else set())
    if policy.system == "comprehensive":
        return Overtime(ot_30=ot_30, extra=others, flags=flags, rules=frozenset(rules | {"AR-31"}))
    if shift:
        return Overtime(ot_15=size(others, policy), ot_30=ot_30, flags=flags, rules=frozenset(rules))
    paid = size(others, policy)
    comp = min(paid, size(length(common(rest, banked)), policy))
    rules |= {"AR-27"} if comp else set()
    return Overtime(ot_20=paid - comp, ot_30=ot_30, comp=comp, flags=flags, rules=frozenset(rules))


def _breaks(spans: Spans, day: date, terms: Terms) -> Spans:
    if not spans:
        return ()
    days = 1 + (spans[-1][1] - spans[0][0]) // 1_440
    return terms.breaks(day - _DAY, day + (days + 1) * _DAY)


def _with_rule(found: Overtime, rule: str) -> Overtime:
    return Overtime(found.ot_15, found.ot_20, found.ot_30, found.comp, found.extra, found.flags, found.rules | {rule})
