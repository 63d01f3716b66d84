"""Requests of the FK web protocol to values, and values to answers; no I/O.

Source: protocols/fkweb.md of the specification, grade A (the vendor's own server and captures of six models).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import msgspec

from gateway.drivers.fkweb.records import (
    ABSENT,
    Bad,
    Log,
    Record,
    Row,
    decode_log,
    decode_users,
    is_user,
)
from gateway.transports.source import wall_second
from shared.clock import DeviceSeconds, MonotonicMs
from shared.errors import DataError

JSON_LIMIT = 4 * 1024 * 1024
"""Bytes of the JSON; some firmware puts its picture there as text."""
RAW_LIMIT = 1024
"""Bytes kept of a message that can not be read; a picture begins behind them."""
BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of one message in blocks; 160,000 records of the largest kind."""
WAITING_LIMIT = 24 * 1024 * 1024
"""Bytes of all unfinished messages together."""
BLOCK_AGE_MS = 120_000

_TIMES = (
    re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII),
    re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII),
    re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII),
)
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z_.-]{1,40}", re.ASCII)
Text: TypeAlias = str | int | float | bool | None
Message = TypeVar("Message", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Call:
    """What the headers of a request say; a text is empty where it is missing or no word."""

    code: str
    device: str
    trans_id: str
    block: int
    result: str


@dataclass(frozen=True, slots=True)
class Poll:
    """A terminal asks for a command, and says what it is."""

    at: DeviceSeconds | None
    """Its clock; None when it shows none."""
    library: str | None
    firmware: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """Counters of a terminal; None where it does not say."""

    users: int | None
    log_used: int | None
    log_capacity: int | None


class _Glog(msgspec.Struct):
    user_id: Text = None
    verify_mode: object = None
    io_mode: object = None
    io_time: Text = None
    fk_bin_data_lib: Text = None


class _FkInfo(msgspec.Struct):
    firmware: Text = None
    fk_bin_data_lib: Text = None


class _Poll(msgspec.Struct):
    fk_name: Text = None
    fk_time: Text = None
    fk_info: _FkInfo | None = None


class _LogAnswer(msgspec.Struct):
    log_count: Text = None
    one_log_size: Text = None
    log_array: Text = None


class _UserAnswer(msgspec.Struct):
    user_id_count: Text = None
    one_user_id_size: Text = None
    user_id_array: Text = None


class _StatusAnswer(msgspec.Struct):
    user_count: Text = None
    total_log_count: Text = None
    total_log_max: Text = None
    """Grade C: named by no page, taken where a firmware sends it."""


# Requests


def call_of(headers: Mapping[str, str]) -> Call:
    """What the headers say, by lower-case name; DataError when a proxy dropped those with underscores."""
    if "request_code" not in headers or "dev_id" not in headers:
        raise DataError("no request_code or dev_id: a proxy drops headers with underscores", code="no_headers")
    block = headers.get("blk_no", "0").strip() or "0"
    if not (block.isascii() and block.isdigit() and len(block) <= 6):
        raise DataError(f"blk_no {block[:20]!r}: expected a number", code="bad_block")
    return Call(
        code=_word(headers["request_code"]).lower(),
        device=_word(headers["dev_id"]),
        trans_id=_word(headers.get("trans_id") or headers.get("cmd_id") or ""),
        block=int(block),
        result=_word(headers.get("cmd_return_code", "")),
    )


def _word(text: str) -> str:
    return text.strip() if _WORD.fullmatch(text.strip()) else ""


@dataclass(slots=True)
class _Unfinished:
    data: bytearray
    block: int
    last: bytes
    at_ms: MonotonicMs


@dataclass(slots=True)
class Blocks:
    """Puts messages together that come in blocks 1, 2, ... 0; block 0 alone is a whole message."""

    _waiting: dict[tuple[str, str], _Unfinished] = field(default_factory=dict)

    def add(self, call: Call, data: bytes, now_ms: MonotonicMs) -> bytes | None:
        """The whole message, None while blocks are missing; DataError for a gap or for more than a terminal has."""
        self._forget(now_ms)
        key = (call.device, call.code)
        waiting = self._waiting.get(key)
        if call.block == 1:
            self._waiting[key] = _Unfinished(bytearray(data), 1, data, now_ms)
        elif call.block == 0 and (waiting is None or is_sound(data)):
            self._waiting.pop(key, None)  # one that was cut off by a restart of the terminal comes again
            return data
        elif waiting is None:
            raise DataError(f"block {call.block} without block 1", code="block_gap")
        elif call.block == waiting.block and data == waiting.last:
            return None  # it did not get our answer
        elif call.block not in (0, waiting.block + 1):
            del self._waiting[key]
            raise DataError(f"block {call.block} after block {waiting.block}", code="block_gap")
        else:
            waiting.data += data
            waiting.block, waiting.last, waiting.at_ms = call.block, data, now_ms
        self._check_size(key)
        if call.block == 0:
            return bytes(self._waiting.pop(key).data)
        return None

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return sum(len(waiting.data) for waiting in self._waiting.values())

    def _check_size(self, key: tuple[str, str]) -> None:
        if len(self._waiting[key].data) > BODY_LIMIT or self.size > WAITING_LIMIT:
            del self._waiting[key]
            raise DataError(f"message of more than {BODY_LIMIT} bytes", code="too_large")

    def _forget(self, now_ms: MonotonicMs) -> None:
        for key in [key for key, waiting in self._waiting.items() if now_ms - waiting.at_ms > BLOCK_AGE_MS]:
            del self._waiting[key]


# Bodies


def split_body(body: bytes) -> tuple[bytes, bytes]:
    """JSON text and what follows it; DataError when the length in front is wrong.

    A length may begin with the byte of ``{`` (123), so bare JSON is what is no length and JSON.
    """
    length = int.from_bytes(body[:4], "little")
    if len(body) > 4 and body[4:5] == b"{" and 4 + length <= len(body):
        return body[4 : 4 + length].rstrip(b"\0"), body[4 + length :]
    if body[:1] == b"{":
        return body.rstrip(b"\0"), b""
    raise DataError(f"length {length} before the JSON of a body of {len(body)} bytes", code="bad_length")


def is_sound(body: bytes) -> bool:
    """Whether that is a whole message of its own."""
    try:
        text, _ = split_body(body)
        msgspec.json.decode(_utf8(text[:JSON_LIMIT]), type=dict[str, msgspec.Raw])
    except (DataError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def binary_of(rest: bytes, size: int) -> bytes:
    """The first binary after the JSON; some firmware omits its length."""
    if len(rest) == size:
        return rest
    if int.from_bytes(rest[:4], "little") == size and len(rest) >= 4 + size:
        return rest[4 : 4 + size]
    raise DataError(f"{len(rest)} bytes after the JSON, expected a binary of {size}", code="bad_length")


def decode_glog(body: bytes) -> Record:
    """One punch, or why it is none. A picture behind it is not looked at, nor one inside the JSON."""
    try:
        text, _ = split_body(body)
        told = _decode(text, _Glog)
    except DataError as error:
        return Bad(error.code, _without_picture(body))
    user, when = _text(told.user_id), parse_time(_text(told.io_time))
    if when is None:
        return Bad("bad_time", _safe(told))
    if not is_user(user):
        return Bad("bad_user", _safe(told))
    return Row(user, when, _number(told.verify_mode), _number(told.io_mode))


def decode_poll(body: bytes) -> Poll:
    """What a terminal says when it asks for a command; DataError when that is no JSON."""
    if not body.strip(b"\0"):
        return Poll(None, None, None, None)
    told = _decode(split_body(body)[0], _Poll)
    info = told.fk_info or _FkInfo()
    return Poll(
        parse_time(_text(told.fk_time)),
        _text(info.fk_bin_data_lib)[:40] or None,
        _text(info.firmware)[:80] or None,
        _text(told.fk_name)[:40] or None,
    )


def decode_log_answer(body: bytes, library: str | None) -> Log:
    """The log that GET_LOG_DATA brings; DataError when it can not be read as a whole."""
    text, rest = split_body(body)
    told = _decode(text, _LogAnswer)
    count, size = _number(told.log_count), _number(told.one_log_size)
    if count == 0 or (count == ABSENT and told.log_array is None):
        return Log((), 0)
    return decode_log(library, size, binary_of(rest, count * size))


def decode_user_answer(body: bytes, library: str | None) -> frozenset[str]:
    """The users that GET_USER_ID_LIST brings."""
    text, rest = split_body(body)
    told = _decode(text, _UserAnswer)
    count, size = _number(told.user_id_count), _number(told.one_user_id_size)
    if count <= 0:
        return frozenset()
    return decode_users(library, size, binary_of(rest, count * size))


def decode_status(body: bytes) -> Status:
    """The counters that GET_DEVICE_STATUS brings."""
    told = _decode(split_body(body)[0], _StatusAnswer)
    return Status(*(_known(value) for value in (told.user_count, told.total_log_count, told.total_log_max)))


def keys_of(body: bytes) -> frozenset[str]:
    """Names in the JSON, by which a captured body without headers is told apart; DataError without JSON."""
    text, _ = split_body(body)
    try:
        return frozenset(msgspec.json.decode(_utf8(text[:JSON_LIMIT]), type=dict[str, msgspec.Raw]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("no JSON", code="bad_json") from error


def parse_time(text: str) -> DeviceSeconds | None:
    """A device time in one of the three forms that firmware writes; None for anything else."""
    for pattern in _TIMES:
        if match := pattern.fullmatch(text.strip()):
            year, *rest = map(int, match.groups())
            month, day, hour, minute, second = rest
            return wall_second((year + 2000 if year < 100 else year, month, day), (hour, minute, second))
    return None


def _decode(text: bytes, kind: type[Message]) -> Message:
    if len(text) > JSON_LIMIT:
        raise DataError(f"JSON of {len(text)} bytes", code="too_large")
    try:
        return msgspec.json.decode(_utf8(text), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"JSON can not be read: {str(error)[:80]}", code="bad_json") from error


def _utf8(text: bytes) -> bytes:
    """Names in GBK turned into UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("gb18030").encode()
    return text


def _text(value: Text) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else ""
    return str(value) if not isinstance(value, int) or abs(value) < 1 << 64 else ""


def _number(value: object) -> int:
    if not isinstance(value, str | int | float):
        return ABSENT
    text = _text(value).strip()
    return int(text) if _NUMBER.fullmatch(text) and int(text) < 1 << 32 else ABSENT


def _known(value: Text) -> int | None:
    number = _number(value)
    return None if number == ABSENT else number


def _safe(told: _Glog) -> bytes:
    """What is kept of a punch that can not be read: its own fields, and nothing of names and pictures."""
    fields = {"user_id": _text(told.user_id)[:80], "io_time": _text(told.io_time)[:40]}
    return msgspec.json.encode(fields | {"verify_mode": _number(told.verify_mode), "io_mode": _number(told.io_mode)})


def _without_picture(body: bytes) -> bytes:
    """The start of a message that can not be read, cut before what could be a picture, a template or a password."""
    start = body[:RAW_LIMIT]
    found = re.search(rb"\xff\xd8|log_image|photo|enroll|password|card|name|BIN_", start, re.IGNORECASE)
    return start[: found.start()] if found else start


# Answers


def encode_body(text: str) -> bytes:
    """JSON as a body: its length with the trailing NUL, then both."""
    raw = text.encode() + b"\0"
    return len(raw).to_bytes(4, "little") + raw


@dataclass(frozen=True, slots=True)
class Command:
    """Something that a terminal is asked; the ones here change nothing but its clock."""

    code: str
    text: str = ""
    """Parameter as JSON."""

    @property
    def body(self) -> bytes:
        """The body that carries it."""
        return encode_body(self.text) if self.text else b""


GET_DEVICE_STATUS = Command("GET_DEVICE_STATUS")
GET_USER_ID_LIST = Command("GET_USER_ID_LIST")


def get_log_data(begin: str, end: str) -> Command:
    """Asks for the log between two device times of 14 digits."""
    return Command("GET_LOG_DATA", f'{{"begin_time":"{begin}","end_time":"{end}"}}')


def set_time(wall: str) -> Command:
    """Sets the clock to a device time of 14 digits."""
    return Command("SET_TIME", f'{{"time":"{wall}"}}')


def headers_of(code: str, trans_id: str = "", command: str = "") -> tuple[tuple[str, str], ...]:
    """The headers of an answer, with their underscores."""
    return (("response_code", code), ("trans_id", trans_id), ("cmd_code", command))
