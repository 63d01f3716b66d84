"""Touched employee-days become day records; nothing else is computed again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.engine import compute, turning_points
from server.attendance.facts import Facts, Punch, Shift
from server.attendance.record import DayRecord
from server.store import attendance_queries, change_queries, score_queries, sweep_queries
from server.store.attendance_queries import EmployeeDay, Touched
from server.store.database import Database
from shared.clock import WallMs, from_ms, to_ms

BATCH = 1_000
"""Employee-days of one transaction; small enough not to keep ingest waiting."""
BATCHES = 10
"""At most so many in a row, then others get their turn."""
AROUND = timedelta(days=2)
"""How far shifts beyond a date can change it, and twice how far its punches can lie."""
TOGETHER_DAYS = 7
"""Dates of one person this near are loaded together."""
REMEMBER_MS = 60_000
"""A sweep that found nothing is written down this often; looking again finds the same."""

SWEEP = "shifts"


async def compute_touched(db: Database, now_ms: WallMs) -> int:
    """Compute waiting employee-days; how many were stored. Shifts that began or ended since are touched first.

    Several processes may run it at once: whose touch is outdated when it comes to storing does not store.
    """
    await _sweep(db, now_ms)
    done = 0
    for _ in range(BATCHES):
        async with db.reading() as connection:
            waiting = await attendance_queries.touched(connection, BATCH)
            records = await _compute(connection, waiting, now_ms) if waiting else {}
        if not waiting:
            break
        done += await _store(db, waiting, records, now_ms)
        if len(waiting) < BATCH:
            break
    return done


async def _compute(
    connection: AsyncConnection, waiting: Sequence[Touched], now_ms: WallMs
) -> dict[EmployeeDay, list[DayRecord]]:
    zones = await attendance_queries.zones(connection, {row.employee for row in waiting})
    found: dict[EmployeeDay, list[DayRecord]] = {}
    for (first, last), people in _by_span(row for row in waiting if row.employee in zones).items():
        shifts = await attendance_queries.planned(connection, people, first - AROUND, last + AROUND)
        from_ms_, to_ms_ = _midnight(first - AROUND), _midnight(last + 2 * AROUND)
        punches = await attendance_queries.punched(connection, people, from_ms_, to_ms_)
        for employee, dates in people.items():
            facts = _facts(employee, shifts, punches)
            for record in compute(facts, ZoneInfo(zones[employee]), dates=dates, now_ms=now_ms):
                found.setdefault((employee, record.date), []).append(record)
    return found


async def _store(
    db: Database, computed: Sequence[Touched], records: Mapping[EmployeeDay, Sequence[DayRecord]], now_ms: WallMs
) -> int:
    async with db.writing() as connection:
        days = await attendance_queries.claim(connection, computed)
        if days:
            changed = await attendance_queries.replace_days(connection, days, records, now_ms)
            await score_queries.touch_scores(connection, ((employee, f"{day:%Y-%m}") for employee, day in changed))
            topics = {f"day:{day}" for _, day in changed} | {f"employee:{employee}" for employee, _ in changed}
            await change_queries.note_changes(connection, topics, now_ms)
    return len(days)


async def _sweep(db: Database, now_ms: WallMs) -> None:
    """Touch the days of shifts, and those before, whose window opened or closed or that ended since the last sweep."""
    async with db.reading() as connection:
        since_ms = await sweep_queries.swept_until(connection, SWEEP)
        passed: set[EmployeeDay] = set()
        if since_ms is not None and since_ms < now_ms:
            first, last = from_ms(since_ms).date() - AROUND, from_ms(now_ms).date() + AROUND
            for rostered in await attendance_queries.rostered_shifts(connection, first, last):
                moments = turning_points(rostered.shift, ZoneInfo(rostered.zone))
                if any(since_ms < moment <= now_ms for moment in moments):
                    people = await attendance_queries.people_on(connection, rostered)
                    passed.update(people)
                    # Once a lone punch can only be an OUT, the seam to the shift before closes too (AR-11).
                    passed.update((employee, day - timedelta(days=1)) for employee, day in people)
    if passed or since_ms is None or now_ms - since_ms >= REMEMBER_MS:
        async with db.writing() as connection:
            await attendance_queries.touch_days(connection, passed)
            await sweep_queries.set_swept(connection, SWEEP, now_ms)


def _by_span(waiting: Iterable[Touched]) -> dict[tuple[date, date], dict[str, set[date]]]:
    """Waiting dates by person, under whole weeks that hold them, so that many people share a query."""
    spans: dict[tuple[date, date], dict[str, set[date]]] = {}
    run: list[Touched] = []
    for row in sorted(waiting, key=lambda row: (row.employee, row.date)):
        if run and (row.employee != run[0].employee or (row.date - run[-1].date).days > TOGETHER_DAYS):
            _add_run(spans, run)
            run = []
        run.append(row)
    if run:
        _add_run(spans, run)
    return spans


def _add_run(spans: dict[tuple[date, date], dict[str, set[date]]], run: Sequence[Touched]) -> None:
    first, last = run[0].date, run[-1].date
    whole = first - timedelta(days=first.weekday()), last + timedelta(days=6 - last.weekday())
    spans.setdefault(whole, {}).setdefault(run[0].employee, set()).update(row.date for row in run)


def _facts(employee: str, shifts: Mapping[str, list[Shift]], punches: Mapping[str, list[Punch]]) -> Facts:
    return Facts(tuple(shifts.get(employee, ())), tuple(punches.get(employee, ())))


def _midnight(day: date) -> WallMs:
    """Start of a date in UTC; local ones are at most 14 h apart from it, which AROUND covers."""
    return to_ms(datetime.combine(day, time(), UTC))
