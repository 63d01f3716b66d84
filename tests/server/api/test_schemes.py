"""Schemes over HTTP: who may see, write and decide; what is refused with which field.

Everybody of fin has the general set (punctuality alone); a draft gives fin its own.
"""

from typing import Any

import pytest
from sqlalchemy import func, select

from server.store import tables
from server.store.scheme_tables import scheme_drafts
from tests.server.api.asking import add_user
from tests.server.api.company import World
from tests.support.definition_text import BETTER, LINES, STARTS, definition

WEIGHTS = {"att_punctuality_rate": 60, "att_attendance_rate": 40}


def line(department: str | None = "fin", **more: Any) -> dict[str, Any]:
    """A set of a department."""
    told = {"kind": "set", "name_zh": "财务", "name_en": "Finance", "department": department, "position": None}
    return {**told, "weights": WEIGHTS, "starts": "2026-03-01", **more}


def body(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"title": "March", "changes": list(lines or [line()]), **more}


async def saved(world: World, *lines: dict[str, Any], role: str = "hr") -> int:
    answer = await world.post(role, "/api/schemes/drafts", body(*lines))
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["id"]
    return number


async def step(world: World, role: str, number: int, name: str, **more: Any) -> tuple[int, dict[str, Any]]:
    answer = await world.post(role, f"/api/schemes/drafts/{number}/{name}", {"revision": 1, **more})
    found: dict[str, Any] = answer.json()
    return answer.status_code, found


async def published(world: World, *lines: dict[str, Any], role: str = "hr", second: str = "administrator") -> None:
    number = await saved(world, *lines, role=role)
    assert (await step(world, role, number, "submit"))[0] == 200
    assert (await step(world, second, number, "publish"))[0] == 200


async def test_hr_writes_and_a_second_person_publishes(any_world: World) -> None:
    number = await saved(any_world)
    assert (await step(any_world, "administrator", number, "publish"))[1]["code"] == "draft_changed", "not handed in"
    assert (await step(any_world, "hr", number, "submit"))[1]["draft"]["state"] == "submitted"
    assert (await step(any_world, "hr", number, "publish"))[1]["code"] == "same_person"
    status, answer = await step(any_world, "administrator", number, "publish")
    assert (status, answer["version"]) == (200, 1)
    found = (await any_world.get("hr", "/api/schemes")).json()
    own = [one["item"] for one in found["sets"] if not one["ships"]]
    assert found["version"] == 1
    assert [(one["department"], one["weights"]) for one in own] == [("fin", WEIGHTS)]
    told = (await any_world.get("hr", "/api/schemes/versions/1")).json()
    assert told["draft"]["decided_by"] == "root"
    assert told["changes"][0]["weights_before"] == {"att_punctuality_rate": "100.0000"}
    assert told["changes"][0]["weights_after"] == {"att_punctuality_rate": "60.0000", "att_attendance_rate": "40.0000"}


async def test_a_draft_is_refused_with_reason_and_second_persons_note(world: World) -> None:
    number = await saved(world)
    await step(world, "hr", number, "submit")
    assert (await step(world, "administrator", number, "reject"))[1]["code"] == "note_needed"
    status, answer = await step(world, "administrator", number, "reject", note="wait for April")
    assert (status, answer["draft"]["state"], answer["draft"]["note"]) == (200, "rejected", "wait for April")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ([line(weights={"att_punctuality_rate": 99})], "weights_sum", "weights"),
        ([line(weights={"att_punctuality_rate": 60, "luck": 40})], "weights_indicator", "weights.luck"),
        ([line(weights={**WEIGHTS, "att_attendance_rate": 0, "nm_reads": 40})], "weights_source", "weights.nm_reads"),
        ([line("moon")], "scheme_unknown", "department"),
        ([line(), line()], "scheme_twice", None),
    ],
)  # fmt: skip
async def test_what_can_not_be_is_refused_when_it_is_saved(
    world: World, changes: list[dict[str, Any]], code: str, field: str | None
) -> None:
    answer = await world.post("hr", "/api/schemes/drafts", body(*changes))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["parameters"].get("field") == field
    preview = await world.post("hr", "/api/schemes/preview", {"changes": changes})
    assert preview.json()["code"] == code


async def test_a_weight_above_100_is_no_weight(world: World) -> None:
    answer = await world.post("hr", "/api/schemes/drafts", body(line(weights={"att_punctuality_rate": 101})))
    assert answer.json()["code"] == "invalid"


@pytest.mark.parametrize("role", ["employee", "it", "facilities", None])
async def test_others_get_nothing(world: World, role: str | None) -> None:
    for path in ("", "/versions", "/drafts", "/drafts/1", "/versions/1/effect", "/indicators/att_punctuality_rate"):
        answer = await world.get(role, f"/api/schemes{path}")
        assert answer.status_code == (403 if role else 401)


async def test_a_manager_sees_what_is_about_their_people_and_writes_nothing(world: World) -> None:
    season = {"kind": "season", "name_zh": "季", "name_en": "Season", "weights": {"att_punctuality_rate": 50}}
    days = {"first": "2026-03-01", "last": "2026-03-31"}
    own = {**season, "kind": "own", "employee": "e3", "department": "fin", "reason": "new", **days}
    await published(
        world, line("fin"), line("ops-north", name_en="North"), {**season, "department": "fin", **days}, own
    )
    found = (await world.get("manager", "/api/schemes")).json()
    assert {one["item"]["department"] for one in found["sets"]} == {"ops-north", None}
    assert (found["seasons"], found["own"], found["people"], found["may_write"]) == ([], [], [], False)
    assert {one["id"] for one in found["departments"]} == {"ops", "ops-north"}
    lines = (await world.get("manager", "/api/schemes/versions/1")).json()["changes"]
    assert [one["after"]["department"] for one in lines] == ["ops-north"]
    for path, method in (("/drafts", "get"), ("/drafts/1", "get"), ("/drafts", "post"), ("/rollback", "post")):
        asked = world.get("manager", f"/api/schemes{path}") if method == "get" else None
        answer = await (asked or world.post("manager", f"/api/schemes{path}", body()))
        assert answer.status_code == 403
    await published(world, line("fin", starts="2026-05-01"))
    versions = (await world.get("manager", "/api/schemes/versions")).json()["rows"]
    assert [one["version"] for one in versions] == [1]
    assert (await world.get("manager", "/api/schemes/versions/2")).status_code == 404


async def test_a_preview_has_the_viewers_people_only_and_writes_nothing(world: World) -> None:
    async with world.db.writing() as connection:
        for employee in ("e1", "e2", "e3"):
            card = {"employee": employee, "period": "2026-03", "status": "scored", "total_centi": 9000}
            await connection.execute(
                tables.scorecards.insert().values(**card, coverage_num=1, coverage_den=1, computed_ms=1)
            )
    lines = [line("fin"), line("ops", name_en="Ops")]
    everybody = (await world.post("hr", "/api/schemes/preview", {"changes": lines})).json()
    mine = (await world.post("manager", "/api/schemes/preview", {"changes": lines})).json()
    assert (everybody["paid_before_minor"], everybody["paid_after_minor"]) == (0, 0)
    assert (mine["paid_before_minor"], mine["paid_after_minor"]) == (None, None), "money is for who closes periods"
    assert everybody["simulated"]
    assert {one["employee"] for one in everybody["rows"]} == {"e1", "e2", "e3"}
    assert {one["employee"] for one in mine["rows"]} == {"e1", "e2"}
    assert sum(mine["grades_before"].values()) == mine["moved"] == 2
    async with world.db.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(scheme_drafts)) == 0


async def test_only_an_administrator_defines_indicators(world: World) -> None:
    given = (await world.get("hr", "/api/schemes/indicators/att_punctuality_rate")).json()
    definition = {**given["definition"], "target": "90", "starts": "2026-04-01"}
    lines = [{"kind": "indicator", "definition": definition}]
    assert (await world.post("hr", "/api/schemes/drafts", body(*lines))).status_code == 403
    number = await saved(world, *lines, role="administrator")
    await step(world, "administrator", number, "submit")
    assert (await step(world, "hr", number, "publish"))[1]["version"] == 1
    now = (await world.get("hr", "/api/schemes/indicators/att_punctuality_rate")).json()
    assert now["definition"]["target"] == "90"
    assert len(now["starts"]) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"curve": {"kind": "pts", "points": [["80", "0"], ["80", "100"]]}}, "curve_points"),
        ({"target": "0", "curve": {"kind": "ratio"}}, "curve_target"),
        ({"family": "magic"}, "indicator_invalid"),
        ({"colour": "red"}, "indicator_invalid"),
        ({"good": ["moon > 1"]}, "formula_field"),
    ],
)
async def test_a_definition_that_can_not_be_is_refused(world: World, change: dict[str, Any], code: str) -> None:
    given = (await world.get("hr", "/api/schemes/indicators/att_punctuality_rate")).json()["definition"]
    definition = {**given, "starts": "2026-04-01", **change}
    for path, asked in (
        ("drafts", body({"kind": "indicator", "definition": definition})),
        ("indicators/try", {"definition": definition, "period": "2026-03"}),
    ):
        answer = await world.post("administrator", f"/api/schemes/{path}", asked)
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


async def test_a_definition_is_tried_on_real_days(world: World) -> None:
    """On 2 March e1 was normal and e2 late; others have no scored day."""
    given = (await world.get("hr", "/api/schemes/indicators/att_punctuality_rate")).json()["definition"]
    asked = {"definition": {**given, "starts": "2026-04-01"}, "period": "2026-03"}
    found = (await world.post("administrator", "/api/schemes/indicators/try", asked)).json()
    values = {one["employee"]: (one["numerator"], one["denominator"]) for one in found["samples"]}
    assert found["simulated"]
    assert (found["people"], found["own"]) == (4, 3)
    assert (values["e1"], values["e2"]) == ((1, 1), (0, 1))


async def test_rolling_back_is_a_draft_first(world: World) -> None:
    await published(world, line("fin"))
    answer = await world.post("hr", "/api/schemes/rollback", {"version": 0, "day": "2026-04-01", "title": "as shipped"})
    assert answer.status_code == 200, answer.text
    [change] = (await world.get("hr", f"/api/schemes/drafts/{answer.json()['id']}")).json()["changes"]
    assert (change["before"]["ends"], change["after"]["ends"]) == (None, "2026-03-31")
    missing = await world.post("hr", "/api/schemes/rollback", {"version": 9, "day": "2026-04-01", "title": "x"})
    assert missing.status_code == 404


async def test_a_draft_that_somebody_else_wrote_meanwhile_is_not_overwritten(world: World) -> None:
    number = await saved(world)
    await add_user(world, "hr", "second", [])
    async with world.client("second") as client:
        first = await client.put(f"/api/schemes/drafts/{number}", json=body(line(), revision=1))
    async with world.client("hr") as client:
        late = await client.put(f"/api/schemes/drafts/{number}", json=body(line(), revision=1))
    assert (first.status_code, late.json()["code"]) == (200, "draft_changed")


# --- files of definitions -------------------------------------------------------------------------------------------


async def read_file(world: World, text: str, role: str = "administrator") -> tuple[int, Any]:
    async with world.client(role) as client:
        answer = await client.post("/api/schemes/indicators/read", content=text.encode())
    return answer.status_code, answer.json()


async def test_a_file_of_definitions_fills_a_draft_that_is_saved_as_it_was_read(any_world: World) -> None:
    """Each is shown with the other, which is further down; nothing is written by reading."""
    text = definition("own_one", pair="own_two") + definition("own_two", pair="own_one")
    status, found = await read_file(any_world, text)
    assert status == 200, found
    assert [(row["id"], row["line"], row["unchanged"], row["fault"]) for row in found["rows"]] == [
        ("own_one", 1, False, None),
        ("own_two", LINES + 1, False, None),
    ]
    lines = [{"kind": "indicator", "definition": row["definition"]} for row in found["rows"]]
    await published(any_world, *lines, role="administrator", second="hr")
    again = (await read_file(any_world, text))[1]["rows"]
    assert [row["unchanged"] for row in again] == [True, True]
    assert [row["fault"] for row in (await read_file(any_world, text.replace('"95"', '"96"')))[1]["rows"]] == [
        {"code": "indicator_version", "field": "starts", "line": number, "reason": reason}
        for number, reason in (
            (STARTS, "indicator own_one: a version starts on 2026-03-01; choose another day"),
            (LINES + STARTS, "indicator own_two: a version starts on 2026-03-01; choose another day"),
        )
    ]


async def test_each_fault_of_a_file_is_told_beside_the_others(world: World) -> None:
    text = definition("own_one") + definition("att_punctuality_rate", starts="2015-01-01") + definition("own_one")
    text += definition("own_three").replace('"up"', '"more"')
    status, found = await read_file(world, text)
    faults = [
        row["fault"] and (row["fault"]["code"], row["fault"]["field"], row["fault"]["line"]) for row in found["rows"]
    ]
    assert (status, faults) == (
        200,
        [
            None,
            ("indicator_version", "starts", LINES + STARTS),
            ("indicator_twice", "starts", 2 * LINES + STARTS),
            ("indicator_invalid", "better", 3 * LINES + BETTER),
        ],
    )
    assert [row["definition"] is None for row in found["rows"]] == [False, True, True, True]


async def test_a_file_that_is_none_is_refused_with_its_line_and_only_an_administrator_reads_one(world: World) -> None:
    status, refused = await read_file(world, definition("own_one") + "[[set]]\n")
    assert (status, refused["code"]) == (422, "draft_file")
    assert refused["parameters"] == {"line": str(LINES + 1), "reason": "expected [[indicator]] tables alone"}
    assert (await read_file(world, definition("own_one"), role="hr"))[0] == 403
