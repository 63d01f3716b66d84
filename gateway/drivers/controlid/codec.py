"""JSON of Control iD terminals to values and back; see protocols/controlid.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from shared.clock import DeviceSeconds
from shared.errors import DataError

GRANTED = frozenset({7})
"""Access granted; the profile may list others."""
LAST_SECOND = 7_258_118_400
"""2200-01-01."""
RAW_LIMIT = 4096

Number: TypeAlias = str | int | None
"""Numbers in answers, text in what the monitor posts."""
Kind = TypeVar("Kind")


class _Log(msgspec.Struct):
    id: Number
    time: Number
    event: Number
    user_id: Number = None
    portal_id: Number = None
    identification_rule_id: Number = None
    identifier_id: Number = None
    device_id: Number = None


class _Logs(msgspec.Struct):
    access_logs: list[msgspec.Raw]


class _Change(msgspec.Struct):
    object: str
    values: msgspec.Raw = msgspec.Raw(b"{}")
    type: str = ""


class _Dao(msgspec.Struct):
    object_changes: list[_Change]
    device_id: Number = None


class _Alive(msgspec.Struct):
    access_logs: Number = None
    device_id: Number = None


class _User(msgspec.Struct):
    id: int
    registration: Number = None
    name: str | None = None
    end_time: int | None = None


class _Users(msgspec.Struct):
    users: list[_User]


class _Card(msgspec.Struct):
    user_id: int
    value: int
    id: int | None = None


class _Cards(msgspec.Struct):
    cards: list[_Card]


class _Count(msgspec.Struct):
    access_logs: list[dict[str, Number]]


class _System(msgspec.Struct):
    serial: str | None = None
    version: str | None = None
    time: int | None = None
    product: str | None = None
    device_id: Number = None


class _Ids(msgspec.Struct):
    ids: list[int]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of ``access_logs``; ``time`` is as the terminal counts it, local or UTC by its profile."""

    number: int
    time: int
    event: int
    user_id: int
    portal: int
    rule: int
    identifier: int
    device_id: str

    @property
    def raw_codes(self) -> tuple[int, ...]:
        """Event, portal, rule, identifier."""
        return (self.event, self.portal, self.rule, self.identifier)


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that can not be read; ``number`` where that much can be."""

    reason: str
    raw: bytes
    number: int | None


Item: TypeAlias = Row | Bad


@dataclass(frozen=True, slots=True)
class User:
    """Somebody enrolled; ``number`` is the terminal's own, ``registration`` the employee's."""

    number: int
    registration: str
    name: str
    end: int = 0
    """When the validity ends; 0 for never."""


class System(NamedTuple):
    """What the terminal says of itself; ``second`` is its clock where it tells it."""

    serial: str
    version: str
    second: int | None
    product: str


class Notice(NamedTuple):
    """What the monitor posted: rows of the log in it, and the device that posts."""

    items: list[Item]
    device_id: str
    others: list[str]
    """Objects that changed and are no log: users, templates."""


def decode(body: bytes, kind: type[Kind]) -> Kind:
    """A JSON body as ``kind``; DataError when it is something else."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"answer is not what was expected: {str(error)[:120]}", code="bad_answer") from error


def rows_of(body: bytes) -> list[Item]:
    """Rows of an answer to ``load_objects`` for access_logs."""
    return [row_of(bytes(raw)) for raw in decode(body, _Logs).access_logs]


def row_of(raw: bytes) -> Item:
    """One row, numbers or text."""
    try:
        row = decode(raw, _Log)
        second = _need(row.time)
        return Row(
            number=_need(row.id),
            time=_in_range(second),
            event=_need(row.event),
            user_id=_number(row.user_id) or 0,
            portal=_number(row.portal_id) or 0,
            rule=_number(row.identification_rule_id) or 0,
            identifier=_number(row.identifier_id) or 0,
            device_id=str(row.device_id or "")[:32],
        )
    except DataError as error:
        raw, number = _harmless(raw)
        return Bad("bad_time" if error.code == "bad_time" else "bad_row", raw, number)


def notice_of(body: bytes) -> Notice:
    """A POST to ``<path>/dao``."""
    said = decode(body, _Dao)
    logs = [change for change in said.object_changes if change.object == "access_logs"]
    others = sorted({change.object[:40] for change in said.object_changes} - {"access_logs"})
    return Notice([row_of(bytes(change.values)) for change in logs], str(said.device_id or "")[:32], others)


def alive_of(body: bytes) -> str:
    """The device of a POST to ``<path>/device_is_alive``; empty where it does not say."""
    said = decode(body, _Alive)
    _number(said.access_logs)
    return str(said.device_id or "")[:32]


def users_of(body: bytes) -> list[User]:
    """Users without anything they know, have or are."""
    rows = decode(body, _Users).users
    return [User(row.id, _text(row.registration), (row.name or "")[:80], row.end_time or 0) for row in rows]


def cards_of(body: bytes) -> dict[int, int]:
    """Card number by the terminal's number of the user; the first where somebody has several."""
    found: dict[int, int] = {}
    for card in decode(body, _Cards).cards:
        found.setdefault(card.user_id, card.value)
    return found


def count_of(body: bytes) -> int | None:
    """The answer to ``COUNT(*)``."""
    rows = decode(body, _Count).access_logs
    return _number(next(iter(rows[0].values()), None)) if rows else None


def system_of(body: bytes) -> System:
    """The answer to ``system_information``."""
    said = decode(body, _System)
    second = said.time if said.time is not None and 0 <= said.time < LAST_SECOND else None
    return System((said.serial or "")[:64], (said.version or "")[:80], second, (said.product or "")[:80])


def new_id_of(body: bytes) -> int:
    """The number that a created object got."""
    ids = decode(body, _Ids).ids
    if not ids:
        raise DataError("nothing was created", code="bad_answer")
    return ids[0]


def load(kind: str, after: int, limit: int, fields: Sequence[str] = ()) -> object:
    """Objects with a higher id, lowest first."""
    question: dict[str, object] = {
        "object": kind,
        "where": {kind: {"id": {">": after}}},
        "order": ["ascending", "id"],
        "limit": limit,
    }
    return {**question, "fields": list(fields)} if fields else question


def clock_message(wall: datetime) -> object:
    """The body of ``set_system_time``."""
    return {name: getattr(wall, name) for name in ("day", "month", "year", "hour", "minute", "second")}


def capture_items(data: bytes) -> tuple[str, list[Item], list[str]]:
    """Name, rows and other objects of a captured message; DataError when it is none of this family."""
    keys = decode(data, dict[str, msgspec.Raw])
    if "object_changes" in keys:
        said = notice_of(data)
        return "dao", said.items, said.others
    if isinstance(keys.get("access_logs"), msgspec.Raw) and bytes(keys["access_logs"]).lstrip().startswith(b"["):
        return "access_logs", rows_of(data), []
    if {"id", "time", "event", "user_id"} <= set(keys):
        return "access_logs", [row_of(data)], []
    if "access_logs" in keys:
        alive_of(data)
        return "device_is_alive", [], []
    raise DataError("no message of a Control iD terminal", code="bad_answer")


def _number(value: Number) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        try:
            value = int(text) if text else None
        except ValueError as error:
            raise DataError(f"{text[:20]!r} is no number", code="bad_number") from error
    if value is not None and not -(1 << 63) <= value < 1 << 63:
        raise DataError("number out of range", code="bad_number")
    return value


def _need(value: Number) -> int:
    number = _number(value)
    if number is None or number < 0:
        raise DataError("a number is missing", code="bad_number")
    return number


def _in_range(second: int) -> DeviceSeconds:
    if not 0 <= second < LAST_SECOND:
        raise DataError(f"time {second}: expected seconds since 1970", code="bad_time")
    return second


def _text(value: Number) -> str:
    return str(value).strip()[:64] if value is not None else ""


_KEPT = ("id", "time", "event", "device_id", "user_id", "portal_id", "identification_rule_id", "identifier_id")


def _harmless(raw: bytes) -> tuple[bytes, int | None]:
    """The row without cards and codes, and its number where that can be read."""
    try:
        row = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b"", None
    if not isinstance(row, dict):
        return b"", None
    kept = {key: row[key] for key in _KEPT if isinstance(row.get(key), str | int | float)}
    short = {key: value[:64] if isinstance(value, str) else value for key, value in kept.items()}
    number: int | None = None
    if isinstance(value := row.get("id"), str | int) and not isinstance(value, bool):
        try:
            number = _need(value)
        except DataError:
            number = None
    return msgspec.json.encode(short)[:RAW_LIMIT], number
