"""Months and exceptions over HTTP: who may, about whom, and what a refusal says."""

import datetime as dt

import pytest
from sqlalchemy import update

from server.access.roles import permissions_of
from server.store import tables
from tests.server.api.company import DAY, PEOPLE, World, local_ms

MARCH = "2026-03"
APRIL_MS = local_ms(9, day=dt.date(2026, 4, 5))
WHOLE = ["previous_open", "unmatched", "terminals", "no_roster", "calendar", "objected", "unconfirmed"]
ROUTES = [
    ("GET", "/api/months", "months.read"),
    ("GET", "/api/months/2026-03", "months.read"),
    ("GET", "/api/months/2026-03/pending", "months.read"),
    ("GET", "/api/months/2026-03/adjustments", "months.read"),
    ("GET", "/api/months/2026-03/confirmations", "months.read"),
    ("POST", "/api/months/2026-03/confirmations/ask", "exceptions.decide"),
    ("POST", "/api/decisions/preview", "exceptions.decide"),
    ("POST", "/api/decisions/default", "exceptions.decide"),
    ("POST", "/api/decisions/manual", "exceptions.decide"),
    ("POST", "/api/decisions/withdraw", "exceptions.decide"),
    ("GET", "/api/exceptions?first=2026-03-01&last=2026-03-31", "exceptions.decide"),
    ("POST", "/api/exceptions/held", "exceptions.decide"),
    ("POST", "/api/exceptions/ask", "exceptions.decide"),
    ("POST", "/api/months/2026-03/close", "months.close"),
    ("POST", "/api/months/2026-03/reopen", "months.close"),
    ("POST", "/api/months/2026-03/reopen/ask", "months.close"),
    ("POST", "/api/months/2026-03/reopen/withdraw", "months.close"),
    ("GET", "/api/me/months/2026-03/confirmation", "me.request"),
    ("POST", "/api/me/months/2026-03/confirmation", "me.request"),
    ("GET", "/api/me/questions?first=2026-03-01&last=2026-03-31", "me.request"),
]


async def pend(world: World) -> None:
    """April, and e2 (ops-north) and e3 (fin) have a missing OUT on the day."""
    world.time.now_ms = APRIL_MS
    async with world.db.writing() as connection:
        sessions = update(tables.sessions).values(seen_ms=APRIL_MS, created_ms=APRIL_MS)
        await connection.execute(sessions)
        day = tables.attendance_days
        values = {"status": "missing_out", "worked_min": 0, "late_min": 0, "absent_min": 0, "pending_min": 480}
        await connection.execute(update(day).where(day.c.employee.in_(("e2", "e3"))).values(**values))
        await connection.execute(update(tables.punches).values(held=None, true_ms=tables.punches.c.at_ms))
        await connection.execute(tables.roster.delete().where(tables.roster.c.employee == "e4"))


def record(employee: str) -> dict[str, object]:
    return {"employee": employee, "date": DAY.isoformat(), "part": 0}


@pytest.mark.parametrize("role", PEOPLE)
async def test_each_route_asks_for_its_permission(world: World, role: str) -> None:
    for method, path, permission in ROUTES:
        ask = world.get if method == "GET" else world.post
        status = (await ask(role, path)).status_code
        allowed = permission in permissions_of(role)  # type: ignore[arg-type]
        assert (status != 403) is allowed, (path, role, status)
        assert (await ask(None, path)).status_code == 401


async def test_a_manager_sees_and_decides_about_the_own_department(any_world: World) -> None:
    world = any_world
    await pend(world)
    pending = (await world.get("manager", f"/api/months/{MARCH}/pending")).json()
    assert [row["employee"] for row in pending["rows"]] == ["e2"]
    found = (await world.get("manager", f"/api/exceptions?first={DAY}&last={DAY}")).json()
    assert [row["employee"] for row in found["rows"]] == ["e2"]
    people = (await world.get("manager", f"/api/months/{MARCH}/confirmations")).json()
    assert {row["employee"] for row in people["rows"]} == {"e1", "e2"}
    month = (await world.get("manager", f"/api/months/{MARCH}")).json()
    codes = {item["code"]: item["count"] for item in month["items"]}
    assert codes["pending"] == 1
    assert not {"unmatched", "terminals", "calendar"} & set(codes), "of the company, not of a department"
    assert (month["may_close"], month["ready"]) == (False, False)
    beyond = await world.post("manager", "/api/decisions/default", {"records": [record("e3")]})
    assert (beyond.status_code, beyond.json()["code"]) == (422, "not_pending")
    asked = await world.post(
        "manager", "/api/exceptions/ask", {"days": [{"employee": "e3", "date": DAY.isoformat()}], "note": "?"}
    )
    assert asked.status_code == 404
    done = await world.post("manager", "/api/decisions/default", {"month": MARCH})
    assert done.json()["records"] == 1
    everybody = (await world.get("hr", f"/api/months/{MARCH}")).json()
    assert {item["code"]: item["count"] for item in everybody["items"]}["pending"] == 1
    assert everybody["decided"] == 1


async def test_hr_closes_and_an_administrator_opens(any_world: World) -> None:
    world = any_world
    await pend(world)
    early = await world.post("hr", f"/api/months/{MARCH}/close", {"accepted": WHOLE})
    assert (early.status_code, early.json()["code"]) == (422, "not_ready")
    shown = (await world.post("hr", "/api/decisions/preview", {"month": MARCH})).json()
    assert (shown["records"], shown["absent"], shown["worked"]) == (2, 480, 480)
    body = {"month": MARCH, "expected": 2}
    assert (await world.post("hr", "/api/decisions/default", body)).status_code == 200
    unaccepted = await world.post("hr", f"/api/months/{MARCH}/close", {})
    assert unaccepted.json()["code"] == "not_accepted"
    closed = (await world.post("hr", f"/api/months/{MARCH}/close", {"accepted": WHOLE})).json()
    assert (closed["state"], closed["closing"]["closed_by"], closed["closing"]["records"]) == ("closed", "hr", 3)
    asked = await world.post("hr", f"/api/months/{MARCH}/reopen/ask", {"reason": "two shifts were wrong"})
    assert (asked.json()["state"], asked.json()["may_reopen"]) == ("reopen_asked", False)
    own = await world.post("hr", f"/api/months/{MARCH}/reopen")
    assert (own.status_code, own.json()["code"]) == (422, "same_person")
    assert (await world.get("administrator", f"/api/months/{MARCH}")).json()["may_reopen"] is True
    opened = (await world.post("administrator", f"/api/months/{MARCH}/reopen")).json()
    assert (opened["state"], len(opened["history"])) == ("open", 1)
    months = (await world.get("hr", "/api/months")).json()
    assert months == {
        "months": [{"month": MARCH, "state": "open", "closed_ms": None, "closed_by": None}],
        "current": "2026-04",
    }


async def test_an_employee_confirms_the_own_month_and_nobody_elses(any_world: World) -> None:
    world = any_world
    await pend(world)
    path = f"/api/me/months/{MARCH}/confirmation"
    assert (await world.post("hr", f"/api/months/{MARCH}/confirmations/ask", {})).json() == {"count": 3}
    own = (await world.get("employee", path)).json()
    assert (own["employee"], own["state"], own["sums"]["pending_min"]) == ("e2", "asked", 480)
    other = await world.post("employee", path, {"answer": "confirmed", "sums": {"pending_min": 1}})
    assert other.json()["code"] == "sums_changed"
    wordless = await world.post("employee", path, {"answer": "objected", "sums": own["sums"]})
    assert wordless.json()["code"] == "comment_missing"
    said = (await world.post("employee", path, {"answer": "confirmed", "sums": own["sums"]})).json()
    assert (said["state"], said["answered_sums"]) == ("confirmed", own["sums"])
    rows = (await world.get("hr", f"/api/months/{MARCH}/confirmations?state=confirmed")).json()
    assert [row["employee"] for row in rows["rows"]] == ["e2"]
    assert (await world.get("hr", path)).status_code == 404, "not an employee"


async def test_an_employee_sees_what_was_asked_about_the_own_days(world: World) -> None:
    await pend(world)
    days = [{"employee": employee, "date": DAY.isoformat()} for employee in ("e2", "e3")]
    assert (await world.post("hr", "/api/exceptions/ask", {"days": days, "note": "When did you leave?"})).is_success
    own = (await world.get("employee", f"/api/me/questions?first={DAY}&last={DAY}")).json()
    assert [(row["date"], row["note"], row["asked_by"]) for row in own["rows"]] == [
        (DAY.isoformat(), "When did you leave?", "hr")
    ]


async def test_exceptions_are_counted_by_kind_and_shown_by_page(any_world: World) -> None:
    found = (await any_world.get("hr", f"/api/exceptions?first={DAY}&last={DAY}&late_over=10")).json()
    assert found["counts"] == {"absent": 1, "held": 1, "late": 1}
    assert found["total"] == 3
    held = (await any_world.get("hr", f"/api/exceptions?first={DAY}&last={DAY}&kind=held")).json()
    [row] = held["rows"]
    assert (row["employee"], row["part"], row["suggested"], row["punch"]["held"]) == ("e3", None, "release", "AR-3")
    few = (await any_world.get("hr", f"/api/exceptions?first={DAY}&last={DAY}&limit=1&late_over=10")).json()
    assert (few["total"], len(few["rows"])) == (3, 1)
    longer = await any_world.get("hr", "/api/exceptions?first=2026-01-01&last=2026-03-31")
    assert longer.json()["code"] == "bad_span"


async def test_a_held_punch_of_another_department_is_not_there(world: World) -> None:
    body = {"outcome": "dismiss", "punches": [{"punch": 6}], "note": "x"}
    assert (await world.post("manager", "/api/exceptions/held", body)).status_code == 404
    assert (await world.post("hr", "/api/exceptions/held", body)).json() == {"count": 1}


@pytest.mark.parametrize("month", ["2026-13", "2026-3", "march"])
async def test_a_month_that_does_not_exist_is_refused(world: World, month: str) -> None:
    answer = await world.get("hr", f"/api/months/{month}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
