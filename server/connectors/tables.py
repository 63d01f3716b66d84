"""Files of tables as rows: CSV, XLSX and JSON lines under the headings of their first row. No I/O.

A cell is text and stays text: what looks like a formula is never evaluated.
"""

from typing import Any

import msgspec

from server.connectors.errors import ReplyError
from shared.errors import DataError
from shared.sheets import is_workbook, read_sheet

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def is_table(body: bytes) -> bool:
    """Whether a file is something else than one JSON document."""
    start = body.lstrip()[:1]
    if start == b"{":
        return len(body.strip().splitlines()) > 1 and _is_json(body.strip().splitlines()[0])
    return start != b"["


def table_rows(body: bytes) -> list[dict[str, Any]]:
    """The rows by heading, empty cells as None.

    ReplyError, never to be tried again: ``bad_encoding``, ``schema_changed`` for headings that are missing or there
    twice, ``bad_body`` for a line that is no JSON object, else as ``read_sheet``.
    """
    if body.lstrip().startswith(b"{"):
        return _json_lines(body)
    if not is_workbook(body) and not body.startswith(_UTF_16):
        _refuse_unreadable(body)
    try:
        sheet = read_sheet(body)
    except DataError as error:
        raise ReplyError(str(error), error.code, retry=False) from error
    named = [name for name in sheet.header if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise ReplyError(f"headings that are there twice: {', '.join(twice)}", "schema_changed", retry=False)
    rows = []
    for row in sheet.rows:
        beyond = len(row.cells) > len(sheet.header) and any(row.cells[len(sheet.header) :])
        if beyond:
            raise ReplyError(f"row {row.number} has more cells than headings", "schema_changed", retry=False)
        filled = dict.fromkeys(named) | {
            name: cell or None for name, cell in zip(sheet.header, row.cells, strict=False) if name
        }
        rows.append(filled)
    return rows


def _json_lines(body: bytes) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(msgspec.json.decode(line, type=dict[str, Any]))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ReplyError(f"line {number} is no JSON object: {error}", "bad_body", retry=False) from error
    return rows


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _refuse_unreadable(body: bytes) -> None:
    for name in ("utf-8", "gb18030"):
        try:
            body.decode(name)
        except UnicodeDecodeError:
            continue
        return
    raise ReplyError("neither UTF-8 nor GB18030: save the file again as UTF-8", "bad_encoding", retry=False)
