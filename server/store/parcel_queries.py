"""Parcels: scans folded into one row each. Statements here serve engines, which work for everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Select, case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import employees, scans, shipments, sites, terminals
from server.store.upsert import insert_into
from shared.clock import WallMs

ROWS = 1_000
"""Rows of one statement; a shipment has 13 values and PostgreSQL takes at most 32,767."""

Milestone: TypeAlias = Literal["picked_up_at_ms", "delivered_at_ms", "refused_at_ms", "damaged_at_ms"]
_MILESTONES: tuple[Milestone, ...] = ("picked_up_at_ms", "delivered_at_ms", "refused_at_ms", "damaged_at_ms")


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One read, with the site of its station."""

    id: int
    code: str
    kind: int
    at_ms: WallMs
    received_ms: WallMs
    site: str | None
    station: str


@dataclass(frozen=True, slots=True)
class DueParcel:
    """A parcel that counts for somebody: whose it is, and when it is due."""

    courier: str
    due_ms: WallMs
    zone: str
    """Of the courier's site: the month in which it is due is local."""


async def scan_rows(connection: AsyncConnection, ids: Sequence[int]) -> list[ScanRow]:
    """These scans."""
    columns = (
        scans.c.id,
        scans.c.code,
        scans.c.kind,
        scans.c.at_ms,
        scans.c.received_ms,
        terminals.c.site,
        scans.c.station,
    )
    joined = scans.outerjoin(terminals, terminals.c.serial == scans.c.station)
    found: list[ScanRow] = []
    for start in range(0, len(ids), ROWS):
        wanted = select(*columns).select_from(joined).where(scans.c.id.in_(ids[start : start + ROWS]))
        found.extend(ScanRow(*row) for row in await connection.execute(wanted))
    return found


async def note_milestones(
    connection: AsyncConnection, parcels: Mapping[str, tuple[str | None, Mapping[Milestone, WallMs]]]
) -> None:
    """Keep the earliest time of each milestone, by tracking number; a parcel nobody announced is added with its site.

    Rows are taken in key order, so that two transactions never wait for each other in a circle.
    """
    rows: list[dict[str, str | int | bool | None]] = [
        {"tracking_no": number, "site": site, "force_majeure": False, **{name: times.get(name) for name in _MILESTONES}}
        for number, (site, times) in sorted(parcels.items())
    ]
    for start in range(0, len(rows), ROWS):
        statement = insert_into(connection, shipments).values(rows[start : start + ROWS])
        earliest = {
            name: case(
                (statement.excluded[name] < shipments.c[name], statement.excluded[name]),
                (shipments.c[name].is_(None), statement.excluded[name]),
                else_=shipments.c[name],
            )
            for name in _MILESTONES
        }
        await connection.execute(statement.on_conflict_do_update(index_elements=["tracking_no"], set_=earliest))


async def due_parcels(connection: AsyncConnection, numbers: Sequence[str]) -> list[DueParcel]:
    """Those of these parcels that have a courier and a promise."""
    found: list[DueParcel] = []
    for start in range(0, len(numbers), ROWS):
        wanted = _due_parcels().where(shipments.c.tracking_no.in_(numbers[start : start + ROWS]))
        found.extend(DueParcel(*row) for row in await connection.execute(wanted))
    return found


async def parcels_due_between(connection: AsyncConnection, after_ms: WallMs, up_to_ms: WallMs) -> list[DueParcel]:
    """Parcels of couriers that came due with ``after_ms < due <= up_to_ms``."""
    due = (shipments.c.due_ms > after_ms, shipments.c.due_ms <= up_to_ms)
    return [DueParcel(*row) for row in await connection.execute(_due_parcels().where(*due))]


def _due_parcels() -> Select[Any]:
    joined = shipments.join(employees, employees.c.id == shipments.c.courier).join(
        sites, sites.c.id == employees.c.site
    )
    return (
        select(shipments.c.courier, shipments.c.due_ms, sites.c.zone)
        .select_from(joined)
        .where(shipments.c.due_ms.is_not(None))
    )
