"""Rosters as people keep them in sheets: a row for each person with a column for each day, or a row for each day.

Cells hold codes, ids or names of shifts, several with + between them; 休, OFF or nothing is a day off.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_
from datetime import date
from typing import TypeAlias

from server.rosters.change import EmployeeDay
from server.rosters.pattern import Shifts
from server.rosters.shift import FREE_WORDS, LibraryShift
from shared.sheets import Sheet, SheetRow

Names: TypeAlias = Mapping[str, Sequence[str]]
"""Ids of the people who bear a name."""

_WEEKDAY = (
    r"(?:\s*[（(]?(?:周|星期|礼拜)?[一二三四五六日天][)）]?|\s*[（(]?(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?[)）]?)?"
)
_DAY = re.compile(rf"(\d{{1,2}})\s*[日号]?{_WEEKDAY}", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"(\d{{1,2}})\s*[/.\-月]\s*(\d{{1,2}})\s*[日号]?{_WEEKDAY}", re.IGNORECASE)
_FULL = re.compile(rf"(\d{{4}})\s*[/.\-年]\s*(\d{{1,2}})\s*[/.\-月]\s*(\d{{1,2}})\s*[日号]?{_WEEKDAY}", re.IGNORECASE)
_TITLE = re.compile(r"(20\d\d)\s*[年/.\-]\s*(1[0-2]|0?[1-9])(?!\d)")
_BARE_WEEKDAY = re.compile(r"(周|星期|礼拜)?[一二三四五六日天]|(mon|tue|wed|thu|fri|sat|sun)[a-z]*", re.IGNORECASE)
_BETWEEN = re.compile(r"[+＋、，,;；&\n]|\s/\s")


@dataclass(frozen=True, slots=True)
class SheetProblem:
    """What is wrong in which row; ``row`` as a spreadsheet counts, None for the sheet as a whole."""

    row: int | None
    field: str
    code: str
    params: dict[str, str] = field_(default_factory=dict)


@dataclass(slots=True)
class Read:
    """What a sheet asks for; rows with problems are not in it."""

    days: dict[EmployeeDay, Shifts] = field_(default_factory=dict)
    rows: dict[EmployeeDay, int] = field_(default_factory=dict)
    """Where each day was read."""
    problems: list[SheetProblem] = field_(default_factory=list)


@dataclass(frozen=True, slots=True)
class Columns:
    """Places of the columns that mean something; None where there is none."""

    employee: int | None
    name: int | None
    date: int | None = None
    shift: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Who and what a sheet may name."""

    people: Mapping[str, str]
    """Name by id, of those the reader may plan."""
    names: Names
    shifts: Mapping[str, Sequence[str]]
    """Ids by what a cell may say, from ``spellings``."""


def spellings(library: Iterable[LibraryShift]) -> dict[str, list[str]]:
    """Shift ids by code, id and name, casefolded; of two that share a spelling the one that can be planned counts."""
    found: dict[str, list[LibraryShift]] = {}
    for shift in library:
        for text in {one.casefold().strip() for one in (shift.label, shift.id, shift.name_zh, shift.name_en)}:
            found.setdefault(text, []).append(shift)
    return {
        text: [shift.id for shift in [one for one in those if not one.retired] or those]
        for text, those in found.items()
    }


def people_named_in(sheet: Sheet, columns: Columns) -> tuple[set[str], set[str]]:
    """Ids and names that a sheet speaks of."""
    ids = {text for row in sheet.rows if (text := _text(row, columns.employee))}
    return ids, {text for row in sheet.rows if (text := _text(row, columns.name))}


def month_of(sheet: Sheet, told: str = "") -> str | None:
    """``YYYY-MM`` as told, else from what stands above the header; None when nothing says it."""
    texts = [told] if told else [cell for row in sheet.above for cell in row.cells]
    for text in texts:
        if match := _TITLE.search(text):
            return f"{match[1]}-{int(match[2]):02}"
    return None


def day_columns(header: Sequence[str], month: str | None) -> tuple[dict[int, date], list[SheetProblem]]:
    """Date of each column that is one; those that name a date which does not exist are problems."""
    found: dict[int, date] = {}
    problems = []
    for place, heading in enumerate(header):
        parts = _date_parts(heading.strip(), month)
        if parts is None:
            continue
        try:
            found[place] = date(*parts)
        except ValueError:
            problems.append(SheetProblem(None, heading, "no_such_date", {"value": heading, "month": month or ""}))
    return found, problems


def names_days(header: Sequence[str]) -> bool:
    """Whether some columns are days, whatever the month."""
    return any(_date_parts(heading.strip(), "2024-01") for heading in header)


def read_board(sheet: Sheet, columns: Columns, month: str | None, known: Known, *, keep_empty: bool) -> Read:
    """One row for each person; with ``keep_empty`` an empty cell leaves the day as it is."""
    read = Read()
    days, missing = day_columns(sheet.header, month)
    wrong = {problem.field for problem in missing}
    filled = {h for row in sheet.rows for h, cell in zip(sheet.header, row.cells, strict=False) if cell.strip()}
    # A sheet for any month has a column 31; it says something only when a cell does.
    read.problems += [problem for problem in missing if problem.field in filled & wrong]
    seen: dict[str, int] = {}
    for row in sheet.rows:
        if _is_weekday_row(row, columns, days):
            continue
        employee, problem = _employee(row, columns, known)
        if employee is not None and employee in seen:
            problem = SheetProblem(row.number, "employee", "employee_twice", {"row": str(seen[employee])})
        if problem is not None or employee is None:
            read.problems += [problem] if problem else []
            continue
        seen[employee] = row.number
        _take_row(read, row, employee, days, known, keep_empty=keep_empty)
    return read


def read_list(sheet: Sheet, columns: Columns, known: Known) -> Read:
    """One row for each person, date and shift; rows of one person and date add up."""
    read = Read()
    for row in sheet.rows:
        employee, problem = _employee(row, columns, known)
        text = _text(row, columns.date)
        parts = _date_parts(text, None)
        try:
            day = date(*parts) if parts else None
        except ValueError:
            day = None
        shifts, wrong = _shifts(row.number, "shift", _text(row, columns.shift), known)
        found = [one for one in (problem, *wrong) if one]
        if day is None:
            found.append(SheetProblem(row.number, "date", "no_such_date", {"value": text}))
        read.problems += found
        if not found and employee is not None and day is not None:
            key = employee, day
            read.days[key] = (*read.days.get(key, ()), *shifts)
            read.rows.setdefault(key, row.number)
    return read


# --- cells ----------------------------------------------------------------------------------------------------------


def _take_row(
    read: Read, row: SheetRow, employee: str, days: Mapping[int, date], known: Known, *, keep_empty: bool
) -> None:
    """The whole row, or its problems."""
    found: dict[EmployeeDay, Shifts] = {}
    problems = []
    for place, day in days.items():
        text = _text(row, place)
        if not text and keep_empty:
            continue
        shifts, wrong = _shifts(row.number, day.isoformat(), text, known)
        problems += wrong
        found[employee, day] = shifts
    read.problems += problems
    if not problems:
        read.days |= found
        read.rows |= dict.fromkeys(found, row.number)


def _shifts(row: int, where: str, text: str, known: Known) -> tuple[Shifts, list[SheetProblem]]:
    if not text or text.casefold() in FREE_WORDS:
        return (), []
    pieces = [text] if text.casefold() in known.shifts else [one.strip() for one in _BETWEEN.split(text) if one.strip()]
    found: list[str] = []
    problems = []
    for piece in pieces:
        ids = known.shifts.get(piece.casefold(), ())
        if len(ids) == 1:
            found.append(ids[0])
        else:
            code = "ambiguous_shift" if ids else "unknown_shift"
            problems.append(SheetProblem(row, where, code, {"value": piece}))
    return tuple(found), problems


def _employee(row: SheetRow, columns: Columns, known: Known) -> tuple[str | None, SheetProblem | None]:
    """Whom the row is about: by id, else by a name that only one bears."""
    told, name = _text(row, columns.employee), _text(row, columns.name)
    if told:
        if told not in known.people:
            return None, SheetProblem(row.number, "employee", "unknown_employee", {"value": told})
        if name and name != known.people[told]:
            expected = {"value": name, "expected": known.people[told]}
            return None, SheetProblem(row.number, "name", "name_differs", expected)
        return told, None
    if not name:
        return None, SheetProblem(row.number, "employee", "no_employee")
    ids = known.names.get(name, ())
    if len(ids) == 1:
        return ids[0], None
    code = "ambiguous_name" if ids else "unknown_employee"
    return None, SheetProblem(row.number, "name", code, {"value": name})


def _is_weekday_row(row: SheetRow, columns: Columns, days: Mapping[int, date]) -> bool:
    """The second line of many sheets: weekdays under the dates, and nobody's name."""
    if _text(row, columns.employee) or _text(row, columns.name):
        return False
    texts = [text for place in days if (text := _text(row, place))]
    return bool(texts) and all(_BARE_WEEKDAY.fullmatch(text) for text in texts)


def _date_parts(text: str, month: str | None) -> tuple[int, int, int] | None:
    """Year, month and day that a text names, maybe of no calendar; None when it is no date."""
    if match := _FULL.fullmatch(text):
        return int(match[1]), int(match[2]), int(match[3])
    if month is None:
        return None
    year, number = int(month[:4]), int(month[5:])
    if match := _MONTH_DAY.fullmatch(text):
        return year, int(match[1]), int(match[2])
    if match := _DAY.fullmatch(text):
        return year, number, int(match[1])
    return None


def _text(row: SheetRow, place: int | None) -> str:
    return row.cells[place].strip() if place is not None and place < len(row.cells) else ""
