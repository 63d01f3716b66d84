"""Live topics: what they are called and which permission each needs."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from server.access.roles import Permission
from server.access.viewer import Viewer

Kind: TypeAlias = Literal[
    "day", "month", "employee", "requests", "roster", "people", "calendar", "devices", "unmatched", "periods", "schemes"
]

_PLAIN: dict[str, Kind] = {
    "requests": "requests",
    "roster": "roster",
    "people": "people",
    "calendar": "calendar",
    "devices": "devices",
    "unmatched": "unmatched",
    "periods": "periods",
    "schemes": "schemes",
}
_NEEDS: dict[Kind, Permission | None] = {
    "day": "today.read",
    "month": "today.read",
    "requests": "requests.read",
    "roster": "rosters.read",
    "people": "people.read",
    "calendar": None,
    "devices": "devices.read",
    "unmatched": "people.map",
    "periods": "scores.read",
    "schemes": "schemes.read",
}
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

MOST_TOPICS = 16
"""Topics of one stream; a page needs three."""


@dataclass(frozen=True, slots=True)
class Topic:
    """``day:<YYYY-MM-DD>``, ``month:<YYYY-MM>``, ``employee:<id>``, or a plain kind such as ``requests``."""

    name: str
    kind: Kind
    date: dt.date | None = None
    employee: str | None = None


def parse_topic(name: str) -> Topic | None:
    """The topic of that name; None when it is none."""
    if name in _PLAIN:
        return Topic(name, _PLAIN[name])
    kind, _, value = name.partition(":")
    if kind == "employee" and value:
        return Topic(name, "employee", employee=value)
    if kind == "month" and _MONTH.fullmatch(value):
        return Topic(name, "month")
    if kind == "day":
        try:
            date = dt.date.fromisoformat(value)
        except ValueError:
            return None
        return Topic(f"day:{date.isoformat()}", "day", date=date)
    return None


def may_follow(viewer: Viewer, topic: Topic) -> bool:
    """Whether the role allows the topic; whether an employee is in scope is for the store to say."""
    if topic.kind == "employee":
        own = topic.employee == viewer.employee
        return viewer.may("me.read") if own else viewer.may("today.read") or viewer.may("scores.read")
    needed = _NEEDS[topic.kind]
    return needed is None or viewer.may(needed)
