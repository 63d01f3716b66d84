"""Rewards in steps and settings of periods over HTTP: who may, what is refused and why, what the log keeps."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from server.access.roles import permissions_of
from server.access.scope import Scope
from server.scoring.target import Target
from server.services.targets import set_targets
from server.store import tables
from server.store.log_queries import Entry
from tests.server.api.company import PEOPLE, World
from tests.support.with_keys import make_keys

SALES, MARGIN, CUSTOMERS = "biz_sales_amount", "biz_gross_margin_rate", "biz_new_customers"
TIER = {"indicator": SALES, "starts": "2026-01-01", "step": "0.1", "gain": "0.02", "max_steps": 5, "gates": {}}
PAYEE = {"kind": "person", "unit": "e1", "base_minor": 500_000}
BASE = PAYEE | {"indicator": SALES, "starts": "2026-01-01"}
SETTINGS = {"appeal_days": 10, "veto_cap": "55.5", "cycles": {"ops": "quarter"}}
ROUTES = [
    ("GET", "/api/score-settings", "scores.close"),
    ("PUT", "/api/score-settings", "scores.close"),
    ("GET", "/api/score-rewards", "scores.read"),
    ("GET", "/api/score-rewards/bases", "scores.read"),
    ("POST", "/api/score-rewards/tiers", "scores.close"),
    ("POST", "/api/score-rewards/bases", "scores.close"),
]


async def told(world: World, role: str, path: str) -> Any:
    answer = await world.get(role, path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def put(world: World, role: str, body: object) -> Any:
    return await world.put(role, "/api/score-settings", body)


async def refusal(world: World, path: str, body: object) -> tuple[int, str, dict[str, str]]:
    answer = await world.post("hr", path, body)
    return answer.status_code, answer.json()["code"], answer.json()["parameters"]


async def logged(world: World, action: str) -> list[Any]:
    log = tables.operation_log
    async with world.db.reading() as connection:
        return list(await connection.execute(select(log).where(log.c.action == action).order_by(log.c.id)))


@pytest.mark.parametrize("role", PEOPLE)
async def test_each_route_asks_for_its_permission(world: World, role: str) -> None:
    for method, path, permission in ROUTES:
        ask = {"GET": world.get, "POST": world.post, "PUT": world.put}[method]
        status = (await ask(role, path)).status_code
        may = permission in permissions_of(role)  # type: ignore[arg-type]
        assert (status == 403) is not may, (method, path, status)


# --- settings -------------------------------------------------------------------------------------------------------


async def test_settings_as_they_ship(world: World) -> None:
    """KS-9, KS-10, KS-13: cap 60, ten points, grades; HR and design by quarters."""
    shipped = await told(world, "hr", "/api/score-settings")
    assert (shipped["appeal_days"], shipped["veto_cap"], shipped["calibration_most"]) == (7, "60.00", "10.00")
    assert shipped["grades"] == {"S": "110.00", "A": "100.00", "B": "85.00", "C": "70.00", "D": "0.00"}
    assert shipped["cycles"] == {"hr": "quarter", "design": "quarter"}


async def test_settings_are_kept_and_logged_with_their_values(any_world: World) -> None:
    answer = await put(any_world, "hr", SETTINGS)
    assert answer.status_code == 200, answer.text
    kept = await told(any_world, "administrator", "/api/score-settings")
    assert (kept["appeal_days"], kept["veto_cap"], kept["cycles"]["ops"]) == (10, "55.50", "quarter")
    [entry] = await logged(any_world, "scores.settings")
    assert (entry.actor, entry.result) == ("hr", "done")
    assert entry.detail == {"appeal_days": 10, "veto_cap_centi": 5550, "cycle_ops": "quarter"}


@pytest.mark.parametrize("role", ["manager", "employee", "it", "facilities"])
async def test_settings_are_changed_by_nobody_else(world: World, role: str) -> None:
    assert (await put(world, role, SETTINGS)).status_code == 403
    assert (await told(world, "hr", "/api/score-settings"))["appeal_days"] == 7


@pytest.mark.parametrize(
    ("wrong", "code", "parameters"),
    [
        ({"appeal_days": 0}, "invalid", {}),
        ({"appeal_days": 91}, "invalid", {}),
        ({"veto_cap": "sixty"}, "invalid", {}),
        ({"veto_cap": "120.01"}, "score_setting", {"field": "veto_cap_centi"}),
        ({"veto_cap": "-1"}, "score_setting", {"field": "veto_cap_centi"}),
        ({"cycles": {"ops": "week"}}, "invalid", {}),
        ({"cycles": {"nowhere": "quarter"}}, "score_setting", {"field": "nowhere"}),
    ],
)
async def test_a_bad_setting_names_its_field_and_changes_nothing(
    world: World, wrong: dict[str, object], code: str, parameters: dict[str, str]
) -> None:
    answer = await put(world, "hr", SETTINGS | wrong)
    assert (answer.status_code, answer.json()["code"], answer.json()["parameters"]) == (422, code, parameters)
    assert (await told(world, "hr", "/api/score-settings"))["appeal_days"] == 7
    assert await logged(world, "scores.settings") == []


# --- rewards --------------------------------------------------------------------------------------------------------


async def test_steps_and_amounts_are_kept_from_their_days_on(any_world: World) -> None:
    world = any_world
    await make_keys(world.db)
    gated = TIER | {"starts": "2026-02-01", "step": "1/20", "gates": {MARGIN: "18", "biz_collection_rate": None}}
    for tier in (TIER | {"base": PAYEE}, gated):
        assert (await world.post("hr", "/api/score-rewards/tiers", tier)).status_code == 204
    ended = BASE | {"starts": "2099-01-01", "base_minor": 0}
    for base in (BASE, ended, BASE | {"kind": "position", "unit": "courier", "base_minor": 1}):
        assert (await world.post("hr", "/api/score-rewards/bases", base)).status_code == 204
    kept = await told(world, "hr", "/api/score-rewards")
    assert kept["tiers"] == [TIER, gated]
    assert kept["paid"] == [SALES]
    assert {"id": "courier", "name_zh": "配送员", "name_en": "Courier"} in kept["positions"]
    assert "log_damage_rate" not in {one["id"] for one in kept["indicators"]}, "fewer are better"
    bases = await told(world, "hr", "/api/score-rewards/bases")
    listed = [(one["unit"]["id"], one["starts"], one["base_minor"], one["holds"]) for one in bases["rows"]]
    assert listed == [
        ("courier", "2026-01-01", 1, True),
        ("e1", "2099-01-01", 0, False),
        ("e1", "2026-01-01", 500_000, True),
    ]
    kept_log = await logged(world, "scores.reward_base")
    assert kept_log[0].object == f"{SALES}/person/e1"
    assert not any("500000" in str(one.detail) for one in kept_log), "how much somebody gets is not in the log"


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"step": "0"}, "tier", "step"),
        ({"gain": "0/5"}, "tier", "gain"),
        ({"step": "1/0"}, "tier", "step"),
        ({"indicator": "nothing"}, "tier", "indicator"),
        ({"indicator": "log_damage_rate"}, "tier_direction", "indicator"),
        ({"gates": {"log_damage_rate": None}}, "tier_direction", "gates"),
        ({"gates": {MARGIN: "much"}}, "tier", "gates"),
        ({"gates": {"nothing": None}}, "tier", "gates"),
        ({}, "tier_base_missing", "base"),
        ({"base": {"kind": "person", "unit": "nobody", "base_minor": 1}}, "reward", "unit"),
    ],
)
async def test_steps_that_do_not_fit_name_their_field(
    world: World, wrong: dict[str, object], code: str, field: str
) -> None:
    assert await refusal(world, "/api/score-rewards/tiers", TIER | wrong) == (422, code, {"field": field})
    assert (await told(world, "hr", "/api/score-rewards/bases"))["total"] == 0
    assert (await told(world, "hr", "/api/score-rewards"))["tiers"] == []


@pytest.mark.parametrize("unit", ["", "ops", "e1"])
async def test_a_gate_waits_for_a_target_that_somebody_has_on_that_day(any_world: World, unit: str) -> None:
    """New customers ship without a target: before one is set, and before its first day, the gate is refused."""
    await make_keys(any_world.db)
    gated = TIER | {"base": PAYEE, "gates": {MARGIN: None, CUSTOMERS: None}}
    named = (422, "gate_target_missing", {"field": "gates", "indicator": CUSTOMERS})
    assert await refusal(any_world, "/api/score-rewards/tiers", gated) == named
    target = Target(CUSTOMERS, unit, dt.date(2026, 1, 2), "30")
    await set_targets(any_world.db, Scope.system(), [target], Entry(0, "test", "scores.targets", ""))
    assert await refusal(any_world, "/api/score-rewards/tiers", gated) == named
    assert (await told(any_world, "hr", "/api/score-rewards"))["tiers"] == []
    from_then = gated | {"starts": "2026-01-02", "base": PAYEE}
    assert (await any_world.post("hr", "/api/score-rewards/tiers", from_then)).status_code == 204


async def test_a_gate_with_a_value_of_its_own_needs_no_target(world: World) -> None:
    await make_keys(world.db)
    gated = TIER | {"base": PAYEE, "gates": {CUSTOMERS: "30"}}
    assert (await world.post("hr", "/api/score-rewards/tiers", gated)).status_code == 204


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"unit": "nobody"}, "reward", "unit"),
        ({"kind": "position", "unit": "pilot"}, "reward", "unit"),
        ({"indicator": "biz_new_customers"}, "tier_missing", "indicator"),
        ({"indicator": "log_damage_rate"}, "tier_direction", "indicator"),
    ],
)
async def test_amounts_that_do_not_fit_name_their_field(
    world: World, wrong: dict[str, object], code: str, field: str
) -> None:
    assert await refusal(world, "/api/score-rewards/bases", BASE | wrong) == (422, code, {"field": field})
    assert (await told(world, "hr", "/api/score-rewards/bases"))["rows"] == []


async def test_a_manager_sees_the_rules_of_the_own_people_and_no_amount(any_world: World) -> None:
    """e1 is in ops, which is the manager's; e3 is not."""
    await make_keys(any_world.db)
    for unit in ("e1", "e3"):
        await any_world.post("hr", "/api/score-rewards/bases", BASE | {"unit": unit})
    await any_world.post("hr", "/api/score-rewards/bases", BASE | {"kind": "position", "unit": "courier"})
    rules = await told(any_world, "manager", "/api/score-rewards")
    assert (rules["may_write"], rules["paid"]) == (False, [SALES])
    bases = await told(any_world, "manager", "/api/score-rewards/bases")
    assert [(one["unit"]["id"], one["base_minor"]) for one in bases["rows"]] == [("courier", None), ("e1", None)]
    assert bases["total"] == 2
    assert (await told(any_world, "hr", "/api/score-rewards/bases"))["total"] == 3


async def test_without_keys_amounts_are_refused_and_nothing_is_kept(any_world: World) -> None:
    for path, body in (("tiers", TIER | {"base": PAYEE}), ("bases", BASE)):
        assert (await refusal(any_world, f"/api/score-rewards/{path}", body))[:2] == (422, "no_keys")
    kept = await told(any_world, "hr", "/api/score-rewards")
    assert (kept["tiers"], kept["paid"]) == ([], [])
