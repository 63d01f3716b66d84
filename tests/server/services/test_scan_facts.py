"""What scanners see becomes facts, each once, and damage follows the station (connectors.md section 2)."""

import itertools
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from server.access.errors import NotFoundError
from server.services.parcels import merge_scans
from server.services.stations import decide_damage, set_station
from server.store import damage_queries
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.station_queries import Station
from server.store.tables import scans
from shared.scan import ScanKind
from tests.server.services.test_attributes import parcel, put, settled
from tests.server.services.world import add_fleet, at, load, scan

EVENT, REPORT = "shipment_event", "damage_report"


@pytest.fixture
async def depot(db: Database) -> Database:
    await load(db)
    await add_fleet(db)
    return db


def entry() -> Entry:
    return Entry(at("2026-03-02 12:00"), "test", "test", "")


async def rows(db: Database, fact: str, *columns: str) -> list[tuple[Any, ...]]:
    table = FACT_TABLES[fact]
    wanted = select(*(table.c[name] for name in columns)).order_by(table.c.occurred_at_ms, table.c.source_key)
    async with db.reading() as connection:
        return [tuple(row) for row in await connection.execute(wanted)]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (ScanKind.INBOUND, "inbound"),
        (ScanKind.SORT, "sorted"),
        (ScanKind.LOAD, "loaded"),
        (ScanKind.OUT_FOR_DELIVERY, "out_for_delivery"),
        (ScanKind.DELIVERED, "delivered"),
        (ScanKind.REFUSED, "refused"),
        (ScanKind.DAMAGED, "damaged"),
        (ScanKind.RETURNED, "returned"),
        (ScanKind.RETURN_INSPECTED, "return_inspected"),
        (ScanKind.UNKNOWN, None),
    ],
)
async def test_each_kind_of_scan_is_an_event_but_the_unknown(
    depot: Database, kind: ScanKind, status: str | None
) -> None:
    await scan(depot, "P1", kind, "2026-03-02 10:00")
    expected = [] if status is None else [("edge", "P1", status, at("2026-03-02 10:00"), "d1", "S1")]
    columns = ("source", "tracking_no", "status", "occurred_at_ms", "site_key", "place")
    assert await rows(depot, EVENT, *columns) == expected


async def test_scans_that_come_again_and_in_any_order_are_events_once(depot: Database) -> None:
    for kind, text in ((ScanKind.SORT, "11:00"), (ScanKind.INBOUND, "10:00"), (ScanKind.LOAD, "12:00")):
        await scan(depot, "P1", kind, f"2026-03-02 {text}")
    async with depot.writing() as connection:
        ids = list(await connection.scalars(select(scans.c.id)))
        for order in itertools.permutations(ids):
            await merge_scans(connection, order, at("2026-03-03 00:00"))
    assert [status for (status,) in await rows(depot, EVENT, "status")] == ["inbound", "sorted", "loaded"]
    assert [ms for (ms,) in await rows(depot, EVENT, "sorted_at_ms")] == [at("2026-03-02 11:00"), None, None]


async def test_a_scan_with_a_reset_or_fast_clock_is_no_event(depot: Database) -> None:
    await scan(depot, "P1", ScanKind.DAMAGED, "2000-01-01 10:00", now="2026-03-02 10:00")
    await scan(depot, "P1", ScanKind.DAMAGED, "2026-03-02 10:00", now="2026-03-02 09:00")
    assert await rows(depot, EVENT, "status") == []
    assert await rows(depot, REPORT, "point") == []


@pytest.mark.parametrize(
    ("station", "expected"),
    [
        (None, ("sorting_scan", "warehouse", "logistics", date(2026, 3, 2))),
        (Station("loading", "logistics", review=False), ("loading_scan", "warehouse", "logistics", date(2026, 3, 2))),
        (Station("returns", "logistics", review=False), ("return_inspection", "return", "logistics", date(2026, 3, 2))),
        (Station("sorting", "supplier", review=False), ("sorting_scan", "warehouse", "supplier", date(2026, 3, 2))),
        (Station("returns", "customer", review=True), ("return_inspection", "return", "customer", None)),
    ],
)
async def test_damage_follows_the_station(
    depot: Database, station: Station | None, expected: tuple[object, ...]
) -> None:
    if station is not None:
        await set_station(depot, "S1", station, entry())
    await scan(depot, "P1", ScanKind.DAMAGED, "2026-03-02 23:59")
    assert await rows(depot, REPORT, "point", "kind", "responsibility", "confirmed_on") == [expected]


async def test_damage_that_a_scanner_saw_counts_for_a_parcel_of_another_system(depot: Database) -> None:
    await put(depot, "shipment", parcel("P1"))
    await scan(depot, "P1", ScanKind.DAMAGED, "2026-03-02 10:00")
    assert await settled(depot, "shipment", "damaged_on") == {"P1": date(2026, 3, 2)}


async def test_damage_to_be_reviewed_counts_when_a_person_says_so(depot: Database) -> None:
    await set_station(depot, "S1", Station("returns", "logistics", review=True), entry())
    await put(depot, "shipment", parcel("P1"))
    await scan(depot, "P1", ScanKind.DAMAGED, "2026-03-02 10:00")
    assert await settled(depot, "shipment", "damaged_on") == {"P1": None}
    async with depot.reading() as connection:
        [waiting] = await damage_queries.unconfirmed(connection, 10)
    assert (waiting.tracking_no, waiting.station) == ("P1", "S1")
    await decide_damage(depot, waiting.key, "logistics", date(2026, 3, 4), entry())
    assert await settled(depot, "shipment", "damaged_on") == {"P1": date(2026, 3, 4)}
    await decide_damage(depot, waiting.key, "supplier", date(2026, 3, 4), entry())
    assert await settled(depot, "shipment", "damaged_on") == {"P1": None}


async def test_what_is_not_there_can_not_be_set_or_decided(depot: Database) -> None:
    with pytest.raises(NotFoundError, match="scanner 'T1'"):
        await set_station(depot, "T1", Station("returns", "logistics", review=True), entry())
    with pytest.raises(NotFoundError, match="damage 'x'"):
        await decide_damage(depot, "x", "logistics", None, entry())
