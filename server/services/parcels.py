"""Scans become milestones of parcels, and parcels touch the scores of their couriers."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.clock import judge_clock
from server.services.scan_facts import store_scans
from server.store import fact_marks, parcel_queries, score_queries
from server.store.parcel_queries import DueParcel, Milestone, ScanRow
from shared.clock import WallMs, from_ms
from shared.scan import ScanKind

MILESTONES: dict[int, Milestone] = {
    ScanKind.INBOUND: "picked_up_at_ms",
    ScanKind.SORT: "picked_up_at_ms",
    ScanKind.LOAD: "picked_up_at_ms",
    ScanKind.OUT_FOR_DELIVERY: "picked_up_at_ms",
    ScanKind.DELIVERED: "delivered_at_ms",
    ScanKind.REFUSED: "refused_at_ms",
    ScanKind.DAMAGED: "damaged_at_ms",
}
"""A parcel that is seen anywhere on its way has been picked up."""


async def merge_scans(connection: AsyncConnection, scan_ids: Sequence[int], now_ms: WallMs) -> None:
    """Fold new rows of ``scans`` into ``shipments``: the earliest scan of a kind counts, in whatever order they come.

    Scans whose clock was reset or runs ahead change nothing (as AR-3 and AR-4 do with punches).
    """
    parcels: dict[str, tuple[str | None, dict[Milestone, WallMs]]] = {}
    rows = [row for row in await parcel_queries.scan_rows(connection, scan_ids) if _has_clock(row)]
    for scan in sorted(filter(_counts, rows), key=lambda row: (row.at_ms, row.id)):
        _, times = parcels.setdefault(scan.code, (scan.site, {}))
        times.setdefault(MILESTONES[scan.kind], scan.at_ms)
    if parcels:
        await parcel_queries.note_milestones(connection, parcels)
        due = await parcel_queries.due_parcels(connection, sorted(parcels))
        # All at once and before any score is touched: whoever stores rows takes both in this order.
        await fact_marks.move(connection, ["shipment", "shipment_event", "damage_report"])
        facts = fact_marks.following({"shipment"})
        await score_queries.touch_scores(connection, cards_of(due, now_ms), facts, own=True)
    await store_scans(connection, rows, now_ms)


def cards_of(parcels: Iterable[DueParcel], now_ms: WallMs) -> set[tuple[str, str]]:
    """Scorecards (courier and month) that these parcels change; one not yet due counts for nobody (KS-3)."""
    return {(parcel.courier, local_month(parcel)) for parcel in parcels if parcel.due_ms <= now_ms}


def local_month(parcel: DueParcel) -> str:
    """YYYY-MM in which a parcel is due where its courier works."""
    return from_ms(parcel.due_ms).astimezone(ZoneInfo(parcel.zone)).strftime("%Y-%m")


def _counts(scan: ScanRow) -> bool:
    return scan.kind in MILESTONES


def _has_clock(scan: ScanRow) -> bool:
    return judge_clock(scan.at_ms, None, scan.received_ms).held is None
