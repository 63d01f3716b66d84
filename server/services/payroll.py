"""What payroll programs fetch of a month: sums and adjustments of everybody, in an order that stays."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.months import Month, month_span
from server.services.month_report import MonthRow, month_rows
from server.store import change_queries, closing_queries, report_queries
from server.store.closing_queries import AdjustmentRow
from server.store.scope_filter import ALL
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class PayrollMonth:
    """Some people of a month, by id."""

    closed_ms: WallMs | None
    version: int
    """Grows whenever a result, decision or closing of the month changes: equal on all pages of one state."""
    total: int
    rows: list[MonthRow]
    adjustments: dict[str, list[AdjustmentRow]]


async def payroll_month(connection: AsyncConnection, month: Month, limit: int, offset: int) -> PayrollMonth:
    """Everybody's month for a program, which has no scope of its own."""
    scope = Scope.system()
    people = await report_queries.people_of_month(connection, scope, ALL, *month_span(month))
    ids = sorted(person.id for person in people)
    page = ids[offset : offset + limit]
    rows = await month_rows(connection, scope, month, people=page)
    adjustments: dict[str, list[AdjustmentRow]] = {}
    for row in await closing_queries.adjustments_posted(connection, scope, month):
        adjustments.setdefault(row.employee, []).append(row)
    return PayrollMonth(
        (await closing_queries.closed_months(connection)).get(month),
        await change_queries.newest_change(connection, f"month:{month}"),
        len(ids),
        sorted(rows, key=lambda row: row.person.id),
        adjustments,
    )
