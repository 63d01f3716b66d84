"""Rows that wait, for whoever decides about them; each question takes the viewer's scope."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, false, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.facts.codes import Code
from server.store.source_tables import fact_quarantine
from server.store.tables import departments, employees
from shared.clock import WallMs

_TABLE = fact_quarantine
_VALUES = 1_000
NOBODY = "-"
"""As an assignee: rows that are nobody's task yet."""


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
    department: str | None
    state: str
    first_seen_ms: WallMs
    last_seen_ms: WallMs
    assigned_to: str | None
    decided_by: str | None
    decided_ms: WallMs | None
    patch: Mapping[str, Any] | None
    note: str
    proposal: int | None
    """What two people decide about it, where that was proposed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show; None for all. ``assignee`` NOBODY for what is nobody's task."""

    state: str | None = "open"
    source: str | None = None
    fact: str | None = None
    code: Code | None = None
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """How many rows of a fact of a source wait, or waited, for that reason; a row may have several."""

    source: str
    fact: str
    code: str
    rows: int


async def rows(
    connection: AsyncConnection, scope: Scope, wanted: Wanted, *, limit: int, offset: int
) -> tuple[int, list[WaitingFact]]:
    """How many there are, and a page of them, newest first."""
    which = _conditions(scope, wanted)
    total = await connection.scalar(select(func.count()).select_from(_TABLE).where(*which))
    page = select(*_columns()).where(*which).order_by(_TABLE.c.id.desc()).limit(limit).offset(offset)
    return total or 0, [WaitingFact(*row) for row in await connection.execute(page)]


async def pieces(connection: AsyncConnection, scope: Scope, wanted: Wanted) -> AsyncIterator[list[WaitingFact]]:
    """All of them, oldest first, a piece at a time."""
    after = 0
    while True:
        page = select(*_columns()).where(*_conditions(scope, wanted), _TABLE.c.id > after)
        found = [WaitingFact(*row) for row in await connection.execute(page.order_by(_TABLE.c.id).limit(_VALUES))]
        if not found:
            return
        yield found
        after = found[-1].id


async def reasons(connection: AsyncConnection, scope: Scope, wanted: Wanted) -> list[Reason]:
    """How many rows by source, fact and reason, most first."""
    codes = cast(_TABLE.c.codes, Text)
    keys = (_TABLE.c.source, _TABLE.c.fact, codes)
    which = select(*keys, func.min(_TABLE.c.id), func.count()).where(*_conditions(scope, wanted)).group_by(*keys)
    groups = list(await connection.execute(which))
    told = select(_TABLE.c.id, _TABLE.c.codes).where(_TABLE.c.id.in_([first for *_, first, _ in groups]))
    codes_of: dict[int, list[str]] = {row.id: row.codes for row in await connection.execute(told)}
    found: dict[tuple[str, str, str], int] = {}
    for source, fact, _, first, number in groups:
        for code in codes_of[first]:
            found[source, fact, code] = found.get((source, fact, code), 0) + number
    return [Reason(*key, number) for key, number in sorted(found.items(), key=lambda one: (-one[1], one[0]))]


async def one(connection: AsyncConnection, scope: Scope, number: int) -> WaitingFact | None:
    """One of them, where the viewer may see it."""
    row = (await connection.execute(select(*_columns()).where(_seen_by(scope), _TABLE.c.id == number))).first()
    return None if row is None else WaitingFact(*row)


async def some(connection: AsyncConnection, scope: Scope, numbers: Sequence[int]) -> list[WaitingFact]:
    """Those of these that the viewer may see, by number."""
    found: list[WaitingFact] = []
    for part in _parts(sorted(set(numbers))):
        which = select(*_columns()).where(_seen_by(scope), _TABLE.c.id.in_(part)).order_by(_TABLE.c.id)
        found += [WaitingFact(*row) for row in await connection.execute(which)]
    return found


async def open_of_stream(connection: AsyncConnection, scope: Scope, source: str, stream: str) -> list[WaitingFact]:
    """All that wait of a stream, oldest first."""
    which = (_seen_by(scope), _TABLE.c.source == source, _TABLE.c.stream == stream, _TABLE.c.state == "open")
    found = await connection.execute(select(*_columns()).where(*which).order_by(_TABLE.c.id))
    return [WaitingFact(*row) for row in found]


async def proposed(connection: AsyncConnection, scope: Scope, proposal: int) -> tuple[int, list[WaitingFact]]:
    """How many rows still wait for two people's decision, and those of them that the viewer may see."""
    which = (_TABLE.c.proposal == proposal, _TABLE.c.state == "open")
    total = await connection.scalar(select(func.count()).select_from(_TABLE).where(*which))
    found = await connection.execute(select(*_columns()).where(*which, _seen_by(scope)).order_by(_TABLE.c.id))
    return total or 0, [WaitingFact(*row) for row in found]


async def decide(connection: AsyncConnection, numbers: Sequence[int], values: Mapping[str, Any]) -> int:
    """Write a decision about rows that are still open; how many were."""
    return await _set(connection, numbers, values)


async def assign(connection: AsyncConnection, numbers: Sequence[int], login: str | None) -> int:
    """Whose task rows that are still open are; how many were."""
    return await _set(connection, numbers, {"assigned_to": login})


async def propose(connection: AsyncConnection, numbers: Sequence[int], proposal: int | None) -> None:
    """What is proposed about rows that are still open; None: nothing any more."""
    await _set(connection, numbers, {"proposal": proposal})


async def departments_of(connection: AsyncConnection, people: Iterable[str]) -> dict[str, str]:
    """The department of each employee."""
    found: dict[str, str] = {}
    for part in _parts(sorted(set(people))):
        which = select(employees.c.id, employees.c.department).where(employees.c.id.in_(part))
        found.update({row.id: row.department for row in await connection.execute(which)})
    return found


async def known_departments(connection: AsyncConnection, names: Iterable[str]) -> set[str]:
    """Those of these ids that are departments."""
    found: set[str] = set()
    for part in _parts(sorted(set(names))):
        found |= set(await connection.scalars(select(departments.c.id).where(departments.c.id.in_(part))))
    return found


async def _set(connection: AsyncConnection, numbers: Sequence[int], values: Mapping[str, Any]) -> int:
    done = 0
    for part in _parts(numbers):
        which = update(_TABLE).where(_TABLE.c.id.in_(part), _TABLE.c.state == "open")
        done += (await connection.execute(which.values(dict(values)))).rowcount
    return done


def _columns() -> list[Any]:
    return [_TABLE.c[name] for name in WaitingFact.__slots__]


def _parts(values: Sequence[Any]) -> Iterable[list[Any]]:
    return (list(values[n : n + _VALUES]) for n in range(0, len(values), _VALUES))


def _conditions(scope: Scope, wanted: Wanted) -> list[ColumnElement[bool]]:
    named = (("state", wanted.state), ("source", wanted.source), ("fact", wanted.fact))
    found = [_seen_by(scope), *(_TABLE.c[name] == value for name, value in named if value is not None)]
    if wanted.code is not None:
        found.append(cast(_TABLE.c.codes, Text).contains(f'"{wanted.code}"', autoescape=True))
    if wanted.assignee == NOBODY:
        found.append(_TABLE.c.assigned_to.is_(None))
    elif wanted.assignee is not None:
        found.append(_TABLE.c.assigned_to == wanted.assignee)
    return found


def unseen_by(scope: Scope) -> ColumnElement[bool]:
    """Rows that the viewer may not see; one without a department is for those who see everybody."""
    return false() if scope.everyone else or_(_TABLE.c.department.is_(None), ~_seen_by(scope))


def _seen_by(scope: Scope) -> ColumnElement[bool]:
    """Rows of nobody's department are for those who see everybody."""
    if scope.everyone:
        return true()
    return _TABLE.c.department.in_(sorted(scope.departments)) if scope.departments else false()
