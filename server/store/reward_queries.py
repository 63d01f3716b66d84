"""Rewards in steps: tiers of indicators and base amounts of people and posts, each from a day on.

The engine reads all of them, so only what pages list takes a scope.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.store.period_tables import reward_bases, reward_tiers
from server.store.reward_pay import opener_for, seal_pay
from server.store.scope_filter import visible
from server.store.tables import employees
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


@dataclass(frozen=True, slots=True)
class ListedBase:
    """A base amount as a page lists it."""

    base: BaseRow
    name: str | None
    """Of the person; None for a position."""
    holds: bool


async def tiers(connection: AsyncConnection) -> list[TierRow]:
    """All of them by indicator and day."""
    names = [reward_tiers.c[name] for name in ("indicator", "starts", "step", "gain", "max_steps", "gates")]
    rows = await connection.execute(select(*names).order_by(reward_tiers.c.indicator, reward_tiers.c.starts))
    return [TierRow(*row) for row in rows]


async def bases(connection: AsyncConnection) -> list[BaseRow]:
    """All of them by indicator, unit and day."""
    table = reward_bases.c
    wanted = select(table.indicator, table.kind, table.unit, table.starts, table.sealed)
    rows = await connection.execute(wanted.order_by(table.indicator, table.kind, table.unit, table.starts))
    return await _opened(connection, rows.all())


async def bases_in_scope(
    connection: AsyncConnection,
    scope: Scope,
    indicator: str | None,
    today: dt.date,
    *,
    limit: int,
    offset: int,
    pay: bool,
) -> tuple[int, list[ListedBase]]:
    """How many base amounts there are of positions and of people in scope, and a page of them, the newest first.

    Without ``pay`` the amounts stay closed and are 0.
    """
    table = reward_bases.c
    conditions = [or_(table.kind == "position", visible(scope))]
    if indicator is not None:
        conditions.append(table.indicator == indicator)
    person = and_(table.kind == "person", employees.c.id == table.unit)
    joined = reward_bases.outerjoin(employees, person)
    total = await connection.scalar(select(func.count()).select_from(joined).where(*conditions))
    columns = (table.indicator, table.kind, table.unit, table.starts, table.sealed)
    page = (
        select(*columns, employees.c.name, (table.starts == _begun(today)).label("holds"))
        .select_from(joined)
        .where(*conditions)
        .order_by(table.indicator, table.kind.desc(), table.unit, table.starts.desc())
    )
    rows = (await connection.execute(page.limit(limit).offset(offset))).all()
    found = (
        await _opened(connection, rows)
        if pay
        else [BaseRow(row.indicator, row.kind, row.unit, row.starts, 0) for row in rows]
    )
    return total or 0, [ListedBase(base, row.name, bool(row.holds)) for base, row in zip(found, rows, strict=True)]


async def paid_indicators(connection: AsyncConnection, today: dt.date) -> list[str]:
    """Indicators for which anybody has a base amount on a day, in order."""
    table = reward_bases.c
    which = select(table.indicator).where(table.starts == _begun(today), table.sealed.is_not(None))
    return list(await connection.scalars(which.distinct().order_by(table.indicator)))


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
    [sealed] = await seal_pay(connection, reward_bases, [(tuple(key.values()), [row.base_minor])])
    statement = insert_into(connection, reward_bases).values(**key, sealed=sealed, set_by=actor, set_ms=at_ms)
    changed = {name: statement.excluded[name] for name in ("sealed", "set_by", "set_ms")}
    await connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))


async def _opened(connection: AsyncConnection, rows: Sequence[Any]) -> list[BaseRow]:
    opener, found = await opener_for(connection, (row.sealed for row in rows)), []
    for row in rows:
        key = (row.indicator, row.kind, row.unit, row.starts)
        [minor] = opener.open(reward_bases, key, row.sealed, 1)
        found.append(BaseRow(*key, minor))
    return found


def _begun(today: dt.date) -> "ScalarSelect[dt.date]":
    """First day of the base amount that holds on a day, of the same indicator and unit."""
    table, own = reward_bases.c, reward_bases.alias("own").c
    same = [own[name] == table[name] for name in ("indicator", "kind", "unit")]
    return select(func.max(own.starts)).where(*same, own.starts <= today).scalar_subquery()
