"""KS-16: every number keeps what it was made of, and the same inputs and versions give the same bytes."""

import msgspec
from sqlalchemy import delete

from server.store.database import Database
from server.store.tables import scorecards, scores
from tests.server.services.scheme_world import card, parcels, prepare, publish, season
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import put


async def encoded(db: Database) -> dict[str, bytes]:
    """Lineage, points and sample of e1's March, as they are stored; when it was computed is no part of it."""
    found = await card(db, "e1", "2026-03")
    return {
        one.indicator: msgspec.json.encode([msgspec.to_builtins(one.lineage), one.points, one.sample, one.no_score])
        for one in found.scores
    }


async def anew(db: Database) -> dict[str, bytes]:
    async with db.writing() as connection:
        await connection.execute(delete(scores))
        await connection.execute(delete(scorecards))
    return await encoded(db)


async def test_ks16_the_same_rows_and_versions_give_the_same_bytes(db: Database) -> None:
    await prepare(db)
    await parcels(db)
    first = await encoded(db)
    assert len(first) == 4
    assert await anew(db) == first


async def test_ks16_a_number_keeps_its_versions_parts_watermarks_and_where_its_rows_are(db: Database) -> None:
    await prepare(db)
    await parcels(db)
    [damage] = [one for one in (await card(db, "e1", "2026-03")).scores if one.indicator == "log_damage_rate"]
    kept = damage.lineage
    assert (kept.numerator, kept.denominator, damage.sample, kept.value, kept.target) == (6, 200, 200, "3/1", "1.5")
    assert (kept.rule_version, kept.weight_sets) == ("score-2/2015-01-01", ("logistics/2015-01-01",))
    assert {"cut_ms", "fact:shipment", "fact:damage_report"} <= kept.watermarks.keys()
    assert (kept.query.level, kept.query.unit, f"{kept.query.first}", f"{kept.query.last}") == (
        "person",
        "e1",
        "2026-03-01",
        "2026-03-31",
    )


async def test_ks16_another_row_or_another_version_is_told_by_the_hash_or_the_version(db: Database) -> None:
    await prepare(db)
    await parcels(db)
    before = {one.indicator: one.lineage for one in (await card(db, "e1", "2026-03")).scores}
    late = {"source_key": "more", "tracking_no": "more", "status": "delivered", "employee_key": "e1", "site_key": "d1"}
    times = {"promised_at": moment("2026-03-10 18:00"), "delivered_at": moment("2026-03-11 18:00")}
    await put(db, "shipment", {**late, **times, "cost_minor": 600}, source="system")
    await anew(db)
    counted = {one.indicator: one.lineage for one in (await card(db, "e1", "2026-03")).scores}
    assert all(counted[name].input_hash != one.input_hash for name, one in before.items())
    await publish(db, season("packaging_fix", "2026-03-01", "2026-03-31"))
    moved = {one.indicator: one.lineage for one in (await card(db, "e1", "2026-03")).scores}
    assert all("packaging_fix/2026-03-01" in one.weight_sets for one in moved.values())
    assert {name: one.input_hash for name, one in moved.items()} == {
        name: one.input_hash for name, one in counted.items()
    }, "the inputs of an indicator are the same under other weights"
