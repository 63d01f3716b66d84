"""Hikvision ISAPI: JSON and XML of terminals to values, and requests to bytes; no I/O.

Source: protocols/hikvision-isapi.md of the specification, grade A; the meaning of minor 8 is marked there as uncertain.
Names, cards and picture addresses are not taken over: what is kept of a row that can not be read is a list of fields.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from xml.parsers import expat
from xml.sax.saxutils import escape

from gateway.transports.multipart import MultipartDecoder, Part, boundary_in
from shared.clock import CLOCK_SUSPECT_BEFORE_S, DeviceSeconds, device_seconds
from shared.errors import DataError

USER_LIMIT = 64
ROWS_LIMIT = 5000
"""Rows of one page; terminals send 30, some up to 1,000."""
TEXT_LIMIT = 4 * 1024 * 1024
XML_DEPTH = 16
XML_ITEMS = 2000
EVENT_MAJOR = 5
"""Major of door and person events; 1 is alarm, 2 exception, 3 operation."""
GRANTED = frozenset({1, 8, 38, 75})
"""Minors that let a person in, unless the profile lists its own."""
NO_PUNCH = frozenset({9, 21, 22, 39, 76, 104})
"""Minors that are known to be refusals and doors; any other with a user is kept as an unknown code."""
ATTENDANCE = ("undefined", "checkin", "checkout", "breakout", "breakin", "overtimein", "overtimeout")
"""attendanceStatus in lower case; its place here is the number in ``raw_codes`` and in profiles."""
ABSENT = -1
"""Stands in ``raw_codes`` for what the terminal did not say or what is no known word."""
SHOWN = (
    *("major", "minor", "majorEventType", "subEventType", "time", "dateTime", "employeeNoString", "employeeNo"),
    *("serialNo", "cardReaderNo", "doorNo", "currentVerifyMode", "attendanceStatus", "userType"),
)
"""Fields of a row that may be kept as raw bytes: no name, no card, no picture address."""

Node: TypeAlias = Mapping[str, object]
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_ZONE = re.compile(r"[A-Za-z]{2,6}([+-])(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_SHOWN_PAIR = re.compile(rb'"(?:%s)"\s{0,4}:\s{0,4}(?:"[^"\\]{0,80}"|-?\d{1,18})' % "|".join(SHOWN).encode())
_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Row:
    """One punch as the terminal wrote it."""

    user: str
    at_device: DeviceSeconds
    """Wall clock in seconds counted as if UTC."""
    offset_s: int | None
    """Offset that the terminal wrote beside it; None when it wrote none."""
    minor: int
    attendance: int
    door: int
    reader: int
    number: int | None
    """serialNo: counts every event of the terminal, from 1 again after a factory reset."""
    current: bool = True
    """False for a stored event that is replayed after an outage."""
    front: int | None = None
    """Number of the event before, as pushes tell it: a gap shows what was lost."""

    @property
    def clock_suspect(self) -> bool:
        """The terminal has lost its clock."""
        return self.at_device < CLOCK_SUSPECT_BEFORE_S

    @property
    def raw_codes(self) -> tuple[int, ...]:
        """(minor, attendance, major, door, reader)."""
        return (self.minor, self.attendance, EVENT_MAJOR, self.door, self.reader)


@dataclass(frozen=True, slots=True)
class Other:
    """An event that is no punch: door, refusal, stranger, alarm, operation, heartbeat (major 0)."""

    major: int
    minor: int
    number: int | None = None
    front: int | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that can not be read, with those of its fields that are nobody's secret."""

    reason: str
    raw: bytes
    number: int | None = None


Item: TypeAlias = Row | Other | Bad


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a search."""

    more: bool
    """The status says that there are further rows; some firmware says so on the last page too."""
    total: int | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a ResponseStatus says."""

    sub: str
    """subStatusCode in lower case, such as ``badjsoncontent``, ``devicebusy``, ``notsupport``."""
    text: str
    locked: bool = False
    unlock_s: int | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """localTime with the offset that it or timeZone gives."""

    wall: datetime
    """Naive, in the terminal's zone."""
    offset_s: int | None
    mode: str
    """``manual`` or ``NTP``."""
    zone: str
    """timeZone as the terminal writes it, such as ``CST-8:00:00``."""


@dataclass(frozen=True, slots=True)
class User:
    """A person enrolled: number, name and validity; nothing else is read."""

    number: str
    name: str
    enabled: bool
    begin: str
    end: str


# JSON and XML


def json_node(body: bytes) -> Node:
    """The object in a JSON body; DataError ``bad_json``."""
    if len(body) > TEXT_LIMIT:
        raise DataError(f"a body of {len(body)} bytes", code="too_large")
    try:
        value: object = json.loads(_text(body), strict=False)
    except (ValueError, RecursionError) as error:
        raise DataError("a body that is no JSON", code="bad_json") from error
    if not isinstance(value, dict):
        raise DataError("JSON without an object", code="bad_json")
    return value


def xml_node(body: bytes) -> Node:
    """Elements of an XML body as nested mappings, of repeated ones the last; DataError ``bad_xml``, also for a DTD."""
    root: dict[str, object] = {}
    stack: list[tuple[str, dict[str, object], list[str]]] = [("", root, [])]
    count = 0

    def start(name: str, _attributes: object) -> None:
        nonlocal count
        count += 1
        if len(stack) > XML_DEPTH or count > XML_ITEMS:
            raise DataError("XML with more elements than any terminal sends", code="bad_xml")
        stack.append((name.rpartition(":")[2], {}, []))

    def end(_name: str) -> None:
        name, inner, text = stack.pop()
        stack[-1][1][name] = inner or "".join(text).strip()

    def said(text: str) -> None:
        stack[-1][2].append(text)

    def refuse(*_: object) -> None:
        raise DataError("XML with a document type", code="bad_xml")

    if len(body) > TEXT_LIMIT:
        raise DataError(f"a body of {len(body)} bytes", code="too_large")
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = said
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise DataError("a body that is no XML", code="bad_xml") from error
    return root


def any_node(body: bytes) -> Node:
    """The object in a body that is JSON or XML."""
    return xml_node(body) if body.lstrip()[:1] == b"<" else json_node(body)


def child(node: Node, name: str) -> Node:
    """An object inside another; empty when there is none."""
    value = node.get(name)
    return value if isinstance(value, dict) else {}


def text_of(node: Node, name: str) -> str:
    """A text or a number as text; empty for anything else."""
    value = node.get(name)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def number_of(node: Node, *names: str) -> int | None:
    """The first of these that is a whole number of at most 18 digits."""
    for name in names:
        text = text_of(node, name)
        if _NUMBER.fullmatch(text):
            return int(text)
    return None


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("gb18030", "replace")


# Events


def page_of(body: bytes, granted: frozenset[int]) -> Page:
    """One page of an AcsEvent search; DataError when it is none."""
    node = child(json_node(body), "AcsEvent")
    if not node:
        raise DataError("an answer without AcsEvent", code="bad_page")
    listed = node.get("InfoList")
    rows: Sequence[object] = listed if isinstance(listed, list) else [listed] if isinstance(listed, dict) else []
    if len(rows) > ROWS_LIMIT:
        raise DataError(f"a page of {len(rows)} rows", code="too_many_rows")
    status = text_of(node, "responseStatusStrg").upper()
    items = tuple(item_of(row, granted) if isinstance(row, dict) else Bad("bad_row", b"") for row in rows)
    return Page(status == "MORE", number_of(node, "totalMatches"), items)


def report_items(node: Node, granted: frozenset[int]) -> list[Item]:
    """Events of one pushed message, whichever wrapper it has; a heartbeat gives an ``Other`` of major 0."""
    while inner := child(node, "EventNotificationAlert"):
        node = inner
    event = child(node, "AccessControllerEvent")
    if not event:
        kind = text_of(node, "eventType").lower()
        if kind and kind != "accesscontrollerevent":
            return [Other(0, 0)]
        return [Bad("bad_event", _shown(node))]
    if not event.get("time"):
        event = {**event, "time": node.get("dateTime")}
    return [item_of(event, granted)]


def item_of(row: Node, granted: frozenset[int]) -> Item:
    """What one event is; a punch is an event of major 5 with a granted minor and a user."""
    number = number_of(row, "serialNo")
    major, minor = number_of(row, "major", "majorEventType"), number_of(row, "minor", "subEventType")
    if major is None or minor is None:
        return Bad("bad_row", _shown(row), number)
    user = text_of(row, "employeeNoString") or text_of(row, "employeeNo")
    if major != EVENT_MAJOR or user in ("", "0") or (minor in NO_PUNCH and minor not in granted):
        return Other(major, minor, number, number_of(row, "frontSerialNo"))
    if minor not in granted:
        return Bad("unknown_code", _shown(row), number)
    when = parse_time(text_of(row, "time"))
    if when is None:
        return Bad("bad_time", _shown(row), number)
    if len(user) > USER_LIMIT or not user.isprintable():
        return Bad("bad_user", _shown(row), number)
    status = text_of(row, "attendanceStatus").lower()
    return Row(
        user=user,
        at_device=device_seconds(when[0]),
        offset_s=when[1],
        minor=minor,
        attendance=ATTENDANCE.index(status) if status in ATTENDANCE else ABSENT,
        door=_small(row, "doorNo"),
        reader=_small(row, "cardReaderNo"),
        number=number if number is not None and number >= 0 else None,
        current=text_of(row, "currentEvent").lower() != "false",
        front=number_of(row, "frontSerialNo"),
    )


def parse_time(text: str) -> tuple[datetime, int | None] | None:
    """Naive wall time and its offset in seconds, None where it has none; None for what is no time of a terminal."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    if not 1970 <= year <= 2199:
        return None
    try:
        wall = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # a terminal's clock; the offset is beside
    except ValueError:
        return None
    return wall, _offset(match[7])


def _offset(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    if seconds > 15 * 3600:
        return None
    return -seconds if text[0] == "-" else seconds


def _small(row: Node, name: str) -> int:
    number = number_of(row, name)
    return number if number is not None and abs(number) < 2**31 else ABSENT


def _shown(row: Node) -> bytes:
    kept = {name: text_of(row, name)[:80] for name in SHOWN if name in row}
    return json.dumps(kept, ensure_ascii=False).encode("utf-8", "replace")


def _shown_text(raw: bytes) -> bytes:
    """The same fields of what is no JSON any more, as far as they can be found; the rest may be a name or a picture."""
    return b", ".join(found[0] for found in _SHOWN_PAIR.finditer(raw[:TEXT_LIMIT]))[:1024]


# Requests


def search_body(search: str, position: int, count: int, span: tuple[str, str] | None) -> bytes:
    """An AcsEvent search for every event of major 5; ``span`` is left out where firmware refuses a time filter."""
    condition: dict[str, object] = {
        "searchID": search,
        "searchResultPosition": position,
        "maxResults": count,
        "major": EVENT_MAJOR,
        "minor": 0,
    }
    if span is not None:
        condition["startTime"], condition["endTime"] = span
    return json.dumps({"AcsEventCond": condition}).encode()


def total_body(span: tuple[str, str]) -> bytes:
    """A question for the number of events."""
    condition = {"major": EVENT_MAJOR, "minor": 0, "startTime": span[0], "endTime": span[1]}
    return json.dumps({"AcsEventTotalNumCond": condition}).encode()


def span_of(start: DeviceSeconds, end: DeviceSeconds, offset_s: int) -> tuple[str, str]:
    """The startTime and endTime of device seconds, with the offset of the terminal's zone; not before 1970."""
    return _stamp(max(0, start), offset_s), _stamp(max(0, end), offset_s)


def _stamp(at: DeviceSeconds, offset_s: int) -> str:
    wall = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(at, 7_258_118_399))
    minutes = abs(offset_s) // 60
    sign = "-" if offset_s < 0 else "+"
    return f"{wall:%Y-%m-%dT%H:%M:%S}{sign}{minutes // 60:02}:{minutes % 60:02}"


def users_body(search: str, position: int, count: int) -> bytes:
    """A search for everybody enrolled."""
    condition = {"searchID": search, "searchResultPosition": position, "maxResults": count}
    return json.dumps({"UserInfoSearchCond": condition}).encode()


def user_body(number: str, name: str, enabled: bool, span: tuple[str, str], new: bool) -> bytes:
    """A user to record or to modify; a new one may pass door 1 at any time."""
    user: dict[str, object] = {
        "employeeNo": number,
        "name": name,
        "userType": "normal",
        "Valid": {"enable": enabled, "beginTime": span[0], "endTime": span[1], "timeType": "local"},
    }
    if new:
        user |= {"doorRight": "1", "RightPlan": [{"doorNo": 1, "planTemplateNo": "1"}]}
    return json.dumps({"UserInfo": user}, ensure_ascii=False).encode()


def clock_body(wall: datetime, zone: str) -> bytes:
    """A Time that sets the clock by hand and leaves the zone as it is."""
    inner = f"<timeMode>manual</timeMode><localTime>{wall:%Y-%m-%dT%H:%M:%S}</localTime>"
    zone_part = f"<timeZone>{escape(zone)}</timeZone>" if zone else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><Time>{inner}{zone_part}</Time>'.encode()


# Answers


def refusal_of(body: bytes) -> Refusal:
    """The ResponseStatus or userCheck of an answer, JSON or XML; empty when it is none."""
    try:
        node = any_node(body)
    except DataError:
        return Refusal("", "")
    node = child(node, "ResponseStatus") or child(node, "userCheck") or node
    sub = text_of(node, "subStatusCode").lower()
    text = " ".join(t for t in (text_of(node, "statusString"), text_of(node, "errorMsg")) if t)
    locked = text_of(node, "lockStatus").lower() == "lock" or "lock" in sub
    return Refusal(sub[:60], text[:200], locked, number_of(node, "unlockTime"))


def clock_of(body: bytes) -> Clock:
    """The terminal's clock; DataError when the answer shows none."""
    node = child(any_node(body), "Time")
    when = parse_time(text_of(node, "localTime"))
    if when is None:
        raise DataError("System/time without localTime", code="bad_time")
    zone = text_of(node, "timeZone")[:80]
    return Clock(when[0], when[1] if when[1] is not None else zone_offset_s(zone), text_of(node, "timeMode"), zone)


def zone_offset_s(text: str) -> int | None:
    """Seconds east of UTC of a timeZone such as ``CST-8:00:00``, whose sign is reversed; None with summer time."""
    match = _ZONE.fullmatch(text)
    if match is None:
        return None
    seconds = int(match[2]) * 3600 + int(match[3]) * 60 + int(match[4] or 0)
    return seconds if match[1] == "-" else -seconds


def device_of(body: bytes) -> Node:
    """The fields of deviceInfo; DataError when the answer shows none."""
    node = child(any_node(body), "DeviceInfo")
    if not node:
        raise DataError("an answer without DeviceInfo", code="bad_device")
    return node


def users_of(body: bytes) -> tuple[bool, list[User]]:
    """One page of users and whether there are more."""
    node = child(json_node(body), "UserInfoSearch")
    listed = node.get("UserInfo")
    found = []
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and (number := text_of(entry, "employeeNo")):
            valid = child(entry, "Valid")
            enabled = text_of(valid, "enable").lower() != "false"
            found.append(
                User(number, text_of(entry, "name"), enabled, text_of(valid, "beginTime"), text_of(valid, "endTime"))
            )
    return text_of(node, "responseStatusStrg").upper() == "MORE", found


# Captures


def part_items(part: Part, granted: frozenset[int]) -> list[Item]:
    """Events in one part of a push or of the stream."""
    if not part.body.strip():
        return []
    try:
        return report_items(any_node(part.body), granted)
    except DataError as error:
        return [Bad(error.code, _shown_text(part.body))]


def push_items(body: bytes, boundary: str, granted: frozenset[int]) -> list[Item]:
    """Events of one pushed body: multipart when there is a boundary, else JSON or XML."""
    if not (boundary or body.lstrip().startswith(b"--")):
        return part_items(Part({}, body), granted)
    decoder = MultipartDecoder(boundary or boundary_in(body))
    parts = [*decoder.feed(body), *decoder.close()]
    return [item for part in parts for item in part_items(part, granted)]


def capture_bodies(data: bytes) -> Iterator[bytes]:
    """Bodies of captured messages: one message with or without its head, or one JSON object a line."""
    text = data.lstrip()
    if re.match(rb"(?:POST|PUT|HTTP/1)", text):
        text = text.partition(b"\r\n\r\n")[2] or text.partition(b"\n\n")[2]
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines):
        yield from lines
    else:
        yield text
