"""A register that people keep as a table in the server's folder: what a system does not know of its own rows."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from server.connectors.errors import ReplyError
from server.connectors.fetch.files import Found, body_of, found_files
from server.connectors.paths import look
from server.connectors.source_file import Register, Source, Stream
from server.connectors.tables import numbered_rows
from server.connectors.values import Row, place
from shared.errors import DataError


def read_register(folder: Path, source: Source, register: Register) -> dict[str, Any]:
    """Its lines by their key; of two with one key the later, in the newer file.

    Empty where nobody keeps one yet. ReplyError names a file that can not be read.
    """
    if not folder.is_dir():
        return {}
    lines: dict[str, Any] = {}
    for found in found_files(folder, register.files, source.source):
        for line in _lines(found, source.limits.max_page_bytes):
            if key := str(line.get(register.key) or "").strip():
                lines[key] = line
    return lines


def complete(stream: Stream, register: Register, lines: Mapping[str, Any], rows: Iterable[Any]) -> None:
    """Give each row of ``rows``, or each of its elements that becomes one, the line that it is named in."""
    at = place(register.id)
    for row in rows:
        for one in _inner(stream, row):
            line = _line(lines, at(one)) if isinstance(one.value, dict) else None
            if line is not None:
                one.value[register.into] = line


def _lines(found: Found, most: int) -> Iterator[dict[str, Any]]:
    body = body_of(found, most)
    if len(body) > most:
        raise ReplyError(f"{found.name}: more than {most} bytes", "too_large", retry=False)
    try:
        yield from (line for _, line in numbered_rows(body))
    except DataError as error:
        raise ReplyError(f"{found.name}: {error}", "bad_body", retry=False) from error


def _inner(stream: Stream, row: Any) -> Iterator[Row]:
    if stream.each is None:
        yield Row(row)
        return
    try:
        inner = look(row, stream.each)
    except DataError:
        return  # the mapping says what is wrong with it
    for one in inner if isinstance(inner, list) else ():
        yield Row(one, row)


def _line(lines: Mapping[str, Any], key: Any) -> Any:
    return lines.get(str(key).strip())
