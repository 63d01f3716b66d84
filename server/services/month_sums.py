"""The numbers of a month that an employee is asked to confirm (员工确认): the columns of the monthly report."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from fractions import Fraction
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.months import Month
from server.reports.month import MonthSummary
from server.services.month_report import month_rows
from server.store.scope_filter import ALL, Narrow

Sums: TypeAlias = Mapping[str, int]
"""Columns that are not 0 by name: minutes, counts, days in thousandths (``required_days`` 21500 is 21.5 days), leave by
type as ``leave.annual``, differences of earlier months as ``adjusted.worked``."""

_DAY_PARTS = 1_000


async def month_sums(
    connection: AsyncConnection,
    scope: Scope,
    month: Month,
    narrow: Narrow = ALL,
    *,
    people: Collection[str] | None = None,
) -> dict[str, Sums]:
    """Sums of everybody in scope whose month has something to confirm, or of some of them."""
    rows = await month_rows(connection, scope, month, narrow, people=people)
    found = {row.person.id: sums_of(row.summary) for row in rows}
    # What is left in the bank alone is no month.
    return {employee: sums for employee, sums in found.items() if set(sums) - {"comp_left_min"}}


def sums_of(summary: MonthSummary) -> Sums:
    """The same numbers, flat and without zeros, so that they can be stored and compared."""
    sums: dict[str, int] = {}
    for field in fields(summary):
        value = getattr(summary, field.name)
        if isinstance(value, Fraction):
            sums[field.name] = round(value * _DAY_PARTS)
        elif isinstance(value, int):
            sums[field.name] = value
    sums |= {f"leave.{kind}": minutes for kind, minutes in summary.leaves.items()}
    sums |= {f"adjusted.{name}": number for name, number in summary.adjusted.items()}
    return {name: number for name, number in sums.items() if number}
