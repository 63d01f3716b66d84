"""Files that people bring: upload, meaning of the columns, check, apply, undo, with a kind made for these tests."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.roles import ROLES, Role, permissions_of
from server.services import imports
from server.services.import_kind import (
    Applied,
    Before,
    Checked,
    ImportField,
    ImportKind,
    Question,
    RowChange,
    RowProblem,
    Undone,
    Who,
    suggested,
)
from server.store import tables
from server.store.people_tables import positions
from shared.errors import DataError
from tests.server.api.company import NOW_MS, World

CSV = "编号,中文名 (必填),Name\nP1,快递员,Courier\nP2,,Driver\nP3,司机,Driver\n"
MAPPING = {"id": "编号", "name_zh": "中文名 (必填)", "name_en": "Name"}


async def check(connection: AsyncConnection, question: Question) -> Checked:
    rows = [
        (row.number, question.text(row, "id"), question.text(row, "name_zh"), question.text(row, "name_en"))
        for row in question.sheet.rows
    ]
    stored = set(await connection.scalars(select(positions.c.id)))
    good = [row for row in rows if row[2] and row[1] not in stored]
    problems = [RowProblem(row[0], "name_zh", "empty", {"id": row[1]}) for row in rows if not row[2]]
    changes = [RowChange(row[0], "added", row[1], row[2], {"name_zh": ("", row[2])}) for row in good]
    return Checked(
        good, added=len(good), same=len(rows) - len(good) - len(problems), problems=problems, changes=changes
    )


async def apply(connection: AsyncConnection, _question: Question, checked: Checked) -> Applied:
    rows = [{"id": row[1], "name_zh": row[2], "name_en": row[3]} for row in checked.plan]
    await connection.execute(positions.insert(), rows)
    return Applied({"ids": [row["id"] for row in rows]}, topics=["people"])


async def undo(connection: AsyncConnection, _who: Who, before: Before) -> Undone:
    for name in before["ids"]:
        gone = await connection.execute(positions.delete().where(positions.c.id == name))
        if not gone.rowcount:
            raise DataError(f"position {name} is gone", "changed_since", {"object": name})
    return Undone({"removed": len(before["ids"])}, ["people"])


FIELDS = (
    ImportField("id", ("编号", "id"), required=True),
    ImportField("name_zh", ("中文名", "Chinese name"), required=True),
    ImportField("name_en", ("Name",)),
)


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ImportKind("test", "rosters.write", FIELDS, check, apply, undo, options={"mode": "all"})
    monkeypatch.setitem(imports.KINDS, "test", made)


async def bring(world: World, role: str = "hr", text: bytes = CSV.encode("gb18030"), kind: str = "test") -> Any:
    async with world.client(role) as client:
        return await client.post(f"/api/imports?kind={kind}&name=职位.csv", content=text)


async def call(world: World, number: int, what: str, role: str = "hr", **options: Any) -> Any:
    return await world.post(role, f"/api/imports/{number}/{what}", {"mapping": MAPPING, "options": options})


async def stored(world: World) -> list[str]:
    async with world.db.reading() as connection:
        return sorted(await connection.scalars(select(positions.c.id)))


async def test_an_upload_tells_columns_first_rows_and_their_likely_meaning(any_world: World) -> None:
    told = (await bring(any_world)).json()
    assert told["header"] == ["编号", "中文名 (必填)", "Name"]
    assert told["sample"][0] == ["P1", "快递员", "Courier"]
    assert told["mapping"] == MAPPING
    assert (told["options"], told["same_as"]) == ({"skip_bad_rows": False, "mode": "all"}, None)
    assert (told["file"]["state"], told["file"]["rows"], told["file"]["actor"]) == ("uploaded", 3, "hr")


async def test_a_check_names_rows_and_writes_nothing(any_world: World) -> None:
    number = (await bring(any_world)).json()["file"]["id"]
    told = (await call(any_world, number, "check")).json()
    assert (told["added"], told["changed"], told["same"], told["bad"]) == (2, 0, 0, 1)
    assert told["problems"] == [{"row": 3, "field": "name_zh", "code": "empty", "parameters": {"id": "P2"}}]
    assert told["changes"][0]["fields"] == [{"field": "name_zh", "before": "", "after": "快递员"}]
    assert await stored(any_world) == []


async def test_bad_rows_stop_everything_until_somebody_says_to_skip_them(any_world: World) -> None:
    number = (await bring(any_world)).json()["file"]["id"]
    refused = await call(any_world, number, "apply")
    assert (refused.status_code, refused.json()["code"], await stored(any_world)) == (422, "bad_rows", [])
    told = (await call(any_world, number, "apply", skip_bad_rows=True)).json()
    assert (told["state"], told["applied_ms"], await stored(any_world)) == ("applied", NOW_MS, ["P1", "P3"])
    assert told["result"] == {"added": 2, "changed": 0, "same": 0, "skipped": 1}


async def test_a_file_is_applied_once_and_undone_once(any_world: World) -> None:
    number = (await bring(any_world)).json()["file"]["id"]
    assert (await call(any_world, number, "apply", skip_bad_rows=True)).status_code == 200
    assert (await call(any_world, number, "apply", skip_bad_rows=True)).json()["code"] == "import_state"
    assert (await any_world.post("hr", f"/api/imports/{number}/undo")).json()["state"] == "undone"
    assert (await any_world.post("hr", f"/api/imports/{number}/undo")).json()["code"] == "import_state"
    assert await stored(any_world) == []


async def test_what_was_changed_since_stops_undoing_and_is_named(any_world: World) -> None:
    number = (await bring(any_world)).json()["file"]["id"]
    await call(any_world, number, "apply", skip_bad_rows=True)
    async with any_world.db.writing() as connection:
        await connection.execute(positions.delete().where(positions.c.id == "P3"))
    told = (await any_world.post("hr", f"/api/imports/{number}/undo")).json()
    assert (told["code"], told["parameters"]) == ("changed_since", {"object": "P3"})
    assert await stored(any_world) == ["P1"]
    assert (await any_world.get("hr", f"/api/imports/{number}")).json()["file"]["state"] == "applied"


async def test_a_file_that_says_nothing_new_is_told_so(world: World) -> None:
    for expected in ("applied", None):
        told = (await bring(world)).json()
        answer = (await call(world, told["file"]["id"], "apply", skip_bad_rows=True)).json()
        assert answer.get("state") == expected
    assert (answer["code"], told["same_as"]) == ("nothing_to_do", told["file"]["id"] - 1)


async def test_a_meaning_that_does_not_fit_is_a_problem_of_the_file(world: World) -> None:
    number = (await bring(world)).json()["file"]["id"]
    body: dict[str, Any] = {"mapping": {"id": "Nowhere", "other": "Name"}, "options": {}}
    told = (await world.post("hr", f"/api/imports/{number}/check", body)).json()
    assert [(p["row"], p["field"], p["code"]) for p in told["problems"]] == [
        (None, "other", "unknown_field"),
        (None, "id", "no_column"),
        (None, "name_zh", "not_mapped"),
    ]
    body["options"] = {"skip_bad_rows": True}
    assert (await world.post("hr", f"/api/imports/{number}/apply", body)).json()["code"] == "bad_rows"


@pytest.mark.parametrize("options", [{"nonsense": True}, {"skip_bad_rows": "yes"}])
async def test_options_nobody_knows_are_refused(world: World, options: dict[str, Any]) -> None:
    number = (await bring(world)).json()["file"]["id"]
    assert (await call(world, number, "check", **options)).json()["code"] == "bad_option"


async def test_what_is_no_table_is_refused_and_not_kept(world: World) -> None:
    assert (await bring(world, text=b"PK\x03\x04")).json()["code"] == "bad_file"
    assert (await bring(world, text=b"")).json()["code"] == "no_rows"
    assert (await world.get("hr", "/api/imports?kind=test")).json()["total"] == 0


async def test_a_file_may_be_larger_than_other_bodies_but_not_endless(world: World) -> None:
    row = b"P9,x,y\n"
    assert (await bring(world, text=CSV.encode() + row * 20_000)).status_code == 200
    answer = await bring(world, text=row * (imports.LARGEST_FILE // len(row) + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("role", ROLES)
async def test_a_kind_needs_its_own_permission(world: World, role: Role) -> None:
    allowed = "rosters.write" in permissions_of(role)
    number = (await bring(world, "administrator")).json()["file"]["id"]
    assert (await bring(world, role)).status_code == (200 if allowed else 403)
    assert (await world.get(role, "/api/imports?kind=test")).status_code == (200 if allowed else 403)
    everyone = role in ("administrator", "hr")
    expected = 200 if everyone else 404 if allowed else 403
    assert (await world.get(role, f"/api/imports/{number}")).status_code == expected
    for what in ("check", "apply", "undo"):
        answer = await call(world, number, what, role, skip_bad_rows=True)
        assert answer.status_code == expected, what
    assert (await bring(world, role, kind="nothing")).status_code == 404


async def test_a_manager_sees_only_files_of_the_own_hand(world: World) -> None:
    await bring(world, "hr")
    await bring(world, "manager")
    assert (await world.get("manager", "/api/imports?kind=test")).json()["total"] == 1
    assert (await world.get("hr", "/api/imports?kind=test")).json()["total"] == 2


async def test_who_did_what_is_in_the_operation_log(world: World) -> None:
    number = (await bring(world)).json()["file"]["id"]
    await call(world, number, "apply", skip_bad_rows=True)
    await world.post("hr", f"/api/imports/{number}/undo")
    async with world.db.reading() as connection:
        rows = (await connection.execute(select(tables.operation_log).order_by(tables.operation_log.c.id))).all()
    assert [(row.actor, row.action, row.object) for row in rows] == [
        ("hr", f"import.{what}", f"test/{number}") for what in ("upload", "apply", "undo")
    ]


async def test_files_that_nobody_applied_are_forgotten_after_a_week(any_world: World) -> None:
    kept = (await bring(any_world)).json()["file"]["id"]
    await call(any_world, kept, "apply", skip_bad_rows=True)
    await bring(any_world)
    await imports.forget_uploads(any_world.db, NOW_MS + imports.KEEP_UPLOADS_MS)
    assert (await any_world.get("hr", "/api/imports?kind=test")).json()["total"] == 2
    await imports.forget_uploads(any_world.db, NOW_MS + imports.KEEP_UPLOADS_MS + 1)
    rows = (await any_world.get("hr", "/api/imports?kind=test")).json()["rows"]
    assert [row["id"] for row in rows] == [kept]


def test_each_column_means_one_thing() -> None:
    fields = (ImportField("name", ("姓名", "name")), ImportField("name_en", ("英文名", "name")))
    assert suggested(fields, ["Name", "姓 名 *"]) == {"name": "姓 名 *", "name_en": "Name"}
    assert suggested(fields, ["Name"]) == {"name": "Name"}
