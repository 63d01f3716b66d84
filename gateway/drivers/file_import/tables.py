"""Tables of vendor software, CSV or XLSX, by the column map of the profile; and Chinese monthly sheets. No I/O."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from gateway.drivers.file_import.rows import (
    LINE_LIMIT,
    Dates,
    Reject,
    Row,
    Sheet,
    clock_of,
    dates_of,
    day_of,
    times_in,
    when_of,
)
from gateway.profile import FileFacts
from shared.errors import DataError
from shared.sheets import HEADER_WITHIN, SheetRow, sheet_rows

Line: TypeAlias = SheetRow


def table_lines(data: bytes, facts: FileFacts) -> list[Line]:
    """All rows of all sheets that hold something; DataError ``bad_file``."""
    return sheet_rows(data, facts.encoding)


# --- one row a punch ------------------------------------------------------------------------------------------------


def read_table(data: bytes, facts: FileFacts) -> Sheet:
    """Rows below a header that has the mapped columns; several times in a cell are several punches."""
    lines = table_lines(data, facts)
    place, columns = _header(lines, facts.columns)
    body = lines[place + 1 :]
    dates = dates_of((text for line in body for text in _dated(line, columns)), facts.date_order)
    rows: list[Row] = []
    rejects: list[Reject] = []
    others = place + 1
    for line in body:
        if _find(line.cells, facts.columns) is not None:
            others += 1  # the header again, on the next sheet or page
            continue
        try:
            rows += _table_rows(line, columns, dates)
        except DataError as error:
            rejects.append(Reject(line.number, error.code, line.raw))
    notes = ("date_order_assumed",) if dates.assumed and dates.order and rows else ()
    return Sheet("table", tuple(rows), tuple(rejects), others, notes)


def _header(lines: Sequence[Line], columns: Mapping[str, Sequence[str]]) -> tuple[int, dict[str, int]]:
    for place, line in enumerate(lines[:HEADER_WITHIN]):
        if (found := _find(line.cells, columns)) is not None:
            return place, found
    wanted = ", ".join(f"{field} ({' or '.join(names)})" for field, names in columns.items())
    raise DataError(f"no header with {wanted} in the first {HEADER_WITHIN} rows", code="no_header")


def _find(cells: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, int] | None:
    """Place of each mapped column, when the user's and those of the time are there."""
    names = [re.sub(r"\s", "", cell).lower() for cell in cells]
    found: dict[str, int] = {}
    for field, headers in columns.items():
        places = [names.index(key) for header in headers if (key := re.sub(r"\s", "", header).lower()) in names]
        if places:
            found[field] = places[0]
    timed = "time" in found or {"date", "clock"} <= set(found)
    return found if "user" in found and timed else None


def _get(line: Line, columns: Mapping[str, int], field: str) -> str:
    place = columns.get(field)
    return line.cells[place] if place is not None and place < len(line.cells) else ""


def _dated(line: Line, columns: Mapping[str, int]) -> Iterator[str]:
    for field in ("time", "date"):
        if text := _get(line, columns, field):
            yield text


def _table_rows(line: Line, columns: Mapping[str, int], dates: Dates) -> list[Row]:
    user = _get(line, columns, "user")
    if not user or len(user) > 64 or len(line.raw) > LINE_LIMIT:
        raise DataError("no user number", code="no_user")
    if "time" in columns:
        walls = [when_of(_get(line, columns, "time"), dates)]
    else:
        walls = [day_of(_get(line, columns, "date"), dates) + at for at in _clocks(_get(line, columns, "clock"))]
    number = _get(line, columns, "number")
    direction, method = (_word(_get(line, columns, field)) for field in ("direction", "method"))
    seq = int(number) if number.isascii() and number.isdigit() and len(number) <= 18 else None
    codes = (method, direction) if isinstance(method, int) and isinstance(direction, int) else ()
    device = _get(line, columns, "device")[:64] or None
    return [Row(line.number, user, wall, direction, method, codes, seq, device) for wall in walls]


def _clocks(text: str) -> list[timedelta]:
    try:
        return [clock_of(text)]
    except DataError:
        return times_in(text)


def _word(text: str) -> str | int | None:
    if not text:
        return None
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else text[:40]


# --- one row an employee, one column a day --------------------------------------------------------------------------

_MONTH = re.compile(r"(?<!\d)(20\d{2})\s{0,2}[-/.年]\s{0,2}(\d{1,2})(?!\d)")
_DAY_HEADER = re.compile(r"(?:(?:20\d{2}[-/.年])?\d{1,2}[-/.月])?(\d{1,2})日?(?:\D{0,6})")


def read_monthly(data: bytes, facts: FileFacts, name: str = "") -> Sheet:
    """考勤记录表: the month stands above the header or in the file's name, the header has the days."""
    lines = table_lines(data, facts)
    users = {re.sub(r"\s", "", header).lower() for header in facts.columns.get("user", ["工号"])}
    place = next((n for n, line in enumerate(lines[:HEADER_WITHIN]) if _is_monthly_header(line, users)), None)
    if place is None:
        raise DataError(f"no header with {' or '.join(sorted(users))} and days of a month", code="no_header")
    above = " ".join(cell for line in lines[: place + 1] for cell in line.cells)
    month = _MONTH.search(above[:LINE_LIMIT]) or _MONTH.search(name)
    if month is None or not 1 <= int(month[2]) <= 12:
        raise DataError("no year and month above the header or in the file's name", code="no_month")
    header = lines[place]
    user_place = next(n for n, cell in enumerate(header.cells) if _plain(cell) in users)
    days = {n: day for n, cell in enumerate(header.cells) if (day := _day_number(cell)) and n != user_place}
    rows: list[Row] = []
    rejects: list[Reject] = []
    others = place + 1
    for line in lines[place + 1 :]:
        user = line.cells[user_place] if user_place < len(line.cells) else ""
        if not user or len(user) > 64 or _is_monthly_header(line, users):
            others += 1
            continue
        for column, day in days.items():
            cell = line.cells[column] if column < len(line.cells) else ""
            try:
                midnight = datetime(int(month[1]), int(month[2]), day) if times_in(cell) else None  # noqa: DTZ001
                rows += [Row(line.number, user, midnight + at) for at in times_in(cell) if midnight]
            except DataError as error:
                rejects.append(Reject(line.number, error.code, f"day {day}: {cell}"))
            except ValueError:
                rejects.append(Reject(line.number, "bad_time", f"day {day}: {cell}"))
    return Sheet("monthly", tuple(rows), tuple(rejects), others)


def _plain(cell: str) -> str:
    return re.sub(r"\s", "", cell).lower()


def _day_number(cell: str) -> int | None:
    found = _DAY_HEADER.fullmatch(cell.strip()[:40])
    day = int(found[1]) if found else 0
    return day if 1 <= day <= 31 else None


def _is_monthly_header(line: Line, users: set[str]) -> bool:
    return any(_plain(cell) in users for cell in line.cells) and sum(map(bool, map(_day_number, line.cells))) >= 5
