"""Annual leave is accrued by law, goes over and lapses; grants are given once; settings are checked."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from server.access.scope import Scope
from server.requests.leave_types import DEFAULT_TYPES, LeaveType, check_type
from server.services import leave
from server.services.accounts import Caller
from server.services.accrual import accrue
from server.services.chores import CHORES
from server.services.leave import Grant
from server.store import asked_queries, tables
from server.store.closing_tables import adjustments
from server.store.database import Database
from server.store.request_tables import leave_grants, leave_types, requests
from shared.errors import DataError
from tests.server.services.world import SHANGHAI, at, load

CALLER = Caller("10.1.1.1", "r", at("2026-03-02 10:00"))


@pytest.fixture
async def company(db: Database) -> Database:
    """Two people since January 2026, e1 with 12 years of work, leave types and chains."""
    await load(db)
    await leave.ensure_defaults(db)
    async with db.writing() as connection:
        person = update(tables.employees)
        values = {"joined_on": dt.date(2020, 1, 1), "worked_since": dt.date(2014, 1, 1)}
        await connection.execute(person.where(tables.employees.c.id == "e1").values(**values))
    return db


async def ledger(db: Database, employee: str = "e1") -> list[tuple[str, int, str, str | None]]:
    """Key, minutes and dates of each row."""
    async with db.reading() as connection:
        rows = await connection.execute(
            select(leave_grants).where(leave_grants.c.employee == employee).order_by(leave_grants.c.id)
        )
        return [(r.key, r.minutes, str(r.from_on), r.until_on and str(r.until_on)) for r in rows]


async def left(db: Database, day: str, employee: str = "e1", kind: str = "annual") -> int:
    async with db.reading() as connection:
        _, found = await leave.balances(connection, Scope.system(), employee, dt.date.fromisoformat(day))
    return next(one.left for one in found if one.type.id == kind)


async def take(db: Database, day: str, minutes: int, employee: str = "e1", kind: str = "annual") -> None:
    """Approved leave on a date."""
    values: dict[str, Any] = {"kind": "leave", "employee": employee, "leave_type": kind, "minutes": minutes}
    values |= {"from_ms": at(f"{day} 09:00"), "to_ms": at(f"{day} 18:00"), "to_comp": False, "reason": ""}
    values |= {"detail": {"days": {day: minutes}}, "state": "approved", "chain": [], "step": 0}
    async with db.writing() as connection:
        await connection.execute(insert(requests).values(**values, created_by="x", created_ms=1, decided_ms=1))


async def test_defaults_are_added_once_and_changes_stay(db: Database) -> None:
    assert await leave.ensure_defaults(db) == len(DEFAULT_TYPES) + 7
    async with db.writing() as connection:
        await connection.execute(update(leave_types).where(leave_types.c.id == "sick").values(name_en="Ill"))
    assert await leave.ensure_defaults(db) == 0
    async with db.reading() as connection:
        found = await leave.leave_types(connection)
    assert (found["sick"].name_en, found["annual"].name_zh, found["comp"].balance) == ("Ill", "年假", "comp")


def test_the_worker_keeps_leave_going() -> None:
    assert {"leave_types", "accrual", "time_outs"} <= {chore.name for chore in CHORES}


@pytest.mark.parametrize("found", DEFAULT_TYPES, ids=lambda found: found.id)
def test_the_types_of_a_fresh_installation_hold(found: LeaveType) -> None:
    check_type(found)


@pytest.mark.parametrize(
    ("found", "field"),
    [
        (LeaveType("Bad id", "a", "b", True), "id"),
        (LeaveType("x", " ", "b", True), "name_zh"),
        (LeaveType("x", "a", "b", True, unit_min=0), "unit_min"),
        (LeaveType("x", "a", "b", True, file_from_min=-1), "file_from_min"),
        (LeaveType("x", "a", "b", True, settings={"carry_until": "03-31"}), "settings"),
        (LeaveType("x", "a", "b", True, "annual", settings={"carry_until": "02-30"}), "settings"),
        (LeaveType("x", "a", "b", True, "annual", settings={"carry_until": "2026-03-31"}), "settings"),
        (LeaveType("x", "a", "b", True, "comp", settings={"expires_months": "6"}), "settings"),
    ],
)
def test_a_leave_type_that_can_not_work_is_refused(found: LeaveType, field: str) -> None:
    with pytest.raises(DataError) as refused:
        check_type(found)
    assert refused.value.parameters == {"field": field}


async def test_the_yearly_accrual_is_written_once(company: Database) -> None:
    now = at("2026-03-02 10:00")
    assert await accrue(company, SHANGHAI, now) == 1
    assert await accrue(company, SHANGHAI, now) == 0
    assert await asyncio.gather(*(accrue(company, SHANGHAI, now) for _ in range(3))) == [0, 0, 0]
    assert await ledger(company) == [("annual:2026", 4800, "2026-01-01", "2026-12-31")]
    assert await ledger(company, "e2") == [], "nothing in the first year of work"


async def test_who_leaves_loses_what_the_rest_of_the_year_would_have_given(company: Database) -> None:
    await accrue(company, SHANGHAI, at("2026-03-02 10:00"))
    await take(company, "2026-02-02", 480)
    async with company.writing() as connection:
        await connection.execute(
            update(tables.employees).where(tables.employees.c.id == "e1").values(left_on=dt.date(2026, 6, 30))
        )
    assert await accrue(company, SHANGHAI, at("2026-03-03 10:00")) == 1
    assert (await ledger(company))[1] == ("annual:2026:2", 4 * 480 - 4800, "2026-12-31", "2026-12-31")
    assert await left(company, "2026-03-03") == 3 * 480
    assert await accrue(company, SHANGHAI, at("2026-03-04 10:00")) == 0


async def test_what_is_left_goes_over_up_to_the_limit_and_lapses_then(company: Database) -> None:
    await accrue(company, SHANGHAI, at("2026-03-02 10:00"))
    await take(company, "2026-05-04", 960)
    assert await left(company, "2026-12-31") == 3840
    await accrue(company, SHANGHAI, at("2027-01-01 00:10"))
    assert (await ledger(company))[1:] == [
        ("carried:2026", -2400, "2026-12-31", "2026-12-31"),
        ("carried:2026:in", 2400, "2027-01-01", "2027-03-31"),
        ("lapsed:2026", -1440, "2026-12-31", "2026-12-31"),
        ("annual:2027", 4800, "2027-01-01", "2027-12-31"),
    ]
    assert await accrue(company, SHANGHAI, at("2027-01-02 00:10")) == 0
    assert await left(company, "2026-12-31") == 0, "what went over is not there twice"
    assert await left(company, "2027-03-31") == 7200
    assert await left(company, "2027-04-01") == 4800
    await take(company, "2027-02-01", 480)
    await accrue(company, SHANGHAI, at("2027-04-01 00:10"))
    assert (await ledger(company))[-1] == ("lapsed:2027-03-31", -1920, "2027-03-31", "2027-03-31")
    assert await left(company, "2027-04-01") == 4800
    assert await accrue(company, SHANGHAI, at("2027-04-02 00:10")) == 0


async def test_without_carry_over_all_lapses(company: Database) -> None:
    async with company.writing() as connection:
        await connection.execute(update(leave_types).where(leave_types.c.id == "annual").values(settings={}))
    await accrue(company, SHANGHAI, at("2026-03-02 10:00"))
    await accrue(company, SHANGHAI, at("2027-01-01 10:00"))
    assert [key for key, *_ in await ledger(company)] == ["annual:2026", "lapsed:2026", "annual:2027"]


async def test_the_sum_of_a_ledger_and_what_was_taken_is_what_is_left(company: Database) -> None:
    """Once what ended is written down, plain addition gives the balance."""
    for day in ("2026-03-02", "2027-01-01", "2027-04-01", "2028-01-01", "2028-04-01"):
        await accrue(company, SHANGHAI, at(f"{day} 01:00"))
    await take(company, "2028-05-02", 600)
    total = sum(minutes for _, minutes, *_ in await ledger(company)) - 600
    assert await left(company, "2028-06-01") == total


async def people(db: Database, *names: str) -> list[asked_queries.AskerRow]:
    async with db.reading() as connection:
        return await asked_queries.askers(connection, Scope.system(), names)


def grant(minutes: int = 480, **more: Any) -> Grant:
    values: dict[str, Any] = {"leave_type": "parental", "minutes": minutes, "from_on": dt.date(2026, 1, 1)}
    values |= {"until_on": None, "kind": "grant", "key": "2026", "note": ""}
    return Grant(**values | more)


async def test_a_grant_is_looked_at_then_given_once(company: Database) -> None:
    both = await people(company, "e1", "e2")
    async with company.reading() as connection:
        looked = await leave.preview_grant(connection, both, grant())
    assert [(one.employee, one.before, one.after, one.repeated) for one in looked] == [
        ("e1", 0, 480, False),
        ("e2", 0, 480, False),
    ]
    assert await ledger(company) == []
    done = await asyncio.gather(*(leave.give(company, "hr", both, grant(), CALLER) for _ in range(3)))
    assert sum(not one.repeated for found in done for one in found) == 2
    assert [await left(company, "2026-03-02", one, "parental") for one in ("e1", "e2")] == [480, 480]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (grant(leave_type="personal"), "no_ledger"),
        (grant(leave_type="nothing"), "no_ledger"),
        (grant(0), "bad_grant"),
        (grant(until_on=dt.date(2025, 12, 31)), "bad_grant"),
        (grant(480, kind="lapsed"), "bad_grant"),
        (grant(-1, kind="paid_out"), "leave_no_balance"),
    ],
)
async def test_a_grant_that_does_not_fit_is_refused(company: Database, wrong: Grant, code: str) -> None:
    with pytest.raises(DataError) as refused:
        await leave.give(company, "hr", await people(company, "e1"), wrong, CALLER)
    assert refused.value.code == code
    assert await ledger(company) == []


async def test_a_type_keeps_its_kind_of_balance_once_it_is_used(company: Database) -> None:
    await leave.give(company, "hr", await people(company, "e1"), grant(), CALLER)
    with pytest.raises(DataError) as refused:
        await leave.save_type(company, "hr", LeaveType("parental", "育儿假", "Parental", True, "none"), CALLER)
    assert refused.value.code == "balance_fixed"
    await leave.save_type(company, "hr", LeaveType("parental", "育儿", "Parental", True, "granted"), CALLER)


async def bank(db: Database, day: str, minutes: int) -> None:
    """A computed day with banked overtime."""
    zero = [c.name for c in tables.attendance_days.c if c.name.endswith("_min") and c.server_default is None]
    values: dict[str, Any] = dict.fromkeys(zero, 0)
    values |= {"employee": "e1", "date": dt.date.fromisoformat(day), "part": 0, "status": "rest_ot", "flags": []}
    values |= {"explain": {}, "rule_version": "x", "computed_ms": 1, "comp_min": minutes}
    async with db.writing() as connection:
        await connection.execute(insert(tables.attendance_days).values(**values))


async def test_banked_overtime_lapses_after_the_months_that_were_set(company: Database) -> None:
    await bank(company, "2026-01-10", 300)
    await bank(company, "2026-03-14", 120)
    assert await left(company, "2026-12-31", kind="comp") == 420
    expiring = LeaveType("comp", "调休", "Time off", True, "comp", 30, settings={"expires_months": 6})
    await leave.save_type(company, "hr", expiring, CALLER)
    assert [await left(company, day, kind="comp") for day in ("2026-07-10", "2026-07-11")] == [420, 120]
    await take(company, "2026-04-06", 180, kind="comp")
    assert [await left(company, day, kind="comp") for day in ("2026-07-10", "2026-07-11")] == [240, 120]


async def test_adjustments_of_closed_days_change_the_bank(company: Database) -> None:
    await bank(company, "2026-01-10", 300)
    async with company.writing() as connection:
        row: dict[str, Any] = {"employee": "e1", "date": dt.date(2026, 1, 10), "part": 0, "posted_to": "2026-02"}
        row |= {"delta": {"comp": -120}, "computed_ms": 1}
        await connection.execute(insert(adjustments).values(**row))
    assert await left(company, "2026-03-02", kind="comp") == 180
