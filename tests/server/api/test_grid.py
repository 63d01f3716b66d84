"""People by days: who is in it, what the cells say, and what stands around a day."""

import datetime as dt
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

import msgspec
import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.access.topics import parse_topic
from server.api.answers import grid as answers
from server.api.views import grid as views
from server.api.views.base import View
from server.live.frames import Key, read_frame
from server.store import grid_queries, tables
from server.store.change_queries import note_changes
from server.store.closing_tables import adjustments, closings, decisions
from server.store.grid_queries import GridQuestion
from server.store.request_tables import requests
from tests.server.api.company import DAY, NOW_MS, World, local_ms

MONTH = (dt.date(2026, 3, 1), dt.date(2026, 3, 31))
ALL_PEOPLE = ["e1", "e2", "e3", "e4"]


async def grid(world: World, role: str = "hr", **query: Any) -> dict[str, Any]:
    async with world.client(role) as client:
        answer = await client.get("/api/grid", params={"month": "2026-03", **query})
    assert answer.status_code == 200, answer.text
    views.GridView.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [row["id"] for row in found["rows"]]


async def add(world: World, table: Any, **values: Any) -> None:
    async with world.db.writing() as connection:
        await connection.execute(insert(table).values(**values))


def result(employee: str, date: dt.date, part: int = 0, **values: Any) -> dict[str, Any]:
    """A row of ``attendance_days``, of zeros but for ``values``."""
    names = [column.name for column in tables.attendance_days.c if column.name.endswith("_min")]
    same = {"employee": employee, "date": date, "part": part, "shift": "D", "status": "normal", "flags": []}
    explain: dict[str, list[int]] = {"used": [], "merged": [], "held": [], "ignored": [], "rules": []}
    return {**same, **dict.fromkeys(names, 0), "explain": explain, "rule_version": "1", "computed_ms": 1, **values}


# --- what is in it --------------------------------------------------------------------------------------------------


async def test_a_grid_shows_everybody_in_scope_with_what_each_day_came_to(any_world: World) -> None:
    found = await grid(any_world)
    assert ids(found) == ["e4", "e3", "e1", "e2"], "by department, then name"
    cells = {row["id"]: row["cells"] for row in found["rows"]}
    assert cells["e1"] == [{"d": 2, "s": "normal", "w": 480, "k": "D", "i": local_ms(8, 58), "u": local_ms(18, 2)}]
    assert cells["e2"] == [
        {"d": 2, "s": "late", "w": 470, "l": 10, "f": ["duplicate_dropped"], "k": "D"}
        | {"i": local_ms(9, 10), "u": local_ms(18)}
    ]
    assert cells["e3"] == [{"d": 2, "s": "absent", "a": 480, "k": "D"}]
    assert cells["e4"] == [{"d": 2, "s": "not_yet", "k": "D"}], "planned, nothing computed"
    assert (found["month"], found["total"], len(found["dates"])) == ("2026-03", 4, 31)
    assert [column["day_type"] for column in found["dates"][:3]] == ["restday", "workday", "workday"]
    assert [shift["code"] for shift in found["shifts"]] == ["D"]


async def test_several_shifts_of_a_day_are_one_cell(any_world: World) -> None:
    await add(
        any_world,
        tables.attendance_days,
        **result(
            "e1", DAY, 1, shift="N", status="missing_out", pending_min=200, ot_20_min=30, comp_min=60,
            flags=["trip"], first_ms=local_ms(22),
        ),
    )  # fmt: skip
    [cell] = (await grid(any_world, q="e1"))["rows"][0]["cells"]
    assert (cell["s"], cell["n"], cell["w"], cell["p"], cell["o"]) == ("missing_out", 2, 480, 200, 90)
    assert (cell["i"], cell["u"], cell["f"], cell["k"]) == (local_ms(8, 58), local_ms(18, 2), ["trip"], "D")


async def test_sums_count_a_month_with_its_decisions(any_world: World) -> None:
    day = dt.date(2026, 3, 3)
    pending: dict[str, Any] = {"status": "missing_out", "required_min": 480, "pending_min": 480}
    await add(any_world, tables.attendance_days, **result("e2", day, **pending))
    made = {"employee": "e2", "date": day, "part": 0, "status": "missing_out", "absent_min": 200, "worked_min": 280}
    same = {"minutes": {"required": 480, "pending": 480}, "how": "manual", "note": "", "actor": "hr", "at_ms": 1}
    await add(any_world, decisions, **made, **same)
    row = (await grid(any_world, q="e2"))["rows"][0]
    sums = row["sums"]
    assert (sums["scheduled"], sums["required"], sums["worked"]) == (2, 960, 470 + 280)
    assert (sums["late_times"], sums["late"], sums["missing"]) == (1, 10, 1)
    assert (sums["absent"], sums["pending"]) == (200, 0)
    assert [cell.get("q", False) for cell in row["cells"]] == [False, True]
    async with any_world.db.writing() as connection:
        later = update(tables.attendance_days).where(tables.attendance_days.c.date == day)
        await connection.execute(later.values(pending_min=470, late_min=10))
    row = (await grid(any_world, q="e2"))["rows"][0]
    assert (row["sums"]["pending"], row["cells"][1].get("q", False)) == (470, False), "the decision has ended"


async def test_a_cell_says_that_something_came_after_the_closing(any_world: World) -> None:
    posted = {"posted_to": "2026-04", "status_from": "late", "status_to": "normal", "delta": {}, "computed_ms": 1}
    await add(any_world, adjustments, employee="e2", date=DAY, part=0, **posted)
    await add(any_world, closings, month="2026-03", closed_ms=77, closed_by="hr", summary={})
    found = await grid(any_world)
    marked = {row["id"]: [cell.get("j", False) for cell in row["cells"]] for row in found["rows"]}
    assert marked == {"e1": [False], "e2": [True], "e3": [False], "e4": [False]}
    assert found["closed_ms"] == 77


# --- narrowing, order, pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"department": "ops"}, ["e1", "e2"]),
        ({"department": "ops-north"}, ["e2"]),
        ({"site": "d2"}, ["e4"]),
        ({"status": ["late", "absent"]}, ["e3", "e2"]),
        ({"status": "leave"}, []),
        ({"q": "LI LEI"}, ["e2"]),
        ({"q": "%"}, []),
        ({"sort": "late", "order": "down"}, ["e2", "e1", "e3", "e4"]),
        ({"sort": "worked"}, ["e3", "e4", "e2", "e1"]),
        ({"sort": "name"}, ["e2", "e4", "e1", "e3"]),
        ({"sort": "id", "order": "down"}, ["e4", "e3", "e2", "e1"]),
        ({"sort": "id", "limit": 1, "offset": 1}, ["e2"]),
        ({"month": "2024-12"}, []),
    ],
)
async def test_a_grid_is_narrowed_and_ordered(any_world: World, query: dict[str, Any], expected: list[str]) -> None:
    assert ids(await grid(any_world, **query)) == expected


async def test_who_had_left_before_the_month_is_not_in_it(any_world: World) -> None:
    people = tables.employees
    async with any_world.db.writing() as connection:
        for employee, left_on in (("e1", dt.date(2026, 2, 28)), ("e2", dt.date(2026, 3, 1))):
            await connection.execute(update(people).where(people.c.id == employee).values(left_on=left_on))
    assert ids(await grid(any_world)) == ["e4", "e3", "e2"]


async def test_without_a_month_the_newest_with_results_is_shown(any_world: World) -> None:
    assert (await any_world.get("hr", "/api/grid")).json()["month"] == "2026-03"
    async with any_world.db.writing() as connection:
        await connection.execute(tables.attendance_days.delete())
        await connection.execute(update(tables.sites).values(zone="Asia/Shanghai"))
    any_world.time.now_ms = local_ms(20, day=dt.date(2026, 5, 4))
    async with any_world.db.writing() as connection:
        await connection.execute(
            update(tables.sessions).values(seen_ms=any_world.time.now_ms, created_ms=any_world.time.now_ms)
        )
    assert (await any_world.get("hr", "/api/grid")).json()["month"] == "2026-05"


@pytest.mark.parametrize("query", ["month=2026-13", "month=x", "status=odd", "sort=odd", "order=sideways", "limit=501"])
async def test_what_can_not_be_asked_is_refused(world: World, query: str) -> None:
    assert (await world.get("hr", f"/api/grid?{query}")).status_code == 422


# --- scope ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "status", "expected"),
    [
        ("administrator", 200, ["e4", "e3", "e1", "e2"]),
        ("hr", 200, ["e4", "e3", "e1", "e2"]),
        ("manager", 200, ["e1", "e2"]),
        ("employee", 403, None),
        ("it", 403, None),
        ("facilities", 403, None),
        (None, 401, None),
    ],
)
async def test_a_grid_has_nobody_outside_the_scope(
    any_world: World, role: str | None, status: int, expected: list[str] | None
) -> None:
    for query in ("", "&department=fin", "&q=e3", "&status=absent", "&sort=absent"):
        answer = await any_world.get(role, f"/api/grid?month=2026-03{query}")
        assert answer.status_code == status
        if expected is not None:
            found = answer.json()
            assert set(ids(found)) <= set(expected), query
            assert found["total"] == len(found["rows"]), query
    if expected is not None:
        assert ids(await grid(any_world, str(role))) == expected


async def test_a_manager_is_not_told_of_other_departments_and_their_sites(any_world: World) -> None:
    found = await grid(any_world, "manager")
    assert [row["id"] for row in found["departments"]] == ["ops", "ops-north"]
    assert [row["id"] for row in found["sites"]] == ["d1"]


QUERIES: dict[str, Callable[[AsyncConnection, Scope], Awaitable[Any]]] = {
    "newest_month": grid_queries.newest_month,
    "grid_people": lambda connection, scope: grid_queries.grid_people(
        connection, scope, GridQuestion(*MONTH), limit=50, offset=0
    ),
    "grid_records": lambda connection, scope: grid_queries.grid_records(connection, scope, ALL_PEOPLE, *MONTH),
    "days_without_record": lambda connection, scope: grid_queries.days_without_record(
        connection, scope, ALL_PEOPLE, *MONTH
    ),
    "grid_decisions": lambda connection, scope: grid_queries.grid_decisions(connection, scope, ALL_PEOPLE, *MONTH),
    "adjusted_days": lambda connection, scope: grid_queries.adjusted_days(connection, scope, ALL_PEOPLE, *MONTH),
    "adjustments_on": lambda connection, scope: grid_queries.adjustments_on(connection, scope, "e3", DAY),
}


async def test_each_question_keeps_to_the_scope(any_world: World) -> None:
    made = {"employee": "e3", "date": DAY, "part": 0, "status": "absent", "absent_min": 0, "worked_min": 0}
    await add(any_world, decisions, **made, minutes={}, how="manual", note="", actor="hr", at_ms=1)
    posted: dict[str, Any] = {
        "posted_to": "2026-04",
        "status_from": None,
        "status_to": None,
        "delta": {},
        "computed_ms": 1,
    }
    await add(any_world, adjustments, employee="e3", date=DAY, part=0, **posted)
    async with any_world.db.reading() as connection:
        for name, query in QUERIES.items():
            everyone = await query(connection, Scope(everyone=True))
            nobody = await query(connection, Scope())
            assert everyone, name
            assert nobody in (None, [], {}, set(), (0, [])), name
            own = await query(connection, Scope(departments=frozenset({"fin"})))
            assert "e1" not in repr(own), name


def test_every_question_with_a_scope_is_among_them() -> None:
    found = {
        name
        for name, function in inspect.getmembers(grid_queries, inspect.iscoroutinefunction)
        if function.__module__ == grid_queries.__name__ and "scope" in inspect.signature(function).parameters
    }
    assert found == set(QUERIES)


# --- live -----------------------------------------------------------------------------------------------------------


async def test_frames_of_a_month_tell_a_version_and_nothing_else(any_world: World) -> None:
    async with any_world.db.writing() as connection:
        await note_changes(connection, ["month:2026-03"], NOW_MS)
    found = await grid(any_world)
    assert found["version"] > 0
    topic = parse_topic("month:2026-03")
    assert topic is not None
    async with any_world.db.reading() as connection:
        frame = await read_frame(connection, Key(topic), NOW_MS)
    told = msgspec.json.decode(frame.body.removeprefix(b"data: "))
    assert told == {
        "topic": "month:2026-03", "version": found["version"], "at_ms": NOW_MS, "counts": {}, "punches": [],
    }  # fmt: skip


# --- the two forms of the answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("struct", "view"),
    [
        (answers.Cell, views.GridCellView),
        (answers.Sums, views.GridSumsView),
        (answers.Person, views.GridPersonView),
        (answers.Column, views.GridDateView),
        (answers.Grid, views.GridView),
    ],
)
def test_what_is_sent_is_what_the_document_says(struct: type[msgspec.Struct], view: type[View]) -> None:
    sent = {field.name: field.default for field in msgspec.structs.fields(struct)}
    written = view.model_fields
    assert list(sent) == list(written)
    assert list(get_type_hints(struct)) == list(sent)
    for name, default in sent.items():
        documented = written[name].get_default()
        if default is not msgspec.NODEFAULT and struct is answers.Cell:
            assert (default or None) == (documented or None), name


# --- a day in the drawer --------------------------------------------------------------------------------------------


async def test_a_day_tells_requests_decisions_former_results_and_adjustments(any_world: World) -> None:
    same = {
        "employee": "e2",
        "minutes": 0,
        "to_comp": False,
        "detail": {},
        "reason": "忘带工牌",
        "chain": [],
        "step": 0,
    }
    asked = {"from_ms": local_ms(8, 59), "to_ms": local_ms(8, 59), "created_by": "lilei", "created_ms": 5}
    await add(any_world, requests, kind="correction", direction=1, state="approved", decided_ms=6, **same, **asked)
    await add(any_world, requests, kind="overtime", state="withdrawn", **same, **asked)
    before = asked | {"from_ms": local_ms(8, 59) - 86_400_000, "to_ms": local_ms(8, 59) - 86_400_000}
    await add(any_world, requests, kind="correction", direction=1, state="approved", **same, **before)
    async with any_world.db.writing() as connection:
        late = tables.attendance_days.c.employee == "e2"
        explain = {"used": [-1, 5], "merged": [], "held": [], "ignored": [], "rules": ["AR-1"]}
        await connection.execute(update(tables.attendance_days).where(late).values(explain=explain, ot_15_min=90))
    made = {"employee": "e2", "date": DAY, "part": 0, "status": "late", "absent_min": 0, "worked_min": 0}
    minutes = {"required": 480, "worked": 470, "late": 10, "ot_15": 90}
    await add(any_world, decisions, **made, minutes=minutes, how="manual", note="看过", actor="hr", at_ms=9)
    was = {"status": "missing_in", "minutes": {"pending": 480}, "computed_ms": 1, "replaced_ms": 6}
    await add(any_world, tables.day_versions, employee="e2", date=DAY, part=0, **was)
    posted = {"posted_to": "2026-04", "status_from": "late", "status_to": "normal", "delta": {"late": -10}}
    await add(any_world, adjustments, employee="e2", date=DAY, part=0, **posted, computed_ms=3)
    for role in ("hr", "manager", "employee"):
        day = (await any_world.get(role, f"/api/days/e2/{DAY}")).json()
        assert [(row["id"], row["kind"], row["state"]) for row in day["requests"]] == [(1, "correction", "approved")]
        assert day["requests"][0]["reason"] == "忘带工牌"
        assert (day["records"][0]["corrections"], day["records"][0]["ot_15_min"]) == ([1], 90)
        assert [(row["actor"], row["note"], row["stands"]) for row in day["decisions"]] == [("hr", "看过", True)]
        assert [(row["status"], row["minutes"]) for row in day["versions"]] == [("missing_in", {"pending": 480})]
        assert [(row["posted_to"], row["delta"]) for row in day["adjustments"]] == [("2026-04", {"late": -10})]
        assert day["closed"] is False


async def test_a_day_outside_the_scope_does_not_exist(any_world: World) -> None:
    assert (await any_world.get("manager", f"/api/days/e3/{DAY}")).status_code == 404
    assert (await any_world.get("employee", f"/api/days/e3/{DAY}")).status_code == 403
