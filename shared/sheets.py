"""Tables that people bring, CSV or XLSX, as rows of text. No I/O.

A cell reads as a person would type it: dates ISO, a whole number without a fraction.
"""

import csv
import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from shared.errors import ConfigError, DataError

COLUMNS = 256
"""Columns of a row that are read; what stands further right is left out."""
HEADER_WITHIN = 30
"""Rows among which the header must be."""
MOST_ROWS = 100_000
UNPACKED_LIMIT = 256 * 1024 * 1024
"""Bytes of an XLSX file when unpacked."""
MOST_CELLS = 8 * 1024 * 1024
"""Cells of the rectangle from A1 to the last one: a reader takes memory for all of it, filled or not."""

_OLE = b"\xd0\xcf\x11\xe0"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError, RuntimeError)
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CHUNK = 1024 * 1024
_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Z]{0,3})(\d{1,10})["']""")
_PLACE_LENGTH = 64


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row that holds something."""

    number: int
    """From 1, as a spreadsheet shows it; of CSV the line the row ends on."""
    cells: tuple[str, ...]
    raw: str = field(default="", compare=False)
    """As it stood in the file."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A header and the rows below it."""

    header: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    above: tuple[SheetRow, ...] = ()
    """Rows over the header, such as a title with the month."""
    header_row: int = 1


def read_sheet(data: bytes, *, encoding: str = "auto", sheet: int = 0) -> Sheet:
    """The table in a file: the header is the first row with two filled cells, or the first row when none has.

    ``sheet`` counts the sheets of a workbook from 0. DataError ``bad_file``, ``too_large``, ``no_rows``, ``no_sheet``.
    """
    rows = sheet_rows(data, None if encoding == "auto" else encoding, sheet=sheet, most_rows=MOST_ROWS)
    header, place = _header(rows)
    return Sheet(header, tuple(rows[place + 1 :]), tuple(rows[:place]), rows[place].number)


def open_table(data: bytes) -> tuple[tuple[str, ...], Iterator[SheetRow]]:
    """The header of the first sheet, and the rows below it one after the other, however many; as ``read_sheet``."""
    rows = _rows(data, None, 0)
    head = list(itertools.islice(rows, HEADER_WITHIN))
    header, place = _header(head)
    return header, itertools.chain(head[place + 1 :], rows)


def sheet_rows(
    data: bytes, encoding: str | None = None, *, sheet: int | None = None, most_rows: int | None = None
) -> list[SheetRow]:
    """All rows that hold something, of one sheet or, without ``sheet``, of all; DataError as ``read_sheet``."""
    found: list[SheetRow] = []
    for row in _rows(data, encoding, sheet):
        if most_rows is not None and len(found) > most_rows:
            raise DataError(f"more than {most_rows} rows; split the file", code="too_large")
        found.append(row)
    return found


def _rows(data: bytes, encoding: str | None, sheet: int | None) -> Iterator[SheetRow]:
    return _workbook_rows(data, sheet) if is_workbook(data) else _csv_rows(to_text(data, encoding))


def _header(rows: Sequence[SheetRow]) -> tuple[tuple[str, ...], int]:
    """The header without empty cells at its end, and its place among the first rows."""
    if not rows:
        raise DataError("the file has no rows; expected a header and rows below it", code="no_rows")
    place = next((n for n, row in enumerate(rows[:HEADER_WITHIN]) if sum(map(bool, row.cells)) > 1), 0)
    header = rows[place].cells
    while header and not header[-1]:
        header = header[:-1]
    return header, place


def is_workbook(data: bytes) -> bool:
    """Whether these are the first bytes of an Excel file, new or old."""
    return data.startswith((b"PK\x03\x04", _OLE))


def to_text(data: bytes, encoding: str | None = None) -> str:
    """By byte order mark, else UTF-8, else ``encoding``, else GB18030, else latin-1, which takes anything."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(name, "replace")
    for name in ("utf-8", encoding or "gb18030"):
        try:
            return data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("latin-1")


# --- CSV ------------------------------------------------------------------------------------------------------------


def _csv_rows(text: str) -> Iterator[SheetRow]:
    head = text[:4096]
    delimiter = max("\t,;|", key=lambda mark: (head.count(mark), mark == ","))
    seen: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text.replace("\0", ""), newline=None):
            seen.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"line {reader.line_num}: {error}", code="bad_file") from error
        raw = "".join(seen).rstrip("\r\n")
        seen.clear()
        if any(cell.strip() for cell in cells):
            yield SheetRow(reader.line_num, tuple(cell.strip() for cell in cells[:COLUMNS]), raw)


# --- workbooks ------------------------------------------------------------------------------------------------------


def _workbook_rows(data: bytes, sheet: int | None) -> Iterator[SheetRow]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise ConfigError("XLSX files need python-calamine: pip install python-calamine") from error
    try:
        if data.startswith(b"PK"):
            _refuse_bombs(data)
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = workbook.sheet_names
        if sheet is not None:
            if not 0 <= sheet < len(names):
                raise DataError(f"sheet {sheet + 1}: there are {len(names)}", code="no_sheet")
            names = [names[sheet]]
        for name in names:
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
            for number, values in enumerate(rows, 1):
                cells = tuple(_cell_text(value) for value in values[:COLUMNS])
                if any(cells):
                    yield SheetRow(number, cells, "\t".join(cells))
    except (CalamineError, *_BROKEN) as error:
        raise DataError(f"no readable workbook: {str(error)[:200]}", code="bad_file") from error


def _refuse_bombs(data: bytes) -> None:
    """Unpack once in small pieces: sizes that a file states of itself prove nothing until its checksums hold."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > UNPACKED_LIMIT:
            raise DataError(f"unpacks to more than {UNPACKED_LIMIT} bytes", code="too_large")
        for entry in entries:
            if entry.compress_type not in _PACKINGS:
                raise DataError(f"packed in way {entry.compress_type}; save it again as .xlsx", code="bad_file")
            with archive.open(entry) as opened:
                far = _Farthest()
                while piece := opened.read(_CHUNK):
                    if "worksheets/" in entry.filename:
                        far.look(piece)


class _Farthest:
    """The lowest and rightmost place that a sheet names."""

    def __init__(self) -> None:
        self._tail = b""
        self._row = self._column = 1

    def look(self, piece: bytes) -> None:
        """Follow one piece; DataError ``too_large`` when the rectangle grows too big."""
        text = self._tail + piece
        for letters, digits in _PLACE.findall(text):
            self._row = max(self._row, int(digits))
            column = 0
            for letter in letters:
                column = column * 26 + letter - 64
            self._column = max(self._column, column)
        self._tail = text[-_PLACE_LENGTH:]
        if self._row * self._column > MOST_CELLS:
            raise DataError(
                f"a sheet reaches to row {self._row} and column {self._column}: delete what is empty there",
                code="too_large",
            )


def _cell_text(value: object) -> str:
    match value:
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
        case date():
            return value.isoformat()
        case time():
            return value.strftime("%H:%M:%S")
        case timedelta():
            seconds = round(value.total_seconds())
            return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        case float() if value.is_integer():
            return str(int(value))
    return str(value).strip()
