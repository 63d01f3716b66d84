"""Periods of scores over HTTP: who may, about whom, what is shown and what is exported."""

import csv
import datetime as dt
import io
import zipfile
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import update

from server.access.roles import permissions_of
from server.access.scope import Scope
from server.config import ServerConfig
from server.services import clients, notice_text
from server.services.notice_text import Told
from server.services.scoring import score_touched
from server.store import period_queries, score_queries, tables
from server.store.scope_filter import ALL
from tests.server.api.company import PEOPLE, World, local_ms

MARCH = "2026-03"
APRIL_MS = local_ms(9, day=dt.date(2026, 4, 20))
ALL_ADVISORY = ["provisional", "sources_away", "unscored", "previous_open"]
ROUTES = [
    ("GET", "/api/score-periods", "scores.read"),
    ("GET", f"/api/score-periods/{MARCH}", "scores.read"),
    ("GET", f"/api/score-periods/{MARCH}/cards", "scores.read"),
    ("GET", f"/api/score-periods/{MARCH}/cards/me", "me.read"),
    ("GET", f"/api/score-periods/{MARCH}/adjustments", "scores.read"),
    ("GET", f"/api/score-periods/{MARCH}/file", "scores.read"),
    ("GET", f"/api/score-periods/{MARCH}/calibrations", "scores.judge"),
    ("GET", f"/api/score-periods/{MARCH}/vetoes", "scores.judge"),
    ("GET", "/api/score-appeals", "scores.judge"),
    ("POST", f"/api/score-periods/{MARCH}/close", "scores.close"),
    ("POST", f"/api/score-periods/{MARCH}/calibrations", "scores.judge"),
    ("POST", f"/api/score-periods/{MARCH}/vetoes", "scores.judge"),
    ("POST", "/api/score-calibrations/1/decide", "scores.judge"),
    ("POST", "/api/score-calibrations/1/withdraw", "scores.judge"),
    ("POST", "/api/score-vetoes/1/decide", "scores.judge"),
    ("POST", "/api/score-appeals/1/decide", "scores.judge"),
    ("POST", f"/api/me/score-periods/{MARCH}/appeals", "me.request"),
    ("POST", "/api/me/score-appeals/1/withdraw", "me.request"),
]


async def april(world: World) -> World:
    """20 April; everybody was scored for March."""
    world.time.now_ms = APRIL_MS
    async with world.db.writing() as connection:
        await connection.execute(update(tables.sessions).values(seen_ms=APRIL_MS, created_ms=APRIL_MS))
        people = ["e1", "e2", "e3"]
        await score_queries.touch_scores(connection, [(one, MARCH) for one in people])
    await score_touched(world.db, APRIL_MS)
    return world


async def closed(world: World) -> None:
    body = {"accepted": ALL_ADVISORY}
    answer = await world.post("hr", f"/api/score-periods/{MARCH}/close", body)
    assert answer.status_code == 200, answer.text


async def told(world: World, role: str, path: str) -> Any:
    answer = await world.get(role, path)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("role", PEOPLE)
async def test_each_route_asks_for_its_permission(world: World, role: str) -> None:
    for method, path, permission in ROUTES:
        ask = world.get if method == "GET" else world.post
        status = (await ask(role, path)).status_code
        may = permission in permissions_of(role)  # type: ignore[arg-type]
        assert (status == 403) is not may, (method, path, status)


async def test_lists_details_and_files_keep_to_the_scope(any_world: World) -> None:
    """The manager of ops sees e1 and e2, HR all, an employee the own card only."""
    world = await april(any_world)
    await closed(world)
    cards = f"/api/score-periods/{MARCH}/cards"
    assert {row["employee"] for row in (await told(world, "manager", cards))["rows"]} == {"e1", "e2"}
    assert {"e1", "e2", "e3"} <= {row["employee"] for row in (await told(world, "hr", cards))["rows"]}
    assert (await world.get("manager", f"{cards}/e3")).status_code == 404
    assert (await world.get("employee", f"{cards}/e3")).status_code == 403
    assert (await told(world, "employee", f"{cards}/me"))["employee"] == "e2"
    file = await world.get("manager", f"/api/score-periods/{MARCH}/file?format=csv&language=en")
    rows = list(csv.DictReader(io.StringIO(file.text.removeprefix("\ufeff"))))
    assert {row["Number"] for row in rows} == {"e1", "e2"}
    assert "Reward" not in rows[0], "money is for who closes periods"
    file = await world.get("hr", f"/api/score-periods/{MARCH}/file?format=csv&language=en")
    rows = list(csv.DictReader(io.StringIO(file.text.removeprefix("\ufeff"))))
    assert {"e1", "e2", "e3"} <= {row["Number"] for row in rows}
    assert {row["Payable"] for row in rows} == {"0.00"}
    detail = await told(world, "manager", f"/api/score-periods/{MARCH}")
    assert (detail["closed"], detail["may_close"], detail["may_judge"]) == (2, False, True)


async def test_the_workbook_has_the_same_rows_and_names_are_no_formulas(world: World) -> None:
    await april(world)
    async with world.db.writing() as connection:
        rename = update(tables.employees).where(tables.employees.c.id == "e1").values(name="=cmd|' /C calc'!A0")
        await connection.execute(rename)
    await closed(world)
    plain = await world.get("hr", f"/api/score-periods/{MARCH}/file?format=csv")
    assert "'=cmd" in plain.text
    book = await world.get("hr", f"/api/score-periods/{MARCH}/file?format=xlsx&language=en")
    with zipfile.ZipFile(io.BytesIO(book.content)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "=cmd" in sheet


async def test_calibration_veto_and_appeal_over_http(any_world: World) -> None:
    world = await april(any_world)
    path = f"/api/score-periods/{MARCH}"
    body = {"employee": "e2", "points": "-2.50", "reason": "late paperwork"}
    made = (await world.post("manager", f"{path}/calibrations", body)).json()["id"]
    refused = await world.post("manager", f"/api/score-calibrations/{made}/decide", {"approve": True})
    assert (refused.status_code, refused.json()["code"]) == (422, "same_person")
    detail = await told(world, "hr", path)
    assert {item["code"]: item["count"] for item in detail["items"]}["calibrations"] == 1
    assert (await world.post("hr", f"/api/score-calibrations/{made}/decide", {"approve": True})).status_code == 204
    own = {"employee": "e1", "points": "5", "reason": "myself"}
    assert (await world.post("manager", f"{path}/calibrations", own)).json()["code"] == "own_card"
    await closed(world)
    card = await told(world, "employee", f"{path}/cards/me")
    assert card["may_appeal"]
    appeal = (await world.post("employee", f"/api/me/score-periods/{MARCH}/appeals", {"text": "why"})).json()["id"]
    listed = await told(world, "manager", "/api/score-appeals")
    assert [(row["id"], row["employee"], row["state"]) for row in listed["rows"]] == [(appeal, "e2", "open")]
    answer = {"answer": "refused", "note": "as agreed"}
    assert (await world.post("manager", f"/api/score-appeals/{appeal}/decide", answer)).status_code == 200
    card = await told(world, "employee", f"{path}/cards/me")
    assert [(one["state"], one["note"]) for one in card["appeals"]] == [("refused", "as agreed")]


async def test_the_money_of_others_is_not_shown(world: World) -> None:
    await april(world)
    base = {"indicator": "biz_sales_amount", "kind": "person", "unit": "e2", "starts": "2026-01-01", "base_minor": 1}
    await world.post("hr", "/api/score-rewards/bases", base)
    await closed(world)
    path = f"/api/score-periods/{MARCH}/cards"
    assert (await told(world, "manager", f"{path}/e2"))["reward_minor"] is None
    assert (await told(world, "employee", f"{path}/me"))["reward_minor"] == 0
    assert (await told(world, "hr", f"{path}/e2"))["reward_minor"] == 0


async def test_published_cards_say_what_was_computed_and_what_people_made_of_it(world: World) -> None:
    await april(world)
    await closed(world)
    async with world.db.reading() as connection:
        kept = await period_queries.published(connection, Scope.system(), MARCH)
    ranking = (await told(world, "hr", f"/api/scores?period={MARCH}"))["rows"]
    by_id = {row["employee"]: row for row in ranking}
    for row in kept:
        assert by_id[row.employee]["closed"]
        assert by_id[row.employee]["grade"] == row.grade


async def test_positions_are_called_as_they_ship_until_somebody_names_them(any_world: World) -> None:
    """Everybody here is a ``courier`` (indicators.md section 3: 配送员)."""
    world = await april(any_world)
    lists = f"/api/score-periods/{MARCH}/cards", f"/api/scores?period={MARCH}"
    for path in lists:
        names = [row["position_name"] for row in (await told(world, "hr", path))["rows"]]
        assert names[0] == {"id": "courier", "name_zh": "配送员", "name_en": "Courier"}
    await world.post("hr", "/api/positions", {"id": "courier", "name_zh": "骑手", "name_en": "Rider"})
    for path in lists:
        assert (await told(world, "hr", path))["rows"][0]["position_name"]["name_en"] == "Rider"


async def test_files_for_payroll_have_the_position_by_id_and_by_name(any_world: World) -> None:
    """``courier`` is called as the company calls it, ``trainer`` as it ships (indicators.md section 3: 培训专员)."""
    world = await april(any_world)
    async with world.db.writing() as connection:
        trainer = tables.employees.c.id == "e2"
        await connection.execute(update(tables.employees).where(trainer).values(position="trainer"))
    await world.post("hr", "/api/positions", {"id": "courier", "name_zh": "骑手", "name_en": "Rider"})
    await closed(world)
    for language, heads, names in (
        ("zh-CN", ("工号", "岗位", "岗位名称"), {"e1": ("courier", "骑手"), "e2": ("trainer", "培训专员")}),
        ("en", ("Number", "Position", "Position name"), {"e1": ("courier", "Rider"), "e2": ("trainer", "Trainer")}),
    ):
        path = f"/api/score-periods/{MARCH}/file?language={language}&format="
        file = await world.get("manager", f"{path}csv")
        rows = list(csv.reader(io.StringIO(file.text.removeprefix("\ufeff"))))
        book = await world.get("manager", f"{path}xlsx")
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(book.content)).get_sheet_by_index(0).to_python()
        both: tuple[Any, ...] = (rows, sheet)
        for table in both:
            head = next(number for number, row in enumerate(table) if heads[0] in row)
            number, code, name = (table[head].index(one) for one in heads)
            assert name == code + 1, "beside each other"
            found = {row[number]: (row[code], row[name]) for row in table[head + 1 :] if row[number]}
            assert {one: found[one] for one in names} == names
    token = await clients.add_client(world.db, "hr", "p", ["payroll.read"], days=1, now_ms=APRIL_MS)
    async with world.client(Authorization=f"Bearer {token}") as client:
        paid = (await client.get(f"/api/v1/payroll/scores/{MARCH}")).json()["rows"]
        months = (await client.get(f"/api/v1/payroll/months/{MARCH}")).json()["rows"]
    for fetched in (paid, months):
        by_id = {row["employee"]: (row["position"], row["position_name"]) for row in fetched}
        assert by_id["e1"] == ("courier", {"id": "courier", "name_zh": "骑手", "name_en": "Rider"})
        assert by_id["e2"] == ("trainer", {"id": "trainer", "name_zh": "培训专员", "name_en": "Trainer"})


async def test_a_notice_counts_appeals_and_names_the_last_day(world: World) -> None:
    """Closed on 20 April with seven days to appeal: the last is the 27th, told of three days before, without names."""
    await april(world)
    await closed(world)
    filed = await world.post("employee", f"/api/me/score-periods/{MARCH}/appeals", {"text": "why"})
    assert filed.status_code == 201
    early = await notice_text.message(world.db, ServerConfig(), Told("appeals", APRIL_MS + 1, "en", ALL))
    assert (early.title, early.text.splitlines()[0]) == ("Appeals of scores 2026-04-20", "To decide about: 1")
    assert "Last day" not in early.text
    near_ms = local_ms(9, day=dt.date(2026, 4, 25))
    answer = {"answer": "refused", "note": "as agreed"}
    await world.post("manager", f"/api/score-appeals/{filed.json()['id']}/decide", answer)
    late = await notice_text.message(world.db, ServerConfig(), Told("appeals", near_ms, "zh-CN", ALL))
    assert late.text.splitlines() == [
        "待处理: 0",
        "等待第二人审批: 0",
        "最近一天已答复: 0",
        "申诉最后一天 2026-03: 2026-04-27",
    ]
    soon = await notice_text.message(world.db, ServerConfig(), Told("appeals", APRIL_MS + 1, "en", ALL))
    assert "Answered in the last day: 1" in soon.text
