"""Chains of approval, delegations and the accounts that decide; who may decide is the company's, not a scope's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.requests.approvers import Account, Approvers, Delegation
from server.store.request_tables import approval_chains, delegations
from server.store.tables import users
from server.store.upsert import insert_into
from server.store.user_queries import department_parents
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class ChainRow:
    """Steps that requests of a kind take, as they are stored."""

    kind: str
    steps: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DelegationRow:
    """Who acts for whom and when."""

    id: int
    user: int
    delegate: int
    from_ms: WallMs
    to_ms: WallMs
    ended_ms: WallMs | None


async def chain_rows(connection: AsyncConnection) -> dict[str, ChainRow]:
    """Chains by kind."""
    rows = await connection.execute(select(approval_chains).order_by(approval_chains.c.kind))
    return {row.kind: ChainRow(row.kind, row.steps, row.settings) for row in rows}


async def put_chain(connection: AsyncConnection, row: ChainRow) -> None:
    """Store a chain in place of the former."""
    values = {"steps": list(row.steps), "settings": dict(row.settings)}
    statement = insert_into(connection, approval_chains).values(kind=row.kind, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["kind"], set_=values))


async def add_missing_chains(connection: AsyncConnection, rows: Sequence[ChainRow]) -> int:
    """Store those of kinds that have none; how many."""
    values = [{"kind": row.kind, "steps": list(row.steps), "settings": dict(row.settings)} for row in rows]
    statement = insert_into(connection, approval_chains).values(values)
    return (await connection.execute(statement.on_conflict_do_nothing(index_elements=["kind"]))).rowcount


async def approvers_at(connection: AsyncConnection, now_ms: WallMs) -> Approvers:
    """Enabled accounts, departments and the delegations in force."""
    names = ("id", "login", "name", "role", "employee", "departments")
    rows = await connection.execute(select(*(users.c[name] for name in names)).where(users.c.disabled.is_(False)))
    accounts = [Account(r.id, r.login, r.name, r.role, r.employee, frozenset(r.departments)) for r in rows]
    row = delegations.c
    in_force = (row.from_ms <= now_ms, row.to_ms > now_ms, row.ended_ms.is_(None))
    given = await connection.execute(select(row.user, row.delegate, row.from_ms, row.to_ms).where(*in_force))
    parents = await department_parents(connection)
    return Approvers(accounts, parents, [Delegation(*one) for one in given])


async def delegation_rows(connection: AsyncConnection, user: int, now_ms: WallMs) -> list[DelegationRow]:
    """Delegations that a user gave or was given and that are not over, by beginning."""
    row = delegations.c
    mine = (row.user == user) | (row.delegate == user)
    found = select(delegations).where(mine, row.to_ms > now_ms, row.ended_ms.is_(None)).order_by(row.from_ms, row.id)
    return [DelegationRow(*one) for one in await connection.execute(found)]


async def add_delegation(connection: AsyncConnection, values: Mapping[str, int]) -> int:
    """Let somebody act for a user; the delegation's number."""
    made = await connection.execute(delegations.insert().values(**values).returning(delegations.c.id))
    number: int = made.scalar_one()
    return number


async def end_delegation(connection: AsyncConnection, user: int, delegation: int, now_ms: WallMs) -> bool:
    """End one that the user gave; whether there was such a one."""
    row = delegations.c
    same = (row.id == delegation, row.user == user, row.ended_ms.is_(None))
    return (await connection.execute(update(delegations).where(*same).values(ended_ms=now_ms))).rowcount == 1
