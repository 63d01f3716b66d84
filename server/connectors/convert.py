"""From a source's text and numbers to typed values (``as`` in a source file). DataError carries the reason code."""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias, TypeVar, get_args
from zoneinfo import ZoneInfo

from shared.errors import DataError

As: TypeAlias = Literal[
    "text",
    "int",
    "money_minor",
    "date",
    "datetime",
    "epoch_s",
    "epoch_ms",
    "epoch_s_date",
    "epoch_ms_date",
    "excel_date",
    "bool",
    "duration_s",
]
KINDS: tuple[As, ...] = get_args(As)

LONGEST = 20_000
SIMPLE = frozenset((str, int, float, bool, type(None)))
"""Types of values that hold no others, and are the same in JSON."""
_DIGITS: Mapping[str, int] = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "TND": 3}
"""Decimal places of currencies that do not have two (ISO 4217)."""
_EXCEL_FIRST, _EXCEL_LAST = 20_000, 80_000
_EXCEL_ZERO = dt.date(1899, 12, 30)
_LARGEST, _SMALLEST = Decimal(10) ** 15, -(Decimal(10) ** 15)
_Moment = TypeVar("_Moment", dt.date, dt.datetime)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TRUE = frozenset(("true", "1", "yes", "y", "t", "是", "对", "真"))
_FALSE = frozenset(("false", "0", "no", "n", "f", "否", "错", "假"))
_DATE = re.compile(r"(\d{4})([-/.年])(\d{1,2})[-/.月](\d{1,2})日?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?(?:[.,]\d+)?\s*(Z|[+-]\d{2}:?(?:\d{2})?)?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
_SIGN = re.compile(r"^([+-]?)[¥￥$€£]")
_DURATION = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})")
_ISO_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a value needs to be understood."""

    zone: ZoneInfo
    """Of times without offset."""
    currency: str | None = None
    """Of money, for its decimal places."""


def is_empty(value: Any) -> bool:
    """Whether a source said nothing; ``false`` is an answer, though some send it for nothing (they say ``empty``)."""
    return value is None or (isinstance(value, str) and (not value or value.isspace()))


def convert(value: Any, kind: As, reading: Reading) -> Any:
    """The value as that kind; DataError with the reason code."""
    return _CONVERTERS[kind](single(value), reading)


def converter(kind: As) -> Callable[[Any, Reading], Any]:
    """``convert`` for one kind."""
    to_kind = _CONVERTERS[kind]
    return lambda value, reading: to_kind(single(value), reading)


def single(value: Any) -> Any:
    """A value that can be read at all, text without blanks around."""
    if isinstance(value, str):
        if len(value) > LONGEST:
            raise DataError(f"{len(value)} characters, at most {LONGEST}", "too_large")
        if "\0" in value:
            raise DataError("holds a NUL, which no database takes as text", "bad_encoding")
        return value.strip()
    if isinstance(value, (dict, list)):
        raise DataError(f"expected a single value, got {type(value).__name__}", "schema_changed")
    return value


def normal(text: str) -> str:
    """Full-width characters as half-width ones (NFKC), without blanks around."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def _text(value: Any, _reading: Reading) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _number(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise DataError("yes or no where a number is expected", "bad_number")
    if isinstance(value, (int, float)) and (value == 0 or 1e-99 <= abs(value) <= 1e15):
        return Decimal(str(value))  # of the form below
    text = normal(str(value))
    factor = 1
    if not _NUMBER.fullmatch(text):
        text = _SIGN.sub(r"\1", text.replace(",", "").replace(" ", "")).removesuffix("元")
        if text.endswith("万"):
            text, factor = text[:-1], 10_000
    if not _NUMBER.fullmatch(text):
        raise DataError("no number", "bad_number")
    try:
        number = Decimal(text) if factor == 1 else Decimal(text) * factor
    except InvalidOperation as error:
        raise DataError("no number", "bad_number") from error
    if not _SMALLEST <= number <= _LARGEST:
        raise DataError(f"beyond {_LARGEST}", "out_of_range")
    return number


def _int(value: Any, _reading: Reading) -> int:
    number = _number(value)
    if number != number.to_integral_value():
        raise DataError("a fraction where a whole number is expected", "bad_number")
    return int(number)


def _money(value: Any, reading: Reading) -> int:
    """Minor units, half away from zero: what a source sends with more places was computed, not paid."""
    exact = _number(value).scaleb(_DIGITS.get(reading.currency or "", 2))
    return int(exact.to_integral_value("ROUND_HALF_UP"))


def _date(value: Any, reading: Reading) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.astimezone(reading.zone).date() if value.tzinfo else value.date()
    if isinstance(value, dt.date):
        return value
    text = normal(str(value))
    if (iso := _iso(dt.date.fromisoformat, text, 10)) is not None:
        return iso
    if found := _DATE.match(text):
        year, month, day = found[1], found[3], found[4]
        rest = text[found.end() :].lstrip("T ").strip()
        if rest and (moment := _CLOCK.fullmatch(rest)) and moment[4]:
            return _datetime(value, reading).astimezone(reading.zone).date()
        if rest and not _CLOCK.fullmatch(rest):
            raise DataError("no date", "bad_date")
    elif found := _COMPACT.fullmatch(text):
        year, month, day = found[1], found[2], found[3]
    else:
        raise DataError("no date such as 2026-03-01", "bad_date")
    try:
        return dt.date(int(year), int(month), int(day))
    except ValueError as error:
        raise DataError(f"no such day: {error}", "bad_date") from error


def _datetime(value: Any, reading: Reading) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return _as_utc(value, reading)
    text = normal(str(value))
    if (at := _iso(dt.datetime.fromisoformat, text.removesuffix("Z"), 19)) is not None:
        return _as_utc(at.replace(tzinfo=dt.UTC) if text[-1] == "Z" else at, reading)
    found = _DATE.match(text)
    compact = None if found else re.match(r"(\d{4})(\d{2})(\d{2})(?=[T ]|$)", text)
    if found is None and compact is None:
        raise DataError("no time such as 2026-03-01T08:30:00Z", "bad_time")
    year, month, day = (found[1], found[3], found[4]) if found else compact.groups() if compact else ("", "", "")
    rest = text[(found or compact).end() :].lstrip("T ").strip()  # type: ignore[union-attr]
    clock = _CLOCK.fullmatch(rest) if rest else None
    if rest and clock is None:
        raise DataError("no time of day", "bad_time")
    try:
        hour, minute, second = (int(part or 0) for part in clock.groups()[:3]) if clock else (0, 0, 0)
        wall = dt.datetime(int(year), int(month), int(day), hour, minute, second)  # noqa: DTZ001  (its zone follows)
        offset = clock[4] if clock else None
        return _as_utc(wall.replace(tzinfo=_offset(offset)) if offset else wall, reading)
    except ValueError as error:
        raise DataError(f"no such time: {error}", "bad_time") from error


def _iso(parse: Callable[[str], _Moment], text: str, length: int) -> _Moment | None:
    """What nearly all sources write, ``2026-03-01`` or ``2026-03-01 08:30:00``; None where it has another form."""
    if len(text) != length or (text[4], text[7]) != ("-", "-"):
        return None
    if length > 10 and (text[10] not in "T " or (text[13], text[16]) != (":", ":")):
        return None
    try:
        return parse(text)
    except ValueError:
        return None  # of another form, or wrong: that is told below


def _offset(text: str) -> dt.tzinfo:
    if text in "Zz":
        return dt.UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    delta = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return dt.timezone(-delta if text[0] == "-" else delta)


def _as_utc(at: dt.datetime, reading: Reading) -> dt.datetime:
    """UTC with whole seconds; a time without offset is the source's, the first one where it occurs twice."""
    aware = at if at.tzinfo else dt.datetime.combine(at, at.time(), reading.zone)  # replace takes five times as long
    try:
        utc = aware.astimezone(dt.UTC)
        return utc.replace(microsecond=0) if utc.microsecond else utc
    except OverflowError as error:
        raise DataError("a time before year 1 or after 9999", "bad_time") from error


def _epoch(value: Any, unit: int) -> dt.datetime:
    seconds = _number(value) / unit
    try:
        return _EPOCH + dt.timedelta(seconds=int(seconds))
    except OverflowError as error:
        raise DataError("a time after year 9999", "bad_time") from error


def _excel(value: Any, reading: Reading) -> dt.date:
    if isinstance(value, dt.date):
        return _date(value, reading)
    number = _number(value)
    if not _EXCEL_FIRST <= number <= _EXCEL_LAST:
        raise DataError(f"serial date outside {_EXCEL_FIRST} to {_EXCEL_LAST}", "bad_date")
    return _EXCEL_ZERO + dt.timedelta(days=int(number))


def _bool(value: Any, _reading: Reading) -> bool:
    if isinstance(value, bool):
        return value
    text = normal(_text(value, _reading)).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise DataError("neither yes nor no", "unknown_value")


def _duration(value: Any, _reading: Reading) -> int:
    """Seconds: a number of them, ``H:MM:SS``, or ISO 8601."""
    text = normal(str(value))
    if found := _DURATION.fullmatch(text):
        return int(found[1] or 0) * 3_600 + int(found[2]) * 60 + int(found[3])
    if len(text) > 2 and (found := _ISO_DURATION.fullmatch(text)):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return int(_number(value))


_CONVERTERS: Mapping[As, Callable[[Any, Reading], Any]] = {
    "text": _text,
    "int": _int,
    "money_minor": _money,
    "date": _date,
    "datetime": _datetime,
    "epoch_s": lambda value, _: _epoch(value, 1),
    "epoch_ms": lambda value, _: _epoch(value, 1_000),
    "epoch_s_date": lambda value, reading: _epoch(value, 1).astimezone(reading.zone).date(),
    "epoch_ms_date": lambda value, reading: _epoch(value, 1_000).astimezone(reading.zone).date(),
    "excel_date": _excel,
    "bool": _bool,
    "duration_s": _duration,
}
