"""Answers of the Akuvox HTTP API to values; no I/O. What somebody typed at the door is never kept.

Source: protocols/http-intercoms.md of the specification, grade B.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import msgspec

from gateway.transports.source import wall_second
from shared.clock import DeviceSeconds
from shared.errors import ConfigError, DataError, RetryableError

BODY_LIMIT = 4 * 1024 * 1024
ROWS_LIMIT = 20_000
USER_LIMIT = 64
TYPED = frozenset({"2", "3"})
"""Types whose code is what was typed at the door: a password or a PIN."""
UNSUPPORTED = frozenset({-1, -404})
TYPES = {"card": "1", "rf card": "1", "password": "2", "private pin": "2", "pin": "3", "public pin": "3", "face": "4"}
"""Some firmware writes words."""
ABSENT = -1
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)", re.ASCII)
_MAC = re.compile(r"[0-9A-F]{12}", re.ASCII)
Told = TypeVar("Told", bound=msgspec.Struct)
Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the door log; ``user`` is empty for one that is no punch."""

    mark: bytes
    """Stands for this line; lines have no number that stays."""
    user: str
    at: DeviceSeconds
    kind: int
    status: int


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that can not be a punch."""

    mark: bytes
    reason: str
    raw: bytes


Row: TypeAlias = Entry | Bad


@dataclass(frozen=True, slots=True)
class Info:
    """What a terminal says of itself; None where it does not."""

    serial: str | None
    model: str | None
    firmware: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled: number, name, card."""

    number: str
    name: str
    card: str


class _Item(msgspec.Struct):
    Type: Value = None
    Status: Value = None
    Code: Value = None
    UserID: Value = None
    Date: Value = None
    Time: Value = None


class _User(msgspec.Struct):
    UserID: Value = None
    Name: Value = None
    CardCode: Value = None


class _Rows(msgspec.Struct):
    item: list[_Item] | _Item | None = None


class _Users(msgspec.Struct):
    item: list[_User] | _User | None = None


class _Status(msgspec.Struct):
    MAC: Value = None
    Model: Value = None
    FirmwareVersion: Value = None


class _Info(msgspec.Struct):
    MAC: Value = None
    Model: Value = None
    FirmwareVersion: Value = None
    Status: _Status | None = None


class _Head(msgspec.Struct):
    retcode: Value = None
    message: Value = None
    data: msgspec.Raw = msgspec.Raw(b"null")


def decode_log(body: bytes) -> list[Row]:
    """Lines of one page, newest first; the one line of a page may stand without a list."""
    told = (_data(body, _Rows) or _Rows()).item or []
    items = told if isinstance(told, list) else [told]
    if len(items) > ROWS_LIMIT:
        raise DataError(f"{len(items)} lines on one page", code="too_large")
    return [_row(item) for item in items]


def decode_info(body: bytes) -> Info:
    """The answer of system/info: the MAC address is what these terminals are known by."""
    told = _data(body, _Info) or _Info()
    inner = told.Status or told
    mac = re.sub("[^0-9A-F]", "", _text(inner.MAC).upper())
    return Info(
        mac if _MAC.fullmatch(mac) else None,
        _text(inner.Model)[:80] or None,
        _text(inner.FirmwareVersion)[:80] or None,
    )


def decode_users(body: bytes) -> list[Person]:
    """People of one page; their PINs and pictures are not read."""
    told = (_data(body, _Users) or _Users()).item or []
    items = told if isinstance(told, list) else [told]
    return [Person(_text(one.UserID), _text(one.Name)[:80], _text(one.CardCode)[:200]) for one in items[:ROWS_LIMIT]]


def _row(item: _Item) -> Row:
    kind, status = _text(item.Type).strip(), _text(item.Status).strip()
    kind = TYPES.get(kind.lower(), kind)
    code = "" if kind in TYPED else _text(item.Code)
    user = _text(item.UserID) or code
    told = (_text(item.Date), _text(item.Time), kind, status, user)
    mark = hashlib.sha256("\0".join(told).encode()).digest()[:16]
    if status.lower() not in ("0", "success"):
        return Entry(mark, "", 0, _number(kind), _number(status))
    day, clock = _DATE.fullmatch(told[0].strip()), _TIME.fullmatch(told[1].strip())
    at = None
    if day and clock:
        at = wall_second((int(day[1]), int(day[2]), int(day[3])), (int(clock[1]), int(clock[2]), int(clock[3])))
    raw = f"Date={told[0][:20]}&Time={told[1][:20]}&Type={kind[:20]}&Status={status[:20]}&user={user[:80]}".encode()
    if at is None:
        return Bad(mark, "bad_time", raw)
    if not (0 < len(user) <= USER_LIMIT and user.strip() and user.isprintable()):
        return Bad(mark, "bad_user", raw)
    return Entry(mark, user, at, _number(kind), _number(status))


def _data(body: bytes, kind: type[Told]) -> Told | None:
    """The data of an answer; ConfigError for a model that can not, RetryableError for another refusal."""
    try:
        head = msgspec.json.decode(body, type=_Head)
        code = _signed(head.retcode)
        if code == 0:
            empty = bytes(head.data).strip() in (b"null", b'""', b"[]")
            return None if empty else msgspec.json.decode(head.data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"answer can not be read: {str(error)[:80]}", code="bad_answer") from error
    text = f"the terminal answers {code}: {_text(head.message)[:80]}"
    if code in UNSUPPORTED:
        raise ConfigError(f"{text}; this model or its firmware does not offer it, or its HTTP API is switched off")
    raise RetryableError(text)


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else ""
    return str(value) if not isinstance(value, int) or abs(value) < 1 << 64 else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else ABSENT


def _signed(value: Value) -> int | None:
    text = _text(value).strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None
