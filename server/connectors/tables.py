"""Files of tables as rows: CSV, XLSX and JSON lines under the headings of their first row. No I/O.

A cell is text and stays text: what looks like a formula is never evaluated.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from server.connectors.errors import ReplyError
from shared.errors import DataError
from shared.sheets import is_workbook, open_table

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def is_table(body: bytes) -> bool:
    """Whether a file is something else than one JSON document."""
    start = body.lstrip()[:1]
    if start == b"{":
        return len(body.strip().splitlines()) > 1 and _is_json(body.strip().splitlines()[0])
    return start != b"["


def numbered_rows(body: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows by heading, one after the other, each with its line; the heading has the first, empty cells are None.

    ReplyError, never to be tried again: ``bad_encoding``, ``schema_changed`` for headings that are missing or there
    twice, ``bad_body`` for a line that is no JSON object, else as ``read_sheet``.
    """
    if body.lstrip().startswith(b"{"):
        yield from _json_lines(body)
        return
    if not is_workbook(body) and not body.startswith(_UTF_16):
        _refuse_unreadable(body)
    try:
        yield from _sheet_rows(body)
    except ReplyError:
        raise
    except DataError as error:
        raise ReplyError(str(error), error.code, retry=False) from error


def _sheet_rows(body: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    header, rows = open_table(body)
    named = [name for name in header if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise ReplyError(f"headings that are there twice: {', '.join(twice)}", "schema_changed", retry=False)
    for row in rows:
        beyond = len(row.cells) > len(header) and any(row.cells[len(header) :])
        if beyond:
            raise ReplyError(f"row {row.number} has more cells than headings", "schema_changed", retry=False)
        cells = zip(header, row.cells, strict=False)
        yield row.number, dict.fromkeys(named) | {name: cell or None for name, cell in cells if name}


def _json_lines(body: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield number, msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ReplyError(f"line {number} is no JSON object: {error}", "bad_body", retry=False) from error


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
