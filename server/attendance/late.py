"""What records of a closed month would say now: differences, each in the month in which it was learned (AR-34).

``closing.settle`` answers for all facts at once. This answers for the records that were really locked, and for what was
already posted to months that are closed themselves: neither ever changes.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from server.attendance.closing import Adjustment, RecordKey, compare, known_at, posted_month, postings
from server.attendance.engine import compute
from server.attendance.facts import Facts
from server.attendance.months import Month, month_after
from server.attendance.policies import Policies
from server.attendance.record import DayRecord, minutes_from, told
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class Locked:
    """What is stored about dates of one closed month, of one person."""

    month: Month
    dates: Collection[date]
    records: Mapping[RecordKey, DayRecord]
    """As they were closed."""
    posted: Collection[Adjustment] = ()


def adjustments_now(
    locked: Locked, facts: Facts, zone: ZoneInfo, policies: Policies, closed: Mapping[Month, WallMs]
) -> list[Adjustment]:
    """Every adjustment of these dates as it should stand, by date, part and month.

    Those posted to months that are closed by now stay as they are; what they leave is posted to open ones. Locked
    records plus all adjustments are what the engine gives today. ``facts`` must reach around the dates as for it.
    """
    kept = sorted((a for a in locked.posted if a.posted_to in closed), key=_order)
    state = _applied(locked.records, kept)
    found = list(kept)
    for posted_to, until_ms in _open_postings(facts, zone, closed, closed[locked.month]):
        known = known_at(facts, until_ms)
        fresh = {
            (record.date, record.part): record
            for policy, days in policies.split(locked.dates)
            for record in compute(known, zone, policy, dates=days)
        }
        found += compare(state, fresh, posted_to)
        state = fresh
    return sorted(found, key=_order)


def _open_postings(
    facts: Facts, zone: ZoneInfo, closed: Mapping[Month, WallMs], closed_ms: WallMs
) -> list[tuple[Month, WallMs]]:
    """Open months, in order, with the last instant that counts in each.

    Any difference that no fact explains, such as a changed rule, goes to the first month that is open since the
    closing; so does what should have been posted to a month that was closed before anybody computed it.
    """
    until: dict[Month, WallMs] = {}
    first = (posted_month(closed_ms, zone, closed), closed_ms)
    for month, at_ms in (first, *postings(facts, zone, closed, closed_ms)):
        open_month = _open_from(month, closed)
        until[open_month] = max(until.get(open_month, at_ms), at_ms)
    found, last_ms = [], closed_ms
    for month in sorted(until):
        last_ms = max(last_ms, until[month])
        found.append((month, last_ms))
    return found


def _open_from(month: Month, closed: Collection[Month]) -> Month:
    """That month, or the first after it that is not closed."""
    while month in closed:
        month = month_after(month)
    return month


def _applied(records: Mapping[RecordKey, DayRecord], adjustments: Iterable[Adjustment]) -> dict[RecordKey, DayRecord]:
    """The records with these differences made."""
    state = dict(records)
    for adjustment in adjustments:
        key = adjustment.date, adjustment.part
        if adjustment.status_to is None:
            state.pop(key, None)
            continue
        before = state.get(key) or DayRecord(*key, None, adjustment.status_to)
        minutes = told(before.minutes)
        for name, change in adjustment.delta.items():
            minutes[name] = minutes.get(name, 0) + change
        state[key] = replace(before, status=adjustment.status_to, minutes=minutes_from(minutes))
    return state


def _order(adjustment: Adjustment) -> tuple[date, int, Month]:
    return adjustment.date, adjustment.part, adjustment.posted_to
