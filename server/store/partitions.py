"""Months of ``events`` on PostgreSQL: made on first need, in a transaction of their own.

Months from 2015 to two ahead of today; everything else stays in DEFAULT, so that a terminal in 2000 or 2099 makes no
tables. What DEFAULT holds of a month moves into it when the month is made.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import Database
from shared.clock import WallMs, from_ms, to_ms

PARTITION_LOCK = 7_004
"""Advisory lock: two processes that need one month make it one after the other."""
DEFAULT_PARTITION = "events_default"
_FIRST_YEAR = 2015
_MONTHS_AHEAD = 2

_KNOWN = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass"
)


def month_of(at_ms: WallMs) -> int:
    """Months since year 0 of an instant, in UTC."""
    at = from_ms(at_ms)
    return at.year * 12 + at.month - 1


def partition_name(month: int) -> str:
    """Table of a month."""
    return f"events_{month // 12:04}_{month % 12 + 1:02}"


def month_start(month: int) -> WallMs:
    """First instant of a month."""
    return to_ms(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC))


def own_months(spans: Iterable[tuple[WallMs, WallMs]], now_ms: WallMs) -> set[int]:
    """Months of these spans of time (both ends included) that have a table of their own."""
    earliest, latest = _FIRST_YEAR * 12, month_of(now_ms) + _MONTHS_AHEAD
    months: set[int] = set()
    for low, high in spans:
        months.update(range(max(month_of(low), earliest), min(month_of(high), latest) + 1))
    return months


async def existing_partitions(connection: AsyncConnection) -> frozenset[str]:
    """Tables that hold events now."""
    return frozenset(await connection.scalars(_KNOWN))


async def make_partitions(db: Database, months: Iterable[int]) -> None:
    """Make those of the months that are missing."""
    for month in sorted(months):
        async with db.writing() as connection:
            await connection.execute(select(func.pg_advisory_xact_lock(PARTITION_LOCK)))
            if partition_name(month) in await existing_partitions(connection):
                continue
            for statement in _creation(month):
                await connection.execute(text(statement))


def _creation(month: int) -> Iterator[str]:
    """Attaching locks the parent for no reader and no writer of other months; CREATE ... PARTITION OF would."""
    name, start, end = partition_name(month), month_start(month), month_start(month + 1)
    yield f"CREATE TABLE {name} (LIKE events INCLUDING ALL)"
    moved = f"DELETE FROM {DEFAULT_PARTITION} WHERE at_ms >= {start} AND at_ms < {end} RETURNING *"  # noqa: S608
    yield f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved"  # noqa: S608 - our own numbers and names
    yield f"ALTER TABLE {name} ADD CONSTRAINT {name}_month CHECK (at_ms >= {start} AND at_ms < {end})"
    yield f"ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"
    yield f"ALTER TABLE {name} DROP CONSTRAINT {name}_month"
