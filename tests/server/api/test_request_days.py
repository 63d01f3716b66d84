"""What the engine makes of requests once they are approved, and once they are not any more."""

import datetime as dt

from sqlalchemy import insert, update

from server.store import tables
from server.store.schema import metadata
from tests.server.api.asking import (
    WEEK,
    ask,
    correction,
    day_of,
    decide,
    leave,
    overtime,
    punch,
    refused,
)
from tests.server.api.company import DAY, World, local_ms

TUE = WEEK[1]
HOUR_MS = 3_600_000


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


async def test_overtime_is_warned_of_by_the_limits_that_hold_for_the_person(office: World) -> None:
    asked = overtime("06T18:00", "06T22:00")
    async with office.db.writing() as connection:
        row = {"attendance_group": "", "from_on": dt.date(2026, 1, 1), "actor": "hr", "published_ms": 1}
        limits = {"day_ot_limit_min": 300, "month_ot_limit_min": 200}
        await connection.execute(insert(metadata.tables["policies"]).values(**row, settings=limits))
    answer = await office.post("employee", "/api/my/requests/check", asked)
    assert answer.json()["warnings"] == ["ot_limit_month"]


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
