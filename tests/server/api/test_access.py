"""Who gets in, who gets what: SEC-12 to SEC-19 and SEC-23 of the security requirements."""

import asyncio
import hashlib
import inspect
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import func, select, update

from server.access.roles import PERMISSIONS, ROLES, Role, permissions_of
from server.access.scope import Scope
from server.api.guards import guards_of
from server.services import accounts
from server.services.accounts import NewUser
from server.services.passwords import Passwords
from server.store import page_queries, people_queries, score_queries, tables
from server.store.scope_filter import Narrow
from shared.errors import DataError
from tests.server.api.company import COOKIE, DAY, NOW_MS, PEOPLE, ZONE, World

PASSWORD = "a long enough phrase"


class Counting(Passwords):
    """Counts the checks, and how many run at once."""

    def __init__(self) -> None:
        super().__init__()
        self.hashes: list[str] = []
        self.running = self.most = 0
        self._lock = threading.Lock()

    def _verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.hashes.append(stored)
        try:
            return super()._verify(password, stored)
        finally:
            with self._lock:
                self.running -= 1


@pytest.fixture
async def with_password(world: World) -> World:
    """The company, in which hr can sign in by password."""
    return await give_password(world)


@pytest.fixture
async def any_with_password(any_world: World) -> World:
    """The same on both databases."""
    return await give_password(any_world)


async def give_password(world: World) -> World:
    await accounts.set_password(world.db, Passwords(), "cli", "hr", PASSWORD, now_ms=NOW_MS)
    return world


def use(world: World, passwords: Passwords) -> None:
    """Let the application check passwords this way."""
    world.app.state.context = replace(world.app.state.context, passwords=passwords)


async def login(world: World, name: str = "hr", password: str = PASSWORD, **headers: str) -> Any:
    return await world.post(None, "/api/login", {"login": name, "password": password}, **headers)


# --- SEC-12 passwords -----------------------------------------------------------------------------------------------


async def test_sec12_passwords_are_argon2id_with_the_agreed_parameters() -> None:
    hashed = await Passwords().hash(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=47104,t=1,p=1$")


async def test_sec12_passwords_made_with_other_parameters_are_hashed_again_at_login(with_password: World) -> None:
    old = PasswordHash([Argon2Hasher(time_cost=2, memory_cost=8192, parallelism=2)]).hash(PASSWORD)
    async with with_password.db.writing() as connection:
        await connection.execute(update(tables.users).where(tables.users.c.login == "hr").values(password_hash=old))
    assert (await login(with_password)).status_code == 200
    async with with_password.db.reading() as connection:
        now = await connection.scalar(select(tables.users.c.password_hash).where(tables.users.c.login == "hr"))
    assert str(now).startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert (await login(with_password)).status_code == 200


async def test_sec12_passwords_are_hashed_two_at_a_time_off_the_loop() -> None:
    passwords = Counting()
    stored = await passwords.hash(PASSWORD)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    answers = await asyncio.gather(*(passwords.check(PASSWORD, stored) for _ in range(6)))
    ticking.cancel()
    assert [right for right, _ in answers] == [True] * 6
    assert passwords.most <= 2
    assert ticks > 10


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short77", "password_length"),
        ("x" * 129, "password_length"),
        ("Password123", "password_common"),
        ("woaini1314", "password_common"),
        ("zhangsan123", "password_common"),
        ("aaaaaaaaaaaa", "password_common"),
        ("new.person", "password_common"),
    ],
)
async def test_sec12_passwords_that_everybody_tries_are_refused(world: World, password: str, code: str) -> None:
    new = NewUser("new.person", "New", "it")
    with pytest.raises(DataError) as refused:
        await accounts.add_user(world.db, Passwords(), "cli", new, password, now_ms=NOW_MS)
    assert refused.value.code == code


@pytest.mark.parametrize("password", ["eightch8", "密码可以是一句话呀", "y" * 60 + "z" * 60 + "w" * 8])
async def test_sec12_passwords_of_8_to_128_characters_are_taken_without_composition_rules(
    world: World, password: str
) -> None:
    await accounts.add_user(world.db, Passwords(), "cli", NewUser("New.Person", "New", "it"), password, now_ms=NOW_MS)
    assert (await login(world, "new.person", password)).status_code == 200


# --- SEC-13 sessions ------------------------------------------------------------------------------------------------


async def test_sec13_sessions_have_a_cookie_that_scripts_and_other_sites_do_not_get(with_password: World) -> None:
    answer = await login(with_password)
    cookie = answer.headers["set-cookie"]
    token = cookie.split(";")[0].removeprefix(f"{COOKIE}=")
    assert cookie.startswith(f"{COOKIE}=")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "path=/", "samesite=lax", "secure"}
    assert len(token) >= 43  # 256 bits in base64
    async with with_password.db.reading() as connection:
        kept = (await connection.scalars(select(tables.sessions.c.token_sha256))).all()
    assert hashlib.sha256(token.encode()).digest() in kept


async def test_sec13_sessions_are_new_at_login_and_the_old_one_ends(with_password: World) -> None:
    planted = f"{COOKIE}={with_password.tokens['facilities']}"
    answer = await login(with_password, Cookie=planted)
    assert with_password.tokens["facilities"] not in answer.headers["set-cookie"]
    assert (await with_password.get("facilities", "/api/me")).status_code == 401


@pytest.mark.parametrize(("idle_ms", "status"), [(30 * 60_000 - 1, 200), (30 * 60_000, 401)])
async def test_sec13_sessions_end_after_30_idle_minutes(world: World, idle_ms: int, status: int) -> None:
    world.time.now_ms += idle_ms
    assert (await world.get("hr", "/api/me")).status_code == status


async def test_sec13_sessions_end_after_12_hours_however_busy(world: World) -> None:
    twelve_hours = 12 * 3_600_000
    for passed in range(20 * 60_000, twelve_hours, 20 * 60_000):
        world.time.now_ms = NOW_MS + passed
        assert (await world.get("hr", "/api/me")).status_code == 200
    world.time.now_ms = NOW_MS + twelve_hours
    assert (await world.get("hr", "/api/me")).status_code == 401


async def test_sec13_sessions_end_at_logout(world: World) -> None:
    answer = await world.post("hr", "/api/logout")
    assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (204, True)
    assert (await world.get("hr", "/api/me")).status_code == 401


async def test_sec13_sessions_end_when_the_account_is_closed(any_world: World) -> None:
    await accounts.set_disabled(any_world.db, "cli", "hr", True, now_ms=NOW_MS)
    assert (await any_world.get("hr", "/api/me")).status_code == 401
    await accounts.set_disabled(any_world.db, "cli", "hr", False, now_ms=NOW_MS)
    assert (await any_world.get("hr", "/api/me")).status_code == 401, "a session comes back to life"


async def test_sec13_sessions_of_a_disabled_row_are_dead_even_if_they_are_still_there(world: World) -> None:
    async with world.db.writing() as connection:
        await connection.execute(update(tables.users).values(disabled=True))
    assert (await world.get("hr", "/api/me")).status_code == 401


async def test_sec13_sessions_can_all_be_killed(world: World) -> None:
    assert await accounts.end_sessions(world.db, "cli", "hr", now_ms=NOW_MS) == 1
    assert (await world.get("hr", "/api/me")).status_code == 401
    assert (await world.get("it", "/api/me")).status_code == 200


async def test_sec13_sessions_end_when_the_password_changes(world: World) -> None:
    await accounts.set_password(world.db, Passwords(), "cli", "hr", PASSWORD, now_ms=NOW_MS)
    assert (await world.get("hr", "/api/me")).status_code == 401


async def test_a_changed_role_acts_on_the_next_request(world: World) -> None:
    assert (await world.get("hr", "/api/today")).status_code == 200
    async with world.db.writing() as connection:
        await connection.execute(update(tables.users).where(tables.users.c.login == "hr").values(role="employee"))
    assert (await world.get("hr", "/api/today")).status_code == 403


# --- SEC-14 brute force ---------------------------------------------------------------------------------------------


async def test_sec14_bruteforce_unknown_and_known_users_get_one_answer_for_the_same_work(with_password: World) -> None:
    await accounts.set_disabled(with_password.db, "cli", "it", True, now_ms=NOW_MS)
    passwords = Counting()
    use(with_password, passwords)
    answers = [await login(with_password, name, "wrong guess") for name in ("hr", "nobody", "it")]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(401, "wrong_credentials")] * 3
    assert [answer.json().keys() for answer in answers] == [answers[0].json().keys()] * 3
    assert len(passwords.hashes) == 3, "one hash is computed whether or not there is such a user"
    parameters = {stored.rsplit("$", 2)[0] for stored in passwords.hashes if stored}
    assert parameters == {"$argon2id$v=19$m=47104,t=1,p=1"}


async def test_sec14_bruteforce_waits_grow_per_account_and_end_by_themselves(with_password: World) -> None:
    """Five free tries, then 1, 2, 4 ... at most 30 s after the last failure."""
    use(with_password, Instant())
    waits = []
    for _ in range(12):
        while (answer := await login(with_password, password="wrong guess")).status_code == 429:
            waits.append(int(answer.headers["retry-after"]))
            with_password.time.now_ms += 1000 * waits[-1]
        assert answer.status_code == 401
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    blocked = await login(with_password)
    assert (blocked.status_code, blocked.json()["code"]) == (429, "too_many_tries")
    with_password.time.now_ms += 30_000
    assert (await login(with_password)).status_code == 200, "the owner is never locked out"


async def test_sec14_bruteforce_of_unknown_users_waits_as_well(with_password: World) -> None:
    use(with_password, Instant())
    statuses = [(await login(with_password, "nobody", "wrong guess")).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


async def test_sec14_bruteforce_over_many_accounts_is_slowed_by_address(with_password: World) -> None:
    use(with_password, Instant())
    statuses = [(await login(with_password, f"user{n}", "wrong guess")).status_code for n in range(21)]
    assert statuses == [401] * 20 + [429]


async def test_sec14_bruteforce_at_once_does_not_slip_through(any_with_password: World) -> None:
    use(any_with_password, Instant())
    answers = await asyncio.gather(*(login(any_with_password, password="wrong guess") for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7


async def test_sec14_bruteforce_windows_slide_and_success_forgets(any_with_password: World) -> None:
    use(any_with_password, Instant())
    for _ in range(5):
        await login(any_with_password, password="wrong guess")
    any_with_password.time.now_ms += 15 * 60_000
    assert (await login(any_with_password, password="wrong guess")).status_code == 401
    assert (await login(any_with_password)).status_code == 200
    async with any_with_password.db.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(tables.login_failures)) == 0


class Instant(Passwords):
    """Compares without hashing, for tests that try often."""

    async def check(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        return password == PASSWORD and bool(stored), None


# --- SEC-16 other sites ---------------------------------------------------------------------------------------------


def unsafe_routes(world: World) -> list[tuple[str, str]]:
    found = []
    for route in api_routes(world):
        found += [
            (method, route.path.replace("{path:path}", "x")) for method in (route.methods or set()) - {"GET", "HEAD"}
        ]
    return sorted(found)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Muster": ""},
        {"X-Muster": "0"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "https://muster.test.evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_sec16_csrf_all_routes(world: World, headers: dict[str, str]) -> None:
    # A signature over the body proves who calls; no cookie is looked at, so another site gains nothing.
    signed = {route.path for route in api_routes(world) if next(guards_of(route.dependant)) == "signature"}
    assert signed == {"/api/v1/ingest/{source}/{fact}", "/api/v1/hooks/{vendor}/{source}"}
    routes = [(method, path) for method, path in unsafe_routes(world) if path not in signed]
    assert ("POST", "/api/unmatched/assign") in routes
    assert len(routes) >= 3
    for method, path in [*routes, ("PUT", "/api/me"), ("DELETE", "/anything")]:
        async with world.client("administrator", **headers) as client:
            answer = await client.request(method, path, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), (method, path)


async def test_sec16_csrf_lets_our_own_pages_through(world: World) -> None:
    own = {"Origin": "https://muster.test", "Sec-Fetch-Site": "same-origin"}
    assert (await world.post("hr", "/api/logout", **own)).status_code == 204


# --- SEC-17 permissions ---------------------------------------------------------------------------------------------


def api_routes(world: World) -> list[APIRoute]:
    return [route for route in all_routes(world) if isinstance(route, APIRoute)]


def all_routes(world: World) -> list[Any]:
    """Those of included routers too."""
    return [context.original_route for context in iter_route_contexts(world.app.routes)]


def undeclared(routes: list[Any]) -> list[str]:
    """Routes without exactly one guard; a mount or a bare route can not have one."""
    return [
        str(getattr(route, "path", route))
        for route in routes
        if not isinstance(route, APIRoute) or len(list(guards_of(route.dependant))) != 1
    ]


def test_sec17_route_inventory(world: World) -> None:
    declared = {route.path: next(guards_of(route.dependant)) for route in api_routes(world)}
    assert undeclared(all_routes(world)) == []
    assert {path for path, guard in declared.items() if guard == "public"} == {"/api/login", "/health", "/{path:path}"}
    of_all = {path for path, guard in declared.items() if guard == "signed in" and not path.startswith("/api/imports")}
    assert of_all == {"/api/logout", "/api/me", "/live"}
    assert declared["/api/operations"] == declared["/openapi.json"] == "admin"


def test_sec17_route_inventory_notices_an_undeclared_route(world: World) -> None:
    world.with_own_app()

    @world.app.get("/api/forgotten")
    async def forgotten() -> None: ...

    world.app.mount("/files", world.app)
    assert undeclared(all_routes(world)) == ["/api/forgotten", "/files"]


NEEDS = {
    "/api/today": "today.read",
    f"/api/days/me/{DAY}": "me.read",
    f"/api/days/e3/{DAY}": "today.read",
    "/api/scores": "scores.read",
    "/api/scores/e3": "scores.read",
    "/api/devices": "devices.read",
    "/api/employees": "people.read",
    "/api/unmatched": "people.map",
    "/api/quarantine": "quarantine.read",
    "/api/operations": "admin",
    "/openapi.json": "admin",
    f"/live?topics=day:{DAY}x": "signed in",
}


@pytest.mark.parametrize("role", ROLES)
async def test_every_role_gets_what_its_permissions_say(world: World, role: Role) -> None:
    for path, needed in NEEDS.items():
        answer = await world.get(role, path)
        allowed = needed == "signed in" or needed in permissions_of(role)
        assert (answer.status_code == 403) is not allowed, (path, answer.status_code)
        assert (await world.get(None, path)).status_code == 401, path


def test_every_permission_belongs_to_the_administrator_and_every_role_reads_its_own() -> None:
    assert permissions_of("administrator") == set(PERMISSIONS)
    assert all("me.read" in permissions_of(role) for role in ROLES)


# --- SEC-18, SEC-19 scope -------------------------------------------------------------------------------------------

VISIBLE = {"administrator": "1234", "hr": "1234", "manager": "12", "employee": "2", "it": "", "facilities": ""}
"""Employees in the scope of each role: the manager is e1 and has ops with ops-north below."""


@pytest.mark.parametrize("role", ["administrator", "hr", "manager", "employee"])
@pytest.mark.parametrize("employee", ["e1", "e2", "e3", "e4"])
async def test_sec18_scope_matrix_of_detail_routes(world: World, role: str, employee: str) -> None:
    own = employee == PEOPLE[role][1]
    expected = 200 if employee[1] in VISIBLE[role] else 404
    if role == "employee" and not own:
        expected = 403
    for path in (f"/api/days/{employee}/{DAY}", f"/api/scores/{employee}"):
        answer = await world.get(role, path)
        assert answer.status_code == expected, path


async def test_sec18_scope_matrix_of_lists(any_world: World) -> None:
    today = (await any_world.get("manager", "/api/today")).json()
    assert [row["employee"] for row in today["rows"]] == ["e1", "e2"]
    assert {punch["employee"] for punch in today["punches"]} == {"e1", "e2"}
    assert (today["counts"], today["scheduled"]) == ({"normal": 1, "late": 1}, 2)
    assert [name["id"] for name in today["departments"]] == ["ops", "ops-north"]
    assert [name["id"] for name in today["sites"]] == ["d1"]
    people = (await any_world.get("manager", "/api/employees")).json()
    assert ([row["id"] for row in people["rows"]], people["total"]) == (["e2", "e1"], 2)
    for path in ("/api/today?department=fin", "/api/employees?department=fin", "/api/employees?q=Zhao"):
        assert (await any_world.get("manager", path)).json()["rows"] == [], path


async def test_sec18_an_unknown_and_a_foreign_employee_get_one_answer(world: World) -> None:
    answers = [(await world.get("manager", f"/api/days/{who}/{DAY}")).json() for who in ("e3", "e999")]
    assert [{key: answer[key] for key in ("code", "fields")} for answer in answers] == [
        {"code": "not_found", "fields": {}}
    ] * 2


NARROW = Scope(departments=frozenset({"ops-north"}))
"""Only e2 is in it."""
Query = Callable[[Any, Scope], Awaitable[Any]]


QUERIES: dict[str, tuple[Query, object]] = {
    "newest_result_date": (page_queries.newest_result_date, DAY),
    "day_rows": (lambda c, s: page_queries.day_rows(c, s, DAY), ["e2"]),
    "planned_people": (lambda c, s: page_queries.planned_people(c, s, DAY), ["e2"]),
    "status_counts": (lambda c, s: page_queries.status_counts(c, s, DAY), {"late": 1}),
    "newest_punches": (lambda c, s: page_queries.newest_punches(c, s, DAY, ZONE, limit=9), ["e2", "e2", "e2"]),
    "person": (lambda c, s: page_queries.person(c, s, "e3"), None),
    "records_of": (lambda c, s: page_queries.records_of(c, s, "e3", DAY), []),
    "record_dates_around": (
        lambda c, s: page_queries.record_dates_around(c, s, "e3", DAY.replace(day=3)),
        (None, None),
    ),
    "punches_of": (lambda c, s: page_queries.punches_of(c, s, "e3", DAY, ZONE, also=[6]), []),
    "department_names": (people_queries.department_names, ["ops-north"]),
    "site_names": (people_queries.site_names, ["d1"]),
    "employee_rows": (lambda c, s: people_queries.employee_rows(c, s, "", Narrow(), limit=9, offset=0), (1, ["e2"])),
    "unmatched_rows": (people_queries.unmatched_rows, []),
    "number_rows": (lambda c, s: people_queries.number_rows(c, s, "g1"), ["2"]),
    "employee_ids": (lambda c, s: people_queries.employee_ids(c, s, "", Narrow()), ["e2"]),
    "numbers_of": (lambda c, s: _keys(people_queries.numbers_of(c, s, ["e1", "e2", "e3"])), ["e2"]),
    "names_of_people": (lambda c, s: _keys(people_queries.names_of_people(c, s)), ["e2"]),
    "mail_addresses": (lambda c, s: people_queries.mail_addresses(c, s, ["e1", "e2", "e3"]), ["e2@example.com"]),
    "employee_of_user": (lambda c, s: people_queries.employee_of_user(c, s, "g1", "3"), None),
    "scorecard": (lambda c, s: score_queries.scorecard(c, s, "e3"), None),
    "months_with_scores": (score_queries.months_with_scores, []),
    "ranking": (lambda c, s: score_queries.ranking(c, s, "2026-03", Narrow()), []),
    "score_rows": (lambda c, s: score_queries.score_rows(c, s, "2026-03"), {}),
    "lineage_of": (lambda c, s: score_queries.lineage_of(c, s, "e3", "2026-03", "att_punctuality_rate"), None),
}
"""Every query that serves people, asked about or beyond the one person in scope, and the ids in its answer."""


async def _keys(asked: Awaitable[dict[str, Any]]) -> list[str]:
    return list(await asked)


def _ids(answer: object) -> object:
    match answer:
        case list():
            return [
                next((getattr(row, key) for key in ("employee", "id", "user_code") if hasattr(row, key)), row)
                for row in answer
            ]
        case (int() as total, list() as rows):
            return total, _ids(rows)
    return answer


async def test_sec19_scope_failclosed(any_world: World) -> None:
    async with any_world.db.writing() as connection:
        card = {"employee": "e3", "period": "2026-03", "status": "scored", "total_centi": 1, "computed_ms": 1}
        await connection.execute(tables.scorecards.insert().values(**card, coverage_num=1, coverage_den=1))
        score = {"employee": "e3", "period": "2026-03", "indicator": "att_punctuality_rate", "sample": 1}
        await connection.execute(tables.scores.insert().values(**score, lineage={}, computed_ms=1))
        await connection.execute(update(tables.employees).values(email=tables.employees.c.id + "@example.com"))
    async with any_world.db.reading() as connection:
        for name, (query, expected) in QUERIES.items():
            assert _ids(await query(connection, NARROW)) == expected, name
            nothing = _ids(await query(connection, Scope()))
            assert nothing in (None, [], {}, (0, []), (None, None)), f"{name}: an empty scope sees nobody"


def test_sec19_scope_failclosed_covers_every_query_with_a_scope() -> None:
    """A new query in these files has to be added above; none may have a default scope."""
    found = set()
    for module in (page_queries, people_queries, score_queries):
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction):
            parameters = inspect.signature(function).parameters
            if function.__module__ == module.__name__ and not name.startswith("_") and "scope" in parameters:
                assert parameters["scope"].default is inspect.Parameter.empty, name
                assert list(parameters).index("scope") == 1, name
                found.add(name)
    assert found == set(QUERIES)


# --- SEC-23 operation log -------------------------------------------------------------------------------------------


async def test_sec23_log_content_of_logins(any_with_password: World) -> None:
    use(any_with_password, Instant())
    await login(any_with_password, "hr\nroot logged in", "wrong guess")
    await login(any_with_password, "hr", "wrong guess")
    await login(any_with_password, "HR ")
    async with any_with_password.db.reading() as connection:
        rows = (await connection.execute(select(tables.operation_log).order_by(tables.operation_log.c.id))).all()
    assert [(row.actor, row.action, row.object, row.result, row.ip) for row in rows[1:]] == [
        ("unknown", "login", "unknown", "refused", "10.1.1.1"),
        ("hr", "login", "hr", "refused", "10.1.1.1"),
        ("hr", "login", "hr", "done", "10.1.1.1"),
    ]
    assert all(row.at_ms == NOW_MS and row.request_id for row in rows[1:])
    text = repr(rows)
    assert not any(secret in text for secret in (PASSWORD, "wrong guess", "argon2", "root logged in"))


# --- documentation --------------------------------------------------------------------------------------------------


def test_the_reference_names_every_route_with_its_guard(world: World) -> None:
    page = (Path(__file__).parents[3] / "docs/reference/http-api.md").read_text()
    written = set(re.findall(r"^\| `(\w+ /\S+)` \| `?([\w. ]+?)`? \|", page, re.MULTILINE))
    declared = {
        (f"{method} {route.path}", next(guards_of(route.dependant)))
        for route in api_routes(world)
        for method in route.methods or ()
        if route.path != "/{path:path}"
    }
    assert written == declared


@pytest.mark.parametrize("role", ROLES)
def test_the_reference_names_every_permission_of_a_role(role: Role) -> None:
    page = (Path(__file__).parents[3] / "docs/reference/http-api.md").read_text()
    [cell] = re.findall(rf"^\| {role} \| (.+?) \|", page, re.MULTILINE)
    written = set(PERMISSIONS) if cell == "all" else set(cell.strip("`").split())
    assert written == permissions_of(role)
