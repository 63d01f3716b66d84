"""Rosters from files: the difference is shown, then all of it is planned or nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.closing import refuse_closed
from server.rosters.change import NOTHING, Cell, Changes, Difference, EmployeeDay, Plan
from server.rosters.check import AROUND, Finding
from server.rosters.edit import LONGEST_SPAN
from server.rosters.pattern import Shifts
from server.rosters.sheet import (
    Columns,
    Known,
    Read,
    SheetProblem,
    month_of,
    names_days,
    people_named_in,
    read_board,
    read_list,
    spellings,
)
from server.services import rosters
from server.services.import_kind import (
    Applied,
    Before,
    Checked,
    ImportField,
    ImportKind,
    Question,
    RowChange,
    RowProblem,
    Undone,
    Who,
)
from server.store import closing_queries, roster_queries, shift_queries
from server.store.roster_queries import PlannedPerson
from shared.errors import DataError

FREE = "休"
"""How a day off is written."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be planned, and what is there."""

    changes: Changes
    before: Plan


async def _check(connection: AsyncConnection, question: Question) -> Checked:
    columns = Columns(*(question.columns.get(name) for name in ("employee", "name", "date", "shift")))
    scope = rosters.planners(question.who.scope)
    library = await shift_queries.library(connection)
    ids, names = people_named_in(question.sheet, columns)
    named = await roster_queries.people_named(connection, scope, names)
    people = await roster_queries.people_by_id(
        connection, scope, ids | {one for those in named.values() for one in those}
    )
    known = Known({one.id: one.name for one in people.values()}, named, spellings(library.values()))
    read = _read(question, columns, known)
    if not read.days:
        return Checked(None, problems=[_problem(problem) for problem in read.problems])
    return await _compare(connection, read, people, question)


def _read(question: Question, columns: Columns, known: Known) -> Read:
    sheet, options = question.sheet, question.options
    if columns.employee is None and columns.name is None:
        return Read(problems=[SheetProblem(None, "employee", "not_mapped")])
    if columns.date is not None and columns.shift is not None:
        return read_list(sheet, columns, known)
    if not names_days(sheet.header):
        return Read(problems=[SheetProblem(None, "date", "no_days")])
    told = str(options["month"]).strip()
    month = month_of(sheet, told)
    if told and month is None:
        return Read(problems=[SheetProblem(None, "month", "no_such_month", {"value": told})])
    read = read_board(sheet, columns, month, known, keep_empty=options["keep_empty"] is True)
    if not read.days and not read.problems:
        read.problems.append(SheetProblem(None, "month", "which_month"))
    return read


async def _compare(
    connection: AsyncConnection, read: Read, people: Mapping[str, PlannedPerson], question: Question
) -> Checked:
    """What is new, and what speaks against it; the rows that something speaks against are left out."""
    dates = [day for _, day in read.days]
    first, last = min(dates), max(dates)
    if last - first > LONGEST_SPAN:
        parameters = {"first": first.isoformat(), "last": last.isoformat()}
        return Checked(None, problems=[RowProblem(None, "date", "span_length", parameters)])
    named = {employee for employee, _ in read.days}
    plan = await roster_queries.plan_of(connection, named, first - AROUND, last + AROUND)
    closed = await closing_queries.closed_months(connection)
    looked = await rosters.findings_of(connection, people, plan, read.days, closed)
    levels = ("conflict",) if question.options["accept_warnings"] is True else ("conflict", "warning")
    against = [one for one in looked.findings if one.level in levels]
    problems = [_problem(problem) for problem in read.problems]
    problems += [_found(one, read.rows) for one in against]
    bad = {read.rows.get((one.employee, one.date)) for one in against}
    kept = [one for one in looked.differences if read.rows[one.employee, one.date] not in bad]
    changes = {(one.employee, one.date): one.after for one in kept}
    added = sum(not one.before for one in kept)
    return Checked(
        _Plan(changes, {key: plan.get(key, NOTHING) for key in changes}),
        added,
        len(kept) - added,
        len(read.days) - len(looked.differences),
        problems,
        _rows(kept, read.rows, looked.names),
    )


async def _apply(connection: AsyncConnection, _question: Question, checked: Checked) -> Applied:
    plan: _Plan = checked.plan
    refuse_closed((day for _, day in plan.changes), await closing_queries.hold_closed_months(connection))
    await roster_queries.replace_days(connection, plan.changes, "import")
    await rosters.follow(connection, plan.changes)
    before = [
        [employee, day.isoformat(), list(old.shifts), old.origin, sorted(set(plan.changes[employee, day]))]
        for (employee, day), old in sorted(plan.before.items(), key=lambda item: item[0])
    ]
    people = {employee for employee, _ in plan.changes}
    return Applied({"days": before}, {"people": len(people), "days": len(before)}, _topics(people))


async def _undo(connection: AsyncConnection, _who: Who, before: Before) -> Undone:
    """Every day as it was; DataError ``changed_since`` when somebody planned one of them anew."""
    old = {(row[0], date.fromisoformat(row[1])): Cell(tuple(row[2]), row[3]) for row in before["days"]}
    new: dict[EmployeeDay, Shifts] = {(row[0], date.fromisoformat(row[1])): tuple(row[4]) for row in before["days"]}
    refuse_closed((day for _, day in old), await closing_queries.hold_closed_months(connection))
    dates = [day for _, day in old]
    plan = await roster_queries.plan_of(connection, {employee for employee, _ in old}, min(dates), max(dates))
    other = [key for key, shifts in new.items() if set(plan.get(key, NOTHING).shifts) != set(shifts)]
    if other:
        employee, day = min(other)
        raise DataError(
            f"{len(other)} days were planned anew since, the first of {employee} on {day}: change them on the board",
            "changed_since",
            {"days": str(len(other)), "employee": employee, "date": day.isoformat()},
        )
    await roster_queries.put_cells(connection, old)
    await rosters.follow(connection, old)
    people = {employee for employee, _ in old}
    return Undone({"people": len(people), "days": len(old)}, _topics(people))


# --- words ----------------------------------------------------------------------------------------------------------


def _topics(people: Collection[str]) -> list[str]:
    return [rosters.TOPIC, *(f"employee:{employee}" for employee in sorted(people))]


def _problem(problem: SheetProblem) -> RowProblem:
    return RowProblem(problem.row, problem.field, problem.code, problem.params)


def _found(one: Finding, rows: Mapping[EmployeeDay, int]) -> RowProblem:
    parameters = {name: str(value) for name, value in one.params.items()}
    return RowProblem(rows.get((one.employee, one.date)), one.date.isoformat(), one.code, parameters)


def _rows(
    differences: Collection[Difference], rows: Mapping[EmployeeDay, int], names: Mapping[str, str]
) -> list[RowChange]:
    """One change for each row of the sheet, with its days before and after."""
    found: dict[tuple[int, str], dict[str, tuple[str, str]]] = {}
    for one in differences:
        days = found.setdefault((rows[one.employee, one.date], one.employee), {})
        days[one.date.isoformat()] = ("+".join(one.before) or FREE, "+".join(one.after) or FREE)
    return [
        RowChange(row, "changed", employee, names.get(employee, employee), days)
        for (row, employee), days in sorted(found.items())
    ]


ROSTER = ImportKind(
    name="roster",
    permission="rosters.write",
    fields=(
        ImportField("employee", ("工号", "员工编号", "员工工号", "编号", "Employee", "Employee ID", "ID", "Staff no")),
        ImportField("name", ("姓名", "员工姓名", "员工", "Name", "Employee name")),
        ImportField("date", ("日期", "排班日期", "上班日期", "Date")),
        ImportField("shift", ("班次", "班次代码", "班次名称", "Shift")),
    ),
    check=_check,
    apply=_apply,
    undo=_undo,
    options={"month": "", "keep_empty": False, "accept_warnings": False},
)
