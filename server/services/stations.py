"""Set up scanning stations, and decide about the damage that a station set to review has found."""

from datetime import date

from server.access.errors import NotFoundError
from server.store import attribute_writes, damage_queries, fact_marks, log_queries, station_queries
from server.store.counted_facts import EDGE
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.station_queries import Responsibility, Station

FACT = "damage_report"


async def set_station(db: Database, serial: str, station: Station, entry: Entry) -> None:
    """Say what a scanner is for; NotFoundError where there is no such scanner."""
    async with db.writing() as connection:
        if not await station_queries.is_scanner(connection, serial):
            raise NotFoundError(f"scanner {serial!r}; `muster server terminals list` shows them")
        await station_queries.put_station(connection, serial, station)
        await log_queries.append(connection, entry)


async def decide_damage(
    db: Database, key: str, responsibility: Responsibility, confirmed_on: date | None, entry: Entry
) -> None:
    """Say whose fault damage is and since when that is sure; without a day it does not count.

    NotFoundError where no scanner has reported it.
    """
    async with db.writing() as connection:
        if not await damage_queries.decide(connection, key, responsibility, confirmed_on, entry.at_ms):
            raise NotFoundError(f"damage {key!r}; `muster server stations damage` lists what waits")
        rows = await attribute_writes.key_rows(connection, FACT, EDGE, [key])
        await attribute_writes.settle(connection, {FACT: rows})
        await fact_marks.move(connection, [FACT])
        await log_queries.append(connection, entry)
