"""Text of Hanvon's FaceID protocol to values and back (hanvon-faceid.md); only DataError leaves this module.

Times are the terminal's wall clock, ``DeviceSeconds``. Templates, photos and keys are dropped while they arrive: what
is kept of an answer never holds them.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from shared.clock import DeviceSeconds, device_seconds
from shared.errors import DataError

WAIT, RETURN = "Wait", "Return"
DROPPED = re.compile(r"(?:\w*_data|photo\w*|commukey|calid|\w*pass\w*|\w*pwd)\Z", re.IGNORECASE)
"""Keys whose values are drained unread: templates, pictures, the key, and a number that may be a national id."""
KEY_LIMIT = 64
VALUE_LIMIT = 1024
"""Longest value kept; names and ids are far shorter."""
FIELD_LIMIT = 100_000
"""Fields kept of one answer; a day of 10,000 rows has fewer."""
ANSWERS_AT_ONCE = 16
ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of one answer; a day's rows with photos are below."""
CARD_TYPES = {
    "cardtype_on": "in",
    "cardtype_off": "out",
    "cardtype_addon": "overtime_in",
    "cardtype_addoff": "overtime_out",
    "cardtype_out": "break_out",
    "cardtype_back": "break_in",
}
_BLANKS = b" \t\r\n\0"
_KEY_END = re.compile(rb"[=)]")
_WHOLE_FIELD = re.compile(rb'[ \t\r\n\0]*(\w{1,64})[ \t\r\n\0]*=[ \t\r\n\0]*"([^"]{0,1024})"')
"""What nearly every field looks like, when all of it is there; the rest is read piece by piece."""
_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2}) +(\d{1,2}):(\d{1,2}):(\d{1,2})\Z", re.ASCII)
_CURLY = (b"\xe2\x80\x9c", b"\xe2\x80\x9d", b"\xa1\xb0", b"\xa1\xb1")
"""Typographic quotes in UTF-8 and GBK."""


class Field(NamedTuple):
    """One ``key="value"``; the value of a dropped key is empty."""

    key: str
    value: str


class Answer(NamedTuple):
    """``Return`` or ``Wait`` with its fields in order; keys repeat."""

    name: str
    fields: tuple[Field, ...]

    def get(self, key: str) -> str | None:
        """The first value of that key."""
        return next((field.value for field in self.fields if field.key == key), None)

    @property
    def succeeded(self) -> bool:
        """It says success."""
        return self.get("result") == "success"

    @property
    def reason(self) -> str:
        """Why it failed, in the terminal's words."""
        return self.get("reason") or "no reason given"


class RecordRow(NamedTuple):
    """One punch as the terminal wrote it."""

    user: str
    at: DeviceSeconds
    status: int | None
    work_code: int | None
    card_type: str
    kind: str
    """``face`` or ``photo``; empty where the model does not say."""


class BadRow(NamedTuple):
    """A row that is no punch: ``bad_time`` or ``no_user``, with its fields as text."""

    reason: str
    raw: bytes


class Employee(NamedTuple):
    """Somebody enrolled: number, name, card; templates are not taken over."""

    number: str
    name: str
    card: str


# The cipher


class Cipher:
    """XOR with eight bytes made of the communication key; the position starts at 0 for each request and answer."""

    def __init__(self, password: str = "") -> None:
        if password and not (password.isascii() and password.isdecimal() and len(password) <= 8):
            raise DataError("a communication key has 1 to 8 digits", "bad_key")
        text = password.encode().ljust(8, b"\0")
        self._key = bytes(byte + (2**n >> 1) for n, byte in enumerate(text)) if password else b""
        self._position = 0

    def start(self) -> None:
        """Begin with the next request or answer."""
        self._position = 0

    def apply(self, data: bytes) -> bytes:
        """The next bytes of a message, in clear or not: both ways are the same."""
        found = self.peek(data)
        self._position += len(data)
        return found

    def rewind(self, count: int) -> None:
        """Go back by that many bytes."""
        self._position -= count

    def peek(self, data: bytes) -> bytes:
        """As ``apply``, without moving on."""
        if not self._key:
            return data
        shift = self._position % 8
        turned = (self._key[shift:] + self._key[:shift]) * (len(data) // 8 + 1)
        return (int.from_bytes(data, "big") ^ int.from_bytes(turned[: len(data)], "big")).to_bytes(len(data), "big")


# Requests


def encode_request(command: str, encoding: str = "gbk", **values: str) -> bytes:
    """A request as text, such as ``GetEmployee(id="120")``; there is no escape, so values lose what would end them."""
    return encode_pairs(command, values.items(), encoding)


def encode_pairs(command: str, pairs: Iterable[tuple[str, str]], encoding: str = "gbk") -> bytes:
    """A request whose keys need not be names, as in ``SetNameTable(120="WANG WEI")``."""
    text = " ".join(f'{clean(key)}="{clean(value)}"' for key, value in pairs)
    return f"{command}({text})".encode(encoding, "replace")


def clean(value: str) -> str:
    """The value without quotes, round brackets and line ends."""
    return re.sub(r'["“”()\r\n\0]', "", value)


def time_text(at: datetime) -> str:
    """A time as requests write it, without leading zeros in the time of day."""
    return f"{at:%Y-%m-%d} {at.hour}:{at.minute}:{at.second}"


# Answers


class AnswerReader:
    """Puts answers together from any pieces; values of dropped keys are forgotten as they arrive.

    A bracket ends an answer only outside quotes, as names may hold some.
    """

    def __init__(self, encoding: str = "gbk", cipher: Cipher | None = None) -> None:
        self._encoding = encoding
        self._cipher = cipher or Cipher()
        self._size = 0
        self._name = bytearray()
        self._key = bytearray()
        self._value = bytearray()
        self._fields: list[Field] = []
        self._closing = b'"'
        self._state = self._in_name
        self._done = False
        self._drop = False
        self._rest = b""

    def feed(self, piece: bytes) -> list[Answer]:
        """Answers that this piece completes: a Wait and its Return may come together.

        DataError ``wrong_key`` when it does not start like an answer, ``syntax`` or ``oversize`` otherwise.
        """
        self._size += len(piece)
        if self._size > ANSWER_LIMIT:
            raise DataError(f"an answer of more than {ANSWER_LIMIT} bytes", "oversize")
        answers: list[Answer] = []
        while piece:
            data, self._rest = self._rest + self._cipher.apply(piece), b""
            at = 0
            while at < len(data) and not self._done:
                at = self._state(data, at)
            if not self._done:
                break
            answers.append(self._take())
            if len(answers) > ANSWERS_AT_ONCE:
                raise DataError(f"more than {ANSWERS_AT_ONCE} answers at once", "syntax")
            piece = self._next_message(piece, len(data) - at)
        return answers

    @property
    def begun(self) -> bool:
        """Something of an answer has arrived that is not complete."""
        return bool(self._name or self._fields or self._rest)

    def _next_message(self, piece: bytes, left: int) -> bytes:
        """What follows a complete answer: a line end still belongs to it, then the cipher starts anew."""
        self._cipher.rewind(left)
        following = piece[len(piece) - left :]
        if self._cipher.peek(following[:2]) == b"\r\n":
            following = following[2:]
        self._cipher.start()
        return following

    def _take(self) -> Answer:
        answer = Answer(self._name.decode("ascii"), tuple(self._fields))
        self._name.clear()
        self._fields = []
        self._done = False
        self._state = self._in_name
        self._size = 0
        return answer

    def _in_name(self, data: bytes, at: int) -> int:
        end = data.find(b"(", at)
        stop = len(data) if end < 0 else end
        self._name += data[at:stop].lstrip(_BLANKS) if not self._name else data[at:stop]
        name = self._name.decode("latin-1")
        if not any(known.startswith(name) for known in (WAIT, RETURN)) or (end >= 0 and name not in (WAIT, RETURN)):
            raise DataError("the answer does not start with Return( or Wait(", "wrong_key")
        if end < 0:
            return stop
        self._state = self._in_key
        return end + 1

    def _in_key(self, data: bytes, at: int) -> int:
        """Between fields and inside a key, up to its equals sign or the closing bracket."""
        while not self._key and (whole := _WHOLE_FIELD.match(data, at)):
            self._add(whole[1], whole[2])
            at = whole.end()
        if at == len(data):
            return at
        match = _KEY_END.search(data, at)
        stop = len(data) if match is None else match.start()
        self._key += data[at:stop].translate(None, _BLANKS)
        if len(self._key) > KEY_LIMIT:
            raise DataError(f"a key of more than {KEY_LIMIT} bytes", "syntax")
        if match is None:
            return stop
        if match[0] == b"=":
            self._state = self._before_value
        elif self._key:
            raise DataError(f"a bracket after the key {bytes(self._key[:20])!r}, expected =", "syntax")
        else:
            self._done = True
        return stop + 1

    def _before_value(self, data: bytes, at: int) -> int:
        """After an equals sign, up to the opening quote, straight or typographic."""
        if data[at] in _BLANKS:
            return at + 1
        quote = data[at : at + 3]
        if quote[:1] == b'"':
            self._closing = b'"'
            return self._open(at + 1)
        for curly in _CURLY:
            if quote.startswith(curly):
                self._closing = curly
                return self._open(at + len(curly))
            if curly.startswith(quote):  # cut in the middle of a quote
                self._rest = quote
                return len(data)
        raise DataError(f"expected a quote after {bytes(self._key[:20])!r}=", "syntax")

    def _open(self, at: int) -> int:
        self._drop = _key_of(bytes(self._key))[1]
        self._state = self._in_value
        return at

    def _in_value(self, data: bytes, at: int) -> int:
        end, width = self._end_of_value(data, at)
        stop = len(data) if end < 0 else end
        if not self._drop:
            room = VALUE_LIMIT - len(self._value)
            self._value += data[at : min(stop, at + max(room, 0))]
        if end < 0:
            keep = self._half_quote(data, at)
            if keep:
                self._rest = data[-keep:]
                if not self._drop and len(self._value) >= keep:
                    del self._value[-keep:]
            return len(data)
        self._close()
        return end + width

    def _end_of_value(self, data: bytes, at: int) -> tuple[int, int]:
        """Where the value ends and how many bytes the quote has; -1 when it does not end here."""
        if self._closing == b'"':
            return data.find(b'"', at), 1
        pair = _CURLY[:2] if self._closing in _CURLY[:2] else _CURLY[2:]
        ends = [(found, len(quote)) for quote in pair if (found := data.find(quote, at)) >= 0]
        return min(ends, default=(-1, 0))

    def _half_quote(self, data: bytes, at: int) -> int:
        """How many bytes at the end may be the start of a typographic closing quote."""
        if self._closing == b'"':
            return 0
        longest = min(2, len(data) - at)
        halves = (n for n in range(longest, 0, -1) if any(quote.startswith(data[-n:]) for quote in _CURLY))
        return next(halves, 0)

    def _close(self) -> None:
        self._add(bytes(self._key), bytes(self._value))
        self._key.clear()
        self._value.clear()
        self._state = self._in_key

    def _add(self, key: bytes, value: bytes) -> None:
        if len(self._fields) >= FIELD_LIMIT:
            raise DataError(f"an answer of more than {FIELD_LIMIT} fields", "oversize")
        name, dropped = _key_of(key)
        self._fields.append(Field(name, "" if dropped else decode_text(value, self._encoding)))


@lru_cache(maxsize=256)
def _key_of(raw: bytes) -> tuple[str, bool]:
    """A key as text, and whether its values are drained."""
    name = decode_text(raw)
    return name, DROPPED.match(name) is not None


def decode_text(raw: bytes, encoding: str = "gbk") -> str:
    """Text of a terminal: UTF-8 if it is that, else its code page, with what fits neither replaced."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(encoding, "replace")


def answers_of(data: bytes, encoding: str = "gbk") -> list[Answer]:
    """Answers in a capture without cipher; DataError when the last is cut off."""
    reader = AnswerReader(encoding)
    answers = reader.feed(data.strip(_BLANKS))
    if reader.begun or not answers:
        raise DataError("the answer is cut off, expected its closing bracket", "cut_off")
    return answers


# What a terminal tells


def decode_time(text: str) -> datetime:
    """The naive wall time in ``2026-1-9 8:59:1``; hour 24 is the next midnight. DataError ``bad_time``."""
    match = _TIME.match(text.strip())
    if match is None:
        raise DataError(f"time {text[:40]!r}: expected 2026-11-23 8:59:01", "bad_time")
    year, month, day, hour, minute, second = map(int, match.groups())
    late = hour == 24 and minute == second == 0
    try:
        at = datetime(year, month, day, 0 if late else hour, minute, second)  # noqa: DTZ001 a terminal has no zone
        return at + timedelta(days=late)
    except (ValueError, OverflowError) as error:
        raise DataError(f"time {text[:40]!r}: {error}", "bad_time") from error


def decode_records(answer: Answer) -> list[RecordRow | BadRow]:
    """Punches of GetRecord: each begins with its time, and what follows belongs to it; ``total`` is not reliable."""
    return [_row(fields) for fields in _rows(answer.fields)]


def _rows(fields: Iterable[Field]) -> Iterator[list[Field]]:
    row: list[Field] | None = None
    for field in fields:
        if field.key == "time":
            if row is not None:
                yield row
            row = []
        if row is not None:
            row.append(field)
    if row is not None:
        yield row


def _row(fields: list[Field]) -> RecordRow | BadRow:
    values = {field.key: field.value for field in reversed(fields)}
    user = values.get("id", "")
    try:
        at = device_seconds(decode_time(values["time"]))
    except DataError as error:
        return _bad(error.code, fields)
    if not user:
        return _bad("no_user", fields)
    status, work_code = _number(values.get("status")), _number(values.get("workcode"))
    return RecordRow(user, at, status, work_code, values.get("card_type", ""), values.get("type", ""))


def _bad(reason: str, fields: list[Field]) -> BadRow:
    """The row without its name: what can not be read must not tell who it was either."""
    told = " ".join(f'{key}="{value}"' for key, value in fields if key != "name" and not DROPPED.match(key))
    return BadRow(reason, told.encode("utf-8", "replace"))


def employee_numbers(answer: Answer) -> list[str]:
    """Numbers in an answer to GetEmployeeID, each once."""
    return list(dict.fromkeys(field.value for field in answer.fields if field.key == "id"))


def employee_of(answer: Answer) -> Employee:
    """Number, name and card in an answer to GetEmployee; the card as the terminal writes it, empty for none."""
    card = answer.get("card_num") or ""
    none = not card.upper().removeprefix("0X").strip("0F")
    return Employee(answer.get("id") or "", answer.get("name") or "", "" if none else card)


def count_of(answer: Answer, key: str) -> int | None:
    """A counter; None where the model has none. They can be absurd: report, do not compute with them."""
    return _number(answer.get(key))


def seconds_of_wait(answer: Answer) -> float:
    """How long a Wait asks for, at most 10 minutes; 5 s where it does not say."""
    return float(min(_number(answer.get("wait_time")) or 5, 600))


def _number(text: str | None) -> int | None:
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None
