"""Files that become the next edition of a calendar's year."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from server.calendars.check import Problem
from server.calendars.difference import DayChange
from server.calendars.edition import Edition
from server.calendars.read import HEADINGS, read_days_sheet, read_rows
from server.services import calendars
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
from server.store import calendar_queries, closing_queries
from shared.errors import DataError


async def _check(connection: AsyncConnection, question: Question) -> Checked:
    """The year is that of the dates; all of them have to be of one."""
    calendar = await calendars.find_calendar(connection, str(question.options["calendar"]))
    columns = {name: question.columns[name] for name in HEADINGS if name in question.columns}
    read = read_rows(question.sheet.rows, columns, calendar.country)
    rows = [RowProblem(bad.row, bad.field, bad.problem.code, _texts(bad.problem.parameters)) for bad in read.problems]
    years = sorted({day.date.year for day in read.days})
    if len(years) != 1:
        code = "several_years" if years else "no_rows"
        return Checked(None, problems=[*rows, RowProblem(None, "date", code, {"years": " ".join(map(str, years))})])
    rule = str(question.options["local_rule"]).strip() or None
    source = str(question.options["source"]).strip() or question.name
    edition = Edition(calendar.id, years[0], read.days, source, rule)
    effect = await calendars.effect_of(connection, edition, question.who.now_ms)
    closed = [RowProblem(None, "date", "month_closed", {"month": month}) for month in effect.closed]
    wrong = [_problem(problem) for problem in effect.checked.problems]
    changes = [_change(change) for change in effect.changes]
    differing = {change.date for change in effect.changes}
    same = sum(day.date not in differing for day in read.days)
    return Checked(edition, 0, len(changes), same, [*rows, *wrong, *closed], changes)


async def _apply(connection: AsyncConnection, question: Question, checked: Checked) -> Applied:
    edition: Edition = checked.plan
    closed = await closing_queries.hold_closed_months(connection)
    await calendar_queries.hold_calendar(connection, edition.calendar)
    who = question.who
    done = await calendars.publish_next(connection, edition, closed, actor=who.actor, at_ms=who.now_ms)
    before = {"calendar": edition.calendar, "year": edition.year, "edition": done.edition}
    return Applied(before, {"edition": done.edition, "people": done.people, "days": done.days}, [calendars.TOPIC])


async def _undo(connection: AsyncConnection, who: Who, before: Before) -> Undone:
    """Publish the edition before it again; nothing published is ever removed."""
    closed = await closing_queries.hold_closed_months(connection)
    await calendar_queries.hold_calendar(connection, before["calendar"])
    newest, *older = await calendar_queries.edition_rows(connection, before["calendar"], before["year"])
    if newest.edition != before["edition"]:
        raise DataError(f"edition {newest.edition} was published since: restore one on the page", "changed_since")
    if not older:
        raise DataError("it is the first edition of its year: publish another instead", "first_edition")
    again = calendars.as_edition(older[0])
    done = await calendars.publish_next(connection, again, closed, actor=who.actor, at_ms=who.now_ms)
    return Undone({"edition": done.edition, "people": done.people, "days": done.days}, [calendars.TOPIC])


def _problem(problem: Problem) -> RowProblem:
    on = {"date": problem.date.isoformat()} if problem.date is not None else {}
    return RowProblem(None, "date", problem.code, {**on, **_texts(problem.parameters)})


def _change(change: DayChange) -> RowChange:
    fields = {"type": (change.type_from, change.type_to), "name": (change.name_from_zh, change.name_to_zh)}
    differing = {name: values for name, values in fields.items() if values[0] != values[1]}
    return RowChange(None, "changed", change.date.isoformat(), change.name_to_zh or change.name_from_zh, differing)


def _texts(parameters: Mapping[str, str | int]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items()}


CALENDAR = ImportKind(
    name="calendar",
    permission="calendar.write",
    fields=tuple(ImportField(name, headings, required=name in ("date", "type")) for name, headings in HEADINGS.items()),
    check=_check,
    apply=_apply,
    undo=_undo,
    options={"calendar": "CN", "local_rule": "", "source": ""},
    read=read_days_sheet,
)
