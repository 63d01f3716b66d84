"""Attendance groups, who is in them when, and the policies they publish."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.rosters.membership import Membership
from server.store.attendance_queries import EmployeeDay
from server.store.roster_tables import attendance_groups, group_members, policies
from server.store.scope_filter import visible
from server.store.tables import attendance_days, employees, roster
from server.store.upsert import insert_into
from shared.clock import WallMs

_VALUES = 30_000

COMPANY = ""
"""Stands for the company among the groups of ``policies``."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """An attendance group."""

    id: str
    name_zh: str
    name_en: str
    pattern: str | None
    anchor_on: date | None
    planned_until: date | None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """Somebody's time in a group."""

    employee: str
    name: str
    department: str
    from_on: date
    to_on: date | None


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A version of a policy; ``settings`` are those that differ from what is above."""

    group: str
    from_on: date
    settings: Mapping[str, Any]
    actor: str
    published_ms: WallMs


# --- groups ---------------------------------------------------------------------------------------------------------


async def group_rows(connection: AsyncConnection) -> list[GroupRow]:
    """Every group by id; groups are the company's, so nobody's scope narrows them."""
    table = attendance_groups.c
    columns = (table.id, table.name_zh, table.name_en, table.pattern, table.anchor_on, table.planned_until)
    return [GroupRow(*row) for row in await connection.execute(select(*columns).order_by(table.id))]


async def put_group(connection: AsyncConnection, row: GroupRow) -> None:
    """Add a group, or change the one of that id; how far it is planned stays."""
    values = {
        "id": row.id,
        "name_zh": row.name_zh,
        "name_en": row.name_en,
        "pattern": row.pattern,
        "anchor_on": row.anchor_on,
    }
    statement = insert_into(connection, attendance_groups).values(values)
    changed = {name: statement.excluded[name] for name in values if name != "id"}
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


async def set_planned_until(connection: AsyncConnection, group: str, last: date) -> None:
    """Note how far the pattern of the group was laid out; never less far."""
    table = attendance_groups
    further = or_(table.c.planned_until.is_(None), table.c.planned_until < last)
    await connection.execute(update(table).where(table.c.id == group, further).values(planned_until=last))


# --- members --------------------------------------------------------------------------------------------------------


async def memberships(connection: AsyncConnection, people: Collection[str]) -> dict[str, list[Membership]]:
    """Times in groups of these people, in order."""
    found: dict[str, list[Membership]] = {}
    wanted = sorted(people)
    for start in range(0, len(wanted), _VALUES):
        which = select(group_members).where(group_members.c.employee.in_(wanted[start : start + _VALUES]))
        for row in await connection.execute(which.order_by(group_members.c.employee, group_members.c.from_on)):
            found.setdefault(row.employee, []).append(Membership(row.attendance_group, row.from_on, row.to_on))
    return found


async def member_rows(connection: AsyncConnection, scope: Scope, group: str) -> list[MemberRow]:
    """Who in scope is, was or will be in the group, by name."""
    joined = group_members.join(employees, employees.c.id == group_members.c.employee)
    columns = (employees.c.id, employees.c.name, employees.c.department, group_members.c.from_on, group_members.c.to_on)
    which = select(*columns).select_from(joined).where(visible(scope), group_members.c.attendance_group == group)
    rows = await connection.execute(which.order_by(employees.c.name, employees.c.id, group_members.c.from_on))
    return [MemberRow(*row) for row in rows]


async def member_counts(connection: AsyncConnection, scope: Scope, day: date) -> dict[str, int]:
    """How many in scope are in each group on a date."""
    joined = group_members.join(employees, employees.c.id == group_members.c.employee)
    open_ = or_(group_members.c.to_on.is_(None), group_members.c.to_on >= day)
    which = select(group_members.c.attendance_group, func.count().label("people")).select_from(joined)
    which = which.where(visible(scope), group_members.c.from_on <= day, open_)
    rows = await connection.execute(which.group_by(group_members.c.attendance_group))
    return {row.attendance_group: row.people for row in rows}


async def replace_memberships(connection: AsyncConnection, employee: str, rows: Sequence[Membership]) -> None:
    """All times in groups of one person."""
    await connection.execute(delete(group_members).where(group_members.c.employee == employee))
    values = [
        {"employee": employee, "from_on": row.from_on, "attendance_group": row.group, "to_on": row.to_on}
        for row in rows
    ]
    if values:
        await connection.execute(group_members.insert(), values)


# --- policies -------------------------------------------------------------------------------------------------------


async def policy_versions(connection: AsyncConnection, group: str | None = None) -> list[PolicyRow]:
    """Versions of one group, or of all and the company, by group and date."""
    table = policies.c
    which = select(table.attendance_group, table.from_on, table.settings, table.actor, table.published_ms)
    if group is not None:
        which = which.where(table.attendance_group == group)
    rows = await connection.execute(which.order_by(table.attendance_group, table.from_on))
    return [PolicyRow(*row) for row in rows]


async def put_policy(connection: AsyncConnection, row: PolicyRow) -> None:
    """Publish a version; one of the same group and date gives way."""
    values = {
        "attendance_group": row.group,
        "from_on": row.from_on,
        "settings": dict(row.settings),
        "actor": row.actor,
        "published_ms": row.published_ms,
    }
    statement = insert_into(connection, policies).values(values)
    changed = {name: statement.excluded[name] for name in ("settings", "actor", "published_ms")}
    keys = ["attendance_group", "from_on"]
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))


async def drop_policy(connection: AsyncConnection, group: str, from_on: date) -> bool:
    """Take a version back; whether there was one."""
    which = (policies.c.attendance_group == group, policies.c.from_on == from_on)
    return (await connection.execute(delete(policies).where(*which))).rowcount > 0


# --- what is computed again -----------------------------------------------------------------------------------------


async def days_since(
    connection: AsyncConnection, from_on: date, until: date | None, people: Iterable[str] | None
) -> set[EmployeeDay]:
    """Planned or recorded employee-days from a date on, before ``until``; of everybody, or of these people."""
    found: set[EmployeeDay] = set()
    wanted = None if people is None else sorted(set(people))
    parts = [None] if wanted is None else [wanted[n : n + _VALUES] for n in range(0, len(wanted), _VALUES)]
    for table in (roster, attendance_days):
        for part in parts:
            which = select(table.c.employee, table.c.date).where(table.c.date >= from_on).distinct()
            which = which if until is None else which.where(table.c.date < until)
            which = which if part is None else which.where(table.c.employee.in_(part))
            found.update((row.employee, row.date) for row in await connection.execute(which))
    return found
