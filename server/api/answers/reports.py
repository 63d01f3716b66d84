"""Reports of a month as views."""

from collections.abc import Mapping
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.scope import Scope
from server.api.answers.names import names
from server.api.context import Context
from server.api.views.base import NameView
from server.api.views.reports import Cell as CellView
from server.api.views.reports import ColumnView, GroupView, ReportView
from server.reports.columns import ReportName
from server.reports.table import Cell, Row, hundredths
from server.services import reports
from server.services.reports import Order, Question, Table
from server.store import change_queries, closing_queries, people_queries, user_queries
from server.store.scope_filter import Narrow


async def report(context: Context, scope: Scope, question: Question, order: Order) -> ReportView:
    """A page of a report."""
    async with context.db.reading() as connection:
        table = await reports.table(connection, scope, question, order)
        return ReportView(
            report=question.report,
            month=question.month,
            zone=context.config.zone.key,
            closed_ms=(await closing_queries.closed_months(connection)).get(question.month),
            columns=[ColumnView.model_validate(column) for column in table.columns],
            names=_names(table),
            total=table.total,
            rows=[_cells(row) for row in table.rows],
            sums=_cells(table.sums),
            groups=[GroupView(id=each.id, people=each.people, sums=_cells(each.sums)) for each in table.groups],
            departments=names(await people_queries.department_names(connection, scope)),
            sites=names(await people_queries.site_names(connection, scope)),
            version=await change_queries.newest_change(connection, f"month:{question.month}"),
        )


async def question(
    connection: AsyncConnection, report: ReportName, month: str, department: str | None, site: str | None
) -> Question:
    """What was asked, a department with those below it."""
    if department is None:
        return Question(report, month, Narrow(site=site))
    parents = await user_queries.department_parents(connection)
    return Question(report, month, Narrow(with_those_below({department}, parents), site))


def _names(table: Table) -> dict[str, list[NameView]]:
    return {column: _views(known) for column, known in table.names.items()}


def _views(known: Mapping[str, tuple[str, str]]) -> list[NameView]:
    return [NameView(id=id_, name_zh=zh, name_en=en) for id_, (zh, en) in sorted(known.items())]


def _cells(row: Row) -> list[CellView]:
    return [_cell(cell) for cell in row]


def _cell(cell: Cell) -> CellView:
    if isinstance(cell, Fraction):
        return str(hundredths(cell))
    if isinstance(cell, tuple):
        return list(cell)
    return cell if isinstance(cell, str | int | None) else cell.isoformat()
