"""What tests of requests share: a week of shifts, a second person of the department, and short ways to ask and decide.

| employee | department | account |
|---|---|---|
| e1 Wang Fang | ops | boss, manages ops with ops-north |
| e2 Li Lei | ops-north | lilei |
| e5 Chen Jie | ops-north | chenjie, an employee too |
| e3, e4 | fin | none; nobody manages fin |
"""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import insert

from server.services.attendance import compute_touched
from server.services.leave import ensure_defaults
from server.store import tables
from tests.server.api.company import DAY, NOW_MS, PEOPLE, World, local_ms, sign_in

WEEK = [DAY + dt.timedelta(days=number) for number in range(5)]
"""Monday to Friday; today is Monday evening."""
PDF = b"%PDF-1.7 a note"


async def prepare(world: World) -> World:
    """Leave types and chains, shifts with a break for the week, e5 with an account; who signs in is in ``tokens``."""
    await ensure_defaults(world.db)
    async with world.db.writing() as connection:
        shift = {"id": "DB", "name_zh": "白班", "name_en": "Day", "start": "09:00", "end": "18:00"}
        await connection.execute(insert(tables.shifts).values(**shift, breaks=[["12:00", "13:00"]]))
        night = {"id": "N", "name_zh": "夜班", "name_en": "Night", "start": "22:00", "end": "06:00", "breaks": []}
        await connection.execute(insert(tables.shifts).values(**night))
        post = {"department": "ops-north", "site": "d1", "position": "courier"}
        person = {"id": "e5", "name": "Chen Jie", **post, "joined_on": dt.date(2025, 1, 1)}
        await connection.execute(insert(tables.employees).values(**person))
        rows = [(e, day, "DB") for e in ("e1", "e2", "e3", "e4") for day in WEEK[1:]]
        rows += [("e5", day, "N") for day in WEEK[1:]]
        await connection.execute(
            insert(tables.roster), [{"employee": e, "date": day, "shift": shift} for e, day, shift in rows]
        )
        account = {"login": "chenjie", "name": "Chen Jie", "password_hash": "", "role": "employee", "employee": "e5"}
        await connection.execute(insert(tables.users).values(**account, departments=[], disabled=False, created_ms=1))
        world.tokens["other"] = await sign_in(connection, len(PEOPLE) + 1)
    return world


@pytest.fixture
async def office(world: World) -> World:
    """The company with a week of shifts."""
    return await prepare(world)


@pytest.fixture
async def any_office(any_world: World) -> World:
    """The same on both databases."""
    return await prepare(any_world)


async def add_user(world: World, role: str, login: str, departments: list[str], *, employee: str | None = None) -> str:
    """One more account, signed in under its login."""
    async with world.db.writing() as connection:
        values = {"login": login, "name": login.title(), "password_hash": "", "role": role, "employee": employee}
        made = await connection.execute(
            insert(tables.users)
            .values(**values, departments=departments, disabled=False, created_ms=1)
            .returning(tables.users.c.id)
        )
        world.tokens[login] = await sign_in(connection, made.scalar_one(), world.time.now_ms)
    return login


def leave(first: str, last: str, kind: str = "personal", **more: Any) -> dict[str, Any]:
    """Leave from one March time to another, such as ``03T09:00``."""
    return {"kind": "leave", "leave_type": kind, "start": f"2026-03-{first}", "end": f"2026-03-{last}", **more}


def correction(at: str, **more: Any) -> dict[str, Any]:
    """A correction of a March time."""
    return {"kind": "correction", "at": f"2026-03-{at}", "reason": "forgot", **more}


def overtime(first: str, last: str, **more: Any) -> dict[str, Any]:
    """Overtime from one March time to another."""
    return {"kind": "overtime", "start": f"2026-03-{first}", "end": f"2026-03-{last}", **more}


async def ask(world: World, body: dict[str, Any], role: str = "employee") -> int:
    """Ask as that role's person; the number."""
    answer = await world.post(role, "/api/my/requests", body)
    assert answer.status_code == 201, answer.text
    number: int = answer.json()["id"]
    return number


async def refused(world: World, body: dict[str, Any], role: str = "employee") -> tuple[str, dict[str, str]]:
    """Code and parameters of a request that is refused, by check and by asking alike."""
    checked = await world.post(role, "/api/my/requests/check", body)
    asked = await world.post(role, "/api/my/requests", body)
    assert (checked.status_code, asked.status_code) == (422, 422), asked.text
    said = [(answer.json()["code"], answer.json()["parameters"]) for answer in (checked, asked)]
    assert said[0] == said[1]
    found: tuple[str, dict[str, str]] = said[0]
    return found


async def decide(world: World, number: int, decision: str = "approved", role: str = "manager", **more: Any) -> Any:
    """Decide as that role's person; the answer's body."""
    body = {"decision": decision, "comment": "so", **more}
    return (await world.post(role, f"/api/requests/{number}/decide", body)).json()


async def detail(world: World, number: int, role: str = "hr") -> dict[str, Any]:
    """A request as the role sees it."""
    answer = await world.get(role, f"/api/requests/{number}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def grant(world: World, employee: str, kind: str, minutes: int, key: str = "test", **more: Any) -> Any:
    """Give minutes of this year."""
    body = {"employees": [employee], "leave_type": kind, "minutes": minutes, "from_on": "2026-01-01", "key": key}
    return await world.post("hr", "/api/leave-grants", {**body, "preview": False, **more})


async def punch(world: World, employee: str, *moments: tuple[dt.date, int, int]) -> None:
    """Punches of somebody at local hours and minutes, as identity leaves them."""
    async with world.db.writing() as connection:
        for day, hour, minute in moments:
            at_ms = local_ms(hour, minute, day=day)
            row = {"terminal": "T1", "user_code": employee, "at_device": at_ms // 1000, "key_seq": -1, "at_ms": at_ms}
            row |= {"direction": 0, "method": 1, "raw_codes": [], "flags": 0, "received_ms": at_ms, "true_ms": at_ms}
            await connection.execute(insert(tables.punches).values(**row, gateway="g", employee=employee))


async def day_of(world: World, employee: str, day: dt.date, now_ms: int = NOW_MS) -> dict[str, Any]:
    """The stored record of a date after what is touched was computed; empty without one."""
    await compute_touched(world.db, now_ms)
    table = tables.attendance_days
    async with world.db.reading() as connection:
        where = (table.c.employee == employee, table.c.date == day)
        row = (await connection.execute(table.select().where(*where))).mappings().first()
    return dict(row) if row is not None else {}
