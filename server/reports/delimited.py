"""Reports as CSV, UTF-8, for programs and for spreadsheets."""

import csv
import io
from collections.abc import Iterable

from server.reports.columns import NUMBERS
from server.reports.table import Frame, Row, as_text

BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Excel reads UTF-8 only behind it."""
# A cell that begins like this is a formula to a spreadsheet; the full-width forms are what input methods make.
_FORMULA = (
    "=", "+", "-", "@", "\t", "\r", "\n",
    "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}", "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}",
)  # fmt: skip


def neutral(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe in front where one would."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def head(frame: Frame, *, bom: bool) -> bytes:
    """The line of headings."""
    line = _lines([[neutral(column.heading(frame.language)) for column in frame.columns]])
    return ((BOM if bom else "") + line).encode()


def body(frame: Frame, rows: Iterable[Row]) -> bytes:
    """Some rows."""
    return _lines(
        [
            as_text(cell, column, frame) if column.kind in NUMBERS else neutral(as_text(cell, column, frame))
            for cell, column in zip(row, frame.columns, strict=True)
        ]
        for row in rows
    ).encode()


def _lines(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
