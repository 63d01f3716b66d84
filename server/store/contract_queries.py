"""Labour contracts of all sources with whose they are; reminders; indicators of posts."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.people.contract_standing import Reminders
from server.store.contract_tables import contract_reminders, post_indicators
from server.store.fact_tables import FACT_TABLES
from server.store.people_tables import contracts
from server.store.scope_filter import visible
from server.store.source_tables import identity_links
from server.store.tables import employees
from server.store.upsert import insert_into
from shared.clock import WallMs

_FACTS = FACT_TABLES["labour_contract"]
_EMPLOYMENTS = FACT_TABLES["employment"]
ALWAYS = dt.date(1970, 1, 1)
"""Since when an id that is the employee's own is theirs."""


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract of a business system or entered by hand; whose it is where that is known."""

    source: str
    source_key: str
    employee_key: str
    employee: str | None
    name: str | None
    department: str | None
    left_on: dt.date | None
    starts_on: dt.date
    ends_on: dt.date | None
    kind: str | None
    position: str | None
    duties: str | None
    pay_grade: str | None
    sealed: bytes | None
    changed_ms: WallMs


@dataclass(frozen=True, slots=True)
class BasicRow:
    """A contract as the page of people has it: its dates and kind."""

    id: int
    employee: str
    name: str
    department: str
    position: str
    left_on: dt.date | None
    starts_on: dt.date
    ends_on: dt.date | None
    kind: str


@dataclass(frozen=True, slots=True)
class ProbationRow:
    """When a probation ends, and how it ended where that is known."""

    employee: str
    name: str
    ends_on: dt.date
    passed: bool | None


async def contract_rows(
    connection: AsyncConnection, scope: Scope, one: tuple[str, str] | None = None
) -> list[ContractRow]:
    """Contracts of people in scope; those that are nobody's yet too for whoever sees everyone.

    ``one`` is the source and key of the only one that is wanted.
    """
    joined = _FACTS.join(employees, employees.c.id == _FACTS.c.employee, isouter=True)
    own = {"name": employees.c.name, "department": employees.c.department, "left_on": employees.c.left_on}
    columns = [own[name] if name in own else _FACTS.c[name] for name in ContractRow.__slots__]
    which = select(*columns).select_from(joined).where(_FACTS.c.deleted.is_(False), visible(scope))
    if one is not None:
        which = which.where(_FACTS.c.source == one[0], _FACTS.c.source_key == one[1])
    return [ContractRow(*row) for row in await connection.execute(which)]


async def basic_rows(connection: AsyncConnection, scope: Scope) -> list[BasicRow]:
    """Contracts of the page of people, of those in scope."""
    columns = (
        contracts.c.id,
        contracts.c.employee,
        employees.c.name,
        employees.c.department,
        employees.c.position,
        employees.c.left_on,
        contracts.c.from_on,
        contracts.c.to_on,
        contracts.c.kind,
    )
    joined = contracts.join(employees, employees.c.id == contracts.c.employee)
    return [
        BasicRow(*row) for row in await connection.execute(select(*columns).select_from(joined).where(visible(scope)))
    ]


async def probation_rows(connection: AsyncConnection, scope: Scope) -> list[ProbationRow]:
    """Probations of people in scope who are still here."""
    table = _EMPLOYMENTS
    columns = (employees.c.id, employees.c.name, table.c.probation_ends_on, table.c.probation_passed)
    joined = table.join(employees, employees.c.id == table.c.employee)
    which = (
        select(*columns)
        .select_from(joined)
        .where(table.c.deleted.is_(False), table.c.probation_ends_on.is_not(None), employees.c.left_on.is_(None))
    )
    rows = await connection.execute(which.where(visible(scope)).order_by(table.c.probation_ends_on, employees.c.id))
    return [ProbationRow(*row) for row in rows]


async def link_own_id(connection: AsyncConnection, source: str, employee: str) -> None:
    """In this source the employee's own id is theirs."""
    values = {"source": source, "employee_key": employee, "valid_from": ALWAYS, "valid_to": None, "employee": employee}
    await connection.execute(insert_into(connection, identity_links).values(values).on_conflict_do_nothing())


async def reminders(connection: AsyncConnection) -> Reminders:
    """How far ahead; the default where nobody has said."""
    columns = (contract_reminders.c.expiry_days, contract_reminders.c.probation_days)
    row = (await connection.execute(select(*columns))).first()
    return Reminders() if row is None else Reminders(*row)


async def put_reminders(connection: AsyncConnection, wanted: Reminders, actor: str, at_ms: WallMs) -> None:
    """How far ahead from now on."""
    said = {"expiry_days": wanted.expiry_days, "probation_days": wanted.probation_days}
    values = {**said, "changed_by": actor, "changed_ms": at_ms}
    statement = insert_into(connection, contract_reminders).values(id=1, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


async def accepted_indicators(connection: AsyncConnection) -> dict[str, list[str]]:
    """Indicators of each post that has some, in the order of their ids."""
    columns = (post_indicators.c.position, post_indicators.c.indicator)
    found: dict[str, list[str]] = {}
    for position, indicator in await connection.execute(select(*columns).order_by(*columns)):
        found.setdefault(position, []).append(indicator)
    return found


async def put_indicators(
    connection: AsyncConnection, position: str, indicators: Sequence[str], actor: str, at_ms: WallMs
) -> None:
    """These are the indicators of a post."""
    await connection.execute(delete(post_indicators).where(post_indicators.c.position == position))
    rows = [{"position": position, "indicator": one, "accepted_by": actor, "accepted_ms": at_ms} for one in indicators]
    if rows:
        await connection.execute(insert(post_indicators), rows)


async def graded_pay(connection: AsyncConnection) -> list[tuple[str, str, bytes]]:
    """Source, key and sealed pay of every contract with a grade; to be counted in this process, never shown."""
    table = _FACTS.c
    graded = (table.deleted.is_(False), table.sealed.is_not(None), table.pay_grade.is_not(None))
    rows = await connection.execute(select(table.source, table.source_key, table.sealed).where(*graded))
    return [(row.source, row.source_key, row.sealed) for row in rows]
