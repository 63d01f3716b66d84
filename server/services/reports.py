"""Reports of a month as tables: a page of rows with sums for the screen, all rows in pieces for files."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import itemgetter
from typing import cast

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.months import Month, month_span
from server.reports.columns import LEAVE, Column, ReportName, columns_of
from server.reports.table import Cell, Names, Row, summed
from server.services import report_lines as lines
from server.services.month_report import month_rows
from server.store import closing_queries, post_queries, report_queries
from server.store.report_queries import DaysAsked, ReportPerson, Which
from server.store.scope_filter import ALL, Narrow
from shared.errors import DataError

PIECE = 300
"""People whose rows are in memory together while a file is written."""

_OF_DAYS: frozenset[ReportName] = frozenset(("daily", "exceptions", "overtime"))


@dataclass(frozen=True, slots=True)
class Question:
    """Which report of which month; ``narrow`` is what the viewer asked to see inside the scope."""

    report: ReportName
    month: Month
    narrow: Narrow = ALL


@dataclass(frozen=True, slots=True)
class Order:
    """Rows to show, and the column they are sorted by; None: by department, name and date."""

    limit: int
    offset: int = 0
    column: str | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A department of a monthly report: how many people, and sums under the columns."""

    id: str
    people: int
    sums: Row


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of a report, and the sums of all."""

    columns: tuple[Column, ...]
    names: Names
    total: int
    rows: list[Row]
    sums: Row
    groups: list[Group]


async def columns_and_names(connection: AsyncConnection, report: ReportName) -> tuple[tuple[Column, ...], Names]:
    """Columns of a report, and the company's names for ids under them."""
    types = await report_queries.leave_types_known(connection)
    shifts = await report_queries.shift_names(connection)
    leave = {each.id: (each.name_zh, each.name_en) for each in types}
    columns = columns_of(report, [(each.id, each.name_zh, each.name_en) for each in types])
    names: Names = {"shift": shifts, "leave_type": leave}
    if any(column.id == "position_name" for column in columns):
        names = {**names, "position_name": await post_queries.position_names(connection)}
    return columns, names


async def table(connection: AsyncConnection, scope: Scope, question: Question, order: Order) -> Table:
    """A page of a report with its sums; DataError for a column that can not be sorted by."""
    columns, names = await columns_and_names(connection, question.report)
    if order.column is not None and order.column not in {column.id for column in columns}:
        raise DataError(f"column {order.column!r}: this report has none; leave sort out or take one of its ids", "sort")
    people = await _people(connection, scope, question)
    names = _with_places(names, people.values())
    if question.report in _OF_DAYS and order.column is None:
        return await _table_of_days(connection, scope, question, order, (columns, names, people))
    rows = [row async for piece in _pieces(connection, scope, question, columns, people) for row in piece]
    groups = _groups(columns, rows) if question.report == "month" else []
    if order.column is not None:
        at = next(number for number, column in enumerate(columns) if column.id == order.column)
        rows.sort(key=lambda row: _sortable(row[at]), reverse=order.descending)
    page = rows[order.offset : order.offset + order.limit]
    return Table(columns, names, len(rows), page, summed(columns, rows), groups)


async def pieces(
    connection: AsyncConnection, scope: Scope, question: Question, columns: Sequence[Column]
) -> tuple[Names, int, AsyncIterator[list[Row]]]:
    """Names of places, how many people there are, and all rows in pieces, in the order of the screen."""
    people = await _people(connection, scope, question)
    names = _with_places({}, people.values())
    return names, len(people), _pieces(connection, scope, question, columns, people)


async def sums_of(connection: AsyncConnection, scope: Scope, question: Question, columns: Sequence[Column]) -> Row:
    """Sums under the columns of a report of days without reading its rows; empty for the others."""
    if question.report not in _OF_DAYS:
        return ()
    _, sums = await report_queries.report_day_sums(connection, scope, question.narrow, _asked(question))
    return _sums_row(columns, sums)


def _sums_row(columns: Sequence[Column], sums: Mapping[str, int]) -> Row:
    return [sums.get(column.id) if column.summed else None for column in columns]


async def _table_of_days(
    connection: AsyncConnection,
    scope: Scope,
    question: Question,
    order: Order,
    known: tuple[tuple[Column, ...], Names, Mapping[str, ReportPerson]],
) -> Table:
    """The database pages and sums: a month of thousands of people is not read for fifty lines."""
    columns, names, people = known
    asked, narrow = _asked(question), question.narrow
    total, sums = await report_queries.report_day_sums(connection, scope, narrow, asked)
    days = await report_queries.report_days(connection, scope, narrow, asked, limit=order.limit, offset=order.offset)
    decisions = await closing_queries.decisions_between(connection, scope, asked.first, asked.last, narrow)
    rows = [_row(columns, lines.day(people[day.employee], day, decisions)) for day in days]
    return Table(columns, names, total, rows, _sums_row(columns, sums), [])


async def _pieces(
    connection: AsyncConnection,
    scope: Scope,
    question: Question,
    columns: Sequence[Column],
    people: Mapping[str, ReportPerson],
) -> AsyncIterator[list[Row]]:
    if question.report == "month":
        rows = await month_rows(connection, scope, question.month, question.narrow)
        leave = [column.id.removeprefix(LEAVE) for column in columns if column.id.startswith(LEAVE)]
        yield [_row(columns, lines.month(row, leave)) for row in rows]
        return
    if question.report == "adjustments":
        posted = await closing_queries.adjustments_posted(connection, scope, question.month, question.narrow)
        found = [lines.adjustment(person, row) for row in posted if (person := people.get(row.employee))]
        yield [_row(columns, line) for line in _in_order(found)]
        return
    asked, ids = _asked(question), list(people)
    decisions = await closing_queries.decisions_between(connection, scope, asked.first, asked.last, question.narrow)
    grants = (
        await report_queries.grants_between(connection, scope, question.narrow, asked.first, asked.last)
        if question.report == "leave"
        else []
    )
    for start in range(0, len(ids), PIECE):
        some = ids[start : start + PIECE]
        days = await report_queries.report_days(connection, scope, question.narrow, asked, people=some)
        if question.report == "leave":
            of_some = [grant for grant in grants if grant.employee in set(some)]
            entries = [line for day in days for line in lines.leave(people[day.employee], day)]
            entries += [lines.grant(people[grant.employee], grant) for grant in of_some]
            yield [_row(columns, line) for line in _in_order(entries)]
        else:
            yield [_row(columns, lines.day(people[day.employee], day, decisions)) for day in days]


async def _people(connection: AsyncConnection, scope: Scope, question: Question) -> dict[str, ReportPerson]:
    """Everybody a row may be about; adjustments can be about people who left before the month."""
    first, last = month_span(question.month)
    listed = await report_queries.people_of_month(connection, scope, question.narrow, first, last)
    people = {person.id: person for person in listed}
    if question.report == "adjustments":
        everybody = await report_queries.people_ever(connection, scope, question.narrow)
        people = {person.id: person for person in everybody}
    return people


def _asked(question: Question) -> DaysAsked:
    return DaysAsked(cast(Which, question.report), *month_span(question.month))


def _with_places(names: Names, people: Iterable[ReportPerson]) -> Names:
    known = list(people)
    departments = {person.department: (person.department_zh, person.department_en) for person in known}
    sites = {person.site: (person.site_zh, person.site_en) for person in known}
    return {**names, "department": departments, "site": sites}


def _row(columns: Sequence[Column], line: Mapping[str, Cell]) -> Row:
    return [line.get(column.id) for column in columns]


def _in_order(found: list[lines.Line]) -> list[lines.Line]:
    return sorted(found, key=itemgetter("department", "name", "employee", "date"))


def _groups(columns: Sequence[Column], rows: Sequence[Row]) -> list[Group]:
    at = next(number for number, column in enumerate(columns) if column.id == "department")
    of_department: dict[str, list[Row]] = {}
    for row in rows:
        of_department.setdefault(str(row[at]), []).append(row)
    return [Group(id_, len(some), summed(columns, some)) for id_, some in sorted(of_department.items())]


def _sortable(cell: Cell) -> tuple[int, Fraction, str]:
    """Nothing first, then numbers by size, then text."""
    if cell is None:
        return 0, Fraction(0), ""
    if isinstance(cell, int | Fraction):
        return 1, Fraction(cell), ""
    return 2, Fraction(0), str(cell)
