"""Asking for something, and who sees what: through the API, on both databases."""

import datetime as dt

import pytest
from sqlalchemy import insert, select, update

from server.store import tables
from server.store.schema import metadata
from tests.server.api.asking import (
    WEEK,
    add_user,
    ask,
    correction,
    decide,
    detail,
    grant,
    leave,
    overtime,
    refused,
)
from tests.server.api.company import DAY, NOW_MS, World, local_ms

TUE = WEEK[1]
HOUR_MS = 3_600_000


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


async def test_balances_of_many_keep_to_the_scope_and_agree_with_each(any_office: World) -> None:
    await grant(any_office, "e2", "annual", 960)
    await grant(any_office, "e3", "annual", 480)
    seen = (await any_office.get("hr", "/api/balances?date=2026-03-02")).json()
    left = {row["employee"]: row["left"]["annual"] for row in seen["rows"]}
    assert (left["e2"], left["e3"]) == (960, 480)
    assert seen["total"] == len(left)
    each = (await any_office.get("hr", "/api/balances/e2?date=2026-03-02")).json()["balances"]
    assert {one["type"]: one["left_min"] for one in each} == next(r for r in seen["rows"] if r["employee"] == "e2")[
        "left"
    ]
    own = (await any_office.get("manager", "/api/balances?date=2026-03-02")).json()
    assert {row["employee"] for row in own["rows"]} == {"e1", "e2", "e5"}
    found = (await any_office.get("hr", "/api/balances?date=2026-03-02&q=li%20l&limit=1")).json()
    assert [row["employee"] for row in found["rows"]] == ["e2"]
    assert (await any_office.get("hr", "/api/balances?date=2020-01-01")).json()["rows"] == []
    assert (await any_office.get("employee", "/api/balances")).status_code == 403


async def test_ones_own_month_is_ones_own(office: World) -> None:
    month = (await office.get("employee", "/api/my/month?month=2026-03")).json()
    assert [row["id"] for row in month["rows"]] == ["e2"]
    assert {cell["d"]: cell["k"] for cell in month["rows"][0]["cells"]}[TUE.day] == "DB"
    assert [shift["id"] for shift in month["shifts"] if shift["id"] == "DB"] == ["DB"]
    assert (await office.get("hr", "/api/my/month?month=2026-03")).status_code == 404


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
