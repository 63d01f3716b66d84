"""JSON of Timmy, AiFace and other terminals to values and back; see protocols/aiface-ws.md."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from shared.clock import DeviceSeconds, device_seconds
from shared.errors import DataError

STRANGER = "99999999"
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
QR = 13
"""Of ``verifymode``, whatever ``mode`` says."""
RAW_LIMIT = 16 * 1024
SALVAGE_LIMIT = 1024 * 1024
LONG_TEXT = 64
"""No field of a log row is longer; pictures and templates are."""
ROWS_LIMIT = 5000
EVENTS = {
    0: "door_closed",
    1: "door_opened",
    2: "exit_button",
    3: "opened_by_software",
    4: "closed_by_software",
    5: "illegal_open",
    6: "tamper",
    7: "alarm",
}
ALARMS = frozenset({5, 6, 7})
_FULL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_DEFECT = re.compile(r'"(?:[^"\\]|\\.)*+"?|,(?=\s*[\]}])', re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_COUNT = re.compile(r'"\s*(count|logindex)\s*"\s*:\s*"?(\d{1,9})')
_NAME = re.compile(r'"\s*(cmd|ret|sn)\s*"\s*:\s*"([^"\\]{1,64})"')

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: ``cmd`` of the terminal or ``ret`` of its answer; ``fields`` is the whole of it."""

    name: str
    is_answer: bool
    fields: Mapping[str, Json]

    @property
    def serial(self) -> str:
        """The serial number in it; empty where it has none."""
        return _text(self.fields.get("sn"))

    @property
    def ok(self) -> bool:
        """Whether an answer says that it worked; gettime has no ``result``."""
        return self.fields.get("result") not in (False, 0, "false", "0")

    @property
    def reason(self) -> str:
        """Why it did not work."""
        return _text(self.fields.get("reason"))

    def number(self, name: str) -> int | None:
        """A field as a number, where it is one."""
        return _maybe(self.fields.get(name))

    def records(self) -> list[Json]:
        """The list ``record``; empty where there is none."""
        found = self.fields.get("record")
        return found[:ROWS_LIMIT] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Row:
    """One person recognised."""

    user: str
    at_device: DeviceSeconds
    mode: int
    inout: int
    event: int
    verify: int | None

    @property
    def raw_codes(self) -> tuple[int, ...]:
        """Mode, inout, event, and verifymode where it is sent."""
        return (self.mode, self.inout, self.event, *(() if self.verify is None else (self.verify,)))


@dataclass(frozen=True, slots=True)
class Happening:
    """A door, an alarm, a stranger: no punch."""

    name: str
    event: int


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that can not be read, without name and picture."""

    reason: str
    raw: bytes


Item: TypeAlias = Row | Happening | Bad


@dataclass(frozen=True, slots=True)
class Facts:
    """What ``reg`` and ``getdevinfo`` tell."""

    model: str
    firmware: str
    users: int | None
    user_capacity: int | None
    log_used: int | None
    log_capacity: int | None
    second: DeviceSeconds | None
    mac: str


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to getnewlog or getalllog."""

    items: list[Item]
    count: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What little is sure of a message that is no JSON even after repair."""

    name: str
    is_answer: bool
    serial: str
    count: int | None
    index: int | None
    raw: bytes
    """Kept only of log rows, and without long texts."""


def message_of(data: bytes) -> Message:
    """A text frame, repaired where old firmware breaks JSON; DataError when it is no message."""
    text = data.decode("utf-8", "replace").strip("\0 \r\n\t\ufeff")
    try:
        found = _loads(text)
    except DataError:
        found = _loads(repair(text))
    if not isinstance(found, dict):
        raise DataError("expected a JSON object", code="bad_json")
    fields = {str(key).strip(): value for key, value in found.items()}
    for kind in ("cmd", "ret"):
        name = _text(fields.get(kind)).lower()
        if name:
            return Message(name[:32], kind == "ret", fields)
    raise DataError("neither cmd nor ret", code="bad_message")


def repair(text: str) -> str:
    """Without the commas before a closing bracket that old firmware writes; texts stay as they are."""
    return _DEFECT.sub(lambda found: "" if found[0] == "," else found[0], text)


def salvage(data: bytes) -> Unreadable:
    """What can be told of a broken message, so that its log rows reach a person and the terminal can go on."""
    text = data[:SALVAGE_LIMIT].decode("utf-8", "replace")
    names = {found[1]: found[2].strip() for found in _NAME.finditer(text[:RAW_LIMIT])}
    numbers = {found[1]: int(found[2]) for found in _COUNT.finditer(text)}
    name = (names.get("cmd") or names.get("ret") or "").lower()
    is_log = name in ("sendlog", "getnewlog", "getalllog")
    return Unreadable(
        name[:32],
        "cmd" not in names,
        names.get("sn", ""),
        numbers.get("count"),
        numbers.get("logindex"),
        harmless_text(text).encode()[:RAW_LIMIT] if is_log else b"",
    )


def harmless_text(text: str) -> str:
    """A broken message without its long texts, which are pictures or templates, and without names."""

    def short(found: re.Match[str]) -> str:
        return '"..."' if len(found[0]) > LONG_TEXT else found[0]

    unnamed = re.sub(r'("\s*name\s*"\s*:\s*)"(?:[^"\\]|\\.)*+"?', r'\1"..."', text)
    return _STRING.sub(short, unnamed)


def items_of(message: Message, *, stranger_events: bool) -> list[Item]:
    """Rows of ``sendlog``, ``getnewlog`` or ``getalllog``.

    ``stranger_events``: on AI firmware event 2 with a picture is somebody unknown, elsewhere a function key.
    """
    return [_item(row, stranger_events=stranger_events) for row in message.records()]


def page_of(message: Message, *, stranger_events: bool) -> Page:
    """An answer to getnewlog or getalllog."""
    return Page(items_of(message, stranger_events=stranger_events), message.number("count"), message.number("to"))


def facts_of(message: Message) -> Facts:
    """Facts below ``devinfo``, or at the top as some AI firmware writes them."""
    below = message.fields.get("devinfo")
    said = {**message.fields, **(below if isinstance(below, dict) else {})}
    return Facts(
        model=_text(said.get("modelname"))[:80],
        firmware=_text(said.get("firmware"))[:80],
        users=_maybe(said.get("useduser")),
        user_capacity=_maybe(said.get("usersize")),
        log_used=_maybe(said.get("usedlog")),
        log_capacity=_maybe(said.get("logsize")),
        second=clock_of(said.get("time")),
        mac=_text(said.get("mac"))[:32],
    )


def clock_of(value: Json) -> DeviceSeconds | None:
    """A clock in a message; None where it is none."""
    try:
        return _second(value)
    except DataError:
        return None


def enrolled_of(message: Message) -> list[tuple[str, int, int]]:
    """User, kind of credential, rights of each row of getuserlist; what is in ``record`` below is never looked at."""
    return [
        (user[:64], _maybe(row.get("backupnum")) or 0, _maybe(row.get("admin")) or 0)
        for row in message.records()
        if isinstance(row, dict) and (user := _text(row.get("enrollid")))
    ]


def name_of(message: Message) -> str:
    """The answer to getusername."""
    return _text(message.fields.get("record"))[:80]


def card_of(message: Message) -> str:
    """The answer to getuserinfo with backupnum 11; empty for anything but a number."""
    card = _text(message.fields.get("record"))
    return card if card.isascii() and card.isdecimal() and len(card) <= 20 else ""


def answer(name: str, /, **fields: Json) -> str:
    """An answer with ``result``: true."""
    return json.dumps({"ret": name, "result": True, **fields}, separators=(",", ":"), ensure_ascii=False)


def refusal(name: str, reason: str) -> str:
    """An answer with ``result``: false."""
    return json.dumps({"ret": name, "result": False, "reason": reason}, separators=(",", ":"))


def command(name: str, /, **fields: Json) -> str:
    """A question of ours."""
    return json.dumps({"cmd": name, **fields}, separators=(",", ":"), ensure_ascii=False)


def _item(row: Json, *, stranger_events: bool) -> Item:
    user = _text(row.get("enrollid"))[:64] if isinstance(row, dict) else ""
    if not isinstance(row, dict) or not user:
        return Bad("bad_row", _harmless(row))
    event = _maybe(row.get("event")) or 0
    if user == "0":
        return Happening(EVENTS.get(event, "event"), event)
    if user == STRANGER or (stranger_events and event == 2 and row.get("image")):
        return Happening("stranger", event)
    try:
        second = _second(row.get("time"))
    except DataError as error:
        return Bad(error.code, _harmless(row))
    return Row(user, second, _code(row.get("mode")), _code(row.get("inout")), event, _maybe(row.get("verifymode")))


_KEPT = ("enrollid", "time", "mode", "inout", "event", "verifymode", "temp")


def _harmless(row: Json) -> bytes:
    if not isinstance(row, dict):
        return b""
    short = {key: value[:LONG_TEXT] if isinstance(value, str) else value for key, value in row.items() if key in _KEPT}
    plain = {key: value for key, value in short.items() if isinstance(value, str | int | float)}
    return json.dumps(plain).encode()[:RAW_LIMIT]


def _second(value: Json) -> DeviceSeconds:
    text = value.strip()[:40] if isinstance(value, str) else ""
    try:
        # Ten times as fast as strptime, which is left to what is not written out in full.
        wall = datetime.fromisoformat(text) if _FULL.fullmatch(text) else datetime.strptime(text, TIME_FORMAT)  # noqa: DTZ007  # a terminal's clock has no zone
    except ValueError as error:
        raise DataError(f"time {text!r}: expected YYYY-MM-DD hh:mm:ss", code="bad_time") from error
    if not 1970 <= wall.year < 2200:
        raise DataError(f"time {text!r}: expected 1970 to 2199", code="bad_time")
    return device_seconds(wall)


def _loads(text: str) -> Json:
    try:
        found: Json = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise DataError(f"no JSON: {str(error)[:80]}", code="bad_json") from error
    return found


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _maybe(value: Json) -> int | None:
    """A number, or text of one; None for everything else."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53
    return value if fits and isinstance(value, int) else None


def _code(value: Json) -> int:
    """A code that a row must have; -1 where it has none, so that none is invented."""
    number = _maybe(value)
    return -1 if number is None else number


def texts(messages: Sequence[bytes]) -> list[bytes]:
    """Messages of a capture: one each line, with or without ``dev >`` and ``srv >`` before it."""
    return [re.sub(rb"^\s*(?:dev|srv)\s*>\s*", b"", line) for line in messages if line.strip()]
