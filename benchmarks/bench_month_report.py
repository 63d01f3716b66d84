"""The monthly report of 500 people: rows from the database and the workbook, beside the limit; both databases."""

import asyncio
import tempfile
import time
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from benchmarks.bench_attendance import postgres_url
from benchmarks.figure import Figure, figure
from server.access.scope import Scope
from server.services.company import Company, Department, Employee, PlannedShift, Site, load_company
from server.services.report_files import Setting, workbook
from server.services.reports import Question
from server.store import migrate
from server.store.database import Database
from server.store.tables import attendance_days

NAME = "month_report"
PEOPLE = 500
LIMIT_S = 6.0
MONTHS = 12
"""Months of results that lie before: the bank of compensatory leave adds them up."""
LAST = date(2026, 3, 31)
ROUNDS = 3


def run() -> list[Figure]:
    """Seconds for the finished workbook, the best of some rounds, for each database there is."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        found.append(_figure("SQLite", f"sqlite:///{folder}/muster.db"))
    with postgres_url() as url:
        found += [_figure("PostgreSQL", url)] if url else []
    return found


def _figure(label: str, url: str) -> Figure:
    seconds = asyncio.run(_measure(url))
    name = f"month report of {PEOPLE} people as XLSX, {label}"
    limits = {"limit_name": "limit", "limit": LIMIT_S, "target": LIMIT_S}
    return figure(name, seconds, "s", better="lower", **limits)  # type: ignore[arg-type]


async def _measure(url: str) -> float:
    await asyncio.to_thread(migrate.upgrade, url)
    db = Database(url)
    await load_company(db, "bench", _company(), 1)
    for number in range(0, PEOPLE, 50):
        async with db.writing() as connection:
            await connection.execute(attendance_days.insert(), [*_days(range(number, number + 50))])
    setting = Setting(1_775_000_000_000, ZoneInfo("Asia/Shanghai"))
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        file = await workbook(db, Scope.system(), Question("month", f"{LAST:%Y-%m}"), setting)
        size = len(file.read())
        file.close()
        best = min(best, time.perf_counter() - start)
        if size < 10_000:
            raise AssertionError(f"a workbook of {size} bytes")
    await db.close()
    return best


def _company() -> Company:
    plan = PlannedShift(id="d", name_zh="d", name_en="d", start="09:00", end="18:00", breaks=(("12:00", "13:00"),))
    hired = date(2020, 1, 1)
    return Company(
        departments=tuple(Department(id=f"ops{n}", name_zh=f"ops{n}", name_en=f"ops{n}") for n in range(10)),
        sites=(Site(id="d1", name_zh="d1", name_en="d1", zone="Asia/Shanghai"),),
        shifts=(plan,),
        employees=tuple(
            Employee(id=f"e{n}", name=f"e{n}", department=f"ops{n % 10}", site="d1", position="p", joined_on=hired)
            for n in range(PEOPLE)
        ),
    )


def _days(people: range) -> list[dict[str, object]]:
    """Workdays of a year: late at times, leave at times, overtime at times."""
    dates = [LAST - timedelta(days=back) for back in range(31 * MONTHS)]
    zero = {column.name: 0 for column in attendance_days.c if column.name.endswith("_min")}
    rows = []
    for number in people:
        for day in (each for each in dates if each.weekday() < 5):
            turn = (number + day.toordinal()) % 11
            late, leave = (7, 0) if turn == 0 else (0, 240) if turn == 1 else (0, 0)
            minutes = {"required_min": 480 - leave, "worked_min": 480 - leave - late, "late_min": late}
            minutes |= {"leave_min": leave, "ot_15_min": 60 if turn == 2 else 0, "comp_min": 30 if turn == 3 else 0}
            rows.append(
                {
                    **zero,
                    **minutes,
                    **{"employee": f"e{number}", "date": day, "part": 0, "shift": "d", "rule_version": "v"},
                    **{"status": "late" if late else "normal", "first_ms": 1, "last_ms": 2, "computed_ms": 1},
                    **{"flags": [], "explain": {}, "leaves": {"annual": leave} if leave else {}},
                    **{"day_type": "workday", "system": "standard"},
                }
            )
    return rows
