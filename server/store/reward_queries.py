"""Rewards in steps: tiers of indicators and base amounts of people and posts, each from a day on.

The engine reads all of them, so none of these takes a scope.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.period_tables import reward_bases, reward_tiers
from server.store.upsert import insert_into
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class TierRow:
    """Steps of an indicator; exact numbers as text."""

    indicator: str
    starts: dt.date
    step: str
    gain: str
    max_steps: int
    gates: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class BaseRow:
    """A base amount in minor units; 0 ends it."""

    indicator: str
    kind: str
    """person | position"""
    unit: str
    starts: dt.date
    base_minor: int


async def tiers(connection: AsyncConnection) -> list[TierRow]:
    """All of them by indicator and day."""
    names = [reward_tiers.c[name] for name in ("indicator", "starts", "step", "gain", "max_steps", "gates")]
    rows = await connection.execute(select(*names).order_by(reward_tiers.c.indicator, reward_tiers.c.starts))
    return [TierRow(*row) for row in rows]


async def bases(connection: AsyncConnection) -> list[BaseRow]:
    """All of them by indicator, unit and day."""
    table = reward_bases.c
    wanted = select(table.indicator, table.kind, table.unit, table.starts, table.base_minor)
    rows = await connection.execute(wanted.order_by(table.indicator, table.kind, table.unit, table.starts))
    return [BaseRow(*row) for row in rows]


async def put_tier(connection: AsyncConnection, row: TierRow, *, actor: str, at_ms: WallMs) -> None:
    """Set the steps of an indicator from a day on; one of the same day is replaced."""
    values = {"step": row.step, "gain": row.gain, "max_steps": row.max_steps, "gates": dict(row.gates)}
    statement = insert_into(connection, reward_tiers).values(
        indicator=row.indicator, starts=row.starts, **values, set_by=actor, set_ms=at_ms
    )
    changed = {name: statement.excluded[name] for name in (*values, "set_by", "set_ms")}
    await connection.execute(statement.on_conflict_do_update(index_elements=["indicator", "starts"], set_=changed))


async def put_base(connection: AsyncConnection, row: BaseRow, *, actor: str, at_ms: WallMs) -> None:
    """Set a base amount from a day on; one of the same day is replaced."""
    key = {"indicator": row.indicator, "kind": row.kind, "unit": row.unit, "starts": row.starts}
    statement = insert_into(connection, reward_bases).values(
        **key, base_minor=row.base_minor, set_by=actor, set_ms=at_ms
    )
    changed = {name: statement.excluded[name] for name in ("base_minor", "set_by", "set_ms")}
    await connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))
