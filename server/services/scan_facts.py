"""Scans of our own stations become facts through the same door as rows of business systems.

Each scan of a known kind is a ``shipment_event``. A damaged parcel is a ``damage_report`` too: its point follows the
station, and it is confirmed at once unless the station is set to review.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.connectors.mapping import Mapped
from server.connectors.source_file import Stream
from server.facts.catalogue import FACTS
from server.facts.resolve.rule import local_day
from server.services.fact_store import Arrival, store_page
from server.store.company_zone import company_zone
from server.store.counted_facts import EDGE
from server.store.parcel_queries import ScanRow
from server.store.station_queries import PLAIN, Station, stations
from shared.clock import WallMs, from_ms
from shared.scan import ScanKind

STATUS: Mapping[int, str] = {
    ScanKind.INBOUND: "inbound",
    ScanKind.SORT: "sorted",
    ScanKind.LOAD: "loaded",
    ScanKind.OUT_FOR_DELIVERY: "out_for_delivery",
    ScanKind.DELIVERED: "delivered",
    ScanKind.REFUSED: "refused",
    ScanKind.DAMAGED: "damaged",
    ScanKind.RETURNED: "returned",
    ScanKind.RETURN_INSPECTED: "return_inspected",
}
"""A scan of no known kind is no event."""
POINTS = {"returns": "return_inspection", "loading": "loading_scan", "sorting": "sorting_scan"}
NO_RUN = 0
"""Scans come with no run of a source."""


async def store_scans(connection: AsyncConnection, scans: Sequence[ScanRow], now_ms: WallMs) -> None:
    """Store events and damage of these scans, in the transaction that stores the scans; twice changes nothing."""
    events = [scan for scan in scans if scan.kind in STATUS]
    if not events:
        return
    zone = await company_zone(connection)
    await _store(connection, "shipment_event", map(_event, events), zone, now_ms)
    damaged = [scan for scan in events if scan.kind == ScanKind.DAMAGED]
    if damaged:
        known = await stations(connection, {scan.station for scan in damaged})
        reports = (_report(scan, known.get(scan.station, PLAIN), local_day(scan.at_ms, zone)) for scan in damaged)
        await _store(connection, "damage_report", reports, zone, now_ms)


async def _store(
    connection: AsyncConnection, fact: str, rows: Iterable[dict[str, Any]], zone: ZoneInfo, now_ms: WallMs
) -> None:
    needed = dict.fromkeys(FACTS[fact].required - {"source_key"}, "as_it_is")
    stream = Stream.model_validate({"fact": fact, "key": "source_key", "map": needed})
    made = {row["source_key"]: FACTS[fact].row.model_validate(row) for row in rows}
    mapped = [Mapped(number, row, {}) for number, row in enumerate(made.values(), start=1)]
    await store_page(connection, Arrival(EDGE, stream, zone, NO_RUN, now_ms), mapped)


def _event(scan: ScanRow) -> dict[str, Any]:
    at = from_ms(scan.at_ms)
    return {
        "source_key": f"{scan.code}|{STATUS[scan.kind]}|{at:%Y-%m-%dT%H:%M:%SZ}",
        "tracking_no": scan.code,
        "status": STATUS[scan.kind],
        "occurred_at": at,
        "place": scan.station,
        "site_key": scan.site,
    }


def _report(scan: ScanRow, station: Station, day: date) -> dict[str, Any]:
    return {
        "source_key": f"{scan.code}|{day}|{station.role}",
        "occurred_on": day,
        "tracking_no": scan.code,
        "kind": "return" if station.role == "returns" else "warehouse",
        "point": POINTS[station.role],
        "responsibility": station.responsibility,
        "confirmed_on": None if station.review else day,
        "quantity": 1,
        "found_by": scan.station,
    }
