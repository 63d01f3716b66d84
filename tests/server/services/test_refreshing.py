"""After an event only what reads it is counted again, and comes to what counting all of it would (REL-27)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from server.access.scope import Scope
from server.facts.resolved import OWNERS
from server.scoring.catalogue import default_catalogue
from server.scoring.family import parts_of
from server.services import fact_people, scoring
from server.services import own_rows as own_row_limit
from server.services.scoring import score_touched
from server.services.verifying import verify
from server.store import link_queries, period_queries, score_queries
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.source_tables import identity_links, source_streams
from server.store.tables import followers, scorecards, scores, touched_scores
from shared.clock import Clocks
from tests.server.services import scheme_world as world
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import day
from tests.server.services.test_attributes import put as put_facts
from tests.server.services.world import at, load

NOW = at(world.NOW)
PERIOD = "2026-05"
HOUR_MS = 3_600_000
PEOPLE = ("e1", "s1", "s2")
ON_TIME, DAMAGE, COMPLAINTS = "log_on_time_delivery_rate", "log_damage_rate", "log_complaint_rate"
COST = "log_unit_delivery_cost"


async def touch(db: Database, *people: str, facts: tuple[str, ...] | None = None) -> None:
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [(one, PERIOD) for one in people], facts)


async def counted_at(db: Database, person: str) -> dict[str, int]:
    """When each score was counted."""
    which = select(scores.c.indicator, scores.c.computed_ms).where(
        scores.c.employee == person, scores.c.period == PERIOD
    )
    async with db.reading() as connection:
        return {row.indicator: row.computed_ms - NOW for row in await connection.execute(which)}


async def parcel(db: Database, number: int, hour: int, of: str = "e1") -> None:
    row: dict[str, Any] = {"source_key": f"p{number}", "tracking_no": f"p{number}", "status": "delivered"}
    row |= {
        "employee_key": of,
        "site_key": "d1",
        "promised_at": moment("2026-05-04 18:00"),
        "delivered_at": moment(f"2026-05-04 {hour:02}:00"),
    }
    await put_facts(db, "shipment", row, source="system")


async def complaint(db: Database, number: int, on: int) -> None:
    row = {"source_key": f"c{number}", "tracking_no": f"p{number}", "responsibility": "logistics"}
    await put_facts(db, "complaint", row | {"occurred_on": day(f"2026-05-{on:02}")}, source="system")


@pytest.fixture
async def courier(db: Database) -> Database:
    """Scores of e1 with two parcels, counted at noon."""
    await world.prepare(db)
    for number in (1, 2):
        await parcel(db, number, 17)
    await score_touched(db, NOW)
    return db


async def test_only_what_reads_a_changed_fact_is_counted_again(courier: Database) -> None:
    await complaint(courier, 1, 4)
    await score_touched(courier, NOW + HOUR_MS)
    found = await counted_at(courier, "e1")
    assert (found[COMPLAINTS], found[ON_TIME], found[DAMAGE]) == (HOUR_MS, 0, 0)


async def test_another_day_is_counted_whole(courier: Database) -> None:
    await complaint(courier, 1, 4)
    await score_touched(courier, NOW + 13 * HOUR_MS)
    assert set((await counted_at(courier, "e1")).values()) == {13 * HOUR_MS}


async def test_a_touch_that_names_no_fact_is_counted_whole(courier: Database) -> None:
    await touch(courier, "e1", facts=("complaint",))
    await touch(courier, "e1")
    await touch(courier, "e1", facts=("complaint",))
    await score_touched(courier, NOW + HOUR_MS)
    assert set((await counted_at(courier, "e1")).values()) == {HOUR_MS}


async def test_facts_of_touches_add_up(courier: Database) -> None:
    for facts in (("complaint",), ("damage_report", "shipment"), ("complaint",)):
        await touch(courier, "e1", facts=facts)
    async with courier.reading() as connection:
        [waiting] = await score_queries.touched(connection, 10)
        told = await connection.scalar(select(touched_scores.c.facts))
    assert sorted(waiting.facts or ()) == ["complaint", "damage_report", "shipment"]
    assert told == "complaint damage_report shipment"


async def test_scores_that_hold_count_in_the_total(courier: Database) -> None:
    """A complaint is counted, the other scores of the card stay, and the total is that of all of them."""
    await complaint(courier, 1, 4)
    await score_touched(courier, NOW + HOUR_MS)
    async with courier.reading() as connection:
        whole = await scoring.compute_anew(connection, [("e1", PERIOD)], NOW + HOUR_MS)
        stored = await connection.scalar(
            select(scorecards.c.total_centi).where(scorecards.c.employee == "e1", scorecards.c.period == PERIOD)
        )
    assert stored is not None
    assert stored == whole["e1", PERIOD].total.centi


async def test_rows_that_become_somebodys_count_for_them(courier: Database) -> None:
    """A link says whose stored rows are: nothing else comes, and the score follows."""
    row = {"source_key": "of1", "tracking_no": "of1", "status": "delivered", "employee_key": "courier-7"}
    times = {"promised_at": moment("2026-05-04 18:00"), "delivered_at": moment("2026-05-04 19:00")}
    await put_facts(courier, "shipment", row | times, source="system")
    await score_touched(courier, NOW)
    link = LinkRow("system", "courier-7", day("2026-01-01"), None, "e1")
    await fact_people.link(courier, link, Entry(NOW, "test", "test", ""))
    await score_touched(courier, NOW)
    async with courier.reading() as connection:
        card = await score_queries.scorecard(connection, Scope.system(), "e1", PERIOD)
    assert card is not None
    assert next(one for one in card.scores if one.indicator == ON_TIME).sample == 3


async def test_a_score_whose_source_went_away_is_not_kept(courier: Database) -> None:
    """An older month is touched by nobody when a source goes; once it is touched for another fact, it says so."""
    before, card = "2026-03", ("e1", "2026-03")
    await world.parcels(courier, before)
    async with courier.writing() as connection:
        await score_queries.touch_scores(connection, [card])
    await score_touched(courier, NOW)
    async with courier.writing() as connection:
        gone = update(source_streams).where(source_streams.c.fact == "complaint")
        await connection.execute(gone.values(last_ok_ms=NOW - 60 * 24 * HOUR_MS))
        await score_queries.touch_scores(connection, [card], ["ledger_entry"])
    await score_touched(courier, NOW)
    async with courier.reading() as connection:
        found = await score_queries.scorecard(connection, Scope.system(), *card)
    assert found is not None
    assert {one.indicator: one.no_score for one in found.scores}[COMPLAINTS] == "source_late"


async def site_cost(db: Database, minor: int) -> None:
    """What the site spends on delivery: nobody's own rows."""
    row = {"source_key": "cost", "posted_on": day("2026-05-02"), "cost_class": "delivery_carrier", "org_key": "d1"}
    await put_facts(db, "ledger_entry", row | {"debit_minor": minor}, source="system")


async def values(db: Database, person: str) -> dict[str, tuple[int, int]]:
    """Numerator and denominator by indicator."""
    async with db.reading() as connection:
        card = await score_queries.scorecard(connection, Scope.system(), person, PERIOD)
    assert card is not None
    return {one.indicator: (one.lineage.numerator, one.lineage.denominator) for one in card.scores}


async def own_touches(db: Database) -> dict[tuple[str, str], str]:
    """Which scorecards wait for own rows, and for which facts."""
    which = select(touched_scores).where(touched_scores.c.facts.like("%:own"))
    async with db.reading() as connection:
        return {(row.employee, row.period): row.facts for row in await connection.execute(which)}


async def own_rows(db: Database, person: str, *facts: str) -> None:
    """Somebody's own rows of these facts changed, and they are computed before everybody else is."""
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [(person, PERIOD)], facts, own=True)
    await score_touched(db, NOW + HOUR_MS, everybody=False)


async def test_after_own_rows_changed_what_units_have_is_counted_with_everybody(courier: Database) -> None:
    """One more late parcel: the own score follows at once, the cost of the site when everybody is followed."""
    await site_cost(courier, 1_200)
    await score_touched(courier, NOW)
    before = await values(courier, "e1")
    await parcel(courier, 3, 19)
    await own_rows(courier, "e1", "shipment")
    soon = await values(courier, "e1")
    await score_touched(courier, NOW + HOUR_MS)
    later = await values(courier, "e1")
    assert (before[ON_TIME], soon[ON_TIME], later[ON_TIME]) == ((2, 2), (2, 3), (2, 3))
    assert (before[COST], soon[COST], later[COST]) == ((1_200, 2), (1_200, 2), (1_200, 3))


async def test_a_persons_first_own_row_takes_the_place_of_what_the_unit_has(courier: Database) -> None:
    """e3 has no parcels and is scored by those of the site as they were told last, until the first of their own."""
    e3 = {"id": "e3", "name": "e3", "department": "logistics", "site": "d1", "position": "dispatcher"}
    await load(courier, json.dumps({"employees": [{**e3, "joined_on": "2026-01-01"}]}).encode())
    async with courier.writing() as connection:
        await link_queries.put_link(connection, LinkRow("system", "courier-3", day("2026-01-01"), None, "e3"))
    await touch(courier, "e3")
    await score_touched(courier, NOW)
    before = await values(courier, "e3")
    await parcel(courier, 3, 19)
    await own_rows(courier, "e3", "shipment")
    nothing_own = await values(courier, "e3")
    await parcel(courier, 9, 19, of="courier-3")
    await own_rows(courier, "e3", "shipment")
    assert (before[ON_TIME], nothing_own[ON_TIME]) == ((2, 2), (2, 2))
    assert (await values(courier, "e3"))[ON_TIME] == (0, 1)


async def test_a_row_that_comes_asks_for_the_score_of_whose_it_is(courier: Database) -> None:
    """A report of damage names a parcel, and so whoever carried it."""
    report: dict[str, Any] = {
        "source_key": "d9",
        "tracking_no": "p1",
        "point": "transit",
        "responsibility": "logistics",
    }
    report |= {"occurred_on": day("2026-05-04"), "confirmed_on": day("2026-05-04")}
    await put_facts(courier, "damage_report", report, source="system")
    touched = await own_touches(courier)
    assert touched.keys() == {("e1", PERIOD)}
    assert "shipment:own" in touched["e1", PERIOD].split()


async def test_a_quarter_follows_own_rows_where_departments_go_by_quarters(courier: Database) -> None:
    """Couriers and all above them go by quarters, sellers by months."""
    async with courier.writing() as connection:
        await period_queries.put_setting(connection, "cycle:logistics", "quarter", actor="test", at_ms=NOW)
    await parcel(courier, 3, 19)
    await world.order(courier, "o3", "2026-05-02 10:00", 1_000, "s1")
    assert (await own_touches(courier)).keys() == {("e1", PERIOD), ("e1", "2026-Q2"), ("s1", PERIOD)}
    await score_touched(courier, NOW + HOUR_MS, everybody=False)
    async with courier.reading() as connection:
        quarter = await score_queries.scorecard(connection, Scope.system(), "e1", "2026-Q2")
    assert quarter is not None
    assert next(one for one in quarter.scores if one.indicator == ON_TIME).sample == 3


async def test_a_table_that_is_read_asks_for_nobody_by_name(courier: Database) -> None:
    await parcels_of_e1(courier, own_row_limit.MOST)
    assert (await own_touches(courier)).keys() == {("e1", PERIOD)}
    await score_touched(courier, NOW)
    await parcels_of_e1(courier, own_row_limit.MOST + 1)
    assert await own_touches(courier) == {}


async def parcels_of_e1(db: Database, number: int) -> None:
    """So many that nobody has seen, delivered now."""
    rows = [
        {"source_key": f"{number}-{n}", "tracking_no": f"{number}-{n}", "status": "delivered", "employee_key": "e1"}
        for n in range(number)
    ]
    await put_facts(db, "shipment", *rows, source="system")


def test_everybody_whom_a_row_may_be_of_is_named_by_an_attribute() -> None:
    """Else whose own rows changed would wait until everybody is followed."""
    people = {part.person for one in default_catalogue().indicators for part in parts_of(one)}
    names = {name for person in people for name in person.split(" else ")}
    assert {"employee", *names} == {"employee", *OWNERS}


WHAT = st.sampled_from(
    (
        "order",
        "refund",
        "parcel",
        "complaint",
        "complaint",
        "compute",
        "compute",
        "damage",
        "later",
        "away",
        "heard",
        "own",
    )
)
STEPS = st.lists(st.tuples(WHAT, st.integers(0, 4), st.integers(1, 6), st.sampled_from(("s1", "s2"))), max_size=20)


async def clean(db: Database) -> None:
    async with db.writing() as connection:
        for fact in ("sales_order", "refund", "shipment", "complaint", "damage_report"):
            await connection.execute(delete(FACT_TABLES[fact]))
        for table in (scores, scorecards, touched_scores, followers):
            await connection.execute(delete(table))
        there = await connection.scalar(select(func.count()).select_from(identity_links))
    if not there:
        await world.prepare(db)
    await heard(db, NOW)
    await touch(db, *PEOPLE)
    for number in range(2):
        await parcel(db, number, 17)
        await world.order(db, f"o{number}", "2026-05-02 10:00", 1_000)
    await score_touched(db, NOW)


async def heard(db: Database, at_ms: int) -> None:
    async with db.writing() as connection:
        await connection.execute(update(source_streams).values(last_ok_ms=at_ms))


async def step(db: Database, what: str, number: int, on: int, person: str) -> None:
    when = f"2026-05-{on:02}"
    match what:
        case "order":
            await world.order(db, f"o{number}", f"{when} 16:00", 1_000 * on, person)
        case "refund":
            row = {"source_key": f"r{number}", "order_key": f"o{number}", "refunded_on": day(when)}
            row |= {"amount_net_minor": 50 * on, "full": on % 2 == 0, "employee_key": person}
            await put_facts(db, "refund", row, source="system")
        case "parcel":
            await parcel(db, number, 14 + on)
        case "complaint":
            await complaint(db, number, on)
        case "damage":
            row = {"source_key": f"d{number}", "tracking_no": f"p{number}", "point": "transit"}
            row |= {"responsibility": "logistics", "occurred_on": day(when), "confirmed_on": day(when)}
            await put_facts(db, "damage_report", row, source="system")


@settings(
    max_examples=15, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
async def test_rel27_a_running_month(db: Database, tmp_path: Path, steps: list[tuple[str, int, int, str]]) -> None:
    """Whatever comes while the clock goes on, sources that go away and come back too: a full run finds the same."""
    await clean(db)
    now = NOW
    for what, number, on, person in steps:
        if what == "later":
            now += on * HOUR_MS
        elif what == "away":
            await heard(db, now - 60 * 24 * HOUR_MS)
        elif what == "heard":
            await heard(db, now)
        elif what == "own":
            await score_touched(db, now, everybody=False)
        elif what == "compute":
            await agrees(db, now, None)
        else:
            await step(db, what, number, on, person)
    for folder in (tmp_path, None):
        await agrees(db, now, folder)


async def agrees(db: Database, now_ms: int, folder: Path | None) -> None:
    """What waits is computed, and a full run finds the same."""
    found = await verify(db, PERIOD, Clocks(wall_ms=lambda: now_ms, mono_ms=lambda: now_ms), folder)
    assert found.differences == ()
    assert found.cards >= len(PEOPLE)
