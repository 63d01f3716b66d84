"""Accounts. They decide what a scope is, so none of these takes one; only accounts.py and the CLI ask."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import departments, employees, users
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class UserRow:
    """An account."""

    id: int
    login: str
    name: str
    password_hash: str
    role: str
    employee: str | None
    departments: tuple[str, ...]
    disabled: bool
    created_ms: WallMs


async def user_by_login(connection: AsyncConnection, login: str) -> UserRow | None:
    """The account of that login; None when there is none."""
    row = (await connection.execute(select(users).where(users.c.login == login))).first()
    return None if row is None else as_user(row)


async def user_rows(connection: AsyncConnection) -> list[UserRow]:
    """All accounts by login."""
    return [as_user(row) for row in await connection.execute(select(users).order_by(users.c.login))]


async def add_user(
    connection: AsyncConnection,
    *,
    login: str,
    name: str,
    password_hash: str,
    role: str,
    employee: str | None,
    departments: Sequence[str],
    at_ms: WallMs,
) -> None:
    """Add an enabled account."""
    values = {"login": login, "name": name, "password_hash": password_hash, "role": role, "employee": employee}
    await connection.execute(
        users.insert().values(**values, departments=list(departments), disabled=False, created_ms=at_ms)
    )


async def set_disabled(connection: AsyncConnection, user: int, disabled: bool) -> None:
    """Close an account or open it again; its sessions count no more from this commit on."""
    await connection.execute(update(users).where(users.c.id == user).values(disabled=disabled))


async def set_password_hash(connection: AsyncConnection, user: int, password_hash: str) -> None:
    """Replace a password."""
    await connection.execute(update(users).where(users.c.id == user).values(password_hash=password_hash))


async def department_parents(connection: AsyncConnection) -> dict[str, str | None]:
    """Each department and the one above it."""
    rows = await connection.execute(select(departments.c.id, departments.c.parent))
    return {row.id: row.parent for row in rows}


async def employee_exists(connection: AsyncConnection, employee: str) -> bool:
    """Whether there is such an employee, for an account to belong to."""
    return await connection.scalar(select(employees.c.id).where(employees.c.id == employee)) is not None


def as_user(row: "Row[tuple[object, ...]]") -> UserRow:
    """The columns of ``users`` in a row as a value."""
    return UserRow(
        row.id,
        row.login,
        row.name,
        row.password_hash,
        row.role,
        row.employee,
        tuple(row.departments),
        row.disabled,
        row.created_ms,
    )
