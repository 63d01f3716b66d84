"""Answers of the 2N HTTP API to values; no I/O. Card numbers, codes and names in events are not read.

Source: protocols/http-intercoms.md of the specification, grade A- for subscribe, pull and field names.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from shared.errors import ConfigError, DataError, RetryableError
from shared.punch import Direction, Method

EVENTS_LIMIT = 5000
"""Events of one answer; a terminal keeps 500."""
SESSIONS = 256
WANTED = ("UserAuthenticated", "CardEntered", "CodeEntered", "FingerEntered")
METHODS = {"CardEntered": Method.CARD, "CodeEntered": Method.PIN, "FingerEntered": Method.FINGER}
DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT}
LAST_SECOND = 7_258_118_400
NO_SUCH_ID = 12
"""The subscription is unknown, or a parameter is."""
FORBIDDEN = frozenset({1, 2, 4, 5, 7, 8, 9, 10})
"""A function that is missing, switched off or not licensed, or an account that may not."""
_USER = re.compile(r"\S(.{0,62}\S)?")
Number: TypeAlias = int | float | str | None


@dataclass(frozen=True, slots=True)
class Access:
    """A person was let in."""

    number: int
    user: str
    utc_s: int
    offset_s: int
    method: Method
    direction: Direction
    door: int
    """Access point; -1 where the event names none."""


@dataclass(frozen=True, slots=True)
class Bad:
    """An event that can not be a punch."""

    number: int
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Other:
    """An event that is no punch."""

    number: int


Row: TypeAlias = Access | Bad | Other


@dataclass(frozen=True, slots=True)
class Info:
    """What a terminal says of itself."""

    serial: str | None
    firmware: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """Its clock and how long it runs; None where it does not say."""

    utc_s: int | None
    up_s: int | None


class RefusalError(DataError):
    """The terminal says no; ``number`` is its code."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"the terminal refuses: {text[:80]} ({number})", code="refused")
        self.number = number


class _Params(msgspec.Struct):
    ap: Number = None
    session: Number = None
    uuid: Number = None
    direction: Number = None


class _Event(msgspec.Struct):
    id: Number = None
    tzShift: Number = None  # noqa: N815  # the terminal's name
    utcTime: Number = None  # noqa: N815  # the terminal's name
    event: Number = None
    params: _Params | None = None


class _Result(msgspec.Struct):
    id: Number = None
    events: list[_Event] | None = None
    serialNumber: Number = None  # noqa: N815  # the terminal's name
    swVersion: Number = None  # noqa: N815  # the terminal's name
    variant: Number = None
    systemTime: Number = None  # noqa: N815  # the terminal's name
    upTime: Number = None  # noqa: N815  # the terminal's name


class _Error(msgspec.Struct):
    code: Number = None
    description: Number = None


class _Answer(msgspec.Struct):
    success: bool = False
    result: _Result | None = None
    error: _Error | None = None


@dataclass(slots=True)
class Sessions:
    """How people showed who they are, by the session that ties this to the event that lets them in."""

    _known: OrderedDict[int, tuple[Method, Direction]] = field(default_factory=OrderedDict)

    def note(self, session: int, method: Method, direction: Direction) -> None:
        """Remember one; the oldest is forgotten."""
        self._known[session] = (method, direction)
        if len(self._known) > SESSIONS:
            self._known.popitem(last=False)

    def of(self, session: int) -> tuple[Method, Direction]:
        """What is known of a session."""
        return self._known.get(session, (Method.UNKNOWN, Direction.UNKNOWN))


def decode_subscription(body: bytes) -> int:
    """Number of a new subscription."""
    number = _number(_result(body).id)
    if number is None:
        raise DataError("a subscription without number", code="bad_answer")
    return number


def decode_events(body: bytes, sessions: Sessions) -> list[Row]:
    """Events in the order of the answer."""
    events = _result(body).events or []
    if len(events) > EVENTS_LIMIT:
        raise DataError(f"{len(events)} events in one answer", code="too_large")
    return [_row(event, sessions) for event in events]


def decode_info(body: bytes) -> Info:
    """The answer of system/info."""
    told = _result(body)
    return Info(_text(told.serialNumber)[:64] or None, _text(told.swVersion)[:80] or None, _text(told.variant)[:80])


def decode_status(body: bytes) -> Status:
    """The answer of system/status."""
    told = _result(body)
    return Status(_seconds(told.systemTime), _number(told.upTime))


def _row(event: _Event, sessions: Sessions) -> Row:
    number, name = _number(event.id) or 0, _text(event.event)
    params = event.params or _Params()
    session = _number(params.session)
    if name in METHODS and session is not None:
        sessions.note(session, METHODS[name], DIRECTIONS.get(_text(params.direction), Direction.UNKNOWN))
    if name != "UserAuthenticated":
        return Other(number)
    utc_s, shift, user = _seconds(event.utcTime), _number(event.tzShift), _text(params.uuid)
    raw = {"id": number, "utcTime": utc_s, "tzShift": shift, "session": session, "uuid": user[:80]}
    if utc_s is None or shift is None or not -1440 < shift < 1440:
        return Bad(number, "bad_time", msgspec.json.encode(raw))
    if not _USER.fullmatch(user) or not user.isprintable():
        return Bad(number, "bad_user", msgspec.json.encode(raw))
    method, direction = sessions.of(session) if session is not None else (Method.UNKNOWN, Direction.UNKNOWN)
    door = _number(params.ap)
    return Access(number, user, utc_s, shift * 60, method, direction, -1 if door is None else door)


def _result(body: bytes) -> _Result:
    try:
        told = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"answer can not be read: {str(error)[:80]}", code="bad_answer") from error
    if told.success:
        return told.result or _Result()
    failure = told.error or _Error()
    number, text = _number(failure.code) or 0, _text(failure.description)
    if number in FORBIDDEN:
        raise ConfigError(
            f"the terminal refuses: {text[:80]} ({number}); switch on its HTTP API and give the account rights"
        )
    if number == 14:
        raise RetryableError(f"the terminal failed: {text[:80]} (14)")
    raise RefusalError(number, text)


def _text(value: Number) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) and abs(value) < 1 << 64 else ""


def _number(value: Number) -> int | None:
    if isinstance(value, float):
        return int(value) if abs(value) < 1 << 53 else None
    text = _text(value).strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else None


def _seconds(value: Number) -> int | None:
    number = _number(value)
    if number is None and isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return None
        number = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    return number if number is not None and 0 <= number < LAST_SECOND else None


# Cursor


@dataclass(frozen=True, slots=True)
class Place:
    """Number of the last stored event; ``epoch`` counts the restarts, at which numbers begin anew."""

    epoch: int = 0
    number: int = 0

    def encode(self) -> bytes:
        """The place as bytes."""
        return f"{self.epoch}:{self.number}".encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Place":
        """The place in these bytes; the beginning when there is none."""
        found = re.fullmatch(rb"(\d{1,9}):(\d{1,10})", value or b"")
        return cls(int(found[1]), int(found[2])) if found else cls()

    def native(self, number: int) -> int:
        """The native number of an event: epoch and number in one."""
        return (self.epoch & 0x3FFFFFFF) << 32 | number & 0xFFFFFFFF
