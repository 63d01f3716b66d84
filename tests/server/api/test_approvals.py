"""Deciding, taking back, swapping, adding documents: through the API, on both databases."""

import asyncio
import datetime as dt

from sqlalchemy import update

from server.services.approvals import time_out
from server.store import tables
from tests.server.api.asking import (
    PDF,
    WEEK,
    add_user,
    ask,
    decide,
    detail,
    grant,
    leave,
    refused,
)
from tests.server.api.company import NOW_MS, World, local_ms

TUE = WEEK[1]
HOUR_MS = 3_600_000


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
