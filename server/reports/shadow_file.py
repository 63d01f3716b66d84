"""Differences with another system as CSV and XLSX."""

import csv
import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass

import xlsxwriter

from server.reports.columns import Language
from server.reports.delimited import BOM, neutral
from server.reports.shadow import DAY_MIN
from server.reports.workbook import FONTS

Cell = str | int | dt.date | None

_REASONS = {
    "only_theirs": ("只有对方有记录", "only the other system has it"),
    "only_ours": ("只有本系统有记录", "only Muster has it"),
    "unfinished": ("班次尚未结束", "shift still running"),
    "different_shift": ("班次不同", "different shift"),
    "punch_missing_here": ("本系统缺打卡", "punch missing here"),
    "held": ("打卡待处理", "punch on hold"),
    "merged": ("重复打卡合并", "punch merged"),
    "window": ("打卡在窗口外", "punch outside the window"),
    "correction": ("本系统已补卡", "corrected here"),
    "punch_missing_there": ("对方缺打卡", "punch missing there"),
    "leave": ("请假不同", "leave differs"),
    "trip": ("出差/外勤不同", "trip or field work differs"),
    "rest_day": ("休息日认定不同", "rest day differs"),
    "work_system": ("工时制不同", "work system"),
    "late_leave": ("晚走晚到", "late out, late in"),
    "flexible": ("弹性班", "flexible shift"),
    "seam": ("连班衔接", "seam between shifts"),
    "rounding": ("取整", "rounding"),
    "seconds": ("秒的取舍", "seconds"),
    "grace": ("宽限不同", "grace"),
    "late_early": ("迟到早退算法", "lateness counted otherwise"),
    "single_side": ("缺卡认定不同", "one side missing"),
    "absence": ("旷工认定不同", "absence differs"),
    "overtime": ("加班算法", "overtime counted otherwise"),
    "worked": ("出勤时长算法", "worked time counted otherwise"),
    "unexplained": ("原因不明", "unexplained"),
}
_STATUSES = {
    "normal": ("正常", "normal"),
    "late": ("迟到", "late"),
    "early": ("早退", "left early"),
    "late_early": ("迟到且早退", "late and left early"),
    "missing": ("缺卡", "a punch is missing"),
    "missing_in": ("缺上班卡", "no way in"),
    "missing_out": ("缺下班卡", "no way out"),
    "absent": ("旷工", "absent"),
    "leave": ("请假", "on leave"),
    "rest": ("休息", "rest"),
    "overtime": ("加班", "overtime"),
    "trip": ("出差/外勤", "trip"),
    "not_yet": ("未到班", "not yet"),
}
_FIELDS = {
    "status": ("状态", "status"),
    "late": ("迟到分钟", "late minutes"),
    "early": ("早退分钟", "early minutes"),
    "absent": ("旷工分钟", "absent minutes"),
    "worked": ("出勤分钟", "worked minutes"),
    "overtime": ("加班分钟", "overtime minutes"),
    "leave": ("请假分钟", "leave minutes"),
}
_HEADINGS = (
    ("工号", "Employee", 12),
    ("姓名", "Name", 14),
    ("部门", "Department", 16),
    ("日期", "Date", 12),
    ("原因", "Reason", 20),
    ("规则", "Rule", 9),
    ("对方状态", "Their status", 16),
    ("对方原文", "Their words", 18),
    ("本系统状态", "Our status", 16),
    ("对方首次打卡", "Their first", 12),
    ("对方末次打卡", "Their last", 12),
    ("本系统首次打卡", "Our first", 12),
    ("本系统末次打卡", "Our last", 12),
    ("对方班次", "Their shift", 14),
    ("本系统班次", "Our shift", 14),
    ("差异(对方→本系统)", "Differences (theirs → ours)", 44),
)
_TITLES = ("并行核对差异", "Differences in the parallel run")


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A differing day for a file; ``None`` where a side says nothing."""

    employee: str
    name: str
    department: str
    date: dt.date
    reason: str
    rule: str | None
    their_status: str | None
    said: str
    our_status: str | None
    times: tuple[int | None, int | None, int | None, int | None]
    """Their first and last, our first and last, in minutes after midnight."""
    their_shift: str
    our_shift: str
    differences: Sequence[tuple[str, str, str]]
    """Field, theirs, ours."""


def as_csv(rows: Sequence[DifferenceRow], language: Language) -> bytes:
    """UTF-8 behind a byte order mark, by which Excel knows it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_said((zh, en), language) for zh, en, _ in _HEADINGS])
    writer.writerows([neutral(str(cell)) if cell is not None else "" for cell in _cells(row, language)] for row in rows)
    return (BOM + text.getvalue()).encode()


def as_xlsx(rows: Sequence[DifferenceRow], month: str, language: Language) -> bytes:
    """A workbook with headings that stay."""
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        font = {"font_name": FONTS[language], "font_size": 10, "valign": "vcenter"}
        plain, date = book.add_format(font), book.add_format({**font, "num_format": "yyyy-mm-dd"})
        heading = book.add_format({**font, "bold": True, "text_wrap": True, "bg_color": "#E8EEF9", "border": 1})
        sheet = book.add_worksheet(month)
        sheet.write_string(0, 0, f"{_said(_TITLES, language)} {month}", book.add_format({**font, "bold": True}))
        for number, (zh, en, width) in enumerate(_HEADINGS):
            sheet.set_column(number, number, width)
            sheet.write_string(1, number, _said((zh, en), language), heading)
        for line, row in enumerate(rows, start=2):
            for number, cell in enumerate(_cells(row, language)):
                if isinstance(cell, dt.date):
                    sheet.write_datetime(line, number, dt.datetime.combine(cell, dt.time()), date)
                else:
                    sheet.write_string(line, number, "" if cell is None else str(cell), plain)
        sheet.freeze_panes(2, 2)
        sheet.autofilter(1, 0, max(1, len(rows) + 1), len(_HEADINGS) - 1)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
    return out.getvalue()


def clock(minute: int | None) -> str:
    """``08:57``, and ``+1 06:02`` on the following day; empty for none."""
    if minute is None:
        return ""
    day, rest = divmod(minute, DAY_MIN)
    return f"{f'{day:+d} ' if day else ''}{rest // 60:02}:{rest % 60:02}"


def _cells(row: DifferenceRow, language: Language) -> list[Cell]:
    def status(code: str | None) -> str:
        return _said(_STATUSES[code], language) if code in _STATUSES else code or ""

    told = [
        f"{_said(_FIELDS[field], language)} {status(theirs)} → {status(ours)}"
        for field, theirs, ours in row.differences
    ]
    return [
        row.employee,
        row.name,
        row.department,
        row.date,
        _said(_REASONS[row.reason], language),
        row.rule,
        status(row.their_status),
        row.said,
        status(row.our_status),
        *(clock(minute) for minute in row.times),
        row.their_shift,
        row.our_shift,
        "; ".join(told),
    ]


def _said(both: tuple[str, str], language: Language) -> str:
    return both[0] if language == "zh-CN" else both[1]
