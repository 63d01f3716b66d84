"""KS-15: what scores would be is computed on what is stored, and nothing is written; and what became of them after."""

import threading
from datetime import date
from fractions import Fraction

import msgspec
import pytest
from sqlalchemy import func, select

from server.access.scope import Scope
from server.people.person import Post
from server.scoring.indicator import in_force
from server.scoring.lineage import Lineage
from server.scoring.rules import Change, IndicatorItem, changed, put, rules_of
from server.services import comparing
from server.services.scoring import score_touched
from server.services.simulating import Preview, preview
from server.store import post_queries, reward_queries, scheme_queries, score_queries
from server.store.database import Database
from server.store.reward_queries import BaseRow, TierRow
from server.store.schema import metadata
from server.store.score_queries import ScoreRow
from shared.errors import DataError
from tests.server.services.scheme_world import (
    NOW,
    card,
    delta,
    order,
    own,
    parcels,
    prepare,
    publish,
    season,
    weight_set,
)
from tests.server.services.world import at
from tests.support.reading_threads import reading_threads

ALL = Scope.system()
MARGIN = {"biz_gross_margin_rate": 100}


@pytest.fixture
async def company(db: Database) -> Database:
    """March: e1 as in X07; margins of 18 % for s1 and 20 % for s2 weigh all."""
    await prepare(db)
    await publish(db, weight_set("business", None, "2026-01-01", **MARGIN))
    await parcels(db)
    await order(db, "a", "2026-03-02 10:00", 82_000, "s1")
    await order(db, "b", "2026-03-02 10:00", 80_000, "s2")
    for one in ("e1", "s1", "s2"):
        await card(db, one, "2026-03")
    return db


async def simulated(db: Database, *lines: Change, scope: Scope = ALL, day: date = date(2026, 6, 1)) -> Preview:
    async with db.reading() as connection:
        book = await scheme_queries.book_at(connection)
        after = rules_of(changed(book, lines))
        return await preview(connection, scope, rules_of(book), after, "2026-03", day, at(NOW))


async def contents(db: Database) -> dict[str, int]:
    async with db.reading() as connection:
        return {
            table.name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }


async def test_ks15_a_preview_says_who_moves_by_how_much_and_writes_nothing(company: Database) -> None:
    before = await contents(company)
    found = await simulated(company, season("packaging_fix", "2026-06-01", "2026-06-30"))
    assert found.simulated
    assert [(one.card.employee, one.before, one.after) for one in found.moved] == [("e1", 85_00, 82_00)]
    assert (found.before["B"], found.after["B"], found.after["C"]) == (1, 0, 1)
    assert await contents(company) == before


async def test_ks8_a_preview_says_what_becomes_of_rewards(company: Database) -> None:
    """The target of margins is 20 %: 23 % is one step, 5,100.00 for 5,000.00; without the indicator nothing is paid."""
    day = date(2026, 1, 1)
    await order(company, "c", "2026-03-02 11:00", 74_000, "s2")  # s2: 200,000 net, 154,000 cost, 23 %
    async with company.writing() as connection:
        await score_queries.touch_scores(connection, [("s2", "2026-03")])
        tier = TierRow("biz_gross_margin_rate", day, "0.1", "0.02", 5, {})
        await reward_queries.put_tier(connection, tier, actor="t", at_ms=at(NOW))
        # April's amount is not March's
        for starts, minor in ((day, 500_000), (date(2026, 4, 1), 900_000)):
            base = BaseRow("biz_gross_margin_rate", "person", "s2", starts, minor)
            await reward_queries.put_base(connection, base, actor="t", at_ms=at(NOW))
    await score_touched(company, at(NOW))
    before = await contents(company)
    without = weight_set("business", None, "2026-06-01", biz_sales_amount=100)
    found = await simulated(company, without)
    assert {one.card.employee: (one.paid_before, one.paid_after) for one in found.moved} == {
        "s1": (0, 0),
        "s2": (510_000, 0),
    }
    assert (found.paid_before, found.paid_after) == (510_000, 0)
    assert await contents(company) == before


async def test_a_preview_counts_what_no_scorecard_has(company: Database) -> None:
    """Nobody of business has parcels: the company's damage of 3 % stands for them, 40 points. Sales have no target."""
    lines = weight_set("business", None, "2026-06-01", biz_gross_margin_rate=50, log_damage_rate=50)
    halves = await simulated(company, lines)
    assert {one.card.employee: (one.before, one.after) for one in halves.moved} == {
        "s1": (80_00, 60_00),
        "s2": (100_00, 70_00),
    }
    lines = weight_set("business", None, "2026-06-01", biz_gross_margin_rate=50, biz_sales_amount=50)
    found = await simulated(company, lines)
    assert {one.card.employee: (one.before, one.after) for one in found.moved} == {
        "s1": (80_00, None),
        "s2": (100_00, None),
    }
    assert found.after["none"] == 2


async def test_ranks_follow_a_change_for_one_person(company: Database) -> None:
    await publish(company, weight_set("logistics", "dispatcher", "2026-01-01", log_on_time_delivery_rate=100))
    await card(company, "e1", "2026-03")
    damage = weight_set("logistics", "dispatcher", "2026-06-01", log_damage_rate=100)
    found = await simulated(company, damage)
    assert [(one.before, one.after, one.rank_before, one.rank_after) for one in found.moved] == [(100_00, 40_00, 1, 3)]


async def test_the_thread_that_answers_requests_reads_no_stored_scores_for_a_preview(company: Database) -> None:
    with reading_threads(Lineage) as of_cards:
        assert (await simulated(company, season("packaging_fix", "2026-06-01", "2026-06-30"))).moved
    assert of_cards
    assert threading.get_ident() not in of_cards


async def test_the_thread_that_answers_requests_reads_no_segments_for_a_preview(company: Database) -> None:
    posts = (
        Post(date(2026, 1, 1), "logistics", "d1", "clerk"),
        Post(date(2026, 3, 16), "logistics", "d1", "dispatcher"),
    )
    async with company.writing() as connection:
        await post_queries.put_posts(connection, {"e2": posts})
    await card(company, "e2", "2026-03")
    with reading_threads(tuple[ScoreRow, ...]) as of_segments:
        assert (await simulated(company, season("packaging_fix", "2026-06-01", "2026-06-30"))).moved
    assert of_segments
    assert threading.get_ident() not in of_segments


async def test_a_preview_shows_a_manager_only_their_own(company: Database) -> None:
    lines = [
        season("packaging_fix", "2026-06-01", "2026-06-30"),
        weight_set("business", None, "2026-06-01", biz_gross_margin_rate=60, biz_sales_amount=40),
    ]
    found = await simulated(company, *lines, scope=Scope(departments=frozenset({"business"})))
    assert ({one.card.employee for one in found.moved}, found.people) == ({"s1", "s2"}, 2)


async def test_another_curve_scores_what_was_observed(company: Database) -> None:
    async with company.reading() as connection:
        book = await scheme_queries.book_at(connection)
    base = in_force(rules_of(book).catalogue.indicators, "biz_gross_margin_rate", date(2026, 6, 1))
    assert base is not None
    curve = msgspec.structs.replace(base.curve, points=(("10", "0"), ("18", "100")))
    new = msgspec.structs.replace(base, curve=curve, target="18", starts=date(2026, 6, 1))
    found = await simulated(company, put(IndicatorItem(indicator=new)))
    assert {one.card.employee: (one.before, one.after) for one in found.moved} == {
        "s1": (80_00, 100_00),
        "s2": (100_00, 100_00),
    }


async def test_a_definition_that_counts_otherwise_is_counted_anew(company: Database) -> None:
    async with company.reading() as connection:
        book = await scheme_queries.book_at(connection)
    base = in_force(rules_of(book).catalogue.indicators, "biz_gross_margin_rate", date(2026, 6, 1))
    assert base is not None
    parts = tuple(msgspec.structs.replace(part, where=(*part.where, "source_key in a")) for part in base.denominator)
    new = msgspec.structs.replace(base, denominator=parts, starts=date(2026, 6, 1))
    found = {one.card.employee: (one.before, one.after) for one in (await simulated(company, put_one(new))).moved}
    assert found["s1"] == (80_00, 80_00)
    assert found["s2"] != (100_00, 100_00)


def put_one(new: object) -> Change:
    return put(IndicatorItem(indicator=new))  # type: ignore[arg-type]


async def test_the_effect_of_a_published_change_is_four_weeks_before_and_after(company: Database) -> None:
    """s1 sold with 18 % before 1 April and with 19.5 % after; s2 is not touched by what is s1's own."""
    await order(company, "c", "2026-04-05 10:00", 80_500, "s1")
    note = own("s1", delta("margin", "business", biz_gross_margin_rate=100), "2026-04-01", "2026-12-31")
    version, _ = await publish(company, note)
    async with company.reading() as connection:
        found = await comparing.effect_of(connection, ALL, version, at(NOW))
        mine = await comparing.effect_of(connection, Scope(departments=frozenset({"logistics"})), version, at(NOW))
    assert (str(found.before.first), str(found.after.last), found.complete) == ("2026-03-04", "2026-04-28", True)
    assert found.people == 1
    assert mine.people == 0
    [total, margin] = found.rows
    assert (total.people, margin.people) == (0, 0), "nothing was sold in the four weeks before"
    await order(company, "d", "2026-03-05 10:00", 82_000, "s1")
    async with company.reading() as connection:
        [total, margin] = (await comparing.effect_of(connection, ALL, version, at(NOW))).rows
    assert (margin.before.value, margin.after.value) == (Fraction(18), Fraction("19.5"))
    assert (margin.before.points, margin.after.points) == (Fraction(80), Fraction(95))
    assert (total.before.points, total.after.points, margin.after.sample) == (Fraction(80), Fraction(95), 1)


async def test_the_effect_of_what_is_ahead_is_not_known(company: Database) -> None:
    version, _ = await publish(company, season("packaging_fix", "2026-08-01", "2026-08-02"))
    async with company.reading() as connection:
        with pytest.raises(DataError) as refused:
            await comparing.effect_of(connection, ALL, version, at(NOW))
    assert refused.value.code == "scheme_ahead"


async def test_two_periods_are_compared_by_those_who_have_both(company: Database) -> None:
    await order(company, "c", "2026-04-05 10:00", 80_500, "s1")
    for one in ("s1", "s2"):
        await card(company, one, "2026-04")
    async with company.reading() as connection:
        found = await comparing.compare_periods(connection, ALL, "2026-03", "2026-04", at(NOW))
    rows = {one.indicator.id if one.indicator else "total": one for one in found.rows}
    assert rows["biz_gross_margin_rate"].people == 2, "s2 has the department's margin in April"
    assert rows["biz_gross_margin_rate"].before.points == Fraction(90)
    assert rows["biz_gross_margin_rate"].after.points == Fraction(95)
