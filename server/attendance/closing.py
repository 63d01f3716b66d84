"""Closed months stay as they were; what is learned later becomes adjustments (AR-34), doubts get decisions (AR-35)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import date
from typing import TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from server.attendance.assign import local_date
from server.attendance.engine import compute
from server.attendance.facts import Absence, Facts, OvertimeRequest, Punch
from server.attendance.months import Month, month_after, month_of
from server.attendance.policy import Policy
from server.attendance.record import UNFINISHED, DayRecord, Minutes, Status
from shared.clock import WallMs
from shared.errors import DataError

RecordKey: TypeAlias = tuple[date, int]

_Decided = TypeVar("_Decided", Absence, OvertimeRequest)
_NOTHING = Minutes()


@dataclass(frozen=True, slots=True)
class Adjustment:
    """How a record of a closed month would differ, knowing what came to be known in ``posted_to`` or before."""

    date: date
    part: int
    posted_to: Month
    status_from: Status | None
    """None where there was no record."""
    status_to: Status | None
    delta: Mapping[str, int]
    """Difference of every changed number, by its name in ``Minutes``."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What pay and reports make of the pending minutes of one record (AR-35)."""

    record: DayRecord
    """As it was decided upon; the decision ends when the record becomes another."""
    absent: int
    worked: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Records, those of closed months as they were closed, and the adjustments since."""

    records: list[DayRecord]
    adjustments: list[Adjustment]


def default_decision(record: DayRecord) -> Decision:
    """Half of the required minutes, at most those pending, count as absent, the rest as worked."""
    absent = min(record.minutes.pending, record.minutes.required // 2)
    return Decision(record, absent, record.minutes.pending - absent)


def manual_decision(record: DayRecord, absent: int) -> Decision:
    """So many of the pending minutes count as absent, the rest as worked; DataError ``bad_split`` outside of them."""
    pending = record.minutes.pending
    if not 0 <= absent <= pending:
        raise DataError(
            f"{record.date}: {absent} minutes absent, of {pending} pending; choose from 0 to {pending}", "bad_split"
        )
    return Decision(record, absent, pending - absent)


def running(record: DayRecord) -> bool:
    """Whether its shift is not over yet: pending minutes that time alone will settle."""
    return record.status == "not_yet" or (record.minutes.pending > 0 and record.status in UNFINISHED)


def stands(decision: Decision, record: DayRecord) -> bool:
    """Whether a decision still holds for what is computed now."""
    then = decision.record
    return (then.date, then.part, then.status, then.minutes) == (
        record.date,
        record.part,
        record.status,
        record.minutes,
    )


def undecided(records: Iterable[DayRecord], decisions: Iterable[Decision] = ()) -> list[DayRecord]:
    """Records that keep their month open: minutes pending and no decision that stands."""
    made = {_key(decision.record): decision for decision in decisions}
    return [
        record
        for record in records
        if record.minutes.pending and not ((found := made.get(_key(record))) and stands(found, record))
    ]


def decided(record: DayRecord, decision: Decision | None) -> Minutes:
    """Minutes for pay and reports; the record itself stays as computed."""
    minutes = record.minutes
    if decision is None or not stands(decision, record):
        return minutes
    return replace(minutes, worked=minutes.worked + decision.worked, absent=minutes.absent + decision.absent, pending=0)


def pay_deltas(adjustments: Sequence[Adjustment], decision: Decision | None) -> list[Mapping[str, int]]:
    """What each adjustment of one record changes for pay, by month of posting.

    The record was paid as decided, so the first thing that is learned takes the decision back (AR-35), too: half a day
    counted as worked is not paid again when the whole day turns out to have been worked.
    """
    deltas: list[Mapping[str, int]] = [adjustment.delta for adjustment in adjustments]
    if decision is not None and deltas:
        back = {"worked": -decision.worked, "absent": -decision.absent, "pending": decision.record.minutes.pending}
        names = sorted({*deltas[0], *back})
        first = {name: deltas[0].get(name, 0) + back.get(name, 0) for name in names}
        deltas[0] = {name: minutes for name, minutes in first.items() if minutes}
    return deltas


def settle(facts: Facts, zone: ZoneInfo, policy: Policy, closed: Mapping[Month, WallMs]) -> Settled:
    """Records and adjustments, given when each closed month was closed."""
    now = {_key(record): record for record in compute(known_at(facts, None), zone, policy)}
    result = {key: record for key, record in now.items() if month_of(key[0]) not in closed}
    adjustments: list[Adjustment] = []
    for month, at_ms in sorted(closed.items()):
        locked = _of_month(facts, zone, policy, month, at_ms)
        result |= locked
        for posted_to, until_ms in postings(facts, zone, closed, at_ms):
            fresh = _of_month(facts, zone, policy, month, until_ms)
            adjustments += compare(locked, fresh, posted_to)
            locked = fresh
    return Settled([result[key] for key in sorted(result)], sorted(adjustments, key=_adjustment_order))


def compare(
    before: Mapping[RecordKey, DayRecord], after: Mapping[RecordKey, DayRecord], posted_to: Month
) -> list[Adjustment]:
    """Adjustments from one state of some records, by date and part, to another; none where nothing changed."""
    found = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        delta = _delta(old.minutes if old else _NOTHING, new.minutes if new else _NOTHING)
        status_from, status_to = old.status if old else None, new.status if new else None
        if delta or status_from != status_to:
            found.append(Adjustment(*key, posted_to, status_from, status_to, delta))
    return found


def posted_month(at_ms: WallMs, zone: ZoneInfo, closed: Mapping[Month, WallMs]) -> Month:
    """Month of an adjustment for what was learned then: the local one, or the first after it that was still open."""
    month = month_of(local_date(at_ms, zone))
    while closed.get(month, at_ms + 1) <= at_ms:
        month = month_after(month)
    return month


def refuse_closed(days: Iterable[date], closed: Collection[Month]) -> None:
    """DataError ``month_closed`` when one of the dates lies in a closed month."""
    found = sorted({month_of(day) for day in days} & set(closed))
    if found:
        raise DataError(
            f"{', '.join(found)} is closed: ask for the month to be opened again, or change an open month",
            "month_closed",
        )


def known_at(facts: Facts, at_ms: WallMs | None) -> Facts:
    """What was known and in force at an instant, that instant included; None: what is by now."""
    if at_ms is None:
        return facts
    return replace(
        facts,
        punches=tuple(punch for punch in facts.punches if _learned(punch, at_ms)),
        absences=_in_force(facts.absences, at_ms),
        overtime=_in_force(facts.overtime, at_ms),
    )


def _learned(fact: Punch | Absence | OvertimeRequest, at_ms: WallMs) -> bool:
    return fact.known_ms is None or fact.known_ms <= at_ms


def _in_force(facts: Collection[_Decided], at_ms: WallMs) -> tuple[_Decided, ...]:
    known = (fact for fact in facts if _learned(fact, at_ms))
    return tuple(
        replace(fact, cancelled_ms=None) if fact.cancelled_ms is not None and fact.cancelled_ms > at_ms else fact
        for fact in known
    )


def postings(
    facts: Facts, zone: ZoneInfo, closed: Mapping[Month, WallMs], closed_ms: WallMs
) -> list[tuple[Month, WallMs]]:
    """Months to which something learned after a closing is posted, in order, each with its last such instant."""
    decided_upon: list[Absence | OvertimeRequest] = [*facts.absences, *facts.overtime]
    moments = {fact.known_ms for fact in (*facts.punches, *decided_upon)} | {f.cancelled_ms for f in decided_upon}
    late = sorted(at_ms for at_ms in moments if at_ms is not None and at_ms > closed_ms)
    return list({posted_month(at_ms, zone, closed): at_ms for at_ms in late}.items())


def _of_month(facts: Facts, zone: ZoneInfo, policy: Policy, month: Month, at_ms: WallMs) -> dict[RecordKey, DayRecord]:
    records = compute(known_at(facts, at_ms), zone, policy)
    return {_key(record): record for record in records if month_of(record.date) == month}


def _delta(old: Minutes, new: Minutes) -> dict[str, int]:
    names = [field.name for field in fields(Minutes)]
    changes = zip(names, astuple(old), astuple(new), strict=True)
    return {name: after - before for name, before, after in changes if after != before}


def _key(record: DayRecord) -> RecordKey:
    return record.date, record.part


def _adjustment_order(adjustment: Adjustment) -> tuple[date, int, Month]:
    return adjustment.date, adjustment.part, adjustment.posted_to
