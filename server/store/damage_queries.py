"""Damage that our own stations found, for whoever decides about it."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.counted_facts import EDGE
from server.store.fact_tables import FACT_TABLES
from shared.clock import WallMs

_REPORTS = FACT_TABLES["damage_report"]


@dataclass(frozen=True, slots=True)
class DamageRow:
    """Damage that waits for a decision."""

    key: str
    tracking_no: str
    occurred_on: date
    point: str
    responsibility: str
    station: str


async def unconfirmed(connection: AsyncConnection, limit: int) -> list[DamageRow]:
    """Reports of our stations that nobody has confirmed, oldest first."""
    report = _REPORTS.c
    columns = (report.source_key, report.tracking_no, report.occurred_on, report.point, report.responsibility)
    waiting = (report.source == EDGE, report.confirmed_on.is_(None), report.deleted.is_(False))
    wanted = select(*columns, report.found_by).where(*waiting).order_by(report.occurred_on, report.source_key)
    return [DamageRow(*row) for row in await connection.execute(wanted.limit(limit))]


async def decide(
    connection: AsyncConnection, key: str, responsibility: str, confirmed_on: date | None, at_ms: WallMs
) -> bool:
    """Whether there is such a report; it says so from now on."""
    which = (_REPORTS.c.source == EDGE, _REPORTS.c.source_key == key, _REPORTS.c.deleted.is_(False))
    values = {"responsibility": responsibility, "confirmed_on": confirmed_on, "changed_ms": at_ms}
    return (await connection.execute(update(_REPORTS).where(*which).values(**values))).rowcount == 1
