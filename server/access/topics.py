"""Live topics: what they are called and which permission each needs."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal, TypeAlias

from server.access.viewer import Viewer

Kind: TypeAlias = Literal["day", "employee", "devices", "unmatched"]

MOST_TOPICS = 16
"""Topics of one stream; a page needs three."""


@dataclass(frozen=True, slots=True)
class Topic:
    """``day:<YYYY-MM-DD>``, ``employee:<id>``, ``devices`` or ``unmatched``."""

    name: str
    kind: Kind
    date: dt.date | None = None
    employee: str | None = None


def parse_topic(name: str) -> Topic | None:
    """The topic of that name; None when it is none."""
    if name == "devices":
        return Topic(name, "devices")
    if name == "unmatched":
        return Topic(name, "unmatched")
    kind, _, value = name.partition(":")
    if kind == "employee" and value:
        return Topic(name, "employee", employee=value)
    if kind == "day":
        try:
            date = dt.date.fromisoformat(value)
        except ValueError:
            return None
        return Topic(f"day:{date.isoformat()}", "day", date=date)
    return None


def may_follow(viewer: Viewer, topic: Topic) -> bool:
    """Whether the role allows the topic; whether an employee is in scope is for the store to say."""
    match topic.kind:
        case "day":
            return viewer.may("today.read")
        case "employee":
            own = topic.employee == viewer.employee
            return viewer.may("me.read") if own else viewer.may("today.read") or viewer.may("scores.read")
        case "devices":
            return viewer.may("devices.read")
        case "unmatched":
            return viewer.may("people.map")
