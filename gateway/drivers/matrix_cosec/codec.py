"""Answers of the Matrix COSEC device API to values; no I/O.

Source: protocols/matrix-cosec.md of the specification, grade A- (three clients). Tag spelling varies by firmware, so
names are compared without hyphens, underscores and case.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias
from xml.parsers import expat

from gateway.transports.source import wall_second
from shared.clock import DeviceSeconds
from shared.errors import ConfigError, DataError, RetryableError

BODY_LIMIT = 1024 * 1024
"""Bytes of an answer; 100 events are 40 KiB."""
DEPTH_LIMIT = 8
ELEMENTS_LIMIT = 50_000
TEXT_LIMIT = 256
ABSENT = -1
ALLOWED = 101
"""The only event that is a punch."""
NO_RECORD = 10
BUSY = frozenset({16, 27})
MEANINGS = {
    1: "the login is refused",
    10: "no record found",
    12: "its memory is full",
    16: "it is busy",
    17: "internal error",
    24: "the function is switched off at the terminal",
    27: "it timed out",
    33: "a value is invalid",
    35: "it failed",
}
_DATE = re.compile(r"(\d\d?)/?(\d\d?)/?(\d{4})", re.ASCII)
_CLOCK = re.compile(r"(\d\d):?(\d\d):?(\d\d)", re.ASCII)
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)
_PERSONAL = re.compile(r"name|password|pin|template|credential|card|photo|data$")


class Mark(NamedTuple):
    """A place in the event log, which starts again at 1 with a higher roll-over count."""

    roll_over: int
    seq: int


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the terminal wrote it; ``user`` is empty for one that is no punch."""

    mark: Mark
    number: int
    user: str
    at: DeviceSeconds
    function: int
    """detail-2: special function and direction."""
    credential: int
    """detail-3."""


@dataclass(frozen=True, slots=True)
class Bad:
    """An event that can not be read."""

    mark: Mark
    reason: str
    raw: bytes


Row: TypeAlias = Event | Bad


class _Element(NamedTuple):
    name: str
    text: str


def decode_count(body: bytes) -> Mark:
    """The newest event; errors of ``check`` when the terminal says no."""
    elements = _elements(body)
    check(elements)
    values = {element.name: element.text for element in elements}
    roll_over, seq = _number(values.get("rollovercount", "")), _number(values.get("seqnumber", values.get("seqno", "")))
    if ABSENT in (roll_over, seq):
        raise DataError("the count has no roll-over-count and seq-number", code="bad_answer")
    return Mark(roll_over, seq)


def decode_events(body: bytes, roll_over: int) -> list[Row]:
    """Events in the order of the answer; none for response code 10. ``roll_over`` stands in where a row has none.

    Each ``seq-No`` begins a new event, whether events are wrapped in elements of their own or not.
    """
    elements = _elements(body)
    if not check(elements):
        return []
    return [_row(fields, roll_over) for fields in _groups(elements)]


def decode_facts(body: bytes) -> dict[str, str]:
    """What a terminal says of itself, without anything that could be a secret."""
    elements = _elements(body)
    check(elements)
    return {element.name: element.text for element in elements if not _PERSONAL.search(element.name)}


def check(elements: list[_Element]) -> bool:
    """False for "no record"; ConfigError, RetryableError or DataError for every other refusal."""
    for element in elements:
        if element.name != "responsecode" or (code := _number(element.text)) == 0:
            continue
        if code == NO_RECORD:
            return False
        text = f"the terminal answers {element.text[:20]!r}: {MEANINGS.get(code, 'not in its list')}"
        if code in (1, 24):
            raise ConfigError(text)
        if code in BUSY or code == 17:
            raise RetryableError(text)
        raise DataError(text, code="refused")
    return True


def _groups(elements: list[_Element]) -> Iterator[dict[str, str]]:
    """Fields of each event: a name that comes again, or a sequence number, begins the next one."""
    fields: dict[str, str] = {}
    for element in elements:
        name = {"seqno": "seq", "seqnumber": "seq"}.get(element.name, element.name)
        if name in ("cosecapi", "events", "event", "responsecode"):
            continue
        if name in fields and "seq" in fields:
            yield fields
            fields = {}
        fields[name] = element.text
    if "seq" in fields:
        yield fields


def _row(fields: dict[str, str], roll_over: int) -> Row:
    told, seq = _number(fields.get("rollovercount", "")), _number(fields.get("seq", ""))
    mark = Mark(roll_over if told == ABSENT else told, max(seq, 0))
    number = _number(fields.get("eventid", ""))
    raw = "&".join(f"{name}={text}" for name, text in fields.items() if not _PERSONAL.search(name)).encode()
    if ABSENT in (seq, number):
        return Bad(mark, "bad_row", raw)
    function, credential = _number(fields.get("detail2", "")), _number(fields.get("detail3", ""))
    if number != ALLOWED:
        return Event(mark, number, "", 0, function, credential)
    at = _time(fields.get("date", ""), fields.get("time", ""))
    if at is None:
        return Bad(mark, "bad_time", raw)
    user = fields.get("userid") or fields.get("detail1", "")
    if not (0 < len(user) <= 64 and user.isprintable()) or user == "0":
        return Bad(mark, "bad_user", raw)
    return Event(mark, number, user, at, function, credential)


def _time(date: str, clock: str) -> DeviceSeconds | None:
    """Day, month and year, then the time of day, each with or without separators; None for anything else."""
    day, time = _DATE.fullmatch(date), _CLOCK.fullmatch(clock)
    if day is None or time is None or (len(date) != 8 and "/" not in date):
        return None
    return wall_second((int(day[3]), int(day[2]), int(day[1])), (int(time[1]), int(time[2]), int(time[3])))


def _number(text: str) -> int:
    return int(text) if _NUMBER.fullmatch(text.strip()) else ABSENT


def _elements(body: bytes) -> list[_Element]:
    """Elements in the order in which they begin, each with its own text; entities and declarations are refused."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    names: list[str] = []
    texts: list[str] = []
    known: dict[str, str] = {}
    open_at: list[int] = []

    def begin(name: str, _attributes: dict[str, str]) -> None:
        if len(open_at) >= DEPTH_LIMIT or len(names) >= ELEMENTS_LIMIT:
            raise DataError("XML is too deep or too long", code="too_large")
        open_at.append(len(names))
        names.append(known.setdefault(name, name.replace("-", "").replace("_", "").lower()[:40]))
        texts.append("")

    def text(data: str) -> None:
        if open_at and (data := data.strip()):
            texts[open_at[-1]] = (texts[open_at[-1]] + data)[:TEXT_LIMIT]

    def refuse(*_: object) -> None:
        raise DataError("XML with a document type", code="bad_answer")

    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda _name: open_at.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DataError(f"XML can not be read: {error}", code="bad_answer") from error
    return [_Element(name, told) for name, told in zip(names, texts, strict=True)]


# Cursor


@dataclass(frozen=True, slots=True)
class Place:
    """The last stored event. ``epoch`` counts the times the terminal's log began anew (factory reset)."""

    epoch: int
    mark: Mark

    def encode(self) -> bytes:
        """The place as bytes."""
        return f"{self.epoch}:{self.mark.roll_over}:{self.mark.seq}".encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Place | None":
        """The place in these bytes; None when there is none."""
        found = re.fullmatch(rb"(\d{1,6}):(\d{1,10}):(\d{1,10})", value or b"")
        return cls(int(found[1]), Mark(int(found[2]), int(found[3]))) if found else None

    def number(self, mark: Mark) -> int:
        """The native number of an event: epoch, roll-over and sequence in one."""
        return (self.epoch & 0x7FF) << 52 | (mark.roll_over & 0xFFFFF) << 32 | mark.seq & 0xFFFFFFFF
