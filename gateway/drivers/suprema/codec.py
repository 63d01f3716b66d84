"""Bytes to values of BioStar 2's REST interface and of recorded G-SDK events; see protocols/suprema.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from shared.clock import EPOCH, DeviceSeconds, from_ms
from shared.errors import DataError

PUNCHES = frozenset({0x1000, 0x1200, 0x1300, 0x1500, 0x1600})
"""Verified, identified, both under duress, two people together: the high byte of an event with a user."""
DURESS = frozenset({0x1200, 0x1500})
LAST_SECOND = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()
RAW_LIMIT = 4096

Number: TypeAlias = str | int | None
"""Numbers are text, on some releases numbers."""
Kind = TypeVar("Kind")


class _Device(msgspec.Struct):
    id: Number = None
    name: str = ""
    version: str | None = None


class _User(msgspec.Struct):
    user_id: Number = None
    name: str = ""
    disabled: str | bool | None = None


class _Type(msgspec.Struct):
    code: Number = None


class _Event(msgspec.Struct):
    device_id: _Device
    event_type_id: _Type
    datetime: str
    id: Number = None
    index: Number = None
    user_id: _User | None = None
    tna_key: Number = None


class _LogEntry(msgspec.Struct):
    """An EventLog of the G-SDK as JSON."""

    ID: int
    timestamp: int
    deviceID: int  # noqa: N815  # the vendor's names
    eventCode: Number  # noqa: N815
    subCode: Number = 0  # noqa: N815
    userID: str = ""  # noqa: N815
    TNAKey: Number = None


class _Rows(msgspec.Struct):
    rows: list[msgspec.Raw] = []
    total: Number = None


class _Events(msgspec.Struct):
    EventCollection: _Rows | None = None


class _Live(msgspec.Struct):
    Event: msgspec.Raw


class _Devices(msgspec.Struct):
    DeviceCollection: _Rows


class _Users(msgspec.Struct):
    UserCollection: _Rows


@dataclass(frozen=True, slots=True)
class Row:
    """One event. ``second`` is UTC; ``number`` is the server's own, ``index`` the device's."""

    device: str
    second: DeviceSeconds
    code: int
    user: str
    tna: int
    number: int | None
    index: int | None

    @property
    def main(self) -> int:
        """The event without its sub code."""
        return self.code & 0xFF00


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that can not be read, without names and pictures."""

    reason: str
    raw: bytes


Item: TypeAlias = Row | Bad


class Facts(NamedTuple):
    """A device or a user as a list shows it."""

    key: str
    name: str
    extra: str = ""


def decode(body: bytes, kind: type[Kind]) -> Kind:
    """A JSON body as ``kind``; DataError when it is something else."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"answer is not what was expected: {str(error)[:120]}", code="bad_answer") from error


def events_of(body: bytes) -> list[Item]:
    """Rows of an answer to a search, in its order; DataError when it is none."""
    found = decode(body, _Events).EventCollection
    if found is None:
        raise DataError("answer without EventCollection", code="bad_answer")
    return [event_of(bytes(raw)) for raw in found.rows]


def live_event(body: bytes) -> Item:
    """The event in a message of the WebSocket; DataError when it is another message."""
    return event_of(bytes(decode(body, _Live).Event))


def event_of(raw: bytes) -> Item:
    """One row of an EventCollection."""
    try:
        row = decode(raw, _Event)
        return Row(
            device=_device(row.device_id.id),
            second=utc_second(row.datetime),
            code=_need(row.event_type_id.code),
            user=_text(row.user_id.user_id) if row.user_id else "",
            tna=_number(row.tna_key) or 0,
            number=_number(row.id),
            index=_number(row.index),
        )
    except DataError as error:
        return Bad(error.code if error.code == "bad_time" else "bad_row", _harmless(raw))


def log_entry(raw: bytes) -> Item:
    """One EventLog of the G-SDK; its ID is the device's own counter."""
    try:
        entry = decode(raw, _LogEntry)
        tna = entry.TNAKey.removeprefix("KEY_") if isinstance(entry.TNAKey, str) else entry.TNAKey
        code = _need(entry.eventCode) | _need(entry.subCode)
        return Row(
            _device(entry.deviceID),
            _in_range(entry.timestamp),
            code,
            entry.userID,
            _number(tna) or 0,
            entry.ID,
            entry.ID,
        )
    except DataError as error:
        return Bad(error.code if error.code == "bad_time" else "bad_row", _harmless(raw))


def devices_of(body: bytes) -> list[Facts]:
    """Serial number, name and firmware of every device that the server knows."""
    rows = [decode(bytes(raw), _Device) for raw in decode(body, _Devices).DeviceCollection.rows]
    return [Facts(_device(row.id), row.name[:80], (row.version or "")[:40]) for row in rows]


def users_of(body: bytes) -> list[Facts]:
    """Number and name of a page of users; ``extra`` is ``disabled`` where the server says so."""
    rows = [decode(bytes(raw), _User) for raw in decode(body, _Users).UserCollection.rows]
    off = ("true", "1", True)
    return [Facts(_text(row.user_id), row.name[:80], "disabled" if row.disabled in off else "") for row in rows]


def total_of_users(body: bytes) -> int | None:
    """How many users there are, where the answer tells it."""
    return _number(decode(body, _Users).UserCollection.total)


def search(first: DeviceSeconds, last: DeviceSeconds, limit: int, offset: int) -> object:
    """The question for events of these UTC seconds, both included, oldest first."""
    span = [f"{from_ms(second * 1000):%Y-%m-%dT%H:%M:%S}.000Z" for second in (first, last)]
    return {
        "Query": {
            "limit": limit,
            "offset": offset,
            "conditions": [{"column": "datetime", "operator": 3, "values": span}],
            "orders": [{"column": "datetime", "descending": False}],
        }
    }


def utc_second(text: str) -> DeviceSeconds:
    """UTC second of an ISO time; without an offset it is UTC. DataError ``bad_time``."""
    try:
        at = datetime.fromisoformat(text[:40])
    except ValueError as error:
        raise DataError(f"time {text[:40]!r}: expected ISO 8601", code="bad_time") from error
    second = (at.replace(tzinfo=UTC) if at.tzinfo is None else at) - EPOCH
    return _in_range(second.days * 86_400 + second.seconds)


def _in_range(second: int) -> DeviceSeconds:
    if not 0 <= second < LAST_SECOND:
        raise DataError(f"second {second}: expected 1970 to 2199", code="bad_time")
    return second


def newest(items: Sequence[Item]) -> DeviceSeconds | None:
    """The latest second of a page."""
    return max((item.second for item in items if isinstance(item, Row)), default=None)


def is_sorted(items: Sequence[Item]) -> bool:
    """Whether a page is in the order that was asked for."""
    seconds = [item.second for item in items if isinstance(item, Row)]
    return all(left <= right for left, right in pairwise(seconds))


def _number(value: Number) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        try:
            value = int(text, 0) if text[:2].lower() == "0x" else int(text) if text else None
        except ValueError as error:
            raise DataError(f"{text[:20]!r} is no number", code="bad_number") from error
    if value is not None and not 0 <= value < 1 << 63:
        raise DataError("number out of range", code="bad_number")
    return value


def _need(value: Number) -> int:
    number = _number(value)
    if number is None or number > 0xFFFF:
        raise DataError("no event code", code="bad_number")
    return number


def _text(value: Number) -> str:
    return str(value).strip()[:64] if value is not None else ""


def _device(value: Number) -> str:
    text = _text(value)
    if not text:
        raise DataError("no device", code="bad_number")
    return text


_KEPT = ("id", "datetime", "server_datetime", "index", "tna_key", "ID", "timestamp", "deviceID", "eventCode", "subCode")
_KEPT_BELOW = {"device_id": "id", "event_type_id": "code", "user_id": "user_id"}


def _harmless(raw: bytes) -> bytes:
    """The row with numbers and times alone: no name, no picture, no card."""
    try:
        row = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b""
    if not isinstance(row, dict):
        return b""
    short = {key: _short(row[key]) for key in _KEPT if key in row}
    for key, below in _KEPT_BELOW.items():
        if isinstance(inner := row.get(key), dict):
            short[key] = {below: _short(inner.get(below))}
    return msgspec.json.encode(short)[:RAW_LIMIT]


def _short(value: object) -> object:
    return value[:64] if isinstance(value, str) else value if isinstance(value, int | float) else None


def capture_items(data: bytes) -> tuple[str, list[Item]]:
    """Name and rows of a captured message: ``events``, ``live`` or ``log``; DataError when it is none."""
    if data.lstrip().startswith(b"["):
        return "log", [log_entry(bytes(raw)) for raw in decode(data, list[msgspec.Raw])]
    keys = decode(data, dict[str, msgspec.Raw])
    if "EventCollection" in keys:
        return "events", events_of(data)
    if "Event" in keys:
        return "live", [live_event(data)]
    if "eventCode" in keys:
        return "log", [log_entry(data)]
    raise DataError("neither events of BioStar 2 nor of the G-SDK", code="bad_answer")
