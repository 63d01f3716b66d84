"""Reports as XLSX: headings that stay, sums that follow the filter, a sheet that explains the columns."""

from collections.abc import Iterable
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from server.reports.columns import LEAVE, NUMBERS, Column, Kind
from server.reports.table import Cell, Frame, Row, as_text, hundredths
from server.reports.words import label, word

FONTS = {"zh-CN": "Microsoft YaHei", "en": "Calibri"}
"""Where the font is missing, spreadsheets take another that has Chinese."""
FIRST_ROW = 4
"""Title, time of making, sums, headings; then rows."""
FROZEN_COLUMNS = 2
_HEADINGS = FIRST_ROW - 1
_SUMS = FIRST_ROW - 2
_FORMATS: dict[Kind, str] = {
    "days": "0.00",
    "hours": "0.00",
    "minutes": "0",
    "count": "0",
    "hundredths": "0.00",
    "date": "yyyy-mm-dd",
}
_WIDTHS: dict[Kind, float] = {
    "text": 14, "name": 14, "code": 12, "codes": 22, "date": 11.5, "time": 9, "days": 9, "hours": 9, "minutes": 9,
    "count": 9, "hundredths": 11,
}  # fmt: skip
_WIDE = {"rules": 28.0, "note": 24.0}
_LANDSCAPE_A4 = 9
_LEGEND_WIDTHS = (26, 9, 64, 22)


class Workbook:
    """A workbook on disk, written row by row with little memory; finished when the block ends without an error."""

    def __init__(self, path: Path, frame: Frame) -> None:
        # Text is written as text: never a formula, a link or a number.
        options = {
            "constant_memory": True,
            "tmpdir": str(path.parent),
            "strings_to_formulas": False,
            "strings_to_urls": False,
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        self._frame = frame
        self._sheet = self._book.add_worksheet(frame.month)
        self._next = FIRST_ROW
        self._finished = False
        font = {"font_name": FONTS[frame.language], "font_size": 10, "valign": "vcenter"}
        self._plain = self._book.add_format(font)
        self._formats = {kind: self._book.add_format({**font, "num_format": f}) for kind, f in _FORMATS.items()}
        self._bold = {
            kind: self._book.add_format({**font, "num_format": f, "bold": True, "top": 1, "bg_color": "#F5F6F8"})
            for kind, f in _FORMATS.items()
        }
        self._title = self._book.add_format({**font, "font_size": 14, "bold": True})
        self._note = self._book.add_format({**font, "font_color": "#5C6370"})
        heading = {
            **font,
            "bold": True,
            "text_wrap": True,
            "bg_color": "#E8EEF9",
            "border": 1,
            "border_color": "#C9D2E0",
        }
        self._heading = self._book.add_format({**heading, "align": "center"})
        self._sum_label = self._book.add_format({**font, "bold": True, "top": 1, "bg_color": "#F5F6F8"})
        self._wrapped = self._book.add_format({**font, "text_wrap": True, "valign": "top"})
        self._begin()

    def __enter__(self) -> "Workbook":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        elif not self._finished:
            self._book.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Write some more rows."""
        columns = self._frame.columns
        for row in rows:
            for number, (cell, column) in enumerate(zip(row, columns, strict=True)):
                self._write(self._next, number, cell, column)
            self._next += 1

    def finish(self) -> None:
        """Write what comes last, and the file; nothing happens the second time."""
        if self._finished:
            return
        self._finished = True
        last = max(self._next - 1, _HEADINGS)
        self._sheet.autofilter(_HEADINGS, 0, last, len(self._frame.columns) - 1)
        self._write_legend()
        self._book.close()

    def _begin(self) -> None:
        frame, sheet = self._frame, self._sheet
        sheet.set_landscape()
        sheet.set_paper(_LANDSCAPE_A4)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(_HEADINGS)
        sheet.set_footer(f"&L{frame.title}&R{label('page', frame.language)}")
        sheet.freeze_panes(FIRST_ROW, FROZEN_COLUMNS)
        for number, column in enumerate(frame.columns):
            sheet.set_column(number, number, _WIDE.get(column.id, _WIDTHS[column.kind]))
        sheet.set_row(0, 26)
        sheet.write_string(0, 0, frame.title, self._title)
        sheet.write_string(1, 0, self._facts(), self._note)
        self._write_sums()
        sheet.set_row(_HEADINGS, 34)
        for number, column in enumerate(frame.columns):
            sheet.write_string(_HEADINGS, number, column.heading(frame.language), self._heading)

    def _facts(self) -> str:
        frame = self._frame
        closing = label("closed_at", frame.language).format(at=frame.closed_at) if frame.closed_at else None
        state = closing or word("open", frame.language)
        facts = {"month": frame.month, "zone": frame.zone, "created": frame.created, "closing": state}
        return "    ".join(f"{label(name, frame.language)}: {value}" for name, value in facts.items() if value)

    def _write_sums(self) -> None:
        """Sums that follow the filter; a spreadsheet computes them, other readers get the stored value."""
        if not self._frame.sums:
            return
        self._sheet.write_string(_SUMS, 0, label("sum", self._frame.language), self._sum_label)
        for number, (cell, column) in enumerate(zip(self._frame.sums, self._frame.columns, strict=True)):
            if cell is not None:
                name = xl_col_to_name(number)
                formula = f"=SUBTOTAL(9,{name}{FIRST_ROW + 1}:{name}1048576)"
                self._sheet.write_formula(_SUMS, number, formula, self._bold[column.kind], _number(cell, column))

    def _write(self, row: int, number: int, cell: Cell, column: Column) -> None:
        if cell is None or cell == ():
            self._sheet.write_blank(row, number, None, self._plain)
        elif column.kind in NUMBERS:
            self._sheet.write_number(row, number, _number(cell, column), self._formats[column.kind])
        elif isinstance(cell, date):
            moment = datetime.combine(cell, datetime.min.time())
            self._sheet.write_datetime(row, number, moment, self._formats["date"])
        else:
            self._sheet.write_string(row, number, as_text(cell, column, self._frame), self._plain)

    def _write_legend(self) -> None:
        language = self._frame.language
        sheet = self._book.add_worksheet(label("legend", language))
        for number, width in enumerate(_LEGEND_WIDTHS):
            sheet.set_column(number, number, width)
        for number, name in enumerate(("column", "unit", "about", "rules")):
            sheet.write_string(0, number, label(name, language), self._heading)
        sheet.freeze_panes(1, 0)
        row = 1
        for column in self._frame.columns:
            unit = label(column.kind, language) if column.kind in NUMBERS else ""
            about = column.about(language)
            if column.id.startswith(LEAVE) and not about:
                about = next((each.about(language) for each in self._frame.columns if each.id == "leave_min"), "")
            facts = (column.heading(language), unit, about, ", ".join(column.rules))
            for number, text in enumerate(facts):
                sheet.write_string(row, number, text, self._wrapped)
            row += 1
        sheet.set_row(row + 1, 34)
        sheet.merge_range(row + 1, 0, row + 1, len(_LEGEND_WIDTHS) - 1, label("rules_note", language), self._wrapped)


def _number(cell: Any, column: Column) -> float:
    """The value a spreadsheet computes with: hours are exact parts, days have two decimals."""
    if column.kind == "hours":
        return int(cell) / 60
    if column.kind == "hundredths":
        return int(cell) / 100
    return float(hundredths(Fraction(cell))) if column.kind == "days" else float(cell)
