"""How long people wait for pages while the same process pulls a million rows: it has one event loop for both."""

import asyncio
import gc
import hashlib
import multiprocessing
import time
from datetime import date
from pathlib import Path

import httpx
from sqlalchemy import insert

from benchmarks.figure import Figure, figure
from benchmarks.orders_source import ROWS, pull
from server.api.app import create_app
from server.app import tune
from server.config import ServerConfig
from server.store import migrate, tables
from server.store.database import Database
from shared.clock import system_clocks

PEOPLE = 1_000
LIMIT_MS = 200.0
EVERY_S = 0.1
PAGES = ("/api/employees", "/api/today", "/api/me")


def p95(label: str, path: Path, url: str) -> Figure:
    """95th percentile of all calls during the pull, in a process of its own; beside it, before the pull."""
    migrate.upgrade(url)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        quiet_ms, busy_ms = pool.apply(_measured, (path, url))
    name = f"page while {ROWS:,} rows are pulled, {label} (p95)"
    return figure(name, busy_ms, "ms", better="lower", target=LIMIT_MS, limit_name="without a pull", limit=quiet_ms)


def _measured(path: Path, url: str) -> tuple[float, float]:
    tune()  # as the server does
    return asyncio.run(_both(path, url))


async def _both(path: Path, url: str) -> tuple[float, float]:
    db = Database(url)
    await _fill(db)
    app = create_app(db, ServerConfig(), system_clocks())
    gc.collect()
    gc.freeze()
    transport, headers = httpx.ASGITransport(app), {"Cookie": "__Host-muster=token"}
    async with httpx.AsyncClient(transport=transport, base_url="https://muster.test", headers=headers) as client:
        await _calls(client)
        quiet = [ms for _ in range(50) for ms in await _calls(client)]
        busy: list[float] = []
        pulling = asyncio.create_task(pull(db, path))
        while not pulling.done():
            busy += await _calls(client)
            await asyncio.sleep(EVERY_S)
        await pulling
    await db.close()
    return _p95(quiet), _p95(busy)


async def _calls(client: httpx.AsyncClient) -> list[float]:
    """Milliseconds of each page."""
    found = []
    for page in PAGES:
        start = time.perf_counter()
        (await client.get(page)).raise_for_status()
        found.append(1000 * (time.perf_counter() - start))
    return found


def _p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]


async def _fill(db: Database) -> None:
    """People of a company, and one of HR who is signed in."""
    now_ms = system_clocks().wall_ms()
    account = {"login": "hr", "name": "hr", "password_hash": "", "role": "hr", "departments": []}
    signed_in = {"user": 1, "ip": "", "created_ms": now_ms, "seen_ms": now_ms}
    people = [
        {"id": f"e{n}", "name": f"员工 {n}", "department": "d", "site": "s", "joined_on": date(2024, 1, 1)}
        for n in range(PEOPLE)
    ]
    async with db.writing() as connection:
        for table, rows in (
            (tables.sites, [{"id": "s", "name_zh": "站", "name_en": "site", "zone": "Asia/Shanghai"}]),
            (tables.departments, [{"id": "d", "parent": None, "name_zh": "部", "name_en": "dep"}]),
            (tables.employees, [{**person, "position": "courier"} for person in people]),
            (tables.users, [{"id": 1, **account, "disabled": False, "created_ms": 1}]),
            (tables.sessions, [{"token_sha256": hashlib.sha256(b"token").digest(), **signed_in}]),
        ):
            await connection.execute(insert(table), rows)
