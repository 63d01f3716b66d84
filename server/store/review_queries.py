"""Rows that wait, for whoever decides about them; each question takes the viewer's scope."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, false, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.store.source_tables import fact_quarantine
from shared.clock import WallMs

_TABLE = fact_quarantine


@dataclass(frozen=True, slots=True)
class WaitingFact:
    """A row that waits or waited."""

    id: int
    source: str
    stream: str
    fact: str
    row_no: int
    source_key: str | None
    digest: bytes
    raw: Any
    codes: list[str]
    fields: list[dict[str, str]]
    state: str
    first_seen_ms: WallMs
    last_seen_ms: WallMs
    decided_by: str | None
    decided_ms: WallMs | None
    patch: Mapping[str, Any] | None
    note: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show; None for all."""

    state: str | None = "open"
    source: str | None = None
    fact: str | None = None


async def rows(
    connection: AsyncConnection, scope: Scope, wanted: Wanted, *, limit: int, offset: int
) -> tuple[int, list[WaitingFact]]:
    """How many there are, and a page of them, newest first."""
    which = _conditions(scope, wanted)
    total = await connection.scalar(select(func.count()).select_from(_TABLE).where(*which))
    page = select(*_columns()).where(*which).order_by(_TABLE.c.id.desc()).limit(limit).offset(offset)
    return total or 0, [WaitingFact(*row) for row in await connection.execute(page)]


async def one(connection: AsyncConnection, scope: Scope, number: int) -> WaitingFact | None:
    """One of them, where the viewer may see it."""
    row = (await connection.execute(select(*_columns()).where(_seen_by(scope), _TABLE.c.id == number))).first()
    return None if row is None else WaitingFact(*row)


async def open_of_stream(connection: AsyncConnection, scope: Scope, source: str, stream: str) -> list[WaitingFact]:
    """All that wait of a stream, oldest first."""
    which = (_seen_by(scope), _TABLE.c.source == source, _TABLE.c.stream == stream, _TABLE.c.state == "open")
    found = await connection.execute(select(*_columns()).where(*which).order_by(_TABLE.c.id))
    return [WaitingFact(*row) for row in found]


async def decide(connection: AsyncConnection, numbers: Sequence[int], values: Mapping[str, Any]) -> int:
    """Write a decision about rows that are still open; how many were."""
    which = update(_TABLE).where(_TABLE.c.id.in_(list(numbers)), _TABLE.c.state == "open")
    return (await connection.execute(which.values(dict(values)))).rowcount


def _columns() -> list[Any]:
    return [_TABLE.c[name] for name in WaitingFact.__slots__]


def _conditions(scope: Scope, wanted: Wanted) -> list[ColumnElement[bool]]:
    named = (("state", wanted.state), ("source", wanted.source), ("fact", wanted.fact))
    return [_seen_by(scope), *(_TABLE.c[name] == value for name, value in named if value is not None)]


def _seen_by(scope: Scope) -> ColumnElement[bool]:
    """Rows of nobody's department are for those who see everybody."""
    if scope.everyone:
        return true()
    return _TABLE.c.department.in_(sorted(scope.departments)) if scope.departments else false()
