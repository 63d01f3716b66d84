"""SEC-23, SEC-24: who reads whose amounts of rewards on a page is in the operation log, and no amount is."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Row, select, update

from server.access.scope import Scope
from server.store import log_queries, period_queries, tables
from server.store.log_queries import Entry
from server.store.period_queries import PeriodAdjustment, RewardRow, SideRow
from shared.errors import ConfigError
from tests.server.api.company import World
from tests.server.api.test_score_periods import APRIL_MS, MARCH, april, closed, told
from tests.support.with_keys import make_keys

PUNCTUAL = "att_punctuality_rate"
TIER = {"indicator": PUNCTUAL, "starts": "2026-01-01", "step": "0.1", "gain": "0.02", "max_steps": 5, "gates": {}}
COURIERS = {"kind": "position", "unit": "courier", "base_minor": 5_432_19}
LI_LEI = {"indicator": PUNCTUAL, "kind": "person", "unit": "e2", "starts": "2026-01-01", "base_minor": 6_543_21}
AMOUNTS = (COURIERS["base_minor"], LI_LEI["base_minor"], 7_654_32, 111_11)
CARDS, LATE, BASES = (
    f"/api/score-periods/{MARCH}/cards",
    f"/api/score-periods/{MARCH}/adjustments",
    "/api/score-rewards/bases",
)
WEIGHTS = {
    "kind": "set",
    "name_zh": "运",
    "name_en": "Ops",
    "department": "ops",
    "position": None,
    "starts": "2026-03-01",
}
PREVIEW = {"changes": [WEIGHTS | {"weights": {"att_attendance_rate": 100}}], "period": MARCH}


@pytest.fixture
async def paid(any_world: World) -> World:
    """Couriers and e2 have base amounts; March is closed with a reward each; late facts made it more for e1 and e2."""
    world = await april(any_world)
    await make_keys(world.db)
    assert (await world.post("hr", "/api/score-rewards/tiers", TIER | {"base": COURIERS})).status_code == 204
    assert (await world.post("hr", "/api/score-rewards/bases", LI_LEI)).status_code == 204
    await closed(world)
    reward = RewardRow(PUNCTUAL, LI_LEI["base_minor"], "1/10", "1/50", 5, {}, 3, 7_654_32)  # type: ignore[arg-type]
    async with world.db.writing() as connection:
        cards = await period_queries.published(connection, Scope.system(), MARCH)
        again = [replace(one, version=2, reward_minor=7_654_32, rewards=(reward,)) for one in cards]
        await period_queries.add_cards(connection, again)
        for employee in ("e1", "e2"):
            late = _late(employee)
            await period_queries.replace_adjustments(connection, employee, "2026-02", MARCH, [late])
    return world


def _late(employee: str) -> PeriodAdjustment:
    before, after = SideRow("90", 1, 1, 0), SideRow("95", 2, 2, 111_11)
    about = ("2026-02", PUNCTUAL, 0, MARCH, "late_facts")
    return PeriodAdjustment(employee, *about, 1, 1, 1, None, before, after, 1, 111_11, APRIL_MS)


async def reads(world: World) -> list[tuple[str, str, str, Any]]:
    """Who read what, about what, whose, in order; it was on 20 April, and no amount is told."""
    rows = await _rows(world)
    assert {(row.at_ms, row.result, row.ip) for row in rows} <= {(APRIL_MS, "done", "10.1.1.1")}
    return _told(rows)


async def entries_of(world: World) -> list[tuple[str, str, str, Any]]:
    """The same, whenever it was."""
    return _told(await _rows(world))


async def _rows(world: World) -> Sequence[Row[Any]]:
    log = tables.operation_log
    async with world.db.reading() as connection:
        which = select(log).where(log.c.action.startswith("scores.read_")).order_by(log.c.id)
        return (await connection.execute(which)).all()


def _told(rows: Sequence[Row[Any]]) -> list[tuple[str, str, str, Any]]:
    text = json.dumps([[row.object, row.detail] for row in rows])
    assert not any(str(minor) in text for minor in AMOUNTS)
    return [(row.actor, row.action, row.object, row.detail["whose"]) for row in rows]


async def test_sec24_a_card_of_another_is_noted_with_who_read_it(paid: World) -> None:
    assert (await told(paid, "hr", f"{CARDS}/e2"))["reward_minor"] == 7_654_32
    assert await reads(paid) == [("hr", "scores.read_rewards", f"e2/{MARCH}", ["e2"])]


async def test_sec24_a_page_of_adjustments_is_one_entry_with_those_on_it(paid: World) -> None:
    both = (await told(paid, "hr", LATE))["rows"]
    assert [(one["employee"], one["money_minor"]) for one in both] == [("e2", 111_11), ("e1", 111_11)]
    await told(paid, "hr", f"{LATE}?limit=1&offset=1")
    await told(paid, "hr", f"{LATE}?limit=1&offset=2")
    read = ("hr", "scores.read_adjustments", MARCH)
    assert await reads(paid) == [(*read, ["e1", "e2"]), (*read, ["e1"])], "an empty page shows nothing"


async def test_sec24_a_page_of_base_amounts_is_one_entry(paid: World) -> None:
    rows = (await told(paid, "hr", BASES))["rows"]
    assert {one["base_minor"] for one in rows} == {5_432_19, 6_543_21}
    await told(paid, "hr", f"{BASES}?indicator={PUNCTUAL}&limit=1")
    read = ("hr", "scores.read_bases")
    assert await reads(paid) == [(*read, "", ["e2", "position/courier"]), (*read, PUNCTUAL, ["position/courier"])]


async def test_sec24_previews_of_an_hour_are_one_entry_where_somebody_is_paid(paid: World) -> None:
    preview = (await paid.post("hr", "/api/schemes/preview", PREVIEW)).json()
    assert preview["paid_before_minor"], preview
    draft = (await paid.post("hr", "/api/schemes/drafts", {"title": "t", "changes": PREVIEW["changes"]})).json()["id"]
    await told(paid, "hr", f"/api/schemes/drafts/{draft}/preview?period={MARCH}")
    assert await reads(paid) == [("hr", "scores.read_preview", MARCH, ["e1", "e2"])]


@pytest.mark.parametrize(
    ("before", "hour_ms", "noted"),
    [
        ({}, 0, []),
        ({"detail": {"whose": ["e1"]}}, 0, ["e2"]),
        ({}, 3_600_000, []),
        ({}, 3_600_001, ["e1", "e2"]),
        ({"actor": "boss"}, 0, ["e1", "e2"]),
        ({"object": "2026-02"}, 0, ["e1", "e2"]),
        ({"action": "scores.read_adjustments"}, 0, ["e1", "e2"]),
        ({"result": "refused"}, 0, ["e1", "e2"]),
    ],
)
async def test_sec24_a_preview_notes_whom_no_preview_of_the_last_hour_showed_its_reader(
    paid: World, before: dict[str, Any], hour_ms: int, noted: list[str]
) -> None:
    same = {"actor": "hr", "action": "scores.read_preview", "object": MARCH, "detail": {"whose": ["e1", "e2"]}}
    async with paid.db.writing() as connection:
        await log_queries.append(connection, Entry(**{"at_ms": APRIL_MS - hour_ms, **same, **before}))
    entries = len(await entries_of(paid))
    assert (await paid.post("hr", "/api/schemes/preview", PREVIEW)).json()["paid_before_minor"]
    new = (await entries_of(paid))[entries:]
    assert new == ([("hr", "scores.read_preview", MARCH, noted)] if noted else [])


async def test_sec24_a_preview_is_not_noted_where_nobody_is_paid(any_world: World) -> None:
    world = await april(any_world)
    preview = (await world.post("hr", "/api/schemes/preview", PREVIEW)).json()
    assert (preview["moved"], preview["paid_before_minor"]) == (2, 0)
    assert await reads(world) == []


async def test_sec24_who_may_not_see_money_has_read_none(paid: World) -> None:
    assert (await told(paid, "manager", f"{CARDS}/e2"))["reward_minor"] is None
    assert {one["money_minor"] for one in (await told(paid, "manager", LATE))["rows"]} == {None}
    assert {one["base_minor"] for one in (await told(paid, "manager", BASES))["rows"]} == {None}
    assert (await paid.post("manager", "/api/schemes/preview", PREVIEW)).json()["paid_before_minor"] is None
    assert (await paid.get("manager", f"{CARDS}/e3")).status_code == 404
    assert (await paid.get("employee", f"{CARDS}/e1")).status_code == 403
    assert await reads(paid) == []


async def test_sec24_a_card_that_is_open_has_no_money_to_read(paid: World) -> None:
    assert (await told(paid, "hr", "/api/score-periods/2026-04/cards/e2"))["reward_minor"] is None
    assert await reads(paid) == []


async def test_sec24_ones_own_amounts_are_not_noted(paid: World) -> None:
    assert (await told(paid, "employee", f"{CARDS}/me"))["reward_minor"] == 7_654_32
    async with paid.db.writing() as connection:
        users = tables.users
        await connection.execute(update(users).where(users.c.login == "hr").values(employee="e2"))
    await told(paid, "hr", f"{CARDS}/me")
    await told(paid, "hr", f"{CARDS}/e2")
    await told(paid, "hr", LATE)
    await told(paid, "hr", BASES)
    read = [one[1::2] for one in await reads(paid)]
    assert read == [("scores.read_adjustments", ["e1"]), ("scores.read_bases", ["position/courier"])]


async def test_sec24_what_can_not_be_noted_is_not_given(paid: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("server.services.pay_reads.log_queries.append", refused)
    for path in (f"{CARDS}/e2", LATE, BASES):
        answer = await paid.get("hr", path)
        assert (answer.status_code, "minor" in answer.text) == (500, False), path


async def test_sec24_a_file_without_money_opens_none(paid: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the master key is missing: cards of a manager need none, those with money do."""

    async def missing(_: object) -> None:
        raise ConfigError("master key k1 is needed")

    monkeypatch.setattr("server.store.reward_pay.sealer_of", missing)
    file = f"/api/score-periods/{MARCH}/file?format=csv"
    plain = await paid.get("manager", file)
    assert (plain.status_code, "e2" in plain.text) == (200, True)
    refused = await paid.get("hr", file)
    assert (refused.status_code, refused.json()["code"]) == (422, "no_keys")
