"""Dahua CGI: ``key=value`` answers, events of the stream and of reports to values, questions to query strings; no I/O.

Source: protocols/dahua-cgi.md of the specification, grade A for the search, B for codes and reports. Names of keys are
compared in lower case: firmware and documents write them differently. Names, cards and passwords are not taken over.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from urllib.parse import quote

from gateway.transports.multipart import MultipartDecoder, Part, boundary_in
from shared.errors import DataError

USER_LIMIT = 64
ROWS_LIMIT = 20_000
TEXT_LIMIT = 8 * 1024 * 1024
DEPTH = 6
LOG, CARDS = "AccessControlCardRec", "AccessControlCard"
ENTRY, EXIT = 100, 101
"""Numbers of ``Type=Entry`` and ``Type=Exit`` in ``raw_codes`` and in ``codes.direction`` of a profile."""
ABSENT = -1
"""Stands in ``raw_codes`` for what the terminal did not say or what is no number."""
FROZEN = 4
"""CardStatus of a user who may not pass for now."""
LATEST_S = 7_258_118_399
"""End of the year 2199."""
SHOWN = (
    *("recno", "userid", "createtime", "createtimerealutc", "utc", "realutc", "method", "type", "status"),
    *("errorcode", "attendancestate", "door", "readerid"),
)
"""Fields of a row that may be kept as raw bytes: no name, no card, no password, no picture."""

Fields: TypeAlias = Mapping[str, str]
_KEY = re.compile(r"(?:records|events)\[(\d{1,6})\]\.(.+)", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d\d):(\d\d)", re.ASCII)
_SHOWN_PAIR = re.compile(
    rb'"?(?:%s)"?\s{0,4}[:=]\s{0,4}(?:"[^"\\]{0,80}"|-?\w{1,64})' % "|".join(SHOWN).encode(), re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Row:
    """One punch as the terminal wrote it."""

    user: str
    created: int
    """CreateTime or UTC: seconds since 1970, in UTC or, by some firmware, in local time."""
    real: int | None
    """The same in UTC for certain (CreateTimeRealUTC); None where the firmware does not tell."""
    method: int
    attendance: int
    """AttendanceState; 0 is none."""
    way: int
    """``ENTRY``, ``EXIT`` or absent."""
    door: int
    reader: int
    number: int | None
    """RecNo."""

    @property
    def raw_codes(self) -> tuple[int, ...]:
        """(method, attendance, way, door, reader)."""
        return (self.method, self.attendance, self.way, self.door, self.reader)

    @property
    def state(self) -> int:
        """What a profile translates into a direction: AttendanceState where one was chosen, else the way."""
        return self.attendance if self.attendance > 0 else self.way


@dataclass(frozen=True, slots=True)
class Other:
    """An event that is no punch: a refusal, a stranger, a heartbeat (code ``Heartbeat``)."""

    code: str
    error: int = 0
    number: int | None = None
    created: int | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that can not be read, with those of its fields that are nobody's secret."""

    reason: str
    raw: bytes
    number: int | None = None
    created: int | None = None


Item: TypeAlias = Row | Other | Bad


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a search."""

    found: int | None
    """As the terminal says: of this page or of the whole search."""
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class User:
    """A person enrolled, by the record that holds him; nothing else is read."""

    record: str
    number: str
    name: str
    card: str
    status: int


# Answers of lines


def pairs_of(body: bytes) -> dict[str, str]:
    """Keys in lower case and values of an answer, LF or CRLF; DataError ``error`` for what says so."""
    if len(body) > TEXT_LIMIT:
        raise DataError(f"an answer of {len(body)} bytes", code="too_large")
    text = _text(body)
    start = text.lstrip()[:5].lower()
    if start == "error" or start.startswith("<"):
        code = "error" if start == "error" else "bad_page"
        raise DataError(f"the terminal answered {' '.join(text.split())[:60]!r}", code=code)
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip().lower(): value.strip() for key, equals, value in pairs if equals}


def page_of(body: bytes) -> Page:
    """One page of a search for events; DataError when it is none."""
    pairs = pairs_of(body)
    found = _whole(pairs.get("found", pairs.get("totalcount", "")))
    rows = records_of(pairs)
    if found is None and not rows and pairs.keys():
        raise DataError("an answer without found=", code="bad_page")
    if not pairs:
        raise DataError("an empty answer to a search", code="bad_page")
    return Page(found, tuple(map(item_of, rows)))


def records_of(pairs: Fields) -> list[Fields]:
    """Records of an answer in the order of their index, each with its own keys."""
    records: dict[int, dict[str, str]] = {}
    for key, value in pairs.items():
        if match := _KEY.fullmatch(key):
            records.setdefault(int(match[1]), {})[match[2].removeprefix("eventbaseinfo.")] = value
            if len(records) > ROWS_LIMIT:
                raise DataError(f"more than {ROWS_LIMIT} rows", code="too_many_rows")
    return [records[index] for index in sorted(records)]


def item_of(row: Fields) -> Item:
    """What one event is; a punch has Status 1 and a UserID."""
    number, created = _whole(row.get("recno", "")), _first(row, "createtime", "utc")
    real = _first(row, "createtimerealutc", "realutc")
    user, status = row.get("userid", ""), _whole(row.get("status", ""))
    shown = created if created is not None else real
    if not user or status == 0:
        return Other(row.get("code", "AccessControl")[:40], _code(row, "errorcode"), number, shown)
    if status is None:
        return Bad("no_status", _shown(row), number, shown)
    if status != 1:
        return Bad("unknown_code", _shown(row), number, shown)
    if shown is None or not 0 <= shown <= LATEST_S:
        return Bad("bad_time", _shown(row), number)
    if len(user) > USER_LIMIT or not user.isprintable():
        return Bad("bad_user", _shown(row), number, shown)
    return Row(
        user=user,
        created=shown,
        real=real if real is not None and 0 < real <= LATEST_S else None,
        method=_code(row, "method"),
        attendance=_code(row, "attendancestate"),
        way={"entry": ENTRY, "exit": EXIT}.get(row.get("type", "").lower(), ABSENT),
        door=_code(row, "door"),
        reader=_code(row, "readerid"),
        number=number if number is not None and number >= 0 else None,
    )


def users_of(body: bytes) -> list[User]:
    """Users of one page of a search for cards."""
    rows = records_of(pairs_of(body))
    return [
        User(r.get("recno", ""), r["userid"], r.get("cardname", ""), r.get("cardno", ""), _code(r, "cardstatus"))
        for r in rows
        if r.get("userid")
    ]


def clock_of(body: bytes) -> datetime:
    """The terminal's wall clock, naive; DataError when the answer shows none."""
    match = _TIME.fullmatch(pairs_of(body).get("result", ""))
    try:
        if match is not None:
            year, month, day, hour, minute, second = map(int, match.groups())
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # a terminal's clock has no zone
    except ValueError:
        pass
    raise DataError("getCurrentTime without a time", code="bad_time")


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("gb18030", "replace")


def _whole(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _first(row: Fields, *names: str) -> int | None:
    return next((value for name in names if (value := _whole(row.get(name, ""))) is not None), None)


def _code(row: Fields, name: str) -> int:
    value = _whole(row.get(name, ""))
    return value if value is not None and abs(value) < 2**31 else ABSENT


def _shown(row: Fields) -> bytes:
    return "\n".join(f"{name}={row[name][:80]}" for name in SHOWN if name in row).encode("utf-8", "replace")


# Stream and reports


def part_items(part: Part) -> list[Item]:
    """Events in one part: ``Code=..;data={..}``, JSON, or lines ``Events[0].UserID=..``."""
    body = part.body.strip()
    if not body or body.lower() == b"heartbeat":
        return []
    try:
        rows = _rows(body)
    except DataError as error:
        found = b", ".join(pair[0] for pair in _SHOWN_PAIR.finditer(body[:TEXT_LIMIT]))
        return [Bad(error.code, found[:1024])]
    return [_event(row) for row in rows]


def _event(row: Fields) -> Item:
    code = row.get("code", "AccessControl")
    return item_of(row) if code.lower() == "accesscontrol" else Other(code[:40])


def _rows(body: bytes) -> list[Fields]:
    text = _text(body)
    if text.startswith("{"):
        return _json_rows(_json(text))
    if text.lower().startswith("code="):
        head, _, data = text.partition("data=")
        said = dict(pair.partition("=")[::2] for pair in head.lower().split(";") if "=" in pair)
        return [{"code": said.get("code", ""), **(_flat(_json(data)) if data.strip() else {})}]
    if rows := records_of(pairs_of(body)):
        return rows
    raise DataError("a part that is no event", code="bad_event")


def _json(text: str) -> Mapping[str, object]:
    try:
        value: object = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise DataError("a body that is no JSON", code="bad_json") from error
    if not isinstance(value, dict):
        raise DataError("JSON without an object", code="bad_json")
    return value


def _json_rows(node: Mapping[str, object]) -> list[Fields]:
    listed = next((value for key, value in node.items() if key.lower() == "events"), None)
    if listed is None:
        return [_flat(node)]
    if not isinstance(listed, list) or len(listed) > ROWS_LIMIT:
        raise DataError("Events is no list", code="bad_event")
    return [_flat(event) for event in listed if isinstance(event, dict)]


def _flat(node: Mapping[str, object], depth: int = 0) -> dict[str, str]:
    """Keys of an event in lower case, those of ``Data`` and ``EventBaseInfo`` among its own."""
    found: dict[str, str] = {}
    for key, value in node.items():
        name = key.lower()
        if isinstance(value, dict) and depth < DEPTH and name in ("data", "eventbaseinfo"):
            found |= _flat(value, depth + 1)
        elif isinstance(value, str):
            found[name] = value.strip()
        elif isinstance(value, int):
            found[name] = str(int(value))
    return found


def push_items(body: bytes, boundary: str) -> list[Item]:
    """Events of one pushed body: multipart when there is a boundary."""
    if not (boundary or body.lstrip().startswith(b"--")):
        return part_items(Part({}, body))
    decoder = MultipartDecoder(boundary or boundary_in(body))
    return [item for part in [*decoder.feed(body), *decoder.close()] for item in part_items(part)]


def capture_bodies(data: bytes) -> Iterator[bytes]:
    """The body of a captured message, with or without its head."""
    text = data.lstrip()
    if re.match(rb"(?:POST|PUT|HTTP/1)", text):
        text = text.partition(b"\r\n\r\n")[2] or text.partition(b"\n\n")[2]
    yield text


# Questions


def query(script: str, action: str, more: Sequence[tuple[str, str | int]] = ()) -> str:
    """Path and query of a question, encoded as the vendor's examples are."""
    rest = "".join(f"&{name}={quote(str(value), safe=':,')}" for name, value in more)
    return f"/cgi-bin/{script}.cgi?action={action}{rest}"


def find(name: str, span: tuple[int, int] | None, count: int) -> str:
    """A search in a table, by CreateTime where firmware takes that."""
    times = () if span is None else (("StartTime", max(0, span[0])), ("EndTime", max(0, span[1])))
    return query("recordFinder", "find", (("name", name), *times, ("count", count)))
