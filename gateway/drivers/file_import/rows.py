"""What a line of any export says, and the parts that all layouts share: encodings, dates, times."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal, TypeAlias

from shared.errors import DataError

DateOrder: TypeAlias = Literal["ymd", "dmy", "mdy"]
LINE_LIMIT = 16 * 1024
"""Characters of one line; a longer one is rejected."""

_DATE = (
    r"(?:(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?|(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{4}))"
)
_CLOCK = (
    r"(?:(?P<before>上午|下午|AM|PM)\s{0,3})?(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:\.\d{1,6})?)?"
    r"(?:\s{0,3}(?P<after>AM|PM))?"
)
_OFFSET = r"(?:\s{0,3}(?P<offset>Z|[+-]\d{2}:?\d{2}))?"
_PLAIN = re.compile(r"(?:19[7-9]|20\d|21\d)\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
"""The form of most files, read five times faster."""
_WHEN = re.compile(_DATE + r"(?:T|\s{1,5})" + _CLOCK + _OFFSET, re.IGNORECASE)
_DAY = re.compile(_DATE)
_TIME = re.compile(_CLOCK, re.IGNORECASE)
_TIMES = re.compile(r"(?P<next>次日)?\s*(?P<clock>(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?![\d:]))")


@dataclass(frozen=True, slots=True)
class Row:
    """One punch of a file."""

    line: int
    """From 1; the row of a sheet."""
    user: str
    wall: datetime
    """Local time, naive, or with the offset that the file gives."""
    direction: str | int | None = None
    """Word or number of the file."""
    method: str | int | None = None
    codes: tuple[int, ...] = ()
    number: int | None = None
    """The terminal's own number of the record."""
    device: str | None = None
    """The terminal that the row names."""
    private: bool = False
    """``user`` is a national id, which must not be stored."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that is no punch, with what may be kept of it."""

    line: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file says."""

    kind: str
    rows: tuple[Row, ...]
    rejects: tuple[Reject, ...] = ()
    others: int = 0
    """Lines that are understood and are no punches: headers, companies, clock changes."""
    notes: tuple[str, ...] = ()
    """Stable codes of what a person should look at, such as ``date_order_assumed``."""


def lines_of(text: str) -> Iterable[tuple[int, str]]:
    """Numbered lines that hold something; only CR and LF end a line."""
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        if line.strip("\0 \t\x1a"):
            yield number, line


@dataclass(frozen=True, slots=True)
class Dates:
    """How a file writes dates such as 11/12/2026."""

    order: DateOrder | None
    assumed: bool = False
    """The profile says so; the file does not prove it."""


def dates_of(texts: Iterable[str], profile: DateOrder | None) -> Dates:
    """The order that a value above 12 in either place proves, else the profile's."""
    first = second = short = False
    for text in texts:
        if (found := _DAY.search(text[:64])) and found["a"]:
            short = True
            first, second = first or int(found["a"]) > 12, second or int(found["b"]) > 12
    if first != second:
        return Dates("dmy" if first else "mdy")
    return Dates(profile, assumed=short)


def when_of(text: str, dates: Dates) -> datetime:
    """Date and time in a text; DataError ``bad_time`` or ``ambiguous_date``."""
    if _PLAIN.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise DataError(f"time {text!r}: no such time", code="bad_time") from error
    found = _WHEN.fullmatch(text.strip()[:64])
    if found is None:
        raise DataError(f"time {text[:40]!r}: expected a date and a time", code="bad_time")
    wall = _day(found, dates) + _since_midnight(found)
    if offset := found["offset"]:
        sign = -1 if offset[0] == "-" else 1
        digits = offset.replace(":", "")
        minutes = 0 if offset in "Zz" else sign * (int(digits[1:3]) * 60 + int(digits[3:5]))
        if abs(minutes) >= 24 * 60:
            raise DataError(f"offset {offset}: no such offset", code="bad_time")
        return wall.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    return wall


def day_of(text: str, dates: Dates) -> datetime:
    """Midnight of a date; DataError as ``when_of``."""
    found = _DAY.match(text.strip()[:64])
    if found is None:
        raise DataError(f"date {text[:40]!r}: expected a date", code="bad_time")
    return _day(found, dates)


def clock_of(text: str) -> timedelta:
    """Time of day; DataError ``bad_time``."""
    found = _TIME.fullmatch(text.strip()[:64])
    if found is None:
        raise DataError(f"time {text[:40]!r}: expected hours and minutes", code="bad_time")
    return _since_midnight(found)


def times_in(text: str) -> list[timedelta]:
    """All times in a cell such as ``08:59 12:01 次日00:10``; DataError ``bad_cell`` when other digits are left over."""
    if len(text) > LINE_LIMIT:
        raise DataError(f"cell of {len(text)} characters", code="bad_cell")
    found = [(clock_of(match["clock"]), bool(match["next"])) for match in _TIMES.finditer(text)]
    if re.search(r"\d", _TIMES.sub("", text)):
        raise DataError(f"cell {text[:40]!r}: expected times only", code="bad_cell")
    return [clock + timedelta(days=1) if following else clock for clock, following in found]


def _day(found: re.Match[str], dates: Dates) -> datetime:
    if found["y"]:
        year, month, day = found["y"], found["m"], found["d"]
    elif dates.order == "dmy":
        year, month, day = found["c"], found["b"], found["a"]
    elif dates.order == "mdy":
        year, month, day = found["c"], found["a"], found["b"]
    else:
        raise DataError("day or month first? set date_order in the profile", code="ambiguous_date")
    try:
        midnight = datetime(int(year), int(month), int(day))  # noqa: DTZ001  # the zone is the terminal's and comes later
    except ValueError as error:
        raise DataError(f"{found[0]}: no such day", code="bad_time") from error
    if not 1970 <= midnight.year <= 2199:
        raise DataError(f"{found[0]}: no such year", code="bad_time")
    return midnight


def _since_midnight(found: re.Match[str]) -> timedelta:
    hours, minutes, seconds = int(found["h"]), int(found["mi"]), int(found["s"] or 0)
    if half := (found["before"] or found["after"]):
        if not 1 <= hours <= 12:
            raise DataError(f"{found[0]}: no such hour", code="bad_time")
        hours = hours % 12 + (12 if half.upper() in ("PM", "下午") else 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise DataError(f"{found[0]}: no such time", code="bad_time")
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
