"""From day records and parcels to scorecards, down to their source rows, seen by those who may."""

import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from server.access.scope import Scope
from server.services.attendance import compute_touched
from server.services.behind import rows_behind
from server.services.company import load_company, read_company
from server.services.scoring import score_touched
from server.store import score_queries
from server.store.behind_queries import RowBehind
from server.store.database import Database
from server.store.score_queries import ScorecardRow
from server.store.tables import scorecards, shipments
from shared.scan import ScanKind
from tests.server.services.world import add_fleet, at, load, punch, scan

ALL = Scope.system()
APRIL = "2026-04-15 12:00"
ON_TIME, PUNCTUAL = "log_on_time_delivery_rate", "att_punctuality_rate"


async def parcels(db: Database, now: str, *rows: dict[str, Any]) -> None:
    """Load parcels of courier e1, promised for 2 March unless they say otherwise."""
    base = {"site": "d1", "courier": "e1", "promised_on": "2026-03-02"}
    told = [{"tracking_no": f"P{number}"} | base | row for number, row in enumerate(rows)]
    await load_company(db, "test", read_company(json.dumps({"shipments": told}).encode()), at(now))


async def settle(db: Database, now: str) -> None:
    """Compute everything that waits."""
    await compute_touched(db, at(now))
    await score_touched(db, at(now))


async def card(db: Database, employee: str = "e1", scope: Scope = ALL, period: str = "2026-03") -> ScorecardRow | None:
    """A scorecard of March, or of another month, as stored."""
    async with db.reading() as connection:
        return await score_queries.scorecard(connection, scope, employee, period)


async def counted(db: Database, indicator: str, employee: str = "e1") -> tuple[int, int]:
    """Numerator and denominator of an indicator."""
    found = await card(db, employee)
    assert found is not None
    row = next(score for score in found.scores if score.indicator == indicator)
    return row.lineage.numerator, row.lineage.denominator


async def sources(
    db: Database, indicator: str, scope: Scope = ALL, limit: int = 50, offset: int = 0
) -> tuple[int, list[RowBehind]] | None:
    """Rows behind an indicator of e1 in March."""
    async with db.reading() as connection:
        return await rows_behind(connection, scope, "e1", "2026-03", indicator, limit=limit, offset=offset)


async def month_of_e1(db: Database) -> None:
    """Monday worked, Tuesday late; two parcels on time, one late, one never delivered."""
    await load(db)
    await add_fleet(db)
    await punch(db, "1", "2026-03-02 08:55", "2026-03-02 18:05", "2026-03-03 09:05", "2026-03-03 18:00", employee="e1")
    await parcels(db, "2026-03-01 00:00", {}, {}, {}, {})
    await scan(db, "P0", ScanKind.DELIVERED, "2026-03-02 10:00")
    await scan(db, "P1", ScanKind.DELIVERED, "2026-03-02 23:59")
    await scan(db, "P2", ScanKind.DELIVERED, "2026-03-03 00:00")
    await settle(db, APRIL)


# --- results --------------------------------------------------------------------------------------------------------


async def test_a_scorecard_weighs_both_indicators(db: Database) -> None:
    """On time 2 of 4 = 50 % = 0 points; punctual 1 of 2 = 50 % = 0 points."""
    await month_of_e1(db)
    found = await card(db)
    assert found is not None
    assert (found.period, found.status, found.total, found.coverage) == ("2026-03", "scored", 0, (1, 1))
    assert [(s.indicator, s.lineage.numerator, s.lineage.denominator, s.points) for s in found.scores] == [
        (ON_TIME, 2, 4, 0),
        (PUNCTUAL, 1, 2, 0),
    ]


async def test_points_follow_the_curve_and_the_weights(db: Database) -> None:
    """97 of 100 in time = 100 points x 70 %, punctual 2 of 2 = 120 points x 30 %: 106.00."""
    await load(db)
    await add_fleet(db)
    await punch(db, "1", "2026-03-02 08:55", "2026-03-02 18:05", "2026-03-03 08:59", "2026-03-03 18:00", employee="e1")
    await parcels(db, "2026-03-01 00:00", *({} for _ in range(100)))
    async with db.writing() as connection:
        on_time = [f"P{number}" for number in range(97)]
        done = shipments.update().where(shipments.c.tracking_no.in_(on_time))
        await connection.execute(done.values(delivered_at_ms=at("2026-03-02 12:00")))
    await settle(db, APRIL)
    found = await card(db)
    assert found is not None
    assert found.total == 106_00


async def test_other_posts_are_scored_on_punctuality_alone(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    await punch(db, "2", "2026-03-02 21:50", "2026-03-03 06:05", employee="e2")
    await settle(db, APRIL)
    found = await card(db, "e2")
    assert found is not None
    assert ([s.indicator for s in found.scores], found.total) == ([PUNCTUAL], 120_00)


async def test_parcels_alone_are_enough_but_days_alone_are_not(db: Database) -> None:
    await load(db)
    await parcels(db, "2026-03-01 00:00", {})
    await settle(db, APRIL)
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [("e1", "2026-02")])
    await settle(db, APRIL)
    march, february = await card(db), await card(db, period="2026-02")
    assert march is not None
    assert february is not None
    assert (march.status, march.coverage) == ("scored", (1, 1)), "two absent days and an undelivered parcel"
    assert (february.status, february.total, february.coverage) == ("insufficient_data", None, (0, 1))
    assert {score.no_score for score in february.scores} == {"no_denominator"}


# --- what counts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parcel", "expected"),
    [
        ({}, (0, 1)),
        ({"force_majeure": True}, (0, 0)),
        ({"cancelled_at": "2026-03-01T10:00:00+08:00"}, (0, 0)),
        ({"cancelled_at": "2026-03-01T10:00:00+08:00", "picked_up_at": "2026-03-01T11:00:00+08:00"}, (0, 0)),
        ({"cancelled_at": "2026-03-01T10:00:00+08:00", "picked_up_at": "2026-03-01T09:00:00+08:00"}, (0, 1)),
        ({"promised_on": "2026-04-15"}, (0, 0)),
        ({"courier": None}, (0, 1)),  # nobody's parcel is one of its site, whose value stands for who has none
    ],
)
async def test_only_parcels_that_were_due_count(
    db: Database, parcel: dict[str, Any], expected: tuple[int, int]
) -> None:
    await load(db)
    await parcels(db, "2026-03-01 00:00", parcel)
    await settle(db, APRIL)
    assert await counted(db, ON_TIME) == expected


async def test_a_new_promise_replaces_the_first(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    await parcels(db, "2026-03-01 00:00", {"new_promise_at": "2026-03-05T12:00:00+08:00"})
    await scan(db, "P0", ScanKind.DELIVERED, "2026-03-05 12:00")
    await settle(db, APRIL)
    assert await counted(db, ON_TIME) == (1, 1)


async def test_the_first_delivery_counts_in_whatever_order_scans_come(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    await parcels(db, "2026-03-01 00:00", {})
    await scan(db, "P0", ScanKind.DELIVERED, "2026-03-04 10:00")
    await scan(db, "P0", ScanKind.DELIVERED, "2026-03-02 10:00", now="2026-03-05 10:00")
    await scan(db, "P0", ScanKind.DELIVERED, "2026-03-06 10:00")
    await settle(db, APRIL)
    assert await counted(db, ON_TIME) == (1, 1)


async def test_each_kind_of_scan_sets_its_time(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    for kind, text in (
        (ScanKind.LOAD, "2026-03-02 08:00"),
        (ScanKind.INBOUND, "2026-03-02 07:00"),
        (ScanKind.DAMAGED, "2026-03-02 09:00"),
        (ScanKind.REFUSED, "2026-03-02 10:00"),
        (ScanKind.UNKNOWN, "2026-03-01 10:00"),
        (ScanKind.RETURNED, "2026-03-01 11:00"),
    ):
        await scan(db, "NEW", kind, text)
    times = [shipments.c[f"{name}_at_ms"] for name in ("picked_up", "damaged", "refused", "delivered")]
    async with db.reading() as connection:
        row = (await connection.execute(select(shipments.c.site, *times))).one()
    assert tuple(row) == ("d1", *(at(f"2026-03-02 {t}") for t in ("07:00", "09:00", "10:00")), None)


async def test_a_scan_with_a_reset_or_fast_clock_changes_no_parcel(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    await parcels(db, "2026-03-01 00:00", {})
    await scan(db, "P0", ScanKind.DELIVERED, "2000-01-01 10:00", now="2026-03-05 10:00")
    await scan(db, "P0", ScanKind.DELIVERED, "2026-03-02 10:00", now="2026-03-02 09:00")
    await settle(db, APRIL)
    assert await counted(db, ON_TIME) == (0, 1)


async def test_in_a_running_month_only_what_has_passed_counts(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    await parcels(db, "2026-03-01 00:00", {}, {"promised_on": "2026-03-03"})
    await punch(db, "1", "2026-03-02 08:55", "2026-03-02 18:00", "2026-03-03 08:55", employee="e1")
    seen = []
    for now in ("2026-03-02 23:59", "2026-03-03 10:00", "2026-03-04 10:00"):
        await settle(db, now)
        seen.append((await counted(db, PUNCTUAL), await counted(db, ON_TIME)))
    assert seen == [((1, 1), (0, 0)), ((1, 1), (0, 1)), ((1, 2), (0, 2))]


async def test_a_date_counts_only_when_all_its_records_are_normal(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    split = [{"employee": "e1", "date": "2026-03-02", "shift": shift} for shift in ("day", "night")]
    await load(db, json.dumps({"roster": split}).encode())
    await punch(db, "1", "2026-03-02 08:55", "2026-03-02 18:00", employee="e1")
    await settle(db, APRIL)
    assert await counted(db, PUNCTUAL) == (0, 2), "the night of Monday and all of Tuesday were missed"


# --- lineage --------------------------------------------------------------------------------------------------------


async def test_every_number_can_be_traced_to_its_rows(db: Database) -> None:
    await month_of_e1(db)
    days, deliveries = await sources(db, PUNCTUAL), await sources(db, ON_TIME)
    assert days is not None
    assert deliveries is not None
    assert [(row.key, row.counts, row.status, len(row.refs)) for row in days[1]] == [
        ("2026-03-02", True, "normal", 2),
        ("2026-03-03", False, "late", 2),
    ]
    assert [(row.key, row.counts, row.status, len(row.refs)) for row in deliveries[1]] == [
        ("P0", True, "on_time", 1),
        ("P1", True, "on_time", 1),
        ("P2", False, "delivered_late", 1),
        ("P3", False, "late", 0),
    ]
    page = await sources(db, ON_TIME, limit=2, offset=2)
    assert page is not None
    assert (page[0], [row.key for row in page[1]]) == (4, ["P2", "P3"])


async def test_the_same_facts_give_the_same_bytes(db: Database) -> None:
    await month_of_e1(db)
    first = await card(db)
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [("e1", "2026-03")])
    await settle(db, APRIL)
    assert msgspec.json.encode(await card(db)) == msgspec.json.encode(first)


async def test_lineage_keeps_versions_weights_and_watermarks(db: Database) -> None:
    await month_of_e1(db)
    found = await card(db)
    assert found is not None
    lineage = found.scores[0].lineage
    assert (lineage.rule_version, lineage.weight_sets) == ("score-2/2015-01-01", ("courier_alone/2015-01-01",))
    assert (lineage.weight, lineage.value) == ((31 * 70, 31 * 100), "50/1")
    assert lineage.watermarks["cut_ms"] == at("2026-04-01 00:00")
    assert len(lineage.input_hash) == 64


async def test_who_left_before_the_month_has_no_card(db: Database) -> None:
    await month_of_e1(db)
    gone = {"id": "e1", "name": "Fang", "department": "ops", "site": "d1", "position": "courier"}
    dates = {"joined_on": "2026-01-01", "left_on": "2026-02-10"}
    await load(db, json.dumps({"employees": [gone | dates]}).encode())
    await settle(db, APRIL)
    assert await card(db) is None


# --- scope ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "sees"),
    [
        (Scope(), False),
        (Scope(departments=frozenset({"hq"})), False),
        (Scope(departments=frozenset({"ops"})), True),
        (Scope(employee="e2"), False),
        (Scope(employee="e1"), True),
    ],
)
async def test_a_score_and_its_rows_are_seen_in_scope_only(db: Database, scope: Scope, sees: bool) -> None:
    await month_of_e1(db)
    assert (await card(db, scope=scope) is not None) == sees
    assert (await sources(db, ON_TIME, scope) is not None) == sees
    assert (await sources(db, PUNCTUAL, scope) is not None) == sees


async def test_a_touch_while_scoring_is_not_lost(db: Database) -> None:
    await month_of_e1(db)
    pair = [("e1", "2026-03")]
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, pair)
    async with db.writing() as connection:
        old = await score_queries.touched(connection, 10)
        await score_queries.touch_scores(connection, pair)
        assert await score_queries.claim(connection, old) == {}
        assert await score_queries.claim(connection, await score_queries.touched(connection, 10)) == dict.fromkeys(
            pair, False
        )


async def test_scores_are_replaced_not_added(db: Database) -> None:
    await month_of_e1(db)
    await punch(db, "1", "2026-03-03 08:50", employee="e1", received="2026-03-20 00:00")
    await settle(db, APRIL)
    assert await counted(db, PUNCTUAL) == (2, 2)
    async with db.reading() as connection:
        march = select(scorecards).where(scorecards.c.period == "2026-03")
        assert len((await connection.execute(march)).all()) == 2, "one of e1 and one of e2"
