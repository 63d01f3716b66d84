"""Touched employee-days become day records; nothing else is computed again.

Records of closed months stay as they are; what is learned about them later becomes adjustments (AR-34).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.closing import Adjustment
from server.attendance.engine import compute, turning_points
from server.attendance.late import Locked, adjustments_now
from server.attendance.months import Month, month_of, month_span
from server.attendance.record import DayRecord
from server.attendance.requested import ROOM_MIN
from server.attendance.schedule import MINUTE_MS
from server.attendance.touch import dates_near_span
from server.services.attendance_facts import AROUND, facts_of
from server.store import (
    attendance_queries,
    change_queries,
    closing_queries,
    policy_queries,
    result_queries,
    score_queries,
    sweep_queries,
)
from server.store.attendance_queries import EmployeeDay, Touched
from server.store.database import Database
from shared.clock import WallMs, from_ms

BATCH = 1_000
"""Employee-days of one transaction; small enough not to keep ingest waiting."""
BATCHES = 10
"""At most so many in a row, then others get their turn."""
REMEMBER_MS = 60_000
"""A sweep that found nothing is written down this often; looking again finds the same."""

SWEEP = "shifts"
_DAY = timedelta(days=1)


@dataclass(slots=True)
class Computed:
    """What touched days come to, given which months were closed."""

    closed: Mapping[Month, WallMs]
    records: dict[EmployeeDay, list[DayRecord]] = field(default_factory=dict)
    adjustments: dict[EmployeeDay, list[Adjustment]] = field(default_factory=dict)
    """Of days of closed months, where there are any."""


async def compute_touched(db: Database, now_ms: WallMs) -> int:
    """Compute waiting employee-days; how many were stored. Shifts that began or ended since are touched first.

    Several processes may run it at once: whose touch is outdated when it comes to storing does not store.
    """
    await _sweep(db, now_ms)
    done = 0
    for _ in range(BATCHES):
        computed = None
        async with db.reading() as connection:
            waiting = await attendance_queries.touched(connection, BATCH)
            if waiting:
                computed = await _compute(connection, waiting, now_ms)
        if computed is None:
            break
        done += await _store(db, waiting, computed, now_ms)
        if len(waiting) < BATCH:
            break
    return done


async def reopen(connection: AsyncConnection, month: Month, still_closed: Collection[Month], now_ms: WallMs) -> int:
    """What opening a closed month again means for results: how many employee-days wait to be computed.

    Call it in the transaction that opens the month, before ``note_changes``. Its adjustments go, as records say it all
    again; those that were posted to a month that is still closed were paid and stay: what they said comes off the
    first open month once this one is closed again.
    """
    first, last = month_span(month)
    people = await attendance_queries.people_between(connection, first, last)
    gone = await result_queries.drop_adjustments(connection, first, last, but_posted_to=still_closed)
    days = [(employee, first + n * _DAY) for employee in people for n in range((last - first).days + 1)]
    await attendance_queries.touch_days(connection, days)
    await change_queries.note_changes(connection, {f"month:{name}" for name in (month, *gone)}, now_ms)
    return len(days)


async def settled(connection: AsyncConnection, month: Month) -> None:
    """What closing a month means for results: days whose adjustments were paid before are looked at again.

    Call it in the transaction that closes the month.
    """
    first, last = month_span(month)
    await attendance_queries.touch_days(connection, await result_queries.adjusted_days(connection, first, last))


async def _compute(connection: AsyncConnection, waiting: Sequence[Touched], now_ms: WallMs) -> Computed:
    computed = Computed(await closing_queries.closed_months(connection))
    locked = {(row.employee, row.date) for row in waiting if month_of(row.date) in computed.closed}
    stored = await result_queries.locked_records(connection, locked)
    posted = await result_queries.posted_adjustments(connection, locked)
    for person in await facts_of(connection, waiting):
        for policy, dates in person.policies.split({day for day in person.dates if (person.id, day) not in locked}):
            for record in compute(person.facts, person.zone, policy, dates=dates, now_ms=now_ms):
                computed.records.setdefault((person.id, record.date), []).append(record)
        for month, dates in _by_month(day for day in person.dates if (person.id, day) in locked).items():
            there = Locked(
                month,
                dates,
                {(record.date, record.part): record for day in dates for record in stored.get((person.id, day), ())},
                [adjustment for day in dates for adjustment in posted.get((person.id, day), ())],
            )
            late = adjustments_now(there, person.facts, person.zone, person.policies, computed.closed)
            for adjustment in late:
                computed.adjustments.setdefault((person.id, adjustment.date), []).append(adjustment)
    return computed


async def _store(db: Database, waiting: Sequence[Touched], computed: Computed, now_ms: WallMs) -> int:
    async with db.writing() as connection:
        if await closing_queries.hold_closed_months(connection) != computed.closed:
            return 0  # a month was closed or opened meanwhile: they still wait, and come to something else
        days = await attendance_queries.claim(connection, waiting)
        if not days:
            return 0
        locked = {(employee, day) for employee, day in days if month_of(day) in computed.closed}
        changed = await result_queries.replace_days(connection, days - locked, computed.records, now_ms)
        adjusted = await result_queries.replace_adjustments(connection, locked, computed.adjustments, now_ms)
        cards = ((employee, month_of(day)) for employee, day in changed)
        await score_queries.touch_scores(connection, cards, ["attendance_day"])
        topics = {f"day:{day}" for _, day in changed} | {f"month:{day:%Y-%m}" for _, day in changed}
        topics |= {f"employee:{employee}" for employee, _ in changed}
        for (employee, day), posted_to in adjusted:
            topics |= {f"employee:{employee}", f"month:{day:%Y-%m}", f"month:{posted_to}"}
        await change_queries.note_changes(connection, topics, now_ms)
    return len(days)


async def _sweep(db: Database, now_ms: WallMs) -> None:
    """Touch the days of shifts, and those before, whose window opened or closed or that ended since the last sweep.

    Windows of every size that some policy sets are looked at, whoever has it: a touch too many changes nothing.
    """
    async with db.reading() as connection:
        since_ms = await sweep_queries.swept_until(connection, SWEEP)
        passed: set[EmployeeDay] = set()
        if since_ms is not None and since_ms < now_ms:
            sizes = await policy_queries.window_sizes(connection)
            first, last = from_ms(since_ms).date() - AROUND, from_ms(now_ms).date() + AROUND
            for rostered in await attendance_queries.rostered_shifts(connection, first, last):
                moments = turning_points(rostered.shift, ZoneInfo(rostered.zone), sizes.before, sizes.after)
                if any(since_ms < moment <= now_ms for moment in moments):
                    people = await attendance_queries.people_on(connection, rostered)
                    passed.update(people)
                    # Once a lone punch can only be an OUT, the seam to the shift before closes too (AR-11).
                    passed.update((employee, day - _DAY) for employee, day in people)
            room_ms = (ROOM_MIN + 1) * MINUTE_MS
            for ending in await attendance_queries.overtime_ending(connection, since_ms - room_ms, now_ms - room_ms):
                near = dates_near_span(ending.from_ms, ending.to_ms, ZoneInfo(ending.zone), sizes.widest)
                passed.update((ending.employee, day) for day in near)
    if passed or since_ms is None or now_ms - since_ms >= REMEMBER_MS:
        async with db.writing() as connection:
            await attendance_queries.touch_days(connection, passed)
            await sweep_queries.set_swept(connection, SWEEP, now_ms)


def _by_month(dates: Iterable[date]) -> dict[Month, set[date]]:
    found: dict[Month, set[date]] = {}
    for day in dates:
        found.setdefault(month_of(day), set()).add(day)
    return found
