"""Policies of people: versions of the company's and of groups', who is in which group, the systems of contracts."""

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.policies import Policies, PolicyBook, Term, Version, WindowSizes
from server.attendance.policy import DEFAULT
from server.store.people_tables import contracts
from server.store.roster_tables import group_members, policies

COMPANY = ""
"""In place of an attendance group: the policy of everybody."""


async def policies_for(
    connection: AsyncConnection, people: Collection[str], first: date, last: date
) -> dict[str, Policies]:
    """Policy of each of these people on each date between the two, both inclusive, for the engine."""
    book = await policy_book(connection)
    of_group = select(group_members.c.employee, *_span(group_members.c), group_members.c.attendance_group)
    of_contract = select(contracts.c.employee, *_span(contracts.c), contracts.c.work_system)
    groups = await _terms(connection, of_group.where(*_touching(group_members.c, people, first, last)))
    systems = await _terms(connection, of_contract.where(*_touching(contracts.c, people, first, last)))
    return {person: book.policies(groups.get(person, ()), systems.get(person, ()), first, last) for person in people}


async def policy_book(connection: AsyncConnection) -> PolicyBook:
    """Every version of every policy."""
    wanted = select(policies.c.attendance_group, policies.c.from_on, policies.c.settings).order_by(policies.c.from_on)
    versions: dict[str, list[Version]] = {}
    for row in await connection.execute(wanted):
        versions.setdefault(row.attendance_group, []).append(Version(row.from_on, row.settings))
    return PolicyBook(versions.pop(COMPANY, []), versions)


async def window_sizes(connection: AsyncConnection) -> WindowSizes:
    """Every size that some policy sets, and the defaults: whoever must miss nothing looks at all of them."""
    settings = list(await connection.scalars(select(policies.c.settings)))
    before = {told["window_before_min"] for told in settings if "window_before_min" in told}
    after = {told["window_after_min"] for told in settings if "window_after_min" in told}
    return WindowSizes(frozenset({DEFAULT.window_before_min, *before}), frozenset({DEFAULT.window_after_min, *after}))


def _span(columns: Any) -> tuple[ColumnElement[date], ColumnElement[date | None]]:
    return columns.from_on, columns.to_on


def _touching(columns: Any, people: Collection[str], first: date, last: date) -> list[ColumnElement[bool]]:
    """Rows of these people that hold on some date between the two."""
    return [
        columns.employee.in_(sorted(people)),
        columns.from_on <= last,
        or_(columns.to_on.is_(None), columns.to_on >= first),
    ]


async def _terms(connection: AsyncConnection, wanted: Select[Any]) -> dict[str, list[Term]]:
    found: dict[str, list[Term]] = {}
    for employee, from_on, to_on, value in await connection.execute(wanted):
        found.setdefault(employee, []).append(Term(from_on, to_on, value))
    return found
