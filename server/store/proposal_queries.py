"""Decisions about waiting rows that one person proposed and another confirms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.store.review_queries import unseen_by
from server.store.source_tables import fact_proposals, fact_quarantine
from shared.clock import WallMs

_TABLE = fact_proposals


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to become of rows, and who says so."""

    id: int
    kind: str
    source: str
    fact: str
    rows: int
    """When it was proposed."""
    patch: Mapping[str, Any]
    note: str
    state: str
    proposed_by: str
    proposed_employee: str | None
    proposed_ms: WallMs
    decided_by: str | None
    decided_ms: WallMs | None
    reason: str


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> int:
    """A new one; its number."""
    statement = _TABLE.insert().values(**values, state="waiting", reason="").returning(_TABLE.c.id)
    return int((await connection.execute(statement)).scalar_one())


async def one(connection: AsyncConnection, number: int) -> Proposal | None:
    """One of them; whether somebody may see it their rows tell."""
    row = (await connection.execute(select(*_columns()).where(_TABLE.c.id == number))).first()
    return None if row is None else Proposal(*row)


async def waiting(connection: AsyncConnection, scope: Scope) -> list[Proposal]:
    """Those that wait and whose rows the viewer may see, every one, oldest first."""
    hidden = select(fact_quarantine.c.id).where(fact_quarantine.c.proposal == _TABLE.c.id, unseen_by(scope)).exists()
    which = select(*_columns()).where(_TABLE.c.state == "waiting", ~hidden).order_by(_TABLE.c.id)
    return [Proposal(*row) for row in await connection.execute(which)]


async def settle(connection: AsyncConnection, number: int, values: Mapping[str, Any]) -> bool:
    """Write what was decided, once; whether it still waited."""
    which = update(_TABLE).where(_TABLE.c.id == number, _TABLE.c.state == "waiting")
    return (await connection.execute(which.values(dict(values)))).rowcount == 1


def _columns() -> list[Any]:
    return [_TABLE.c[name] for name in Proposal.__slots__]
