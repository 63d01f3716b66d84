"""The numbers of a month that an employee is asked to confirm (员工确认)."""

from collections.abc import Mapping
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.closing import Month, decided
from server.store import checklist_queries, closing_queries
from server.store.closing_queries import month_span
from server.store.scope_filter import ALL, Narrow

Sums: TypeAlias = Mapping[str, int]
"""Minutes and counts by name, those that are not 0; days are given in thousandths."""


async def month_sums(connection: AsyncConnection, scope: Scope, month: Month, narrow: Narrow = ALL) -> dict[str, Sums]:
    """Sums of everybody in scope who has a record in the month; decided minutes as pay sees them."""
    span = month_span(month)
    decisions = await closing_queries.decisions_between(connection, scope, *span, narrow)
    found: dict[str, dict[str, int]] = {}
    for row in await checklist_queries.record_rows(connection, scope, *span, narrow):
        record = row.record
        made = decisions.get((row.employee, record.date, record.part))
        minutes = decided(record, made.decision if made else None)
        sums = found.setdefault(row.employee, {})
        for name in ("required", "worked", "late", "early", "absent", "pending", "leave", "ot_15", "ot_20", "ot_30"):
            _add(sums, f"{name}_min", getattr(minutes, name))
        _add(sums, "late_times", int(minutes.late > 0))
        _add(sums, "early_times", int(minutes.early > 0))
        _add(sums, "missing_punches", int(record.status in ("missing_in", "missing_out")))
    return dict(found)


def _add(sums: dict[str, int], name: str, number: int) -> None:
    if number:
        sums[name] = sums.get(name, 0) + number
