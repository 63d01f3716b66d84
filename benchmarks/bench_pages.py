"""First pages of lists over 1,000,000 punches and two years of results of 1,000 people, on both databases.

Rows are written straight into the tables: what is measured is the answer, through the whole application.
"""

import asyncio
import gc
import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import Table, create_engine, insert

from benchmarks.bench_attendance import postgres_url
from benchmarks.figure import Figure, figure
from server.api.app import create_app
from server.config import ServerConfig
from server.store import migrate, tables
from server.store.database import Database
from shared.clock import Clocks, to_ms

NAME = "pages"
PEOPLE = 1_000
PUNCHES = 1_000_000
CALLS = 50
TARGET_MS = 200
ZONE = ZoneInfo("Asia/Shanghai")
LAST = date(2026, 3, 31)
DAYS = [day for n in range(730) if (day := LAST - timedelta(days=n)).weekday() < 5]
NOW_MS = to_ms(datetime(2026, 4, 1, 9, tzinfo=ZONE))
PAGES = {
    "grid, 50 people": "/api/grid?month=2026-03",
    "grid, 300 people": "/api/grid?month=2026-03&limit=300",
    "grid, newest month, latest first": "/api/grid?sort=late&order=down",
    "grid, absent people of departments": "/api/grid?month=2026-03&department=d0&status=absent",
    "today": "/api/today",
    "employees": "/api/employees",
}
_ROWS = 20_000


def run() -> list[Figure]:
    """95th percentile of each page on each database there is."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        found += asyncio.run(_figures("SQLite", f"sqlite:///{folder}/muster.db"))
    with postgres_url() as url:
        found += asyncio.run(_figures("PostgreSQL", url)) if url else []
    return found


async def _figures(label: str, url: str) -> list[Figure]:
    await asyncio.to_thread(migrate.upgrade, url)
    await asyncio.to_thread(_fill, url)
    db = Database(url)
    app = create_app(db, ServerConfig(), Clocks(lambda: NOW_MS, lambda: NOW_MS))
    gc.collect()
    gc.freeze()  # as server.app does
    found = []
    headers = {"Cookie": "__Host-muster=token"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://muster.test", headers=headers
    ) as client:
        for name, path in PAGES.items():
            p95_ms = await _p95_ms(client, path)
            told = f"{name}, {label} (p95)"
            found.append(
                figure(told, p95_ms, "ms", better="lower", limit_name="200 ms", limit=TARGET_MS, ratio_target=1)
            )
    await db.close()
    return found


async def _p95_ms(client: httpx.AsyncClient, path: str) -> float:
    (await client.get(path)).raise_for_status()
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        answer = await client.get(path)
        times.append(1000 * (time.perf_counter() - start))
        answer.raise_for_status()
    return sorted(times)[int(0.95 * CALLS)]


def _fill(url: str) -> None:
    """Rows as the server would have written them; ids of people in an order that no index has by chance."""
    if url.startswith("sqlite"):
        engine = create_engine(url)
    else:
        # The server's own driver, as no other is installed: rows go through its event loop.
        asyncio.run(_fill_postgres(url))
        return
    with engine.begin() as connection:
        for table, rows in _tables():
            for part in _parts(rows):
                connection.execute(insert(table), part)
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


async def _fill_postgres(url: str) -> None:
    db = Database(url)
    async with db.writing() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        for table, rows in _tables():
            names: list[str] | None = None
            for part in _parts(rows):
                names = names or list(part[0])
                records = [tuple(_plain(table, name, row[name]) for name in names) for row in part]
                await raw.copy_records_to_table(table.name, records=records, columns=names)
    async with db.writing() as connection:
        await connection.exec_driver_sql("ANALYZE")
    await db.close()


def _plain(table: Table, name: str, value: Any) -> Any:
    import json

    return json.dumps(value) if isinstance(value, list | dict) and str(table.c[name].type) == "JSON" else value


def _parts(rows: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    part: list[Mapping[str, Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == _ROWS:
            yield part
            part = []
    if part:
        yield part


def _tables() -> Iterator[tuple[Table, Iterator[Mapping[str, Any]]]]:
    yield tables.sites, iter([{"id": f"s{n}", "name_zh": "站", "name_en": "site", "zone": ZONE.key} for n in range(5)])
    yield (
        tables.departments,
        iter([{"id": f"d{n}", "parent": None, "name_zh": "部", "name_en": "dep"} for n in range(20)]),
    )
    yield tables.employees, _people()
    plan = {"id": "D", "name_zh": "白班", "name_en": "Day", "start": "09:00", "end": "18:00", "breaks": []}
    yield tables.shifts, iter([plan])
    yield tables.roster, ({"employee": _id(n), "date": day, "shift": "D"} for n in range(PEOPLE) for day in DAYS)
    yield tables.attendance_days, (_result(n, day, k) for n in range(PEOPLE) for k, day in enumerate(DAYS))
    yield tables.punches, _punches()
    account = {"login": "hr", "name": "hr", "password_hash": "", "role": "hr", "departments": []}
    yield tables.users, iter([{"id": 1, **account, "disabled": False, "created_ms": 1}])
    secret = hashlib.sha256(b"token").digest()
    yield (
        tables.sessions,
        iter([{"token_sha256": secret, "user": 1, "ip": "", "created_ms": NOW_MS, "seen_ms": NOW_MS}]),
    )


def _id(number: int) -> str:
    return f"e{number * 7919 % PEOPLE:04d}"


def _people() -> Iterator[Mapping[str, Any]]:
    for n in range(PEOPLE):
        yield {
            "id": _id(n),
            "name": f"员工 {n * 31 % PEOPLE:04d}",
            "department": f"d{n % 20}",
            "site": f"s{n % 5}",
            "position": "courier",
            "joined_on": date(2024, 1, 1),
        }


def _result(number: int, day: date, k: int) -> Mapping[str, Any]:
    odd = (number * 13 + k * 7) % 20
    status = {0: "late", 1: "absent", 2: "missing_out"}.get(odd, "normal")
    minutes = dict.fromkeys(("holiday_work_min", "early_min", "gap_min", "exempt_min", "leave_min"), 0)
    start = to_ms(datetime(day.year, day.month, day.day, 9, tzinfo=ZONE))
    return {
        "employee": _id(number),
        "date": day,
        "part": 0,
        "shift": "D",
        "status": status,
        "required_min": 480,
        "worked_min": {"late": 468, "normal": 480}.get(status, 0),
        "late_min": 12 if status == "late" else 0,
        "absent_min": 480 if status == "absent" else 0,
        "pending_min": 480 if status == "missing_out" else 0,
        **minutes,
        "first_ms": None if status == "absent" else start,
        "last_ms": start + 32_400_000 if status in ("normal", "late") else None,
        "flags": ["duplicate_dropped"] if odd == 5 else [],
        "explain": {"used": [k, k + 1], "merged": [], "held": [], "ignored": [], "rules": ["AR-7", "AR-15"]},
        "rule_version": "attendance-2",
        "computed_ms": start + 40_000_000,
    }


def _punches() -> Iterator[Mapping[str, Any]]:
    for n in range(PUNCHES):
        person, k = n % PEOPLE, n // PEOPLE
        day = DAYS[k // 2 % len(DAYS)]
        at_ms = to_ms(datetime(day.year, day.month, day.day, 18 if k % 2 else 9, tzinfo=ZONE)) + 1000 * (
            n // (2 * PEOPLE * len(DAYS))
        )
        yield {
            "terminal": f"T{person % 20}",
            "user_code": str(person),
            "at_device": at_ms // 1000 + 60 * (k // (2 * len(DAYS))),
            "key_seq": -1,
            "at_ms": at_ms,
            "direction": 0,
            "method": 1,
            "raw_codes": [],
            "flags": 0,
            "received_ms": at_ms + 900,
            "gateway": "g",
            "employee": _id(person),
            "true_ms": at_ms,
        }
