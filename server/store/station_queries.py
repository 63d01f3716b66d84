"""What a scanning station is for; whoever looks after the fleet sets it, so none of these takes a scope."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import stations as _stations
from server.store.tables import terminals
from server.store.upsert import insert_into

Role: TypeAlias = Literal["sorting", "loading", "returns"]
Responsibility: TypeAlias = Literal["logistics", "supplier", "customer", "packaging_design"]


@dataclass(frozen=True, slots=True)
class Station:
    """A scanner's place on the way of a parcel, and what a damaged one there means."""

    role: Role
    responsibility: Responsibility
    """Whose fault damage that is found here is taken to be."""
    review: bool
    """Whether a person has to confirm damage before it counts."""


PLAIN = Station("sorting", "logistics", review=False)
"""A station that nobody has set up."""


async def stations(connection: AsyncConnection, serials: Collection[str] | None = None) -> dict[str, Station]:
    """Stations that are set up, all or these, by serial number."""
    wanted = select(_stations).order_by(_stations.c.serial)
    if serials is not None:
        wanted = wanted.where(_stations.c.serial.in_(sorted(serials)))
    rows = await connection.execute(wanted)
    return {row.serial: Station(row.role, row.responsibility, row.review) for row in rows}


async def is_scanner(connection: AsyncConnection, serial: str) -> bool:
    """Whether there is such a scanner."""
    kind = await connection.scalar(select(terminals.c.kind).where(terminals.c.serial == serial))
    return kind == "scanner"


async def put_station(connection: AsyncConnection, serial: str, station: Station) -> None:
    """Set a station up, or change it."""
    values = {"role": station.role, "responsibility": station.responsibility, "review": station.review}
    statement = insert_into(connection, _stations).values(serial=serial, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["serial"], set_=values))
