"""Files with the month result of another system."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.months import month_of, month_span
from server.reports.shadow import TheirStatus
from server.reports.shadow_read import HEADINGS, ShadowDay, parse_day, read_month, read_month_sheet
from server.reports.shadow_words import IGNORE, STATUSES
from server.services.import_kind import (
    Applied,
    Before,
    Checked,
    ImportField,
    ImportKind,
    Question,
    RowProblem,
    Undone,
    Who,
)
from server.store import shadow_queries
from server.store.shadow_queries import ShadowRow
from shared.errors import DataError

_LONGEST = 200


def parse_words(text: str) -> dict[str, TheirStatus | str]:
    """What a person said of the other system's words: a JSON object; DataError ``bad_words`` for anything else."""
    try:
        words = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise DataError("the words are no JSON object of word to status", "bad_words") from error
    allowed = {*STATUSES, IGNORE}
    if not isinstance(words, dict) or not all(value in allowed for value in words.values()):
        raise DataError(f"the words stand for something else than {', '.join(sorted(allowed))}", "bad_words")
    return {str(word).strip().casefold(): str(value) for word, value in words.items()}


async def _check(connection: AsyncConnection, question: Question) -> Checked:
    month = str(question.options["month"]) or _month_of(question)
    if not month:
        return Checked(None, problems=[RowProblem(None, "date", "month_missing")])
    file = read_month(question.sheet, question.columns, month, parse_words(str(question.options["words"])))
    problems = [RowProblem(bad.row, bad.field, bad.code, bad.parameters) for bad in file.problems]
    known = await shadow_queries.known_people(connection, {day.employee for day in file.days})
    strangers: dict[str, int] = {}
    for day in file.days:
        if day.employee not in known:
            strangers.setdefault(day.employee, day.row)
    problems += [
        RowProblem(row, "employee", "unknown_employee", {"employee": employee[:40]})
        for employee, row in strangers.items()
    ]
    days = [day for day in file.days if day.employee in known]
    first, last = month_span(month)
    there = await shadow_queries.shadow_rows(connection, question.who.scope, first, last)
    before = {(row.employee, row.date): row for row in there}
    added = sum((day.employee, day.date) not in before for day in days)
    same = sum(_same(day, before.get((day.employee, day.date))) for day in days)
    return Checked(days, added, len(days) - added - same, same, problems)


async def _apply(connection: AsyncConnection, question: Question, checked: Checked) -> Applied:
    days: Sequence[ShadowDay] = checked.plan
    loaded_ms = question.who.now_ms
    rows = [_row(day, loaded_ms) for day in days]
    former = await shadow_queries.replace_rows(connection, rows)
    before = {"loaded_ms": loaded_ms, "rows": len(rows), "former": msgspec.to_builtins(former)}
    return Applied(before, {"people": len({row.employee for row in rows})})


async def _undo(connection: AsyncConnection, _who: Who, before: Before) -> Undone:
    former = msgspec.convert(before["former"], list[ShadowRow])
    gone = await shadow_queries.take_back(connection, before["loaded_ms"], former)
    if gone != before["rows"]:
        raise DataError("another file has replaced days of this one: undo that file first", "changed_since")
    return Undone({"removed": gone, "restored": len(former)})


def _month_of(question: Question) -> str:
    """The month that all dates of the file are in; empty when they are of several, or say only the day."""
    if "date" not in question.columns:
        return ""
    dates = (parse_day(question.text(row, "date"), "") for row in question.sheet.rows)
    found = {month_of(date) for date in dates if date is not None}
    return found.pop() if len(found) == 1 else ""


def _row(day: ShadowDay, loaded_ms: int) -> ShadowRow:
    told: Mapping[str, Any] = dict(day.minutes)
    said, shift = day.said[:_LONGEST], day.shift[:_LONGEST]
    return ShadowRow(day.employee, day.date, day.status, said, told, day.first, day.last, shift, loaded_ms)


def _same(day: ShadowDay, row: ShadowRow | None) -> bool:
    return row is not None and _row(day, row.loaded_ms) == row


MONTH_RESULT = ImportKind(
    name="month_result",
    permission="shadow",
    fields=tuple(
        ImportField(name, headings, required=name in ("employee", "date")) for name, headings in HEADINGS.items()
    ),
    check=_check,
    apply=_apply,
    undo=_undo,
    options={"month": "", "words": "{}"},
    read=read_month_sheet,
)
