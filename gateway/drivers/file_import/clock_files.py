"""Files that terminals write: ZK attlog.dat, GLG and AGL, AFD of Brazil, Henry's lines; no I/O.

Source: protocols/file-imports.md of the specification.
"""

import re
import struct
from collections.abc import Iterator
from datetime import datetime, timedelta

from gateway.drivers.file_import.rows import Dates, Reject, Row, Sheet, dates_of, lines_of, when_of
from gateway.profile import FileFacts
from shared.errors import DataError
from shared.sheets import to_text

_DIGITS = re.compile(r"-?\d{1,9}")
_SHORT = struct.Struct("<I4sBB2sI")
_LONG = struct.Struct("<H24sB4sB8s")


def read_attlog(data: bytes, facts: FileFacts) -> Sheet:
    """``<id>_attlog.dat``: text with TABs, or binary records of black-and-white firmware."""
    if b"\0" in data[:64] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _binary_attlog(data)
    rows: list[Row] = []
    rejects: list[Reject] = []
    for number, line in lines_of(to_text(data, facts.encoding)):
        parts = [part.strip() for part in line.split("\t")]
        try:
            rows.append(_attlog_row(number, parts, facts.swapped))
        except DataError as error:
            rejects.append(Reject(number, error.code, line))
    return Sheet("attlog", tuple(rows), tuple(rejects))


def _attlog_row(number: int, parts: list[str], swapped: bool) -> Row:
    if len(parts) < 2 or not parts[0] or len(parts[0]) > 64:
        raise DataError("expected user, time, device, state, verify", code="bad_line")
    wall = when_of(parts[1], Dates(None))
    codes = [_number(text) for text in parts[3:6] if text]
    if swapped and len(codes) >= 2:
        codes[0], codes[1] = codes[1], codes[0]
    state, verify = (codes[0] if codes else None), (codes[1] if len(codes) > 1 else None)
    raw = () if state is None or verify is None else (verify, state, *codes[2:])
    return Row(number, parts[0], wall, state, verify, raw)


def _number(text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise DataError(f"code {text[:20]!r}: expected a number", code="bad_line")
    return int(text)


def _binary_attlog(data: bytes) -> Sheet:
    """The record size of which all but a tenth are possible punches; 8-byte records name no user."""
    for size in (_LONG.size, _SHORT.size):
        if len(data) % size == 0:
            found = [_binary_row(n, data[start : start + size]) for n, start in enumerate(range(0, len(data), size), 1)]
            bad = [one for one in found if isinstance(one, Reject)]
            if len(bad) * 10 <= len(found):
                return Sheet("attlog", tuple(one for one in found if isinstance(one, Row)), tuple(bad))
    raise DataError("neither text nor records of 16 or 40 bytes; records of 8 bytes name no user", code="bad_file")


def _binary_row(number: int, record: bytes) -> Row | Reject:
    codes: tuple[int, ...]
    if len(record) == _LONG.size:
        _, field, verify, stamp, state, _ = _LONG.unpack(record)
        text, end, _ = field.partition(b"\0")
        user, codes = text.decode("utf-8", "replace") if end else "", (verify, state)
    else:
        serial, stamp, verify, state, reserved, work = _SHORT.unpack(record)
        user, codes = "" if any(reserved) else str(serial), (verify, state, work)
    second = int.from_bytes(stamp, "little")
    days, rest = divmod(second, 86400)
    try:
        midnight = datetime(2000 + days // 372, days // 31 % 12 + 1, days % 31 + 1)  # noqa: DTZ001
    except ValueError:
        return Reject(number, "bad_time", record.hex())
    if not user or not user.isprintable() or midnight.year > 2099:
        return Reject(number, "no_user", record.hex())
    return Row(number, user, midnight + timedelta(seconds=rest), state, verify, codes)


# --- GLG and AGL ----------------------------------------------------------------------------------------------------

_GLG_FIELDS = {
    "no": "number",
    "tmno": "tm",
    "mchn": "tm",
    "enno": "user",
    "inout": "direction",
    "in/out": "direction",
    "iomd": "direction",
    "mode": "method",
    "vm": "method",
    "datetime": "time",
}
_GLG_PLAIN = ("number", "tm", "user", "name", "direction", "method", "time")
_STRAY_TIME = re.compile(r"\d{1,4}[-/]\d{1,2}[-/]\d{1,4}\s+\d{1,2}:\d{2}")


def read_glg(data: bytes, facts: FileFacts) -> Sheet:
    """``GLG_001.TXT``, ``AGL_001.TXT``: the header gives the order of the columns; seven columns need none."""
    fields: tuple[str, ...] = ()
    lines: list[tuple[int, list[str], str, tuple[str, ...]]] = []
    rejects: list[Reject] = []
    others = 0
    for number, line in lines_of(to_text(data, facts.encoding)):
        parts = [part.strip() for part in line.split("\t")]
        names = [part.lower().replace(" ", "") for part in parts]
        if line.lstrip().startswith("#"):
            others += 1
        elif "enno" in names and "datetime" in names:
            fields, others = tuple(_GLG_FIELDS.get(name, "") for name in names), others + 1
        elif fields and len(parts) >= len(fields) - ("" in fields[-1:]):
            lines.append((number, parts, line, fields))
        elif len(parts) == len(_GLG_PLAIN) and _STRAY_TIME.match(parts[-1]):
            lines.append((number, parts, line, _GLG_PLAIN))
        else:
            rejects.append(Reject(number, "bad_line", line))
    dates = dates_of((text for _, parts, _, names in lines for text in _cell(parts, names, "time")), facts.date_order)
    rows: list[Row] = []
    for number, cells, line, order in lines:
        try:
            rows.append(_glg_row(number, dict(zip(order, cells, strict=False)), dates))
        except DataError as error:
            rejects.append(Reject(number, error.code, line))
    notes = ("date_order_assumed",) if dates.assumed and dates.order and rows else ()
    return Sheet("glg", tuple(rows), tuple(sorted(rejects, key=lambda r: r.line)), others, notes)


def _cell(parts: list[str], names: tuple[str, ...], field: str) -> Iterator[str]:
    if field in names and names.index(field) < len(parts):
        yield parts[names.index(field)]


def _glg_row(number: int, cells: dict[str, str], dates: Dates) -> Row:
    user = cells.get("user", "")
    if not user or len(user) > 64:
        raise DataError("no user number", code="no_user")
    if user.isascii() and user.isdigit():
        user = user.lstrip("0") or "0"  # the number is what online reads give; the zeros are the file's
    record = cells.get("number", "")
    direction, method = _word(cells.get("direction")), _word(cells.get("method"))
    codes = (method, direction) if isinstance(method, int) and isinstance(direction, int) else ()
    seq = int(record) if record.isascii() and record.isdigit() and len(record) <= 18 else None
    return Row(number, user, when_of(cells.get("time", ""), dates), direction, method, codes, seq)


def _word(text: str | None) -> str | int | None:
    if not text:
        return None
    return int(text) if _DIGITS.fullmatch(text) else text[:40]


# --- AFD and Henry --------------------------------------------------------------------------------------------------

_OLD = re.compile(r"(\d{9})3(\d{2})(\d{2})(\d{4})(\d{2})(\d{2})(\d{12})([0-9A-Fa-f]{4})?")
_NEW = re.compile(r"(\d{9})3(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{4})(\d{12})([0-9A-Fa-f]{4})?")
_PROGRAM = re.compile(
    r"(\d{9})7(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{4})(\d{12})(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{4})"
    r"(\d{2})([01])([0-9A-Fa-f]{64})"
)
_OTHER = re.compile(r"\d{9}[12456].*|999999999\d+9?.*", re.DOTALL)
_NEW_TIME = re.compile(r"\d{9}.\d{4}-")


def read_afd(data: bytes, facts: FileFacts) -> Sheet:
    """Portaria 1510 and 671. The national id is the user and marked private; nothing else of it is kept."""
    rows: list[Row] = []
    rejects: list[Reject] = []
    others = 0
    for number, line in lines_of(to_text(data, facts.encoding or "latin-1")):
        text = line.strip()
        try:
            row = _afd_mark(number, text, facts)
        except DataError as error:
            rejects.append(Reject(number, error.code, _masked(text)))
            continue
        if row is not None:
            rows.append(row)
        elif _OTHER.fullmatch(text):
            others += 1
        else:
            rejects.append(Reject(number, "bad_line", _masked(text)))
    return Sheet("afd", tuple(rows), tuple(rejects), others)


def _afd_mark(number: int, text: str, facts: FileFacts) -> Row | None:
    if found := _OLD.fullmatch(text):
        record, day, month, year, hour, minute, person, _ = found.groups()
        wall = when_of(f"{year}-{month}-{day} {hour}:{minute}", Dates(None))
    elif found := _NEW.fullmatch(text):
        record, stamp, person, crc = found.groups()
        if crc and facts.crc and crc16(text[:-4].encode("latin-1", "replace"), facts.crc) != int(crc, 16):
            raise DataError("the checksum is wrong", code="bad_crc")
        wall = when_of(stamp, Dates(None))
    elif found := _PROGRAM.fullmatch(text):
        record, stamp, person = found[1], found[2], found[3]
        wall = when_of(stamp, Dates(None))
    else:
        return None
    return Row(number, person, wall, number=int(record), private=True)


def _masked(text: str) -> str:
    """The number, type and time in front; what follows may be a national id or a name."""
    keep = 34 if _NEW_TIME.match(text) else 22
    return text[:keep] + "*" * min(max(len(text) - keep, 0), 300)


def crc16(data: bytes, kind: str) -> int:
    """CRC-16/KERMIT or CRC-16/MODBUS."""
    polynomial, crc = (0x8408, 0) if kind == "kermit" else (0xA001, 0xFFFF)
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ polynomial if crc & 1 else crc >> 1
    return crc


_HENRY = re.compile(r"\d{2} \S \d\s+(\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}) (\d{20})")


def read_henry(data: bytes, facts: FileFacts) -> Sheet:
    """Lines of Henry Orion 5: flags, local time, badge of 20 digits."""
    rows: list[Row] = []
    rejects: list[Reject] = []
    for number, line in lines_of(to_text(data, facts.encoding or "latin-1")):
        found = _HENRY.fullmatch(line.strip())
        if found is None:
            rejects.append(Reject(number, "bad_line", line))
            continue
        try:
            rows.append(Row(number, found[2], when_of(found[1], Dates("dmy"))))
        except DataError as error:
            rejects.append(Reject(number, error.code, line))
    return Sheet("henry", tuple(rows), tuple(rejects))
