"""Messages of Uniview's LAPI push to values, and values to answers; no I/O.

Source: protocols/uniview-lapi.md of the specification, grade A- (six receivers and one full message). Pictures, names
and national ids are skipped while the JSON is read: no field here takes them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import msgspec

from gateway.transports.source import wall_second
from shared.clock import DeviceSeconds
from shared.errors import DataError
from shared.punch import Method

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a message; it carries pictures as text."""
ITEMS_LIMIT = 1000
USER_LIMIT = 64
MATCHED = 1
HEARTBEAT = "heartreportinfo"
EVENTS = frozenset({"personverification", "notifications"})
"""Last part of the paths, in lower case."""
ABSENT = -1
LAST_SECOND = 7_258_118_400
"""2200-01-01: no terminal shows this second or a later one."""
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_DEVICE = re.compile(rb'"DeviceCode"\s*:\s*"([0-9A-Za-z_.:-]{1,64})"')
_PERSONAL = re.compile(rb"Image|Data|Name|Identity|Person|List|CardID|\xff\xd8", re.IGNORECASE)
Message = TypeVar("Message", bound=msgspec.Struct)
Number: TypeAlias = int | str | float | None


@dataclass(frozen=True, slots=True)
class Match:
    """One recognised person."""

    user: str
    utc_s: int
    method: Method
    codes: tuple[int, int, int]
    """CapSrc of the entry, LibType and LibID; -1 where there is none."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A recognised person who can not be a punch."""

    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Notification:
    """One message with what it tells of people."""

    device: str
    seq: int | None
    live: bool
    """False for a record that is sent again later."""
    found: tuple[Match | Bad, ...]
    failures: int
    """Strangers and refusals."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A terminal says that it lives."""

    device: str
    at: DeviceSeconds | None
    """Its clock; None when it shows none."""


class _Entry(msgspec.Struct):
    ID: Number = None
    Timestamp: Number = None
    CapSrc: Number = None


class _Person(msgspec.Struct):
    PersonCode: Number = None


class _LibMat(msgspec.Struct):
    ID: Number = None
    LibID: Number = None
    LibType: Number = None
    MatchStatus: Number = None
    MatchPersonInfo: _Person | None = None


class _Message(msgspec.Struct):
    DeviceCode: Number = None
    Seq: Number = None
    Timestamp: Number = None
    NotificationType: Number = None
    FaceInfoList: list[_Entry] | None = None
    CardInfoList: list[_Entry] | None = None
    LibMatInfoList: list[_LibMat] | None = None


class _Heart(msgspec.Struct):
    DeviceCode: Number = None
    Time: Number = None


def call_of(path: str) -> str:
    """Last part of a path in lower case, whatever slash follows it."""
    return path.rstrip("/").rpartition("/")[2].lower()


def decode_heartbeat(body: bytes) -> Heartbeat:
    """A heartbeat; DataError when it is none."""
    told = _decode(body, _Heart)
    match = _TIME.fullmatch(_text(told.Time).strip())
    at = None
    if match:
        year, month, day, hour, minute, second = map(int, match.groups())
        at = wall_second((year, month, day), (hour, minute, second))
    return Heartbeat(_text(told.DeviceCode), at)


def decode_notification(body: bytes) -> Notification:
    """A message with people; DataError when it is none."""
    told = _decode(body, _Message)
    matches = told.LibMatInfoList or []
    if max(len(matches), len(told.FaceInfoList or []), len(told.CardInfoList or [])) > ITEMS_LIMIT:
        raise DataError(f"more than {ITEMS_LIMIT} people in one message", code="too_large")
    faces, cards = _by_id(told.FaceInfoList), _by_id(told.CardInfoList)
    matched = [item for item in matches if _number(item.MatchStatus) == MATCHED]
    seq = _number(told.Seq)
    return Notification(
        device=_text(told.DeviceCode),
        seq=None if seq == ABSENT else seq,
        live=_number(told.NotificationType) != 1,
        found=tuple(_match(item, faces, cards, told) for item in matched),
        failures=len(matches) - len(matched),
    )


def _by_id(entries: list[_Entry] | None) -> Mapping[str, _Entry]:
    return {_text(entry.ID): entry for entry in entries or []}


def _match(item: _LibMat, faces: Mapping[str, _Entry], cards: Mapping[str, _Entry], told: _Message) -> Match | Bad:
    face, card = faces.get(_text(item.ID)), cards.get(_text(item.ID))
    entry = face or card or _Entry()
    when = _number(entry.Timestamp)
    if when == ABSENT:
        when = _number(told.Timestamp)
    user = _text(item.MatchPersonInfo.PersonCode) if item.MatchPersonInfo else ""
    raw = {"Seq": _number(told.Seq), "ID": _text(item.ID)[:40], "Timestamp": when, "PersonCode": user[:80]}
    if not 0 <= when < LAST_SECOND:
        return Bad("bad_time", json.dumps(raw).encode())
    if not (0 < len(user) <= USER_LIMIT and user.strip() and user.isprintable()):
        return Bad("bad_user", json.dumps(raw).encode())
    method = Method.FACE if face is not None else Method.CARD if card is not None else Method.UNKNOWN
    return Match(user, when, method, (_number(entry.CapSrc), _number(item.LibType), _number(item.LibID)))


def device_in(body: bytes) -> str:
    """The device code of a message that can not be read as a whole; empty when there is none."""
    found = _DEVICE.search(body[:4096])
    return found[1].decode() if found else ""


def safe_start(body: bytes) -> bytes:
    """What may be kept of a message that can not be read: its start, before anything personal."""
    start = body[:512]
    found = _PERSONAL.search(start)
    return start[: found.start()] if found else start


def _decode(body: bytes, kind: type[Message]) -> Message:
    try:
        return msgspec.json.decode(body.strip(b"\0 \r\n\t"), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"JSON can not be read: {str(error)[:80]}", code="bad_json") from error


def _text(value: Number) -> str:
    if value is None or isinstance(value, float):
        return ""
    return str(value) if isinstance(value, str) or abs(value) < 1 << 64 else ""


def _number(value: Number) -> int:
    text = _text(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else ABSENT


# Answers


def heartbeat_answer(path: str, time: str) -> str:
    """Answer to a heartbeat; the terminal sets its clock by ``time``, its own wall clock."""
    return json.dumps({"ResponseURL": path, "Code": 0, "Data": {"Time": time}})


def notification_answer(path: str, seq: int | None, *, stored: bool) -> str:
    """Answer to a message with people; without ``stored`` the terminal sends it again."""
    status, text = (0, "Succeed") if stored else (1, "Busy")
    response = {"ResponseURL": path, "StatusCode": status, "StatusString": text, "Data": {"RecordID": seq or 0}}
    return json.dumps({"Response": response})
