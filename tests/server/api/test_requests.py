"""Asking, deciding, taking back: through the API, on both databases."""

import asyncio
import datetime as dt

import pytest
from sqlalchemy import insert, select, update

from server.services.approvals import time_out
from server.store import tables
from server.store.metadata import metadata
from tests.server.api.asking import (
    PDF,
    WEEK,
    add_user,
    ask,
    correction,
    day_of,
    decide,
    detail,
    grant,
    leave,
    overtime,
    prepare,
    punch,
    refused,
)
from tests.server.api.company import DAY, NOW_MS, World, local_ms

TUE = WEEK[1]
HOUR_MS = 3_600_000


@pytest.fixture
async def office(world: World) -> World:
    """The company with a week of shifts."""
    return await prepare(world)


@pytest.fixture
async def any_office(any_world: World) -> World:
    """The same on both databases."""
    return await prepare(any_world)


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_a_check_says_minutes_balance_and_who_decides(any_office: World) -> None:
    await grant(any_office, "e2", "annual", 960)
    answer = (
        await any_office.post("employee", "/api/my/requests/check", leave("03T09:00", "04T12:00", "annual"))
    ).json()
    assert answer["minutes"] == 660
    assert answer["days"] == {"2026-03-03": 480, "2026-03-04": 180}
    assert answer["cover"] == {"needed_min": 660, "before_min": 960, "after_min": 300}
    assert [(step["role"], [one["login"] for one in step["approvers"]]) for step in answer["chain"]] == [
        ("manager", ["boss"])
    ]
    assert (await any_office.get("employee", "/api/my/requests")).json()["total"] == 0, "a check stores nothing"


async def test_leave_is_asked_for_seen_by_the_manager_and_approved(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T18:00", reason="family"))
    inbox = (await any_office.get("manager", "/api/approvals")).json()
    assert [row["request"]["id"] for row in inbox["rows"]] == [number]
    assert (await any_office.get("hr", "/api/approvals")).json()["total"] == 0, "it is not the turn of HR"
    assert (await any_office.get("manager", "/api/requests/counts")).json() == {"waiting": 1, "own_pending": 0}
    assert (await any_office.get("employee", "/api/requests/counts")).json() == {"waiting": 0, "own_pending": 1}
    assert await decide(any_office, number) == {"state": "approved"}
    found = await detail(any_office, number, "employee")
    assert (found["request"]["state"], found["request"]["minutes"]) == ("approved", 480)
    assert [(one["decision"], one["actor"], one["comment"]) for one in found["history"]] == [("approved", "boss", "so")]
    async with any_office.db.reading() as connection:
        log = select(tables.operation_log.c.actor, tables.operation_log.c.action, tables.operation_log.c.detail)
        rows = (await connection.execute(log.where(tables.operation_log.c.object == f"request/{number}"))).all()
    assert [(row.actor, row.action) for row in rows] == [("lilei", "request.ask"), ("boss", "request.approved")]
    assert "family" not in repr(rows), "reasons are personal"


async def test_long_leave_needs_hr_after_the_manager(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "06T18:00"))
    assert (await decide(any_office, number, role="hr"))["code"] == "forbidden"
    assert await decide(any_office, number) == {"state": "pending"}
    assert (await any_office.get("manager", "/api/approvals")).json()["total"] == 0
    assert await decide(any_office, number, role="hr") == {"state": "approved"}
    assert [one["actor"] for one in (await detail(any_office, number))["history"]] == ["boss", "hr"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (leave("03T18:00", "03T09:00"), "bad_span"),
        (leave("07T09:00", "08T18:00"), "no_shift"),
        (leave("03T12:00", "03T13:00"), "no_shift"),
        (leave("03T09:00", "03T18:00", "nothing"), "no_leave_type"),
        (leave("03T99:00", "03T18:00"), "bad_time"),
        ({"kind": "leave", "leave_type": "sick", "start": "2024-12-02T09:00", "end": "2024-12-02T18:00"}, "no_shift"),
        (overtime("03T18:00", "04T18:01"), "too_long"),
        (correction("03T09:00"), "in_future"),
        (correction("02T09:00", reason=" "), "reason_missing"),
        ({"kind": "leave_end", "about": 999}, "no_leave"),
        ({"kind": "swap", "other": "e3", "date": "2026-03-03"}, "bad_swap"),
        ({"kind": "swap", "other": "e2", "date": "2026-03-03"}, "bad_swap"),
        ({"kind": "trip", "start": "2024-12-02T09:00", "end": "2024-12-02T18:00"}, "not_employed"),
    ],
)
async def test_what_does_not_fit_is_refused_with_a_code_and_nothing_is_stored(
    office: World, body: dict[str, object], code: str
) -> None:
    assert (await refused(office, body))[0] == code
    assert (await office.get("employee", "/api/my/requests")).json()["total"] == 0


async def test_a_time_that_clocks_skip_is_refused(office: World) -> None:
    async with office.db.writing() as connection:
        await connection.execute(update(tables.sites).where(tables.sites.c.id == "d1").values(zone="Europe/Berlin"))
    code, _ = await refused(office, {"kind": "trip", "start": "2026-03-29T02:30", "end": "2026-03-29T12:00"})
    assert code == "no_such_time"


async def test_leave_without_balance_says_what_is_needed_and_left(any_office: World) -> None:
    await grant(any_office, "e2", "annual", 600)
    code, parameters = await refused(any_office, leave("03T09:00", "04T18:00", "annual"))
    assert (code, parameters) == (
        "leave_no_balance",
        {"leave_type": "annual", "needed": "960", "left": "600", "short": "360"},
    )
    await ask(any_office, leave("03T09:00", "03T18:00", "annual"))
    assert (await refused(any_office, leave("04T09:00", "04T18:00", "annual")))[1]["left"] == "120", "asked is reserved"


async def test_overlapping_absences_are_refused(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T18:00"))
    assert await refused(any_office, leave("03T17:00", "04T12:00")) == ("overlap", {"request": str(number)})
    assert (await refused(any_office, {"kind": "trip", "start": "2026-03-03T12:00", "end": "2026-03-03T14:00"}))[
        0
    ] == "overlap"
    await ask(any_office, leave("04T09:00", "04T18:00"))
    await any_office.post("employee", f"/api/requests/{number}/withdraw")
    await ask(any_office, leave("03T09:00", "03T12:00"))


async def test_leave_beyond_the_planned_roster_follows_the_groups_pattern(office: World) -> None:
    async with office.db.writing() as connection:
        days = [["DB"]] * 5 + [[], []]
        pattern = {"id": "week", "name_zh": "周", "name_en": "Week", "kind": "weekly", "days": days}
        await connection.execute(insert(metadata.tables["patterns"]).values(**pattern, by_calendar=False))
        group = {"id": "g", "name_zh": "组", "name_en": "G", "pattern": "week", "anchor_on": None}
        await connection.execute(insert(metadata.tables["attendance_groups"]).values(**group))
        member = {"employee": "e2", "from_on": DAY, "attendance_group": "g", "to_on": None}
        await connection.execute(insert(metadata.tables["group_members"]).values(**member))
    answer = (await office.post("employee", "/api/my/requests/check", leave("06T09:00", "10T18:00"))).json()
    assert answer["days"] == {"2026-03-06": 480, "2026-03-09": 480, "2026-03-10": 480}


# --- corrections ----------------------------------------------------------------------------------------------------


async def test_corrections_have_a_quota_that_hr_may_exceed(any_office: World) -> None:
    for minute in range(3):
        await ask(any_office, correction(f"02T09:0{minute}"))
    assert await refused(any_office, correction("02T09:30")) == ("correction_quota", {"used": "3", "most": "3"})
    body = {"employee": "e2", "request": correction("02T09:30")}
    assert (await any_office.post("hr", "/api/requests/check", body)).json()["warnings"] == ["correction_quota"]
    number = (await any_office.post("hr", "/api/requests", body)).json()["id"]
    found = (await detail(any_office, number))["request"]
    assert (found["by_hr"], found["beyond_quota"], found["date"], found["created_by"]) == (
        True,
        True,
        "2026-03-02",
        "hr",
    )
    options = (await any_office.get("employee", "/api/my/requests/options")).json()
    assert (options["corrections_used"], options["corrections_most"], options["today"]) == (3, 3, "2026-03-02")


async def test_hr_keeps_to_the_limits_for_itself(office: World) -> None:
    await add_user(office, "hr", "hr2", [], employee="e3")
    for minute in range(3):
        await ask(office, correction(f"02T09:0{minute}"), "hr2")
    body = {"employee": "e3", "request": correction("02T09:30")}
    assert (await office.post("hr2", "/api/requests", body)).json()["code"] == "correction_quota"
    assert (await office.post("hr", "/api/requests", body)).status_code == 201


async def test_corrections_have_a_time_limit_that_hr_sets(any_office: World) -> None:
    any_office.time.now_ms = NOW_MS + 8 * 24 * HOUR_MS
    async with any_office.db.writing() as connection:
        await connection.execute(
            update(tables.sessions).values(created_ms=any_office.time.now_ms, seen_ms=any_office.time.now_ms)
        )
    assert await refused(any_office, correction("02T09:00")) == ("correction_too_late", {"days": "7"})
    steps = [{"role": "manager", "hours": 24, "then": "escalate"}]
    async with any_office.client("hr") as client:
        body = {"steps": steps, "within_days": 9}
        assert (await client.put("/api/approval-chains/correction", json=body)).status_code == 204
    await ask(any_office, correction("02T09:00"))
    assert await refused(any_office, correction("02T09:00")) == ("overlap", {})


async def test_a_correction_after_midnight_is_of_the_night_before(office: World) -> None:
    office.time.now_ms = local_ms(7, day=WEEK[2])
    async with office.db.writing() as connection:
        await connection.execute(
            update(tables.sessions).values(created_ms=office.time.now_ms, seen_ms=office.time.now_ms)
        )
    number = await ask(office, correction("04T06:01", direction="out"), "other")
    assert (await detail(office, number))["request"]["date"] == "2026-03-03"


# --- closed months --------------------------------------------------------------------------------------------------


async def close_march(world: World) -> None:
    async with world.db.writing() as connection:
        row = {"month": "2026-03", "closed_ms": NOW_MS, "closed_by": "hr", "summary": {}}
        await connection.execute(insert(metadata.tables["closings"]).values(**row))


async def test_requests_for_a_closed_month_are_refused_at_every_turn(any_office: World) -> None:
    waiting = await ask(any_office, leave("03T09:00", "03T18:00"))
    approved = await ask(any_office, leave("04T09:00", "04T18:00"))
    await decide(any_office, approved)
    await close_march(any_office)
    for body in (leave("05T09:00", "05T18:00"), correction("02T09:00"), overtime("05T18:00", "05T20:00")):
        assert (await refused(any_office, body))[0] == "month_closed"
    assert (await refused(any_office, {"kind": "leave_end", "about": approved}))[0] == "month_closed"
    assert (await decide(any_office, waiting))["code"] == "month_closed"
    cancelled = await any_office.post("hr", f"/api/requests/{approved}/cancel", {})
    assert cancelled.json()["code"] == "month_closed"
    assert [(await detail(any_office, one))["request"]["state"] for one in (waiting, approved)] == [
        "pending",
        "approved",
    ]
    assert await decide(any_office, waiting, "refused") == {"state": "refused"}, "refusing changes no fact"


async def test_overtime_after_a_night_of_a_closed_month_is_refused(office: World) -> None:
    async with office.db.writing() as connection:
        night = {"employee": "e2", "date": DAY - dt.timedelta(days=2), "shift": "N"}
        await connection.execute(insert(tables.roster).values(**night))
        closing = {"month": "2026-02", "closed_ms": NOW_MS, "closed_by": "hr", "summary": {}}
        await connection.execute(insert(metadata.tables["closings"]).values(**closing))
    assert (await refused(office, overtime("01T06:00", "01T08:00")))[0] == "month_closed"
    assert (await refused(office, correction("01T06:01")))[0] == "month_closed"
    await ask(office, overtime("01T12:00", "01T14:00"))


# --- deciding -------------------------------------------------------------------------------------------------------


async def test_a_refusal_needs_a_reason_and_a_step_must_be_the_one_seen(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "06T18:00"))
    assert (await decide(any_office, number, "refused", comment=" "))["code"] == "comment_missing"
    assert (await decide(any_office, number, step=1))["code"] == "step_passed"
    assert await decide(any_office, number, step=0) == {"state": "pending"}
    assert await decide(any_office, number, "refused", role="hr", step=1) == {"state": "refused"}
    assert (await decide(any_office, number, role="hr"))["code"] == "not_pending"


async def test_two_approvers_at_once_decide_once(any_office: World) -> None:
    await add_user(any_office, "manager", "boss2", ["ops"])
    number = await ask(any_office, leave("03T09:00", "03T18:00"))
    answers = await asyncio.gather(*(decide(any_office, number, role=role) for role in ("manager", "boss2") * 3))
    assert sorted(answer.get("state") or answer["code"] for answer in answers) == ["approved"] + ["not_pending"] * 5
    assert len((await detail(any_office, number))["history"]) == 1


async def test_a_balance_is_not_spent_twice(any_office: World) -> None:
    await grant(any_office, "e2", "annual", 480)
    bodies = [leave(f"0{day}T09:00", f"0{day}T18:00", "annual") for day in (3, 4, 5, 6)]
    answers = await asyncio.gather(*(any_office.post("employee", "/api/my/requests", body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    [balance] = [
        b for b in (await any_office.get("employee", "/api/balances/me")).json()["balances"] if b["type"] == "annual"
    ]
    assert (balance["given_min"], balance["asked_min"], balance["left_min"]) == (480, 480, 0)


async def test_many_are_decided_each_on_its_own(any_office: World) -> None:
    first = await ask(any_office, leave("03T09:00", "03T18:00"))
    second = await ask(any_office, leave("04T09:00", "04T18:00"))
    own = await ask(any_office, leave("05T09:00", "05T18:00"), "manager")
    await any_office.post("employee", f"/api/requests/{second}/withdraw")
    body = {"decision": "approved", "requests": [{"id": number} for number in (first, second, own, 999)]}
    results = (await any_office.post("manager", "/api/approvals/decide", body)).json()["results"]
    assert [(one["state"], one["code"]) for one in results] == [
        ("approved", None),
        (None, "not_pending"),
        (None, "forbidden"),
        (None, "not_found"),
    ]


async def test_a_managers_own_request_goes_to_hr(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T18:00"), "manager")
    assert (await detail(any_office, number))["request"]["waits_for"] == "hr"
    assert (await decide(any_office, number))["code"] == "forbidden"
    assert await decide(any_office, number, role="hr") == {"state": "approved"}


async def test_hr_takes_over_what_a_manager_leaves_lying(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T18:00"))
    assert (await decide(any_office, number, "escalated", role="employee"))["code"] == "forbidden"
    assert await decide(any_office, number, "escalated", role="hr") == {"state": "pending"}
    assert (await decide(any_office, number))["code"] == "forbidden"
    assert (await decide(any_office, number, "escalated", role="hr"))["code"] == "nowhere_to_escalate"
    assert await decide(any_office, number, role="hr") == {"state": "approved"}


async def test_time_moves_a_request_on_and_ends_it(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T18:00"))
    due_ms = (await detail(any_office, number))["request"]["due_ms"]
    assert due_ms == NOW_MS + 48 * HOUR_MS
    assert await time_out(any_office.db, due_ms - 1) == 0
    assert await time_out(any_office.db, due_ms) == 1
    assert await time_out(any_office.db, due_ms) == 0, "HR has its own time"
    assert await time_out(any_office.db, due_ms + 168 * HOUR_MS) == 1
    found = await detail(any_office, number)
    assert found["request"]["state"] == "refused"
    assert [(one["decision"], one["actor"], one["comment"]) for one in found["history"]] == [
        ("escalated", "system", "time_out"),
        ("refused", "system", "time_out"),
    ]


async def test_time_can_not_approve_what_lacks_a_document(any_office: World) -> None:
    async with any_office.client("hr") as client:
        steps = [{"role": "manager", "hours": 1, "then": "approve"}]
        assert (await client.put("/api/approval-chains/leave", json={"steps": steps})).status_code == 204
    plain = await ask(any_office, leave("03T09:00", "03T18:00", "sick"))
    lacking = await ask(any_office, leave("04T09:00", "05T18:00", "sick"))
    assert await time_out(any_office.db, NOW_MS + HOUR_MS) == 2
    states = [(await detail(any_office, one))["request"]["state"] for one in (plain, lacking)]
    assert states == ["approved", "refused"]
    assert (await detail(any_office, lacking))["history"][0]["comment"] == "time_out file_missing"


async def test_a_chain_without_steps_approves_at_once(any_office: World) -> None:
    async with any_office.client("hr") as client:
        assert (await client.put("/api/approval-chains/field", json={"steps": []})).status_code == 204
    number = await ask(any_office, {"kind": "field", "start": "2026-03-03T09:00", "end": "2026-03-03T18:00"})
    found = await detail(any_office, number)
    assert (found["request"]["state"], found["history"][0]["actor"]) == ("approved", "system")


async def test_a_delegate_decides_for_another_and_not_for_themselves(any_office: World) -> None:
    await add_user(any_office, "manager", "north", ["ops-north"], employee="e5")
    await add_user(any_office, "manager", "fin", ["fin"], employee="e3")
    number = await ask(any_office, leave("03T09:00", "03T18:00"))
    body = {"to": "fin", "from_ms": NOW_MS, "to_ms": NOW_MS + HOUR_MS}
    assert (await any_office.get("fin", f"/api/requests/{number}")).status_code == 404
    made = await any_office.post("north", "/api/delegations", body)
    assert made.status_code == 201
    inbox = (await any_office.get("fin", "/api/approvals")).json()
    assert [(row["request"]["id"], row["for_login"]) for row in inbox["rows"]] == [(number, "north")]
    assert await decide(any_office, number, role="fin") == {"state": "approved"}
    [step] = (await detail(any_office, number, "fin"))["history"]
    assert (step["actor"], step["for_user"]) == ("fin", "north")
    assert (await any_office.get("fin", "/api/delegations")).json()["rows"][0]["given"] is False
    ended = await any_office.post("fin", f"/api/delegations/{made.json()['id']}/end")
    assert ended.status_code == 404, "only who gave it ends it"
    assert (await any_office.post("north", f"/api/delegations/{made.json()['id']}/end")).status_code == 204
    second = await ask(any_office, leave("04T09:00", "04T18:00"))
    assert (await any_office.get("fin", f"/api/requests/{second}")).status_code == 404
    for wrong in ({**body, "to": "lilei"}, {**body, "to": "north"}, {**body, "to": "nobody"}):
        assert (await any_office.post("north", "/api/delegations", wrong)).json()["code"] == "bad_delegate"


# --- taking back ----------------------------------------------------------------------------------------------------


async def test_approved_leave_is_cancelled_by_the_employee_before_and_by_hr_after_it_begins(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T18:00"))
    await decide(any_office, number)
    assert (await any_office.post("manager", f"/api/requests/{number}/cancel", {})).status_code == 403
    later = await ask(any_office, leave("04T09:00", "04T18:00"))
    await decide(any_office, later)
    assert (await any_office.post("employee", f"/api/requests/{later}/cancel", {})).status_code == 204
    any_office.time.now_ms = local_ms(10, day=TUE)
    async with any_office.db.writing() as connection:
        await connection.execute(
            update(tables.sessions).values(created_ms=any_office.time.now_ms, seen_ms=any_office.time.now_ms)
        )
    assert (await any_office.post("employee", f"/api/requests/{number}/cancel", {})).json()["code"] == "has_begun"
    assert (await any_office.post("hr", f"/api/requests/{number}/cancel", {})).status_code == 204
    again = await any_office.post("hr", f"/api/requests/{number}/cancel", {})
    assert again.json()["code"] == "not_approved"


async def test_leave_that_ends_early_gives_back_its_minutes(any_office: World) -> None:
    await grant(any_office, "e2", "annual", 1440)
    number = await ask(any_office, leave("03T09:00", "05T18:00", "annual"))
    await decide(any_office, number)
    await decide(any_office, number, role="hr")
    body = {"kind": "leave_end", "about": number, "end": "2026-03-04T12:00", "reason": "back early"}
    assert (await any_office.post("employee", "/api/my/requests/check", body)).json()["minutes"] == 780
    end = await ask(any_office, body)
    assert (await refused(any_office, body))[0] == "overlap"
    assert await decide(any_office, end) == {"state": "approved"}
    rows = (await any_office.get("hr", "/api/requests?kind=leave")).json()["rows"]
    assert [(row["state"], row["minutes"]) for row in rows] == [("approved", 660), ("cancelled", 1440)]
    [balance] = [
        b for b in (await any_office.get("employee", "/api/balances/me")).json()["balances"] if b["type"] == "annual"
    ]
    assert (balance["used_min"], balance["left_min"]) == (660, 780)
    assert (await any_office.post("hr", f"/api/requests/{end}/cancel", {})).status_code == 403


# --- swaps ----------------------------------------------------------------------------------------------------------


async def shifts_of(world: World, day: dt.date) -> dict[str, list[str]]:
    table = tables.roster
    async with world.db.reading() as connection:
        rows = await connection.execute(table.select().where(table.c.date == day))
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row.employee, []).append(row.shift)
    return {employee: found.get(employee, []) for employee in ("e2", "e5")}


async def test_a_swap_needs_the_other_first_then_the_manager(any_office: World) -> None:
    names = (await any_office.get("employee", "/api/my/requests/colleagues?date=2026-03-03")).json()
    assert (names["own"], names["rows"]) == (["DB"], [{"id": "e5", "name": "Chen Jie", "shifts": ["N"]}])
    number = await ask(any_office, {"kind": "swap", "other": "e5", "date": "2026-03-03"})
    assert (await decide(any_office, number))["code"] == "forbidden"
    assert (await any_office.get("other", "/api/approvals")).json()["total"] == 1
    assert (await any_office.post("employee", f"/api/requests/{number}/consent", {"agree": True})).status_code == 403
    assert (await any_office.post("other", f"/api/requests/{number}/consent", {"agree": True})).json() == {
        "state": "pending"
    }
    assert await shifts_of(any_office, TUE) == {"e2": ["DB"], "e5": ["N"]}
    assert await decide(any_office, number) == {"state": "approved"}
    assert await shifts_of(any_office, TUE) == {"e2": ["N"], "e5": ["DB"]}
    assert (await any_office.post("hr", f"/api/requests/{number}/cancel", {})).status_code == 204
    assert await shifts_of(any_office, TUE) == {"e2": ["DB"], "e5": ["N"]}


async def test_a_swap_ends_when_the_other_does_not_want_it(any_office: World) -> None:
    number = await ask(any_office, {"kind": "swap", "other": "e5", "date": "2026-03-03"})
    assert (await any_office.post("other", f"/api/requests/{number}/consent", {"agree": False})).json() == {
        "state": "refused"
    }
    assert await shifts_of(any_office, TUE) == {"e2": ["DB"], "e5": ["N"]}


# --- documents ------------------------------------------------------------------------------------------------------


async def upload(
    world: World, number: int, content: bytes, role: str = "employee", name: str = "病假条.jpg"
) -> tuple[int, str]:
    async with world.client(role) as client:
        answer = await client.post(f"/api/requests/{number}/files", params={"name": name}, content=content)
    return answer.status_code, answer.json().get("code") or str(answer.json()["id"])


async def test_leave_that_needs_a_document_is_approved_with_it_only(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "04T18:00", "sick"))
    assert (await detail(any_office, number))["request"]["file_needed"] is True
    assert (await decide(any_office, number))["code"] == "file_missing"
    status, file = await upload(any_office, number, PDF)
    assert status == 201
    assert await decide(any_office, number) == {"state": "approved"}
    answer = await any_office.get("manager", f"/api/requests/{number}/files/{file}")
    assert (answer.content, answer.headers["content-type"]) == (PDF, "application/pdf")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%E7%97%85%E5%81%87%E6%9D%A1.pdf"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_documents_are_known_by_content_limited_and_seen_in_scope_only(office: World) -> None:
    number = await ask(office, leave("03T09:00", "04T18:00", "sick"))
    assert await upload(office, number, b"<html>") == (422, "file_type")
    assert await upload(office, number, b"") == (422, "file_empty")
    assert await upload(office, number, b"%PDF-" + b"x" * (10 * 1024 * 1024)) == (413, "too_large")
    assert await upload(office, number, PDF, "manager") == (403, "forbidden")
    assert await upload(office, number, PDF, "other") == (404, "not_found")
    for _ in range(5):
        status, file = await upload(office, number, PDF + b"x" * 100_000)
        assert status == 201
    assert await upload(office, number, PDF) == (422, "too_many_files")
    other = await ask(office, leave("03T22:00", "04T06:00"), "other")
    for role, path, expected in (
        ("other", f"/api/requests/{number}/files/{file}", 404),
        ("employee", f"/api/requests/{other}/files/{file}", 404),
        ("other", f"/api/requests/{other}/files/{file}", 404),
        ("it", f"/api/requests/{number}/files/{file}", 404),
        ("hr", f"/api/requests/{number}/files/{file}", 200),
    ):
        assert (await office.get(role, path)).status_code == expected, (role, path)


# --- words ----------------------------------------------------------------------------------------------------------


async def test_questions_and_answers_leave_the_request_where_it_is(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T18:00"))
    assert (await any_office.post("manager", f"/api/requests/{number}/comment", {"comment": "why?"})).status_code == 204
    assert (
        await any_office.post("employee", f"/api/requests/{number}/comment", {"comment": "family"})
    ).status_code == 204
    assert (await any_office.post("other", f"/api/requests/{number}/comment", {"comment": "x"})).status_code == 404
    found = await detail(any_office, number)
    assert [(one["decision"], one["comment"]) for one in found["history"]] == [
        ("asked_back", "why?"),
        ("commented", "family"),
    ]
    assert (found["request"]["state"], found["request"]["step"]) == ("pending", 0)


# --- what the engine makes of it ------------------------------------------------------------------------------------

NEXT_DAY = local_ms(23, 59, day=TUE)


async def test_ar16_approved_leave_is_leave_and_cancelled_leave_is_absence(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T18:00"))
    await decide(any_office, number)
    found = await day_of(any_office, "e2", TUE, NEXT_DAY)
    assert (found["status"], found["leave_min"], found["required_min"], found["leaves"]) == (
        "leave",
        480,
        0,
        {"personal": 480},
    )
    await any_office.post("hr", f"/api/requests/{number}/cancel", {})
    found = await day_of(any_office, "e2", TUE, NEXT_DAY)
    assert (found["status"], found["leave_min"], found["absent_min"], found["leaves"]) == ("absent", 0, 480, {})


async def test_ar17_leave_wins_until_it_is_ended(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T12:00"))
    await decide(any_office, number)
    await punch(any_office, "e2", (TUE, 8, 58), (TUE, 10, 30), (TUE, 18, 0))
    found = await day_of(any_office, "e2", TUE, NEXT_DAY)
    assert (found["status"], found["worked_min"], found["leave_min"]) == ("normal", 300, 180)
    assert "punch_during_leave" in found["flags"]
    end = await ask(any_office, {"kind": "leave_end", "about": number})
    await decide(any_office, end)
    found = await day_of(any_office, "e2", TUE, NEXT_DAY)
    assert (found["status"], found["worked_min"], found["leave_min"], found["flags"]) == ("normal", 480, 0, [])


async def test_ar23_overtime_counts_once_it_is_approved(any_office: World) -> None:
    await punch(any_office, "e2", (TUE, 8, 55), (TUE, 20, 50))
    number = await ask(any_office, overtime("03T18:00", "03T21:00"))
    found = await day_of(any_office, "e2", TUE, NEXT_DAY)
    assert found.get("ot_15_min", 0) == 0
    await decide(any_office, number)
    assert (await day_of(any_office, "e2", TUE, NEXT_DAY))["ot_15_min"] == 150
    await any_office.post("hr", f"/api/requests/{number}/cancel", {})
    found = await day_of(any_office, "e2", TUE, NEXT_DAY)
    assert (found["ot_15_min"], found["flags"]) == (0, ["ot_unapproved"])


async def test_ar27_banked_overtime_can_be_taken_as_leave(any_office: World) -> None:
    saturday = DAY - dt.timedelta(days=2)
    await punch(any_office, "e2", (saturday, 9, 0), (saturday, 15, 10))
    body = {"kind": "overtime", "start": "2026-02-28T09:00", "end": "2026-02-28T18:00", "to_comp": True}
    number = await ask(any_office, body)
    await decide(any_office, number)
    assert (await day_of(any_office, "e2", saturday, NEXT_DAY))["comp_min"] == 300
    [balance] = [
        b for b in (await any_office.get("employee", "/api/balances/me")).json()["balances"] if b["type"] == "comp"
    ]
    assert (balance["left_min"], balance["banked"]) == (300, [{"date": "2026-02-28", "minutes": 300}])
    assert balance["ledger"] == [], "what was banked is not copied"
    assert (await refused(any_office, leave("03T09:00", "03T18:00", "comp")))[0] == "leave_no_balance"
    used = await ask(any_office, leave("03T13:00", "03T18:00", "comp"))
    await decide(any_office, used)
    [balance] = [
        b for b in (await any_office.get("employee", "/api/balances/me")).json()["balances"] if b["type"] == "comp"
    ]
    assert (balance["given_min"], balance["used_min"], balance["left_min"]) == (300, 300, 0)


async def test_comp_of_a_legal_holiday_is_warned_of(office: World) -> None:
    async with office.db.writing() as connection:
        row = {"id": "CN", "country": "CN", "name_zh": "中国", "name_en": "China", "company": True}
        await connection.execute(insert(metadata.tables["calendars"]).values(**row))
        day = {"date": "2026-03-07", "type": "statutory", "name_zh": "节", "name_en": "Day"}
        edition = {"calendar": "CN", "year": 2026, "edition": 1, "days": [day], "source": "test", "actor": "hr"}
        await connection.execute(insert(metadata.tables["calendar_editions"]).values(**edition, published_ms=1))
    for body, expected in (
        (overtime("07T09:00", "07T12:00", to_comp=True), ["comp_not_allowed"]),
        (overtime("06T18:00", "06T20:00", to_comp=True), ["comp_only_rest_day"]),
        (overtime("06T18:00", "06T22:00"), ["ot_limit_day"]),
        (overtime("08T09:00", "08T12:00", to_comp=True), []),
    ):
        assert (await office.post("employee", "/api/my/requests/check", body)).json()["warnings"] == expected


async def test_an_approved_correction_fills_the_gap(any_office: World) -> None:
    any_office.time.now_ms = NEXT_DAY
    async with any_office.db.writing() as connection:
        await connection.execute(update(tables.sessions).values(created_ms=NEXT_DAY, seen_ms=NEXT_DAY))
    await punch(any_office, "e2", (TUE, 8, 55))
    number = await ask(any_office, correction("03T18:00", direction="out"))
    found = await day_of(any_office, "e2", TUE, NEXT_DAY)
    assert (found["status"], found["pending_min"]) == ("missing_out", 480)
    await decide(any_office, number)
    found = await day_of(any_office, "e2", TUE, NEXT_DAY)
    assert (found["status"], found["worked_min"], found["flags"]) == ("normal", 480, ["corrected"])
    assert -number in found["explain"]["used"]
    await any_office.post("hr", f"/api/requests/{number}/cancel", {})
    assert (await day_of(any_office, "e2", TUE, NEXT_DAY))["status"] == "missing_out"


# --- scope ----------------------------------------------------------------------------------------------------------


async def test_lists_and_details_keep_to_the_scope(any_office: World) -> None:
    number = await ask(any_office, leave("03T09:00", "03T18:00"))
    body = {"employee": "e3", "request": leave("03T09:00", "03T18:00")}
    foreign = (await any_office.post("hr", "/api/requests", body)).json()["id"]

    async def listed(role: str, query: str = "") -> list[int]:
        return [row["id"] for row in (await any_office.get(role, f"/api/requests{query}")).json()["rows"]]

    assert await listed("hr") == [foreign, number]
    assert await listed("manager") == [number]
    assert await listed("hr", "?department=fin") == [foreign]
    assert await listed("hr", "?department=ops") == [number], "those below come with it"
    assert await listed("hr", "?month=2026-04") == []
    assert await listed("hr", "?month=2026-03&state=pending&state=approved&kind=leave&employee=e2") == [number]
    assert await listed("manager", "?employee=e3") == []
    for role, expected in (("hr", 200), ("administrator", 200), ("manager", 404), ("employee", 404), ("it", 404)):
        assert (await any_office.get(role, f"/api/requests/{foreign}")).status_code == expected, role
    for path in ("decide", "comment", "consent", "cancel", "withdraw"):
        bodies = {"decide": {"decision": "approved"}, "comment": {"comment": "x"}, "consent": {"agree": True}}
        answer = await any_office.post("manager", f"/api/requests/{foreign}/{path}", bodies.get(path, {}))
        assert answer.status_code == 404, path
    assert (await any_office.get("employee", "/api/requests")).status_code == 403
    assert (await any_office.post("manager", "/api/requests", body)).status_code == 403
    assert (await any_office.get("hr", "/api/my/requests")).status_code == 404, "HR is no employee here"


async def test_balances_keep_to_the_scope(office: World) -> None:
    for role, employee, expected in (
        ("employee", "me", 200),
        ("employee", "e3", 403),
        ("manager", "e2", 200),
        ("manager", "e3", 404),
        ("hr", "e3", 200),
        ("hr", "e999", 404),
    ):
        assert (await office.get(role, f"/api/balances/{employee}")).status_code == expected, (role, employee)


async def test_settings_are_for_hr_only(office: World) -> None:
    steps: dict[str, list[object]] = {"steps": []}
    kind = {"name_zh": "假", "name_en": "Leave", "paid": True, "balance": "none", "unit_min": 60}
    for role, expected in (("manager", 403), ("employee", 403), ("it", 403)):
        async with office.client(role) as client:
            assert (await client.get("/api/approval-chains")).status_code == expected
            assert (await client.put("/api/approval-chains/leave", json=steps)).status_code == expected
            assert (await client.put("/api/leave-types/x", json=kind)).status_code == expected
            assert (await client.get("/api/requests/options?employee=e2")).status_code == expected
            assert (await client.post("/api/leave-grants", json={})).status_code == expected
    assert (await office.get("employee", "/api/delegations")).status_code == 403
    assert (await office.get("employee", "/api/leave-types")).status_code == 200


async def test_what_waits_is_shown_to_who_decides_it_only(office: World) -> None:
    await add_user(office, "manager", "chief", ["ops"])
    await add_user(office, "manager", "north", ["ops-north"])
    await add_user(office, "manager", "money", ["fin"])
    number = await ask(office, leave("03T09:00", "03T18:00"))
    found = {
        role: (await office.get(role, "/api/approvals")).json()["total"]
        for role in ("north", "chief", "manager", "money", "hr", "employee", "other", "it")
    }
    assert found == {"north": 1} | dict.fromkeys(("chief", "manager", "money", "hr", "employee", "other", "it"), 0)
    assert (await office.get("north", "/api/approvals?kind=overtime")).json()["total"] == 0
    assert (await decide(office, number, role="money"))["code"] == "not_found"
    assert await decide(office, number, role="chief") == {"state": "approved"}, "those above may decide too"


async def test_options_and_checks_in_somebodys_name_are_for_hr(office: World) -> None:
    body = {"employee": "e2", "request": leave("03T09:00", "03T18:00")}
    for role, expected in (("hr", 200), ("administrator", 200), ("manager", 403), ("employee", 403)):
        assert (await office.post(role, "/api/requests/check", body)).status_code == expected, role
        assert (await office.get(role, "/api/requests/options?employee=e2")).status_code == expected, role
    unknown = {**body, "employee": "e999"}
    assert (await office.post("hr", "/api/requests/check", unknown)).status_code == 404
    assert (await office.post("hr", "/api/requests", unknown)).status_code == 404
    for path in ("/api/my/requests/options", "/api/my/requests/colleagues?date=2026-03-03"):
        assert (await office.get("hr", path)).status_code == 404, "HR is no employee here"
        assert (await office.get("employee", path)).status_code == 200


async def test_grants_name_everybody_or_nobody(any_office: World) -> None:
    answer = await grant(any_office, "e999", "annual", 480)
    assert (answer.status_code, answer.json()["code"], answer.json()["parameters"]) == (
        422,
        "unknown_employee",
        {"employees": "e999"},
    )
    body = {"leave_type": "annual", "minutes": 480, "from_on": "2026-01-01", "key": "all", "department": "ops"}
    looked = (await any_office.post("hr", "/api/leave-grants", body)).json()
    assert (looked["stored"], [row["employee"] for row in looked["rows"]]) == (False, ["e1", "e2", "e5"])
    for repeated in (False, True):
        done = (await any_office.post("hr", "/api/leave-grants", {**body, "preview": False})).json()
        assert {(row["before_min"], row["after_min"], row["repeated"]) for row in done["rows"]} == {
            (480, 480, True) if repeated else (0, 480, False)
        }
    both = await any_office.post("hr", "/api/leave-grants", {**body, "employees": ["e1"]})
    assert both.json()["code"] == "bad_grant"


async def test_chains_and_types_are_read_back_as_they_were_put(any_office: World) -> None:
    async with any_office.client("hr") as client:
        steps = [{"role": "hr", "from_min": 60, "hours": 5, "then": "approve"}]
        assert (await client.put("/api/approval-chains/overtime", json={"steps": steps})).status_code == 204
        rows = {row["kind"]: row for row in (await client.get("/api/approval-chains")).json()["rows"]}
        assert rows["overtime"]["steps"] == steps
        assert (rows["correction"]["per_month"], rows["correction"]["within_days"]) == (3, 7)
        for wrong in (
            {"steps": [{"role": "hr", "hours": 5, "then": "escalate"}]},
            {"steps": steps, "per_month": 2},
            {"steps": [{"role": "manager", "hours": 0, "then": "refuse"}]},
        ):
            assert (await client.put("/api/approval-chains/overtime", json=wrong)).json()["code"] == "bad_chain"
        kind = {"name_zh": "学习假", "name_en": "Study leave", "paid": True, "balance": "granted", "unit_min": 60}
        assert (await client.put("/api/leave-types/study", json=kind)).status_code == 204
        wrong = {**kind, "carry_until": "03-31"}
        answer = (await client.put("/api/leave-types/study", json=wrong)).json()
        assert (answer["code"], answer["parameters"]) == ("bad_leave_type", {"field": "settings"})
        found = {row["id"]: row for row in (await client.get("/api/leave-types")).json()["rows"]}
    assert (found["study"]["name_zh"], found["study"]["balance"], found["annual"]["carry_until"]) == (
        "学习假",
        "granted",
        "03-31",
    )
