"""Programs fetch a month with a token: who they are, what they get, how it ends."""

import hashlib
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from server.access.clients import DAY_MS
from server.access.roles import ROLES, permissions_of
from server.services import clients
from server.store import notice_tables, tables
from server.store.change_queries import note_changes
from shared.errors import DataError
from tests.server.api.company import NOW_MS, World
from tests.server.api.seed_month import MONTH, seed_month

PATH = f"/api/v1/payroll/months/{MONTH}"


async def token_of(world: World, name: str = "payroll", days: int = 90) -> str:
    return await clients.add_client(world.db, "hr", name, ["payroll.read"], days=days, now_ms=world.time.now_ms)


async def fetch(world: World, token: str | None, path: str = PATH, **headers: str) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    async with world.client(None, **bearer, **headers) as client:
        return await client.get(path)


async def test_a_program_gets_everybody_by_id_with_adjustments_apart(any_world: World) -> None:
    await seed_month(any_world.db)
    answer = await fetch(any_world, await token_of(any_world))
    assert answer.status_code == 200, answer.text
    view = answer.json()
    assert (view["month"], view["closed"], view["closed_ms"], view["total"]) == (MONTH, False, None, 4)
    rows = {row["employee"]: row for row in view["rows"]}
    assert list(rows) == ["e1", "e2", "e3", "e4"]
    assert (rows["e2"]["ot_15_min"], rows["e2"]["late_min"], rows["e2"]["pending_min"]) == (150, 10, 480)
    assert (rows["e1"]["worked_days"], rows["e1"]["leaves"]) == ("2.50", {"annual": 240})
    assert rows["e3"]["worked_min"] == 0
    assert rows["e3"]["adjustments"] == [
        {
            **{"date": "2026-02-27", "part": 0, "status_from": "missing_out", "status_to": "normal"},
            "delta": {"worked": 480, "pending": -480},
        }
    ]
    closed = (await fetch(any_world, await token_of(any_world, "other"), PATH.replace("03", "02"))).json()
    assert closed["closed"]
    assert closed["closed_ms"] is not None


async def test_pages_together_are_the_whole(world: World) -> None:
    await seed_month(world.db)
    token = await token_of(world)
    whole = (await fetch(world, token)).json()
    pages = [(await fetch(world, token, f"{PATH}?limit=3&offset={offset}")).json() for offset in (0, 3)]
    assert [row for page in pages for row in page["rows"]] == whole["rows"]
    assert {page["version"] for page in pages} == {whole["version"]}


async def test_an_unchanged_month_is_answered_in_short_and_a_change_is_not(world: World) -> None:
    token = await token_of(world)
    first = await fetch(world, token)
    again = await fetch(world, token, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    async with world.db.writing() as connection:
        await note_changes(connection, [f"month:{MONTH}"], NOW_MS)
    changed = await fetch(world, token, **{"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.json()["version"] > first.json()["version"]


async def test_no_token_a_wrong_one_an_ended_one_and_a_revoked_one_get_the_same_answer(any_world: World) -> None:
    ended = await token_of(any_world, "ended", days=1)
    revoked = await token_of(any_world, "revoked")
    async with any_world.db.reading() as connection:
        number = await connection.scalar(
            select(notice_tables.api_clients.c.id).where(notice_tables.api_clients.c.name == "revoked")
        )
    await clients.revoke_client(any_world.db, "hr", int(number or 0), now_ms=any_world.time.now_ms)
    any_world.time.now_ms += DAY_MS
    for token in (None, "mst_wrong", ended, revoked):
        answer = await fetch(any_world, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in")


async def test_a_session_of_a_person_is_no_program_and_a_token_is_no_session(world: World) -> None:
    assert (await world.get("administrator", PATH)).status_code == 401
    token = await token_of(world)
    assert (await fetch(world, token, "/api/me")).status_code == 401
    async with world.client(None, Cookie=f"__Host-muster={token}") as client:
        assert (await client.get("/api/me")).status_code == 401


async def test_guessing_tokens_is_slowed_by_address(world: World) -> None:
    statuses = [(await fetch(world, f"mst_{number}")).status_code for number in range(21)]
    assert statuses == [401] * 20 + [429]
    good = await fetch(world, await token_of(world))
    assert (good.status_code, "retry-after" in good.headers) == (429, True)
    world.time.now_ms += 16 * 60_000
    assert (await fetch(world, await token_of(world, "later"))).status_code == 200


async def test_every_read_is_logged_and_no_token_is_kept_anywhere(any_world: World) -> None:
    token = await token_of(any_world)
    await fetch(any_world, token)
    await fetch(any_world, "mst_wrong")
    async with any_world.db.reading() as connection:
        log = (await connection.execute(select(tables.operation_log).order_by(tables.operation_log.c.id))).all()
        kept = (await connection.execute(select(notice_tables.api_clients))).one()
    assert [(row.actor, row.action, row.object, row.result) for row in log] == [
        ("hr", "client.add", "payroll", "done"),
        ("client payroll", "payroll.read", MONTH, "done"),
        ("unknown", "client.use", "unknown", "refused"),
    ]
    assert kept.token_sha256 == hashlib.sha256(token.encode()).digest()
    assert (kept.seen_ms, token in repr(log), token in repr(kept)) == (NOW_MS, False, False)


@pytest.mark.parametrize(
    ("name", "permissions", "days", "code"),
    [
        (" ", ["payroll.read"], 90, "client_name"),
        ("a\nb", ["payroll.read"], 90, "client_name"),
        ("a", ["admin"], 90, "client_permission"),
        ("a", [], 90, "client_permission"),
        ("a", ["payroll.read"], 0, "client_days"),
        ("a", ["payroll.read"], 367, "client_days"),
        ("payroll", ["payroll.read"], 90, "taken"),
    ],
)
async def test_a_client_that_does_not_fit_is_refused(
    world: World, name: str, permissions: list[str], days: int, code: str
) -> None:
    await token_of(world)
    with pytest.raises(DataError) as refused:
        await clients.add_client(world.db, "hr", name, permissions, days=days, now_ms=NOW_MS)
    assert refused.value.code == code


async def test_hr_makes_and_revokes_clients_in_the_page(world: World) -> None:
    body: dict[str, Any] = {"name": "payroll", "permissions": ["payroll.read"], "days": 30}
    made = await world.post("hr", "/api/clients", body)
    assert made.status_code == 201
    assert (await fetch(world, made.json()["token"])).status_code == 200
    [row] = (await world.get("hr", "/api/clients")).json()["rows"]
    assert (row["name"], row["expires_ms"], "token" in row) == ("payroll", NOW_MS + 30 * DAY_MS, False)
    assert (await world.post("hr", f"/api/clients/{row['id']}/revoke")).status_code == 204
    assert (await fetch(world, made.json()["token"])).status_code == 401
    assert (await world.post("hr", f"/api/clients/{row['id']}/revoke")).status_code == 404


@pytest.mark.parametrize("role", ROLES)
async def test_only_roles_with_the_permission_see_clients(world: World, role: Any) -> None:
    allowed = "clients.write" in permissions_of(role)
    assert ((await world.get(role, "/api/clients")).status_code == 403) is not allowed
    assert ((await world.post(role, "/api/clients", {})).status_code == 403) is not allowed
    assert ((await world.post(role, "/api/clients/1/revoke")).status_code == 403) is not allowed
