"""Days of a year from a file: a table with date, type and name, or JSON.

A file that says only whether people are off, such as 休 and 班, leaves open which days are legal holidays: those of the
country's law are, all others are moved rest days.
"""

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from server.attendance.calendar import Calendar, DayType
from server.calendars.check import FIRST_YEAR, LAST_YEAR, Problem
from server.calendars.edition import Day
from server.calendars.legal import COUNTRY, legal_days
from shared.errors import DataError
from shared.sheets import Sheet, SheetRow, read_sheet

Field: TypeAlias = Literal["date", "type", "name", "name_en"]
Said: TypeAlias = Literal["workday", "restday", "statutory", "off"]

HEADINGS: Mapping[Field, tuple[str, ...]] = {
    "date": ("日期", "date", "day", "年月日"),
    "type": ("类型", "日类型", "性质", "type", "kind", "daytype"),
    "name": ("名称", "节日", "节假日", "假日名称", "备注", "name", "holiday"),
    "name_en": ("英文名称", "英文", "name_en", "english"),
}
"""Headings that each field is known by, without spaces and in small letters."""

_WORDS: Mapping[Said, tuple[str, ...]] = {
    "statutory": ("法定节假日", "法定假日", "法定假", "法定", "节日", "statutory", "legal", "publicholiday"),
    "restday": ("休息日", "调休日", "调休休息", "公休", "公休日", "restday", "bridge"),
    "workday": ("工作日", "上班", "调休上班", "补班", "班", "上班日", "workday", "work"),
    "off": ("休", "放假", "假", "假期", "节假日", "off", "holiday", "rest"),
}
_JSON = ("date", "type", "name", "name_en")
_SAID: Mapping[str, Said] = {word: said for said, words in _WORDS.items() for word in words}
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T]0{1,2}:00(?::00)?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_WEEK = Calendar()


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that could not be read: its number, the field, a code and its parameters."""

    row: int
    field: Field
    problem: Problem


@dataclass(frozen=True, slots=True)
class ReadDays:
    """What a file says, and the rows that nothing could be made of."""

    days: tuple[Day, ...]
    problems: tuple[RowProblem, ...]


def headings(header: Sequence[str]) -> dict[Field, int]:
    """Which column holds which field, as far as the headings tell; columns count from 0."""
    known = [re.sub(r"\s", "", text).casefold() for text in header]
    return {
        field: known.index(found)
        for field, words in HEADINGS.items()
        if (found := next((word for word in words if word in known), None)) is not None
    }


def read_rows(rows: Iterable[SheetRow], columns: Mapping[Field, int], country: str) -> ReadDays:
    """Days of a table; a column that is not mapped reads as empty."""
    days, problems = [], []
    for row in rows:
        date_text, type_text, name, name_en = (_cell(row, columns.get(field)) for field in HEADINGS)
        date, said = parse_date(date_text), _SAID.get(re.sub(r"\s", "", type_text).casefold())
        if date is None:
            problems.append(RowProblem(row.number, "date", Problem("not_a_date", None, {"text": date_text[:40]})))
        elif said is None:
            problems.append(RowProblem(row.number, "type", Problem("unknown_type", date, {"text": type_text[:40]})))
        elif (kind := _kind(date, said, country)) is not None:
            days.append(Day(date, kind, name, name_en or name))
    return ReadDays(tuple(days), tuple(problems))


def read_days_sheet(data: bytes) -> Sheet:
    """A CSV or XLSX file, or JSON as a table of the same columns.

    The JSON is a list of days, or an object whose ``days`` is one; each day has ``date``, ``type`` or ``isOffDay``, and
    ``name``, or ``name_zh`` and ``name_en``. DataError as ``read_sheet``.
    """
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        return read_sheet(data)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError("the file is no JSON: bring a list of days, or CSV or XLSX", "bad_file") from error
    listed = found.get("days") if isinstance(found, dict) else found
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise DataError("the JSON holds no list of days: expected [{date, type, name}]", "bad_file")
    return Sheet(_JSON, tuple(SheetRow(number, _cells(item)) for number, item in enumerate(listed, start=1)))


def parse_date(text: str) -> dt.date | None:
    """The date written as 2026-01-01, 2026/1/1, 2026.1.1, 20260101 or 2026年1月1日; None for anything else."""
    match = _DATE.fullmatch(text.strip()) or _COMPACT.fullmatch(text.strip())
    if match is None:
        return None
    try:
        return dt.date(*map(int, match.groups()))
    except ValueError:
        return None


def _kind(date: dt.date, said: Said, country: str) -> DayType | None:
    """None for a day off that the week gives anyway."""
    if said != "off":
        return said
    known = FIRST_YEAR <= date.year <= LAST_YEAR
    if country != COUNTRY or (known and date in {day.date for day in legal_days(date.year)}):
        return "statutory"
    return "restday" if _WEEK.type_of(date) == "workday" else None


def _cell(row: SheetRow, column: int | None) -> str:
    return row.cells[column].strip() if column is not None and column < len(row.cells) else ""


def _cells(item: Mapping[str, object]) -> tuple[str, str, str, str]:
    kind = item.get("type")
    if kind is None and isinstance(item.get("isOffDay"), bool):
        kind = "off" if item["isOffDay"] else "workday"
    zh, en = item.get("name_zh") or item.get("name") or "", item.get("name_en") or ""
    return str(item.get("date", "")), str(kind or ""), str(zh), str(en)
