"""Editions over HTTP: refused with reasons, published with their effect, never overwritten."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import insert, select

from server.config import ServerConfig
from server.services import calendars
from server.services.chores import CHORES
from server.store import calendar_queries, tables
from server.store.closing_tables import closings
from shared.clock import to_ms
from tests.server.api.company import DAY, NOW_MS, ZONE, World

NOVEMBER_MS = to_ms(dt.datetime(2026, 11, 30, 23, 59, tzinfo=ZONE))
DECEMBER_MS = to_ms(dt.datetime(2026, 12, 1, 0, 0, tzinfo=ZONE))


async def with_defaults(world: World) -> World:
    """The company with the built-in editions of 2024 to 2026 of calendar CN."""
    await calendars.ensure_defaults(world.db, ServerConfig(), NOW_MS)
    async with world.db.writing() as connection:
        await connection.execute(tables.touched_days.delete())
    return world


@pytest.fixture
async def cn(world: World) -> World:
    return await with_defaults(world)


@pytest.fixture
async def any_cn(any_world: World) -> World:
    return await with_defaults(any_world)


async def year(world: World, number: int = 2026, calendar: str = "CN") -> dict[str, Any]:
    answer = await world.get("hr", f"/api/calendars/{calendar}/{number}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def draft(world: World, **changes: str | None) -> dict[str, Any]:
    """The edition in force as a body; each date takes another type, or goes when that is None."""
    newest = (await year(world))["editions"][0]
    days = {day["date"]: day for day in newest["days"]}
    for date, kind in changes.items():
        days.pop(date.replace("_", "-").removeprefix("d"), None)
        if kind is not None:
            name = date.replace("_", "-").removeprefix("d")
            days[name] = {"date": name, "type": kind, "name_zh": "", "name_en": ""}
    return {"days": list(days.values()), "source": "notice", "local_rule": None, "based_on": newest["edition"]}


async def touched(world: World) -> set[tuple[str, dt.date]]:
    async with world.db.reading() as connection:
        rows = await connection.execute(select(tables.touched_days))
        return {(row.employee, row.date) for row in rows}


async def close(world: World, month: str) -> None:
    async with world.db.writing() as connection:
        values = {"month": month, "closed_ms": NOW_MS, "closed_by": "hr", "summary": {}}
        await connection.execute(insert(closings).values(values))


async def actions(world: World) -> list[tuple[str, str, str]]:
    async with world.db.reading() as connection:
        log = tables.operation_log.c
        rows = await connection.execute(select(log.actor, log.action, log.object).order_by(log.id))
        return [(row.actor, row.action, row.object) for row in rows]


# --- a fresh installation -------------------------------------------------------------------------------------------


async def test_a_fresh_installation_gets_the_years_whose_notice_is_known(any_cn: World) -> None:
    async with any_cn.db.reading() as connection:
        sites = await calendar_queries.calendars_of_sites(connection)
    assert sites["d1"].version == "CN 2024-1 2025-1 2026-1"
    assert sites["d1"].type_of(dt.date(2026, 2, 14)) == "workday"
    assert await actions(any_cn) == [("system", "calendar.defaults", "CN")]
    edition = (await year(any_cn))["editions"][0]
    assert (edition["actor"], edition["source"]) == ("system", "国务院办公厅关于2026年部分节假日安排的通知")


async def test_the_chore_gives_nothing_twice_and_nothing_where_people_chose(cn: World) -> None:
    await calendars.ensure_defaults(cn.db, ServerConfig(), DECEMBER_MS)
    assert [edition["edition"] for edition in (await year(cn))["editions"]] == [1]
    assert "calendars" in {chore.name for chore in CHORES}


async def test_days_that_the_defaults_change_are_computed_again(world: World) -> None:
    await calendars.ensure_defaults(world.db, ServerConfig(), NOW_MS)
    found = await touched(world)
    assert ("e1", dt.date(2026, 2, 14)) in found  # a Saturday at work
    assert ("e1", dt.date(2026, 2, 13)) in found  # a night shift of the day before ends on it
    assert ("e1", DAY) not in found
    assert ("e1", dt.date(2026, 10, 1)) not in found  # to come: it will be computed with this calendar


# --- what is refused ------------------------------------------------------------------------------------------------


async def test_twelve_legal_days_are_refused_by_check_and_by_publish(cn: World) -> None:
    body = await draft(cn, d2026_05_02="workday")
    checked = (await cn.post("hr", "/api/calendars/CN/2026/check", body)).json()
    assert [(bad["code"], bad["date"], bad["parameters"]) for bad in checked["problems"]] == [
        ("legal_days_too_few", None, {"days": 12, "expected": 13}),
        ("legal_day_missing", "2026-05-02", {"name_zh": "劳动节", "name_en": "Labor Day"}),
    ]
    answer = await cn.post("hr", "/api/calendars/CN/2026/publish", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "calendar_invalid")
    assert len((await year(cn))["editions"]) == 1
    assert await touched(cn) == set()


async def test_more_legal_days_need_a_named_local_rule(cn: World) -> None:
    body = await draft(cn, d2026_03_20="statutory")
    refused = await cn.post("hr", "/api/calendars/CN/2026/publish", body)
    assert refused.json()["code"] == "calendar_invalid"
    done = await cn.post("hr", "/api/calendars/CN/2026/publish", {**body, "local_rule": "Local rule"})
    assert done.status_code == 200
    assert (await year(cn))["editions"][0]["local_rule"] == "Local rule"


async def test_a_closed_month_keeps_its_calendar(any_cn: World) -> None:
    await close(any_cn, "2026-02")
    body = await draft(any_cn, d2026_02_28=None, d2026_02_23=None)
    checked = (await any_cn.post("hr", "/api/calendars/CN/2026/check", body)).json()
    assert (checked["problems"], checked["closed"]) == ([], ["2026-02"])
    refused = await any_cn.post("hr", "/api/calendars/CN/2026/publish", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "month_closed")
    open_month = await draft(any_cn, d2026_05_09=None)
    assert (await any_cn.post("hr", "/api/calendars/CN/2026/publish", open_month)).status_code == 200


async def test_a_legal_day_on_the_first_touches_the_night_before(cn: World) -> None:
    await close(cn, "2026-02")
    body = {**await draft(cn, d2026_03_01="statutory"), "local_rule": "Local rule"}
    checked = (await cn.post("hr", "/api/calendars/CN/2026/check", body)).json()
    assert checked["closed"] == ["2026-02"]  # minutes after midnight of 28 February would become class 3.0


async def test_who_looked_at_an_older_edition_does_not_overwrite_the_newer(cn: World) -> None:
    first, second = await draft(cn, d2026_05_09=None), await draft(cn, d2026_10_10=None)
    assert (await cn.post("hr", "/api/calendars/CN/2026/publish", first)).json()["edition"] == 2
    late = await cn.post("administrator", "/api/calendars/CN/2026/publish", second)
    assert (late.status_code, late.json()["code"]) == (422, "calendar_changed")


@pytest.mark.parametrize("path", ["/api/calendars/XX/2026", "/api/calendars/CN/1999", "/api/calendars/CN/x"])
async def test_calendars_and_years_that_do_not_exist(cn: World, path: str) -> None:
    assert (await cn.get("hr", path)).status_code in (404, 422)


# --- publishing -----------------------------------------------------------------------------------------------------


async def test_publishing_says_what_it_changes_and_computes_open_days_again(any_cn: World) -> None:
    body = await draft(any_cn, d2026_02_28=None, d2026_10_10=None)  # both Saturdays are free again
    checked = (await any_cn.post("hr", "/api/calendars/CN/2026/check", body)).json()
    assert [(change["date"], change["type_from"], change["type_to"]) for change in checked["changes"]] == [
        ("2026-02-28", "workday", "restday"),
        ("2026-10-10", "workday", "restday"),
    ]
    # Four people; 27 February to 1 March, whose overtime may lie on the changed day; October has no results yet.
    assert (checked["people"], checked["days"], checked["replaces"]) == (4, 12, 1)
    assert await touched(any_cn) == set()
    done = (await any_cn.post("hr", "/api/calendars/CN/2026/publish", body)).json()
    assert done == {"edition": 2, "people": 4, "days": 12}
    days = (dt.date(2026, 2, 27), dt.date(2026, 2, 28), dt.date(2026, 3, 1))
    assert await touched(any_cn) == {(f"e{number}", day) for number in (1, 2, 3, 4) for day in days}
    assert (await actions(any_cn))[-1] == ("hr", "calendar.publish", "CN 2026-2")
    async with any_cn.db.reading() as connection:
        sites = await calendar_queries.calendars_of_sites(connection)
    assert sites["d1"].type_of(dt.date(2026, 2, 28)) == "restday"


async def test_later_days_that_have_a_result_are_computed_again_too(cn: World) -> None:
    async with cn.db.writing() as connection:
        row = (await connection.execute(select(tables.attendance_days).limit(1))).one()._asdict()
        await connection.execute(tables.attendance_days.insert().values({**row, "date": dt.date(2026, 10, 10)}))
    await cn.post("hr", "/api/calendars/CN/2026/publish", await draft(cn, d2026_10_10=None))
    assert await touched(cn) == {(row["employee"], dt.date(2026, 10, 10))}


async def test_people_who_had_left_or_not_come_yet_are_not_touched(cn: World) -> None:
    async with cn.db.writing() as connection:
        person = tables.employees.update()
        await connection.execute(person.where(tables.employees.c.id == "e1").values(left_on=dt.date(2026, 2, 27)))
        await connection.execute(person.where(tables.employees.c.id == "e2").values(joined_on=dt.date(2026, 2, 28)))
    await cn.post("hr", "/api/calendars/CN/2026/publish", await draft(cn, d2026_02_28=None))
    found = await touched(cn)
    assert {day for employee, day in found if employee == "e1"} == {dt.date(2026, 2, 27)}
    assert {day for employee, day in found if employee == "e2"} == {dt.date(2026, 2, 28), dt.date(2026, 3, 1)}


async def test_an_old_edition_is_restored_as_a_new_one(cn: World) -> None:
    await cn.post("hr", "/api/calendars/CN/2026/publish", await draft(cn, d2026_05_09=None))
    newest, oldest = (await year(cn))["editions"]
    assert [(change["date"], change["type_to"]) for change in newest["changes"]] == [("2026-05-09", "restday")]
    again = {"days": oldest["days"], "source": "edition 1 again", "local_rule": None, "based_on": 2}
    assert (await cn.post("hr", "/api/calendars/CN/2026/publish", again)).json()["edition"] == 3
    editions = (await year(cn))["editions"]
    assert [edition["edition"] for edition in editions] == [3, 2, 1]
    assert editions[0]["days"] == editions[2]["days"]


async def test_pages_that_follow_the_calendar_are_told(cn: World) -> None:
    before = (await year(cn))["version"]
    await cn.post("hr", "/api/calendars/CN/2026/publish", await draft(cn, d2026_05_09=None))
    assert (await year(cn))["version"] > before


async def test_a_year_shows_its_counts_and_what_is_built_in(cn: World) -> None:
    found = await year(cn)
    assert found["editions"][0]["counts"]["legal"] == found["legal_days"] == 13
    assert found["proposal"]["complete"] is True
    missing = await year(cn, 2027)
    assert (missing["editions"], missing["proposal"]["complete"], len(missing["proposal"]["days"])) == ([], False, 13)


# --- next year ------------------------------------------------------------------------------------------------------


async def test_next_year_is_missed_from_1_december_until_it_is_published(cn: World) -> None:
    async with cn.db.reading() as connection:
        assert await calendars.missing_years(connection, NOVEMBER_MS) == []
        missing = await calendars.missing_years(connection, DECEMBER_MS)
    assert [(row.calendar, row.year) for row in missing] == [("CN", 2027)]
    cn.time.now_ms = DECEMBER_MS
    await sign_in_again(cn)
    assert (await cn.get("hr", "/api/calendars")).json()["missing"] == [{"calendar": "CN", "year": 2027}]
    days = (await year(cn, 2027))["proposal"]["days"]
    body = {"days": days, "source": "regulation", "local_rule": None, "based_on": None}
    assert (await cn.post("hr", "/api/calendars/CN/2027/publish", body)).json()["edition"] == 1
    assert (await cn.get("hr", "/api/calendars")).json()["missing"] == []


async def sign_in_again(world: World) -> None:
    async with world.db.writing() as connection:
        await connection.execute(tables.sessions.update().values(created_ms=DECEMBER_MS, seen_ms=DECEMBER_MS))


async def test_a_calendar_that_no_site_goes_by_misses_nothing(cn: World) -> None:
    await cn.post("hr", "/api/calendars", {"id": "JP", "name_zh": "日本", "name_en": "Japan"})
    async with cn.db.reading() as connection:
        assert await calendars.missing_years(connection, NOW_MS) == []
    await cn.post("hr", "/api/calendars/site", {"site": "d2", "calendar": "JP"})
    async with cn.db.reading() as connection:
        assert [(row.calendar, row.year) for row in await calendars.missing_years(connection, NOW_MS)] == [("JP", 2026)]


# --- calendars and sites --------------------------------------------------------------------------------------------


async def test_a_calendar_of_another_country_is_added_and_given_to_a_site(any_cn: World) -> None:
    added = await any_cn.post("hr", "/api/calendars", {"id": "JP", "name_zh": "日本", "name_en": "Japan"})
    assert [(row["id"], row["company"], row["sites"]) for row in added.json()["calendars"]] == [
        ("CN", True, 2),
        ("JP", False, 0),
    ]
    proposal = (await year(any_cn, calendar="JP"))["proposal"]
    body = {"days": proposal["days"], "source": proposal["source"], "local_rule": None, "based_on": None}
    assert (await any_cn.post("hr", "/api/calendars/JP/2026/publish", body)).json()["days"] == 0
    done = await any_cn.post("hr", "/api/calendars/site", {"site": "d2", "calendar": "JP"})
    assert done.json()["days"] == len(await touched(any_cn)) > 0
    assert {employee for employee, _ in await touched(any_cn)} == {"e4"}
    async with any_cn.db.reading() as connection:
        sites = await calendar_queries.calendars_of_sites(connection)
    assert sites["d2"].type_of(dt.date(2026, 2, 11)) == "statutory"  # 建国記念の日
    assert sites["d1"].type_of(dt.date(2026, 2, 11)) == "workday"


async def test_a_site_does_not_change_its_calendar_under_a_closed_month(cn: World) -> None:
    await cn.post("hr", "/api/calendars", {"id": "JP", "name_zh": "日本", "name_en": "Japan"})
    await close(cn, "2026-02")
    refused = await cn.post("hr", "/api/calendars/site", {"site": "d2", "calendar": "JP"})
    assert (refused.status_code, refused.json()["code"]) == (422, "month_closed")
    refused = await cn.post("hr", "/api/calendars/company", {"calendar": "JP"})
    assert (refused.status_code, refused.json()["code"]) == (422, "month_closed")
    assert [row["company"] for row in (await cn.get("hr", "/api/calendars")).json()["calendars"]] == [True, False]


async def test_another_calendar_becomes_the_company_s(cn: World) -> None:
    await cn.post("hr", "/api/calendars", {"id": "HK", "name_zh": "香港", "name_en": "Hong Kong"})
    assert (await cn.post("hr", "/api/calendars/company", {"calendar": "HK"})).status_code == 200
    rows = (await cn.get("hr", "/api/calendars")).json()["calendars"]
    assert [(row["id"], row["company"], row["sites"]) for row in rows] == [("HK", True, 2), ("CN", False, 0)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"id": "CN", "name_zh": "中国", "name_en": "China"}, "calendar_exists"),
        ({"id": "ZZ", "name_zh": "无", "name_en": "None"}, "unknown_country"),
        ({"id": "nonsense", "name_zh": "无", "name_en": "None"}, "invalid"),
    ],
)
async def test_calendars_that_cannot_be_added(cn: World, body: dict[str, str], code: str) -> None:
    answer = await cn.post("hr", "/api/calendars", body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize("body", [{"site": "nowhere", "calendar": "CN"}, {"site": "d1", "calendar": "XX"}])
async def test_sites_and_calendars_that_are_not_there(cn: World, body: dict[str, str]) -> None:
    assert (await cn.post("hr", "/api/calendars/site", body)).status_code == 404


# --- files, roles ---------------------------------------------------------------------------------------------------


async def test_a_file_becomes_a_draft_and_saves_nothing(cn: World) -> None:
    async with cn.client("hr") as client:
        text = "日期,类型,名称\n2026-01-01,法定节假日,元旦\n2026-13-01,休息日,x\n"
        answer = await client.post("/api/calendars/CN/file", content=text.encode("gb18030"))
    assert answer.json() == {
        "days": [{"date": "2026-01-01", "type": "statutory", "name_zh": "元旦", "name_en": "元旦"}],
        "problems": [{"row": 3, "field": "date", "code": "not_a_date", "parameters": {"text": "2026-13-01"}}],
    }
    assert len((await year(cn))["editions"]) == 1


@pytest.mark.parametrize("role", ["manager", "employee", "it", "facilities"])
async def test_calendars_are_for_hr_and_administrators(cn: World, role: str) -> None:
    body = await draft(cn, d2026_05_09=None)
    assert (await cn.get(role, "/api/calendars")).status_code == 403
    assert (await cn.get(role, "/api/calendars/CN/2026")).status_code == 403
    for path, sent in (
        ("/api/calendars", {"id": "JP", "name_zh": "日本", "name_en": "Japan"}),
        ("/api/calendars/company", {"calendar": "CN"}),
        ("/api/calendars/site", {"site": "d1", "calendar": "CN"}),
        ("/api/calendars/CN/2026/check", body),
        ("/api/calendars/CN/2026/publish", body),
        ("/api/calendars/CN/file", None),
    ):
        assert (await cn.post(role, path, sent)).status_code == 403, path
    assert len((await year(cn))["editions"]) == 1


# --- as an import ---------------------------------------------------------------------------------------------------


async def upload(world: World, text: str, name: str = "2026.csv") -> dict[str, Any]:
    async with world.client("hr") as client:
        answer = await client.post(f"/api/imports?kind=calendar&name={name}", content=text.encode())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def as_csv(days: list[dict[str, str]]) -> str:
    return "\n".join(
        ["日期,类型,名称,英文名称", *(f"{d['date']},{d['type']},{d['name_zh']},{d['name_en']}" for d in days)]
    )


async def test_an_imported_file_is_the_next_edition_and_undone_by_the_one_before(any_cn: World) -> None:
    first = (await year(any_cn))["editions"][0]["days"]
    file = await upload(any_cn, as_csv([day for day in first if day["date"] != "2026-02-28"]))
    meaning = {"mapping": file["mapping"], "options": {"calendar": "CN", "source": "notice 7"}}
    checked = (await any_cn.post("hr", f"/api/imports/{file['file']['id']}/check", meaning)).json()
    assert (checked["problems"], checked["changed"], checked["same"]) == ([], 1, 27)
    assert checked["changes"][0]["object"] == "2026-02-28"
    assert len((await year(any_cn))["editions"]) == 1
    applied = await any_cn.post("hr", f"/api/imports/{file['file']['id']}/apply", meaning)
    assert applied.status_code == 200, applied.text
    newest = (await year(any_cn))["editions"][0]
    assert (newest["edition"], newest["source"], newest["actor"]) == (2, "notice 7", "hr")
    assert ("e1", dt.date(2026, 2, 28)) in await touched(any_cn)
    assert (await any_cn.post("hr", f"/api/imports/{file['file']['id']}/undo")).status_code == 200
    again = (await year(any_cn))["editions"][0]
    assert (again["edition"], again["days"]) == (3, first)


async def test_an_imported_file_with_twelve_legal_days_is_refused_with_the_day(cn: World) -> None:
    days = (await year(cn))["editions"][0]["days"]
    file = await upload(cn, as_csv([day for day in days if day["date"] != "2026-06-19"]))
    meaning = {"mapping": file["mapping"], "options": {"calendar": "CN"}}
    problems = (await cn.post("hr", f"/api/imports/{file['file']['id']}/check", meaning)).json()["problems"]
    assert [(bad["code"], bad["parameters"].get("date")) for bad in problems] == [
        ("legal_days_too_few", None),
        ("legal_day_missing", "2026-06-19"),
    ]
    refused = await cn.post("hr", f"/api/imports/{file['file']['id']}/apply", meaning)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_rows")
    assert len((await year(cn))["editions"]) == 1


async def test_an_imported_file_is_of_one_year(cn: World) -> None:
    file = await upload(cn, "日期,类型,名称\n2026-01-01,法定,元旦\n2027-01-01,法定,元旦\n")
    meaning = {"mapping": file["mapping"], "options": {"calendar": "CN"}}
    checked = (await cn.post("hr", f"/api/imports/{file['file']['id']}/check", meaning)).json()
    assert [(bad["code"], bad["parameters"]) for bad in checked["problems"]] == [
        ("several_years", {"years": "2026 2027"})
    ]
