"""Bytes of an export file to rows, by the layout of the profile; no I/O."""

from gateway.drivers.file_import.clock_files import read_afd, read_attlog, read_glg, read_henry
from gateway.drivers.file_import.rows import Reject, Row, Sheet
from gateway.drivers.file_import.tables import read_monthly, read_table
from gateway.profile import FileFacts
from shared.errors import DataError

FILE_LIMIT = 64 * 1024 * 1024
"""Bytes; a full log of 200,000 punches has 10 MiB."""

__all__ = ["FILE_LIMIT", "Reject", "Row", "Sheet", "read_file"]

_READERS = {
    "attlog": read_attlog,
    "glg": read_glg,
    "afd": read_afd,
    "henry": read_henry,
    "table": read_table,
}


def read_file(data: bytes, facts: FileFacts, name: str = "") -> Sheet:
    """What a file says; DataError when it is not of this layout as a whole."""
    if len(data) > FILE_LIMIT:
        raise DataError(f"{len(data)} bytes, expected {FILE_LIMIT} at most", code="too_large")
    sheet = read_monthly(data, facts, name) if facts.layout == "monthly" else _READERS[facts.layout](data, facts)
    if not sheet.rows and not sheet.others and len(sheet.rejects) > 3:
        raise DataError(f"no line of {len(sheet.rejects)} is of the layout {facts.layout}", code="bad_file")
    return sheet
