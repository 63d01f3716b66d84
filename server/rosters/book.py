"""A month's roster as a workbook, in the form that is read back: a row for each person, a column for each day."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, TypeAlias

import xlsxwriter

from server.attendance.calendar import Calendar
from server.attendance.months import month_of
from server.rosters.change import NOTHING, Plan
from server.rosters.pattern import dates
from server.rosters.shift import LibraryShift, wall
from server.rosters.shift import net_min as net_of

Language: TypeAlias = Literal["zh-CN", "en"]

FREE: Final = "休"
COLOURS: Final = ("#CFE3F5", "#FBDCC8", "#CDEBDD", "#F3DCEA", "#DDF0FA", "#FBEBC8", "#E2E0F4", "#E3E6EA")
"""Backgrounds of shifts, in the order of the library; boards use the same order."""

_HEAD_ROW = 2
_FIRST_ROW = 4
_NAMED = 3
_WORDS: Final[Mapping[Language, Mapping[str, Any]]] = {
    "zh-CN": {
        "title": "{0}年{1}月排班表",
        "head": ("工号", "姓名", "部门"),
        "weekdays": "一二三四五六日",
        "legend": "班次",
        "columns": ("代码", "班次编号", "名称", "上班", "下班", "净工时（分钟）"),
        "hint": "单元格填班次代码、编号或名称，多个班次用 + 连接；休息填“休”。",
        "font": "Microsoft YaHei",
    },
    "en": {
        "title": "Roster {0}-{1:02}",
        "head": ("Employee ID", "Name", "Department"),
        "weekdays": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        "legend": "Shifts",
        "columns": ("Code", "Shift", "Name", "Start", "End", "Net minutes"),
        "hint": "A cell holds a shift's code, id or name, several with + between them; OFF is a day off.",
        "font": "Calibri",
    },
}


@dataclass(frozen=True, slots=True)
class Line:
    """A person of the roster."""

    id: str
    name: str
    department: str
    joined_on: date
    left_on: date | None


def roster_book(
    first: date,
    last: date,
    lines: Sequence[Line],
    plan: Plan,
    library: Mapping[str, LibraryShift],
    *,
    calendar: Calendar,
    language: Language,
) -> bytes:
    """The month from ``first`` to ``last`` as XLSX; days on which somebody is not employed are left empty."""
    words, out = _WORDS[language], io.BytesIO()
    # Text is written as text: never a formula, a link or a number.
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    font = {"font_name": words["font"], "font_size": 10, "valign": "vcenter"}
    edge = {"border": 1, "border_color": "#C9D2E0", "align": "center"}
    heading = {**font, **edge, "bold": True}
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(library)}
    cells = {name: book.add_format({**font, **edge, "bg_color": colour}) for name, colour in colours.items()}
    plain, centred = book.add_format(font), book.add_format({**font, **edge})
    kinds = {"workday": "#E8EEF9", "restday": "#F0F2F5", "statutory": "#FDECEC"}
    heads = {kind: book.add_format({**heading, "bg_color": colour}) for kind, colour in kinds.items()}
    sheet = book.add_worksheet(month_of(first))
    sheet.write_string(
        0, 0, words["title"].format(first.year, first.month), book.add_format({**font, "font_size": 14, "bold": True})
    )
    sheet.write_string(1, 0, words["hint"], book.add_format({**font, "font_color": "#5C6370"}))
    for place, text in enumerate(words["head"]):
        sheet.write_string(_HEAD_ROW, place, text, heads["workday"])
    days = dates(first, last)
    for place, day in enumerate(days, start=_NAMED):
        kind = heads[calendar.type_of(day)]
        sheet.write_number(_HEAD_ROW, place, day.day, kind)
        sheet.write_string(_HEAD_ROW + 1, place, words["weekdays"][day.weekday()], kind)
    for row, line in enumerate(lines, start=_FIRST_ROW):
        for place, text in enumerate((line.id, line.name, line.department)):
            sheet.write_string(row, place, text, plain)
        for place, day in enumerate(days, start=_NAMED):
            shifts = plan.get((line.id, day), NOTHING).shifts
            if shifts:
                text = "+".join(library[one].label if one in library else one for one in shifts)
                sheet.write_string(row, place, text, cells.get(shifts[0], centred))
            elif line.joined_on <= day and (line.left_on is None or day <= line.left_on):
                sheet.write_string(row, place, FREE if language == "zh-CN" else "OFF", centred)
    sheet.freeze_panes(_FIRST_ROW, _NAMED)
    sheet.set_column(0, 0, 12, plain)
    sheet.set_column(1, 2, 14, plain)
    sheet.set_column(_NAMED, _NAMED + len(days) - 1, 5)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(_HEAD_ROW, _HEAD_ROW + 1)
    _legend(book, words, library, cells, language, plain=plain, head=heads["workday"])
    book.close()
    return out.getvalue()


def _legend(
    book: Any,
    words: Mapping[str, Any],
    library: Mapping[str, LibraryShift],
    cells: Mapping[str, Any],
    language: Language,
    *,
    plain: Any,
    head: Any,
) -> None:
    sheet = book.add_worksheet(words["legend"])
    for place, text in enumerate(words["columns"]):
        sheet.write_string(0, place, text, head)
    shown = [shift for shift in library.values() if not shift.retired]
    for row, shift in enumerate(shown, start=1):
        name = shift.name_zh if language == "zh-CN" else shift.name_en
        sheet.write_string(row, 0, shift.label, cells[shift.id])
        for place, text in enumerate((shift.id, name, *_times(shift)), start=1):
            sheet.write_string(row, place, text, plain)
        sheet.write_number(row, len(words["columns"]) - 1, net_of(shift.plan), plain)
    sheet.set_column(0, 1, 12)
    sheet.set_column(2, 2, 22)
    sheet.set_column(3, 5, 14)


def _times(shift: LibraryShift) -> tuple[str, str]:
    flex = shift.plan.flex
    if flex is None:
        return shift.plan.start, shift.plan.end
    ends = [wall(int(one[:2]) * 60 + int(one[3:]) + flex.span_min) for one in (flex.earliest, flex.latest)]
    return f"{flex.earliest}–{flex.latest}", f"{ends[0]}–{ends[1]}"
