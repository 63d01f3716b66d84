"""Targets of people and departments; the engine reads all, so none of these takes a scope."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.target import Target, Targets
from server.store.tables import indicator_targets
from server.store.upsert import insert_into


async def targets(connection: AsyncConnection) -> Targets:
    """All targets."""
    return Targets(await target_rows(connection))


async def target_rows(connection: AsyncConnection) -> list[Target]:
    """All targets, by indicator, unit and first day."""
    table = indicator_targets.c
    wanted = select(table.indicator, table.unit, table.starts, table.target)
    rows = await connection.execute(wanted.order_by(table.indicator, table.unit, table.starts))
    return [Target(*row) for row in rows]


async def targeted(connection: AsyncConnection, day: dt.date) -> frozenset[str]:
    """Indicators that anybody has a target of their own for on a day."""
    table = indicator_targets.c
    return frozenset(await connection.scalars(select(table.indicator).where(table.starts <= day).distinct()))


async def put_targets(connection: AsyncConnection, rows: Sequence[Target], *, actor: str, at_ms: int) -> None:
    """Set targets from their days on; one of the same day is replaced."""
    for row in rows:
        values = {"indicator": row.indicator, "unit": row.unit, "starts": row.starts, "target": row.target}
        statement = insert_into(connection, indicator_targets).values(**values, set_by=actor, set_ms=at_ms)
        changed = {name: statement.excluded[name] for name in ("target", "set_by", "set_ms")}
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["indicator", "unit", "starts"], set_=changed)
        )
