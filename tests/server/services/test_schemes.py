"""Weights as stored, versioned, dated data: KS-5 to KS-7, X08 to X12 through what is published."""

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.people.person import Post
from server.scoring.catalogue import default_catalogue
from server.scoring.indicator import in_force
from server.scoring.numbers import decimal_text
from server.scoring.rules import (
    Book,
    Change,
    IndicatorItem,
    book_of,
    changed,
    changes_between,
    check_rules,
    put,
    rolled_back,
    rules_of,
)
from server.scoring.scheme import FULL, PeriodWeights, Place
from server.services import schemes
from server.services.scheme_rules import rules_in_force
from server.store import post_queries, scheme_queries, segment_queries
from server.store.database import Database
from server.store.period_tables import closed_cards, score_closings
from server.store.tables import operation_log, touched_scores
from shared.errors import DataError
from tests.server.services.scheme_world import (
    NOW,
    author,
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

COURIER = {
    "log_on_time_delivery_rate": 40,
    "log_damage_rate": 30,
    "log_complaint_rate": 20,
    "log_unit_delivery_cost": 10,
}
MARGIN = {"biz_gross_margin_rate": 100}


@pytest.fixture
async def company(db: Database) -> Database:
    await prepare(db)
    return db


async def waiting(db: Database) -> set[tuple[str, str]]:
    async with db.reading() as connection:
        rows = await connection.execute(select(touched_scores.c.employee, touched_scores.c.period))
        return {(row.employee, row.period) for row in rows}


async def weights_of(db: Database, employee: str, period: str) -> dict[str, str]:
    return {
        one.indicator: decimal_text(Fraction(100 * one.lineage.weight[0], one.lineage.weight[1]), 6)
        for one in (await card(db, employee, period)).scores
    }


# --- worked examples ------------------------------------------------------------------------------------------------


async def test_x07_and_x08_a_published_set_of_a_post_replaces_that_of_its_department(company: Database) -> None:
    await parcels(company)
    assert (await card(company, "e1", "2026-03")).total == 85_00, "X07"
    told = await publish(company, weight_set("logistics", "dispatcher", "2026-03-01", **COURIER))
    assert told == (1, 3), "March, and the two months that follow new facts"
    after = await card(company, "e1", "2026-03")
    assert after.total == 82_00, "X08"
    assert {one.lineage.weight_sets for one in after.scores} == {("own/2026-03-01",)}


async def test_x09_a_published_season_moves_the_department_set(company: Database) -> None:
    await parcels(company)
    assert (await card(company, "e1", "2026-03")).total == 85_00
    await publish(company, season("packaging_fix", "2026-03-01", "2026-03-31"))
    assert (await card(company, "e1", "2026-03")).total == 82_00


async def test_x10_a_season_keeps_the_others_in_proportion(company: Database) -> None:
    await publish(company, season("peak_sales", "2026-03-01", "2026-03-31"))
    assert await weights_of(company, "s1", "2026-03") == {
        "biz_sales_amount": "40.000000",
        "biz_new_customers": "21.428571",
        "biz_gross_margin_rate": "17.142857",
        "biz_customer_retention_rate": "12.857143",
        "biz_collection_rate": "8.571429",
    }


async def test_x11_weights_of_a_period_are_the_mean_of_its_days(company: Database) -> None:
    await publish(company, season("peak_sales", "2026-03-10", "2026-03-19"))
    assert (await weights_of(company, "s1", "2026-03"))["biz_sales_amount"] == "33.225806"


async def test_x12_another_post_within_a_period_is_another_segment(company: Database) -> None:
    """April: 12 days with a margin of 18 %, 80 points; 18 days with one of 19.5 %, 95 points."""
    await publish(
        company,
        weight_set("business", "seller", "2026-01-01", **MARGIN),
        weight_set("business", "leader", "2026-01-01", **MARGIN),
    )
    await order(company, "a", "2026-04-12 23:59", 82_000)
    await order(company, "b", "2026-04-13 00:00", 80_500)
    async with company.writing() as connection:
        posts = [
            Post(date(2026, 1, 1), "business", "d1", "seller"),
            Post(date(2026, 4, 13), "business", "d1", "leader"),
        ]
        await post_queries.put_posts(connection, {"s1": posts})
    found = await card(company, "s1", "2026-04")
    async with company.reading() as connection:
        segments = (await segment_queries.segments_of(connection, Scope.system(), "2026-04"))["s1"]
    assert [(one.position, one.first.day, one.last.day, one.mean.points) for one in segments] == [
        ("seller", 1, 12, Fraction(80)),
        ("leader", 13, 30, Fraction(95)),
    ]
    assert found.total == 89_00
    assert (await card(company, "s2", "2026-04")).total is not None, "the department's margin"


# --- what is refused ------------------------------------------------------------------------------------------------

MONTH = ("2026-06-01", "2026-06-30")
SALES = {"biz_sales_amount": 60, "biz_gross_margin_rate": 40}


def sales(department: str = "business", position: str | None = None, **weights: int) -> Change:
    """A set from June on, of sales at 60 and what else is told."""
    return weight_set(department, position, MONTH[0], biz_sales_amount=60, **weights)


def through_june(**weights: int) -> Change:
    """A season of business."""
    return season(delta("odd", "business", **weights), *MONTH)


def easy(employee: str, first: str = MONTH[0], last: str = MONTH[1], **weights: int) -> Change:
    """A change for one person of business."""
    return own(employee, delta("easy", "business", **weights), first, last)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ([sales(biz_gross_margin_rate=39)], "weights_sum", "weights"),
        ([sales(biz_luck=40)], "weights_indicator", "weights.biz_luck"),
        ([sales("moon", biz_gross_margin_rate=40)], "scheme_unknown", "department"),
        ([sales("business", "astronaut", biz_gross_margin_rate=40)], "scheme_unknown", "position"),
        ([sales(cs_resolution_rate=40)], "weights_source", "weights.cs_resolution_rate"),
        ([season("peak_sales", *MONTH), through_june(biz_collection_rate=20)], "weights_change", "first"),
        ([through_june(log_damage_rate=20)], "weights_change", "department"),
        ([through_june(biz_luck=20)], "weights_change", "weights"),
        ([through_june(biz_sales_amount=90, biz_new_customers=20)], "weights_change", "weights"),
        ([through_june()], "weights_change", "weights"),
        ([season("peak_sales", "2026-06-02", "2026-06-01")], "weights_change", "last"),
        ([easy("nobody", biz_sales_amount=10)], "scheme_unknown", "employee"),
        ([easy("s1", log_damage_rate=10)], "weights_change", "department"),
        (
            [easy("s1", biz_sales_amount=10), easy("s1", "2026-06-30", "2026-07-02", biz_sales_amount=5)],
            "weights_change",
            "first",
        ),
        ([], "scheme_empty", None),
    ],
)
async def test_ks5_and_ks6_a_draft_that_can_not_be_is_refused_with_the_field(
    company: Database, changes: Sequence[Change], code: str, field: str | None
) -> None:
    with pytest.raises(DataError) as refused:
        await schemes.save(company, "wrong", changes, author())
    assert (refused.value.code, refused.value.parameters.get("field")) == (code, field)
    async with company.reading() as connection:
        assert await scheme_queries.draft_rows(connection, ["draft"]) == []


async def test_two_seasons_may_follow_each_other(company: Database) -> None:
    await publish(company, season("peak_sales", "2026-06-01", "2026-06-30"))
    again = season("peak_sales", "2026-07-01", "2026-07-02")
    await publish(company, again)
    with pytest.raises(DataError, match="in force on"):
        await publish(company, season(delta("more", "business", biz_collection_rate=20), "2026-07-02", "2026-07-09"))


async def test_an_own_change_comes_after_the_season(company: Database) -> None:
    await publish(
        company,
        season("peak_sales", "2026-03-01", "2026-03-31"),
        own("s1", delta("newcomer", "business", biz_new_customers=50), "2026-03-01", "2026-03-31"),
    )
    assert (await weights_of(company, "s1", "2026-03"))["biz_new_customers"] == "50.000000"
    assert (await weights_of(company, "s1", "2026-03"))["biz_sales_amount"] == "25.454545"  # 40 x 50 / (550 / 7)
    assert (await weights_of(company, "s2", "2026-03"))["biz_sales_amount"] == "40.000000"


# --- two people -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [author("writer"), author("other", "s2")])
async def test_who_wrote_it_may_not_publish_it_by_any_account(company: Database, second: schemes.Author) -> None:
    change = weight_set("business", None, "2026-06-01", **SALES)
    number = await schemes.save(company, "mine", [change], author("writer", "s2"))
    await schemes.submit(company, number, 1, author("helper"))
    for decide in (
        schemes.publish(company, number, 1, second),
        schemes.reject(company, number, 1, "no", second),
    ):
        with pytest.raises(DataError) as refused:
            await decide
        assert refused.value.code == "same_person"
    assert await schemes.publish(company, number, 1, author("third")) == (1, 0)


async def test_whoever_wrote_on_a_draft_once_may_not_publish_it(company: Database) -> None:
    change = weight_set("business", None, "2026-06-01", **SALES)
    number = await schemes.save(company, "mine", [change], author("writer"))
    await schemes.save(company, "mine", [change], author("editor"), number, 1)
    await schemes.submit(company, number, 2, author("editor"))
    with pytest.raises(DataError, match="second person"):
        await schemes.publish(company, number, 2, author("writer"))


async def test_only_what_was_handed_in_is_published_and_once(company: Database) -> None:
    number = await schemes.save(company, "mine", [weight_set("business", None, "2026-06-01", **SALES)], author())
    with pytest.raises(DataError, match="changed or decided"):
        await schemes.publish(company, number, 1, author("second"))
    await schemes.submit(company, number, 1, author())
    await schemes.publish(company, number, 1, author("second"))
    with pytest.raises(DataError):
        await schemes.publish(company, number, 1, author("second"))
    with pytest.raises(NotFoundError):
        await schemes.publish(company, 99, 1, author("second"))


async def test_a_refused_draft_keeps_its_reason_and_changes_nothing(company: Database) -> None:
    number = await schemes.save(company, "mine", [weight_set("business", None, "2026-03-01", **SALES)], author())
    await schemes.submit(company, number, 1, author())
    with pytest.raises(DataError, match="say why"):
        await schemes.reject(company, number, 1, " ", author("second"))
    await schemes.reject(company, number, 1, "too early", author("second"))
    async with company.reading() as connection:
        row = await scheme_queries.draft_row(connection, number)
        assert row is not None
        assert (row.state, row.note, row.version) == ("rejected", "too early", None)
        assert await scheme_queries.newest_version(connection) == 0
    assert "biz_collection_rate" in await weights_of(company, "s1", "2026-03")


async def test_a_draft_of_an_older_version_is_looked_at_again(company: Database) -> None:
    first = await schemes.save(company, "a", [weight_set("business", None, "2026-06-01", **SALES)], author())
    await schemes.submit(company, first, 1, author())
    await publish(company, season("peak_sales", "2026-07-01", "2026-07-02"))
    with pytest.raises(DataError) as refused:
        await schemes.publish(company, first, 1, author("second"))
    assert refused.value.code == "scheme_changed"


async def test_every_step_is_in_the_operation_log(company: Database) -> None:
    await publish(company, weight_set("business", None, "2026-06-01", **SALES))
    async with company.reading() as connection:
        rows = await connection.execute(select(operation_log).where(operation_log.c.action.like("scheme.%")))
        told = [(row.actor, row.action, row.object) for row in rows]
    assert told == [
        ("writer", "scheme.save", "draft 1"),
        ("writer", "scheme.submit", "draft 1"),
        ("second", "scheme.publish", "version 1"),
    ]


# --- what publishing touches ----------------------------------------------------------------------------------------


async def test_publishing_touches_whom_it_changes_from_its_day_on_and_nothing_else(company: Database) -> None:
    for employee in ("e1", "s1", "s2"):
        for period in ("2026-03", "2026-04", "2026-05"):
            await card(company, employee, period)
    assert await waiting(company) == set()
    await publish(company, weight_set("business", None, "2026-04-15", **SALES))
    assert await waiting(company) == {(who, month) for who in ("s1", "s2") for month in ("2026-04", "2026-05")}


async def test_publishing_leaves_closed_periods_as_they_were_published(company: Database) -> None:
    for period in ("2026-04", "2026-05"):
        await card(company, "s1", period)
    await close(company, "s1", "2026-04")
    await publish(company, weight_set("business", None, "2026-04-01", **SALES))
    assert await waiting(company) == {("s1", "2026-05")}


async def close(db: Database, employee: str, period: str) -> None:
    """As closing leaves it, in short."""
    closing = {"period": period, "department": "", "closed_ms": 1, "closed_by": "x", "appeal_until_ms": 1}
    row = {"employee": employee, "period": period, "version": 1, "newest": True, "cause": "closing", "status": "scored"}
    row |= {"coverage_num": 1, "coverage_den": 1, "adjustment_centi": 0, "vetoes": [], "provisional": []}
    row |= {"rewards": [], "parts": [], "published_ms": 1}
    async with db.writing() as connection:
        made = score_closings.insert().values(**closing, summary={}).returning(score_closings.c.id)
        number = (await connection.execute(made)).scalar_one()
        await connection.execute(closed_cards.insert().values(**row, closing=number))


async def test_an_own_change_touches_one_person(company: Database) -> None:
    for employee in ("s1", "s2"):
        await card(company, employee, "2026-04")
    await publish(company, own("s2", delta("easy", "business", biz_sales_amount=10), "2026-04-30", "2026-05-02"))
    assert await waiting(company) == {("s2", "2026-04")}


async def test_a_season_that_ends_earlier_touches_only_what_comes_after(company: Database) -> None:
    await publish(company, season("peak_sales", "2026-03-01", "2026-05-31"))
    for period in ("2026-03", "2026-04", "2026-05"):
        await card(company, "s1", period)
    await publish(company, season("peak_sales", "2026-03-01", "2026-04-30"))
    assert await waiting(company) == {("s1", "2026-05")}


# --- versions -------------------------------------------------------------------------------------------------------


async def test_rolling_back_is_a_new_version_that_leaves_the_past_as_it_was(company: Database) -> None:
    await publish(company, weight_set("business", None, "2026-03-01", **SALES))
    await publish(company, season("peak_sales", "2026-03-01", "2026-12-31"))
    number = await schemes.roll_back(company, 0, date(2026, 4, 1), "as shipped", author())
    await schemes.submit(company, number, 1, author())
    assert (await schemes.publish(company, number, 1, author("second")))[0] == 3
    assert set(await weights_of(company, "s1", "2026-03")) == set(SALES), "before that day nothing changes"
    after = await weights_of(company, "s1", "2026-04")
    assert (after["biz_sales_amount"], len(after)) == ("30.000000", 5)
    async with company.reading() as connection:
        assert [row.version for row in await scheme_queries.draft_rows(connection, ["published"])] == [3, 2, 1]
        assert len(await scheme_queries.book_at(connection, 1)) == 1


async def test_an_indicator_is_shown_with_one_that_is_there(company: Database) -> None:
    base = in_force(default_catalogue().indicators, "biz_gross_margin_rate", date(2026, 4, 1))
    assert base is not None
    alone = msgspec.structs.replace(base, pair="nobody_knows_it", starts=date(2026, 4, 1))
    with pytest.raises(DataError) as refused:
        await publish(company, put(IndicatorItem(indicator=alone)))
    assert refused.value.code == "indicator_pair"
    assert refused.value.parameters == {"field": "pair", "name": "nobody_knows_it"}


async def test_a_version_of_an_indicator_starts_on_a_day_and_is_never_overwritten(company: Database) -> None:
    """Another curve from April on: 18 % of margin is worth 100 points there."""
    async with company.reading() as connection:
        catalogue = (await rules_in_force(connection)).catalogue
    base = in_force(catalogue.indicators, "biz_gross_margin_rate", date(2026, 4, 1))
    assert base is not None
    curve = msgspec.structs.replace(base.curve, points=(("10", "0"), ("18", "100")))
    new = msgspec.structs.replace(base, curve=curve, target="18", starts=date(2026, 4, 1))
    await order(company, "a", "2026-03-02 10:00", 82_000)
    await order(company, "b", "2026-04-02 10:00", 82_000)
    before = await card(company, "s1", "2026-03"), await card(company, "s1", "2026-04")
    await publish(company, put(IndicatorItem(indicator=new)))
    assert await waiting(company) == {(who, month) for who in ("s1", "s2") for month in ("2026-04", "2026-05")}
    after = await card(company, "s1", "2026-03"), await card(company, "s1", "2026-04")
    points = [next(one.points for one in found.scores if one.indicator == base.id) for found in (*before, *after)]
    assert points == [80_000_000, 80_000_000, 80_000_000, 100_000_000]
    other = msgspec.structs.replace(new, target="19")
    with pytest.raises(DataError) as refused:
        await publish(company, put(IndicatorItem(indicator=other)))
    assert refused.value.code == "indicator_version"
    number = await schemes.roll_back(company, 0, date(2026, 5, 1), "as shipped", author())
    await schemes.submit(company, number, 1, author())
    await schemes.publish(company, number, 1, author("second"))
    async with company.reading() as connection:
        again = in_force((await rules_in_force(connection)).catalogue.indicators, base.id, date(2026, 5, 1))
    assert again == msgspec.structs.replace(base, starts=date(2026, 5, 1))


# --- properties -----------------------------------------------------------------------------------------------------

FIRST = date(2026, 1, 1)
BUSINESS = ("biz_sales_amount", "biz_new_customers", "biz_gross_margin_rate", "biz_customer_retention_rate")


@st.composite
def days(draw: st.DrawFn) -> tuple[str, str]:
    start = draw(st.integers(0, 80))
    last = start + draw(st.integers(0, 40))
    return str(FIRST + timedelta(days=start)), str(FIRST + timedelta(days=last))


@st.composite
def published(draw: st.DrawFn) -> Change:
    first, last = draw(days())
    kind = draw(st.sampled_from(["set", "season", "own"]))
    if kind == "set":
        cuts = sorted([0, *draw(st.lists(st.integers(0, FULL), min_size=3, max_size=3)), FULL])
        weights = {name: cuts[n + 1] - cuts[n] for n, name in enumerate(BUSINESS)}
        return weight_set("business", draw(st.sampled_from([None, "seller"])), first, **weights)
    named = draw(st.dictionaries(st.sampled_from(BUSINESS), st.integers(0, 45), min_size=1, max_size=2))
    change = delta(f"d{draw(st.integers(0, 3))}", "business", **named)
    return season(change, first, last) if kind == "season" else own("s1", change, first, last)


def sound(changes: Sequence[Change]) -> Book:
    """Those of the changes that may be published one after the other."""
    book: Book = {}
    for change in changes:
        after = changed(book, [change])
        try:
            check_rules(rules_of(after))
        except DataError:
            continue
        book = after
    return book


def shares(found: PeriodWeights) -> dict[str, Fraction]:
    return {name: Fraction(weight, found.denominator) for name, weight in found.weights.items()}


@settings(deadline=None, max_examples=60)
@given(st.lists(published(), max_size=8), st.integers(0, 100), st.integers(0, 60))
def test_ks5_published_weights_add_up_to_100_over_any_period(changes: list[Change], start: int, length: int) -> None:
    rules = rules_of(sound(changes))
    first = FIRST + timedelta(days=start)
    for position in ("seller", "leader"):
        found = rules.weights("s1", Place(position, ("business",)), first, first + timedelta(days=length))
        assert Fraction(100 * sum(found.weights.values()), found.denominator) == FULL
        assert all(weight >= 0 for weight in found.weights.values())


@settings(deadline=None, max_examples=40)
@given(st.lists(published(), max_size=5), st.lists(published(), max_size=5), st.integers(0, 100))
def test_rolled_back_weights_are_the_former_ones_from_the_day_on(
    old: list[Change], more: list[Change], day: int
) -> None:
    then = sound(old)
    now = sound([*old, *more])
    after = rolled_back(now, then, FIRST + timedelta(days=day))
    assert changed(now, changes_between(now, after)) == after
    place = Place("seller", ("business",))
    for number in range(0, 130, 3):
        date_ = FIRST + timedelta(days=number)
        expected = rules_of(now if number < day else then).weights("s1", place, date_, date_)
        found = rules_of(after).weights("s1", place, date_, date_)
        shares = [
            {name: Fraction(weight, one.denominator) for name, weight in one.weights.items()}
            for one in (expected, found)
        ]
        assert shares[0] == shares[1]


def test_what_begins_on_the_day_of_a_roll_back_goes_and_what_began_before_ends_on_its_eve() -> None:
    day = date(2026, 6, 15)
    begun, new = season("peak_sales", "2026-06-14", "2026-06-30"), season("packaging_fix", "2026-06-15", "2026-06-30")
    now = changed({}, [begun, new])
    assert rolled_back(now, {}, day) == changed({}, [season("peak_sales", "2026-06-14", "2026-06-14")])
    ended = changed(now, [season("peak_sales", "2026-06-14", "2026-06-20")])
    assert rolled_back(ended, now, day) == now, "an end that lies ahead is moved, not begun anew"


def test_a_book_is_its_items() -> None:
    change = weight_set("business", None, "2026-06-01", **SALES)
    assert change.item is not None
    assert changed({}, [change]) == book_of([change.item])
    assert NOW
