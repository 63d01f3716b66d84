"""Targets of people and departments; the engine reads all of them, so only what pages list takes a scope."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, case, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.scoring.target import EVERYBODY, KINDS, Kind, Target, Targets
from server.store.scope_filter import visible
from server.store.tables import departments, employees, indicator_targets
from server.store.upsert import insert_into
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class ListedTarget:
    """A target as a page lists it."""

    target: Target
    kind: Kind
    name_zh: str
    """Of the person or department; empty for everybody."""
    name_en: str
    set_by: str
    set_ms: WallMs
    holds: bool
    """Whether it is the one of today."""


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


async def targets_in_scope(
    connection: AsyncConnection,
    scope: Scope,
    today: dt.date,
    *,
    indicator: str | None,
    q: str,
    limit: int,
    offset: int,
) -> tuple[int, list[ListedTarget]]:
    """How many targets there are of everybody, of departments and of people in scope, and a page of them.

    By indicator, everybody's before departments' before people's, the newest of each first; ``q`` is in the unit's
    name or id.
    """
    table, whom = indicator_targets.c, (employees.c.id, employees.c.name)
    named = (departments.c.id, departments.c.name_zh, departments.c.name_en)
    conditions = [] if scope.everyone else [_seen(scope)]
    if indicator is not None:
        conditions.append(table.indicator == indicator)
    if q:
        conditions.append(or_(*(column.icontains(q, autoescape=True) for column in (*whom, *named))))
    joined = indicator_targets.outerjoin(employees, employees.c.id == table.unit)
    joined = joined.outerjoin(departments, departments.c.id == table.unit)
    total = await connection.scalar(select(func.count()).select_from(joined).where(*conditions))
    kind = case((table.unit == EVERYBODY, 0), (employees.c.id.is_(None), 1), else_=2)
    own = (table.indicator, table.unit, table.starts, table.target)
    page = (
        select(*own, *named[1:], employees.c.name, table.set_by, table.set_ms, kind.label("kind"))
        .add_columns((table.starts == _begun(today)).label("holds"))
        .select_from(joined)
        .where(*conditions)
        .order_by(table.indicator, kind, table.unit, table.starts.desc())
    )
    rows = await connection.execute(page.limit(limit).offset(offset))
    return total or 0, [_listed(row) for row in rows]


def _seen(scope: Scope) -> ColumnElement[bool]:
    own = [indicator_targets.c.unit == EVERYBODY, visible(scope)]
    return or_(*own, departments.c.id.in_(sorted(scope.departments)))


def _begun(today: dt.date) -> "ScalarSelect[dt.date]":
    """First day of the target that holds on a day, of the same indicator and unit."""
    table, own = indicator_targets.c, indicator_targets.alias("own").c
    same = (own.indicator == table.indicator, own.unit == table.unit, own.starts <= today)
    return select(func.max(own.starts)).where(*same).scalar_subquery()


def _listed(row: Row[Any]) -> ListedTarget:
    target = Target(row.indicator, row.unit, row.starts, row.target)
    names = (row.name, row.name) if row.name is not None else (row.name_zh or row.unit, row.name_en or row.unit)
    return ListedTarget(target, KINDS[row.kind], *names, row.set_by, row.set_ms, bool(row.holds))


async def remove_target(connection: AsyncConnection, indicator: str, unit: str, starts: dt.date) -> bool:
    """Take out the target that starts on a day; whether there was one."""
    table = indicator_targets.c
    which = (table.indicator == indicator, table.unit == unit, table.starts == starts)
    return bool((await connection.execute(delete(indicator_targets).where(*which))).rowcount)


async def put_targets(connection: AsyncConnection, rows: Sequence[Target], *, actor: str, at_ms: WallMs) -> None:
    """Set targets from their days on; one of the same day is replaced."""
    statement = insert_into(connection, indicator_targets)
    changed = {name: statement.excluded[name] for name in ("target", "set_by", "set_ms")}
    values = [
        {"indicator": row.indicator, "unit": row.unit, "starts": row.starts, "target": row.target}
        | {"set_by": actor, "set_ms": at_ms}
        for row in rows
    ]
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["indicator", "unit", "starts"], set_=changed), values
    )
