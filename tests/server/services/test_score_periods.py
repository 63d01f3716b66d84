"""From score to consequence: closing, calibration, veto, rewards, late facts, appeals (KS-8 to KS-13, KS-17)."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from sqlalchemy import delete, select

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.scoring.target import Target
from server.services import score_judging as judging
from server.services.score_judging import Reported
from server.services.score_periods import ADVISORY, check, close_period
from server.services.score_rewards import put_base, put_tier
from server.services.score_settings import put_settings
from server.services.scoring import score_touched
from server.services.sources import put_source
from server.services.targets import set_targets
from server.store import link_queries, period_queries, score_queries
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.reward_queries import BaseRow, TierRow
from server.store.tables import operation_log, touched_scores
from shared.errors import DataError
from tests.server.services.period_world import (
    BOSS,
    CLOSED,
    HR,
    JANUARY,
    LATE,
    QIAN,
    ROOT,
    TMS,
    WANG,
    act,
    adjustments,
    card,
    close,
    company,
    damage,
    heard,
    parcels,
    sales,
    target,
)
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import day, put
from tests.server.services.world import at, load

DAMAGE = "log_damage_rate"
SALES = "biz_sales_amount"


@pytest.fixture
async def january(db: Database) -> Database:
    """January, not closed yet."""
    await company(db)
    await parcels(db)
    return db


async def shown(db: Database, period: str = JANUARY) -> int | None:
    """The total on the scorecard itself."""
    async with db.reading() as connection:
        found = await score_queries.scorecard(connection, Scope.system(), "wang", period)
    assert found is not None
    return found.total


async def items(db: Database, now: str = CLOSED) -> dict[str, int]:
    async with db.reading() as connection:
        found = await check(connection, Scope.system(), JANUARY, at(now), "logistics")
    return {item.code: item.count for item in found.items}


# --- closing --------------------------------------------------------------------------------------------------------


async def test_x25_a_return_of_march_leaves_january_and_adjusts_march(january: Database) -> None:
    """1.40 % and 102.00 points stay; March says 1.40 to 1.50 %, 102.00 to 100.00, and what the total would be."""
    db = january
    await close(db, department="logistics")
    closed = await card(db)
    assert (closed.version, closed.computed, closed.final, closed.grade) == (1, 112_29, 112_29, "S")
    await put(db, "damage_report", damage(500), source="tms")
    await heard(db, LATE)
    await score_touched(db, at(LATE))
    assert await card(db) == closed
    assert await shown(db) == 112_29
    [told] = await adjustments(db)
    assert (told.employee, told.period, told.posted_to, told.indicator) == ("wang", JANUARY, "2026-03", DAMAGE)
    assert told.before.value is not None
    assert told.after.value is not None
    assert (Fraction(told.before.value), Fraction(told.after.value)) == (Fraction("1.4"), Fraction("1.5"))
    assert (told.before.points, told.after.points) == (102_000_000, 100_000_000)
    assert (told.before.total, told.after.total, told.total) == (112_29, 111_43, -86)
    assert told.cause == "damage_report/tms/d500"


async def test_a_closed_card_keeps_everything_that_made_it(january: Database) -> None:
    await close(january, department="logistics")
    closed = await card(january)
    [part] = closed.parts
    kept = {row.indicator: row for row in part.scores}
    assert (kept[DAMAGE].lineage.numerator, kept[DAMAGE].lineage.denominator) == (14, 1_000)
    assert len(kept[DAMAGE].lineage.input_hash) == 64
    assert kept[DAMAGE].lineage.weight_sets
    assert part.post.position == "courier"


async def test_an_early_closing_is_a_decision_that_keeps_the_mark(january: Database) -> None:
    """Damage is provisional for 15 days, complaints for 7: on 10 February only damage is."""
    early = "2026-02-10 09:00"
    await heard(january, early)
    await score_touched(january, at(early))
    async with january.writing() as connection:
        await score_queries.touch_scores(connection, [("wang", JANUARY)])
    await score_touched(january, at(early))
    assert (await items(january, early))["provisional"] == 1
    assert (await items(january, "2026-02-15 09:00"))["provisional"] == 1
    assert (await items(january, "2026-02-16 00:00"))["provisional"] == 0
    with pytest.raises(DataError) as refused:
        await close_period(january, act(HR, early), JANUARY, "logistics")
    assert refused.value.code == "not_accepted"
    await close_period(january, act(HR, early), JANUARY, "logistics", accepted=ADVISORY)
    assert DAMAGE in (await card(january)).provisional


async def test_a_period_that_is_not_over_stays_open(january: Database) -> None:
    with pytest.raises(DataError) as refused:
        await close(january, now="2026-01-31 23:00")
    assert refused.value.code == "not_ready"


async def test_closing_twice_leaves_the_first_as_it_was(january: Database) -> None:
    await close(january, department="logistics")
    first = await card(january)
    with pytest.raises(DataError) as refused:
        await close(january, department="logistics", now=LATE)
    assert refused.value.code == "nothing_to_close"
    await close(january, now=LATE)
    assert await card(january) == first
    assert (await card(january, "qian")).version == 1


async def test_departments_go_by_their_cycles(january: Database) -> None:
    """HR goes by quarters: its people are in no month and in the quarter."""
    await close(january)
    with pytest.raises(IndexError):
        await card(january, "ren")
    await close(january, "2026-Q1", "2026-05-20 09:00")
    assert (await card(january, "ren", "2026-Q1")).period == "2026-Q1"
    with pytest.raises(IndexError):
        await card(january, "wang", "2026-Q1")
    await put_settings(january, act(ROOT), {"cycle:logistics": "quarter"})
    async with january.reading() as connection:
        found = await check(connection, Scope.system(), "2026-Q2", at("2026-07-20 09:00"))
    assert found.closed == 0
    with pytest.raises(DataError, match="expected month or quarter"):
        await put_settings(january, act(ROOT), {"cycle:logistics": "week"})


async def test_targets_and_weights_of_later_change_nothing_that_is_closed(db: Database) -> None:
    await company(db)
    await sales(db, "o1", 110_000_000)
    await target(db)
    await close(db, department="business")
    closed = await card(db, "qian")
    await target(db, "2000000")
    await score_touched(db, at(LATE))
    assert await card(db, "qian") == closed
    assert await adjustments(db) == []


# --- calibration and veto -------------------------------------------------------------------------------------------


async def test_x21_a_calibration_is_clamped_and_kept_apart(january: Database) -> None:
    """112.29 + 10 is 120 at most; the adjustment stays +10."""
    number = await judging.propose(january, act(BOSS), "wang", JANUARY, points=10_00, reason="helped in the storm")
    await judging.decide_calibration(january, act(HR), number, approve=True)
    await close(january, department="logistics")
    closed = await card(january)
    assert (closed.computed, closed.adjustment, closed.final, closed.grade) == (112_29, 10_00, 120_00, "S")
    assert closed.calibration == number


@pytest.mark.parametrize(("points", "reason"), [(10_01, "x"), (-10_01, "x"), (0, "x"), (5_00, "  ")])
async def test_ks10_other_points_and_no_reason_are_refused(january: Database, points: int, reason: str) -> None:
    with pytest.raises(DataError) as refused:
        await judging.propose(january, act(BOSS), "wang", JANUARY, points=points, reason=reason)
    assert refused.value.code == "calibration"


async def test_ks10_nobody_approves_the_own_proposal_and_it_is_logged(january: Database) -> None:
    number = await judging.propose(january, act(BOSS), "wang", JANUARY, points=5_00, reason="x")
    with pytest.raises(DataError) as refused:
        await judging.decide_calibration(january, act(BOSS), number, approve=True)
    assert refused.value.code == "same_person"
    async with january.reading() as connection:
        logged = select(operation_log.c.result).where(operation_log.c.action == "scores.calibrate")
        assert list(await connection.scalars(logged.order_by(operation_log.c.id))) == ["done", "refused"]
    with pytest.raises(DataError) as waiting:
        await close(january, department="logistics")
    assert waiting.value.code == "not_ready", "a proposal that waits is not lost"
    await judging.decide_calibration(january, act(HR), number, approve=False, note="no")
    await close(january, department="logistics")
    assert (await card(january)).adjustment == 0


async def test_ks10_nobody_calibrates_oneself_or_people_out_of_scope(january: Database) -> None:
    own = replace(BOSS, employee="wang")
    with pytest.raises(DataError) as refused:
        await judging.propose(january, act(own), "wang", JANUARY, points=5_00, reason="x")
    assert refused.value.code == "own_card"
    with pytest.raises(NotFoundError):
        await judging.propose(january, act(BOSS), "qian", JANUARY, points=5_00, reason="x")


async def test_ks10_a_closed_card_is_calibrated_by_appeal_only(january: Database) -> None:
    await close(january, department="logistics")
    with pytest.raises(DataError) as refused:
        await judging.propose(january, act(BOSS), "wang", JANUARY, points=5_00, reason="x")
    assert refused.value.code == "period_closed"


async def test_x20_a_confirmed_veto_limits_what_calibration_lifted(january: Database) -> None:
    points = await judging.propose(january, act(BOSS), "wang", JANUARY, points=7_00, reason="x")
    await judging.decide_calibration(january, act(HR), points, approve=True)
    veto = await judging.report_veto(january, act(BOSS), Reported("wang", JANUARY, "safety_accident", "report 12"))
    with pytest.raises(DataError, match="another person"):
        await judging.decide_veto(january, act(BOSS), veto, confirm=True)
    await judging.decide_veto(january, act(HR), veto, confirm=True)
    await close(january, department="logistics")
    closed = await card(january)
    assert (closed.computed, closed.adjustment, closed.veto_cap) == (112_29, 7_00, 60_00)
    assert (closed.final, closed.grade) == (60_00, "D")


async def test_ks9_a_veto_after_the_closing_makes_a_further_version(january: Database) -> None:
    await close(january, department="logistics")
    veto = await judging.report_veto(january, act(BOSS, LATE), Reported("wang", JANUARY, "fraud", "case 1", 40_00))
    await judging.decide_veto(january, act(HR, LATE), veto, confirm=True)
    async with january.reading() as connection:
        second, first = await period_queries.versions(connection, Scope.system(), "wang", JANUARY)
    assert (first.version, first.final, second.version, second.final) == (1, 112_29, 2, 40_00)
    assert second.cause == f"veto/{veto}"
    assert second.computed == first.computed


async def test_ks9_a_veto_without_evidence_is_refused(january: Database) -> None:
    with pytest.raises(DataError, match="evidence"):
        await judging.report_veto(january, act(BOSS), Reported("wang", JANUARY, "fraud", " "))
    with pytest.raises(DataError, match="expected one of"):
        await judging.report_veto(january, act(BOSS), Reported("wang", JANUARY, "late", "x"))


# --- rewards --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "steps", "money"),
    [(110_000_000, 1, 5_100_00), (109_999_999, 0, 5_000_00), (175_000_000, 5, 5_500_00)],
    ids=["X15", "X16", "X17"],
)
async def test_rewards_in_steps_come_out_of_the_closing(db: Database, minor: int, steps: int, money: int) -> None:
    await company(db)
    await sales(db, "o1", minor)
    await target(db)
    await put_base(db, act(HR), BaseRow(SALES, "position", "sales_rep", day("2026-01-01"), 5_000_00))
    await close(db, department="business")
    closed = await card(db, "qian")
    assert ([(one.steps, one.minor) for one in closed.rewards], closed.reward_minor) == ([(steps, money)], money)


DESIGNERS = {
    "departments": [{"id": "design", "name_zh": "设计", "name_en": "Design"}],
    "employees": [
        {"id": "dora", "name": "Dora", "department": "design", "site": "d1", "position": "designer"}
        | {"joined_on": "2025-01-01"}
    ],
}
WEB = TMS.replace("source: tms", "source: web").replace("[shipment, ", "[funnel_event, design_task, ")


async def test_x18_a_designers_pages_are_rewarded_in_their_own_steps(db: Database) -> None:
    """15 of 400 visitors of the quarter convert: 3.75 % where 3.00 % were wanted."""
    await company(db)
    await load(db, json.dumps(DESIGNERS).encode())
    after = "2026-04-30 09:00"
    await put_source(db, WEB, "web.yaml", Entry(at(after), "test", "test", ""))
    async with db.writing() as connection:
        await link_queries.put_link(connection, LinkRow("web", "dora", day("2025-01-01"), None, "dora"))
    live = {"page_live_from": moment("2026-01-01 00:00"), "page_live_to": moment("2026-03-31 00:00")}
    task = {"source_key": "t", "created_at": moment("2025-12-01 09:00"), "status": "accepted", "employee_key": "dora"}
    await put(db, "design_task", {**task, **live, "page_key": "/sale", "page_type": "landing"}, source="web")
    views = [
        {"source_key": f"v{n}", "visitor_key": f"{n}", "kind": "page_view", "page": "/sale"}
        | {"occurred_at": moment("2026-02-03 10:00")}
        for n in range(400)
    ]
    goals = [
        {"source_key": f"g{n}", "visitor_key": f"{n}", "kind": "goal", "occurred_at": moment("2026-02-04 10:00")}
        for n in range(15)
    ]
    await put(db, "funnel_event", *views, *goals, source="web")
    pages = "dsg_page_conversion_rate"
    await set_targets(
        db, Scope.system(), [Target(pages, "dora", day("2026-01-01"), "3.00")], Entry(at(after), "test", "test", "")
    )
    await put_base(db, act(HR), BaseRow(pages, "person", "dora", day("2026-01-01"), 5_000_00))
    await close(db, "2026-Q1", after, "design")
    closed = await card(db, "dora", "2026-Q1")
    assert [(one.indicator, one.steps, one.minor) for one in closed.rewards] == [(pages, 2, 5_300_00)]


async def test_a_target_from_a_past_day_leaves_closed_periods_as_they_are(db: Database) -> None:
    """January of business is closed, that of logistics is not."""
    await company(db)
    await sales(db, "o1", 100_000_000)
    await parcels(db, 10, 0)
    await target(db)
    await score_touched(db, at(CLOSED))
    await close(db, department="business")
    async with db.writing() as connection:
        await connection.execute(delete(touched_scores))
    late = Target(SALES, "", day("2026-01-01"), "5")
    await set_targets(db, Scope.system(), [late], Entry(at(CLOSED), "test", "test", ""))
    async with db.reading() as connection:
        waiting = {(row.employee, row.period) for row in await connection.execute(select(touched_scores))}
    assert ("qian", JANUARY) not in waiting
    assert ("wang", JANUARY) in waiting


async def test_x19_a_gate_that_is_not_passed_leaves_the_base(db: Database) -> None:
    """The gross margin of the order is not known: it reaches nothing."""
    await company(db)
    await sales(db, "o1", 130_000_000)
    await target(db)
    gates = {"biz_gross_margin_rate": None}
    base = BaseRow(SALES, "person", "qian", day("2026-01-01"), 5_000_00)
    await put_tier(db, act(HR), TierRow(SALES, day("2026-01-01"), "1/10", "2/100", 5, gates), base)
    await close(db, department="business")
    assert [(one.steps, one.minor) for one in (await card(db, "qian")).rewards] == [(0, 5_000_00)]


async def test_an_own_base_comes_before_the_posts_and_zero_ends_it(db: Database) -> None:
    await company(db)
    await sales(db, "o1", 100_000_000)
    await target(db)
    for kind, unit, starts, base in (
        ("position", "sales_rep", "2026-01-01", 5_000_00),
        ("person", "qian", "2026-01-10", 7_000_00),
        ("person", "qian", "2026-02-01", 0),
    ):
        await put_base(db, act(HR), BaseRow(SALES, kind, unit, day(starts), base))
    await close(db, department="business")
    assert (await card(db, "qian")).reward_minor == 7_000_00


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (TierRow(DAMAGE, day("2026-01-01"), "1/10", "2/100", 5, {}), "tier_direction"),
        (TierRow(SALES, day("2026-01-01"), "0", "2/100", 5, {}), "tier"),
        (TierRow("none", day("2026-01-01"), "1/10", "2/100", 5, {}), "tier"),
        (TierRow(SALES, day("2026-01-01"), "x", "2/100", 5, {}), "tier"),
        (TierRow(SALES, day("2026-01-01"), "1/10", "2/100", 5, {}), "tier_base_missing"),
    ],
)
async def test_tiers_that_fit_nothing_are_refused(db: Database, row: TierRow, code: str) -> None:
    with pytest.raises(DataError) as refused:
        await put_tier(db, act(HR), row)
    assert refused.value.code == code


async def test_a_base_without_steps_is_refused(db: Database) -> None:
    await company(db)
    with pytest.raises(DataError) as refused:
        await put_base(db, act(HR), BaseRow("biz_collection_rate", "person", "qian", day("2026-01-01"), 1))
    assert refused.value.code == "tier_missing"


async def test_late_money_is_told_step_by_step_and_adds_up(db: Database) -> None:
    """110 % closed, 120 % in March, 90 % in May after March was closed: +100.00, then -200.00 of the base 5,000.00."""
    await company(db)
    await sales(db, "o1", 110_000_000)
    await target(db)
    await put_base(db, act(HR), BaseRow(SALES, "person", "qian", day("2026-01-01"), 5_000_00))
    await close(db, department="business")
    await sales(db, "o2", 10_000_000)
    await heard(db, LATE)
    await score_touched(db, at(LATE))
    assert [(one.posted_to, one.money_minor) for one in await adjustments(db)] == [("2026-03", 100_00)]
    await close(db, "2026-03", "2026-05-20 09:00", "business")
    await sales(db, "o1", 80_000_000)
    await heard(db, "2026-05-21 09:00")
    await score_touched(db, at("2026-05-21 09:00"))
    told = [(one.posted_to, one.money_minor) for one in await adjustments(db) if one.indicator == SALES]
    assert told == [("2026-03", 100_00), ("2026-05", -200_00)]
    assert (await card(db, "qian")).reward_minor == 5_100_00


async def test_an_adjustment_that_is_taken_back_goes_away(january: Database) -> None:
    await close(january, department="logistics")
    await put(january, "damage_report", damage(500), source="tms")
    await heard(january, LATE)
    await score_touched(january, at(LATE))
    assert len(await adjustments(january)) == 1
    await put(january, "damage_report", damage(500) | {"responsibility": "supplier"}, source="tms")
    await score_touched(january, at("2026-03-03 10:00"))
    assert await adjustments(january) == []


async def test_a_source_that_is_away_restates_nothing(january: Database) -> None:
    await close(january, department="logistics")
    await put(january, "damage_report", damage(500), source="tms")
    await score_touched(january, at(LATE))
    assert await adjustments(january) == []


# --- appeals --------------------------------------------------------------------------------------------------------


async def test_ks17_an_appeal_is_decided_by_a_person_and_changes_by_two(january: Database) -> None:
    await close(january, department="logistics")
    appeal = await judging.appeal(january, act(WANG), JANUARY, "the 14 parcels were wet before", DAMAGE)
    number = await judging.decide_appeal(january, act(BOSS), appeal, "changed", "the depot roof leaked", points=3_00)
    assert number is not None
    assert (await card(january)).version == 1, "one person changes nothing"
    with pytest.raises(DataError, match="another person"):
        await judging.decide_calibration(january, act(BOSS), number, approve=True)
    await judging.decide_calibration(january, act(HR), number, approve=True)
    again = await card(january)
    assert (again.version, again.computed, again.adjustment, again.final) == (2, 112_29, 3_00, 115_29)
    assert again.cause == f"appeal/{appeal}"
    async with january.reading() as connection:
        [row] = await period_queries.appeals(connection, Scope(employee="wang"))
    assert (row.state, row.decided_by, row.note) == ("changed", "boss", "the depot roof leaked")


async def test_ks17_a_refused_change_opens_the_appeal_again(january: Database) -> None:
    await close(january, department="logistics")
    appeal = await judging.appeal(january, act(WANG), JANUARY, "x")
    number = await judging.decide_appeal(january, act(BOSS), appeal, "changed", "y", points=3_00)
    assert number is not None
    await judging.decide_calibration(january, act(HR), number, approve=False)
    await judging.decide_appeal(january, act(HR), appeal, "refused", "counted again, 14")
    with pytest.raises(DataError) as decided:
        await judging.decide_appeal(january, act(HR), appeal, "refused", "again")
    assert decided.value.code == "decided"


async def test_ks9_an_upheld_appeal_lifts_the_veto(january: Database) -> None:
    veto = await judging.report_veto(january, act(BOSS), Reported("wang", JANUARY, "fraud", "case 1"))
    await judging.decide_veto(january, act(HR), veto, confirm=True)
    await close(january, department="logistics")
    appeal = await judging.appeal(january, act(WANG), JANUARY, "it was not me")
    await judging.decide_appeal(january, act(HR), appeal, "upheld", "it was not")
    again = await card(january)
    assert (again.version, again.veto_cap, again.final, again.grade) == (2, None, 112_29, "S")


async def test_ks17_appeals_have_a_deadline_and_are_about_the_own_card(january: Database) -> None:
    """Closed on 20 February: until the end of the 27th."""
    await close(january, department="logistics")
    with pytest.raises(NotFoundError):
        await judging.appeal(january, act(QIAN), JANUARY, "x")
    with pytest.raises(DataError) as strange:
        await judging.appeal(january, act(WANG), JANUARY, "x", SALES)
    assert strange.value.code == "appeal"
    await judging.appeal(january, act(WANG, "2026-02-27 23:59"), JANUARY, "x")
    with pytest.raises(DataError) as twice:
        await judging.appeal(january, act(WANG, "2026-02-27 23:59"), JANUARY, "x")
    assert twice.value.code == "appeal_open"
    with pytest.raises(DataError) as late:
        await judging.appeal(january, act(WANG, "2026-02-28 00:00"), JANUARY, "x", DAMAGE)
    assert late.value.code == "appeal_late"


async def test_ks17_nobody_decides_about_the_own_appeal_or_out_of_scope(january: Database) -> None:
    await close(january)
    appeal = await judging.appeal(january, act(WANG), JANUARY, "x")
    with pytest.raises(DataError) as own:
        await judging.decide_appeal(january, act(replace(HR, employee="wang")), appeal, "upheld", "me")
    assert own.value.code == "own_card"
    other = replace(BOSS, departments=frozenset({"business"}))
    with pytest.raises(NotFoundError):
        await judging.decide_appeal(january, act(other), appeal, "upheld", "x")


async def test_what_was_done_is_in_the_log(january: Database) -> None:
    await close(january, department="logistics")
    await judging.appeal(january, act(WANG), JANUARY, "x")
    async with january.reading() as connection:
        rows = await connection.execute(select(operation_log.c.actor, operation_log.c.action, operation_log.c.object))
        logged = [tuple(row) for row in rows]
    assert ("hr", "scores.close", JANUARY) in logged
    assert ("wang", "scores.appeal", f"wang/{JANUARY}") in logged
