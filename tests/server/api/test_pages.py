"""What each page gets; expected values are read off the table in company.py."""

import pytest
from sqlalchemy import func, insert, select

from server.api.views.attendance import MyDayView, TodayView
from server.api.views.devices import DevicesView
from server.api.views.people import UnmatchedListView
from server.api.views.session import MeView
from server.store import tables
from tests.server.api.company import DAY, NOW_MS, World, local_ms


async def test_today_opens_on_the_newest_day_with_results(any_world: World) -> None:
    answer = TodayView.model_validate((await any_world.get("hr", "/api/today")).json())
    assert (answer.date, answer.newest_date, answer.zone) == (DAY, DAY, "Asia/Shanghai")
    assert answer.scheduled == 4
    assert answer.counts == {"normal": 1, "late": 1, "absent": 1, "not_yet": 1}
    assert [(row.employee, row.status) for row in answer.rows] == [
        ("e4", "not_yet"),
        ("e3", "absent"),
        ("e1", "normal"),
        ("e2", "late"),
    ]
    assert [name.id for name in answer.sites] == ["d1", "d2"]
    assert answer.version > 0


async def test_punches_of_today_are_newest_first_with_their_fates(any_world: World) -> None:
    answer = TodayView.model_validate((await any_world.get("hr", f"/api/today?date={DAY}")).json())
    assert [(punch.at_ms, punch.employee, punch.fate) for punch in answer.punches] == [
        (local_ms(18, 30), None, "open"),
        (local_ms(18, 2), "e1", "used"),
        (local_ms(18, 0), "e2", "used"),
        (local_ms(9, 30), None, "open"),
        (local_ms(9, 10, 30), "e2", "merged"),
        (local_ms(9, 10), "e2", "used"),
        (local_ms(8, 59), "e3", "held"),
        (local_ms(8, 58), "e1", "used"),
    ]
    first = answer.punches[-1]
    assert (first.terminal_name, first.direction, first.method, first.sources) == ("Door T1", "unknown", "face", 2)


async def test_today_narrows_to_a_department_with_those_below_and_to_a_site(any_world: World) -> None:
    of_ops = (await any_world.get("hr", "/api/today?department=ops")).json()
    assert ([row["employee"] for row in of_ops["rows"]], of_ops["scheduled"]) == (["e1", "e2"], 2)
    of_site = (await any_world.get("hr", "/api/today?site=d2")).json()
    assert ([row["employee"] for row in of_site["rows"]], of_site["punches"]) == (["e4"], [])


async def test_a_day_without_anything_is_empty_not_missing(world: World) -> None:
    answer = (await world.get("hr", "/api/today?date=2026-03-03")).json()
    assert (answer["rows"], answer["counts"], answer["punches"]) == ([], {}, [])


async def test_two_shifts_on_one_day_are_one_row_with_the_worse_status(any_world: World) -> None:
    async with any_world.db.writing() as connection:
        first = select(tables.attendance_days).where(tables.attendance_days.c.employee == "e2")
        row = dict((await connection.execute(first)).one()._mapping) | {"part": 1, "status": "missing_out"}
        await connection.execute(insert(tables.attendance_days).values(**row | {"worked_min": 30, "late_min": 5}))
    answer = TodayView.model_validate((await any_world.get("hr", "/api/today")).json())
    rows = [row for row in answer.rows if row.employee == "e2"]
    assert [(row.status, row.worked_min, row.late_min) for row in rows] == [("missing_out", 500, 15)]
    assert answer.counts == {"normal": 1, "missing_out": 1, "absent": 1, "not_yet": 1}


async def test_my_day_explains_every_punch(any_world: World) -> None:
    answer = MyDayView.model_validate((await any_world.get("employee", "/api/days/me/newest")).json())
    assert (answer.employee, answer.name, answer.date) == ("e2", "Li Lei", DAY)
    [record] = answer.records
    assert (record.status, record.required_min, record.worked_min, record.late_min) == ("late", 480, 470, 10)
    assert (record.shift and record.shift.id, record.shift_start, record.rules) == ("D", "09:00", ["AR-5"])
    assert [(punch.id, punch.fate) for punch in answer.punches] == [(3, "used"), (4, "merged"), (5, "used")]


async def test_days_lead_to_the_ones_before_and_after(any_world: World) -> None:
    before = (await any_world.get("hr", "/api/days/e2/2026-03-01")).json()
    assert (before["records"], before["previous_date"], before["next_date"]) == ([], None, "2026-03-02")
    after = (await any_world.get("hr", "/api/days/e2/2026-03-05")).json()
    assert (after["previous_date"], after["next_date"]) == ("2026-03-02", None)


async def test_a_day_is_in_the_zone_of_the_persons_site(world: World) -> None:
    assert (await world.get("hr", f"/api/days/e4/{DAY}")).json()["zone"] == "Asia/Tokyo"


async def test_devices_show_what_needs_a_person(any_world: World) -> None:
    answer = DevicesView.model_validate((await any_world.get("it", "/api/devices")).json())
    assert [(row.id, row.online, row.attention) for row in answer.gateways] == [("gw-0000000001", False, True)]
    assert [(row.serial, row.kind, row.state) for row in answer.terminals] == [
        ("S1", "scanner", "unknown"),
        ("T1", "terminal", "unknown"),
    ]
    assert answer.now_ms == NOW_MS


@pytest.mark.parametrize(
    ("last_seen_ms", "health", "online", "attention"),
    [
        (NOW_MS - 89_000, {}, True, False),
        (NOW_MS - 90_000, {}, False, True),
        (NOW_MS - 1_000, {"alarms": ["damaged_row"]}, True, True),
        (NOW_MS - 1_000, {"quota_used_pct": 80}, True, True),
    ],
)
async def test_a_gateway_needs_somebody_when_silent_or_in_trouble(
    world: World, last_seen_ms: int, health: dict[str, object], online: bool, attention: bool
) -> None:
    report = {"at": 1, "mono_ms": 1, "software": "1", "backlog": 3, "oldest_unacked_ms": None}
    report |= {"free_bytes": 9, "quota_used_pct": 1} | health
    async with world.db.writing() as connection:
        await connection.execute(tables.gateways.update().values(last_seen_ms=last_seen_ms, health=report))
    [gateway] = (await world.get("it", "/api/devices")).json()["gateways"]
    assert (gateway["online"], gateway["attention"], gateway["backlog"]) == (online, attention, 3)


FOUND = {
    "": ["e2", "e4", "e1", "e3"],
    "?q=wang": ["e1"],
    "?q=E3": ["e3"],
    "?q=2": ["e2"],
    "?q=%25": [],
    "?department=fin": ["e4", "e3"],
    "?site=d2": ["e4"],
    "?limit=1&offset=1": ["e4"],
}


async def test_employees_are_found_by_name_id_and_number(any_world: World) -> None:
    for query, expected in FOUND.items():
        answer = (await any_world.get("hr", f"/api/employees{query}")).json()
        assert [row["id"] for row in answer["rows"]] == expected, query
        assert answer["total"] == (4 if "limit" in query else len(expected)), query


async def test_an_employee_shows_the_numbers_on_terminals(world: World) -> None:
    answer = (await world.get("hr", "/api/employees?q=e1")).json()
    assert answer["rows"][0]["user_codes"] == ["g1/1"]


async def test_unmatched_numbers_wait_with_their_punches(any_world: World) -> None:
    answer = UnmatchedListView.model_validate((await any_world.get("hr", "/api/unmatched")).json())
    [row] = answer.rows
    assert (row.user_group, row.user_code, row.terminals, row.punches) == ("g1", "77", ["Door T1"], 2)
    assert (row.first_ms, row.last_ms) == (local_ms(9, 30), local_ms(18, 30))


async def test_an_assigned_number_takes_its_punches_along(any_world: World) -> None:
    """09:30 and 18:30 lie in the windows of shifts that start on the day before, the day, and no later."""
    body = {"user_group": "g1", "user_code": "77", "employee": "e4"}
    answer = await any_world.post("hr", "/api/unmatched/assign", body)
    assert (answer.status_code, answer.json()["punches"]) == (200, 2)
    async with any_world.db.reading() as connection:
        moved = await connection.scalars(
            select(tables.punches.c.id).where(tables.punches.c.employee == "e4").order_by(tables.punches.c.id)
        )
        days = (await connection.scalars(select(tables.touched_days.c.date))).all()
        topics = (await connection.scalars(select(tables.changes.c.topic))).all()
        logged = (await connection.execute(select(tables.operation_log))).one()
    assert list(moved) == [7, 8]
    assert DAY in days
    assert answer.json()["days"] == len(days)
    assert {"unmatched", "employee:e4"} <= set(topics)
    assert (logged.actor, logged.action, logged.object, logged.ip) == ("hr", "people.assign", "g1/77", "10.1.1.1")
    assert (await any_world.get("hr", "/api/unmatched")).json()["rows"] == []
    again = await any_world.post("hr", "/api/unmatched/assign", body)
    assert again.json() == {"punches": 0, "days": 0}


@pytest.mark.parametrize(
    ("code", "employee", "status", "error"),
    [("1", "e4", 422, "number_taken"), ("77", "e9", 404, "not_found")],
)
async def test_a_number_is_not_taken_from_somebody_nor_given_to_nobody(
    any_world: World, code: str, employee: str, status: int, error: str
) -> None:
    body = {"user_group": "g1", "user_code": code, "employee": employee}
    answer = await any_world.post("hr", "/api/unmatched/assign", body)
    assert (answer.status_code, answer.json()["code"]) == (status, error)
    async with any_world.db.reading() as connection:
        waiting = tables.punches.c.employee.is_(None)
        assert await connection.scalar(select(func.count()).where(waiting)) == 2


async def test_operations_show_who_did_what_newest_first(world: World) -> None:
    await world.post("hr", "/api/unmatched/assign", {"user_group": "g1", "user_code": "77", "employee": "e4"})
    await world.post("hr", "/api/logout")
    answer = (await world.get("administrator", "/api/operations?limit=1")).json()
    assert (answer["total"], [row["action"] for row in answer["rows"]]) == (2, ["logout"])


async def test_me_says_what_the_menu_may_show(world: World) -> None:
    answer = MeView.model_validate((await world.get("manager", "/api/me")).json())
    assert (answer.role, answer.employee, answer.zone) == ("manager", "e1", "Asia/Shanghai")
    of_others = [
        "today.read",
        "scores.read",
        "scores.judge",
        "schemes.read",
        "people.read",
        "rosters.read",
        "requests.read",
        "months.read",
        "reports.read",
    ]
    deciding = ["rosters.write", "requests.decide", "exceptions.decide", "facts.review"]
    assert set(answer.permissions) == {"me.read", "me.request", *of_others, *deciding}
    assert [name.id for name in answer.departments] == ["ops", "ops-north"]


async def test_health_is_for_anybody_and_tells_when_frames_stop(world: World) -> None:
    assert (await world.get(None, "/health")).json() == {
        "status": "degraded",
        "frame_age_ms": None,
        "ingest_age_ms": None,
    }
    await world.hub.tick()
    world.time.now_ms += 9_999
    assert (await world.get(None, "/health")).json()["status"] == "ok"
    world.time.now_ms += 1
    assert (await world.get(None, "/health")).json() == {
        "status": "degraded",
        "frame_age_ms": 10_000,
        "ingest_age_ms": None,
    }
