"""A small company on Monday 2026-03-02, written straight into the tables, and requests in the name of its people.

Departments: ops with ops-north below it, and fin. Sites: d1 (Shanghai) and d2 (Tokyo).

| employee | department | site | that day | punches (local) |
|---|---|---|---|---|
| e1 Wang Fang | ops | d1 | normal | 08:58 in, 18:02 out |
| e2 Li Lei | ops-north | d1 | late by 10 min | 09:10 in, 09:10:30 again, 18:00 out |
| e3 Zhao Min | fin | d1 | absent, one held punch | 08:59, clock 2 h off |
| e4 Sato | fin | d2 | has a shift, nothing computed yet | none |

Number 77 of group g1 belongs to nobody: two punches wait, 09:30 and 18:30.
"""

import datetime as dt
import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection

from server.api.app import create_app
from server.api.context import Context
from server.config import ServerConfig
from server.live.hub import Hub
from server.services.passwords import Passwords
from server.store import tables
from server.store.change_queries import note_changes
from server.store.database import Database
from shared.clock import Clocks, to_ms

DAY = dt.date(2026, 3, 2)
ZONE = ZoneInfo("Asia/Shanghai")
NOW_MS = to_ms(dt.datetime(2026, 3, 2, 20, 0, tzinfo=ZONE))
COOKIE = "__Host-muster"

PEOPLE = {
    "administrator": ("root", None, []),
    "hr": ("hr", None, []),
    "manager": ("boss", "e1", ["ops"]),
    "employee": ("lilei", "e2", []),
    "it": ("it", None, []),
    "facilities": ("fac", None, []),
}
"""Login, employee and departments by role."""


def local_ms(hour: int, minute: int = 0, second: int = 0, day: dt.date = DAY) -> int:
    """Milliseconds of a local time in Shanghai."""
    return to_ms(dt.datetime.combine(day, dt.time(hour, minute, second), ZONE))


@dataclass
class Turned:
    """Clocks that a test turns."""

    now_ms: int = NOW_MS

    @property
    def clocks(self) -> Clocks:
        """Both show the same."""
        return Clocks(lambda: self.now_ms, lambda: self.now_ms)


@dataclass
class World:
    """The application over the seeded database."""

    db: Database
    app: FastAPI
    hub: Hub
    time: Turned
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, role: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A browser's requests in the name of that role; of nobody without one."""
        cookie = {"Cookie": f"{COOKIE}={self.tokens[role]}"} if role else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("10.1.1.1", 4000)),
            base_url="https://muster.test",
            headers={"X-Muster": "1", **cookie, **headers},
        )

    def with_own_app(self) -> "World":
        """The same, over an application whose routes a test may change."""
        self.app = create_app(self.db, ServerConfig(), self.time.clocks, self.hub)
        return self

    async def get(self, role: str | None, path: str) -> httpx.Response:
        """One GET."""
        async with self.client(role) as client:
            return await client.get(path)

    async def post(self, role: str | None, path: str, body: object = None, **headers: str) -> httpx.Response:
        """One POST."""
        async with self.client(role, **headers) as client:
            return await client.post(path, json=body)

    async def put(self, role: str | None, path: str, body: object = None) -> httpx.Response:
        """One PUT."""
        async with self.client(role) as client:
            return await client.put(path, json=body)


async def make_world(db: Database) -> World:
    """Seed the database, sign everybody in, build the application."""
    async with db.writing() as connection:
        await seed(connection)
        tokens = {role: await sign_in(connection, number) for number, role in enumerate(PEOPLE, start=1)}
    time = Turned()
    hub = Hub(db, time.clocks)
    app = _app()
    app.state.context = Context(db, ServerConfig(), time.clocks, Passwords(), hub)
    return World(db, app, hub, time, tokens)


@functools.cache
def _app() -> FastAPI:
    """One for all worlds of a run: a new one works its two hundred routes out anew, for more than a second."""
    return create_app(Database("sqlite://"), ServerConfig())


async def sign_in(connection: AsyncConnection, user: int, at_ms: int = NOW_MS) -> str:
    """A session of that account."""
    token = f"token-of-{user}"
    values = {"token_sha256": hashlib.sha256(token.encode()).digest(), "user": user, "ip": "10.1.1.1"}
    await connection.execute(tables.sessions.insert().values(**values, created_ms=at_ms, seen_ms=at_ms))
    return token


async def seed(connection: AsyncConnection) -> None:
    """Everything in the table above."""
    insert = _inserter(connection)
    await insert(tables.sites, id="d1", name_zh="一号站", name_en="Depot 1", zone="Asia/Shanghai")
    await insert(tables.sites, id="d2", name_zh="二号站", name_en="Depot 2", zone="Asia/Tokyo")
    for name, parent in (("fin", None), ("ops", None), ("ops-north", "ops")):
        await insert(tables.departments, id=name, parent=parent, name_zh=f"{name}部", name_en=name.title())
    for number, name, department, site in (
        (1, "Wang Fang", "ops", "d1"),
        (2, "Li Lei", "ops-north", "d1"),
        (3, "Zhao Min", "fin", "d1"),
        (4, "Sato", "fin", "d2"),
    ):
        post = {"department": department, "site": site, "position": "courier"}
        await insert(tables.employees, id=f"e{number}", name=name, **post, joined_on=dt.date(2025, 1, 1), left_on=None)
        if number < 4:
            await insert(tables.terminal_users, user_group="g1", user_code=str(number), employee=f"e{number}")
    await insert(tables.shifts, id="D", name_zh="白班", name_en="Day", start="09:00", end="18:00", breaks=[])
    for number in (1, 2, 3, 4):
        await insert(tables.roster, employee=f"e{number}", date=DAY, shift="D")
    await _fleet(insert)
    await _punches(insert)
    await _results(insert)
    for login, employee, departments in PEOPLE.values():
        role = next(role for role, (known, *_) in PEOPLE.items() if known == login)
        values = {"login": login, "name": login.title(), "password_hash": "", "role": role}
        await insert(tables.users, **values, employee=employee, departments=departments, disabled=False, created_ms=1)
    await note_changes(connection, [f"day:{DAY}", "employee:e2"], NOW_MS - 1000)


async def _fleet(insert: Callable[..., Any]) -> None:
    await insert(
        tables.gateways, id="gw-0000000001", name="Depot 1", site="d1", password_hash="", status="active", created_ms=1
    )
    for serial, kind in (("T1", "terminal"), ("S1", "scanner")):
        values = {"serial": serial, "name": f"Door {serial}", "site": "d1", "kind": kind, "user_group": "g1"}
        await insert(tables.terminals, **values)
        await insert(tables.assignments, terminal=serial, gateway="gw-0000000001", from_ms=1)


async def _punches(insert: Callable[..., Any]) -> None:
    for user, employee, at_ms, held in (
        ("1", "e1", local_ms(8, 58), None),
        ("1", "e1", local_ms(18, 2), None),
        ("2", "e2", local_ms(9, 10), None),
        ("2", "e2", local_ms(9, 10, 30), None),
        ("2", "e2", local_ms(18, 0), None),
        ("3", "e3", local_ms(8, 59), "AR-3"),
        ("77", None, local_ms(9, 30), None),
        ("77", None, local_ms(18, 30), None),
    ):
        await insert(
            tables.punches,
            terminal="T1",
            user_code=user,
            at_device=at_ms // 1000 + 8 * 3600,
            key_seq=-1,
            at_ms=at_ms,
            direction=0,
            method=1,
            raw_codes=[15, 0],
            flags=0,
            received_ms=at_ms + 900,
            gateway="gw-0000000001",
            employee=employee,
            true_ms=None if held else at_ms,
            held=held,
        )
    for seq, punch in enumerate((1, 1, 2, 3, 4, 5, 6, 7, 8)):
        await insert(tables.sources, stream_id=1, seq=seq, punch=punch, repeat=seq == 1)


async def _results(insert: Callable[..., Any]) -> None:
    zero = dict.fromkeys(("holiday_work_min", "gap_min", "pending_min", "exempt_min", "leave_min"), 0)
    for employee, status, worked, late, absent, first, last, explain in (
        ("e1", "normal", 480, 0, 0, local_ms(8, 58), local_ms(18, 2), {"used": [1, 2]}),
        ("e2", "late", 470, 10, 0, local_ms(9, 10), local_ms(18, 0), {"used": [3, 5], "merged": [4]}),
        ("e3", "absent", 0, 0, 480, None, None, {"held": [6]}),
    ):
        explained = {"used": [], "merged": [], "held": [], "ignored": [], "rules": ["AR-5"], **explain}
        await insert(
            tables.attendance_days,
            employee=employee,
            date=DAY,
            part=0,
            shift="D",
            status=status,
            required_min=480,
            worked_min=worked,
            late_min=late,
            early_min=0,
            absent_min=absent,
            **zero,
            first_ms=first,
            last_ms=last,
            flags=["duplicate_dropped"] if employee == "e2" else [],
            explain=explained,
            rule_version="attendance-1",
            computed_ms=NOW_MS - 5000,
        )


def _inserter(connection: AsyncConnection) -> Callable[..., Any]:
    async def insert(table: Any, **values: object) -> None:
        await connection.execute(table.insert().values(**values))

    return insert
