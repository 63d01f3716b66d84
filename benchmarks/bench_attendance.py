"""Punches of a month of 500 people into stored results, beside the bare engine; one correction; both databases.

Everything is touched first and then computed as the worker does it, commits included.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.figure import Figure, figure
from server.attendance.engine import compute
from server.attendance.facts import Facts, Punch, Shift, ShiftPlan
from server.attendance.touch import touched_dates
from server.services.attendance import compute_touched
from server.services.company import Company, Department, Employee, PlannedShift, RosterDay, Site, load_company
from server.store import attendance_queries, migrate
from server.store.database import Database
from server.store.tables import punches
from shared.clock import to_ms
from tests.support.postgres import Postgres, find_programs

NAME = "attendance"
PEOPLE = 500
ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 3, 2)
WORKDAYS = [FIRST + timedelta(days=n) for n in range(30) if (FIRST + timedelta(days=n)).weekday() < 5]
NOW = to_ms(datetime(2026, 4, 15, tzinfo=ZONE))
CORRECTIONS = 30
SIDES = ((8, 50), (18, 5))


def run() -> list[Figure]:
    """Rate and time of the month, and the median of single corrections, for each database there is."""
    engine_s = _engine_s()
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        found += _figures("SQLite", f"sqlite:///{folder}/muster.db", engine_s)
    with postgres_url() as url:
        found += _figures("PostgreSQL", url, engine_s) if url else []
    return found


def _figures(label: str, url: str, engine_s: float) -> list[Figure]:
    month_s, correction_ms = asyncio.run(_measure(url))
    number = PEOPLE * len(WORKDAYS) * len(SIDES)
    rate, bare = number / month_s, number / engine_s
    beside = {"limit_name": "engine without storage", "limit": bare}
    name = f"attendance results, {label}"
    return [
        figure(name, rate, "punches/s", better="higher", target=1000, **beside),  # type: ignore[arg-type]
        figure(f"month of {PEOPLE} people, {label}", month_s, "s", better="lower", target=5),
        figure(f"one correction, {label}", correction_ms, "ms", better="lower", target=100),
    ]


async def _measure(url: str) -> tuple[float, float]:
    """Seconds for the month, and median milliseconds from a new punch to its stored result."""
    await asyncio.to_thread(migrate.upgrade, url)
    db = Database(url)
    await load_company(db, "bench", _company(), NOW)
    await compute_touched(db, NOW)
    while await compute_touched(db, NOW):
        pass
    for day in WORKDAYS:
        await _punch(db, [(f"e{n}", _at(day, *side)) for n in range(PEOPLE) for side in SIDES])
    start = time.perf_counter()
    while await compute_touched(db, NOW):
        pass
    month_s = time.perf_counter() - start
    times = []
    for number in range(CORRECTIONS):
        start = time.perf_counter()
        await _punch(db, [(f"e{number}", _at(WORKDAYS[number % len(WORKDAYS)], 12, 30 + number % 20))])
        await compute_touched(db, NOW)
        times.append(1000 * (time.perf_counter() - start))
    await db.close()
    return month_s, statistics.median(times)


def _company() -> Company:
    """People with a day shift on every workday."""
    hired = date(2025, 1, 1)
    plan = PlannedShift(id="d", name_zh="d", name_en="d", start="09:00", end="18:00", breaks=(("12:00", "13:00"),))
    return Company(
        departments=(Department(id="ops", name_zh="ops", name_en="ops"),),
        sites=(Site(id="d1", name_zh="d1", name_en="d1", zone="Asia/Shanghai"),),
        shifts=(plan,),
        employees=tuple(
            Employee(id=f"e{n}", name=f"e{n}", department="ops", site="d1", position="clerk", joined_on=hired)
            for n in range(PEOPLE)
        ),
        roster=tuple(RosterDay(employee=f"e{n}", date=day, shift="d") for n in range(PEOPLE) for day in WORKDAYS),
    )


async def _punch(db: Database, told: list[tuple[str, int]]) -> None:
    """Punches as the identity step leaves them: stored, their days touched."""
    same = {"terminal": "T1", "key_seq": -1, "direction": 0, "method": 1, "raw_codes": [], "flags": 0, "gateway": "g"}
    rows = [
        {**same, "user_code": employee, "at_device": at_ms // 1000, "at_ms": at_ms, "true_ms": at_ms}
        | {"received_ms": at_ms, "employee": employee}
        for employee, at_ms in told
    ]
    async with db.writing() as connection:
        await connection.execute(punches.insert(), rows)
        days = ((employee, day) for employee, at_ms in told for day in touched_dates(at_ms, ZONE))
        await attendance_queries.touch_days(connection, days)


def _engine_s() -> float:
    """CPU seconds of the pure engine for the same month, a person at a time."""
    plan = ShiftPlan("d", "09:00", "18:00", (("12:00", "13:00"),))
    shifts = tuple(Shift(day, plan) for day in WORKDAYS)
    moments = [_at(day, *side) for day in WORKDAYS for side in SIDES]
    facts = Facts(shifts, tuple(Punch(number, at_ms, at_ms) for number, at_ms in enumerate(moments)))
    start = time.process_time()
    for _ in range(PEOPLE):
        compute(facts, ZONE, now_ms=NOW)
    return time.process_time() - start


def _at(day: date, hour: int, minute: int) -> int:
    return to_ms(datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE))


@contextmanager
def postgres_url() -> Iterator[str | None]:
    """Address of an empty database in a cluster of our own; None without PostgreSQL."""
    programs = find_programs()
    if programs is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="muster-postgres-") as folder:
        Path(folder).chmod(0o755)
        cluster = Postgres(programs, Path(folder, "cluster"))
        cluster.create()
        cluster.start()
        try:
            cluster.execute("create database bench")
            yield cluster.url("bench")
        finally:
            cluster.crash()
